#include "ledger_model.h"

#include <stdio.h>
#include <string.h>

#include "sl_base.h"

#define DAY (INT64_C(86400) * SL_US_PER_S)

void model_init(struct model *m, size_t max_accounts, size_t max_holds)
{
    *m = (struct model){.max_accounts = max_accounts, .max_holds = max_holds, .next_number = 1};
}

struct model_account *model_find(struct model *m, const char *name)
{
    for (size_t i = 0; i < MODEL_ACCOUNTS; i++)
        if (m->accounts[i].name[0] != '\0' && strcmp(m->accounts[i].name, name) == 0)
            return &m->accounts[i];
    return NULL;
}

sl_gpu_us model_held(const struct model *m, const struct model_account *a)
{
    sl_gpu_us sum = 0;
    for (size_t i = 0; i < MODEL_HOLDS; i++)
        for (size_t k = 0; m->holds[i].id != 0 && k < m->holds[i].purse_count; k++)
            if (m->holds[i].purses[k].account == a && m->holds[i].purses[k].window == a->window)
                sum += m->holds[i].amount;
    return sum;
}

unsigned model_in_flight(const struct model *m, const struct model_account *a)
{
    unsigned count = 0;
    for (size_t i = 0; i < MODEL_HOLDS; i++)
        count += m->holds[i].id != 0 && m->holds[i].purses[0].account == a;
    return count;
}

/* ---- who is there */

static bool is_anonymous(const char *name)
{
    return strncmp(name, "ip:", 3) == 0 || strncmp(name, "cookie:", 7) == 0;
}

static void settle_down(struct model *m, struct model_account *a)
{
    bool is_nothing = a->opened_at == 0 && a->granted == 0 && !a->is_blocked && a->busy == 0;
    if (is_nothing)
        *a = (struct model_account){0};
    else
        a->idle_since = m->next_number++;
}

static struct model_account *oldest(struct model *m, bool anonymous, bool spent)
{
    struct model_account *best = NULL;
    for (size_t i = 0; i < MODEL_ACCOUNTS; i++) {
        struct model_account *a = &m->accounts[i];
        if (a->name[0] == '\0' || a->busy > 0 || a->is_blocked ||
            is_anonymous(a->name) != anonymous || (a->spent != 0 || a->granted != 0) != spent)
            continue;
        if (best == NULL || a->idle_since < best->idle_since)
            best = a;
    }
    return best;
}

static bool evict(struct model *m, bool is_signed_in, bool only_anonymous)
{
    struct model_account *gone = oldest(m, true, false);
    if (gone == NULL && !only_anonymous)
        gone = oldest(m, false, false);
    if (gone == NULL)
        gone = oldest(m, true, true);
    if (gone == NULL && is_signed_in)
        gone = oldest(m, false, true);
    if (gone != NULL)
        *gone = (struct model_account){0};
    return gone != NULL;
}

static bool make_room(struct model *m, bool is_signed_in)
{
    size_t all = 0, anonymous = 0;
    for (size_t i = 0; i < MODEL_ACCOUNTS; i++) {
        all += m->accounts[i].name[0] != '\0';
        anonymous += is_anonymous(m->accounts[i].name);
    }
    if (!is_signed_in && anonymous >= m->max_accounts - m->max_accounts / 5)
        return evict(m, false, true);
    return all < m->max_accounts || evict(m, is_signed_in, false);
}

static struct model_account *take(struct model *m, const char *name)
{
    struct model_account *a = model_find(m, name);
    if (a == NULL) {
        if (!make_room(m, !is_anonymous(name)))
            return NULL;
        for (a = m->accounts; a->name[0] != '\0'; a++)
            ;
        snprintf(a->name, sizeof a->name, "%s", name);
    }
    a->busy++;
    return a;
}

static void release(struct model *m, struct model_account *a)
{
    a->busy--;
    settle_down(m, a);
}

/* ---- windows */

static void look_at(struct model *m, struct model_account *a, sl_wall_us now)
{
    if (a->opened_at == 0 || (now < a->opened_at + DAY && now + 7 * DAY >= a->opened_at))
        return;
    a->opened_at = 0;
    a->spent = a->granted = 0;
    a->opening = 0;
    a->window++;
    settle_down(m, a);
}

void model_look(struct model *m, const char *name, sl_wall_us now)
{
    struct model_account *a = model_find(m, name);
    if (a != NULL)
        look_at(m, a, now);
}

void model_start(struct model *m, struct model_hold *h, sl_wall_us at)
{
    if (h->is_started)
        return;
    h->is_started = true;
    for (size_t i = 0; i < h->purse_count; i++) {
        struct model_account *a = h->purses[i].account;
        look_at(m, a, at);
        if (a->opened_at != 0 || a->window != h->purses[i].window || h->amount == 0)
            continue;
        a->opened_at = at > 0 ? at : 1;
        a->opening = m->next_number++;
        for (size_t k = 0; k < MODEL_HOLDS; k++)
            for (size_t p = 0; p < m->holds[k].purse_count; p++)
                if (m->holds[k].id != 0 && m->holds[k].purses[p].account == a &&
                    m->holds[k].purses[p].window == a->window)
                    m->holds[k].purses[p].opened_at = a->opened_at;
    }
}

struct model_account *model_next_opened(struct model *m)
{
    struct model_account *first = NULL;
    for (size_t i = 0; i < MODEL_ACCOUNTS; i++) {
        struct model_account *a = &m->accounts[i];
        if (a->opening != 0 && (first == NULL || a->opening < first->opening))
            first = a;
    }
    if (first != NULL)
        first->opening = 0;
    return first;
}

/* ---- money */

