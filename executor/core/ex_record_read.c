/* ex_record_read.c - jobs and results from bytes that a peer wrote; the layout stands in
 * ex_record.h. */
#include "ex_record.h"

#include <string.h>

#include "ex_record_layout.h"

/* A head in private memory, read from front to back. */
struct reader {
    const uint8_t *head;
    size_t at;
    size_t head_bytes;
    uint64_t record_bytes;
};

static uint16_t get_u16(const uint8_t *from)
{
    uint16_t v;
    memcpy(&v, from, sizeof(v));
    return v;
}

static uint32_t get_u32(const uint8_t *from)
{
    uint32_t v;
    memcpy(&v, from, sizeof(v));
    return v;
}

static uint64_t get_u64(const uint8_t *from)
{
    uint64_t v;
    memcpy(&v, from, sizeof(v));
    return v;
}

static bool has(const struct reader *r, size_t bytes)
{
    return bytes <= r->head_bytes - r->at;
}

/* Copies the head out of shared memory, once: the fixed part first, which says how long it is. */
static sl_status copy_head(struct sl_span record, size_t fixed_bytes,
                           struct ex_record_scratch *scratch, struct reader *out)
{
    if (record.len < fixed_bytes)
        return SL_EPROTO;
    memcpy(scratch->head, record.data, fixed_bytes);
    const uint32_t head_bytes = get_u32(scratch->head + AT_HEAD_BYTES);
    if (head_bytes < fixed_bytes || head_bytes > record.len || head_bytes > EX_RECORD_HEAD_MAX ||
        head_bytes % 8 != 0)
        return SL_EPROTO;
    memcpy(scratch->head + fixed_bytes, record.data + fixed_bytes, head_bytes - fixed_bytes);
    *out = (struct reader){scratch->head, fixed_bytes, head_bytes, record.len};
    return SL_OK;
}

static bool are_zeros(const uint8_t *from, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (from[i] != 0)
            return false;
    }
    return true;
}

/* A text of len bytes and a NUL at `from`, with no NUL within? */
static bool is_text(const uint8_t *from, size_t len)
{
    return from[len] == 0 && memchr(from, 0, len) == NULL;
}

/* A NUL-padded field: at least one NUL, and nothing behind it. */
static bool is_field(const uint8_t *from, size_t bytes)
{
    const size_t len = strnlen((const char *)from, bytes);
    return len < bytes && are_zeros(from + len, bytes - len);
}

static bool has_good_place(const struct ex_record_tensor *t, const struct reader *r)
{
    if (t->bytes == 0)
        return t->offset == 0 && t->segment == 0;
    if (t->offset % EX_RECORD_ALIGN != 0)
        return false;
    if (t->segment != 0)
        return t->bytes <= UINT64_MAX - t->offset;
    return t->offset >= r->head_bytes && t->offset <= r->record_bytes &&
           t->bytes <= r->record_bytes - t->offset;
}

static bool are_dims(const int64_t *dims, size_t rank)
{
    for (size_t i = 0; i < rank; i++) {
        if (dims[i] < 0)
            return false;
    }
    return true;
}

static sl_status read_tensor(struct reader *r, struct ex_record_tensor *out)
{
    if (!has(r, TENSOR_FIXED_BYTES))
        return SL_EPROTO;
    const uint8_t *p = r->head + r->at;
    *out = (struct ex_record_tensor){
        .offset = get_u64(p),
        .bytes = get_u64(p + 8),
        .segment = get_u32(p + 16),
        .index = get_u16(p + 20),
        .rank = get_u16(p + 22),
        .dims = (const int64_t *)(const void *)(p + TENSOR_FIXED_BYTES),
    };
    if (out->index >= EX_TENSORS_MAX || out->rank > SL_RANK_MAX ||
        !has(r, tensor_bytes(out->rank)) || !are_dims(out->dims, out->rank) ||
        !has_good_place(out, r))
        return SL_EPROTO;
    r->at += tensor_bytes(out->rank);
    return SL_OK;
}

static sl_status read_tensors(struct reader *r, struct ex_record_tensor *out, size_t count)
{
    if (count > EX_TENSORS_MAX)
        return SL_EPROTO;
    uint64_t seen = 0; /* bit i: index i */
    for (size_t i = 0; i < count; i++) {
        const sl_status s = read_tensor(r, &out[i]);
        if (s != SL_OK)
            return s;
        const uint64_t bit = UINT64_C(1) << out[i].index;
        if (seen & bit)
            return SL_EPROTO;
        seen |= bit;
    }
    return SL_OK;
}

/* The value of every kind but STRING. */
static bool take_param_word(struct ex_param *p, uint64_t word)
{
    switch (p->kind) {
    case EX_PARAM_BOOL:
        p->value.b = word == 1;
        return word <= 1;
    case EX_PARAM_INT:
        p->value.i = (int64_t)word;
        return true;
    case EX_PARAM_UINT:
        p->value.u = word;
        return true;
    case EX_PARAM_DOUBLE:
        memcpy(&p->value.d, &word, sizeof(word));
        return true;
    case EX_PARAM_STRING:
        return true;
    }
    return false;
}

