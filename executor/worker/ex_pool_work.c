/* ex_pool_work.c - jobs into a worker's ring, results out of it. */
#include <string.h>

#include "ex_pool_int.h"

/* ---- posting */

void ex_pool_activate(struct ex_pool *p, struct ex_pool_worker *w)
{
    if (w->is_active)
        return;
    w->is_active = true;
    p->active[p->active_count++] = w;
}

/* Makes the segment known to this process. Errors: SL_EAGAIN. */
static sl_status show_segment(struct ex_pool *p, struct ex_pool_worker *w, struct ex_segment *s)
{
    if (s->worker == w && s->worker_life == w->life)
        return SL_OK;
    if (w->segment_count == EX_SEGMENTS_MAX)
        ex_pool_drop_kept(p, w);
    if (w->segment_count == EX_SEGMENTS_MAX)
        return SL_EAGAIN;
    const uint32_t number = w->next_segment + 1;
    if (ex_worker_send_segment(w->channel.control, number, s->fd, s->bytes) != SL_OK)
        return SL_EAGAIN; /* no room, or dying: its end will be told */
    w->next_segment = number;
    w->segment_count++;
    s->worker = w;
    s->worker_life = w->life;
    s->number = number;
    return SL_OK;
}

/* Where the inputs' bytes will be: in the segment, or behind the head. */
static sl_status place_inputs(struct ex_posting *posting, size_t head_bytes, uint64_t max_bytes,
                              uint64_t *out_end)
{
    *out_end = head_bytes;
    for (size_t i = 0; i < posting->job.input_count; i++) {
        struct ex_record_tensor *in = &posting->inputs[i];
        if (posting->segment) {
            in->segment = in->bytes > 0 ? posting->segment->number : 0;
            continue;
        }
        const sl_status st = ex_record_place(in, out_end, max_bytes);
        if (st != SL_OK)
            return st;
    }
    return SL_OK;
}

static void copy_inputs(const struct ex_posting *posting, uint8_t *record)
{
    for (size_t i = 0; posting->bytes && i < posting->job.input_count; i++) {
        if (posting->bytes[i].len > 0)
            memcpy(record + posting->inputs[i].offset, posting->bytes[i].data,
                   posting->bytes[i].len);
    }
}

static sl_status write_job(struct ex_pool_worker *w, struct ex_posting *posting, uint64_t max_bytes)
{
    uint64_t end;
    uint8_t *record;
    const size_t head_bytes = ex_job_head_bytes(&posting->job);
    sl_status st = place_inputs(posting, head_bytes, max_bytes, &end);
    if (st == SL_OK)
        st = ex_ring_reserve(&w->channel.ring, (size_t)end, &record);
    if (st != SL_OK)
        return st;
    posting->job.seq = w->posted + 1;
    st = ex_job_encode(&posting->job, record);
    if (st != SL_OK)
        return st;
    copy_inputs(posting, record);
    ex_ring_commit(&w->channel.ring, (size_t)end, EX_RECORD_JOB);
    w->posted++;
    return SL_OK;
}

sl_status ex_pool_post(void *ctx, uint32_t slice, uint32_t model, struct ex_posting *posting,
                       struct sl_error *why)
{
    struct ex_pool *p = ctx;
    struct ex_pool_worker *w = ex_pool_find(p, slice, model);
    if (!w || w->state == EX_POOL_GIVEN_UP) {
        sl_error_set(why, SL_REASON_NO_CAPACITY, "the model cannot be served: %.400s",
                     w ? w->text : "it has no worker");
        return SL_ENEVER;
    }
    if (w->state != EX_POOL_READY)
        return SL_EAGAIN;
    if (posting->segment && show_segment(p, w, posting->segment) != SL_OK)
        return SL_EAGAIN;
    const sl_status st = write_job(w, posting, p->conf.ring_bytes / 4);
    if (st == SL_EPROTO) {
        ex_pool_broke_protocol(p, w, "its ring is broken");
        return SL_EAGAIN;
    }
    if (st == SL_OK) {
        w->is_dirty = true;
        ex_pool_activate(p, w);
    }
    return st;
}

