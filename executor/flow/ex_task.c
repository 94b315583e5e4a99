/* ex_task.c - checks a call against its model's spec and copies it into one block of memory. */
#include "ex_task.h"

#include <string.h>

#include "ex_batch.h"

/* ---- is it a call of this model? */

static bool refuse(struct sl_error *err, const char *format, const char *name)
{
    sl_error_set(err, SL_REASON_BAD_INPUT, format, name);
    return false;
}

/* The spec's place of each input of the call; every input of the spec exactly once. */
static bool match_inputs(const struct ex_call *call, const struct ex_model_spec *spec,
                         uint16_t index[], struct sl_error *err)
{
    bool is_given[EX_TENSORS_MAX] = {false};
    for (size_t i = 0; i < call->input_count; i++) {
        const char *name = call->inputs[i].name;
        const size_t at = ex_tensor_find(spec->inputs, spec->input_count, sl_span_str(name));
        if (at == spec->input_count)
            return refuse(err, "the model has no input '%s'", name);
        if (is_given[at])
            return refuse(err, "input '%s' is given twice", name);
        is_given[at] = true;
        index[i] = (uint16_t)at;
    }
    for (size_t i = 0; i < spec->input_count; i++) {
        if (!is_given[i])
            return refuse(err, "input '%s' is missing", spec->inputs[i].name);
    }
    return true;
}

static bool check_input(const struct ex_input *in, const struct ex_tensor_spec *spec,
                        uint64_t payload_bytes, struct sl_error *err)
{
    if (in->dtype != spec->dtype) {
        sl_error_set(err, SL_REASON_BAD_INPUT, "input '%s' is %s, the model takes %s", in->name,
                     sl_dtype_name(in->dtype), sl_dtype_name(spec->dtype));
        return false;
    }
    if (in->length_bytes > payload_bytes || in->offset_bytes > payload_bytes - in->length_bytes) {
        sl_error_set(err, SL_REASON_BAD_INPUT,
                     "input '%s' takes %llu bytes from %llu on, the payload has %llu", in->name,
                     (unsigned long long)in->length_bytes, (unsigned long long)in->offset_bytes,
                     (unsigned long long)payload_bytes);
        return false;
    }
    return ex_tensor_check(spec, in->dims, in->rank, in->length_bytes, err);
}

static bool check_inputs(const struct ex_call *call, const struct ex_model_spec *spec,
                         uint64_t payload_bytes, const uint16_t index[], struct sl_error *err)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < call->input_count; i++) {
        const struct ex_input *in = &call->inputs[i];
        if (!check_input(in, &spec->inputs[index[i]], payload_bytes, err))
            return false;
        sum += in->length_bytes; /* each is at most the payload's size, and they are few */
        if (sum > payload_bytes)
            return refuse(err, "input '%s' shares bytes of the payload with another one", in->name);
    }
    return true;
}

static bool match_outputs(const struct ex_call *call, const struct ex_model_spec *spec,
                          uint64_t *out_wanted, struct sl_error *err)
{
    if (call->output_count == 0) {
        *out_wanted =
            spec->output_count == 64 ? UINT64_MAX : (UINT64_C(1) << spec->output_count) - 1;
        return true;
    }
    *out_wanted = 0;
    for (size_t i = 0; i < call->output_count; i++) {
        const char *name = call->outputs[i];
        const size_t at = ex_tensor_find(spec->outputs, spec->output_count, sl_span_str(name));
        if (at == spec->output_count)
            return refuse(err, "the model has no output '%s'", name);
        *out_wanted |= UINT64_C(1) << at;
    }
    return true;
}

/* ---- the copy: struct, inputs, spans, sources, params, dims, texts, payload, in this order */

static size_t texts_bytes(const struct ex_call *call)
{
    size_t bytes = strnlen(call->call_id, EX_RECORD_CALL_ID_MAX) + 1;
    for (size_t i = 0; i < call->param_count; i++) {
        const struct ex_param *p = &call->params[i];
        bytes += strlen(p->name) + 1;
        if (p->kind == EX_PARAM_STRING)
            bytes += strlen(p->value.s) + 1;
    }
    return bytes;
}

static size_t dims_count(const struct ex_call *call)
{
    size_t count = 0;
    for (size_t i = 0; i < call->input_count; i++)
        count += call->inputs[i].rank;
    return count;
}

