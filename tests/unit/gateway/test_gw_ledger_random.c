/* test_gw_ledger_random.c - random programs of everything that can be done to a ledger, compared step by step with
 * a model without cleverness: holds, starts, settles, replays of them, refunds, grants, blocks, clocks that step by
 * days, other tiers, restarts, and tables too small for all who come. */
#include "gw_ledger.h"

#include <inttypes.h>
#include <stdlib.h>

#include "ledger_model.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

#define DAY  (INT64_C(86400) * SL_US_PER_S)
#define HOUR (INT64_C(3600) * SL_US_PER_S)

enum { VISITORS = 30, PROGRAMS = 4000, STEPS = 400, OLD_IDS = 32 };

struct world {
    struct sl_rng rng;
    struct gw_ledger *ledger;
    struct gw_ledger_conf conf;
    struct model model;
    struct gw_tiers tiers;
    struct gw_principal visitors[VISITORS];
    sl_wall_us now;
    gw_hold_id closed[OLD_IDS];
    size_t closed_count;
    uint64_t held, refused[GW_HOLD_NO_ROOM + 1]; /* over all programs */
};

static bool one_in(struct world *w, uint64_t n)
{
    return sl_rng_below(&w->rng, n) == 0;
}

/* ---- who there is */

static void set_purse(struct gw_principal *p, uint32_t thousandths, const char *fmt, size_t number)
{
    struct gw_purse *purse = &p->purses[p->purse_count++];
    char text[64];
    snprintf(text, sizeof text, "%s%zu", fmt, number);
    snprintf(purse->account, sizeof purse->account, "%s", text);
    purse->limit_thousandths = thousandths;
}

/* A user, an IPv4 address, a cookie in one of those addresses, or an IPv6 network in two larger ones. */
static void make_visitor(struct gw_principal *p, size_t i)
{
    static const enum gw_principal_kind kinds[] = {GW_PRINCIPAL_USER, GW_PRINCIPAL_ADDRESS,
                                                   GW_PRINCIPAL_COOKIE, GW_PRINCIPAL_ADDRESS};
    *p = (struct gw_principal){.kind = kinds[i % 4], .tier = i % 4 == 0};
    if (i % 4 == 0) {
        set_purse(p, 1000, "user:", i);
    } else if (i % 4 == 1) {
        set_purse(p, 1000, "ip:v4-", i % 12);
    } else if (i % 4 == 2) {
        set_purse(p, 1000, "cookie:", i);
        set_purse(p, 2500, "ip:v4-", i % 12 - 1);
    } else {
        set_purse(p, 1000, "ip:64-", i);
        set_purse(p, 4000, "ip:56-", i / 8);
        set_purse(p, 16000, "ip:48-", i / 16);
    }
}

static void begin(struct world *w, uint64_t seed)
{
    sl_rng_seed(&w->rng, seed);
    w->now = INT64_C(1789000000) * SL_US_PER_S;
    w->closed_count = 0;
    w->conf = (struct gw_ledger_conf){.max_accounts = 4 + (size_t)sl_rng_below(&w->rng, 40),
                                      .max_holds = 1 + (size_t)sl_rng_below(&w->rng, 40),
                                      .seed = {seed, 7}};
    w->tiers = (struct gw_tiers){.tiers = {{.name = "low", .daily_us = 1000003, .in_flight = 4},
                                           {.name = "high", .daily_us = 5000000, .in_flight = 9}},
                                 .tier_count = 2};
    for (size_t i = 0; i < VISITORS; i++)
        make_visitor(&w->visitors[i], i);
    model_init(&w->model, w->conf.max_accounts, w->conf.max_holds);
    assert_ok(gw_ledger_create(&sl_alloc_malloc, &w->conf, &w->ledger));
}

static const struct gw_principal *any_visitor(struct world *w)
{
    return &w->visitors[sl_rng_below(&w->rng, VISITORS)];
}

static const char *any_account(struct world *w)
{
    const struct gw_principal *p = any_visitor(w);
    return p->purses[sl_rng_below(&w->rng, p->purse_count)].account;
}

