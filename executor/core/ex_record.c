/* ex_record.c - jobs and results to bytes; the layout stands in ex_record.h. */
#include "ex_record.h"

#include <string.h>

#include "ex_record_layout.h"

/* Each reason's name and a NUL fit its field. */
#define FITS(name, grpc, http)                                                                     \
    _Static_assert(sizeof(#name) <= REASON_BYTES, #name " is too long for a result");
SL_REASON_MAP(FITS)
#undef FITS

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

static size_t tensors_bytes(const struct ex_record_tensor *tensors, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += tensor_bytes(tensors[i].rank);
    return bytes;
}

/* Room for what is written next, from front to back; the caller made sure that it suffices. */
struct writer {
    uint8_t *start;
    size_t at;
};

static void put(struct writer *w, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(w->start + w->at, bytes, len);
    w->at += len;
}

static void put_u8(struct writer *w, uint8_t v)
{
    put(w, &v, sizeof(v));
}

static void put_u16(struct writer *w, size_t v)
{
    const uint16_t narrow = (uint16_t)v;
    put(w, &narrow, sizeof(narrow));
}

static void put_u32(struct writer *w, size_t v)
{
    const uint32_t narrow = (uint32_t)v;
    put(w, &narrow, sizeof(narrow));
}

static void put_u64(struct writer *w, uint64_t v)
{
    put(w, &v, sizeof(v));
}

static void put_zeros(struct writer *w, size_t len)
{
    memset(w->start + w->at, 0, len);
    w->at += len;
}

/* The text in a field of `bytes`, filled up with zeros. */
static void put_field(struct writer *w, const char *text, size_t bytes)
{
    const size_t len = strlen(text);
    put(w, text, len);
    put_zeros(w, bytes - len);
}

static void put_tensor(struct writer *w, const struct ex_record_tensor *t)
{
    put_u64(w, t->offset);
    put_u64(w, t->bytes);
    put_u32(w, t->segment);
    put_u16(w, t->index);
    put_u16(w, t->rank);
    put(w, t->dims, t->rank * sizeof(int64_t));
}

static bool are_encodable(const struct ex_record_tensor *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (tensors[i].rank > SL_RANK_MAX || tensors[i].index >= EX_TENSORS_MAX)
            return false;
    }
    return true;
}

/* ---- params */

/* 0 when a text is too long to stand in a head. */
static size_t param_bytes(const struct ex_param *p)
{
    const size_t name = strlen(p->name);
    const size_t text = p->kind == EX_PARAM_STRING ? strlen(p->value.s) + 1 : 0;
    if (name == 0 || name > EX_RECORD_PARAM_NAME_MAX || text > EX_RECORD_HEAD_MAX)
        return 0;
    return round_up(PARAM_FIXED_BYTES + name + 1 + text, 8);
}

static uint64_t param_word(const struct ex_param *p)
{
    uint64_t word = 0;
    switch (p->kind) {
    case EX_PARAM_BOOL:
        return p->value.b;
    case EX_PARAM_INT:
        return (uint64_t)p->value.i;
    case EX_PARAM_UINT:
        return p->value.u;
    case EX_PARAM_DOUBLE:
        memcpy(&word, &p->value.d, sizeof(word));
        return word;
    case EX_PARAM_STRING:
        return strlen(p->value.s);
    }
    return word;
}

static void put_param(struct writer *w, const struct ex_param *p)
{
    const size_t end = w->at + param_bytes(p);
    put_u8(w, (uint8_t)p->kind);
    put_u8(w, 0);
    put_u16(w, strlen(p->name));
    put_u32(w, 0);
    put_u64(w, param_word(p));
    put(w, p->name, strlen(p->name) + 1);
    if (p->kind == EX_PARAM_STRING)
        put(w, p->value.s, strlen(p->value.s) + 1);
    put_zeros(w, end - w->at);
}

/* ---- jobs and results */

size_t ex_job_head_bytes(const struct ex_job *job)
{
    if (job->input_count > EX_TENSORS_MAX || job->param_count > EX_PARAMS_MAX ||
        strlen(job->call_id) > EX_RECORD_CALL_ID_MAX)
        return 0;
    size_t bytes = JOB_FIXED_BYTES + tensors_bytes(job->inputs, job->input_count);
    for (size_t i = 0; i < job->param_count; i++) {
        const size_t more = param_bytes(&job->params[i]);
        if (more == 0)
            return 0;
        bytes += more;
    }
    return bytes <= EX_RECORD_HEAD_MAX ? bytes : 0;
}

sl_status ex_record_place(struct ex_record_tensor *t, uint64_t *end, uint64_t max_bytes)
{
    if (t->bytes == 0) {
        t->offset = 0;
        return SL_OK;
    }
    const uint64_t offset = round_up(*end, EX_RECORD_ALIGN);
    if (offset > max_bytes || t->bytes > max_bytes - offset)
        return SL_ETOOBIG;
    t->offset = offset;
    *end = offset + t->bytes;
    return SL_OK;
}

sl_status ex_job_encode(const struct ex_job *job, uint8_t *out)
{
    const size_t head_bytes = ex_job_head_bytes(job);
    if (head_bytes == 0 || !are_encodable(job->inputs, job->input_count))
        return SL_EINVAL;
    struct writer w = {out, AT_SEQ};
    put_u64(&w, job->seq);
    put_u64(&w, job->wanted);
    put_u32(&w, head_bytes);
    put_u16(&w, job->input_count);
    put_u16(&w, job->param_count);
    put_field(&w, job->call_id, CALL_ID_BYTES);
    for (size_t i = 0; i < job->input_count; i++)
        put_tensor(&w, &job->inputs[i]);
    for (size_t i = 0; i < job->param_count; i++)
        put_param(&w, &job->params[i]);
    return SL_OK;
}

size_t ex_result_head_bytes(const struct ex_result *result)
{
    if (result->output_count > EX_TENSORS_MAX)
        return 0;
    const size_t text = strnlen(result->text, EX_RECORD_TEXT_MAX);
    return RESULT_FIXED_BYTES + tensors_bytes(result->outputs, result->output_count) +
           round_up(text + 1, 8);
}

sl_status ex_result_encode(const struct ex_result *result, uint8_t *out)
{
    const size_t head_bytes = ex_result_head_bytes(result);
    if (head_bytes == 0 || !are_encodable(result->outputs, result->output_count))
        return SL_EINVAL;
    const bool is_ok = result->reason == SL_REASON_OK;
    const size_t text = strnlen(result->text, EX_RECORD_TEXT_MAX);
    struct writer w = {out, AT_SEQ};
    put_u64(&w, result->seq);
    put_u64(&w, result->run_us);
    put_u32(&w, head_bytes);
    put_u16(&w, result->output_count);
    put_u16(&w, text);
    put_field(&w, is_ok ? "" : sl_reason_name(result->reason), REASON_BYTES);
    for (size_t i = 0; i < result->output_count; i++)
        put_tensor(&w, &result->outputs[i]);
    put(&w, result->text, text);
    put_zeros(&w, head_bytes - w.at);
    return SL_OK;
}
