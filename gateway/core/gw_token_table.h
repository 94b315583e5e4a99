/* gw_token_table.h - all API tokens that are known, by their hashes. Pure.
 *
 * Threads  One: the flow's.
 * Memory   Owns its rows, of which there are at most max_count.
 * Errors   All or nothing.
 * Cost     A look-up is one in a hash table; a hash is compared whole whatever it holds, although what a
 *          caller can choose is a token, not its hash.
 */
#ifndef GW_TOKEN_TABLE_H
#define GW_TOKEN_TABLE_H

#include "gw_token.h"
#include "sl_alloc.h"
#include "sl_base.h"
#include "sl_status.h"

struct gw_token_table;

SL_MUST_CHECK sl_status gw_token_table_create(const struct sl_alloc *alloc, size_t max_count,
                                              struct gw_token_table **out);
void gw_token_table_destroy(struct gw_token_table *t); /* NULL is fine */

/* The row is copied. Errors: SL_EEXIST (its hash or its prefix is there), SL_EFULL, SL_ENOMEM, SL_EINVAL (its
 * user or its app has no good name). */
SL_MUST_CHECK sl_status gw_token_table_add(struct gw_token_table *t,
                                           const struct gw_token_row *row);
/* Revoked and expired ones too; NULL: not known. Valid until the row is removed. */
const struct gw_token_row *gw_token_table_find(const struct gw_token_table *t,
                                               const uint8_t hash[GW_TOKEN_HASH_BYTES]);
/* By its prefix, as people name it. */
const struct gw_token_row *gw_token_table_find_prefix(const struct gw_token_table *t,
                                                      struct sl_span prefix);
/* It stays in the list. Errors: SL_ENOENT. Again is fine. */
SL_MUST_CHECK sl_status gw_token_table_revoke(struct gw_token_table *t, struct sl_span prefix);
/* Errors: SL_ENOENT. */
SL_MUST_CHECK sl_status gw_token_table_remove(struct gw_token_table *t, struct sl_span prefix);

size_t gw_token_table_count(const struct gw_token_table *t);
/* The row after this one, in the order in which they came; NULL begins, and is the end. */
const struct gw_token_row *gw_token_table_next(const struct gw_token_table *t,
                                               const struct gw_token_row *after);

/* Why a row is not good now: a short text for the log; NULL: it is good. */
const char *gw_token_row_fault(const struct gw_token_row *row, sl_wall_us now);

#endif
