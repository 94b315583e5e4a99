/* test_ex_worker.c - the real sluice-worker over real rings, segments and signals. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "remove_tree.h"
#include "sl_base.h"
#include "sl_memfd.h"
#include "sl_rng.h"
#include "sl_shm_peer.h"
#include "sl_test.h"
#include "worker_rig.h"

static const char identity[] = "engine: identity\n"
                               "inputs: [{name: IN, datatype: UINT8, shape: [-1]}]\n"
                               "outputs: [{name: OUT, datatype: UINT8, shape: [-1]}]\n";
static const char fake[] = "engine: fake\n"
                           "inputs: [{name: IN, datatype: UINT8, shape: [-1]}]\n"
                           "outputs: [{name: OUT, datatype: UINT8, shape: [-1]}]\n"
                           "fake: {result: copy}\n";

static struct ex_param text_param(const char *name, const char *value)
{
    return (struct ex_param){.name = name, .kind = EX_PARAM_STRING, .value.s = value};
}

static void assert_answer(struct rig *r, uint64_t seq, const void *bytes, size_t len)
{
    struct ex_result result;
    assert_true(rig_next(r, &result));
    assert_int_equal(result.seq, seq);
    if (result.reason != SL_REASON_OK)
        fail_msg("%s: %s", sl_reason_name(result.reason), result.text);
    assert_int_equal(result.output_count, 1);
    assert_int_equal(result.outputs[0].rank, 1);
    assert_int_equal(result.outputs[0].dims[0], len);
    const struct sl_span out = rig_output(r, &result.outputs[0]);
    assert_int_equal(out.len, len);
    assert_memory_equal(out.data, bytes, len);
}

static void assert_failure(struct rig *r, uint64_t seq, enum sl_reason reason, const char *text)
{
    struct ex_result result;
    assert_true(rig_next(r, &result));
    assert_int_equal(result.seq, seq);
    assert_string_equal(sl_reason_name(result.reason), sl_reason_name(reason));
    assert_string_equal(result.text, text);
    assert_int_equal(result.output_count, 0);
}

/* ---- ordinary life */

static void answers_and_ends_with_its_supervisor(void **state SL_UNUSED)
{
    struct rig r;
    rig_start_loaded(&r, identity);
    const uint64_t seq = rig_put(&r, "hello", 5, NULL, 0);
    rig_publish(&r);
    assert_answer(&r, seq, "hello", 5);
    rig_finish(&r);
}

static void ends_at_stop(void **state SL_UNUSED)
{
    struct rig r;
    rig_start_loaded(&r, identity);
    assert_ok(ex_worker_send_text(r.channel.control, EX_WORKER_STOP, ""));
    const int status = rig_wait_end(&r);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EX_WORKER_EXIT_OK);
    rig_finish(&r);
}

static void answers_batches_in_order(void **state SL_UNUSED)
{
    struct rig r;
    struct sl_rng rng;
    uint8_t bytes[3000];
    sl_rng_seed(&rng, 1);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)sl_rng_u64(&rng);
    rig_start_loaded(&r, identity);
    for (int round = 0; round < 200; round++) {
        size_t lens[16];
        const size_t count = 1 + sl_rng_below(&rng, SL_ARRAY_LEN(lens));
        const uint64_t first = r.last_seq + 1;
        for (size_t i = 0; i < count; i++) {
            lens[i] = sl_rng_below(&rng, sizeof(bytes) + 1);
            rig_put(&r, bytes, lens[i], NULL, 0);
        }
        rig_publish(&r);
        for (size_t i = 0; i < count; i++)
            assert_answer(&r, first + i, bytes, lens[i]);
    }
    rig_finish(&r);
}

static void waits_for_room_in_the_up_ring(void **state SL_UNUSED)
{
    static uint8_t bytes[20000];
    struct rig r;
    rig_start_loaded(&r, identity);
    for (int i = 0; i < 10; i++)
        rig_put(&r, bytes, sizeof(bytes), NULL, 0);
    rig_publish(&r);
    /* The results that nobody takes fill more than the ring; the worker waits and loses none. */
    usleep(100000);
    for (uint64_t seq = 1; seq <= 10; seq++)
        assert_answer(&r, seq, bytes, sizeof(bytes));
    rig_finish(&r);
}

