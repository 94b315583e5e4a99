#include "gw_pb.h"

static bool fail(struct gw_pb_reader *r)
{
    r->bad = true;
    return false;
}

bool gw_pb_varint(struct gw_pb_reader *r, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (r->at >= r->len)
            return fail(r);
        uint8_t byte = r->data[r->at++];
        if (shift == 63 && byte > 1)
            return fail(r);
        v |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *out = v;
            return true;
        }
    }
    return fail(r);
}

static bool read_fixed(struct gw_pb_reader *r, size_t bytes, uint64_t *out)
{
    if (r->len - r->at < bytes)
        return fail(r);
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)r->data[r->at + i] << (8 * i);
    r->at += bytes;
    *out = v;
    return true;
}

static bool skip_bytes(struct gw_pb_reader *r, struct gw_pb_field *out)
{
    uint64_t length;
    if (!gw_pb_varint(r, &length))
        return false;
    if (length > r->len - r->at)
        return fail(r);
    out->offset = r->at;
    out->length = (size_t)length;
    r->at += out->length;
    return true;
}

bool gw_pb_next(struct gw_pb_reader *r, struct gw_pb_field *out)
{
    uint64_t tag;
    if (r->bad || r->at >= r->len || !gw_pb_varint(r, &tag))
        return false;
    if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return fail(r);
    *out = (struct gw_pb_field){.number = (uint32_t)(tag >> 3), .type = (enum gw_pb_type)(tag & 7)};
    switch (out->type) {
    case GW_PB_VARINT:
        return gw_pb_varint(r, &out->value);
    case GW_PB_FIXED64:
        return read_fixed(r, 8, &out->value);
    case GW_PB_FIXED32:
        return read_fixed(r, 4, &out->value);
    case GW_PB_BYTES:
        return skip_bytes(r, out);
    }
    return fail(r); /* groups and what is not a wire type */
}

size_t gw_pb_varint_bytes(uint64_t v)
{
    size_t n = 1;
    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}

uint8_t *gw_pb_put_varint(uint8_t *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

uint8_t *gw_pb_put_head(uint8_t *p, uint32_t number, uint64_t length)
{
    p = gw_pb_put_varint(p, (uint64_t)number << 3 | GW_PB_BYTES);
    return gw_pb_put_varint(p, length);
}

uint8_t *gw_pb_put_bytes(uint8_t *p, uint32_t number, struct sl_span content)
{
    p = gw_pb_put_head(p, number, content.len);
    if (content.len > 0)
        memcpy(p, content.data, content.len);
    return p + content.len;
}

size_t gw_pb_bytes_size(size_t content_len)
{
    return 1 + gw_pb_varint_bytes(content_len) + content_len;
}
