/* test_sl_key.c - keys as text and in files: what is one, and which files are taken. */
#include "sl_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sl_test.h"

/* The pair of ZeroMQ's own documentation, known to everyone. */
static const char known[] = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";

struct file {
    char path[64];
};

static void make_file(struct file *f, const char *text, mode_t mode)
{
    *f = (struct file){"/tmp/test_sl_key.XXXXXX"};
    int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void a_key_is_40_characters_of_z85(void **state SL_UNUSED)
{
    assert_true(sl_key_is_text(known));
    assert_false(sl_key_is_text(""));
    assert_false(sl_key_is_text("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf"));
    assert_false(sl_key_is_text("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf77"));
    assert_false(sl_key_is_text("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf\""));
    assert_false(sl_key_is_text("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf_"));
}

static void a_file_may_have_white_space_beside_the_key(void **state SL_UNUSED)
{
    struct file f;
    struct sl_key key;
    struct sl_error err;
    make_file(&f, " rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\r\n\n", 0600);
    assert_ok(sl_key_read_secret(f.path, &key, &err));
    assert_string_equal(key.text, known);
    sl_key_erase(&key);
    assert_string_equal(key.text, "");
    assert_ok(sl_key_read_public(f.path, &key, &err));
    assert_string_equal(key.text, known);
    struct sl_key same;
    assert_ok(sl_key_read_public(known, &same, &err));
    assert_true(sl_key_is_same(&key, &same));
    unlink(f.path);
}

static void expect_refused(const char *path, const char *sentence)
{
    struct sl_key key;
    struct sl_error err;
    assert_int_equal(sl_key_read_secret(path, &key, &err), SL_EINVAL);
    assert_non_null(strstr(err.text, path));
    if (strstr(err.text, sentence) == NULL)
        fail_msg("'%s' is not in '%s'", sentence, err.text);
    assert_null(strstr(err.text, "rq:rM"));
}

static void files_that_are_no_keys_are_named(void **state SL_UNUSED)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {{"", "holds no key"},
                 {"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf\n", "holds no key"},
                 {"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7 x\n", "holds more than a key"},
                 {"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\nrq", "holds more than a key"}};
    struct file f;
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        make_file(&f, cases[i].text, 0600);
        expect_refused(f.path, cases[i].sentence);
        unlink(f.path);
    }
    expect_refused("/nowhere/a.secret", "cannot be read: No such file");
    expect_refused("/tmp", "is not a regular file");
}

static void a_secret_is_its_owners_alone(void **state SL_UNUSED)
{
    static const mode_t open_modes[] = {0640, 0604, 0660, 0644, 0610, 0601};
    struct file f;
    struct sl_key key;
    struct sl_error err;
    make_file(&f, known, 0600);
    for (size_t i = 0; i < SL_ARRAY_LEN(open_modes); i++) {
        assert_int_equal(chmod(f.path, open_modes[i]), 0);
        expect_refused(f.path, "must have mode 0600");
        assert_ok(sl_key_read_public(f.path, &key, &err)); /* what is public may be read */
    }
    assert_int_equal(chmod(f.path, 0400), 0);
    assert_ok(sl_key_read_secret(f.path, &key, &err));
    unlink(f.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_40_characters_of_z85),
        cmocka_unit_test(a_file_may_have_white_space_beside_the_key),
        cmocka_unit_test(files_that_are_no_keys_are_named),
        cmocka_unit_test(a_secret_is_its_owners_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
