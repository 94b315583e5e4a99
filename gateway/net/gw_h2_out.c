/* gw_h2_out.c - a list of parts over one buffer. */
#include "gw_h2_out.h"

/* An empty buffer of at most this size is kept for the next turn. */
enum { KEPT_BYTES = 16 * 1024 };

void gw_h2_out_init(struct gw_h2_out *o, const struct sl_alloc *alloc, size_t max_bytes)
{
    o->gathered_gone = 0;
    o->first = o->end = 0;
    o->in_bytes = o->out_bytes = 0;
    sl_buf_init(&o->gathered, alloc, max_bytes);
}

void gw_h2_out_finish(struct gw_h2_out *o)
{
    sl_buf_finish(&o->gathered);
}

static bool last_is_gathered(const struct gw_h2_out *o)
{
    return o->end > o->first && o->parts[o->end - 1].borrowed == NULL;
}

static sl_status add_part(struct gw_h2_out *o, const uint8_t *borrowed, size_t len)
{
    if (o->end == GW_H2_OUT_PARTS_MAX)
        return SL_EFULL;
    o->parts[o->end++] = (struct gw_h2_out_part){borrowed, len};
    o->in_bytes += len;
    return SL_OK;
}

sl_status gw_h2_out_copy(struct gw_h2_out *o, const void *bytes, size_t len)
{
    if (len == 0)
        return SL_OK;
    if (!last_is_gathered(o) && o->end == GW_H2_OUT_PARTS_MAX)
        return SL_EFULL;
    sl_status s = sl_buf_append(&o->gathered, bytes, len);
    if (s != SL_OK)
        return s;
    if (!last_is_gathered(o))
        return add_part(o, NULL, len);
    o->parts[o->end - 1].len += len;
    o->in_bytes += len;
    return SL_OK;
}

sl_status gw_h2_out_borrow(struct gw_h2_out *o, const uint8_t *bytes, size_t len)
{
    return len == 0 ? SL_OK : add_part(o, bytes, len);
}

size_t gw_h2_out_view(const struct gw_h2_out *o, struct iovec *out, size_t max)
{
    const uint8_t *gathered = o->gathered.data + o->gathered_gone;
    size_t n = 0;
    for (size_t i = o->first; i < o->end && n < max; i++) {
        const struct gw_h2_out_part *p = &o->parts[i];
        const uint8_t *from = p->borrowed != NULL ? p->borrowed : gathered;
        if (p->borrowed == NULL)
            gathered += p->len;
        out[n++] = (struct iovec){.iov_base = (void *)(uintptr_t)from, .iov_len = p->len};
    }
    return n;
}

static void restart(struct gw_h2_out *o)
{
    o->first = o->end = 0;
    o->gathered_gone = 0;
    if (o->gathered.capacity > KEPT_BYTES)
        sl_buf_finish(&o->gathered);
    else
        sl_buf_clear(&o->gathered);
}

void gw_h2_out_consume(struct gw_h2_out *o, size_t n)
{
    o->out_bytes += n;
    while (n > 0) {
        struct gw_h2_out_part *p = &o->parts[o->first];
        size_t gone = n < p->len ? n : p->len;
        if (p->borrowed != NULL)
            p->borrowed += gone;
        else
            o->gathered_gone += gone;
        p->len -= gone;
        n -= gone;
        if (p->len == 0)
            o->first++;
    }
    if (o->first == o->end)
        restart(o);
}
