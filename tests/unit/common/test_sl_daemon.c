/* test_sl_daemon.c - command lines of the daemons: what is taken, what is said, the exit codes. */
#include "sl_daemon.h"

#include <getopt.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sl_test.h"

enum { ARGS_MAX = 8, SAID_BYTES_MAX = 1024 };

struct outcome {
    int code;
    struct sl_daemon_options options;
    bool flag;
    int fd;
    char out[SAID_BYTES_MAX], err[SAID_BYTES_MAX];
};

/* Standard output or error goes to a file of its own until back(). */
struct diverted {
    FILE *stream, *file;
    int was;
};

static struct diverted divert(FILE *stream)
{
    fflush(stream);
    struct diverted d = {stream, tmpfile(), dup(fileno(stream))};
    assert_non_null(d.file);
    assert_true(d.was >= 0 && dup2(fileno(d.file), fileno(stream)) >= 0);
    return d;
}

static void back(struct diverted *d, char said[SAID_BYTES_MAX])
{
    fflush(d->stream);
    assert_true(dup2(d->was, fileno(d->stream)) >= 0);
    close(d->was);
    rewind(d->file);
    said[fread(said, 1, SAID_BYTES_MAX - 1, d->file)] = '\0';
    fclose(d->file);
}

/* argv without its first, ended by NULL. */
static struct outcome read_line(const char *const args[])
{
    struct outcome o = {.fd = -1};
    const struct sl_daemon daemon = {
        .program = "sluice-test",
        .usage = "usage: sluice-test\n",
        .own = {{.name = "own-flag", .flag = &o.flag}, {.name = "own-fd", .fd = &o.fd}}};
    char *argv[ARGS_MAX + 2] = {(char *)(uintptr_t) "sluice-test"};
    int argc = 1;
    for (; args[argc - 1] != NULL; argc++) {
        assert_true(argc <= ARGS_MAX);
        argv[argc] = (char *)(uintptr_t)args[argc - 1];
    }
    optind = 0; /* another line: getopt_long begins anew */
    struct diverted out = divert(stdout), err = divert(stderr);
    o.code = sl_daemon_read(&daemon, argc, argv, &o.options);
    back(&out, o.out);
    back(&err, o.err);
    return o;
}

#define READ(...) read_line((const char *const[]){__VA_ARGS__, NULL})

static void without_options_all_is_as_at_first(void **state SL_UNUSED)
{
    struct outcome o = read_line((const char *const[]){NULL});
    assert_int_equal(o.code, -1);
    assert_string_equal(o.options.config, "");
    assert_false(o.options.check || o.options.print || o.options.reference || o.flag);
    assert_int_equal(o.fd, -1);
}

static void options_of_both_are_taken(void **state SL_UNUSED)
{
    struct outcome o = READ("--config", "a.yaml", "--check-config");
    assert_int_equal(o.code, -1);
    assert_string_equal(o.options.config, "a.yaml");
    assert_true(o.options.check && !o.options.print && !o.options.reference);
    o = READ("--print-config", "--config=b.yaml");
    assert_string_equal(o.options.config, "b.yaml");
    assert_true(o.options.print && !o.options.check);
    assert_true(READ("--config-reference").options.reference);
}

static void own_options_are_taken(void **state SL_UNUSED)
{
    struct outcome o = READ("--own-fd", "7", "--own-flag");
    assert_int_equal(o.code, -1);
    assert_true(o.flag);
    assert_int_equal(o.fd, 7);
    assert_int_equal(READ("--own-fd", "1048576").fd, SL_DAEMON_FD_MAX);
}

static void what_is_no_descriptor_is_named(void **state SL_UNUSED)
{
    static const char *const wrong[] = {"", "-1", "1048577", "7x", "99999999999999999999"};
    char wanted[100];
    for (size_t i = 0; i < SL_ARRAY_LEN(wrong); i++) {
        struct outcome o = READ("--own-fd", wrong[i]);
        assert_int_equal(o.code, SL_DAEMON_WRONG_USAGE);
        assert_int_equal(o.fd, -1);
        snprintf(wanted, sizeof wanted, "sluice-test: no descriptor: '%s'\nusage: sluice-test\n",
                 wrong[i]);
        assert_string_equal(o.err, wanted);
    }
}

static void what_is_asked_for_is_printed(void **state SL_UNUSED)
{
    struct outcome o = READ("--version");
    assert_int_equal(o.code, EXIT_SUCCESS);
    assert_string_equal(o.out, "sluice-test " SLUICE_VERSION "\n");
    o = READ("--help", "more");
    assert_int_equal(o.code, EXIT_SUCCESS);
    assert_string_equal(o.out, "usage: sluice-test\n");
    assert_string_equal(o.err, "");
}

static void what_is_unknown_is_named(void **state SL_UNUSED)
{
    struct outcome o = READ("--check-config", "more");
    assert_int_equal(o.code, SL_DAEMON_WRONG_USAGE);
    assert_string_equal(o.err, "sluice-test: unexpected argument 'more'\nusage: sluice-test\n");
    o = READ("--strange");
    assert_int_equal(o.code, SL_DAEMON_WRONG_USAGE);
    assert_non_null(strstr(o.err, "--strange"));
    assert_non_null(strstr(o.err, "usage: sluice-test\n"));
    assert_string_equal(o.out, "");
}

static void a_text_that_was_not_made_is_a_failure(void **state SL_UNUSED)
{
    struct sl_buf text;
    char said[SAID_BYTES_MAX];
    sl_buf_init(&text, &sl_alloc_malloc, 100);
    assert_ok(sl_buf_append(&text, "key: 1\n", 7));
    struct diverted out = divert(stdout);
    int code = sl_daemon_print(SL_OK, &text), failed = sl_daemon_print(SL_ENOMEM, &text);
    back(&out, said);
    assert_int_equal(code, EXIT_SUCCESS);
    assert_int_equal(failed, EXIT_FAILURE);
    assert_string_equal(said, "key: 1\n");
    sl_buf_finish(&text);
}

static void descriptors_are_as_many_as_may_be(void **state SL_UNUSED)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlim_t most = limit.rlim_max;
    limit.rlim_cur = most / 2;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    sl_daemon_raise_descriptors();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_cur == most && limit.rlim_max == most);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_options_all_is_as_at_first),
        cmocka_unit_test(options_of_both_are_taken),
        cmocka_unit_test(own_options_are_taken),
        cmocka_unit_test(what_is_no_descriptor_is_named),
        cmocka_unit_test(what_is_asked_for_is_printed),
        cmocka_unit_test(what_is_unknown_is_named),
        cmocka_unit_test(a_text_that_was_not_made_is_a_failure),
        cmocka_unit_test(descriptors_are_as_many_as_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
