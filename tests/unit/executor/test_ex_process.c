/* test_ex_process.c - the real sluice-executor with real workers, against a gateway made of two
 * sockets: what it does with calls, crashes, hangs, silence and signals. */
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate_rig.h"
#include "sl_test.h"

static const struct gate_model models[] = {
    {"echo", gate_echo_yaml}, {"fake", gate_fake_yaml}, {NULL, NULL}};

static struct gate gate;

static void start(const char *extra)
{
    gate_start(&gate, models, extra);
    gate_greet(&gate);
}

static uint8_t *random_bytes(size_t len)
{
    uint8_t *bytes = malloc(len);
    uint32_t x = 12345;
    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(x >> 24);
    }
    return bytes;
}

static void expect_success(uint64_t lease, const void *bytes, size_t len)
{
    const struct gate_event *e = gate_expect(&gate, GATE_RESULT, lease);
    if (e->reason[0])
        fail_msg("%s: %s", e->reason, e->text);
    assert_true(e->started);
    assert_int_equal(e->output_count, 1);
    assert_int_equal(e->payload_bytes, len);
    assert_int_equal(e->first_dim, len / 16);
    assert_memory_equal(e->payload, bytes, len);
}

/* Until its worker on slice 0 is ready: an idle slice takes the first call whose worker is, so a test
 * of order must not begin before. */
static void wait_until_fake_is_ready(void)
{
    static const float x[4] = {1, 2, 3, 4};
    const struct gate_call call = {.lease = 1000, .model = "fake", .bytes = x, .len = 16};
    gate_dispatch(&gate, &call);
    gate_expect(&gate, GATE_STARTED, 1000);
    expect_success(1000, x, 16);
}

static size_t open_descriptors(void)
{
    char path[64];
    size_t count = 0;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)gate.pid);
    DIR *d = opendir(path);
    assert_non_null(d);
    while (readdir(d))
        count++;
    closedir(d);
    return count;
}

/* What a dead worker had and what was lent to a call is closed in some later turn. */
static void expect_descriptors(size_t most)
{
    const int64_t end = gate_now_ms() + GATE_WAIT_MS;
    while (open_descriptors() > most && gate_now_ms() < end)
        gate_next(&gate, 5);
    assert_in_range(open_descriptors(), 1, most);
}

/* Waits until a call can be answered, that is, until the workers are back. */
static void expect_serving(uint64_t lease, uint32_t slice, const char *model)
{
    static const float ones[4] = {1, 1, 1, 1};
    const struct gate_call call = {
        .lease = lease, .slice = slice, .model = model, .bytes = ones, .len = sizeof(ones)};
    gate_dispatch(&gate, &call);
    gate_expect(&gate, GATE_STARTED, lease);
    expect_success(lease, ones, sizeof(ones));
}

/* ---- hello */

static void test_hello_names_models_and_their_problems(void **state)
{
    static const struct gate_model some[] = {
        {"bad", "engine: nothing\n"},
        {"broken", "engine: fake\nfake: {load_error: no weights here}\n" GATE_TENSORS},
        {"echo", gate_echo_yaml},
        {NULL, NULL}};
    (void)state;
    gate_start(&gate, some, "");
    gate_greet(&gate);
    assert_int_equal(gate.slice_count, 2);
    assert_int_equal(gate.model_count, 3);
    assert_string_equal(gate.model_names[0], "bad");
    assert_non_null(strstr(gate.model_problems[0], "model.yaml:1:"));
    assert_string_equal(gate.model_names[1], "broken");
    assert_non_null(strstr(gate.model_problems[1], "no weights here"));
    assert_string_equal(gate.model_names[2], "echo");
    assert_string_equal(gate.model_problems[2], "");
    const struct gate_call call = {.lease = 1, .model = "broken", .bytes = "", .len = 0};
    gate_dispatch(&gate, &call);
    assert_non_null(strstr(gate_expect(&gate, GATE_RETURNED, 1)->text, "no weights here"));
    expect_serving(2, 0, "echo");
    gate_finish(&gate);
}

