/* ex_worker_serve.c - the worker's loop: next job, its inputs, its run, its result. */
#include "ex_worker_serve.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>

#include "ex_worker_proto.h"
#include "sl_clock.h"
#include "sl_log.h"

enum { IDLE_MS = 10000 };

/* Why the loop goes on or ends. */
enum turn { GO_ON, END, BROKEN };

static enum turn broken(struct sl_error *err, const char *what, sl_status why)
{
    sl_error_set(err, SL_REASON_INTERNAL, "%s: %s", what, sl_status_text(why));
    return BROKEN;
}

/* ---- control messages */

static enum turn take_message(struct ex_worker *w, const struct ex_worker_message *m,
                              struct sl_error *err)
{
    sl_status s = SL_OK;
    switch (m->kind) {
    case EX_WORKER_STOP:
        return END;
    case EX_WORKER_FORGET:
        s = sl_shm_peer_forget(&w->segments, m->segment);
        return s == SL_OK ? GO_ON : broken(err, "cannot forget a segment", s);
    case EX_WORKER_SEGMENT:
        s = sl_shm_peer_add(&w->segments, m->segment, m->fd);
        return s == SL_OK ? GO_ON : broken(err, "cannot use a segment of the supervisor", s);
    default:
        return broken(err, "a message that is not for workers", SL_EPROTO);
    }
}

/* Reads all control messages that are there. */
static enum turn read_control(struct ex_worker *w, struct sl_error *err)
{
    struct ex_worker_message m;
    for (;;) {
        const sl_status s = ex_worker_receive(EX_WORKER_FD_CONTROL, &m);
        if (s == SL_EAGAIN)
            return GO_ON;
        if (s == SL_ENOENT)
            return END; /* the supervisor is gone */
        if (s != SL_OK)
            return broken(err, "cannot read the control socket", s);
        const enum turn turn = take_message(w, &m, err);
        if (turn != GO_ON)
            return turn;
    }
}

/* ---- waiting */

/* After so long without anything to do, kept memory goes back to the system. */
static int patience_ms(const struct ex_worker *w)
{
    return ex_worker_outputs_is_empty(&w->sink.segments) ? -1 : IDLE_MS;
}

static enum turn wait_for(struct ex_worker *w, unsigned wake_on, struct sl_error *err)
{
    struct pollfd fds[2] = {{.fd = EX_WORKER_FD_DOWN_BELL, .events = POLLIN},
                            {.fd = EX_WORKER_FD_CONTROL, .events = POLLIN}};
    if (!ex_ring_sleep(&w->ring, wake_on))
        return GO_ON;
    const int n = poll(fds, 2, patience_ms(w));
    if (n > 0 && fds[0].revents != 0)
        ex_worker_clear_bell(EX_WORKER_FD_DOWN_BELL);
    ex_ring_wake(&w->ring);
    if (n < 0 && errno != EINTR)
        return broken(err, "cannot wait", SL_EIO);
    if (n == 0)
        (void)ex_worker_outputs_trim(&w->sink.segments);
    return n > 0 && fds[1].revents != 0 ? read_control(w, err) : GO_ON;
}

static void publish(struct ex_worker *w)
{
    if (ex_ring_publish(&w->ring))
        ex_worker_ring_bell(EX_WORKER_FD_UP_BELL);
}

/* Room for the next result. Waits for it: results are never dropped. */
static enum turn open_sink(struct ex_worker *w, struct sl_error *err)
{
    for (;;) {
        const sl_status s = ex_worker_sink_open(&w->sink);
        if (s == SL_OK)
            return GO_ON;
        if (s != SL_EAGAIN)
            return broken(err, "the rings are broken", s);
        publish(w);
        const enum turn turn = wait_for(w, EX_RING_WAKE_SPACE, err);
        if (turn != GO_ON)
            return turn;
    }
}

/* ---- a job's inputs */

