/* gw_ledger.h - GPU time as money: hold before a call waits, settle after it ended.
 *
 * On a call's way:  gw_principal (who pays) > [hold] > queue > executor > [start] > result > [settle] > receipt
 *
 * A principal has one to three purses, each an account; a hold is put aside in all of them or in none.
 *
 *   (none) --gw_ledger_hold--> HELD --gw_ledger_start--> STARTED --gw_ledger_settle--> closed
 *                               `-------------gw_ledger_settle--------------------------^
 *
 * Windows  An account's window opens when the first call that it pays for starts on a slice, and lasts
 *          24 h. A hold before that opens nothing. A call belongs to the window in which it was held, or
 *          that was opened while it was held; a charge to a window that is over by then is on the receipt
 *          and nowhere else. What was once seen to be over stays over, however the clock steps; a window
 *          that begins more than seven days from now was opened by a wrong clock, and is over too.
 * Purity   No I/O, no clock, no threads, no log: the same calls give the same answers.
 * Units    sl_gpu_us, microseconds of one slice with the size's factor in it, except where a duration of the
 *          slice is said. Instants are the wall clock's.
 * Threads  One.
 * Errors   All-or-nothing: after an error nothing has changed, except that accounts which may go may have
 *          made room.
 * Memory   Accounts as gw_account.h says, max_holds of 200 bytes when in use. Ids are values: one whose hold
 *          is closed is refused, never followed.
 * Durable  By the caller: receipts and grants as he makes them, openings of windows by
 *          gw_ledger_next_opened. Holds are memory only.
 *
 * Invariants (gw_ledger_check)
 *   L1  held of an account == the sum of its open holds of that window
 *   L2  spent + held <= the largest limit by which a hold of that window was let in, grants included
 *   L3  nothing is spent without a window
 *   L4  open holds == calls in flight of all visitors
 *   L5  who has calls in flight, and nobody else, is listed as visiting
 *   L6  the table finds every account, and only what may go is listed as such
 */
#ifndef GW_LEDGER_H
#define GW_LEDGER_H

#include "gw_account.h"
#include "gw_charge.h"
#include "gw_principal.h"
#include "gw_tier.h"

struct gw_ledger;
typedef sl_slot_id gw_hold_id; /* 0: none */

struct gw_ledger_conf {
    size_t max_accounts;
    size_t max_holds; /* calls in all states */
    struct sl_hash_seed seed;
};

/* Errors: SL_EINVAL (a maximum is 0 or above 2^30), SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_ledger_create(const struct sl_alloc *alloc,
                                         const struct gw_ledger_conf *conf, struct gw_ledger **out);
void gw_ledger_destroy(struct gw_ledger *l); /* NULL is fine; open holds are dropped */

/* ---- what a purse has: open > [quota] */

struct gw_quota {
    size_t purse;   /* of the principal's */
    bool is_shared; /* with others, because they come from the same address */
    bool is_blocked;
    sl_gpu_us limit_us;          /* of the tier, for this purse */
    sl_gpu_us granted_us;        /* beside it, below 0 when it was taken; until this window ends */
    sl_gpu_us spent_us, held_us; /* in this window */
    sl_gpu_us left_us;           /* never below 0 */
    sl_wall_us window_opened_at; /* 0: none is open */
    sl_wall_us resets_at;        /* when none is open: as if one were opened now */
    uint32_t in_flight, in_flight_max; /* of the visitor */
};

/* One purse, from 0 to purse_count - 1; who has no account yet has all of it left. */
void gw_ledger_purse(struct gw_ledger *l, const struct gw_principal *who,
                     const struct gw_tiers *tiers, size_t purse, sl_wall_us now,
                     struct gw_quota *out);
/* The purse with the least left, the visitor's own among equals: what the next call must fit into. */
void gw_ledger_quota(struct gw_ledger *l, const struct gw_principal *who,
                     const struct gw_tiers *tiers, sl_wall_us now, struct gw_quota *out);

/* ---- understood > [hold] */

struct gw_hold_ask {
    const struct gw_principal *who;
    const struct gw_tiers *tiers;
    sl_gpu_us duration_us; /* of the slice, above 0 */
    uint32_t factor_thousandths;
    bool is_background; /* over quota in a tier that runs when idle: pays and opens nothing */
};

struct gw_hold {
    gw_hold_id id;
    sl_gpu_us held_us;
    /* Of the purse that is used up most, before this call; spent and held. */
    sl_gpu_us used_us, limit_us;
};

enum gw_hold_refusal_kind {
    GW_HOLD_QUOTA,     /* not now: less is left than asked */
    GW_HOLD_TOO_LONG,  /* never: more than the tier gives in a day */
    GW_HOLD_IN_FLIGHT, /* not now: as many calls as the tier allows at once */
    GW_HOLD_BLOCKED,   /* not until an operator says otherwise */
    GW_HOLD_NO_ROOM,   /* not now: no account can go, or there is no memory */
};

struct gw_hold_refusal {
    enum gw_hold_refusal_kind kind;
    struct gw_quota quota; /* of the purse that refused */
    sl_gpu_us asked_us;
    sl_gpu_us duration_us; /* of the slice, as asked */
    sl_gpu_us longest_us;  /* TOO_LONG: the longest duration that could be held in a day */
    uint32_t factor_thousandths;
};

