/* gw_ledger_check.c - the ledger's invariants, by counting everything anew. */
#include <utlist.h>

#include "gw_ledger.h"
#include "gw_ledger_int.h"

/* L1-L3 */
static bool is_account_right(const struct gw_account *a)
{
    const struct gw_purse_hold *p;
    sl_gpu_us held = 0;
    size_t count = 0;
    DL_FOREACH (a->holds, p) {
        bool is_current = p->window == a->window;
        if (p->account != a || p->amount_us < 0 ||
            (is_current && p->window_opened_at != a->window_opened_at))
            return false;
        held += is_current ? p->amount_us : 0;
        count++;
    }
    return held == a->held_us && count == a->hold_count && a->spent_us >= 0 &&
           a->spent_us + a->held_us <= a->admitted_us &&
           (a->window_opened_at != 0 || a->spent_us == 0);
}

/* Each hold is in the lists of its accounts, once, and counts with its visitor. */
static bool are_holds_right(const struct gw_ledger *l, size_t purse_holds, size_t in_flight)
{
    const struct gw_open_hold *h;
    size_t cursor = 0, count = 0, purses = 0;
    while ((h = sl_slot_next(l->holds, &cursor, NULL)) != NULL) {
        count++;
        purses += h->purse_count;
    }
    return count == in_flight && purses == purse_holds;
}

static bool is_visiting_right(const struct gw_ledger *l, size_t visiting)
{
    const struct gw_account *a;
    size_t count = 0;
    DL_FOREACH2(l->visiting, a, visiting_next)
    {
        count++;
        if (a->in_flight == 0)
            return false;
    }
    return count == visiting && count == l->visiting_count;
}

sl_status gw_ledger_check(const struct gw_ledger *l)
{
    const struct gw_account *a;
    size_t cursor = 0, purse_holds = 0, in_flight = 0, visiting = 0;
    while ((a = gw_accounts_next(&l->accounts, &cursor)) != NULL) {
        if (!is_account_right(a))
            return SL_EBROKEN;
        purse_holds += a->hold_count;
        in_flight += a->in_flight;
        visiting += a->in_flight > 0;
    }
    bool is_whole = gw_accounts_are_whole(&l->accounts) && is_visiting_right(l, visiting);
    return is_whole && are_holds_right(l, purse_holds, in_flight) ? SL_OK : SL_EBROKEN;
}
