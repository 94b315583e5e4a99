/* ex_pool_work.c - jobs into a worker's ring, results out of it. */
#include <string.h>

#include "ex_pool_int.h"
#include "ex_result_blob.h"

/* Results of so many bytes and more are copied once and leave by reference. */
enum { RESULT_KEPT_MIN = 256 << 10 };

/* Memory that nobody has used for one to two times this long goes back to the system. */
static const int64_t idle_ns = 10 * SL_NS_PER_S;

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
    const struct sl_span *part = posting->bytes;
    for (size_t i = 0; part && i < posting->job.input_count; i++) {
        uint8_t *to = record + posting->inputs[i].offset;
        for (size_t k = 0; k < posting->part_count; k++, part++) {
            if (part->len > 0)
                memcpy(to, part->data, part->len);
            to += part->len;
        }
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

/* A worker that may not run there runs where it was. */
static void hold(const struct ex_pool *p, struct ex_pool_worker *w)
{
    if (p->own_hold == NULL || w->hold.count > 0)
        return;
    const pid_t pid = w->process.pid;
    (void)!sl_hold_begin(&w->hold, pid, &pid, 1, p->own_hold->cpu);
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
    w->is_wanted = w->state != EX_POOL_READY;
    if (w->state == EX_POOL_RESTING)
        ex_pool_move(p, w, EX_POOL_IDLE); /* the turn's end starts it */
    if (w->is_wanted)
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
        hold(p, w);
    }
    return st;
}

