/* sluice_pb.c - reading protobuf's wire form field by field, in place. */
#include "sluice_pb.h"

sl_status sluice_pb_varint(struct sl_span *rest, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < rest->len && i < SLUICE_PB_VARINT_MAX; i++) {
        value |= (uint64_t)(rest->data[i] & 0x7F) << (7 * i);
        if ((rest->data[i] & 0x80) == 0) {
            *rest = sl_span_of(rest->data + i + 1, rest->len - i - 1);
            *out = value;
            return SL_OK;
        }
    }
    return SL_EPROTO;
}

/* The next n bytes as a little-endian number. */
static sl_status take_fixed(struct sl_span *rest, size_t n, uint64_t *out)
{
    if (rest->len < n)
        return SL_EPROTO;
    *out = 0;
    for (size_t i = 0; i < n; i++)
        *out |= (uint64_t)rest->data[i] << (8 * i);
    *rest = sl_span_of(rest->data + n, rest->len - n);
    return SL_OK;
}

static sl_status take_bytes(struct sl_span *rest, struct sl_span *out)
{
    uint64_t len;
    sl_status s = sluice_pb_varint(rest, &len);
    if (s != SL_OK)
        return s;
    if (len > rest->len)
        return SL_EPROTO;
    *out = sl_span_of(rest->data, (size_t)len);
    *rest = sl_span_of(rest->data + len, rest->len - (size_t)len);
    return SL_OK;
}

static sl_status take_payload(struct sl_span *rest, struct sluice_pb_field *f)
{
    switch (f->wire) {
    case SLUICE_PB_VARINT:
        return sluice_pb_varint(rest, &f->value);
    case SLUICE_PB_FIXED64:
        return take_fixed(rest, 8, &f->value);
    case SLUICE_PB_BYTES:
        return take_bytes(rest, &f->bytes);
    case SLUICE_PB_FIXED32:
        return take_fixed(rest, 4, &f->value);
    }
    return SL_EPROTO;
}

sl_status sluice_pb_next(struct sl_span *rest, struct sluice_pb_field *out)
{
    struct sl_span at = *rest;
    struct sluice_pb_field f = {0};
    uint64_t key;

    if (at.len == 0)
        return SL_ENOENT;
    sl_status s = sluice_pb_varint(&at, &key);
    if (s != SL_OK)
        return s;
    if (key > UINT32_MAX || key >> 3 == 0)
        return SL_EPROTO;
    f.number = (uint32_t)(key >> 3);
    f.wire = (enum sluice_pb_wire)(key & 7);
    s = take_payload(&at, &f);
    if (s != SL_OK)
        return s;
    *out = f;
    *rest = at;
    return SL_OK;
}

size_t sluice_pb_put_varint(uint64_t value, uint8_t out[SLUICE_PB_VARINT_MAX])
{
    size_t n = 0;

    while (value >= 0x80) {
        out[n++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[n++] = (uint8_t)value;
    return n;
}
