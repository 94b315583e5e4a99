/* gw_account.h - the table of accounts: who has a window open and what was spent in it, and who goes when
 * there is no room. Under the ledger (gw_ledger.h), which alone changes what an account holds.
 *
 * An account in which there is nothing (no window, nothing spent, granted or held, no block) is the same
 * as none and leaves the table at once. For a newcomer without room another account goes: first those
 * without any spending, then those with, longest unused first; never one with an open hold or a block. A
 * fifth of the table is kept for those who signed in, and what they spent goes for none but their like.
 *
 * Purity   No I/O, no clock, no threads.
 * Memory   Some 200 bytes for each account there is, and 22 to 43 for each there may be, from the
 *          beginning.
 * Cost     O(1); a name costs one keyed hash.
 * Errors   All-or-nothing.
 */
#ifndef GW_ACCOUNT_H
#define GW_ACCOUNT_H

#include <stdbool.h>

#include "gw_principal.h"
#include "sl_alloc.h"
#include "sl_hash.h"
#include "sl_index.h"
#include "sl_slot.h"
#include "sl_span.h"
#include "sl_status.h"
#include "sl_time.h"

#define GW_WINDOW_US (24 * 3600 * SL_US_PER_S)
/* A window that begins so far ahead of now was opened by a clock that was wrong, and is over. */
#define GW_WINDOW_AHEAD_MAX_US (7 * GW_WINDOW_US)

struct gw_purse_hold;

struct gw_account {
    char *name;
    struct gw_account *prev, *next;                   /* of the idle accounts of its class */
    struct gw_account *opened_prev, *opened_next;     /* gw_accounts.opened */
    struct gw_account *visiting_prev, *visiting_next; /* the ledger's, while in_flight > 0 */
    struct gw_purse_hold *holds;                      /* open, of all windows, oldest first */
    sl_wall_us window_opened_at;                      /* 0: none is open */
    sl_gpu_us spent_us;                               /* in this window */
    sl_gpu_us granted_us;  /* beside the tier's time, in this window or the next to open */
    sl_gpu_us held_us;     /* by holds that belong to this window, or will to the next */
    sl_gpu_us admitted_us; /* the largest limit by which a hold of this window was let in */
    sl_slot_id slot;
    uint32_t hash;
    uint32_t window; /* number of the window that is open, or will be next */
    uint32_t hold_count;
    uint32_t in_flight; /* calls of this visitor's own */
    bool is_signed_in;
    bool is_blocked;
    bool is_opened; /* its window's opening has not been taken yet */
    int8_t idle_in; /* class + 1 while it is idle; 0: it is not */
};

/* Those that may go, by whether somebody signed in and whether anything was spent. */
enum gw_account_class {
    GW_ACCOUNT_ANONYMOUS_UNSPENT,
    GW_ACCOUNT_ANONYMOUS_SPENT,
    GW_ACCOUNT_SIGNED_UNSPENT,
    GW_ACCOUNT_SIGNED_SPENT,
    GW_ACCOUNT_CLASSES,
};

struct gw_accounts {
    const struct sl_alloc *alloc;
    struct sl_hash_seed seed;
    struct sl_slot_table *table;
    struct sl_index by_name;
    size_t max_count, anonymous_max;
    size_t count, anonymous_count;
    uint64_t evicted_count; /* of those that had spent in their window */
    struct gw_account *idle[GW_ACCOUNT_CLASSES];
    struct gw_account *opened; /* windows that nobody has taken note of, in their order */
};

/* max_count > 0. Errors: SL_EINVAL, SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_accounts_init(struct gw_accounts *t, const struct sl_alloc *alloc,
                                         size_t max_count, struct sl_hash_seed seed);
void gw_accounts_finish(struct gw_accounts *t);

/* NULL when there is none, or nothing is left in it at this time. */
struct gw_account *gw_accounts_find(struct gw_accounts *t, struct sl_span name, sl_wall_us now);
/* The account of that name, made when there is none, and busy until it is released as often as it was
 * taken. Errors: SL_EFULL (nobody can go), SL_ENOMEM, SL_EINVAL (an empty or too long name). */
SL_MUST_CHECK sl_status gw_accounts_take(struct gw_accounts *t, struct sl_span name,
                                         struct gw_account **out);
/* The account may be gone after that. */
void gw_accounts_release(struct gw_accounts *t, struct gw_account *a);

/* Looks at a busy account at this time: a window that is over ends, for good. */
void gw_account_observe(struct gw_accounts *t, struct gw_account *a, sl_wall_us now);
/* The account's window opens; it has none. */
void gw_account_open_window(struct gw_accounts *t, struct gw_account *a, sl_wall_us at);
/* Forgets that the account's opening has not been taken. */
void gw_account_forget_opening(struct gw_accounts *t, struct gw_account *a);
/* When the open window ends; 0 when none is open. */
sl_wall_us gw_account_window_ends_at(const struct gw_account *a);

/* Walks all accounts: *cursor starts at 0, NULL at the end. */
struct gw_account *gw_accounts_next(const struct gw_accounts *t, size_t *cursor);
/* Is the table as its lists and counts say? For tests; O(accounts). */
bool gw_accounts_are_whole(const struct gw_accounts *t);

/* Does the name belong to somebody who said who it is, rather than to an address or a cookie? */
bool gw_account_name_is_signed_in(struct sl_span name);

#endif