static void test_a_late_model_is_announced_later(void **state)
{
    static const struct gate_model some[] = {
        {"echo", gate_echo_yaml},
        {"slow", "engine: fake\nfake: {load_delay: 1s}\n" GATE_TENSORS},
        {NULL, NULL}};
    (void)state;
    gate_start(&gate, some, "worker: {hello_wait: 0s, loading: 4}\n");
    gate_greet(&gate);
    while (gate.model_problems[1][0] != '\0') {
        assert_string_equal(gate.model_problems[1], "loading");
        gate_greet(&gate);
    }
    expect_serving(1, 0, "echo");
    gate_finish(&gate);
}

/* Models that take half a second to load, one after the other. */
#define SLOW_YAML "engine: fake\nfake: {load_delay: 500ms, result: copy}\n" GATE_TENSORS
static const struct gate_model slow_models[] = {
    {"a", SLOW_YAML}, {"b", SLOW_YAML}, {"c", SLOW_YAML}, {"d", SLOW_YAML}, {NULL, NULL}};

/* Each model serves before any has its second worker. */
static void test_hello_waits_for_one_worker_of_each_model(void **state)
{
    static const struct gate_model two[] = {{"a", SLOW_YAML}, {"b", SLOW_YAML}, {NULL, NULL}};
    pid_t pids[16];
    (void)state;
    gate_start(&gate, two, "slices: {cpu: 4}\nworker: {loading: 1}\n");
    gate_greet(&gate);
    assert_in_range(gate_workers(&gate, pids, 16), 2, 4); /* and perhaps those that come next */
    assert_string_equal(gate.model_problems[0], "");
    assert_string_equal(gate.model_problems[1], "");
    gate_finish(&gate);
}

static void test_a_worker_that_is_waited_for_comes_back_first(void **state)
{
    pid_t pids[16];
    (void)state;
    gate_start(&gate, slow_models, "slices: {cpu: 1}\nworker: {loading: 1}\n");
    gate_greet(&gate);
    expect_serving(1, 0, "d");
    const size_t count = gate_workers(&gate, pids, 16);
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++)
        kill(pids[i], SIGKILL);
    while (gate_is_alive(&gate, pids[3]))
        gate_next(&gate, 1);
    expect_serving(2, 0, "d");
    /* One may have been on its way before the call came, and one follows. */
    assert_in_range(gate_workers(&gate, pids, 16), 1, 3);
    gate_finish(&gate);
}

/* ---- calls */

static void test_calls_inline(void **state)
{
    uint8_t *bytes = random_bytes(GATE_INLINE_MAX);
    (void)state;
    start("");
    for (uint64_t lease = 1; lease <= 20; lease++) {
        const size_t len = lease * 1632 / 16 * 16;
        const struct gate_call call = {.lease = lease,
                                       .slice = (uint32_t)(lease % 2),
                                       .model = "echo",
                                       .bytes = bytes,
                                       .len = len};
        gate_dispatch(&gate, &call);
        gate_expect(&gate, GATE_STARTED, lease);
        expect_success(lease, bytes, len);
    }
    free(bytes);
    gate_finish(&gate);
}

static void test_an_empty_tensor(void **state)
{
    const struct gate_call call = {.lease = 1, .model = "echo", .bytes = "", .len = 0};
    (void)state;
    start("");
    gate_dispatch(&gate, &call);
    gate_expect(&gate, GATE_STARTED, 1);
    expect_success(1, "", 0);
    gate_finish(&gate);
}

/* Larger than the window in both directions, and some that end just after a chunk's edge. */
static void test_calls_by_bulk(void **state)
{
    static const size_t sizes[] = {GATE_INLINE_MAX + 16, (1 << 20) - 16, 1 << 20,
                                   (1 << 20) + 16,       5 << 20,        48 << 20};
    uint8_t *bytes = random_bytes(48 << 20);
    (void)state;
    start("");
    for (uint64_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const struct gate_call call = {
            .lease = i + 1, .slice = i % 2, .model = "echo", .bytes = bytes, .len = sizes[i]};
        gate_dispatch(&gate, &call);
        gate_expect(&gate, GATE_STARTED, i + 1);
        expect_success(i + 1, bytes, sizes[i]);
    }
    const size_t descriptors = open_descriptors();
    for (uint64_t lease = 10; lease < 30; lease++) {
        const struct gate_call call = {
            .lease = lease, .slice = 0, .model = "echo", .bytes = bytes, .len = 1 << 20};
        gate_dispatch(&gate, &call);
        gate_expect(&gate, GATE_STARTED, lease);
        expect_success(lease, bytes, 1 << 20);
    }
    gate_next(&gate, 200);
    expect_descriptors(descriptors);
    assert_int_equal(gate.bulk_acked, gate.bulk_sent);
    free(bytes);
    gate_finish(&gate);
}

