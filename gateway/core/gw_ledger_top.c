/* gw_ledger_top.c - who of those that have calls open has used most. */
#include <utlist.h>

#include "gw_ledger.h"
#include "gw_ledger_int.h"

/* Behind those that have used as much or more; the last one goes when there is no room. */
static size_t put_in_order(struct gw_account_view *rows, size_t count, size_t max,
                           const struct gw_account_view *row)
{
    size_t at = count;
    while (at > 0 && rows[at - 1].row.spent_us < row->row.spent_us)
        at--;
    if (at == max)
        return count;
    count += count < max;
    for (size_t i = count - 1; i > at; i--)
        rows[i] = rows[i - 1];
    rows[at] = *row;
    return count;
}

size_t gw_ledger_busiest(struct gw_ledger *l, sl_wall_us now, struct gw_account_view *out,
                         size_t max)
{
    size_t count = 0, looked_at = 0;
    struct gw_account *a;
    DL_FOREACH2(l->visiting, a, visiting_next)
    {
        if (looked_at++ == GW_LEDGER_LOOK_MAX)
            break;
        gw_account_observe(&l->accounts, a, now); /* it is busy, and stays where it is */
        const struct gw_account_view row = gw_ledger_view(a);
        count = put_in_order(out, count, max, &row);
    }
    return count;
}