/* ---- bad models, bad calls */

static void says_why_a_model_is_not_loaded(void **state SL_UNUSED)
{
    struct rig r;
    struct ex_worker_message m;
    rig_start(&r, "engine: fake\nfake: {load_error: no such weights}\n", NULL, &m);
    assert_int_equal(m.kind, EX_WORKER_FAILED);
    assert_non_null(strstr(m.text, "model.yaml: inputs is empty; a model has at least one"));
    int status = rig_wait_end(&r);
    assert_int_equal(WEXITSTATUS(status), EX_WORKER_EXIT_FAILED);
    rig_finish(&r);

    rig_start(&r,
              "engine: fake\n"
              "inputs: [{name: IN, datatype: UINT8, shape: [-1]}]\n"
              "outputs: [{name: OUT, datatype: UINT8, shape: [-1]}]\n"
              "fake: {load_error: no such weights}\n",
              NULL, &m);
    assert_int_equal(m.kind, EX_WORKER_FAILED);
    assert_string_equal(m.text, "no such weights");
    status = rig_wait_end(&r);
    assert_int_equal(WEXITSTATUS(status), EX_WORKER_EXIT_FAILED);
    rig_finish(&r);
}

static void a_failed_call_does_not_end_the_worker(void **state SL_UNUSED)
{
    struct rig r;
    const struct ex_param error[2] = {text_param("fake_error", "it is Monday"),
                                      text_param("fake_reason", "OUT_OF_MEMORY")};
    const struct ex_param unknown = text_param("fake_mood", "bad");
    rig_start_loaded(&r, fake);
    const uint64_t first = rig_put(&r, "a", 1, error, 1);
    rig_put(&r, "b", 1, error, 2);
    rig_put(&r, "c", 1, &unknown, 1);
    rig_put(&r, "d", 1, NULL, 0);
    rig_publish(&r);
    assert_failure(&r, first, SL_REASON_MODEL_ERROR, "it is Monday");
    assert_failure(&r, first + 1, SL_REASON_OUT_OF_MEMORY, "it is Monday");
    assert_failure(&r, first + 2, SL_REASON_BAD_INPUT,
                   "fake_mood is not a parameter of engine fake");
    assert_answer(&r, first + 3, "d", 1);
    rig_finish(&r);
}

static void refuses_inputs_that_do_not_suit_the_model(void **state SL_UNUSED)
{
    struct rig r;
    const int64_t dims[2] = {3, 1};
    const struct sl_span bytes = sl_span_of("abc", 3);
    struct ex_record_tensor input = {.bytes = 3, .rank = 2, .dims = dims};
    struct ex_job job = {.wanted = 1, .call_id = "x", .input_count = 1};
    rig_start_loaded(&r, identity);
    rig_put_job(&r, &job, &input, &bytes);
    input.rank = 1;
    input.bytes = 2;
    rig_put_job(&r, &job, &input, &bytes);
    job.input_count = 0;
    rig_put_job(&r, &job, &input, &bytes);
    rig_publish(&r);
    assert_failure(&r, 1, SL_REASON_BAD_INPUT,
                   "tensor IN has shape [3,1], but the model's is [-1]");
    assert_failure(&r, 2, SL_REASON_BAD_INPUT,
                   "tensor IN has 2 bytes, but UINT8 of shape [3] has 3");
    assert_failure(&r, 3, SL_REASON_BAD_INPUT, "tensor IN is missing");
    rig_finish(&r);
}

/* The same process goes on with the next one. */
static void a_run_that_is_cancelled_stops_in_the_middle(void **state SL_UNUSED)
{
    struct rig r;
    const struct ex_param endless = text_param("fake_run", "1h");
    uint64_t ns;
    rig_start_loaded(&r, fake);
    const uint64_t first = rig_put(&r, "a", 1, &endless, 1);
    const uint64_t second = rig_put(&r, "b", 1, NULL, 0);
    rig_publish(&r);
    while (ex_ring_started(&r.channel.ring, &ns) != first)
        usleep(1000);
    ex_ring_cancel(&r.channel.ring, first);
    assert_failure(&r, first, SL_REASON_CANCELLED, "cancelled in the middle of its run");
    assert_answer(&r, second, "b", 1);
    rig_finish(&r);
}

