/* ex_link_bulk.c - cuts results into chunks, and keeps pieces that came too early. */
#include "ex_link_bulk.h"

#include <utlist.h>

/* A rest of an output that is at least this long leaves by reference. */
enum { REFERENCE_MIN = EX_BULK_CHUNK_MAX / 2 };

struct ex_bulk_item {
    struct ex_bulk_item *prev, *next;
    uint64_t lease;
    uint64_t total_bytes;
    uint64_t sent_bytes;
    size_t part_count;
    size_t part;      /* the first that is not all sent */
    size_t part_sent; /* bytes of it */
    struct {
        struct ex_blob *blob;
        struct sl_span bytes;
    } parts[];
};

/* ---- parts: held or copied */

struct copied {
    const struct sl_alloc *alloc;
    struct ex_blob blob;
    uint8_t bytes[];
};

static void end_copied(struct ex_blob *blob)
{
    struct copied *c = SL_CONTAINER_OF(blob, struct copied, blob);
    sl_alloc_free(c->alloc, c);
}

static struct ex_blob *copy_blob(const struct sl_alloc *alloc, struct sl_span bytes)
{
    struct copied *c = sl_alloc_get(alloc, sizeof(*c) + bytes.len);
    if (!c)
        return NULL;
    c->alloc = alloc;
    memcpy(c->bytes, bytes.data, bytes.len);
    ex_blob_init(&c->blob, sl_span_of(c->bytes, bytes.len), end_copied);
    return &c->blob;
}

static bool add_part(const struct sl_alloc *alloc, struct ex_bulk_item *item,
                     const struct ex_output *output)
{
    if (output->bytes.len == 0)
        return true;
    struct ex_blob *blob =
        output->blob ? ex_blob_hold(output->blob) : copy_blob(alloc, output->bytes);
    if (!blob)
        return false;
    item->parts[item->part_count].blob = blob;
    item->parts[item->part_count].bytes = output->blob ? output->bytes : blob->bytes;
    item->part_count++;
    item->total_bytes += output->bytes.len;
    return true;
}

static void free_item(const struct sl_alloc *alloc, struct ex_bulk_item *item)
{
    for (size_t i = 0; i < item->part_count; i++)
        ex_blob_release(item->parts[i].blob);
    sl_alloc_free(alloc, item);
}

sl_status ex_bulk_out_add(struct ex_bulk_out *o, uint64_t lease, const struct ex_outcome *outcome)
{
    struct ex_bulk_item *item =
        sl_alloc_zero(o->alloc, 1, sizeof(*item) + outcome->output_count * sizeof(item->parts[0]));
    if (!item)
        return SL_ENOMEM;
    item->lease = lease;
    for (size_t i = 0; i < outcome->output_count; i++) {
        if (!add_part(o->alloc, item, &outcome->outputs[i])) {
            free_item(o->alloc, item);
            return SL_ENOMEM;
        }
    }
    DL_APPEND(o->items, item);
    return SL_OK;
}

void ex_bulk_out_clear(struct ex_bulk_out *o)
{
    while (o->items) {
        struct ex_bulk_item *item = o->items;
        DL_DELETE(o->items, item);
        free_item(o->alloc, item);
    }
    *o = (struct ex_bulk_out){.alloc = o->alloc};
}

void ex_bulk_out_ack(struct ex_bulk_out *o, uint64_t taken_bytes)
{
    if (taken_bytes > o->acked_bytes && taken_bytes <= o->sent_bytes)
        o->acked_bytes = taken_bytes;
}

/* ---- chunks */

static size_t part_rest(const struct ex_bulk_item *item, size_t part)
{
    const size_t sent = part == item->part ? item->part_sent : 0;
    return item->parts[part].bytes.len - sent;
}

/* How long the next chunk should be: a piece of one large part, or small parts in a row. */
static size_t chunk_wish(const struct ex_bulk_item *item)
{
    size_t len = part_rest(item, item->part);
    for (size_t i = item->part + 1; len < REFERENCE_MIN && i < item->part_count; i++) {
        if (part_rest(item, i) >= REFERENCE_MIN)
            break;
        len += part_rest(item, i);
    }
    return len < EX_BULK_CHUNK_MAX ? len : EX_BULK_CHUNK_MAX;
}

/* What the window allows of it: all or nothing, except that a window smaller than a chunk is used as
 * it is. */
static size_t chunk_len(const struct ex_bulk_out *o)
{
    const size_t wish = chunk_wish(o->items);
    const uint64_t ahead = o->sent_bytes - o->acked_bytes;
    if (ahead == 0)
        return wish < o->window_bytes ? wish : (size_t)o->window_bytes;
    return ahead <= o->window_bytes && wish <= o->window_bytes - ahead ? wish : 0;
}

