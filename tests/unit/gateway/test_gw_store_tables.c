/* test_gw_store_tables.c - the tables behind the log, of random receipts, windows and grants: the same however large
 * the pieces were in which they were built; and random questions, answered as a walk over all receipts would. */
#include <stdlib.h>

#include "gw_receipt_code.h"
#include "gw_store_build.h"
#include "gw_store_key.h"
#include "gw_store_query.h"
#include "gw_store_sums.h"
#include "sl_rng.h"
#include "sl_test.h"
#include "store_rig.h"

enum { ENTRIES = 6000, GROUP = 100, NAME_MAX = 256 };

static const sl_wall_us day_us = INT64_C(86400) * SL_US_PER_S;

/* What was appended, as the model knows it. */
struct made {
    bool is_receipt;
    char account[NAME_MAX], app[64];
    uint8_t call_id[16];
    sl_wall_us ended_at;
    uint64_t journal, record;
    bool has_key;
};

struct world {
    struct store_rig *rig;
    struct sl_rng rng;
    struct made made[ENTRIES + 1]; /* by its number in the log */
};

static uint64_t below(struct world *w, uint64_t limit)
{
    return sl_rng_below(&w->rng, limit);
}

/* Few are asked for often; some names are as long as they may be. */
static void write_name(struct world *w, char *out, size_t room)
{
    int number = (int)(below(w, 2) == 0 ? below(w, 3) : below(w, 200));
    snprintf(out, room, "user:%0*d", number % 50 == 7 ? 240 : 1, number);
}

static sl_wall_us window_of(struct world *w)
{
    return below(w, 20) == 0 ? 0 : STORE_RIG_NOW + (int64_t)(below(w, 40) == 0) * day_us;
}

static void add_receipt(struct world *w, struct made *m, int64_t n)
{
    struct gw_receipt r = store_rig_receipt((uint64_t)n, m->account, (int64_t)below(w, 1000));
    m->is_receipt = true;
    snprintf(m->app, sizeof m->app, below(w, 3) > 0 ? "" : "app%d", (int)below(w, 5));
    m->ended_at = STORE_RIG_NOW + n * SL_US_PER_S - (int64_t)below(w, 50) * SL_US_PER_S;
    m->journal = below(w, 3);
    m->record = m->journal == 0 ? 0 : (uint64_t)n << 16;
    for (size_t i = 0; i < sizeof m->call_id; i++)
        m->call_id[i] = (uint8_t)below(w, 256);
    memcpy(r.call_id, m->call_id, sizeof r.call_id);
    m->has_key = below(w, 7) == 0;
    r.idempotency_key = sl_span_str(m->has_key ? "k" : "");
    r.windows_opened_at[0] = window_of(w);
    r.account_count = below(w, 50) == 0 ? 0 : 1 + below(w, GW_PURSES_MAX);
    for (size_t i = 1; i < r.account_count; i++) {
        r.accounts[i] = sl_span_str("ip:2001:db8::/48");
        r.windows_opened_at[i] = STORE_RIG_NOW;
    }
    if (r.account_count == 0)
        m->account[0] = '\0';
    r.app = sl_span_str(m->app);
    r.ended_at = m->ended_at;
    r.lease_journal = m->journal;
    r.lease_record = m->record;
    store_rig_add_receipt(w->rig, &r);
}

static void add_other(struct world *w, const struct made *m)
{
    struct sl_span account = sl_span_str(m->account);
    struct gw_record r = {.kind = GW_RECORD_WINDOW, .window = {account, window_of(w)}};
    if (below(w, 2) == 0)
        r = (struct gw_record){.kind = GW_RECORD_GRANT,
                               .grant = {.account = account,
                                         .window_opened_at = window_of(w),
                                         .amount_us = (int64_t)below(w, 100)}};
    store_rig_add(w->rig, &r);
}