static void test_chunks_may_come_before_their_call(void **state)
{
    uint8_t *bytes = random_bytes(3 << 20);
    (void)state;
    start("");
    for (size_t i = 0; i < 3; i++)
        gate_send_chunk(&gate, 7, i << 20, 3 << 20, bytes + (i << 20), 1 << 20);
    gate_next(&gate, 100);
    struct gate_call call = {.lease = 7, .model = "echo", .bytes = bytes, .len = 3 << 20};
    gate_dispatch(&gate, &call); /* sends the chunks once more: they are nobody's then */
    gate_expect(&gate, GATE_STARTED, 7);
    expect_success(7, bytes, 3 << 20);
    expect_serving(8, 0, "echo");
    free(bytes);
    gate_finish(&gate);
}

static void test_many_calls_in_one_batch_keep_their_order(void **state)
{
    enum { COUNT = 64 };
    float bytes[COUNT][4];
    struct gate_call calls[COUNT];
    (void)state;
    start("");
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < 4; k++)
            bytes[i][k] = (float)(i * 4 + k);
        calls[i] =
            (struct gate_call){.lease = i + 1, .model = "echo", .bytes = bytes[i], .len = 16};
    }
    gate_dispatch_many(&gate, calls, COUNT);
    for (uint64_t lease = 1; lease <= COUNT; lease++) {
        gate_expect(&gate, GATE_STARTED, lease);
        expect_success(lease, bytes[lease - 1], 16);
    }
    gate_finish(&gate);
}

static void test_models_take_turns_on_a_slice(void **state)
{
    static const float x[4] = {1, 2, 3, 4};
    (void)state;
    start("slices: {cpu: 1}\n");
    struct gate_call calls[9];
    for (size_t i = 0; i < 9; i++)
        calls[i] = (struct gate_call){.lease = i + 1,
                                      .model = i % 3 == 0 ? "fake" : "echo",
                                      .bytes = x,
                                      .len = 16,
                                      .run = "20ms"};
    gate_dispatch_many(&gate, calls, 9);
    for (uint64_t lease = 1; lease <= 9; lease++) {
        gate_expect(&gate, GATE_STARTED, lease);
        expect_success(lease, x, 16);
    }
    gate_finish(&gate);
}

static void test_wrong_calls_get_their_sentence(void **state)
{
    static const float x[4] = {1, 2, 3, 4};
    struct gate_call call = {.lease = 1, .model = "nobody", .bytes = x, .len = 16};
    (void)state;
    start("lease: {backlog: 2}\n");
    gate_dispatch(&gate, &call);
    assert_string_equal(gate_expect(&gate, GATE_RETURNED, 1)->reason, "MODEL_NOT_FOUND");
    call = (struct gate_call){.lease = 2, .slice = 9, .model = "echo", .bytes = x, .len = 16};
    gate_dispatch(&gate, &call);
    assert_non_null(strstr(gate_expect(&gate, GATE_RETURNED, 2)->text, "no slice 9"));
    call = (struct gate_call){.lease = 3, .model = "echo", .bytes = x, .len = 15};
    gate_dispatch(&gate, &call);
    assert_string_equal(gate_expect(&gate, GATE_RESULT, 3)->reason, "BAD_INPUT");
    for (uint64_t lease = 4; lease <= 7; lease++) {
        call = (struct gate_call){
            .lease = lease, .model = "fake", .bytes = x, .len = 16, .run = "100ms"};
        gate_dispatch(&gate, &call);
    }
    gate_expect(&gate, GATE_STARTED, 4);
    assert_string_equal(gate_expect(&gate, GATE_RETURNED, 7)->reason, "NO_CAPACITY");
    gate_finish(&gate); /* the others end in the drain */
}

/* ---- deaths */

static pid_t busy_worker(void)
{
    pid_t pids[16];
    char path[64], command[256];
    const size_t count = gate_workers(&gate, pids, 16);
    for (size_t i = 0; i < count; i++) {
        memset(command, 0, sizeof(command));
        snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pids[i]);
        FILE *f = fopen(path, "r");
        if (!f)
            continue;
        const size_t len = fread(command, 1, sizeof(command) - 1, f);
        fclose(f);
        if (memmem(command, len, "models/fake", 11) && memmem(command, len, "--slice-id\0000", 12))
            return pids[i];
    }
    fail_msg("no worker of fake on slice 0");
    return 0;
}