static struct model_hold *any_hold(struct world *w)
{
    size_t from = (size_t)sl_rng_below(&w->rng, MODEL_HOLDS);
    for (size_t i = 0; i < MODEL_HOLDS; i++) {
        struct model_hold *h = &w->model.holds[(from + i) % MODEL_HOLDS];
        if (h->id != 0)
            return h;
    }
    return NULL;
}

/* ---- steps */

static void do_hold(struct world *w)
{
    static const uint32_t factors[] = {1000, 2000, 1, 1333};
    struct gw_hold_ask ask = {
        .who = any_visitor(w),
        .tiers = &w->tiers,
        .duration_us = 1 + (sl_gpu_us)sl_rng_below(&w->rng, one_in(w, 10) ? 3000000 : 300000),
        .factor_thousandths = factors[sl_rng_below(&w->rng, 4)],
        .is_background = one_in(w, 20)};
    struct gw_hold got;
    struct gw_hold_refusal why;
    struct model_hold *wanted;
    enum gw_hold_refusal_kind kind;
    sl_status s = gw_ledger_hold(w->ledger, &ask, w->now, &got, &why);
    if (model_hold(&w->model, &ask, w->now, &wanted, &kind)) {
        assert_ok(s);
        assert_int_equal(got.held_us, wanted->amount);
        wanted->id = got.id;
        w->held++;
        return;
    }
    bool is_for_good = kind == GW_HOLD_TOO_LONG || kind == GW_HOLD_BLOCKED;
    assert_status(s, is_for_good ? SL_ENEVER : SL_EAGAIN);
    assert_int_equal(why.kind, kind);
    w->refused[kind]++;
}

static void do_start(struct world *w)
{
    struct model_hold *h = any_hold(w);
    if (h == NULL)
        return;
    assert_ok(gw_ledger_start(w->ledger, h->id, w->now));
    model_start(&w->model, h, w->now);
}

static void remember_closed(struct world *w, gw_hold_id id)
{
    w->closed[w->closed_count++ % OLD_IDS] = id;
}

static void do_settle(struct world *w)
{
    struct model_hold *h = any_hold(w);
    if (h == NULL)
        return;
    struct gw_usage u = {.reason = (enum sl_reason)sl_rng_below(&w->rng, SL_REASON_COUNT),
                         .was_started = one_in(w, 2),
                         .used_us = (sl_gpu_us)sl_rng_below(&w->rng, 400000)};
    struct gw_settlement got;
    if (!one_in(w, 4))
        u.reason = SL_REASON_OK;
    struct model_hold before = *h;
    remember_closed(w, h->id);
    assert_ok(gw_ledger_settle(w->ledger, h->id, &u, w->now, &got));
    sl_gpu_us charged = model_settle(&w->model, h, &u, w->now);
    assert_int_equal(got.charged_us, charged);
    assert_int_equal(got.held_us, before.amount);
    for (size_t i = 0; i < before.purse_count; i++)
        assert_int_equal(got.windows_opened_at[i], h->purses[i].opened_at);
    if (charged > 0)
        assert_true(got.windows_opened_at[0] > 0);
}

static void do_refund(struct world *w)
{
    struct model_hold *h = any_hold(w);
    if (h == NULL)
        return;
    remember_closed(w, h->id);
    assert_ok(gw_ledger_refund(w->ledger, h->id));
    model_refund(&w->model, h);
}

static void do_replay_of_a_result(struct world *w)
{
    if (w->closed_count == 0)
        return;
    size_t known = w->closed_count < OLD_IDS ? w->closed_count : OLD_IDS;
    gw_hold_id id = w->closed[sl_rng_below(&w->rng, known)];
    struct gw_usage u = {.reason = SL_REASON_OK, .was_started = true, .used_us = 1000};
    struct gw_settlement ignored;
    assert_status(gw_ledger_settle(w->ledger, id, &u, w->now, &ignored), SL_ESTALE);
    assert_status(gw_ledger_start(w->ledger, id, w->now), SL_ESTALE);
    assert_status(gw_ledger_refund(w->ledger, id), SL_ESTALE);
}