void ex_pool_cancel(void *ctx, uint32_t slice, uint32_t model, uint64_t seq)
{
    struct ex_pool_worker *w = ex_pool_find(ctx, slice, model);
    if (w && w->state == EX_POOL_READY)
        ex_ring_cancel(&w->channel.ring, seq);
}

/* ---- segments */

static bool is_known(const struct ex_segment *s, const struct ex_pool_worker *w)
{
    return w && s->worker == w && s->worker_life == w->life && w->state == EX_POOL_READY;
}

/* Takes the i-th kept segment out. */
static struct ex_segment *unkeep(struct ex_pool *p, size_t i)
{
    struct ex_segment *s = p->kept[i];
    p->kept_count--;
    p->kept_bytes -= s->bytes;
    memmove(&p->kept[i], &p->kept[i + 1], (p->kept_count - i) * sizeof(struct ex_segment *));
    return s;
}

static void end_segment(struct ex_pool *p, struct ex_segment *s)
{
    struct ex_pool_worker *w = (struct ex_pool_worker *)(uintptr_t)s->worker;
    if (is_known(s, w)) {
        const struct ex_worker_message m = {
            .kind = EX_WORKER_FORGET, .segment = s->number, .fd = -1};
        w->segment_count--;
        if (ex_worker_send(w->channel.control, &m) == SL_EAGAIN)
            ex_pool_broke_protocol(p, w, "it does not read its messages");
    }
    p->segments_bytes -= s->bytes;
    ex_segment_destroy(s);
}

void ex_pool_drop_kept(struct ex_pool *p, const struct ex_pool_worker *w)
{
    for (size_t i = p->kept_count; i-- > 0;) {
        if (!w || p->kept[i]->worker == w)
            end_segment(p, unkeep(p, i));
    }
}

struct ex_segment *ex_pool_segment_open(void *ctx, uint32_t slice, uint32_t model, uint64_t bytes,
                                        uint8_t **out_map)
{
    struct ex_pool *p = ctx;
    const struct ex_pool_worker *w = ex_pool_find(p, slice, model);
    struct ex_segment *s = NULL;
    for (size_t i = p->kept_count; !s && i-- > 0;) {
        if (p->kept[i]->bytes == bytes && is_known(p->kept[i], w))
            s = unkeep(p, i);
    }
    if (!s) {
        if (bytes > p->conf.segments_max_bytes - p->segments_bytes)
            ex_pool_drop_kept(p, NULL);
        if (bytes > p->conf.segments_max_bytes - p->segments_bytes)
            return NULL;
        s = ex_segment_create(bytes);
        if (!s)
            return NULL;
        p->segments_bytes += bytes;
    }
    *out_map = s->map;
    return s;
}

/* Zeroed before it can hold another visitor's bytes. */
void ex_pool_segment_close(void *ctx, struct ex_segment *s)
{
    struct ex_pool *p = ctx;
    if (!is_known(s, s->worker) || s->bytes > EX_POOL_KEPT_BYTES) {
        end_segment(p, s);
        return;
    }
    memset(s->map, 0, (size_t)s->bytes);
    while (p->kept_count == EX_POOL_KEPT_MAX || p->kept_bytes > EX_POOL_KEPT_BYTES - s->bytes)
        end_segment(p, unkeep(p, 0));
    p->kept[p->kept_count++] = s;
    p->kept_bytes += s->bytes;
}

/* ---- results */

/* A segment is announced before the record that names it, perhaps a moment ago. */
static sl_status take_segment(struct ex_pool *p, struct ex_pool_worker *w,
                              const struct ex_record_tensor *t, struct ex_blob **out)
{
    sl_status st = ex_arrivals_take(&w->arrivals, t->segment, t->offset, t->bytes, out);
    if (st == SL_ENOENT) {
        ex_pool_on_control(p, w);
        st = ex_arrivals_take(&w->arrivals, t->segment, t->offset, t->bytes, out);
    }
    return st;
}