static void test_a_killed_worker_ends_only_its_own_call(void **state)
{
    static const float x[4] = {1, 2, 3, 4};
    struct gate_call calls[4];
    (void)state;
    start("");
    for (size_t i = 0; i < 4; i++)
        calls[i] = (struct gate_call){
            .lease = i + 1, .model = "fake", .bytes = x, .len = 16, .run = i == 0 ? "10s" : NULL};
    gate_dispatch_many(&gate, calls, 4);
    gate_expect(&gate, GATE_STARTED, 1);
    gate_next(&gate, 100);
    const int64_t killed_at = gate_now_ms();
    assert_int_equal(kill(busy_worker(), SIGKILL), 0);
    const struct gate_event *e = gate_expect(&gate, GATE_RESULT, 1);
    assert_string_equal(e->reason, "MODEL_ERROR");
    assert_non_null(strstr(e->text, "was killed by signal 9"));
    assert_true(e->started);
    assert_in_range(e->held_us, 50000, 5000000);
    for (uint64_t lease = 2; lease <= 4; lease++) {
        gate_expect(&gate, GATE_STARTED, lease);
        expect_success(lease, x, 16);
    }
    assert_in_range(gate_now_ms() - killed_at, 0, 2000);
    gate_finish(&gate);
}

/* ---- where it runs */

static cpu_set_t processors_of(pid_t pid)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(pid, sizeof(set), &set), 0);
    return set;
}

static bool is_everywhere(pid_t pid)
{
    const cpu_set_t here = processors_of(0), there = processors_of(pid);
    return CPU_EQUAL(&here, &there);
}

/* How many of the executor and its workers are on processor cpu alone. */
static size_t count_held(int cpu)
{
    pid_t pids[8] = {gate.pid};
    const size_t count = 1 + gate_workers(&gate, pids + 1, 7);
    size_t held = 0;
    for (size_t i = 0; i < count; i++) {
        const cpu_set_t set = processors_of(pids[i]);
        held += CPU_COUNT(&set) == 1 && CPU_ISSET((size_t)cpu, &set);
    }
    return held;
}

static int last_processor(void)
{
    const cpu_set_t set = processors_of(0);
    int cpu = CPU_SETSIZE - 1;
    while (!CPU_ISSET((size_t)cpu, &set))
        cpu--;
    return cpu;
}

static void call_with_hint(uint64_t lease, uint32_t cpu_hint)
{
    static const float x[4] = {1, 2, 3, 4};
    const struct gate_call call = {
        .lease = lease, .model = "echo", .bytes = x, .len = 16, .cpu_hint = cpu_hint};
    gate_dispatch(&gate, &call);
    gate_expect(&gate, GATE_STARTED, lease);
    expect_success(lease, x, 16);
}

static void start_for_hints(void)
{
    const cpu_set_t set = processors_of(0);
    if (CPU_COUNT(&set) < 2)
        skip();
    start("");
    expect_serving(1, 0, "echo");
    assert_int_equal(count_held(last_processor()), 0);
}

static pid_t held_worker(int cpu)
{
    pid_t pids[8];
    const size_t count = gate_workers(&gate, pids, 8);
    for (size_t i = 0; i < count; i++) {
        const cpu_set_t set = processors_of(pids[i]);
        if (CPU_COUNT(&set) == 1 && CPU_ISSET((size_t)cpu, &set))
            return pids[i];
    }
    fail_msg("no worker is held to processor %d", cpu);
    return 0;
}

static void test_a_call_may_ask_for_a_processor(void **state)
{
    const int cpu = last_processor();
    (void)state;
    start_for_hints();
    call_with_hint(2, (uint32_t)cpu + 1);
    assert_int_equal(count_held(cpu), 2); /* the node, and the worker that served */
    assert_int_equal(kill(held_worker(cpu), SIGKILL), 0);
    call_with_hint(3, (uint32_t)cpu + 1); /* served by its successor, started by a held thread */
    assert_int_equal(count_held(cpu), 2);
    call_with_hint(4, 0);
    assert_int_equal(count_held(cpu), 0);
    assert_true(is_everywhere(gate.pid));
    call_with_hint(5, CPU_SETSIZE + 1); /* no such processor: as if nothing had been said */
    assert_int_equal(count_held(cpu), 0);
    gate_finish(&gate);
}

