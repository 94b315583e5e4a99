/* gw_ledger.c - the way of one hold: quota > hold > start > settle. */
#include "gw_ledger.h"

#include <string.h>
#include <utlist.h>

#include "gw_ledger_int.h"

sl_status gw_ledger_create(const struct sl_alloc *alloc, const struct gw_ledger_conf *conf,
                           struct gw_ledger **out)
{
    struct gw_ledger *l = sl_alloc_zero(alloc, 1, sizeof *l);
    if (l == NULL)
        return SL_ENOMEM;
    l->alloc = alloc;
    sl_status s = gw_accounts_init(&l->accounts, alloc, conf->max_accounts, conf->seed);
    if (s == SL_OK)
        s = sl_slot_create(alloc, sizeof(struct gw_open_hold), conf->max_holds, &l->holds);
    if (s == SL_OK)
        *out = l;
    else
        gw_ledger_destroy(l);
    return s;
}

void gw_ledger_destroy(struct gw_ledger *l)
{
    if (l == NULL)
        return;
    gw_accounts_finish(&l->accounts);
    sl_slot_destroy(l->holds);
    sl_alloc_free(l->alloc, l);
}

/* ---- quota */

static sl_gpu_us limit_of(const struct gw_principal *who, const struct gw_tiers *tiers,
                          size_t purse)
{
    sl_gpu_us daily = tiers->tiers[who->tier].daily_us;
    uint32_t part = who->purses[purse].limit_thousandths;
    return sl_sat_add(sl_sat_mul(daily / GW_FACTOR_ONE, part),
                      daily % GW_FACTOR_ONE * part / GW_FACTOR_ONE);
}

static bool is_shared(const struct gw_principal *who, size_t purse)
{
    return who->kind == GW_PRINCIPAL_ADDRESS || purse > 0;
}

static sl_gpu_us left_of(const struct gw_quota *q)
{
    sl_gpu_us left = sl_sat_add(q->limit_us, q->granted_us) - q->spent_us -
                     q->held_us; /* all but the sum >= 0 */
    return left > 0 ? left : 0;
}

/* account: NULL when there is none. */
static void look(const struct gw_account *account, const struct gw_principal *who,
                 const struct gw_tiers *tiers, size_t purse, sl_wall_us now, struct gw_quota *out)
{
    *out = (struct gw_quota){.purse = purse,
                             .is_shared = is_shared(who, purse),
                             .limit_us = limit_of(who, tiers, purse),
                             .in_flight_max = tiers->tiers[who->tier].in_flight,
                             .resets_at = sl_sat_add(now, GW_WINDOW_US)};
    if (account != NULL) {
        out->is_blocked = account->is_blocked;
        out->granted_us = account->granted_us;
        out->spent_us = account->spent_us;
        out->held_us = account->held_us;
        out->in_flight = account->in_flight;
        out->window_opened_at = account->window_opened_at;
        if (account->window_opened_at != 0)
            out->resets_at = gw_account_window_ends_at(account);
    }
    out->left_us = left_of(out);
}

static struct gw_account *find(struct gw_ledger *l, const char *name, sl_wall_us now)
{
    return gw_accounts_find(&l->accounts, sl_span_str(name), now);
}

void gw_ledger_purse(struct gw_ledger *l, const struct gw_principal *who,
                     const struct gw_tiers *tiers, size_t purse, sl_wall_us now,
                     struct gw_quota *out)
{
    look(find(l, who->purses[purse].account, now), who, tiers, purse, now, out);
}

void gw_ledger_quota(struct gw_ledger *l, const struct gw_principal *who,
                     const struct gw_tiers *tiers, sl_wall_us now, struct gw_quota *out)
{
    gw_ledger_purse(l, who, tiers, 0, now, out);
    for (size_t i = 1; i < who->purse_count; i++) {
        struct gw_quota other;
        gw_ledger_purse(l, who, tiers, i, now, &other);
        if (other.left_us < out->left_us)
            *out = other;
    }
}

/* ---- hold */

static bool is_sound(const struct gw_hold_ask *ask)
{
    const struct gw_principal *who = ask->who;
    if (who->purse_count == 0 || who->purse_count > GW_PURSES_MAX ||
        who->tier >= ask->tiers->tier_count || ask->duration_us <= 0 ||
        ask->factor_thousandths == 0)
        return false;
    for (size_t i = 1; i < who->purse_count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(who->purses[i].account, who->purses[k].account) == 0)
                return false;
    return true;
}

static bool has_blocked(const struct gw_quota *quotas, size_t count, size_t *out)
{
    for (*out = 0; *out < count; ++*out)
        if (quotas[*out].is_blocked)
            return true;
    return false;
}