/* Where a tensor's bytes lie. Those of a segment may have to be fetched from the control socket. */
static enum turn find_bytes(struct ex_worker *w, struct sl_span record,
                            const struct ex_record_tensor *t, struct sl_span *out,
                            struct sl_error *err)
{
    if (t->segment == 0) {
        *out = sl_span_of(record.data + t->offset, (size_t)t->bytes);
        return GO_ON;
    }
    const struct sl_shm_ref ref = {
        .number = t->segment, .offset_bytes = t->offset, .length_bytes = t->bytes};
    sl_status s = sl_shm_peer_get(&w->segments, &ref, out);
    if (s == SL_ENOENT) {
        const enum turn turn = read_control(w, err);
        if (turn != GO_ON)
            return turn;
        s = sl_shm_peer_get(&w->segments, &ref, out);
    }
    return s == SL_OK ? GO_ON : broken(err, "a job names a segment that is not there", s);
}

static enum turn find_inputs(struct ex_worker *w, struct sl_span record, const struct ex_job *job,
                             struct sl_error *err)
{
    for (size_t i = 0; i < w->spec->input_count; i++)
        w->inputs[i].name = NULL; /* not given yet */
    for (size_t i = 0; i < job->input_count; i++) {
        const struct ex_record_tensor *t = &job->inputs[i];
        if (t->index >= w->spec->input_count)
            return broken(err, "a job gives an input that the model does not have", SL_EPROTO);
        struct ex_tensor *in = &w->inputs[t->index];
        *in = (struct ex_tensor){
            .name = w->spec->inputs[t->index].name,
            .dtype = w->spec->inputs[t->index].dtype,
            .dims = t->dims,
            .rank = t->rank,
        };
        const enum turn turn = find_bytes(w, record, t, &in->raw, err);
        if (turn != GO_ON)
            return turn;
    }
    return GO_ON;
}

static bool check_text_input(const struct ex_tensor *in, struct sl_error *err)
{
    int64_t count;
    if (in->dtype != SL_DTYPE_BYTES || (sl_shape_elements(in->dims, in->rank, &count) == SL_OK &&
                                        sl_bytes_tensor_check(in->raw, count) == SL_OK))
        return true;
    sl_error_set(err, SL_REASON_BAD_INPUT,
                 "the %zu bytes of tensor %s are not its elements, each behind its length",
                 in->raw.len, in->name);
    return false;
}

/* Are all inputs there, and as the model wants them? */
static bool check_inputs(const struct ex_worker *w, struct sl_error *err)
{
    for (size_t i = 0; i < w->spec->input_count; i++) {
        const struct ex_tensor *in = &w->inputs[i];
        if (in->name == NULL) {
            sl_error_set(err, SL_REASON_BAD_INPUT, "tensor %s is missing", w->spec->inputs[i].name);
            return false;
        }
        if (!ex_tensor_check(&w->spec->inputs[i], in->dims, in->rank, in->raw.len, err) ||
            !check_text_input(in, err))
            return false;
    }
    return true;
}

/* ---- a job's run */

/* What its run asks while it lasts. */
struct asked {
    const struct ex_ring *ring;
    uint64_t seq;
};

static bool is_cancelled(const struct ex_run *run)
{
    const struct asked *asked = run->asked;
    return ex_ring_is_cancelled(asked->ring, asked->seq);
}

static bool run_engine(struct ex_worker *w, const struct ex_job *job, struct sl_error *err)
{
    const struct asked asked = {&w->ring, job->seq};
    for (size_t i = 0; i < w->spec->output_count; i++)
        w->wanted[i] = (job->wanted >> i) & 1;
    const struct ex_run run = {
        .call_id = job->call_id,
        .inputs = w->inputs,
        .input_count = w->spec->input_count,
        .params = job->params,
        .param_count = job->param_count,
        .wanted = w->wanted,
        .is_cancelled = is_cancelled,
        .asked = &asked,
    };
    return w->engine->run(w->model, &run, &w->sink.base, err);
}