static void make_log(struct world *w, uint64_t seed)
{
    sl_rng_seed(&w->rng, seed);
    for (int64_t n = 1; n <= ENTRIES; n++) {
        struct made *m = &w->made[n];
        *m = (struct made){.is_receipt = false};
        write_name(w, m->account, sizeof m->account);
        if (below(w, 10) == 0)
            add_other(w, m);
        else
            add_receipt(w, m, n);
        if (n % GROUP == 0)
            assert_ok(store_rig_commit(w->rig));
    }
}

static struct world *begin(void **state, uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    w->rig = *state;
    assert_ok(store_rig_open(w->rig, NULL, false));
    make_log(w, seed);
    return w;
}

/* ---- however it is built */

/* A sum over all rows in which each has its weight. */
static void sum_tables(struct store_rig *r, int64_t out[4])
{
    static const char *const sums[] = {
        "SELECT sum(length(account) * (window_opened_at % 1000003 + 7 * spent_us + 31 * granted_us)"
        " % 1000000007) FROM accounts",
        "SELECT sum((length(account) + 5 * length(app) + week) * (calls + 7 * used_us"
        " + 31 * charged_us) % 1000000007) FROM usage",
        "SELECT sum((chapter + 1) * (key % 1000003) + n % 1009) FROM receipts",
        "SELECT sum((chapter + 1) * (first_at % 1000003 + 3 * last_at % 1000003)) +"
        " (SELECT sum((chapter + 1) * (journal + last_record)) FROM leases) FROM chapters",
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(sums); i++)
        assert_true((out[i] = store_rig_number(r, sums[i])) > 0);
}

static void empty_tables(struct store_rig *r)
{
    char *why = NULL;
    int rc = sqlite3_exec(r->db.handle,
                          "DELETE FROM accounts; DELETE FROM usage; DELETE FROM receipts;"
                          "DELETE FROM grants; DELETE FROM chapters; DELETE FROM leases;"
                          "UPDATE meta SET value = 0 WHERE name = 'built_n'",
                          NULL, NULL, &why);
    if (rc != SQLITE_OK)
        fail_msg("%s", why);
    r->db.built_n = 0;
}

static void build_in_pieces(struct world *w, int most)
{
    empty_tables(w->rig);
    while (gw_store_lag(&w->rig->db) > 0) {
        int piece = most > 1 ? 1 + (int)below(w, (uint64_t)most) : 1;
        assert_ok(gw_store_build(&w->rig->db, piece));
    }
}

/* Pieces of one entry gather nothing: they are what the others must come to. */
static void pieces_of_any_size_build_the_same(void **state)
{
    int64_t single[4], large[4];
    struct world *w = begin(state, 5);
    build_in_pieces(w, 1);
    sum_tables(w->rig, single);
    for (int most = 10; most <= 1000000; most *= 10) {
        build_in_pieces(w, most);
        sum_tables(w->rig, large);
        for (size_t i = 0; i < SL_ARRAY_LEN(single); i++)
            if (large[i] != single[i])
                fail_msg("sum %zu of pieces up to %d: %lld, not %lld", i, most, (long long)large[i],
                         (long long)single[i]);
    }
    free(w);
}

/* ---- questions */

static bool is_of(const struct made *m, const struct gw_store_question *q)
{
    if (!m->is_receipt)
        return false;
    if (q->kind == GW_STORE_RECEIPT)
        return memcmp(m->call_id, q->call_id, sizeof m->call_id) == 0;
    return (q->account[0] == '\0' || strcmp(q->account, m->account) == 0) &&
           (q->app[0] == '\0' || strcmp(q->app, m->app) == 0) && m->ended_at >= q->from &&
           (q->until == 0 || m->ended_at < q->until);
}

/* The number of the next one that is asked for, below n; 0: there is none. */
static int64_t next_of(const struct world *w, const struct gw_store_question *q, int64_t n)
{
    do
        n--;
    while (n > 0 && !is_of(&w->made[n], q));
    return n;
}