static void test_what_was_held_is_let_go_when_no_call_comes(void **state)
{
    const int cpu = last_processor();
    (void)state;
    start_for_hints();
    call_with_hint(2, (uint32_t)cpu + 1);
    assert_int_equal(count_held(cpu), 2);
    const int64_t end = gate_now_ms() + GATE_WAIT_MS;
    while (count_held(cpu) > 0 && gate_now_ms() < end)
        assert_int_equal(gate_next(&gate, 100)->kind, GATE_NOTHING);
    assert_int_equal(count_held(cpu), 0);
    gate_finish(&gate);
}

/* ---- ends of workers */

static void test_crashes_of_every_kind_are_named(void **state)
{
    static const float x[4] = {1, 2, 3, 4};
    static const char *const kinds[] = {"segv", "abort", "exit", "kill"};
    static const char *const texts[] = {"signal 11", "signal 6", "exit code 3", "signal 9"};
    size_t descriptors = 0;
    (void)state;
    start("");
    for (uint64_t i = 0; i < 8; i++) {
        const struct gate_call call = {
            .lease = i + 1, .model = "fake", .bytes = x, .len = 16, .crash = kinds[i % 4]};
        gate_dispatch(&gate, &call);
        gate_expect(&gate, GATE_STARTED, i + 1);
        const struct gate_event *e = gate_expect(&gate, GATE_RESULT, i + 1);
        assert_string_equal(e->reason, "MODEL_ERROR");
        assert_non_null(strstr(e->text, texts[i % 4]));
        expect_serving(100 + i, 0, "fake");
        if (i == 0)
            descriptors = open_descriptors();
    }
    expect_descriptors(descriptors);
    gate_finish(&gate);
}

static void test_a_call_over_its_limit_is_ended(void **state)
{
    static const float x[4] = {1, 2, 3, 4};
    const struct gate_call calls[] = {
        {.lease = 1, .model = "fake", .limit_us = 300000, .bytes = x, .len = 16, .hang = true},
        {.lease = 2, .model = "fake", .limit_us = 300000, .bytes = x, .len = 16}};
    (void)state;
    start("");
    gate_dispatch_many(&gate, calls, 2);
    gate_expect(&gate, GATE_STARTED, 1);
    const struct gate_event *e = gate_expect(&gate, GATE_RESULT, 1);
    assert_string_equal(e->reason, "DURATION_EXCEEDED");
    assert_string_equal(e->text, "Duration exceeded: the call used its 300ms");
    assert_true(e->started);
    assert_in_range(e->held_us, 300000, 600000);
    gate_expect(&gate, GATE_STARTED, 2);
    expect_success(2, x, 16);
    gate_finish(&gate);
}

static void test_cancel_before_and_after_the_start(void **state)
{
    static const float x[4] = {1, 2, 3, 4};
    const struct gate_call calls[] = {
        {.lease = 1, .model = "fake", .bytes = x, .len = 16, .hang = true},
        {.lease = 2, .model = "fake", .bytes = x, .len = 16},
        {.lease = 3, .model = "echo", .bytes = x, .len = 16},
        {.lease = 4, .model = "fake", .bytes = x, .len = 16}};
    (void)state;
    start("");
    wait_until_fake_is_ready();
    gate_dispatch_many(&gate, calls, 4);
    gate_expect(&gate, GATE_STARTED, 1);
    for (uint64_t lease = 2; lease <= 3; lease++) { /* one lies in the ring, one in the line */
        gate_cancel(&gate, lease);
        const struct gate_event *e = gate_expect(&gate, GATE_RESULT, lease);
        assert_string_equal(e->reason, "CANCELLED");
        assert_false(e->started);
        assert_int_equal(e->held_us, 0);
    }
    const int64_t cancelled_at = gate_now_ms();
    gate_cancel(&gate, 1); /* a second of grace, for a model that does not listen */
    const struct gate_event *e = gate_expect(&gate, GATE_RESULT, 1);
    assert_in_range(gate_now_ms() - cancelled_at, 700, 1500);
    assert_string_equal(e->reason, "CANCELLED");
    assert_true(e->started);
    gate_expect(&gate, GATE_STARTED, 4);
    expect_success(4, x, 16);
    gate_finish(&gate);
}