static size_t block_bytes(const struct ex_call *call)
{
    const size_t per_input =
        sizeof(struct ex_record_tensor) + sizeof(struct sl_span) + sizeof(uint64_t);
    return sizeof(struct ex_task) + call->input_count * per_input +
           call->param_count * sizeof(struct ex_param) + dims_count(call) * sizeof(int64_t) +
           texts_bytes(call) + call->payload.len;
}

/* Hands out the block from front to back. */
struct carver {
    uint8_t *next;
};

static void *carve(struct carver *c, size_t bytes)
{
    void *p = c->next;
    c->next += bytes;
    return p;
}

static const void *carve_copy(struct carver *c, const void *from, size_t bytes)
{
    void *p = carve(c, bytes);
    if (bytes > 0)
        memcpy(p, from, bytes);
    return p;
}

static const char *carve_text(struct carver *c, const char *text, size_t max)
{
    const size_t len = strnlen(text, max);
    char *copy = carve(c, len + 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

static void copy_inputs(const struct ex_call *call, const uint16_t index[],
                        struct ex_record_tensor *inputs, uint64_t *sources)
{
    for (size_t i = 0; i < call->input_count; i++) {
        const struct ex_input *in = &call->inputs[i];
        inputs[i] = (struct ex_record_tensor){
            .bytes = in->length_bytes, .index = index[i], .rank = (uint16_t)in->rank};
        sources[i] = in->offset_bytes;
    }
}

static void copy_texts(struct carver *c, const struct ex_call *call, struct ex_param *params)
{
    for (size_t i = 0; i < call->param_count; i++) {
        params[i] = call->params[i];
        params[i].name = carve_text(c, params[i].name, PTRDIFF_MAX);
        if (params[i].kind == EX_PARAM_STRING)
            params[i].value.s = carve_text(c, params[i].value.s, PTRDIFF_MAX);
    }
}

static void copy_call(struct ex_task *t, const struct ex_call *call, const uint16_t index[])
{
    struct carver c = {(uint8_t *)(t + 1)};
    const size_t n = call->input_count;
    struct ex_record_tensor *inputs = carve(&c, n * sizeof(*inputs));
    struct sl_span *spans = carve(&c, n * sizeof(*spans));
    uint64_t *sources = carve(&c, n * sizeof(*sources));
    struct ex_param *params = carve(&c, call->param_count * sizeof(*params));
    copy_inputs(call, index, inputs, sources);
    for (size_t i = 0; i < n; i++)
        inputs[i].dims = carve_copy(&c, call->inputs[i].dims, inputs[i].rank * sizeof(int64_t));
    copy_texts(&c, call, params);
    t->posting.job.call_id = carve_text(&c, call->call_id, EX_RECORD_CALL_ID_MAX);
    const uint8_t *payload = carve_copy(&c, call->payload.data, call->payload.len);
    for (size_t i = 0; i < n; i++)
        spans[i] = sl_span_of(payload + sources[i], (size_t)inputs[i].bytes);
    t->posting.inputs = inputs;
    t->posting.bytes = t->payload_bytes > 0 ? NULL : spans;
    t->posting.part_count = 1;
    t->posting.job.inputs = inputs;
    t->posting.job.input_count = n;
    t->posting.job.params = params;
    t->posting.job.param_count = call->param_count;
    t->sources = sources;
}

/* The limits of a record, said as a sentence. */
static bool check_record(const struct ex_task *t, struct sl_error *err)
{
    if (ex_job_head_bytes(&t->posting.job) > 0)
        return true;
    sl_error_set(err, SL_REASON_BAD_INPUT,
                 "the call's parameters are more than %d, or larger than %d bytes in all",
                 EX_PARAMS_MAX, EX_RECORD_HEAD_MAX);
    return false;
}

static bool check_form(const struct ex_call *call, struct sl_error *err)
{
    if (call->limit_us == 0 || call->limit_us > INT64_MAX / 1000) {
        sl_error_set(err, SL_REASON_BAD_INPUT, "a limit of %llu us is not possible",
                     (unsigned long long)call->limit_us);
        return false;
    }
    if (call->input_count > EX_TENSORS_MAX || call->param_count > EX_PARAMS_MAX) {
        sl_error_set(err, SL_REASON_BAD_INPUT,
                     "%zu inputs and %zu parameters are more than %d and %d", call->input_count,
                     call->param_count, EX_TENSORS_MAX, EX_PARAMS_MAX);
        return false;
    }
    return true;
}

bool ex_task_create(const struct sl_alloc *alloc, const struct ex_call *call, uint32_t model,
                    const struct ex_model_spec *spec, struct ex_task **out, struct sl_error *err)
{
    uint16_t index[EX_TENSORS_MAX];
    uint64_t wanted;
    const bool is_inline = call->payload.len > 0;
    const uint64_t payload_bytes = is_inline ? call->payload.len : call->payload_bytes;
    if (!check_form(call, err) || !match_inputs(call, spec, index, err) ||
        !check_inputs(call, spec, payload_bytes, index, err) ||
        !match_outputs(call, spec, &wanted, err))
        return false;
    struct ex_task *t = sl_alloc_get(alloc, block_bytes(call));
    if (!t) {
        sl_error_set(err, SL_REASON_NO_CAPACITY, "the node has no memory for the call");
        return false;
    }
    *t = (struct ex_task){.gateway_run = call->gateway_run,
                          .lease = call->lease,
                          .slice = call->slice,
                          .model = model,
                          .state = EX_JOB_NEW,
                          .limit_us = (sl_gpu_us)call->limit_us,
                          .kill_at = SL_MONO_NEVER,
                          .payload_bytes = is_inline ? 0 : payload_bytes};
    t->posting.job.wanted = wanted;
    copy_call(t, call, index);
    if (!check_record(t, err)) {
        sl_alloc_free(alloc, t);
        return false;
    }
    if (spec->max_batch > 1)
        t->items = ex_batch_items(&t->posting.job);
    *out = t;
    return true;
}

void ex_task_destroy(const struct sl_alloc *alloc, struct ex_task *t)
{
    sl_alloc_free(alloc, t);
}

/* ---- payload by bulk */

static uint64_t align_up(uint64_t n)
{
    return (n + EX_RECORD_ALIGN - 1) & ~(uint64_t)(EX_RECORD_ALIGN - 1);
}

uint64_t ex_task_segment_bytes(const struct ex_task *t)
{
    uint64_t end = 0;
    for (size_t i = 0; i < t->posting.job.input_count; i++)
        end += align_up(t->posting.inputs[i].bytes);
    return end > 0 ? end : EX_RECORD_ALIGN;
}

void ex_task_use_segment(struct ex_task *t, struct ex_segment *segment, uint8_t *map)
{
    uint64_t end = 0;
    for (size_t i = 0; i < t->posting.job.input_count; i++) {
        struct ex_record_tensor *in = &t->posting.inputs[i];
        in->offset = in->bytes > 0 ? end : 0;
        memset(map + end + in->bytes, 0, (size_t)(align_up(in->bytes) - in->bytes));
        end += align_up(in->bytes);
    }
    t->posting.segment = segment;
    t->segment_map = map;
}

/* The part of bytes (which begin at `from` in the payload) that belongs to input i. */
static void copy_share(const struct ex_task *t, size_t i, uint8_t *target, uint64_t from,
                       struct sl_span bytes)
{
    const uint64_t first = t->sources[i];
    const uint64_t last = first + t->posting.inputs[i].bytes;
    const uint64_t begin = first > from ? first : from;
    const uint64_t end = last < from + bytes.len ? last : from + bytes.len;
    if (begin < end)
        memcpy(target + (begin - first), bytes.data + (begin - from), (size_t)(end - begin));
}

sl_status ex_task_receive(struct ex_task *t, uint64_t offset, struct sl_span bytes)
{
    if (bytes.len == 0 || offset != t->received_bytes ||
        bytes.len > t->payload_bytes - t->received_bytes)
        return SL_EPROTO;
    uint64_t target = 0;
    for (size_t i = 0; i < t->posting.job.input_count; i++) {
        copy_share(t, i, t->segment_map + target, offset, bytes);
        target += align_up(t->posting.inputs[i].bytes);
    }
    t->received_bytes += bytes.len;
    return SL_OK;
}

struct sl_span ex_task_input(const struct ex_task *t, size_t i)
{
    if (t->posting.bytes)
        return t->posting.bytes[i];
    const struct ex_record_tensor *in = &t->posting.inputs[i];
    return sl_span_of(t->segment_map + in->offset, (size_t)in->bytes);
}