static void cancelled_jobs_are_not_begun(void **state SL_UNUSED)
{
    struct rig r;
    const struct ex_param slow = text_param("fake_run", "100ms");
    const struct ex_param crash = text_param("fake_crash", "abort");
    uint64_t ns;
    rig_start_loaded(&r, fake);
    const uint64_t first = rig_put(&r, "a", 1, &slow, 1);
    const uint64_t second = rig_put(&r, "b", 1, &crash, 1);
    ex_ring_cancel(&r.channel.ring, second);
    const uint64_t third = rig_put(&r, "c", 1, NULL, 0);
    rig_publish(&r);
    assert_answer(&r, first, "a", 1);
    assert_failure(&r, second, SL_REASON_CANCELLED, "cancelled before it began");
    assert_answer(&r, third, "c", 1);
    assert_int_equal(ex_ring_started(&r.channel.ring, &ns), third);
    rig_finish(&r);
}

/* ---- death */

static void an_orphan_dies(void **state SL_UNUSED)
{
    int pipe_fds[2];
    pid_t worker = 0;
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    const pid_t supervisor = fork();
    if (supervisor == 0) {
        struct rig r;
        rig_start_loaded(&r, fake);
        const struct ex_param hang = {.name = "fake_hang", .kind = EX_PARAM_BOOL, .value.b = true};
        rig_put(&r, "a", 1, &hang, 1); /* too busy to see its control socket close */
        rig_publish(&r);
        remove_tree(r.dir);
        _exit(write(pipe_fds[1], &r.pid, sizeof(r.pid)) == sizeof(r.pid) ? 0 : 1);
    }
    assert_int_equal(read(pipe_fds[0], &worker, sizeof(worker)), sizeof(worker));
    assert_int_equal(waitpid(supervisor, NULL, 0), supervisor);
    /* Its new parent reaps it; a reaper of ours does so here. */
    int status;
    assert_int_equal(waitpid(worker, &status, 0), worker);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

/* Jobs before the deadly one are answered, it is the last that began, those behind it were not. */
static void dies_in_the_third_job(const char *how, int signal_or_0)
{
    struct rig r;
    struct ex_result result;
    uint64_t ns;
    const struct ex_param crash = text_param("fake_crash", how);
    rig_start_loaded(&r, fake);
    rig_put(&r, "a", 1, NULL, 0);
    rig_put(&r, "b", 1, NULL, 0);
    rig_put(&r, "c", 1, &crash, 1);
    rig_put(&r, "d", 1, NULL, 0);
    rig_publish(&r);
    assert_answer(&r, 1, "a", 1);
    assert_answer(&r, 2, "b", 1);
    assert_false(rig_next(&r, &result));
    assert_int_equal(ex_ring_started(&r.channel.ring, &ns), 3);
    const int status = rig_wait_end(&r);
    if (signal_or_0 != 0)
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == signal_or_0);
    else
        assert_true(WIFEXITED(status));
    rig_finish(&r);
}

static void a_crash_ends_only_its_own_job(void **state SL_UNUSED)
{
    dies_in_the_third_job("abort", SIGABRT);
    dies_in_the_third_job("exit", 0);
    dies_in_the_third_job("kill", SIGKILL);
}

static void a_hanging_job_can_be_killed(void **state SL_UNUSED)
{
    struct rig r;
    struct ex_result result;
    uint64_t ns = 0;
    const struct ex_param hang = {.name = "fake_hang", .kind = EX_PARAM_BOOL, .value.b = true};
    rig_start_loaded(&r, fake);
    rig_put(&r, "a", 1, &hang, 1);
    rig_put(&r, "b", 1, NULL, 0);
    rig_publish(&r);
    while (ex_ring_started(&r.channel.ring, &ns) == 0)
        usleep(1000);
    assert_true(ns > 0);
    usleep(20000);
    kill(r.pid, SIGKILL);
    assert_false(rig_next(&r, &result));
    assert_int_equal(ex_ring_started(&r.channel.ring, &ns), 1);
    rig_wait_end(&r);
    rig_finish(&r);
}

