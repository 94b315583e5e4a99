/* gw_h2_out.h - bytes on their way out of one connection: small ones gathered, large ones by reference.
 *
 * Memory   Gathered bytes are copied into a buffer that grows up to a maximum and is given back when it is
 *          empty and large. Referenced bytes are borrowed until they are consumed. What gw_h2_out_view shows
 *          stays where it is until the next append.
 * Bound    GW_H2_OUT_PARTS_MAX parts and max_bytes gathered bytes: callers ask gw_h2_out_has_room first.
 */
#ifndef GW_H2_OUT_H
#define GW_H2_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "sl_buf.h"
#include "sl_status.h"

enum { GW_H2_OUT_PARTS_MAX = 64 };

struct gw_h2_out_part {
    const uint8_t *borrowed; /* NULL: the next len bytes of the buffer */
    size_t len;
};

struct gw_h2_out {
    struct sl_buf gathered;
    size_t gathered_gone; /* of the buffer, already consumed */
    struct gw_h2_out_part parts[GW_H2_OUT_PARTS_MAX];
    size_t first, end;  /* parts [first, end) */
    uint64_t in_bytes;  /* ever appended: the output position */
    uint64_t out_bytes; /* ever consumed */
};

void gw_h2_out_init(struct gw_h2_out *o, const struct sl_alloc *alloc, size_t max_bytes);
void gw_h2_out_finish(struct gw_h2_out *o);

static inline size_t gw_h2_out_pending(const struct gw_h2_out *o)
{
    return (size_t)(o->in_bytes - o->out_bytes);
}
static inline size_t gw_h2_out_free_parts(const struct gw_h2_out *o)
{
    return GW_H2_OUT_PARTS_MAX - o->end;
}

/* Errors: SL_EFULL (no part left), SL_ETOOBIG, SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_h2_out_copy(struct gw_h2_out *o, const void *bytes, size_t len);
/* Errors: SL_EFULL. */
SL_MUST_CHECK sl_status gw_h2_out_borrow(struct gw_h2_out *o, const uint8_t *bytes, size_t len);

/* Fills at most max vectors with what is pending; returns how many. */
size_t gw_h2_out_view(const struct gw_h2_out *o, struct iovec *out, size_t max);
/* n <= pending. */
void gw_h2_out_consume(struct gw_h2_out *o, size_t n);

#endif
