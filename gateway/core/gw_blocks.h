/* gw_blocks.h - the visitors that are blocked: who said so, when, and why. The ledger refuses their calls; this is what
 * operators are told. Pure.
 *
 * Threads  One: the flow's.
 * Memory   Owns its rows, of some 1 KiB each, at most max_count.
 * Errors   All or nothing.
 */
#ifndef GW_BLOCKS_H
#define GW_BLOCKS_H

#include "gw_principal.h"
#include "sl_alloc.h"
#include "sl_base.h"
#include "sl_span.h"
#include "sl_status.h"
#include "sl_time.h"

enum { GW_BLOCK_REASON_MAX = 512 };

struct gw_block_row {
    char account[GW_ACCOUNT_NAME_MAX + 1];
    char by[GW_ACCOUNT_NAME_MAX + 1]; /* the administrator's account */
    char reason[GW_BLOCK_REASON_MAX + 1];
    sl_wall_us at;
};

struct gw_blocks;

/* Errors: SL_EINVAL (max_count is 0), SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_blocks_create(const struct sl_alloc *alloc, size_t max_count,
                                         struct gw_blocks **out);
void gw_blocks_destroy(struct gw_blocks *b); /* NULL is fine */

/* In the place of the account's row, if it has one. Errors: SL_EFULL, SL_ENOMEM, SL_EINVAL (no account). */
SL_MUST_CHECK sl_status gw_blocks_set(struct gw_blocks *b, const struct gw_block_row *row);
void gw_blocks_remove(struct gw_blocks *b, struct sl_span account); /* none is fine */

/* NULL: it is not blocked. Valid until it is removed. */
const struct gw_block_row *gw_blocks_find(const struct gw_blocks *b, struct sl_span account);
/* The row after this one, in the order in which they came; NULL begins, and is the end. */
const struct gw_block_row *gw_blocks_next(const struct gw_blocks *b,
                                          const struct gw_block_row *after);

#endif