/* Calls of all kinds, workers killed under them, some cancelled: each one ends exactly once, and what
 * the executor holds does not grow. */
struct storm {
    unsigned ends[3001]; /* by lease */
    unsigned open[2];    /* by slice */
    unsigned open_count, crashed, succeeded;
};

static void storm_take(struct storm *s, const struct gate_event *e)
{
    if (e->kind != GATE_RESULT && e->kind != GATE_RETURNED)
        return;
    assert_in_range(e->lease, 1, 3000);
    assert_int_equal(s->ends[e->lease]++, 0);
    s->open[e->lease % 2]--;
    s->open_count--;
    s->crashed += strcmp(e->reason, "MODEL_ERROR") == 0;
    s->succeeded += e->kind == GATE_RESULT && e->reason[0] == '\0';
}

/* On a busy machine a worker can have been killed so often that calls for it come back for a while. */
static void expect_serving_again(uint64_t lease, uint32_t slice, const char *model)
{
    static const float ones[4] = {1, 1, 1, 1};
    const uint64_t last = lease + 50;
    const struct gate_event *e;
    do {
        assert_true(lease < last);
        const struct gate_call call = {
            .lease = lease, .slice = slice, .model = model, .bytes = ones, .len = sizeof(ones)};
        gate_dispatch(&gate, &call);
        while ((e = gate_next(&gate, -1))->lease != lease || e->kind == GATE_STARTED)
            ;
        if (e->kind == GATE_RETURNED)
            usleep(100000);
        lease++;
    } while (e->kind == GATE_RETURNED);
    assert_int_equal(e->kind, GATE_RESULT);
    assert_string_equal(e->reason, "");
}

static void kill_one_worker(unsigned which)
{
    pid_t pids[16];
    const size_t count = gate_workers(&gate, pids, 16);
    if (count > 0)
        kill(pids[which % count], SIGKILL);
}

static void storm_call(struct storm *s, uint64_t lease, const uint8_t *bytes)
{
    const struct gate_call call = {.lease = lease,
                                   .slice = (uint32_t)(lease % 2),
                                   .model = lease % 3 ? "echo" : "fake",
                                   .bytes = bytes,
                                   .len = lease % 50 == 0 ? 100000 : 64,
                                   .run = lease % 3 ? NULL : "1ms",
                                   .crash = lease % 300 == 0 ? "segv" : NULL};
    gate_dispatch(&gate, &call);
    s->open[lease % 2]++;
    s->open_count++;
    if (lease % 17 == 0)
        gate_cancel(&gate, lease);
}

static void test_a_storm(void **state)
{
    static struct storm s;
    uint8_t *bytes = random_bytes(1 << 20);
    int64_t kill_at = gate_now_ms() + 100;
    unsigned kills = 0;
    (void)state;
    start("");
    const size_t descriptors = open_descriptors();
    const int64_t end = gate_now_ms() + 3 * GATE_WAIT_MS;
    memset(&s, 0, sizeof(s));
    for (uint64_t lease = 1; lease <= 3000 || s.open_count > 0;) {
        assert_true(gate_now_ms() < end);
        while (lease <= 3000 && s.open[lease % 2] < 20)
            storm_call(&s, lease++, bytes);
        storm_take(&s, gate_next(&gate, 5));
        while (gate.taken < gate.queued)
            storm_take(&s, gate_next(&gate, 0));
        if (kills < 25 && gate_now_ms() >= kill_at) { /* they come back more and more slowly */
            kills++;
            kill_one_worker((unsigned)lease);
            kill_at = gate_now_ms() + 30;
        }
    }
    for (size_t lease = 1; lease <= 3000; lease++)
        assert_int_equal(s.ends[lease], 1);
    assert_true(s.crashed > 0);
    assert_true(s.succeeded > 2000);
    for (uint64_t i = 0; i < 4; i++)
        expect_serving_again(5000 + 100 * i, i % 2, i / 2 ? "echo" : "fake");
    expect_descriptors(descriptors + 2);
    free(bytes);
    gate_finish(&gate);
}

/* ---- the gateway's end */