static void a_broken_job_is_fatal(void **state SL_UNUSED)
{
    struct rig r;
    struct ex_worker_message m;
    rig_start_loaded(&r, identity);
    r.last_seq = 6; /* the next job is 7: not the one after none */
    rig_put(&r, "a", 1, NULL, 0);
    rig_publish(&r);
    rig_message(&r, &m);
    assert_int_equal(m.kind, EX_WORKER_FATAL);
    assert_string_equal(m.text, "the down ring holds something that is not the next job: "
                                "the peer broke the protocol");
    const int status = rig_wait_end(&r);
    assert_int_equal(WEXITSTATUS(status), EX_WORKER_EXIT_FATAL);
    rig_finish(&r);
}

/* ---- large tensors */

enum { LARGE_BYTES = 3 << 20 };

/* A segment of LARGE_BYTES with these bytes, passed to the worker. */
static void pass_segment(struct rig *r, uint32_t number, const uint8_t *bytes)
{
    int fd;
    int read_only;
    void *map;
    assert_ok(sl_memfd_create("test", LARGE_BYTES, &fd, &map));
    memcpy(map, bytes, LARGE_BYTES);
    assert_ok(sl_memfd_reopen_read_only(fd, &read_only));
    assert_ok(sl_memfd_freeze(fd, map, LARGE_BYTES));
    assert_ok(ex_worker_send_segment(r->channel.control, number, read_only, LARGE_BYTES));
    close(read_only);
    close(fd);
}

/* A segment that the worker shows before the first result that names it. */
static void take_shown(struct rig *r, struct sl_shm_peer *shown)
{
    struct ex_worker_message m;
    rig_message(r, &m);
    assert_int_equal(m.kind, EX_WORKER_SEGMENT);
    assert_int_equal(ftruncate(m.fd, 0), -1);
    assert_ok(sl_shm_peer_add(shown, m.segment, m.fd));
}

/* The one output of a large result. */
static void assert_large_answer(struct rig *r, struct sl_shm_peer *shown, const uint8_t *bytes,
                                size_t len)
{
    struct ex_result result;
    struct sl_span output;
    assert_true(rig_next(r, &result));
    assert_int_equal(result.reason, SL_REASON_OK);
    assert_true(result.outputs[0].segment != 0);
    assert_int_equal(result.outputs[0].bytes, len);
    const struct sl_shm_ref ref = {.number = result.outputs[0].segment, .length_bytes = len};
    if (sl_shm_peer_get(shown, &ref, &output) == SL_ENOENT) {
        take_shown(r, shown);
        assert_ok(sl_shm_peer_get(shown, &ref, &output));
    }
    assert_memory_equal(output.data, bytes, len);
}

static void large_tensors_travel_in_segments(void **state SL_UNUSED)
{
    struct rig r;
    uint8_t *bytes = malloc(LARGE_BYTES);
    for (size_t i = 0; i < LARGE_BYTES; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 4096);
    const int64_t dims[1] = {LARGE_BYTES - 64};
    struct ex_job job = {.wanted = 1, .call_id = "large", .input_count = 1};
    static struct sl_shm_peer shown;
    sl_shm_peer_init(&shown, 4); /* of six results: the last ones use what the first ones did */
    rig_start_loaded(&r, identity);
    for (uint32_t n = 1; n <= 3; n++) {
        struct ex_record_tensor input = {
            .offset = 64, .bytes = LARGE_BYTES - 64, .segment = n, .rank = 1, .dims = dims};
        pass_segment(&r, n, bytes);
        rig_put_job(&r, &job, &input, NULL);
        rig_put_job(&r, &job, &input, NULL); /* one segment may carry several jobs */
        rig_publish(&r);
        assert_large_answer(&r, &shown, bytes + 64, LARGE_BYTES - 64);
        assert_large_answer(&r, &shown, bytes + 64, LARGE_BYTES - 64);
        const struct ex_worker_message forget = {.kind = EX_WORKER_FORGET, .segment = n, .fd = -1};
        assert_ok(ex_worker_send(r.channel.control, &forget));
    }
    rig_put(&r, "small", 5, NULL, 0);
    rig_publish(&r);
    assert_answer(&r, r.last_seq, "small", 5);
    rig_finish(&r);
    sl_shm_peer_finish(&shown);
    free(bytes);
}