/* Could it never be held, in a window in which nothing else is spent, nor by what was granted? */
static bool is_too_long(const struct gw_quota *quotas, size_t count, sl_gpu_us asked, size_t *out)
{
    *out = count;
    for (size_t i = 0; i < count; i++) {
        const struct gw_quota *q = &quotas[i];
        bool never_fits = asked > q->limit_us && asked > sl_sat_add(q->limit_us, q->granted_us);
        if (never_fits && (*out == count || q->limit_us < quotas[*out].limit_us))
            *out = i;
    }
    return *out < count;
}

static bool has_too_little(const struct gw_quota *quotas, size_t count, sl_gpu_us asked,
                           size_t *out)
{
    *out = 0;
    for (size_t i = 1; i < count; i++)
        if (quotas[i].left_us < quotas[*out].left_us)
            *out = i;
    return quotas[*out].left_us < asked;
}

/* What never passes is told before what does; what tells a time, before what does not. */
static bool may_hold(const struct gw_hold_ask *ask, const struct gw_quota *quotas,
                     struct gw_hold_refusal *r)
{
    size_t count = ask->who->purse_count, purse;
    if (has_blocked(quotas, count, &purse))
        r->kind = GW_HOLD_BLOCKED;
    else if (!ask->is_background && is_too_long(quotas, count, r->asked_us, &purse))
        r->kind = GW_HOLD_TOO_LONG;
    else if (!ask->is_background && has_too_little(quotas, count, r->asked_us, &purse))
        r->kind = GW_HOLD_QUOTA;
    else if (quotas[purse = 0].in_flight >= quotas[0].in_flight_max)
        r->kind = GW_HOLD_IN_FLIGHT;
    else
        return true;
    r->quota = quotas[purse];
    r->longest_us = gw_charge_time_within(quotas[purse].limit_us, ask->factor_thousandths);
    return false;
}

static void release_purses(struct gw_ledger *l, struct gw_open_hold *h, size_t count)
{
    while (count > 0)
        gw_accounts_release(&l->accounts, h->purses[--count].account);
}

/* All accounts, busy, or none. */
static sl_status take_purses(struct gw_ledger *l, const struct gw_principal *who,
                             struct gw_open_hold *h)
{
    for (size_t i = 0; i < who->purse_count; i++) {
        sl_status s = gw_accounts_take(&l->accounts, sl_span_str(who->purses[i].account),
                                       &h->purses[i].account);
        if (s == SL_OK)
            continue;
        release_purses(l, h, i);
        return s;
    }
    h->purse_count = (uint32_t)who->purse_count;
    return SL_OK;
}

static void begin_visit(struct gw_ledger *l, struct gw_account *a)
{
    if (a->in_flight++ > 0)
        return;
    DL_APPEND2(l->visiting, a, visiting_prev, visiting_next);
    l->visiting_count++;
}

static void end_visit(struct gw_ledger *l, struct gw_account *a)
{
    if (--a->in_flight > 0)
        return;
    DL_DELETE2(l->visiting, a, visiting_prev, visiting_next);
    l->visiting_count--;
}

static void put_aside(struct gw_ledger *l, struct gw_open_hold *h, const struct gw_quota *quotas)
{
    begin_visit(l, h->purses[0].account);
    for (size_t i = 0; i < h->purse_count; i++) {
        struct gw_purse_hold *p = &h->purses[i];
        struct gw_account *a = p->account;
        sl_gpu_us limit = sl_sat_add(quotas[i].limit_us, quotas[i].granted_us);
        p->amount_us = h->held_us;
        p->window = a->window;
        p->window_opened_at = a->window_opened_at;
        DL_APPEND(a->holds, p);
        a->held_us += p->amount_us;
        if (p->amount_us > 0 && limit > a->admitted_us)
            a->admitted_us = limit;
    }
}

/* Compares used / limit, without rounding. */
static bool is_used_more(const struct gw_hold *a, const struct gw_hold *b)
{
    return (__int128)a->used_us * b->limit_us > (__int128)b->used_us * a->limit_us;
}

static struct gw_hold hold_of(gw_hold_id id, sl_gpu_us amount, const struct gw_quota *quotas,
                              size_t count)
{
    struct gw_hold most = {0};
    for (size_t i = 0; i < count; i++) {
        const struct gw_quota *q = &quotas[i];
        struct gw_hold h = {id, amount, q->spent_us + q->held_us,
                            sl_sat_add(q->limit_us, q->granted_us)};
        if (i == 0 || is_used_more(&h, &most))
            most = h;
    }
    return most;
}

static bool passes_by_itself(enum gw_hold_refusal_kind kind)
{
    return kind != GW_HOLD_TOO_LONG && kind != GW_HOLD_BLOCKED;
}

static sl_status refuse_for_room(struct gw_hold_refusal *r, const struct gw_quota *own)
{
    r->kind = GW_HOLD_NO_ROOM;
    r->quota = *own;
    return SL_EAGAIN;
}

