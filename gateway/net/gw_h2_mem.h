/* gw_h2_mem.h - nghttp2's memory for one connection, from our allocator, and a way out when there is none.
 *
 * nghttp2 cannot be trusted after an allocation of its own has failed: 1.52 frees an item that stays attached
 * to its stream, and ends it once more with the session. So from the first failure on nothing is
 * given back block by block (is_starved): the connection is ended, nghttp2 is not called any more, not even
 * to end its session, and gw_h2_mem_finish gives all of it back.
 *
 * A stream needs a dozen small blocks for a moment. They are kept for the connection's next streams, up to
 * GW_H2_KEPT_BYTES_MAX: that costs neither the allocator nor the list.
 *
 * Memory   Two pointers and a size before each block; the blocks are on a list.
 * Threads  The connection's.
 */
#ifndef GW_H2_MEM_H
#define GW_H2_MEM_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>

#include "sl_alloc.h"

enum {
    GW_H2_KEPT_STEP_BYTES = 64, /* small blocks have a multiple of this */
    GW_H2_KEPT_SIZES = 8,       /* up to so many steps */
    GW_H2_KEPT_BYTES_MAX = 16 << 10,
};

struct gw_h2_block;

struct gw_h2_mem {
    const struct sl_alloc *alloc; /* borrowed */
    struct gw_h2_block *blocks;   /* all, also those that are kept */
    struct gw_h2_block *kept[GW_H2_KEPT_SIZES];
    size_t kept_bytes;
    bool is_starved; /* an allocation has failed */
};

void gw_h2_mem_init(struct gw_h2_mem *m, const struct sl_alloc *alloc);
/* Gives back what is left, which is nothing after the end of a session that was not starved. */
void gw_h2_mem_finish(struct gw_h2_mem *m);
/* What nghttp2_session_server_new3 takes; m stays where it is as long as the session lives. */
nghttp2_mem gw_h2_mem_functions(struct gw_h2_mem *m);

#endif