/* The texts behind a param's fixed part: its name and, for STRING, its value; then moves on. */
static sl_status read_param_texts(struct reader *r, size_t name_bytes, uint64_t text_bytes,
                                  struct ex_param *out)
{
    const bool has_text = out->kind == EX_PARAM_STRING;
    if (name_bytes == 0 || name_bytes > EX_RECORD_PARAM_NAME_MAX || text_bytes > r->head_bytes)
        return SL_EPROTO;
    const uint8_t *name = r->head + r->at + PARAM_FIXED_BYTES;
    const size_t used =
        PARAM_FIXED_BYTES + name_bytes + 1 + (has_text ? (size_t)text_bytes + 1 : 0);
    const size_t end = (used + 7) / 8 * 8;
    if (!has(r, end) || !is_text(name, name_bytes) ||
        !are_zeros(r->head + r->at + used, end - used))
        return SL_EPROTO;
    out->name = (const char *)name;
    if (has_text) {
        out->value.s = out->name + name_bytes + 1;
        if (!is_text(name + name_bytes + 1, (size_t)text_bytes))
            return SL_EPROTO;
    }
    r->at += end;
    return SL_OK;
}

static sl_status read_param(struct reader *r, struct ex_param *out)
{
    if (!has(r, PARAM_FIXED_BYTES))
        return SL_EPROTO;
    const uint8_t *p = r->head + r->at;
    const uint64_t word = get_u64(p + 8);
    *out = (struct ex_param){.kind = (enum ex_param_kind)p[0]};
    if (p[1] != 0 || get_u32(p + 4) != 0 || !take_param_word(out, word))
        return SL_EPROTO;
    return read_param_texts(r, get_u16(p + 2), out->kind == EX_PARAM_STRING ? word : 0, out);
}

static sl_status read_params(struct reader *r, struct ex_param *out, size_t count)
{
    if (count > EX_PARAMS_MAX)
        return SL_EPROTO;
    for (size_t i = 0; i < count; i++) {
        const sl_status s = read_param(r, &out[i]);
        if (s != SL_OK)
            return s;
    }
    return SL_OK;
}

sl_status ex_job_decode(struct sl_span record, struct ex_record_scratch *scratch,
                        struct ex_job *out)
{
    struct reader r;
    sl_status s = copy_head(record, JOB_FIXED_BYTES, scratch, &r);
    if (s != SL_OK)
        return s;
    *out = (struct ex_job){
        .seq = get_u64(r.head + AT_SEQ),
        .wanted = get_u64(r.head + AT_WANTED),
        .call_id = (const char *)r.head + AT_CALL_ID,
        .inputs = scratch->tensors,
        .input_count = get_u16(r.head + AT_TENSOR_COUNT),
        .params = scratch->params,
        .param_count = get_u16(r.head + AT_PARAM_COUNT),
    };
    if (out->seq == 0 || !is_field(r.head + AT_CALL_ID, CALL_ID_BYTES))
        return SL_EPROTO;
    s = read_tensors(&r, scratch->tensors, out->input_count);
    if (s == SL_OK)
        s = read_params(&r, scratch->params, out->param_count);
    if (s == SL_OK && r.at != r.head_bytes)
        s = SL_EPROTO;
    return s;
}

static sl_status read_result_text(struct reader *r, struct ex_result *out)
{
    const size_t len = get_u16(r->head + AT_TEXT_BYTES);
    const uint8_t *text = r->head + r->at;
    if (len > EX_RECORD_TEXT_MAX || !has(r, len + 1) || !is_text(text, len) ||
        !are_zeros(text + len, r->head_bytes - r->at - len) || r->head_bytes - r->at - len > 8)
        return SL_EPROTO;
    out->text = (const char *)text;
    const bool is_ok = out->reason == SL_REASON_OK;
    return (is_ok && len > 0) || (!is_ok && out->output_count > 0) ? SL_EPROTO : SL_OK;
}

sl_status ex_result_decode(struct sl_span record, struct ex_record_scratch *scratch,
                           struct ex_result *out)
{
    struct reader r;
    sl_status s = copy_head(record, RESULT_FIXED_BYTES, scratch, &r);
    if (s != SL_OK)
        return s;
    const char *reason = (const char *)r.head + AT_REASON;
    if (!is_field(r.head + AT_REASON, REASON_BYTES))
        return SL_EPROTO;
    *out = (struct ex_result){
        .seq = get_u64(r.head + AT_SEQ),
        .run_us = get_u64(r.head + AT_RUN_US),
        .reason = reason[0] == 0 ? SL_REASON_OK : sl_reason_from_name(reason),
        .outputs = scratch->tensors,
        .output_count = get_u16(r.head + AT_TENSOR_COUNT),
    };
    if (reason[0] != 0 && out->reason == SL_REASON_OK)
        out->reason = SL_REASON_INTERNAL; /* somebody wrote "OK" for a failure */
    s = read_tensors(&r, scratch->tensors, out->output_count);
    return s == SL_OK ? read_result_text(&r, out) : s;
}
