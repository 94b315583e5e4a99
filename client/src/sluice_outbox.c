/* sluice_outbox.c - bytes on their way to the socket. */
#include "sluice_outbox.h"

void sluice_outbox_init(struct sluice_outbox *o)
{
    o->first = o->end = 0;
    o->queued_bytes = o->copied_bytes = 0;
}

static void push(struct sluice_outbox *o, const void *data, size_t len)
{
    o->pieces[o->end++] = (struct iovec){.iov_base = (void *)data, .iov_len = len};
    o->queued_bytes += len;
}

size_t sluice_outbox_copy(struct sluice_outbox *o, struct sl_span bytes)
{
    size_t room = SLUICE_OUTBOX_COPY_BYTES - o->copied_bytes;
    size_t n = bytes.len < room ? bytes.len : room;

    if (n == 0 || o->end == SLUICE_OUTBOX_PIECES)
        return 0;
    uint8_t *at = o->copies + o->copied_bytes;
    memcpy(at, bytes.data, n);
    o->copied_bytes += n;
    push(o, at, n);
    return n;
}

bool sluice_outbox_has_room(const struct sluice_outbox *o, size_t copy_bytes, size_t more_pieces)
{
    return o->queued_bytes < SLUICE_OUTBOX_BYTES &&
           copy_bytes <= SLUICE_OUTBOX_COPY_BYTES - o->copied_bytes &&
           more_pieces + 1 <= SLUICE_OUTBOX_PIECES - o->end;
}

void sluice_outbox_borrow(struct sluice_outbox *o, struct sl_span bytes)
{
    push(o, bytes.data, bytes.len);
}

const struct iovec *sluice_outbox_pieces(const struct sluice_outbox *o, size_t *out_count)
{
    *out_count = o->end - o->first;
    return o->pieces + o->first;
}

void sluice_outbox_sent(struct sluice_outbox *o, size_t n)
{
    o->queued_bytes -= n;
    while (o->first < o->end && n >= o->pieces[o->first].iov_len)
        n -= o->pieces[o->first++].iov_len;
    if (o->first == o->end) {
        sluice_outbox_init(o);
        return;
    }
    o->pieces[o->first].iov_base = (uint8_t *)o->pieces[o->first].iov_base + n;
    o->pieces[o->first].iov_len -= n;
}
