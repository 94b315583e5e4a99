/* bench_ex_worker.c - what a call costs between supervisor and worker, with engine identity.
 *
 *   build/release/tests/bench_ex_worker [SCALE]
 *
 * SCALE multiplies the number of calls; 1 takes some seconds. Without it a short run shows that the
 * bench itself works. Each line: calls per second, and how long one call took from its writing to
 * its result.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "sl_base.h"
#include "sl_memfd.h"
#include "sl_test.h"
#include "worker_rig.h"

enum { LARGE_BYTES = 16 << 20, LARGE_CALLS = 50, DEPTH_MAX = 64 };

static const char identity[] = "engine: identity\n"
                               "inputs: [{name: IN, datatype: UINT8, shape: [-1]}]\n"
                               "outputs: [{name: OUT, datatype: UINT8, shape: [-1]}]\n";

struct load {
    size_t bytes;
    size_t depth; /* calls under way */
    size_t calls;
};

static const struct load loads[] = {
    {100, 1, 50000}, {100, 16, 500000}, {100, 64, 2000000}, {2048, 64, 1000000}, {40000, 4, 50000},
};

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *x, const void *y)
{
    const double a = *(const double *)x;
    const double b = *(const double *)y;
    return (a > b) - (a < b);
}

static void print(const char *what, size_t bytes, size_t depth, size_t calls, double took_us,
                  double *latencies_us)
{
    qsort(latencies_us, calls, sizeof(*latencies_us), compare);
    printf("%s %9zu bytes, %2zu under way: %9.0f calls/s, p50 %8.1f us, p99 %8.1f us\n", what,
           bytes, depth, (double)calls / took_us * 1e6, latencies_us[calls / 2],
           latencies_us[calls * 99 / 100]);
}

/* ---- in the rings */

static void take_one(struct rig *r, size_t bytes)
{
    struct ex_result result;
    assert_true(rig_next(r, &result));
    assert_int_equal(result.reason, SL_REASON_OK);
    assert_int_equal(result.outputs[0].bytes, bytes);
}

static void run_load(struct rig *r, const struct load *load, size_t calls)
{
    static uint8_t bytes[64 << 10];
    double *latencies_us = malloc(calls * sizeof(*latencies_us));
    double sent_us[DEPTH_MAX];
    size_t in = 0;
    const double start = now_us();
    assert_non_null(latencies_us);
    for (size_t out = 0; out < calls;) {
        for (const double at = now_us(); in < calls && in - out < load->depth; in++) {
            rig_put(r, bytes, load->bytes, NULL, 0);
            sent_us[in % DEPTH_MAX] = at;
        }
        rig_publish(r);
        /* Half of them, so that the worker has something to do while this side fills up. */
        for (size_t n = (in - out + 1) / 2; n > 0; n--, out++) {
            take_one(r, load->bytes);
            latencies_us[out] = now_us() - sent_us[out % DEPTH_MAX];
        }
    }
    print("rings   ", load->bytes, load->depth, calls, now_us() - start, latencies_us);
    free(latencies_us);
}

/* ---- in segments, fresh for each call */

static uint32_t pass_segment(struct rig *r, uint32_t number, const uint8_t *bytes)
{
    int fd;
    int read_only;
    void *map;
    assert_ok(sl_memfd_create("bench", LARGE_BYTES, &fd, &map));
    memcpy(map, bytes, LARGE_BYTES);
    assert_ok(sl_memfd_reopen_read_only(fd, &read_only));
    assert_ok(sl_memfd_freeze(fd, map, LARGE_BYTES));
    assert_ok(ex_worker_send_segment(r->channel.control, number, read_only, LARGE_BYTES));
    close(read_only);
    close(fd);
    return number;
}

static void call_with_segment(struct rig *r, uint32_t number, const uint8_t *bytes)
{
    const int64_t dims[1] = {LARGE_BYTES};
    struct ex_job job = {.wanted = 1, .call_id = "bench", .input_count = 1};
    struct ex_record_tensor input = {
        .bytes = LARGE_BYTES, .segment = pass_segment(r, number, bytes), .rank = 1, .dims = dims};
    struct ex_worker_message m;
    rig_put_job(r, &job, &input, NULL);
    rig_publish(r);
    take_one(r, LARGE_BYTES);
    if (ex_worker_receive(r->channel.control, &m) == SL_OK)
        close(m.fd); /* the first result's segment serves the others too */
    assert_ok(ex_worker_send(
        r->channel.control,
        &(struct ex_worker_message){.kind = EX_WORKER_FORGET, .segment = number, .fd = -1}));
}

static void run_large(struct rig *r, size_t calls)
{
    double *latencies_us = malloc(calls * sizeof(*latencies_us));
    uint8_t *bytes = calloc(1, LARGE_BYTES);
    const double start = now_us();
    assert_non_null(latencies_us);
    assert_non_null(bytes);
    for (size_t i = 0; i < calls; i++) {
        const double at = now_us();
        call_with_segment(r, (uint32_t)i + 1, bytes);
        latencies_us[i] = now_us() - at;
    }
    print("segments", LARGE_BYTES, 1, calls, now_us() - start, latencies_us);
    free(latencies_us);
    free(bytes);
}

/* ---- all */

static double scale = 0.01;

static size_t scaled(size_t calls)
{
    const size_t n = (size_t)((double)calls * scale);
    return n > 0 ? n : 1;
}

static void calls_and_their_cost(void **state SL_UNUSED)
{
    struct rig r;
    rig_start_loaded(&r, identity);
    for (size_t i = 0; i < SL_ARRAY_LEN(loads); i++)
        run_load(&r, &loads[i], scaled(loads[i].calls));
    run_large(&r, scaled(LARGE_CALLS));
    rig_finish(&r);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(calls_and_their_cost)};
    if (argc > 1)
        scale = strtod(argv[1], NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