static void release_sent(void *data, void *blob)
{
    (void)data;
    ex_blob_release(blob);
}

static bool refer(const struct ex_bulk_item *item, size_t len, zmq_msg_t *out)
{
    struct ex_blob *blob = ex_blob_hold(item->parts[item->part].blob);
    const uint8_t *data = item->parts[item->part].bytes.data + item->part_sent;
    if (zmq_msg_init_data(out, (void *)(uintptr_t)data, len, release_sent, blob) == 0)
        return true;
    ex_blob_release(blob);
    return false;
}

static bool gather(const struct ex_bulk_item *item, size_t len, zmq_msg_t *out)
{
    if (zmq_msg_init_size(out, len) != 0)
        return false;
    uint8_t *to = zmq_msg_data(out);
    size_t skip = item->part_sent;
    for (size_t i = item->part; len > 0; i++) {
        const size_t rest = item->parts[i].bytes.len - skip;
        const size_t n = rest < len ? rest : len;
        memcpy(to, item->parts[i].bytes.data + skip, n);
        to += n;
        len -= n;
        skip = 0;
    }
    return true;
}

static void advance(struct ex_bulk_out *o, size_t len)
{
    struct ex_bulk_item *item = o->items;
    o->sent_bytes += len;
    item->sent_bytes += len;
    while (len > 0) {
        const size_t rest = part_rest(item, item->part);
        const size_t n = rest < len ? rest : len;
        item->part_sent += n;
        len -= n;
        if (n == rest) {
            item->part++;
            item->part_sent = 0;
        }
    }
    if (item->sent_bytes == item->total_bytes) {
        DL_DELETE(o->items, item);
        free_item(o->alloc, item);
    }
}

/* A header and a chunk. ZeroMQ looks for room at the first frame only. */
static bool send_chunk(const struct ex_bulk_out *o, void *socket, uint64_t session, size_t len)
{
    const struct ex_bulk_item *item = o->items;
    const struct ex_bulk_header h = {.session = session,
                                     .lease = item->lease,
                                     .offset_bytes = item->sent_bytes,
                                     .total_bytes = item->total_bytes};
    uint8_t header[EX_BULK_HEADER_MAX];
    zmq_msg_t m;
    const bool is_one = len <= part_rest(item, item->part) && len >= REFERENCE_MIN;
    if (!(is_one ? refer(item, len, &m) : gather(item, len, &m)))
        return false;
    if (zmq_send(socket, header, ex_link_write_bulk(&h, header), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
        zmq_msg_send(&m, socket, ZMQ_DONTWAIT) >= 0)
        return true;
    zmq_msg_close(&m);
    return false;
}

void ex_bulk_out_send(struct ex_bulk_out *o, void *socket, uint64_t session)
{
    while (o->items) {
        const size_t len = chunk_len(o);
        if (len == 0 || !send_chunk(o, socket, session, len))
            return;
        advance(o, len);
    }
}

/* ---- early */

bool ex_bulk_early_keep(struct ex_bulk_early *e, const struct ex_bulk_header *header,
                        zmq_msg_t *give_bytes, sl_mono_ns drop_at)
{
    struct ex_bulk_piece *p =
        e->count < EX_BULK_EARLY_MAX ? sl_alloc_get(e->alloc, sizeof(*p)) : NULL;
    if (!p)
        return false;
    p->alloc = e->alloc;
    p->header = *header;
    p->drop_at = drop_at;
    zmq_msg_init(&p->bytes);
    zmq_msg_move(&p->bytes, give_bytes);
    DL_APPEND(e->pieces, p);
    e->count++;
    return true;
}

struct ex_bulk_piece *ex_bulk_early_take(struct ex_bulk_early *e, uint64_t lease, sl_mono_ns now)
{
    struct ex_bulk_piece *p;
    DL_FOREACH (e->pieces, p) {
        if (lease != 0 ? p->header.lease == lease : p->drop_at <= now) {
            DL_DELETE(e->pieces, p);
            e->count--;
            return p;
        }
    }
    return NULL;
}

void ex_bulk_piece_free(struct ex_bulk_piece *p)
{
    zmq_msg_close(&p->bytes);
    sl_alloc_free(p->alloc, p);
}

void ex_bulk_early_clear(struct ex_bulk_early *e)
{
    while (e->pieces) {
        struct ex_bulk_piece *p = e->pieces;
        DL_DELETE(e->pieces, p);
        ex_bulk_piece_free(p);
    }
    e->count = 0;
}