static sl_gpu_us limit_of(const struct gw_hold_ask *ask, size_t purse)
{
    return ask->tiers->tiers[ask->who->tier].daily_us * ask->who->purses[purse].limit_thousandths /
           1000;
}

static sl_gpu_us cost_of(sl_gpu_us us, uint32_t factor)
{
    return (us * factor + 999) / 1000;
}

static bool is_refused(struct model *m, const struct gw_hold_ask *ask, sl_wall_us now,
                       enum gw_hold_refusal_kind *out)
{
    bool blocked = false, never = false, little = false;
    sl_gpu_us asked = cost_of(ask->duration_us, ask->factor_thousandths);
    const struct model_account nobody = {0};
    for (size_t i = 0; i < ask->who->purse_count; i++) {
        model_look(m, ask->who->purses[i].account, now);
        const struct model_account *a = model_find(m, ask->who->purses[i].account);
        a = a != NULL ? a : &nobody;
        sl_gpu_us limit = limit_of(ask, i), all = limit + a->granted;
        blocked |= a->is_blocked;
        never |= asked > limit && asked > all;
        little |= asked > all - a->spent - model_held(m, a);
    }
    const struct model_account *own = model_find(m, ask->who->purses[0].account);
    unsigned in_flight = own != NULL ? model_in_flight(m, own) : 0;
    if (blocked)
        *out = GW_HOLD_BLOCKED;
    else if (!ask->is_background && never)
        *out = GW_HOLD_TOO_LONG;
    else if (!ask->is_background && little)
        *out = GW_HOLD_QUOTA;
    else if (in_flight >= ask->tiers->tiers[ask->who->tier].in_flight)
        *out = GW_HOLD_IN_FLIGHT;
    else
        return false;
    return true;
}

static struct model_hold *free_hold(struct model *m)
{
    size_t taken = 0;
    struct model_hold *found = NULL;
    for (size_t i = 0; i < MODEL_HOLDS; i++) {
        taken += m->holds[i].id != 0;
        if (found == NULL && m->holds[i].id == 0)
            found = &m->holds[i];
    }
    return taken < m->max_holds ? found : NULL;
}

static bool take_all(struct model *m, const struct gw_hold_ask *ask, struct model_hold *h)
{
    for (size_t i = 0; i < ask->who->purse_count; i++) {
        struct model_account *a = take(m, ask->who->purses[i].account);
        if (a == NULL) {
            while (i > 0)
                release(m, h->purses[--i].account);
            return false;
        }
        h->purses[i].account = a;
        h->purses[i].window = a->window;
        h->purses[i].opened_at = a->opened_at;
    }
    return true;
}

bool model_hold(struct model *m, const struct gw_hold_ask *ask, sl_wall_us now,
                struct model_hold **out, enum gw_hold_refusal_kind *out_kind)
{
    if (is_refused(m, ask, now, out_kind))
        return false;
    struct model_hold *h = free_hold(m);
    *out_kind = GW_HOLD_NO_ROOM;
    if (h == NULL || !take_all(m, ask, h))
        return false;
    h->amount = ask->is_background ? 0 : cost_of(ask->duration_us, ask->factor_thousandths);
    h->factor = ask->factor_thousandths;
    h->is_started = false;
    h->purse_count = ask->who->purse_count;
    *out = h;
    return true;
}

static void close_hold(struct model *m, struct model_hold *h, sl_gpu_us charged)
{
    h->id = 0;
    for (size_t i = 0; i < h->purse_count; i++) {
        struct model_account *a = h->purses[i].account;
        if (h->purses[i].window == a->window)
            a->spent += charged;
        release(m, a);
    }
}

sl_gpu_us model_settle(struct model *m, struct model_hold *h, const struct gw_usage *u,
                       sl_wall_us now)
{
    static const enum sl_reason paid[] = {SL_REASON_OK,
                                          SL_REASON_MODEL_ERROR,
                                          SL_REASON_OUT_OF_MEMORY,
                                          SL_REASON_DURATION_EXCEEDED,
                                          SL_REASON_CANCELLED,
                                          SL_REASON_DEADLINE_EXCEEDED};
    sl_gpu_us charged = 0;
    if (u->was_started)
        model_start(m, h, now - u->used_us);
    for (size_t i = 0; i < SL_ARRAY_LEN(paid); i++)
        if (u->reason == paid[i] && h->is_started)
            charged = cost_of(u->used_us, h->factor);
    if (charged > h->amount)
        charged = h->amount;
    close_hold(m, h, charged);
    return charged;
}

void model_refund(struct model *m, struct model_hold *h)
{
    close_hold(m, h, 0);
}

/* ---- operators and restarts */

bool model_grant(struct model *m, const char *name, sl_gpu_us extra, sl_wall_us now)
{
    struct model_account *a = take(m, name);
    if (a == NULL)
        return false;
    look_at(m, a, now);
    a->granted += extra;
    release(m, a);
    return true;
}

bool model_block(struct model *m, const char *name, bool is_blocked, sl_wall_us now)
{
    struct model_account *a = take(m, name);
    if (a == NULL)
        return false;
    look_at(m, a, now);
    a->is_blocked = is_blocked;
    release(m, a);
    return true;
}

bool model_restore(struct model *m, const struct gw_account_row *row, sl_wall_us now)
{
    char name[GW_ACCOUNT_NAME_MAX + 1];
    snprintf(name, sizeof name, "%.*s", (int)row->name.len, (const char *)row->name.data);
    struct model_account *a = take(m, name);
    if (a == NULL)
        return false;
    a->opened_at = row->window_opened_at;
    a->spent = row->spent_us;
    a->granted = row->granted_us;
    look_at(m, a, now);
    release(m, a);
    return true;
}