static void test_a_silent_gateway_is_left(void **state)
{
    static const float x[4] = {1, 2, 3, 4};
    const struct gate_call call = {
        .lease = 1, .model = "fake", .bytes = x, .len = 16, .hang = true};
    (void)state;
    gate_start(&gate, models, "lease: {cancel_grace: 100ms}\n");
    gate.lost_after_ms = 300;
    gate_greet(&gate);
    gate_dispatch(&gate, &call);
    gate_expect(&gate, GATE_STARTED, 1);
    const uint64_t first = gate.session;
    gate.is_silent = true;
    while (gate_next(&gate, -1)->kind != GATE_HELLO)
        ;
    assert_true(gate.session != first);
    gate.is_silent = false;
    gate.taken = gate.queued = 0;
    gate_finish(&gate);
}

static void test_a_refused_node_asks_again(void **state)
{
    Sluice__Node__V1__GatewayBatch batch = SLUICE__NODE__V1__GATEWAY_BATCH__INIT;
    Sluice__Node__V1__Refuse refuse = SLUICE__NODE__V1__REFUSE__INIT;
    uint8_t bytes[200];
    (void)state;
    gate_start(&gate, models, "");
    gate_expect(&gate, GATE_HELLO, 0);
    const uint64_t first = gate.session;
    refuse.text = (char *)(uintptr_t) "not today";
    batch.session = gate.session;
    batch.refuse = &refuse;
    gate_send_raw(&gate, bytes, sluice__node__v1__gateway_batch__pack(&batch, bytes));
    gate_greet(&gate);
    assert_true(gate.session != first);
    expect_serving(1, 0, "echo");
    gate_finish(&gate);
}

static void test_a_node_that_was_lost_without_knowing_it_greets_again_at_once(void **state)
{
    Sluice__Node__V1__GatewayBatch batch = SLUICE__NODE__V1__GATEWAY_BATCH__INIT;
    Sluice__Node__V1__Refuse refuse = SLUICE__NODE__V1__REFUSE__INIT;
    uint8_t bytes[200];
    (void)state;
    start("");
    const uint64_t first = gate.session;
    refuse.text = (char *)(uintptr_t) "who are you?";
    refuse.greet_again = true;
    batch.session = gate.session;
    batch.refuse = &refuse;
    const int64_t refused_at = gate_now_ms();
    gate_send_raw(&gate, bytes, sluice__node__v1__gateway_batch__pack(&batch, bytes));
    gate_greet(&gate);
    assert_true(gate.session != first);
    assert_in_range(gate_now_ms() - refused_at, 0, 1500); /* a refused node would wait for 3 s */
    expect_serving(1, 0, "echo");
    gate_finish(&gate);
}

static void test_noise_is_dropped(void **state)
{
    uint8_t *bytes = random_bytes(1000);
    (void)state;
    start("");
    for (size_t len = 0; len < 1000; len += 37)
        gate_send_raw(&gate, bytes, len);
    gate_send_chunk(&gate, 5, 0, 16, bytes, 1000);
    gate_send_chunk(&gate, 5, UINT64_MAX, UINT64_MAX, bytes, 1);
    gate_cancel(&gate, 99);
    expect_serving(1, 0, "echo");
    struct gate_call call = {.lease = 6, .model = "echo", .bytes = bytes, .len = 640};
    Sluice__Node__V1__GatewayBatch other = SLUICE__NODE__V1__GATEWAY_BATCH__INIT;
    other.session = gate.session + 1;
    gate_send_raw(&gate, bytes, sluice__node__v1__gateway_batch__pack(&other, bytes));
    gate_dispatch(&gate, &call);
    gate_expect(&gate, GATE_STARTED, 6);
    expect_success(6, bytes, 640);
    free(bytes);
    gate_finish(&gate);
}

/* ---- signals */

