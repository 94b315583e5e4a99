/* gw_room.h - the room for requests' messages: so many bytes in all, so many for one connection. Pure.
 *
 * Room is taken for a whole message before its bytes come, so that messages that are half there never wait
 * for each other; and no connection can take more than its share, whatever it announces.
 *
 * Memory   One entry for each connection that has taken some, from the allocator given.
 * Limits   max_bytes, share_bytes; connection 0 is nobody's and has no share.
 */
#ifndef GW_ROOM_H
#define GW_ROOM_H

#include <stdint.h>

#include "sl_alloc.h"
#include "sl_status.h"

struct gw_room_share;

struct gw_room {
    const struct sl_alloc *alloc;
    uint64_t max_bytes;
    uint64_t share_bytes; /* of one connection; 0: all */
    uint64_t used_bytes;
    struct gw_room_share *shares; /* by connection; those that use any */
};

void gw_room_init(struct gw_room *r, const struct sl_alloc *alloc, uint64_t max_bytes,
                  uint64_t share_bytes);
void gw_room_finish(struct gw_room *r);
/* What is taken stays taken. Shares that there were from the beginning may change, not come or go. */
void gw_room_resize(struct gw_room *r, uint64_t max_bytes, uint64_t share_bytes);

/* All or nothing. Errors: SL_EFULL (there is no room now), SL_EAGAIN (the connection's share is used up),
 * SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_room_take(struct gw_room *r, uint64_t connection, uint64_t bytes);
/* Gives back what was taken for the same connection. */
void gw_room_give(struct gw_room *r, uint64_t connection, uint64_t bytes);

#endif
