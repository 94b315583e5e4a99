/* test_cli_up.c - what stands behind `sluice up`: pauses, generated configuration, paths and lock. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sl_base.h"
#include "sl_buf.h"
#include "sl_test.h"
#include "up_child.h"
#include "up_conf.h"
#include "up_paths.h"
#include "up_running.h"

static char dir[64];

static int make_dir(void **state SL_UNUSED)
{
    strcpy(dir, "/tmp/sluice-up-test-XXXXXX");
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state SL_UNUSED)
{
    pid_t pid = fork();
    int status = -1;
    if (pid == 0)
        execlp("rm", "rm", "-rf", dir, (char *)NULL);
    return waitpid(pid, &status, 0) == pid ? status : -1;
}

static const char *in_dir(const char *name)
{
    static char path[4][PATH_MAX];
    static unsigned next;
    char *out = path[next++ % SL_ARRAY_LEN(path)];
    snprintf(out, PATH_MAX, "%s/%s", dir, name);
    return out;
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void assert_text(const char *path, const char *wanted)
{
    char text[4096];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(text, wanted);
}

static const struct up_key keys[] = {
    {"node", "local"}, {"link.control", "ipc:///x/control"}, {"link.bulk", "ipc:///x #b"}, {0}};

static void a_configuration_without_an_operators_file(void **state SL_UNUSED)
{
    struct sl_error why;
    assert_ok(up_conf_write(in_dir("out"), NULL, "executor", keys, &why));
    assert_text(in_dir("out"), "node: local\n"
                               "link:\n"
                               "  control: ipc:///x/control\n"
                               "  bulk: 'ipc:///x #b'\n");
}

static void an_operators_file_is_merged(void **state SL_UNUSED)
{
    struct sl_error why;

    write_text(in_dir("user"), "gateway: {a: 1}\n"
                               "executor:\n"
                               "  link: {heartbeat: 1s}\n"
                               "  list: [1, {b: \"2\"}]\n");
    assert_ok(up_conf_write(in_dir("out"), in_dir("user"), "executor", keys, &why));
    assert_text(in_dir("out"), "link:\n"
                               "  heartbeat: 1s\n"
                               "  control: ipc:///x/control\n"
                               "  bulk: 'ipc:///x #b'\n"
                               "list: [1, {b: \"2\"}]\n"
                               "node: local\n");
    assert_ok(up_conf_write(in_dir("out"), in_dir("user"), "other", (struct up_key[]){{0}}, &why));
    assert_text(in_dir("out"), "{}\n");
}

static void mistakes_of_the_operator_are_named(void **state SL_UNUSED)
{
    static const char *const cases[][2] = {
        {"executor: {node: x}", "node"}, {"executor: {link: {bulk: x}}", "link.bulk"},
        {"executor: 5", "mappings"},     {"- 5", "mapping"},
        {"a: b: c", "line 1"},           {"executor: [", "line"},
    };
    struct sl_error why;

    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        write_text(in_dir("user"), cases[i][0]);
        assert_status(up_conf_write(in_dir("out"), in_dir("user"), "executor", keys, &why),
                      SL_EINVAL);
        if (strstr(why.text, cases[i][1]) == NULL)
            fail_msg("%s is not in: %s", cases[i][1], why.text);
    }
    assert_status(up_conf_write(in_dir("out"), in_dir("absent"), "executor", keys, &why),
                  SL_EINVAL);
    assert_status(up_conf_write(in_dir("no/dir"), NULL, "executor", keys, &why), SL_EIO);
}

static void pauses_grow_to_a_limit(void **state SL_UNUSED)
{
    int64_t last = 0;

    assert_int_equal(up_child_pause_ns(0), 0);
    assert_int_equal(up_child_pause_ns(1), 0);
    assert_int_equal(up_child_pause_ns(2), 100 * SL_NS_PER_MS);
    for (int i = 2; i < 1000; i++) {
        assert_true(up_child_pause_ns(i) >= last);
        last = up_child_pause_ns(i);
    }
    assert_int_equal(last, 10 * SL_NS_PER_S);
}

static void ends_plan_the_next_start(void **state SL_UNUSED)
{
    struct up_child c = {.pid = 7, .start_at = 1000};

    up_child_ended(&c, 1000 + 100 * SL_NS_PER_S); /* it lived long */
    assert_int_equal(c.pid, 0);
    assert_true(up_child_is_due(&c, c.start_at));
    assert_int_equal(c.start_at, 1000 + 100 * SL_NS_PER_S);
    for (int i = 0; i < 3; i++) {
        sl_mono_ns began = c.start_at;
        c.pid = 7;
        assert_false(up_child_is_due(&c, INT64_MAX));
        up_child_ended(&c, began);
        assert_int_equal(c.start_at, began + up_child_pause_ns(i + 1));
    }
    c.pid = 0;
    up_child_stop(&c, SIGTERM);
    assert_false(up_child_is_due(&c, INT64_MAX - 1));
}