static void assert_answer(struct world *w, struct gw_store_question *q)
{
    struct gw_store_answer a;
    int64_t n = q->after_n != 0 ? q->after_n : ENTRIES + 1;
    struct sl_arena arena;
    sl_arena_init(&arena, &sl_alloc_malloc, GW_STORE_ANSWER_MAX_BYTES);
    gw_store_answer(w->rig->db.handle, q, &arena, &a);
    if (a.status != SL_OK)
        fail_msg("%s", a.why);
    for (size_t i = 0; i < a.row_count; i++) {
        n = next_of(w, q, n);
        assert_int_equal(a.rows[i].n, n);
    }
    bool is_last = next_of(w, q, n) == 0;
    assert_int_equal(a.next_n, is_last ? 0 : n);
    if (!is_last)
        assert_int_equal(a.row_count, q->rows_max);
    sl_arena_finish(&arena);
}

static void invent_question(struct world *w, struct gw_store_question *q)
{
    *q = (struct gw_store_question){.kind = GW_STORE_RECEIPTS, .rows_max = 1 + below(w, 200)};
    if (below(w, 3) > 0)
        write_name(w, q->account, sizeof q->account);
    if (below(w, 3) == 0)
        snprintf(q->app, sizeof q->app, "app%d", (int)below(w, 6));
    if (below(w, 3) == 0)
        q->from = STORE_RIG_NOW + (int64_t)below(w, ENTRIES) * SL_US_PER_S;
    if (below(w, 3) == 0)
        q->until = STORE_RIG_NOW + (int64_t)below(w, ENTRIES) * SL_US_PER_S;
    if (below(w, 3) == 0)
        q->after_n = 1 + (int64_t)below(w, ENTRIES);
}

/* However far the tables are built. */
static void questions_are_answered_as_by_a_walk(void **state)
{
    struct world *w = begin(state, 7);
    struct gw_store_question q;
    empty_tables(w->rig);
    for (int i = 0; i < 500; i++) {
        if (i % 10 == 0)
            assert_ok(gw_store_build(&w->rig->db, 1 + (int)below(w, 200)));
        invent_question(w, &q);
        assert_answer(w, &q);
    }
    assert_true(gw_store_lag(&w->rig->db) > 0);
    for (int i = 0; i < 200; i++) {
        if (i == 100)
            build_in_pieces(w, 1000);
        q = (struct gw_store_question){.kind = GW_STORE_RECEIPT, .rows_max = 2};
        memcpy(q.call_id, w->made[1 + below(w, ENTRIES)].call_id, sizeof q.call_id);
        q.call_id[15] ^= below(w, 4) == 0; /* the same beginning, another call */
        assert_answer(w, &q);
    }
    free(w);
}

/* A page is taken from where it begins: nothing is gathered and sorted first. */
static void a_page_costs_no_more_than_itself(void **state)
{
    struct world *w = begin(state, 11);
    struct sl_arena arena;
    struct gw_store_answer a;
    struct gw_store_question q = {.kind = GW_STORE_RECEIPTS, .rows_max = 10};
    build_in_pieces(w, 1000);
    for (int i = 0; i < 3; i++) {
        snprintf(q.account, sizeof q.account, "%s", i == 1 ? "user:1" : "");
        snprintf(q.app, sizeof q.app, "%s", i == 2 ? "app1" : "");
        gw_store_db_disconnect(&w->rig->db); /* counts begin anew */
        assert_ok(gw_store_db_connect(&w->rig->db, &w->rig->err));
        sl_arena_init(&arena, &sl_alloc_malloc, GW_STORE_ANSWER_MAX_BYTES);
        gw_store_answer(w->rig->db.handle, &q, &arena, &a);
        assert_int_equal(a.row_count, 10);
        sl_arena_finish(&arena);
        int pages = 0, unused;
        sqlite3_db_status(w->rig->db.handle, SQLITE_DBSTATUS_CACHE_MISS, &pages, &unused, 0);
        if (pages > 60)
            fail_msg("question %d read %d pages", i, pages);
    }
    free(w);
}

/* ---- leases and forgetting */

struct leases {
    const struct world *world;
    bool is_told[ENTRIES + 1];
};

static void on_lease(void *ctx, uint64_t journal, uint64_t record)
{
    struct leases *l = ctx;
    uint64_t n = record >> 16;
    assert_true(n >= 1 && n <= ENTRIES && !l->is_told[n]);
    assert_int_equal(l->world->made[n].journal, journal);
    l->is_told[n] = true;
}

