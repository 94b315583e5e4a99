/* sluice_outbox.h - bytes on their way to the socket: small ones copied, large ones by reference.
 *
 * Memory   Fixed: SLUICE_OUTBOX_COPY_BYTES of copies, SLUICE_OUTBOX_PIECES pieces. What is borrowed
 *          must stay until it is sent or the outbox is cleared.
 */
#ifndef SLUICE_OUTBOX_H
#define SLUICE_OUTBOX_H

#include <stdbool.h>
#include <sys/uio.h>

#include "sl_span.h"

enum {
    SLUICE_OUTBOX_COPY_BYTES = 64 * 1024,
    SLUICE_OUTBOX_PIECES = 512,    /* below IOV_MAX, which is 1024 on Linux */
    SLUICE_OUTBOX_BYTES = 1 << 20, /* enough to keep a socket busy; more waits in the session */
};

struct sluice_outbox {
    struct iovec pieces[SLUICE_OUTBOX_PIECES];
    size_t first; /* not fully sent yet */
    size_t end;
    size_t queued_bytes;
    size_t copied_bytes;
    uint8_t copies[SLUICE_OUTBOX_COPY_BYTES];
};

void sluice_outbox_init(struct sluice_outbox *o);

/* Takes as many of the bytes as there is room for, and returns how many. */
size_t sluice_outbox_copy(struct sluice_outbox *o, struct sl_span bytes);
/* Is there room for copy_bytes to be copied and more_pieces borrowed pieces, and less queued than
 * SLUICE_OUTBOX_BYTES? */
bool sluice_outbox_has_room(const struct sluice_outbox *o, size_t copy_bytes, size_t more_pieces);
/* By reference; only after sluice_outbox_has_room said yes. */
void sluice_outbox_borrow(struct sluice_outbox *o, struct sl_span bytes);

/* What is to be sent now; *out_count is 0 when nothing is. */
const struct iovec *sluice_outbox_pieces(const struct sluice_outbox *o, size_t *out_count);
/* The first n bytes have been sent, n <= queued. */
void sluice_outbox_sent(struct sluice_outbox *o, size_t n);

#endif