static void a_child_gets_its_arguments(void **state SL_UNUSED)
{
    struct up_child c = {.name = "test", .conf_path = in_dir("conf"), .announce_fd = -1};
    int fds[2];
    int status;
    char line[16] = "";

    write_text(in_dir("program"), "#!/bin/sh\n"
                                  "[ \"$1 $3\" = \"--config --announce-fd\" ] || exit 9\n"
                                  "echo out\n" /* goes to stderr */
                                  "echo hello >&$4\n");
    chmod(in_dir("program"), 0700);
    snprintf(c.program, sizeof(c.program), "%s", in_dir("program"));
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    c.announce_fd = fds[1];
    assert_ok(up_child_start(&c, 5));
    assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
    assert_int_equal(status, 0);
    assert_int_equal(read(fds[0], line, sizeof(line) - 1), 6);
    assert_string_equal(line, "hello\n");
    close(fds[0]);
    close(fds[1]);
}

static void paths_are_made_and_locked(void **state SL_UNUSED)
{
    struct up_paths a;
    struct up_paths b;
    struct sl_error why;
    char wanted[PATH_MAX];
    struct stat st;

    assert_ok(up_paths_init(in_dir("deep/er"), NULL, &a, &why));
    snprintf(wanted, sizeof(wanted), "ipc://%s/control", in_dir("deep/er"));
    assert_string_equal(a.control, wanted);
    assert_int_equal(stat(in_dir("deep/er/models/identity/model.yaml"), &st), 0);
    assert_int_equal(stat(in_dir("deep/er"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_status(up_paths_init(in_dir("deep/er"), NULL, &b, &why), SL_EINVAL);
    assert_non_null(strstr(why.text, "another sluice up (pid "));
    up_paths_finish(&b);
    up_paths_finish(&a);
    assert_ok(up_paths_init(in_dir("deep/er"), dir, &b, &why));
    assert_string_equal(b.models, dir);
    up_paths_finish(&b);
    assert_int_not_equal(up_paths_init(in_dir("deep/er"), in_dir("absent"), &b, &why), SL_OK);
    up_paths_finish(&b);
}

static void a_running_one_is_found_by_its_address(void **state SL_UNUSED)
{
    struct up_paths p;
    struct sl_error why;
    char token[PATH_MAX];

    setenv("XDG_STATE_HOME", in_dir("xdg"), 1);
    assert_false(up_running_admin_token("127.0.0.1:8001", token)); /* nothing is there */
    assert_ok(up_paths_init(NULL, NULL, &p, &why));
    assert_ok(up_running_announce(p.state, "127.0.0.1:8001", &why));
    assert_false(up_running_admin_token("127.0.0.1:8001", token)); /* it has no token yet */
    write_text(p.admin_token, "sl_x\n");
    assert_true(up_running_admin_token("127.0.0.1:8001", token));
    assert_string_equal(token, p.admin_token);
    assert_false(up_running_admin_token("127.0.0.1:8002", token));
    assert_false(up_running_admin_token("127.0.0.1:800", token));
    up_running_withdraw(p.state);
    assert_false(up_running_admin_token("127.0.0.1:8001", token));
    assert_ok(up_running_announce(p.state, "127.0.0.1:8001", &why));
    up_paths_finish(&p); /* it ended without a word: whoever is at that address now is another */
    assert_false(up_running_admin_token("127.0.0.1:8001", token));
    assert_status(up_running_announce(in_dir("no/dir"), "x:1", &why), SL_EIO);
    unsetenv("XDG_STATE_HOME");
}

static void long_state_names_get_short_sockets(void **state SL_UNUSED)
{
    struct up_paths p;
    struct sl_error why;
    char name[101];

    memset(name, 'x', 100);
    name[100] = '\0';
    setenv("XDG_RUNTIME_DIR", dir, 1);
    assert_ok(up_paths_init(in_dir(name), NULL, &p, &why));
    assert_true(strlen(p.control) - strlen("ipc://") <= 100);
    assert_int_equal(strncmp(p.control + 6, dir, strlen(dir)), 0);
    up_paths_finish(&p);
    /* Somebody else could look into it: refused. */
    *strrchr(p.control, '/') = '\0';
    assert_int_equal(chmod(p.control + 6, 0755), 0);
    assert_status(up_paths_init(in_dir(name), NULL, &p, &why), SL_EINVAL);
    up_paths_finish(&p);
    unsetenv("XDG_RUNTIME_DIR");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        TEST(a_configuration_without_an_operators_file),
        TEST(an_operators_file_is_merged),
        TEST(mistakes_of_the_operator_are_named),
        TEST(pauses_grow_to_a_limit),
        TEST(ends_plan_the_next_start),
        TEST(a_child_gets_its_arguments),
        TEST(paths_are_made_and_locked),
        TEST(a_running_one_is_found_by_its_address),
        TEST(long_state_names_get_short_sockets),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