static void do_grant(struct world *w)
{
    const char *name = any_account(w);
    sl_gpu_us extra = (sl_gpu_us)sl_rng_below(&w->rng, 2000000) - 1000000;
    sl_wall_us window = -1;
    sl_status s = gw_ledger_grant(w->ledger, sl_span_str(name), extra, w->now, &window);
    if (!model_grant(&w->model, name, extra, w->now)) {
        assert_status(s, SL_EFULL);
        return;
    }
    assert_ok(s);
    const struct model_account *a = model_find(&w->model, name);
    assert_int_equal(window, a != NULL ? a->opened_at : 0);
}

static void do_block(struct world *w)
{
    const char *name = any_account(w);
    bool is_blocked = one_in(w, 3);
    sl_status s = gw_ledger_set_blocked(w->ledger, sl_span_str(name), is_blocked, w->now);
    assert_status(s, model_block(&w->model, name, is_blocked, w->now) ? SL_OK : SL_EFULL);
}

static void do_clock(struct world *w)
{
    static const sl_wall_us steps[] = {1, HOUR, 6 * HOUR, DAY, -DAY, -HOUR, 23 * HOUR, -1};
    w->now += steps[sl_rng_below(&w->rng, SL_ARRAY_LEN(steps))];
    if (one_in(w, 40))
        w->now += one_in(w, 2) ? 9 * DAY : -9 * DAY;
}

static void do_reload(struct world *w)
{
    w->tiers.tiers[0].daily_us = (sl_gpu_us)sl_rng_below(&w->rng, 1500000);
    w->tiers.tiers[1].daily_us = (sl_gpu_us)sl_rng_below(&w->rng, 9000000);
    w->tiers.tiers[0].in_flight = (uint32_t)sl_rng_below(&w->rng, 6);
}

static void do_openings(struct world *w)
{
    struct gw_account_row row;
    while (gw_ledger_next_opened(w->ledger, &row)) {
        const struct model_account *a = model_next_opened(&w->model);
        assert_non_null(a);
        assert_span_text(row.name, a->name);
        assert_int_equal(row.window_opened_at, a->opened_at);
    }
    assert_null(model_next_opened(&w->model));
}

/* The process dies: what was kept comes back, holds do not. */
static void do_restart(struct world *w)
{
    struct gw_ledger *old = w->ledger;
    struct gw_account_view v;
    size_t cursor = 0;
    model_init(&w->model, w->conf.max_accounts, w->conf.max_holds);
    assert_ok(gw_ledger_create(&sl_alloc_malloc, &w->conf, &w->ledger));
    w->closed_count = 0; /* ids are of one life of the ledger */
    while (gw_ledger_next_account(old, &cursor, &v)) {
        sl_status s = gw_ledger_restore(w->ledger, &v.row, w->now);
        assert_status(s, model_restore(&w->model, &v.row, w->now) ? SL_OK : SL_EFULL);
    }
    gw_ledger_destroy(old);
}

static void do_look(struct world *w)
{
    const struct gw_principal *p = any_visitor(w);
    size_t purse = (size_t)sl_rng_below(&w->rng, p->purse_count);
    struct gw_quota q;
    gw_ledger_purse(w->ledger, p, &w->tiers, purse, w->now, &q);
    model_look(&w->model, p->purses[purse].account, w->now);
    const struct model_account nobody = {0}, *a = model_find(&w->model, p->purses[purse].account);
    a = a != NULL ? a : &nobody;
    sl_gpu_us held = model_held(&w->model, a);
    sl_gpu_us limit = w->tiers.tiers[p->tier].daily_us * p->purses[purse].limit_thousandths / 1000;
    sl_gpu_us left = limit + a->granted - a->spent - held;
    assert_int_equal(q.limit_us, limit);
    assert_int_equal(q.granted_us, a->granted);
    assert_int_equal(q.spent_us, a->spent);
    assert_int_equal(q.held_us, held);
    assert_int_equal(q.left_us, left > 0 ? left : 0);
    assert_int_equal(q.window_opened_at, a->opened_at);
    assert_int_equal(q.resets_at, (a->opened_at != 0 ? a->opened_at : w->now) + DAY);
    assert_int_equal(q.in_flight, a == &nobody ? 0 : model_in_flight(&w->model, a));
    assert_true(q.is_blocked == a->is_blocked);
}