static sl_status open_hold(struct gw_ledger *l, const struct gw_hold_ask *ask, sl_gpu_us amount,
                           const struct gw_quota *quotas, struct gw_hold *out)
{
    gw_hold_id id;
    void *object;
    sl_status s = sl_slot_take(l->holds, &id, &object);
    if (s != SL_OK)
        return s;
    struct gw_open_hold *h = object;
    s = take_purses(l, ask->who, h);
    if (s != SL_OK) {
        sl_status put = sl_slot_put(l->holds, id);
        (void)put; /* it was taken above */
        return s;
    }
    h->held_us = amount;
    h->factor_thousandths = ask->factor_thousandths;
    put_aside(l, h, quotas);
    *out = hold_of(id, amount, quotas, ask->who->purse_count);
    return SL_OK;
}

sl_status gw_ledger_hold(struct gw_ledger *l, const struct gw_hold_ask *ask, sl_wall_us now,
                         struct gw_hold *out, struct gw_hold_refusal *refusal)
{
    struct gw_quota quotas[GW_PURSES_MAX];
    if (!is_sound(ask))
        return SL_EINVAL;
    *refusal = (struct gw_hold_refusal){
        .duration_us = ask->duration_us,
        .factor_thousandths = ask->factor_thousandths,
        .asked_us = gw_charge_of_time(ask->duration_us, ask->factor_thousandths)};
    for (size_t i = 0; i < ask->who->purse_count; i++)
        gw_ledger_purse(l, ask->who, ask->tiers, i, now, &quotas[i]);
    if (!may_hold(ask, quotas, refusal))
        return passes_by_itself(refusal->kind) ? SL_EAGAIN : SL_ENEVER;
    sl_gpu_us amount = ask->is_background ? 0 : refusal->asked_us;
    sl_status s = open_hold(l, ask, amount, quotas, out);
    if (s == SL_EFULL || s == SL_ENOMEM)
        return refuse_for_room(refusal, &quotas[0]);
    return s;
}

/* ---- start */

/* All that is held for the window that opens now belongs to it from now on. */
static void open_window(struct gw_ledger *l, struct gw_account *a, sl_wall_us at)
{
    struct gw_purse_hold *p;
    gw_account_open_window(&l->accounts, a, at);
    DL_FOREACH (a->holds, p)
        if (p->window == a->window)
            p->window_opened_at = a->window_opened_at;
}

static void start(struct gw_ledger *l, struct gw_open_hold *h, sl_wall_us at)
{
    if (h->is_started)
        return;
    h->is_started = true;
    for (size_t i = 0; i < h->purse_count; i++) {
        struct gw_purse_hold *p = &h->purses[i];
        gw_account_observe(&l->accounts, p->account, at);
        if (p->amount_us > 0 && p->window == p->account->window &&
            p->account->window_opened_at == 0)
            open_window(l, p->account, at);
    }
}

sl_status gw_ledger_start(struct gw_ledger *l, gw_hold_id id, sl_wall_us started_at)
{
    struct gw_open_hold *h = sl_slot_get(l->holds, id);
    if (h == NULL)
        return SL_ESTALE;
    start(l, h, started_at);
    return SL_OK;
}

/* ---- settle */

static void close_purse(struct gw_ledger *l, struct gw_purse_hold *p, sl_gpu_us charged)
{
    struct gw_account *a = p->account;
    DL_DELETE(a->holds, p);
    if (p->window == a->window) { /* else it is over, and what it held went with it */
        a->held_us -= p->amount_us;
        a->spent_us += charged;
    }
    gw_accounts_release(&l->accounts, a);
}

static void close_hold(struct gw_ledger *l, gw_hold_id id, struct gw_open_hold *h,
                       sl_gpu_us charged)
{
    end_visit(l, h->purses[0].account);
    for (size_t i = 0; i < h->purse_count; i++)
        close_purse(l, &h->purses[i], charged);
    sl_status s = sl_slot_put(l->holds, id);
    (void)s; /* its id was good */
}

sl_status gw_ledger_settle(struct gw_ledger *l, gw_hold_id id, const struct gw_usage *usage,
                           sl_wall_us now, struct gw_settlement *out)
{
    struct gw_open_hold *h = sl_slot_get(l->holds, id);
    if (h == NULL)
        return SL_ESTALE;
    if (usage->was_started)
        start(l, h, sl_sat_add(now, -(usage->used_us > 0 ? usage->used_us : 0)));
    sl_gpu_us charged =
        gw_charge(usage->reason, h->is_started, usage->used_us, h->held_us, h->factor_thousandths);
    *out = (struct gw_settlement){.held_us = h->held_us, .charged_us = charged};
    for (size_t i = 0; i < h->purse_count; i++)
        out->windows_opened_at[i] = h->purses[i].window_opened_at;
    close_hold(l, id, h, charged);
    return SL_OK;
}

sl_status gw_ledger_refund(struct gw_ledger *l, gw_hold_id id)
{
    struct gw_open_hold *h = sl_slot_get(l->holds, id);
    if (h == NULL)
        return SL_ESTALE;
    close_hold(l, id, h, 0);
    return SL_OK;
}
