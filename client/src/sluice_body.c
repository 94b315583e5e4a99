/* sluice_body.c - one gRPC message on its way out. */
#include "sluice_body.h"

#include "sluice_pb.h"

enum { HEAD_BYTES_MAX = 64 << 20, WIRE_BYTES = 2 };

void sluice_body_init(struct sluice_body *b)
{
    *b = (struct sluice_body){0};
    sl_buf_init(&b->head, &sl_alloc_malloc, HEAD_BYTES_MAX);
}

void sluice_body_finish(struct sluice_body *b)
{
    sl_buf_finish(&b->head);
    b->part_count = 0;
    b->head_parted = 0;
    b->total_bytes = 0;
}

static sl_status push_part(struct sluice_body *b, struct sl_span part)
{
    if (part.len == 0)
        return SL_OK;
    if (b->part_count >= SLUICE_BODY_PARTS_MAX)
        return SL_EFULL;
    b->parts[b->part_count++] = part;
    b->total_bytes += part.len;
    return SL_OK;
}

/* Makes a part of the head's bytes that are in none yet. */
static sl_status push_head(struct sluice_body *b)
{
    struct sl_span loose = sl_span_of(b->head.data + b->head_parted, b->head.len - b->head_parted);
    b->head_parted = b->head.len;
    return push_part(b, loose);
}

sl_status sluice_body_reserve(struct sluice_body *b, size_t head_bytes)
{
    static const uint8_t prefix[SLUICE_GRPC_PREFIX_BYTES] = {0};
    sl_status s = sl_buf_reserve(&b->head, sizeof(prefix) + head_bytes);
    return s != SL_OK ? s : sl_buf_append(&b->head, prefix, sizeof(prefix));
}

sl_status sluice_body_add_field(struct sluice_body *b, uint32_t field, struct sl_span data)
{
    uint8_t tag[2 * SLUICE_PB_VARINT_MAX];
    size_t n = sluice_pb_put_varint((uint64_t)field << 3 | WIRE_BYTES, tag);

    n += sluice_pb_put_varint(data.len, tag + n);
    if (n > b->head.capacity - b->head.len)
        return SL_ETOOBIG;
    sl_status s = sl_buf_append(&b->head, tag, n);
    if (s == SL_OK && data.len > 0)
        s = push_head(b);
    return s == SL_OK ? push_part(b, data) : s;
}

sl_status sluice_body_seal(struct sluice_body *b, uint64_t max_bytes)
{
    sl_status s = push_head(b);
    if (s != SL_OK)
        return s;
    uint64_t message = b->total_bytes - SLUICE_GRPC_PREFIX_BYTES;
    if (message > max_bytes)
        return SL_ETOOBIG;
    for (int i = 0; i < 4; i++)
        b->head.data[1 + i] = (uint8_t)(message >> (24 - 8 * i));
    return SL_OK;
}

sl_status sluice_body_of_bytes(struct sluice_body *b, struct sl_span message, uint64_t max_bytes)
{
    sl_status s = sluice_body_reserve(b, 0);
    if (s == SL_OK)
        s = push_head(b);
    if (s == SL_OK)
        s = push_part(b, message);
    return s == SL_OK ? sluice_body_seal(b, max_bytes) : s;
}