static void the_newest_leases_are_told(void **state)
{
    struct world *w = begin(state, 13);
    struct leases l = {.world = w};
    const struct gw_store_loader loader = {.ctx = &l, .on_lease = on_lease};
    size_t count = 0;
    assert_ok(gw_store_load(&w->rig->db, 0, STORE_RIG_NOW, UINT64_C(1500) << 16, &loader));
    for (size_t n = 1; n <= ENTRIES; n++) {
        bool is_due = n > ENTRIES - 1400 && w->made[n].journal != 0;
        assert_true(l.is_told[n] || !is_due);
        count += l.is_told[n];
    }
    assert_true(count < ENTRIES / 2);
    free(w);
}

struct keys {
    const struct world *world;
    int64_t last; /* in the log */
    size_t count;
};

static void on_key(void *ctx, const struct gw_receipt *r)
{
    struct keys *k = ctx;
    const struct made *m;
    do {
        assert_true(k->last < ENTRIES);
        m = &k->world->made[++k->last];
    } while (!m->is_receipt || memcmp(m->call_id, r->call_id, sizeof m->call_id) != 0);
    assert_true(m->has_key);
    k->count++;
}

/* In their order, and no more of the log is read than is needed. */
static void the_newest_calls_with_keys_are_told(void **state)
{
    struct world *w = begin(state, 19);
    struct keys k = {.world = w};
    const struct gw_store_loader loader = {
        .ctx = &k, .on_key = on_key, .keys_since = STORE_RIG_NOW + 4000 * SL_US_PER_S};
    size_t wanted = 0;
    for (size_t n = 1; n <= ENTRIES; n++)
        wanted += w->made[n].is_receipt && w->made[n].has_key && w->made[n].account[0] != '\0' &&
                  w->made[n].ended_at >= loader.keys_since;
    assert_ok(gw_store_load(&w->rig->db, 0, STORE_RIG_NOW, 0, &loader));
    assert_int_equal(k.count, wanted);
    assert_true(wanted > 100);
    free(w);
}

static void what_is_forgotten_leaves_nothing_behind(void **state)
{
    struct world *w = begin(state, 17);
    struct gw_store_question q = {.kind = GW_STORE_RECEIPTS};
    bool more = true;
    sl_wall_us before = STORE_RIG_NOW + ENTRIES / 2 * SL_US_PER_S;
    build_in_pieces(w, 1000);
    while (more)
        assert_ok(gw_store_forget(&w->rig->db, before, 64, &more));
    for (int64_t n = 1; n <= ENTRIES; n++)
        if (w->made[n].ended_at < before)
            w->made[n].is_receipt = false;
    for (int i = 0; i < 200; i++) {
        invent_question(w, &q);
        assert_answer(w, &q);
    }
    assert_int_equal(store_rig_number(w->rig, "SELECT count(*) FROM receipts WHERE n NOT IN"
                                              " (SELECT n FROM log WHERE kind = 1)"),
                     0);
    assert_int_equal(store_rig_number(w->rig, "SELECT count(*) FROM accounts WHERE"
                                              " window_opened_at > 0 AND spent_us > 0"
                                              " AND window_opened_at < 1767225700000000"),
                     0);
    int64_t first = (ENTRIES / 2 - 10) / GW_STORE_CHAPTER_COUNT;
    assert_int_equal(store_rig_number(w->rig, "SELECT min(chapter) FROM chapters"), first);
    assert_int_equal(store_rig_number(w->rig, "SELECT min(chapter) FROM leases"), first);
    free(w);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, store_rig_setup, store_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(pieces_of_any_size_build_the_same),
        WITH_RIG(questions_are_answered_as_by_a_walk),
        WITH_RIG(a_page_costs_no_more_than_itself),
        WITH_RIG(the_newest_leases_are_told),
        WITH_RIG(the_newest_calls_with_keys_are_told),
        WITH_RIG(what_is_forgotten_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
