/* test_gw_results.c - digests and files of kept results on a real loop, a real pool and a real directory: what is written is
 * read, nothing has a name or outlives its use, and what the disk refuses is told. */
#include "gw_results.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "sl_log.h"
#include "sl_test.h"

static uv_loop_t loop;
static struct gw_results results;
static struct gw_results_port port;
static char state[64], dir[80];

/* What was told last. */
static struct told {
    unsigned count;
    uint64_t ticket;
    void *user;
    sl_status outcome;
    uint8_t digest[GW_IDEM_DIGEST_BYTES];
} told;

static void on_digest(void *ctx SL_UNUSED, uint64_t ticket, sl_status outcome,
                      const uint8_t digest[GW_IDEM_DIGEST_BYTES])
{
    told.count++;
    told.ticket = ticket;
    told.outcome = outcome;
    memcpy(told.digest, digest, sizeof told.digest);
}

static void on_file(void *ctx SL_UNUSED, void *user, sl_status outcome)
{
    told.count++;
    told.user = user;
    told.outcome = outcome;
}

static void wait(void)
{
    const struct gw_results_listener l = {NULL, on_digest, on_file, on_file};
    while (results.under_way > 0)
        uv_run(&loop, UV_RUN_ONCE);
    gw_results_take(&results, &l);
    assert_true(gw_results_is_idle(&results));
}

static void must_run(const char *format)
{
    char command[256];
    snprintf(command, sizeof command, format, state, state);
    assert_int_equal(system(command), 0);
}

static sl_status open_results(const char *where)
{
    struct sl_error err;
    sl_status s = gw_results_open(&results, &loop, where, &err);
    port = gw_results_port(&results);
    return s;
}

static int begin(void **test SL_UNUSED)
{
    snprintf(state, sizeof state, "/tmp/test_gw_results.XXXXXX");
    assert_non_null(mkdtemp(state));
    snprintf(dir, sizeof dir, "%s/results", state);
    assert_int_equal(uv_loop_init(&loop), 0);
    told = (struct told){.count = 0};
    assert_ok(open_results(state));
    return 0;
}

static int end(void **test SL_UNUSED)
{
    wait();
    gw_results_close(&results);
    assert_int_equal(uv_loop_close(&loop), 0);
    must_run("rm -r '%s'");
    return 0;
}

static size_t names_in(const char *folder)
{
    size_t count = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(d);
    return count;
}

static size_t open_files(void)
{
    return names_in("/proc/self/fd");
}

/* ---- digests */

/* "a" a million times: FIPS 180-2, B.3. */
static void a_large_digest_comes_later(void **test SL_UNUSED)
{
    static const uint8_t wanted[GW_IDEM_DIGEST_BYTES] = {
        0xcd, 0xc7, 0x6e, 0x5c, 0x99, 0x14, 0xfb, 0x92, 0x81, 0xa1, 0xc7,
        0xe2, 0x84, 0xd7, 0x3e, 0x67, 0xf1, 0x80, 0x9a, 0x48, 0xa4, 0x97,
        0x20, 0x0e, 0x04, 0x6d, 0x39, 0xcc, 0xc7, 0x11, 0x2c, 0xd0};
    uint8_t sum[GW_IDEM_DIGEST_BYTES];
    struct gw_body *body = gw_body_create(&sl_alloc_malloc, 999999);
    assert_non_null(body);
    memset(body->data, 'a', body->len);
    assert_status(port.digest(port.ctx, sl_span_str("a"), body, 7, sum), SL_EAGAIN);
    assert_int_equal(atomic_load(&body->references), 2);
    assert_false(gw_results_is_idle(&results));
    wait();
    assert_int_equal(atomic_load(&body->references), 1);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.ticket, 7);
    assert_ok(told.outcome);
    assert_memory_equal(told.digest, wanted, sizeof wanted);
    gw_body_release(body);
}

/* "abc": B.1. */
static void a_small_digest_is_there_at_once(void **test SL_UNUSED)
{
    static const uint8_t wanted[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
    uint8_t sum[GW_IDEM_DIGEST_BYTES];
    struct gw_body *body = gw_body_create(&sl_alloc_malloc, 1);
    assert_non_null(body);
    body->data[0] = 'c';
    assert_ok(port.digest(port.ctx, sl_span_str("ab"), body, 7, sum));
    assert_memory_equal(sum, wanted, sizeof wanted);
    assert_true(gw_results_is_idle(&results));
    gw_body_release(body);
}

/* ---- files */

static uint8_t *some_bytes(size_t len)
{
    uint8_t *bytes = malloc(len);
    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 4096);
    return bytes;
}