/* More large results than the supervisor keeps segments for: the worker waits. */
static void large_results_wait_for_the_supervisor(void **state SL_UNUSED)
{
    enum { JOBS = EX_SEGMENTS_MAX + 6, BYTES = 300 << 10 };
    struct rig r;
    struct ex_worker_message m;
    struct ex_result result;
    const struct ex_param rows = {.name = "fake_rows", .kind = EX_PARAM_INT, .value.i = BYTES};
    rig_start_loaded(&r, fake);
    for (int i = 0; i < JOBS; i++)
        rig_put(&r, "abc", 3, &rows, 1);
    rig_publish(&r);
    usleep(300000);
    for (int i = 0; i < EX_SEGMENTS_MAX; i++) {
        rig_message(&r, &m);
        assert_int_equal(m.kind, EX_WORKER_SEGMENT);
        close(m.fd);
    }
    assert_status(ex_worker_receive(r.channel.control, &m), SL_EAGAIN);
    for (int i = 0; i < JOBS; i++) {
        assert_true(rig_next(&r, &result));
        assert_int_equal(result.outputs[0].bytes, BYTES);
    }
    assert_status(ex_worker_receive(r.channel.control, &m), SL_EAGAIN); /* none is made any more */
    rig_finish(&r);
}

static void assert_fatal(struct rig *r, const char *text)
{
    struct ex_worker_message m;
    rig_message(r, &m);
    assert_int_equal(m.kind, EX_WORKER_FATAL);
    assert_string_equal(m.text, text);
    rig_wait_end(r);
}

static void a_job_with_an_unknown_segment_is_fatal(void **state SL_UNUSED)
{
    struct rig r;
    const int64_t dims[1] = {64};
    struct ex_record_tensor input = {.bytes = 64, .segment = 5, .rank = 1, .dims = dims};
    struct ex_job job = {.wanted = 1, .call_id = "x", .input_count = 1};
    rig_start_loaded(&r, identity);
    rig_put_job(&r, &job, &input, NULL);
    rig_publish(&r);
    assert_fatal(&r, "a job names a segment that is not there: no such thing");
    rig_finish(&r);
}

static void a_part_beyond_its_segment_is_fatal(void **state SL_UNUSED)
{
    struct rig r;
    uint8_t *bytes = calloc(1, LARGE_BYTES);
    const int64_t dims[1] = {LARGE_BYTES};
    struct ex_record_tensor input = {
        .offset = 64, .bytes = LARGE_BYTES, .segment = 1, .rank = 1, .dims = dims};
    struct ex_job job = {.wanted = 1, .call_id = "x", .input_count = 1};
    rig_start_loaded(&r, identity);
    pass_segment(&r, 1, bytes);
    rig_put_job(&r, &job, &input, NULL);
    rig_publish(&r);
    assert_fatal(&r, "a job names a segment that is not there: the peer broke the protocol");
    rig_finish(&r);
    free(bytes);
}

static void a_segment_that_may_shrink_is_fatal(void **state SL_UNUSED)
{
    struct rig r;
    const int fd = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 4096), 0);
    rig_start_loaded(&r, identity);
    assert_ok(ex_worker_send_segment(r.channel.control, 1, fd, 4096));
    assert_fatal(&r, "cannot use a segment of the supervisor: the peer broke the protocol");
    rig_finish(&r);
    close(fd);
}

static void the_down_ring_cannot_be_written_by_others(void **state SL_UNUSED)
{
    struct ex_channel c;
    int fds[EX_WORKER_FD_COUNT];
    char path[64];
    assert_ok(ex_channel_open(RIG_RING_BYTES, RIG_RING_BYTES, &c, fds));
    const int down = fds[EX_WORKER_FD_DOWN - EX_WORKER_FD_CONTROL];
    assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, down, 0), MAP_FAILED);
    /* Not even by opening it anew, as a process of the same user may. */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", down);
    const int again = open(path, O_RDWR | O_CLOEXEC);
    if (again >= 0) {
        assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0),
                         MAP_FAILED);
        assert_int_equal(pwrite(again, "x", 1, 0), -1);
        close(again);
    }
    ex_channel_close_worker_fds(fds);
    ex_channel_close(&c);
}

