/* worker_rig.c - starts sluice-worker as the supervisor does and talks with it. */
#include "worker_rig.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "remove_tree.h"
#include "sl_test.h"

enum { ARGUMENTS_MAX = 32 };

/* ---- files */

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void make_model(struct rig *r, const char *yaml)
{
    char path[128];
    strcpy(r->dir, "/tmp/sluice-rig-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    snprintf(path, sizeof(path), "%s/model.yaml", r->dir);
    write_text(path, yaml);
}

/* ---- process */

static void exec_worker(const struct rig *r, const int *fds, const char *const *arguments)
{
    const char *argv[ARGUMENTS_MAX] = {SLUICE_WORKER, "--model-dir", r->dir, "--log-level",
                                       "error"};
    size_t n = 5;
    for (; arguments != NULL && *arguments != NULL && n < ARGUMENTS_MAX - 1; arguments++)
        argv[n++] = *arguments;
    if (ex_channel_place_worker_fds(fds))
        execv(SLUICE_WORKER, (char *const *)(uintptr_t)argv);
    _exit(127);
}

void rig_start(struct rig *r, const char *yaml, const char *const *arguments,
               struct ex_worker_message *first)
{
    int fds[EX_WORKER_FD_COUNT];
    memset(r, 0, sizeof(*r));
    make_model(r, yaml);
    r->scratch = malloc(sizeof(*r->scratch));
    assert_non_null(r->scratch);
    assert_ok(ex_channel_open(RIG_RING_BYTES, RIG_RING_BYTES, &r->channel, fds));
    r->pid = fork();
    assert_true(r->pid >= 0);
    if (r->pid == 0)
        exec_worker(r, fds, arguments);
    ex_channel_close_worker_fds(fds);
    rig_message(r, first);
}

void rig_start_loaded(struct rig *r, const char *yaml)
{
    struct ex_worker_message first;
    rig_start(r, yaml, NULL, &first);
    if (first.kind != EX_WORKER_LOADED)
        fail_msg("not loaded: %s", first.text);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int rig_wait_end(struct rig *r)
{
    int status = 0;
    for (const int64_t end = now_ms() + RIG_WAIT_MS; now_ms() < end;) {
        if (waitpid(r->pid, &status, WNOHANG) == r->pid) {
            r->pid = 0;
            return status;
        }
        usleep(1000);
    }
    kill(r->pid, SIGKILL);
    fail_msg("the worker did not end");
    return 0;
}

void rig_finish(struct rig *r)
{
    if (r->pid != 0) {
        close(r->channel.control);
        r->channel.control = -1;
        const int status = rig_wait_end(r);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), EX_WORKER_EXIT_OK);
    }
    ex_channel_close(&r->channel);
    free(r->scratch);
    assert_int_equal(remove_tree(r->dir), 0);
}

/* ---- jobs */

uint64_t rig_put_job(struct rig *r, struct ex_job *job, struct ex_record_tensor *inputs,
                     const struct sl_span *bytes)
{
    uint8_t *record;
    job->seq = ++r->last_seq;
    job->inputs = inputs;
    uint64_t end = ex_job_head_bytes(job);
    assert_true(end > 0);
    for (size_t i = 0; i < job->input_count; i++) {
        if (inputs[i].segment == 0)
            assert_ok(ex_record_place(&inputs[i], &end, ex_ring_record_max(&r->channel.ring)));
    }
    assert_ok(ex_ring_reserve(&r->channel.ring, (size_t)end, &record));
    assert_ok(ex_job_encode(job, record));
    for (size_t i = 0; i < job->input_count; i++) {
        if (inputs[i].segment == 0 && inputs[i].bytes > 0)
            memcpy(record + inputs[i].offset, bytes[i].data, bytes[i].len);
    }
    ex_ring_commit(&r->channel.ring, (size_t)end, EX_RECORD_JOB);
    return job->seq;
}

uint64_t rig_put(struct rig *r, const void *bytes, size_t len, const struct ex_param *params,
                 size_t param_count)
{
    const int64_t dims[1] = {(int64_t)len};
    const struct sl_span span = sl_span_of(bytes, len);
    struct ex_record_tensor input = {.bytes = len, .rank = 1, .dims = dims};
    struct ex_job job = {.wanted = UINT64_MAX,
                         .call_id = "rig",
                         .input_count = 1,
                         .params = params,
                         .param_count = param_count};
    return rig_put_job(r, &job, &input, &span);
}

void rig_publish(struct rig *r)
{
    if (ex_ring_publish(&r->channel.ring))
        ex_worker_ring_bell(r->channel.down_bell);
}

/* ---- results */

static bool is_dead(const struct rig *r)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == r->pid;
}

/* Waits a little for the up bell. */
static void wait_for_bell(struct rig *r)
{
    struct pollfd fd = {.fd = r->channel.up_bell, .events = POLLIN};
    if (!ex_ring_sleep(&r->channel.ring, EX_RING_WAKE_RECORD))
        return;
    poll(&fd, 1, 50);
    ex_worker_clear_bell(r->channel.up_bell);
    ex_ring_wake(&r->channel.ring);
}

bool rig_next(struct rig *r, struct ex_result *out)
{
    ex_ring_release(&r->channel.ring, r->record.end);
    rig_publish(r);
    for (const int64_t end = now_ms() + RIG_WAIT_MS; now_ms() < end;) {
        const bool dead = is_dead(r); /* asked first: what it wrote before counts */
        const sl_status s = ex_ring_next(&r->channel.ring, &r->record);
        if (s == SL_OK) {
            assert_int_equal(r->record.kind, EX_RECORD_RESULT);
            assert_ok(ex_result_decode(r->record.bytes, r->scratch, out));
            return true;
        }
        assert_status(s, SL_EAGAIN);
        if (dead)
            return false;
        wait_for_bell(r);
    }
    fail_msg("no result came");
    return false;
}

struct sl_span rig_output(const struct rig *r, const struct ex_record_tensor *output)
{
    assert_int_equal(output->segment, 0);
    return sl_span_of(r->record.bytes.data + output->offset, output->bytes);
}

void rig_message(struct rig *r, struct ex_worker_message *out)
{
    struct pollfd fd = {.fd = r->channel.control, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, RIG_WAIT_MS), 1);
    assert_ok(ex_worker_receive(r->channel.control, out));
}
