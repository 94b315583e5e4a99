/* gw_ledger_keep.c - what operators do to accounts, and what of them outlives the process. */
#include <utlist.h>

#include "gw_ledger.h"
#include "gw_ledger_int.h"

/* The account, busy, as it is now. */
static sl_status take(struct gw_ledger *l, struct sl_span name, sl_wall_us now,
                      struct gw_account **out)
{
    sl_status s = gw_accounts_take(&l->accounts, name, out);
    if (s == SL_OK)
        gw_account_observe(&l->accounts, *out, now);
    return s;
}

sl_status gw_ledger_grant(struct gw_ledger *l, struct sl_span account, sl_gpu_us extra_us,
                          sl_wall_us now, sl_wall_us *out_window)
{
    struct gw_account *a;
    sl_status s = take(l, account, now, &a);
    if (s != SL_OK)
        return s;
    a->granted_us = sl_sat_add(a->granted_us, extra_us);
    *out_window = a->window_opened_at;
    gw_accounts_release(&l->accounts, a);
    return SL_OK;
}

sl_status gw_ledger_set_blocked(struct gw_ledger *l, struct sl_span account, bool is_blocked,
                                sl_wall_us now)
{
    struct gw_account *a;
    sl_status s = take(l, account, now, &a);
    if (s != SL_OK)
        return s;
    a->is_blocked = is_blocked;
    gw_accounts_release(&l->accounts, a);
    return SL_OK;
}

/* ---- what was kept */

static void set_window(struct gw_ledger *l, struct gw_account *a, sl_wall_us opened_at,
                       sl_gpu_us spent_us)
{
    if (opened_at == 0)
        return;
    gw_account_open_window(&l->accounts, a, opened_at);
    gw_account_forget_opening(&l->accounts, a); /* it is kept already */
    a->spent_us = a->admitted_us = spent_us;
}

sl_status gw_ledger_restore(struct gw_ledger *l, const struct gw_account_row *row, sl_wall_us now)
{
    struct gw_account *a;
    if (row->window_opened_at < 0 || row->spent_us < 0 ||
        (row->window_opened_at == 0 && row->spent_us > 0))
        return SL_EINVAL;
    sl_status s = take(l, row->name, now, &a);
    if (s != SL_OK)
        return s;
    if (a->window_opened_at != 0) {
        gw_accounts_release(&l->accounts, a);
        return SL_EEXIST;
    }
    set_window(l, a, row->window_opened_at, row->spent_us);
    a->granted_us = row->granted_us;
    gw_account_observe(&l->accounts, a, now);
    gw_accounts_release(&l->accounts, a);
    return SL_OK;
}

sl_status gw_ledger_replay(struct gw_ledger *l, struct sl_span account, sl_wall_us window_opened_at,
                           sl_gpu_us charged_us, sl_wall_us now)
{
    struct gw_account *a;
    if (window_opened_at < 0 || charged_us < 0)
        return SL_EINVAL;
    sl_status s = gw_accounts_take(&l->accounts, account, &a);
    if (s != SL_OK)
        return s;
    if (window_opened_at > a->window_opened_at) { /* that one had ended, or there was none */
        a->granted_us = a->window_opened_at == 0 ? a->granted_us : 0;
        set_window(l, a, window_opened_at, 0);
    }
    if (window_opened_at != 0 && window_opened_at == a->window_opened_at) {
        a->spent_us = sl_sat_add(a->spent_us, charged_us);
        a->admitted_us = a->spent_us + a->held_us;
    }
    gw_account_observe(&l->accounts, a, now);
    gw_accounts_release(&l->accounts, a);
    return SL_OK;
}

static struct gw_account_row row_of(const struct gw_account *a)
{
    return (struct gw_account_row){sl_span_str(a->name), a->window_opened_at, a->spent_us,
                                   a->granted_us};
}

bool gw_ledger_next_opened(struct gw_ledger *l, struct gw_account_row *out)
{
    struct gw_account *a = l->accounts.opened;
    if (a == NULL)
        return false;
    gw_account_forget_opening(&l->accounts, a);
    *out = row_of(a);
    return true;
}

/* ---- what there is */

struct gw_account_view gw_ledger_view(const struct gw_account *a)
{
    return (struct gw_account_view){row_of(a), a->held_us, a->in_flight, a->is_blocked};
}

bool gw_ledger_find_account(struct gw_ledger *l, struct sl_span account, sl_wall_us now,
                            struct gw_account_view *out)
{
    const struct gw_account *a = gw_accounts_find(&l->accounts, account, now);
    if (a == NULL)
        return false;
    *out = gw_ledger_view(a);
    return true;
}

bool gw_ledger_next_account(struct gw_ledger *l, size_t *cursor, struct gw_account_view *out)
{
    const struct gw_account *a = gw_accounts_next(&l->accounts, cursor);
    if (a == NULL)
        return false;
    *out = gw_ledger_view(a);
    return true;
}

struct gw_ledger_totals gw_ledger_totals(const struct gw_ledger *l)
{
    return (struct gw_ledger_totals){l->accounts.count, sl_slot_count(l->holds),
                                     l->accounts.evicted_count, l->visiting_count};
}