static void test_sigterm_finishes_what_was_accepted(void **state)
{
    static const float x[4] = {1, 2, 3, 4};
    const struct gate_call calls[] = {
        {.lease = 1, .model = "fake", .bytes = x, .len = 16, .run = "1500ms"},
        {.lease = 2, .model = "fake", .bytes = x, .len = 16},
        {.lease = 3, .model = "echo", .bytes = x, .len = 16}};
    (void)state;
    start("");
    wait_until_fake_is_ready();
    gate_dispatch_many(&gate, calls, 3);
    gate_expect(&gate, GATE_STARTED, 1);
    kill(gate.pid, SIGTERM);
    gate_next(&gate, 50);
    assert_true(gate.is_draining);
    const struct gate_call late = {.lease = 4, .model = "echo", .bytes = x, .len = 16};
    gate_dispatch(&gate, &late);
    assert_string_equal(gate_expect(&gate, GATE_RETURNED, 4)->reason, "DRAINING");
    expect_success(1, x, 16);
    for (uint64_t lease = 2; lease <= 3; lease++) {
        gate_expect(&gate, GATE_STARTED, lease);
        expect_success(lease, x, 16);
    }
    const int status = gate_wait_end(&gate);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    gate_finish(&gate);
}

static void test_a_second_sigterm_ends_at_once(void **state)
{
    static const float x[4] = {1, 2, 3, 4};
    const struct gate_call calls[] = {
        {.lease = 1, .model = "fake", .bytes = x, .len = 16, .hang = true, .limit_us = 60000000},
        {.lease = 2, .model = "echo", .bytes = x, .len = 16}};
    (void)state;
    start("");
    wait_until_fake_is_ready();
    gate_dispatch_many(&gate, calls, 2);
    gate_expect(&gate, GATE_STARTED, 1);
    kill(gate.pid, SIGTERM);
    gate_next(&gate, 100);
    const int64_t at = gate_now_ms();
    kill(gate.pid, SIGTERM);
    for (int i = 0; i < 2; i++) { /* in either order */
        const struct gate_event *e = gate_next(&gate, -1);
        assert_string_equal(e->reason, e->lease == 1 ? "EXECUTOR_LOST" : "DRAINING");
        assert_int_equal(e->kind, e->lease == 1 ? GATE_RESULT : GATE_RETURNED);
    }
    const int status = gate_wait_end(&gate);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_in_range(gate_now_ms() - at, 0, 2000);
    gate_finish(&gate);
}

static void test_workers_die_with_a_killed_executor(void **state)
{
    pid_t pids[16];
    (void)state;
    start("");
    const size_t count = gate_workers(&gate, pids, 16);
    assert_int_equal(count, 4);
    kill(gate.pid, SIGKILL);
    gate_wait_end(&gate);
    for (size_t i = 0; i < count; i++) {
        for (const int64_t end = gate_now_ms() + GATE_WAIT_MS; gate_is_alive(&gate, pids[i]);) {
            assert_true(gate_now_ms() < end);
            gate_next(&gate, 5);
        }
    }
    gate_finish(&gate);
}

/* After a failed test: nothing of it stays behind. */
static int end_executor(void **state)
{
    (void)state;
    if (gate.pid != 0) {
        kill(gate.pid, SIGKILL);
        waitpid(gate.pid, NULL, 0);
        gate.pid = 0;
    }
    return 0;
}

#define process_test(f) cmocka_unit_test_teardown(f, end_executor)

int main(void)
{
    const struct CMUnitTest tests[] = {
        process_test(test_hello_names_models_and_their_problems),
        process_test(test_a_late_model_is_announced_later),
        process_test(test_hello_waits_for_one_worker_of_each_model),
        process_test(test_a_worker_that_is_waited_for_comes_back_first),
        process_test(test_calls_inline),
        process_test(test_an_empty_tensor),
        process_test(test_calls_by_bulk),
        process_test(test_chunks_may_come_before_their_call),
        process_test(test_many_calls_in_one_batch_keep_their_order),
        process_test(test_models_take_turns_on_a_slice),
        process_test(test_wrong_calls_get_their_sentence),
        process_test(test_a_killed_worker_ends_only_its_own_call),
        process_test(test_a_call_may_ask_for_a_processor),
        process_test(test_what_was_held_is_let_go_when_no_call_comes),
        process_test(test_crashes_of_every_kind_are_named),
        process_test(test_a_call_over_its_limit_is_ended),
        process_test(test_cancel_before_and_after_the_start),
        process_test(test_a_storm),
        process_test(test_a_silent_gateway_is_left),
        process_test(test_a_refused_node_asks_again),
        process_test(test_a_node_that_was_lost_without_knowing_it_greets_again_at_once),
        process_test(test_noise_is_dropped),
        process_test(test_sigterm_finishes_what_was_accepted),
        process_test(test_a_second_sigterm_ends_at_once),
        process_test(test_workers_die_with_a_killed_executor),
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
