#include "gw_receipt_code.h"

#include <assert.h>

#include "gw_pb.h"

enum { VERSION_PLAIN = 1, VERSION_OF_MEMBER = 2 };
enum { NUMBERS = 8, TEXTS = 7, FIXED_BYTES = 1 + 16 + 1 + 1 };

static_assert(FIXED_BYTES + (NUMBERS + GW_PURSES_MAX) * GW_PB_VARINT_MAX +
                      (GW_PURSES_MAX + TEXTS + 1) * (2 + GW_RECEIPT_TEXT_MAX) <=
                  GW_RECEIPT_BYTES_MAX,
              "room for the largest receipt");

static uint64_t zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
}

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ ((v & 1) != 0 ? UINT64_MAX : 0));
}

/* ---- writing */

static bool is_encodable(const struct gw_receipt *r)
{
    struct sl_span texts[] = {
        r->tier, r->app, r->model, r->size, r->node, r->idempotency_key, r->organisation};
    if (r->account_count > GW_PURSES_MAX || (unsigned)r->cause > GW_CAUSE_ORPHAN ||
        (unsigned)r->reason >= SL_REASON_COUNT)
        return false;
    for (size_t i = 0; i < r->account_count; i++)
        if (r->accounts[i].len > GW_RECEIPT_TEXT_MAX)
            return false;
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++)
        if (texts[i].len > GW_RECEIPT_TEXT_MAX)
            return false;
    return true;
}

static uint8_t *put_text(uint8_t *p, struct sl_span text)
{
    p = gw_pb_put_varint(p, text.len);
    if (text.len > 0)
        memcpy(p, text.data, text.len);
    return p + text.len;
}

/* For room that the largest receipt fits into. */
static size_t encode(const struct gw_receipt *r, uint8_t *out)
{
    const uint64_t numbers[NUMBERS] = {
        zigzag(r->ended_at),   zigzag(r->declared_us), zigzag(r->held_us), zigzag(r->used_us),
        zigzag(r->charged_us), zigzag(r->queue_us),    r->lease_journal,   r->lease_record};
    const struct sl_span texts[TEXTS] = {r->tier,
                                         r->app,
                                         r->model,
                                         r->size,
                                         r->node,
                                         r->idempotency_key,
                                         sl_span_str(sl_reason_name(r->reason))};
    bool has_organisation = r->organisation.len > 0;
    uint8_t *p = out;
    *p++ = has_organisation ? VERSION_OF_MEMBER : VERSION_PLAIN;
    memcpy(p, r->call_id, sizeof r->call_id);
    p += sizeof r->call_id;
    *p++ = (uint8_t)r->cause;
    for (size_t i = 0; i < NUMBERS; i++)
        p = gw_pb_put_varint(p, numbers[i]);
    *p++ = (uint8_t)r->account_count;
    for (size_t i = 0; i < r->account_count; i++)
        p = gw_pb_put_varint(put_text(p, r->accounts[i]), zigzag(r->windows_opened_at[i]));
    for (size_t i = 0; i < TEXTS; i++)
        p = put_text(p, texts[i]);
    if (has_organisation)
        p = put_text(p, r->organisation);
    return (size_t)(p - out);
}

sl_status gw_receipt_encode(const struct gw_receipt *r, uint8_t *out, size_t room,
                            size_t *out_bytes)
{
    uint8_t whole[GW_RECEIPT_BYTES_MAX];
    if (!is_encodable(r))
        return SL_EINVAL;
    bool is_roomy = room >= sizeof whole;
    size_t bytes = encode(r, is_roomy ? out : whole);
    if (bytes > room)
        return SL_ETOOBIG;
    if (!is_roomy)
        memcpy(out, whole, bytes);
    *out_bytes = bytes;
    return SL_OK;
}

/* ---- reading: after the first thing that does not fit, bad is set and all else is empty */

static uint64_t get_varint(struct gw_pb_reader *r)
{
    uint64_t v = 0;
    size_t before = r->at;
    if (r->bad || !gw_pb_varint(r, &v))
        return 0;
    if (r->at - before != gw_pb_varint_bytes(v)) /* longer than it must be */
        r->bad = true;
    return v;
}

static struct sl_span get_bytes(struct gw_pb_reader *r, uint64_t len)
{
    if (r->bad || len > r->len - r->at) {
        r->bad = true;
        return sl_span_of(NULL, 0);
    }
    struct sl_span bytes = sl_span_of(r->data + r->at, (size_t)len);
    r->at += (size_t)len;
    return bytes;
}

static uint8_t get_byte(struct gw_pb_reader *r, uint8_t max)
{
    struct sl_span byte = get_bytes(r, 1);
    if (byte.len == 0)
        return 0;
    r->bad = byte.data[0] > max;
    return r->bad ? 0 : byte.data[0];
}

static struct sl_span get_text(struct gw_pb_reader *r)
{
    uint64_t len = get_varint(r);
    if (len > GW_RECEIPT_TEXT_MAX)
        r->bad = true;
    return get_bytes(r, len);
}

static enum sl_reason get_reason(struct gw_pb_reader *r)
{
    char name[GW_RECEIPT_TEXT_MAX + 1];
    struct sl_span text = get_text(r);
    if (r->bad)
        return SL_REASON_INTERNAL;
    if (text.len > 0)
        memcpy(name, text.data, text.len);
    name[text.len] = '\0';
    enum sl_reason reason = sl_reason_from_name(name);
    if (!sl_span_eq_str(text, sl_reason_name(reason))) /* of no name that is known */
        r->bad = true;
    return reason;
}

/* A receipt without one would have been of the other version. */
static struct sl_span get_organisation(struct gw_pb_reader *r)
{
    struct sl_span organisation = get_text(r);
    r->bad |= organisation.len == 0;
    return organisation;
}

static int64_t get_signed(struct gw_pb_reader *r)
{
    return unzigzag(get_varint(r));
}

static void get_numbers(struct gw_pb_reader *r, struct gw_receipt *out)
{
    out->ended_at = get_signed(r);
    out->declared_us = get_signed(r);
    out->held_us = get_signed(r);
    out->used_us = get_signed(r);
    out->charged_us = get_signed(r);
    out->queue_us = get_signed(r);
    out->lease_journal = get_varint(r);
    out->lease_record = get_varint(r);
}

sl_status gw_receipt_decode(struct sl_span bytes, struct gw_receipt *out)
{
    struct gw_pb_reader r = gw_pb_reader_of(bytes);
    *out = (struct gw_receipt){0};
    uint8_t version = get_byte(&r, UINT8_MAX);
    if (version != VERSION_PLAIN && version != VERSION_OF_MEMBER)
        return r.bad ? SL_EPROTO : SL_ENEVER;
    struct sl_span id = get_bytes(&r, sizeof out->call_id);
    if (id.len > 0)
        memcpy(out->call_id, id.data, id.len);
    out->cause = (enum gw_cause)get_byte(&r, GW_CAUSE_ORPHAN);
    get_numbers(&r, out);
    out->account_count = get_byte(&r, GW_PURSES_MAX);
    for (size_t i = 0; i < out->account_count; i++) {
        out->accounts[i] = get_text(&r);
        out->windows_opened_at[i] = get_signed(&r);
    }
    struct sl_span *const texts[] = {&out->tier, &out->app,  &out->model,
                                     &out->size, &out->node, &out->idempotency_key};
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++)
        *texts[i] = get_text(&r);
    out->reason = get_reason(&r);
    if (version == VERSION_OF_MEMBER)
        out->organisation = get_organisation(&r);
    return r.bad || r.at != r.len ? SL_EPROTO : SL_OK;
}
