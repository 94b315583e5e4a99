/* gw_ledger_int.h - the insides of the ledger, which gw_ledger.c, gw_ledger_keep.c and gw_ledger_check.c share. */
#ifndef GW_LEDGER_INT_H
#define GW_LEDGER_INT_H

#include "gw_ledger.h"

/* A hold's part in one account. */
struct gw_purse_hold {
    struct gw_account *account;        /* busy as long as this is open */
    struct gw_purse_hold *prev, *next; /* gw_account.holds */
    sl_gpu_us amount_us;
    sl_wall_us window_opened_at; /* of the window it belongs to; 0: that has not opened */
    uint32_t window;             /* its number: gw_account.window */
};

struct gw_open_hold {
    sl_gpu_us held_us;
    uint32_t factor_thousandths;
    uint32_t purse_count;
    bool is_started;
    struct gw_purse_hold purses[GW_PURSES_MAX]; /* the visitor's own first */
};

struct gw_ledger {
    const struct sl_alloc *alloc;
    struct gw_accounts accounts;
    struct sl_slot_table *holds; /* of gw_open_hold */
    struct gw_account *visiting; /* with calls in flight, in the order in which they came */
    size_t visiting_count;
};

struct gw_account_view gw_ledger_view(const struct gw_account *a);

#endif
