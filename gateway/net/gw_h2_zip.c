/* gw_h2_zip.c - compressed messages: a request's is unpacked once it is whole, a reply's is packed
 * before it leaves. */
#include <inttypes.h>

#include "gw_h2_int.h"
#include "gw_zip.h"

/* ---- requests ---- */

static struct sl_span packed_message(const struct gw_stream *s)
{
    return sl_span_of(s->body->data, s->body->len);
}

static void refuse_packed(struct gw_h2 *h, struct gw_stream *s, sl_status why)
{
    struct sl_error e;
    const char *name = gw_encoding_name(s->x.req.encoding);
    if (why == SL_ETOOBIG)
        sl_error_set(&e, SL_REASON_TOO_LARGE,
                     "The message of %zu bytes in %s form has more than %" PRIu64
                     " bytes, which is the limit.",
                     s->body->len, name, s->frame.limit_bytes);
    else if (why == SL_ENOMEM)
        sl_error_set(&e, SL_REASON_NO_CAPACITY, "There is no memory to read a message in %s form.",
                     name);
    else /* INTERNAL is gRPC's word for it (doc/statuscodes.md) */
        sl_error_set(&e, SL_REASON_INTERNAL,
                     "The message of %zu bytes is not whole in the form that grpc-encoding names, "
                     "%s.",
                     s->body->len, name);
    gw_h2_refuse_error(h, s, &e);
}

bool gw_h2_unpack(struct gw_h2 *h, struct gw_stream *s)
{
    const struct sl_alloc *alloc = h->port->pool->alloc;
    struct gw_body *plain =
        gw_body_create_large(alloc, h->port->pool->bodies, (size_t)s->unpacked_bytes);
    sl_status status = SL_ENOMEM;
    if (plain != NULL)
        status =
            gw_zip_inflate(alloc, s->x.req.encoding, packed_message(s), plain->data, plain->len);
    if (status == SL_ETOOBIG) /* more than it said of itself */
        status = SL_EINVAL;
    if (status != SL_OK) {
        gw_body_release(plain);
        refuse_packed(h, s, status);
        return false;
    }
    gw_body_release(s->body);
    s->body = plain;
    return true;
}

bool gw_h2_measure(struct gw_h2 *h, struct gw_stream *s)
{
    sl_status status = gw_zip_size(h->port->pool->alloc, s->x.req.encoding, packed_message(s),
                                   s->frame.limit_bytes, &s->unpacked_bytes);
    if (status != SL_OK)
        refuse_packed(h, s, status);
    return status == SL_OK;
}

/* ---- replies ---- */

static bool is_to_be_packed(const struct gw_h2 *h, const struct gw_stream *s)
{
    enum gw_encoding e = s->x.req.encoding;
    uint64_t bytes = s->x.reply.message_bytes;
    return h->conf.mirrors_encoding && e != GW_ENCODING_IDENTITY &&
           (s->x.req.accepts & 1u << e) != 0 && bytes >= GW_H2_PACKED_MIN &&
           bytes <= GW_H2_PACKED_MAX;
}

static uint64_t sum_of(const struct gw_reply *r)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < r->piece_count; i++)
        sum += r->pieces[i].len;
    return sum;
}

void gw_h2_pack(struct gw_h2 *h, struct gw_stream *s)
{
    struct gw_reply *r = &s->x.reply;
    size_t len;
    if (!is_to_be_packed(h, s) || sum_of(r) != r->message_bytes)
        return;
    const struct sl_alloc *alloc = h->port->pool->alloc;
    uint8_t *room = sl_alloc_get(alloc, (size_t)r->message_bytes);
    if (room == NULL || gw_zip_deflate(alloc, s->x.req.encoding, r->pieces, r->piece_count, room,
                                       (size_t)r->message_bytes - 1, &len) != SL_OK) {
        sl_alloc_free(alloc, room); /* it goes plain, which every client reads */
        return;
    }
    uint8_t *fitting = alloc->resize(alloc->ctx, room, len);
    s->packed = fitting != NULL ? fitting : room;
    s->packed_piece = sl_span_of(s->packed, len);
    r->pieces = &s->packed_piece;
    r->piece_count = 1;
    r->message_bytes = len;
}