static sl_status read_output(struct ex_pool *p, struct ex_pool_worker *w, struct sl_span record,
                             const struct ex_record_tensor *t, struct ex_output *out,
                             struct sl_error *err)
{
    const struct ex_model_spec *spec = ex_catalog_spec(p->catalog, w->model);
    if (t->index >= spec->output_count)
        return SL_EPROTO;
    const struct ex_tensor_spec *about = &spec->outputs[t->index];
    *out = (struct ex_output){
        .name = about->name, .dtype = about->dtype, .dims = t->dims, .rank = t->rank};
    if (t->segment != 0) {
        const sl_status st = take_segment(p, w, t, &out->blob);
        if (st != SL_OK)
            return st;
        out->bytes = out->blob->bytes;
    } else {
        out->bytes = sl_span_of(record.data + t->offset, (size_t)t->bytes);
    }
    if (!ex_tensor_check(about, t->dims, t->rank, t->bytes, err))
        err->reason = SL_REASON_MODEL_ERROR;
    return SL_OK;
}

/* All outputs of a record. *err: the outputs are not what the model says they are. */
static sl_status read_outputs(struct ex_pool *p, struct ex_pool_worker *w, struct sl_span record,
                              const struct ex_result *result, struct ex_output outputs[],
                              size_t *out_count, struct sl_error *err)
{
    *out_count = 0;
    for (size_t i = 0; i < result->output_count; i++) {
        const sl_status st = read_output(p, w, record, &result->outputs[i], &outputs[i], err);
        if (st != SL_OK)
            return st;
        ++*out_count;
    }
    return SL_OK;
}

static void tell(struct ex_pool *p, struct ex_pool_worker *w, const struct ex_result *result,
                 const struct ex_output *outputs, const struct sl_error *err)
{
    struct ex_outcome outcome = {.reason = result->reason,
                                 .text = result->text,
                                 .outputs = outputs,
                                 .output_count = result->output_count};
    if (sl_error_is_set(err))
        outcome = (struct ex_outcome){.reason = err->reason, .text = err->text};
    const sl_gpu_us run = result->run_us > INT64_MAX ? INT64_MAX : (sl_gpu_us)result->run_us;
    w->done = result->seq;
    w->crashes = 0;
    p->events.result(p->events.ctx, w->slice, w->model, result->seq, &outcome, run);
}

static sl_status take_result(struct ex_pool *p, struct ex_pool_worker *w,
                             const struct ex_ring_record *record)
{
    struct ex_result result;
    struct ex_output outputs[EX_TENSORS_MAX];
    struct sl_error err = {.reason = SL_REASON_OK};
    size_t count = 0;
    if (record->kind != EX_RECORD_RESULT ||
        ex_result_decode(record->bytes, p->scratch, &result) != SL_OK ||
        result.seq != w->done + 1 || result.seq > w->posted)
        return SL_EPROTO;
    const sl_status st = read_outputs(p, w, record->bytes, &result, outputs, &count, &err);
    if (st == SL_OK)
        tell(p, w, &result, outputs, &err);
    for (size_t i = 0; i < count; i++)
        ex_blob_release(outputs[i].blob);
    return st;
}

void ex_pool_take_results(struct ex_pool *p, struct ex_pool_worker *w)
{
    struct ex_ring_record record;
    sl_status st = SL_OK;
    while (st == SL_OK && (st = ex_ring_next(&w->channel.ring, &record)) == SL_OK) {
        st = take_result(p, w, &record);
        ex_ring_release(&w->channel.ring, record.end);
        w->is_dirty = true;
    }
    if (st != SL_EAGAIN)
        ex_pool_broke_protocol(p, w, "a result is not one");
}
