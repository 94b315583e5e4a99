#include "gw_learn_code.h"

enum { VERSION = 1 };

size_t gw_learn_encode(const struct gw_learn *l, uint8_t out[GW_LEARN_BYTES_MAX])
{
    uint32_t oldest = l->count == GW_LEARN_SAMPLES ? l->next : 0;
    uint8_t *p = out;
    *p++ = VERSION;
    p = gw_pb_put_varint(p, l->count);
    for (uint32_t i = 0; i < l->count; i++)
        p = gw_pb_put_varint(p, (uint64_t)l->newest_last[(oldest + i) % GW_LEARN_SAMPLES]);
    return (size_t)(p - out);
}

/* false: none, or longer than it must be. */
static bool get_varint(struct gw_pb_reader *r, uint64_t *out)
{
    size_t before = r->at;
    return gw_pb_varint(r, out) && r->at - before == gw_pb_varint_bytes(*out);
}

sl_status gw_learn_decode(struct sl_span bytes, struct gw_learn *out)
{
    struct gw_pb_reader r = gw_pb_reader_of(bytes);
    struct gw_learn l = {.count = 0};
    uint64_t version, count, sample;
    if (!gw_pb_varint(&r, &version))
        return SL_EPROTO;
    if (version != VERSION)
        return SL_ENEVER;
    if (!get_varint(&r, &count) || count > GW_LEARN_SAMPLES)
        return SL_EPROTO;
    for (uint64_t i = 0; i < count; i++) {
        if (!get_varint(&r, &sample) || sample == 0 || sample > INT64_MAX)
            return SL_EPROTO;
        gw_learn_add(&l, (sl_gpu_us)sample);
    }
    if (r.at != r.len)
        return SL_EPROTO;
    *out = l;
    return SL_OK;
}
