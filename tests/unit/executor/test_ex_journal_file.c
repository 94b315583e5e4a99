/* test_ex_journal_file.c - the journal's file: made, found again, one owner, and what can be wrong with it. */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ex_journal_file.h"
#include "remove_tree.h"
#include "sl_test.h"

enum { MAX = 256 };

static char dir[64], state_dir[80], path[128];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/test_ex_journal_XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
    snprintf(path, sizeof(path), "%s/leases.journal", state_dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    remove_tree(dir);
    return 0;
}

static struct ex_journal *open_both(uint32_t max, struct ex_journal_file *f)
{
    struct ex_journal *j;
    struct sl_error err;
    assert_ok(ex_journal_file_open(state_dir, max, f, &err));
    assert_ok(ex_journal_file_journal(f, max, &j, &err));
    return j;
}

static void close_both(struct ex_journal *j, struct ex_journal_file *f)
{
    ex_journal_destroy(j);
    ex_journal_file_close(f);
}

static void run_one(struct ex_journal *j, sl_gpu_us held_us)
{
    ex_journal_began(j, &(struct ex_journal_start){.lease = 7, .call_id = "", .model = "m"});
    assert_int_not_equal(ex_journal_ended(j, 0, held_us, SL_REASON_OK), 0);
}

static void expect_refused(const char *said)
{
    struct ex_journal_file f;
    struct sl_error err;
    assert_status(ex_journal_file_open(state_dir, MAX, &f, &err), SL_EIO);
    if (!strstr(err.text, said))
        fail_msg("'%s' is not in: %s", said, err.text);
}

static void test_it_is_found_again(void **state)
{
    struct ex_journal_file f;
    struct ex_journal_totals t;
    struct sl_error err;
    struct stat st;
    (void)state;
    struct ex_journal *j = open_both(MAX, &f);
    const uint64_t id = ex_journal_totals(j).id;
    run_one(j, 1234);
    assert_ok(ex_journal_file_read(state_dir, &t, &err)); /* while it is open */
    assert_int_equal(t.held_us, 1234);
    close_both(j, &f);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true((size_t)st.st_blocks * 512 >= ex_journal_bytes(MAX)); /* the room is taken */
    j = open_both(2 * MAX, &f);                                       /* and it grows */
    t = ex_journal_totals(j);
    assert_true(t.id == id && t.leases == 1 && t.held_us == 1234 && t.unacknowledged == 1);
    close_both(j, &f);
    j = open_both(MAX, &f);
    assert_int_equal(f.bytes, ex_journal_bytes(2 * MAX));
    close_both(j, &f);
}

static void test_it_has_one_owner(void **state)
{
    struct ex_journal_file f;
    (void)state;
    struct ex_journal *j = open_both(MAX, &f);
    expect_refused("another executor has ");
    close_both(j, &f);
    close_both(open_both(MAX, &f), &f);
}

/* As when an executor is killed while it starts a worker: the child has the file until its exec. */
static void test_the_last_owners_child_is_waited_for(void **state)
{
    struct ex_journal_file f, again;
    struct ex_journal *j = open_both(MAX, &f);
    struct sl_error err;
    (void)state;
    const pid_t child = fork();
    if (child == 0) {
        usleep(300000);
        _exit(0);
    }
    assert_true(child > 0);
    close_both(j, &f);
    assert_ok(ex_journal_file_open(state_dir, MAX, &again, &err));
    ex_journal_file_close(&again);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_without_a_directory_it_is_memory(void **state)
{
    struct ex_journal_file f;
    struct ex_journal *j;
    struct sl_error err;
    (void)state;
    assert_ok(ex_journal_file_open("", MAX, &f, &err));
    assert_int_equal(f.fd, -1);
    assert_ok(ex_journal_file_journal(&f, MAX, &j, &err));
    run_one(j, 5);
    close_both(j, &f);
    ex_journal_file_close(&f); /* again is fine */
}

static void test_a_directory_that_cannot_be_made(void **state)
{
    (void)state;
    snprintf(state_dir, sizeof(state_dir), "%s/no/state", dir);
    expect_refused("cannot make the directory of ");
}

static void test_a_disk_without_room(void **state)
{
    const struct rlimit little = {4096, RLIM_INFINITY};
    struct rlimit before;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    expect_refused("no room for ");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

static void test_a_file_that_is_something_else(void **state)
{
    struct ex_journal_file f;
    struct ex_journal_totals t;
    struct ex_journal *j;
    struct sl_error err;
    (void)state;
    assert_status(ex_journal_file_read(state_dir, &t, &err), SL_EIO);
    assert_non_null(strstr(err.text, "cannot open "));
    assert_int_equal(mkdir(state_dir, 0700), 0);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs("leases: []\n", file);
    fclose(file);
    assert_ok(ex_journal_file_open(state_dir, MAX, &f, &err));
    assert_status(ex_journal_file_journal(&f, MAX, &j, &err), SL_EPROTO);
    assert_non_null(strstr(err.text, "is no journal of this version: move it away"));
    ex_journal_file_close(&f);
    assert_status(ex_journal_file_read(state_dir, &t, &err), SL_EPROTO);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/null", path), 0);
    expect_refused("cannot open "); /* a link is not followed */
}

#define file_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        file_test(test_it_is_found_again),
        file_test(test_it_has_one_owner),
        file_test(test_the_last_owners_child_is_waited_for),
        file_test(test_without_a_directory_it_is_memory),
        file_test(test_a_directory_that_cannot_be_made),
        file_test(test_a_disk_without_room),
        file_test(test_a_file_that_is_something_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