/* In two pieces; how it went. */
static sl_status write_file(const uint8_t *bytes, size_t len, struct gw_spool_file **out)
{
    const struct sl_span pieces[] = {sl_span_of(bytes, 10), sl_span_of(bytes + 10, len - 10)};
    told.count = 0;
    assert_ok(port.spool(port.ctx, pieces, 2, &told, out));
    wait();
    assert_int_equal(told.count, 1);
    assert_ptr_equal(told.user, &told);
    return told.outcome;
}

static sl_status read_file(struct gw_spool_file *file, uint8_t *into, size_t len)
{
    told.count = 0;
    assert_ok(port.fetch(port.ctx, file, into, len, &told));
    wait();
    assert_int_equal(told.count, 1);
    return told.outcome;
}

static void drop(struct gw_spool_file *file)
{
    port.drop(port.ctx, file);
    wait();
}

static void what_is_written_is_read(void **test SL_UNUSED)
{
    enum { LEN = 3000000 };
    struct gw_spool_file *file;
    struct stat s;
    uint8_t *bytes = some_bytes(LEN), *read = some_bytes(LEN);
    memset(read, 0, LEN);
    size_t before = open_files();
    assert_ok(write_file(bytes, LEN, &file));
    assert_int_equal(open_files(), before + 1);
    assert_int_equal(names_in(dir), 0); /* it has no name */
    assert_int_equal(stat(dir, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0700);
    for (int i = 0; i < 2; i++) {
        assert_ok(read_file(file, read, LEN));
        assert_memory_equal(read, bytes, LEN);
    }
    drop(file);
    assert_int_equal(open_files(), before);
    free(read);
    free(bytes);
}

static void there_are_so_many(void **test SL_UNUSED)
{
    static struct gw_spool_file *files[GW_RESULTS_FILES_MAX];
    struct gw_spool_file *more;
    struct rlimit was;
    uint8_t bytes[11] = {0};
    const struct sl_span piece = sl_span_of(bytes, sizeof bytes);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    const struct rlimit most = {was.rlim_max, was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &most), 0);
    for (size_t i = 0; i < GW_RESULTS_FILES_MAX; i++)
        assert_ok(port.spool(port.ctx, &piece, 1, NULL, &files[i]));
    assert_status(port.spool(port.ctx, &piece, 1, NULL, &more), SL_EFULL);
    wait();
    drop(files[0]);
    assert_ok(port.spool(port.ctx, &piece, 1, NULL, &files[0]));
    wait();
    for (size_t i = 0; i < GW_RESULTS_FILES_MAX; i++)
        port.drop(port.ctx, files[i]);
    wait();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
}

static void what_the_disk_refuses_is_told(void **test SL_UNUSED)
{
    enum { LEN = 200000 };
    struct gw_spool_file *file;
    struct rlimit was;
    uint8_t *bytes = some_bytes(LEN);
    size_t before = open_files();
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    const struct rlimit small = {LEN / 2, was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_status(write_file(bytes, LEN, &file), SL_EIO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    drop(file);
    must_run("rm -r '%s/results'"); /* then there is no place at all */
    assert_status(write_file(bytes, LEN, &file), SL_EIO);
    drop(file);
    assert_int_equal(open_files(), before);
    free(bytes);
}

static void a_short_file_is_no_result(void **test SL_UNUSED)
{
    struct gw_spool_file *file;
    uint8_t bytes[64] = {1};
    assert_ok(write_file(bytes, 63, &file));
    assert_status(read_file(file, bytes, 64), SL_EIO);
    drop(file);
}

static void what_a_crash_left_is_swept(void **test SL_UNUSED)
{
    gw_results_close(&results);
    must_run("touch '%s/results/result.abc123' '%s/results/mine'");
    assert_ok(open_results(state));
    assert_int_equal(names_in(dir), 1);
}

static void it_needs_a_directory(void **test SL_UNUSED)
{
    gw_results_close(&results);
    assert_ok(open_results(""));
    assert_null(port.spool);
    gw_results_close(&results);
    assert_status(open_results("/proc/nowhere"), SL_EIO);
}

#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    sl_log_set_level(SL_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        WITH_LOOP(a_large_digest_comes_later),    WITH_LOOP(a_small_digest_is_there_at_once),
        WITH_LOOP(what_is_written_is_read),       WITH_LOOP(there_are_so_many),
        WITH_LOOP(what_the_disk_refuses_is_told), WITH_LOOP(a_short_file_is_no_result),
        WITH_LOOP(what_a_crash_left_is_swept),    WITH_LOOP(it_needs_a_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