/* ---- after each step */

static void assert_same_accounts(struct world *w)
{
    struct gw_account_view v;
    size_t cursor = 0, count = 0, wanted = 0;
    char name[GW_ACCOUNT_NAME_MAX + 1];
    while (gw_ledger_next_account(w->ledger, &cursor, &v)) {
        snprintf(name, sizeof name, "%.*s", (int)v.row.name.len, (const char *)v.row.name.data);
        const struct model_account *a = model_find(&w->model, name);
        assert_non_null(a);
        assert_int_equal(v.row.window_opened_at, a->opened_at);
        assert_int_equal(v.row.spent_us, a->spent);
        assert_int_equal(v.row.granted_us, a->granted);
        assert_int_equal(v.held_us, model_held(&w->model, a));
        assert_int_equal(v.in_flight, model_in_flight(&w->model, a));
        assert_true(v.is_blocked == a->is_blocked);
        count++;
    }
    for (size_t i = 0; i < MODEL_ACCOUNTS; i++)
        wanted += w->model.accounts[i].name[0] != '\0';
    assert_int_equal(count, wanted);
    assert_int_equal(gw_ledger_totals(w->ledger).accounts, wanted);
}

static void step(struct world *w)
{
    static const struct {
        unsigned weight;
        void (*run)(struct world *);
    } steps[] = {{40, do_hold},   {25, do_start},
                 {20, do_settle}, {4, do_refund},
                 {4, do_grant},   {3, do_block},
                 {8, do_clock},   {1, do_reload},
                 {8, do_look},    {4, do_replay_of_a_result},
                 {2, do_openings}};
    unsigned all = 0, dice;
    for (size_t i = 0; i < SL_ARRAY_LEN(steps); i++)
        all += steps[i].weight;
    dice = (unsigned)sl_rng_below(&w->rng, all);
    size_t i = 0;
    for (; dice >= steps[i].weight; i++)
        dice -= steps[i].weight;
    steps[i].run(w);
    if (one_in(w, 200))
        do_restart(w);
    assert_ok(gw_ledger_check(w->ledger));
    assert_same_accounts(w);
}

static int program_count(void)
{
    const char *scale = getenv("SLUICE_SCALE");
    int count = (int)(PROGRAMS * (scale != NULL ? atof(scale) : 0.05));
    return count > 0 ? count : 1;
}

static void random_programs_do_as_the_model_says(void **state SL_UNUSED)
{
    static struct world w;
    int programs = program_count();
    for (int i = 0; i < programs; i++) {
        begin(&w, 9000 + (uint64_t)i);
        for (int k = 0; k < STEPS; k++)
            step(&w);
        gw_ledger_destroy(w.ledger);
    }
    print_message(
        "%d programs of %d steps: %" PRIu64 " holds, refused for quota %" PRIu64 ", length %" PRIu64
        ", calls in flight %" PRIu64 ", blocks %" PRIu64 ", room %" PRIu64 "\n",
        programs, STEPS, w.held, w.refused[GW_HOLD_QUOTA], w.refused[GW_HOLD_TOO_LONG],
        w.refused[GW_HOLD_IN_FLIGHT], w.refused[GW_HOLD_BLOCKED], w.refused[GW_HOLD_NO_ROOM]);
    assert_true(w.held > 0);
    for (size_t i = 0; i < SL_ARRAY_LEN(w.refused); i++)
        assert_true(w.refused[i] > 0); /* else the programs do not try it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_programs_do_as_the_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