/* Errors: SL_EAGAIN and SL_ENEVER (refused, now or for good, as *refusal says; gw_quota_text.h has the sentence),
 * SL_EINVAL (a principal without purses or with one twice, a tier that is not in the table, no duration). */
SL_MUST_CHECK sl_status gw_ledger_hold(struct gw_ledger *l, const struct gw_hold_ask *ask,
                                       sl_wall_us now, struct gw_hold *out,
                                       struct gw_hold_refusal *refusal);

/* ---- started > [start] */

/* The call began on a slice at started_at; a second start of it changes nothing. Errors: SL_ESTALE. */
SL_MUST_CHECK sl_status gw_ledger_start(struct gw_ledger *l, gw_hold_id id, sl_wall_us started_at);

/* ---- ended > [settle] */

struct gw_usage {
    enum sl_reason reason;
    bool was_started;  /* the result tells it when no start was told */
    sl_gpu_us used_us; /* of the slice */
};

struct gw_settlement {
    sl_gpu_us held_us, charged_us;               /* charged: by every purse */
    sl_wall_us windows_opened_at[GW_PURSES_MAX]; /* of each, the one that was charged; 0: none */
};

/* Closes the hold: charges what gw_charge says, gives back the rest. Errors: SL_ESTALE (closed before, or never
 * issued: a repeated result ends here). */
SL_MUST_CHECK sl_status gw_ledger_settle(struct gw_ledger *l, gw_hold_id id,
                                         const struct gw_usage *usage, sl_wall_us now,
                                         struct gw_settlement *out);
/* Closes it and charges nothing, whatever had begun. Errors: SL_ESTALE. */
SL_MUST_CHECK sl_status gw_ledger_refund(struct gw_ledger *l, gw_hold_id id);

/* ---- operators */

/* Gives the account extra_us beside its tier's time (takes them, below 0) in the window that is open, or the next
 * one. *out_window: that window's opening, 0 when none is open. Errors: SL_EFULL, SL_ENOMEM, SL_EINVAL (the
 * name). */
SL_MUST_CHECK sl_status gw_ledger_grant(struct gw_ledger *l, struct sl_span account,
                                        sl_gpu_us extra_us, sl_wall_us now, sl_wall_us *out_window);
/* A blocked account's next call is refused; those in flight go on. Errors: as above. */
SL_MUST_CHECK sl_status gw_ledger_set_blocked(struct gw_ledger *l, struct sl_span account,
                                              bool is_blocked, sl_wall_us now);

/* ---- what lasts */

/* An account as it was kept; blocks and grants come by their own functions. */
struct gw_account_row {
    struct sl_span name;
    sl_wall_us window_opened_at; /* 0: none */
    sl_gpu_us spent_us, granted_us;
};

/* At the start, before any hold: the account has this window. A window that is over is passed over. Errors:
 * SL_EEXIST (it has one), SL_EFULL, SL_ENOMEM, SL_EINVAL (the name, or below 0). */
SL_MUST_CHECK sl_status gw_ledger_restore(struct gw_ledger *l, const struct gw_account_row *row,
                                          sl_wall_us now);
/* At the start: a receipt that is not in the rows yet. It counts where its window is open, and opens one that
 * is newer. Errors: SL_EFULL, SL_ENOMEM, SL_EINVAL (the name, or a charge below 0). */
SL_MUST_CHECK sl_status gw_ledger_replay(struct gw_ledger *l, struct sl_span account,
                                         sl_wall_us window_opened_at, sl_gpu_us charged_us,
                                         sl_wall_us now);
/* The next window that has opened since it was asked last: to be kept before the receipts that name it. The name
 * is borrowed until the next call of the ledger. false: there is none. */
bool gw_ledger_next_opened(struct gw_ledger *l, struct gw_account_row *out);

/* For operators. Names are borrowed as above. */
struct gw_account_view {
    struct gw_account_row row;
    sl_gpu_us held_us;
    uint32_t in_flight;
    bool is_blocked;
};
/* false: there is nothing in that account. */
bool gw_ledger_find_account(struct gw_ledger *l, struct sl_span account, sl_wall_us now,
                            struct gw_account_view *out);
/* All accounts: *cursor starts at 0. false: that was the last. */
bool gw_ledger_next_account(struct gw_ledger *l, size_t *cursor, struct gw_account_view *out);

/* Of those with calls in flight, who have spent most in their window, the most first: up to max of them; so many
 * are looked at, those who have had calls open for longest. Names are borrowed. */
enum { GW_LEDGER_LOOK_MAX = 4096 };
size_t gw_ledger_busiest(struct gw_ledger *l, sl_wall_us now, struct gw_account_view *out,
                         size_t max);

struct gw_ledger_totals {
    size_t accounts, holds;
    uint64_t evicted; /* accounts that had spent in their window and made room */
    size_t visiting;  /* accounts with calls in flight */
};
struct gw_ledger_totals gw_ledger_totals(const struct gw_ledger *l);

/* SL_OK, or SL_EBROKEN when one of L1-L6 fails. For tests, the simulator and operators. */
SL_MUST_CHECK sl_status gw_ledger_check(const struct gw_ledger *l);

#endif