void ex_pool_cancel(void *ctx, uint32_t slice, uint32_t model, uint64_t seq)
{
    struct ex_pool_worker *w = ex_pool_find(ctx, slice, model);
    if (!w || w->state != EX_POOL_READY)
        return;
    ex_ring_cancel(&w->channel.ring, seq);
    ex_process_tell_cancelled(&w->process);
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

/* Those that lie unused since the last time. */
static void drop_idle(struct ex_pool *p)
{
    for (size_t i = p->kept_count; i-- > 0;) {
        if (p->kept[i]->is_idle)
            end_segment(p, unkeep(p, i));
        else
            p->kept[i]->is_idle = true;
    }
}

static struct ex_segment *make_segment(struct ex_pool *p, uint64_t bytes)
{
    if (bytes > p->conf.segments_max_bytes - p->segments_bytes)
        ex_pool_drop_kept(p, NULL);
    if (bytes > p->conf.segments_max_bytes - p->segments_bytes)
        return NULL;
    struct ex_segment *s = ex_segment_create(p->alloc, bytes);
    if (s)
        p->segments_bytes += s->bytes;
    return s;
}

struct ex_segment *ex_pool_segment_open(void *ctx, uint32_t slice, uint32_t model, uint64_t bytes,
                                        uint8_t **out_map)
{
    struct ex_pool *p = ctx;
    const struct ex_pool_worker *w = ex_pool_find(p, slice, model);
    struct ex_segment *s = NULL;
    for (size_t i = p->kept_count; !s && i-- > 0;) {
        if (ex_segment_suits(p->kept[i], bytes) && is_known(p->kept[i], w))
            s = unkeep(p, i);
    }
    if (!s)
        s = make_segment(p, bytes);
    if (!s)
        return NULL;
    ex_segment_prepare(s, bytes);
    *out_map = s->map;
    return s;
}

void ex_pool_segment_close(void *ctx, struct ex_segment *s)
{
    struct ex_pool *p = ctx;
    if (!is_known(s, s->worker) || s->bytes > EX_POOL_KEPT_BYTES) {
        end_segment(p, s);
        return;
    }
    s->is_idle = false;
    while (p->kept_count == EX_POOL_KEPT_MAX || p->kept_bytes > EX_POOL_KEPT_BYTES - s->bytes)
        end_segment(p, unkeep(p, 0));
    p->kept[p->kept_count++] = s;
    p->kept_bytes += s->bytes;
}

void ex_pool_trim(struct ex_pool *p, sl_mono_ns now)
{
    const bool has_memory =
        p->kept_count > 0 || (p->conf.results && sl_shm_pool_bytes(p->conf.results) > 0);
    if (now < p->trim_at && (p->trim_at != SL_MONO_NEVER || !has_memory))
        return;
    if (p->trim_at != SL_MONO_NEVER) {
        sl_shm_pool_trim(p->conf.results, now);
        drop_idle(p);
    }
    p->trim_at = has_memory ? sl_sat_add(now, idle_ns) : SL_MONO_NEVER;
}

/* ---- results */

/* Where an output lies in memory that its worker can still write. A segment is announced before the
 * record that names it, perhaps a moment ago. */
static sl_status find_output(struct ex_pool *p, struct ex_pool_worker *w, struct sl_span record,
                             const struct ex_record_tensor *t, struct sl_span *out)
{
    const struct sl_shm_ref ref = {
        .number = t->segment, .offset_bytes = t->offset, .length_bytes = t->bytes};
    if (t->segment == 0) {
        *out = sl_span_of(record.data + t->offset, (size_t)t->bytes);
        return SL_OK;
    }
    sl_status st = sl_shm_peer_get(&w->outputs, &ref, out);
    if (st == SL_ENOENT) {
        ex_pool_on_control(p, w);
        st = sl_shm_peer_get(&w->outputs, &ref, out);
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
    const sl_status st = find_output(p, w, record, t, &out->bytes);
    if (st == SL_OK && !ex_tensor_check(about, t->dims, t->rank, t->bytes, err))
        err->reason = SL_REASON_MODEL_ERROR;
    return st;
}

/* All outputs of a record. *err: the outputs are not what the model says they are. */
static sl_status read_outputs(struct ex_pool *p, struct ex_pool_worker *w, struct sl_span record,
                              const struct ex_result *result, struct ex_output outputs[],
                              struct sl_error *err)
{
    for (size_t i = 0; i < result->output_count; i++) {
        const sl_status st = read_output(p, w, record, &result->outputs[i], &outputs[i], err);
        if (st != SL_OK)
            return st;
    }
    return SL_OK;
}

static uint64_t outputs_bytes(const struct ex_output outputs[], size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += outputs[i].bytes.len;
    return sum;
}

/* Memory for large outputs that the worker cannot reach; small ones are copied into a message soon.
 * False: *err says that there is none. */
static bool begin_keeping(struct ex_pool *p, struct ex_keeping *k, uint64_t bytes,
                          struct sl_error *err)
{
    if (k->blob || bytes < RESULT_KEPT_MIN)
        return true;
    k->done_bytes = 0;
    k->blob = ex_result_blob_create(p->alloc, p->conf.results, (size_t)bytes, &k->data);
    if (!k->blob)
        sl_error_set(err, SL_REASON_NO_CAPACITY,
                     "the node has no memory for a result of %llu bytes",
                     (unsigned long long)bytes);
    return k->blob != NULL;
}

/* Copies on, as much as is left: the outputs lie one behind the other in the blob. */
static void keep_some(struct ex_keeping *k, const struct ex_output outputs[], size_t count,
                      uint64_t *left_bytes)
{
    uint64_t begin = 0;
    for (size_t i = 0; i<count && * left_bytes> 0; i++) {
        const uint64_t end = begin + outputs[i].bytes.len;
        if (k->done_bytes < end) {
            const uint64_t rest = end - k->done_bytes;
            const uint64_t n = rest < *left_bytes ? rest : *left_bytes;
            memcpy(k->data + k->done_bytes, outputs[i].bytes.data + (k->done_bytes - begin),
                   (size_t)n);
            k->done_bytes += n;
            *left_bytes -= n;
        }
        begin = end;
    }
}

static void use_kept(const struct ex_keeping *k, struct ex_output outputs[], size_t count)
{
    const uint8_t *from = k->data;
    for (size_t i = 0; i < count; i++) {
        outputs[i].bytes = sl_span_of(from, outputs[i].bytes.len);
        outputs[i].blob = k->blob;
        from += outputs[i].bytes.len;
    }
}

/* Errors: SL_EAGAIN (there is more to copy), SL_EPROTO (the record changed meanwhile). */
static sl_status keep_outputs(struct ex_pool *p, struct ex_keeping *k, struct ex_output outputs[],
                              size_t count, uint64_t *left_bytes, struct sl_error *err)
{
    const uint64_t bytes = outputs_bytes(outputs, count);
    if (k->blob && bytes != k->blob->bytes.len)
        return SL_EPROTO;
    if (sl_error_is_set(err) || !begin_keeping(p, k, bytes, err) || !k->blob)
        return SL_OK;
    keep_some(k, outputs, count, left_bytes);
    if (k->done_bytes < bytes)
        return SL_EAGAIN;
    use_kept(k, outputs, count);
    return SL_OK;
}

void ex_pool_drop_keeping(struct ex_pool_worker *w)
{
    ex_blob_release(w->keeping.blob);
    w->keeping = (struct ex_keeping){.blob = NULL};
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

/* Its lengths are read anew for each step: the worker could change them. Errors: SL_EAGAIN. */
static sl_status take_result(struct ex_pool *p, struct ex_pool_worker *w, uint64_t *left_bytes)
{
    struct ex_result result;
    struct ex_output outputs[EX_TENSORS_MAX];
    struct sl_error err = {.reason = SL_REASON_OK};
    const struct ex_ring_record *record = &w->keeping.record;
    if (record->kind != EX_RECORD_RESULT ||
        ex_result_decode(record->bytes, p->scratch, &result) != SL_OK ||
        result.seq != w->done + 1 || result.seq > w->posted)
        return SL_EPROTO;
    sl_status st = read_outputs(p, w, record->bytes, &result, outputs, &err);
    if (st == SL_OK)
        st = keep_outputs(p, &w->keeping, outputs, result.output_count, left_bytes, &err);
    if (st == SL_OK)
        tell(p, w, &result, outputs, &err);
    else if (st == SL_EAGAIN)
        p->events.result_came(p->events.ctx, w->slice, w->model, result.seq);
    return st;
}

/* The result that is half taken, or the next one. Errors: SL_EAGAIN. */
static sl_status take_next(struct ex_pool *p, struct ex_pool_worker *w, uint64_t *left_bytes)
{
    sl_status st = w->keeping.blob ? SL_OK : ex_ring_next(&w->channel.ring, &w->keeping.record);
    if (st != SL_OK)
        return st;
    st = take_result(p, w, left_bytes);
    if (st == SL_EAGAIN)
        return st;
    ex_ring_release(&w->channel.ring, w->keeping.record.end);
    ex_pool_drop_keeping(w);
    w->is_dirty = true;
    return st;
}

void ex_pool_take_results(struct ex_pool *p, struct ex_pool_worker *w, uint64_t *left_bytes)
{
    sl_status st;
    do {
        st = take_next(p, w, left_bytes);
    } while (st == SL_OK);
    if (st != SL_EAGAIN)
        ex_pool_broke_protocol(p, w, "a result is not one");
}

void ex_pool_take_last_results(struct ex_pool *p, struct ex_pool_worker *w)
{
    uint64_t left_bytes = UINT64_MAX;
    ex_pool_take_results(p, w, &left_bytes);
}