/* ---- memory */

static void memory_is_limited(void **state SL_UNUSED)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* sanitizers map more than any limit */
#endif
    struct rig r;
    struct ex_worker_message m;
    static const char *const arguments[] = {"--memory", "67108864", NULL};
    const struct ex_param greedy = text_param("fake_memory", "512MiB");
    const struct ex_param long_answer = {
        .name = "fake_rows", .kind = EX_PARAM_INT, .value.i = 1 << 30};
    rig_start(&r, fake, arguments, &m);
    assert_int_equal(m.kind, EX_WORKER_LOADED);
    rig_put(&r, "a", 1, &greedy, 1);
    rig_put(&r, "b", 1, &long_answer, 1);
    rig_put(&r, "c", 1, NULL, 0);
    rig_publish(&r);
    assert_failure(&r, 1, SL_REASON_OUT_OF_MEMORY, "out of memory: 512MiB asked for");
    assert_failure(&r, 2, SL_REASON_OUT_OF_MEMORY,
                   "out of memory: output OUT needs 1073741824 bytes");
    assert_answer(&r, 3, "c", 1);
    rig_finish(&r);
}

/* ---- command line */

/* Runs the program with one argument; its exit code, and its first line of output or error. */
static int run_program(const char *argument, char *line, size_t line_bytes)
{
    char command[512];
    snprintf(command, sizeof(command), "%s %s 2>&1", SLUICE_WORKER, argument);
    FILE *f = popen(command, "re"); /* NOLINT(cert-env33-c) */
    assert_non_null(f);
    assert_non_null(fgets(line, (int)line_bytes, f));
    while (fgetc(f) != EOF)
        continue;
    return WEXITSTATUS(pclose(f));
}

static void the_command_line_is_checked(void **state SL_UNUSED)
{
    static const struct {
        const char *argument, *line;
        int code;
    } cases[] = {
        {"--help", "Usage: sluice-worker --model-dir DIR [options]\n", 0},
        {"--version", "sluice-worker " SLUICE_VERSION "\n", 0},
        {"", "sluice-worker: --model-dir is missing; see --help\n", 2},
        {"--threads 0", "sluice-worker: --threads is 0; it must be a number from 1 to 1024\n", 2},
        {"--kind gpu",
         "sluice-worker: --kind is gpu; it must be one of: cpu whole mig mps shared\n", 2},
        {"--device ''", "sluice-worker: --device has 0 characters; 1 to 63 are allowed\n", 2},
        {"--model-dir x y", "sluice-worker: y is not an option; see --help\n", 2},
    };
    char line[256];
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        assert_int_equal(run_program(cases[i].argument, line, sizeof(line)), cases[i].code);
        assert_string_equal(line, cases[i].line);
    }
}

int main(void)
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_and_ends_with_its_supervisor),
        cmocka_unit_test(ends_at_stop),
        cmocka_unit_test(answers_batches_in_order),
        cmocka_unit_test(waits_for_room_in_the_up_ring),
        cmocka_unit_test(says_why_a_model_is_not_loaded),
        cmocka_unit_test(a_failed_call_does_not_end_the_worker),
        cmocka_unit_test(refuses_inputs_that_do_not_suit_the_model),
        cmocka_unit_test(cancelled_jobs_are_not_begun),
        cmocka_unit_test(a_run_that_is_cancelled_stops_in_the_middle),
        cmocka_unit_test(an_orphan_dies),
        cmocka_unit_test(a_crash_ends_only_its_own_job),
        cmocka_unit_test(a_hanging_job_can_be_killed),
        cmocka_unit_test(a_broken_job_is_fatal),
        cmocka_unit_test(large_tensors_travel_in_segments),
        cmocka_unit_test(large_results_wait_for_the_supervisor),
        cmocka_unit_test(a_job_with_an_unknown_segment_is_fatal),
        cmocka_unit_test(a_part_beyond_its_segment_is_fatal),
        cmocka_unit_test(a_segment_that_may_shrink_is_fatal),
        cmocka_unit_test(the_down_ring_cannot_be_written_by_others),
        cmocka_unit_test(memory_is_limited),
        cmocka_unit_test(the_command_line_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