/* Did the engine give all that was asked for? Its own mistake would else reach the caller. */
static bool check_outputs(const struct ex_worker *w, const struct ex_job *job, struct sl_error *err)
{
    uint64_t given = 0;
    for (size_t i = 0; i < w->sink.count; i++)
        given |= UINT64_C(1) << w->sink.outputs[i].index;
    const uint64_t all = w->spec->output_count == EX_TENSORS_MAX
                             ? UINT64_MAX
                             : (UINT64_C(1) << w->spec->output_count) - 1;
    if (given == (job->wanted & all))
        return true;
    sl_error_set(err, SL_REASON_MODEL_ERROR, "engine %s did not give the outputs asked for",
                 w->engine->name);
    return false;
}

/* Runs it and fills *outcome; how long the engine ran, microseconds: at least 1, since 0 is of a job that was passed
 * over. */
static uint64_t run_job(struct ex_worker *w, const struct ex_job *job, struct sl_error *outcome)
{
    const sl_mono_ns start = sl_clock_mono(&sl_clock_real);
    ex_ring_set_started(&w->ring, job->seq, (uint64_t)start);
    atomic_store_explicit(&w->running_seq, job->seq, memory_order_release);
    const bool ok = run_engine(w, job, outcome) && check_outputs(w, job, outcome);
    atomic_store_explicit(&w->running_seq, 0, memory_order_release);
    if (!ok && !sl_error_is_set(outcome))
        sl_error_set(outcome, SL_REASON_MODEL_ERROR, "engine %s failed and did not say why",
                     w->engine->name);
    const sl_mono_ns us = (sl_clock_mono(&sl_clock_real) - start) / SL_NS_PER_US;
    return us > 0 ? (uint64_t)us : 1;
}

void ex_worker_interrupt(struct ex_worker *w)
{
    const uint64_t seq = atomic_load_explicit(&w->running_seq, memory_order_acquire);
    if (seq != 0 && w->engine->interrupt != NULL && ex_ring_is_cancelled(&w->ring, seq))
        w->engine->interrupt(w->model);
}

static enum turn answer(struct ex_worker *w, struct sl_span record, const struct ex_job *job,
                        struct sl_error *err)
{
    struct sl_error outcome;
    uint64_t run_us = 0;
    outcome.reason = SL_REASON_OK;
    const enum turn turn = find_inputs(w, record, job, err);
    if (turn != GO_ON)
        return turn;
    if (ex_ring_is_cancelled(&w->ring, job->seq))
        sl_error_set(&outcome, SL_REASON_CANCELLED, "cancelled before it began");
    else if (check_inputs(w, &outcome))
        run_us = run_job(w, job, &outcome);
    const sl_status s = ex_worker_sink_send(&w->sink, job->seq, run_us, &outcome);
    return s == SL_OK ? GO_ON : broken(err, "cannot send a result", s);
}

static enum turn take_job(struct ex_worker *w, const struct ex_ring_record *record,
                          struct sl_error *err)
{
    struct ex_job job;
    if (record->kind != EX_RECORD_JOB || ex_job_decode(record->bytes, &w->scratch, &job) != SL_OK ||
        job.seq != w->last_seq + 1)
        return broken(err, "the down ring holds something that is not the next job", SL_EPROTO);
    w->last_seq = job.seq;
    enum turn turn = open_sink(w, err);
    if (turn == GO_ON)
        turn = answer(w, record->bytes, &job, err);
    if (turn != GO_ON)
        return turn;
    ex_ring_release(&w->ring, record->end);
    publish(w);
    return GO_ON;
}

static enum turn take_turn(struct ex_worker *w, struct sl_error *err)
{
    struct ex_ring_record record;
    const sl_status s = ex_ring_next(&w->ring, &record);
    if (s == SL_OK)
        return take_job(w, &record, err);
    return s == SL_EAGAIN ? wait_for(w, EX_RING_WAKE_RECORD, err)
                          : broken(err, "the down ring is broken", s);
}

bool ex_worker_serve(struct ex_worker *w, struct sl_error *err)
{
    enum turn turn;
    do {
        turn = take_turn(w, err);
    } while (turn == GO_ON);
    return turn == END;
}
