/* test_gw_idem.c - the same key gives the same outcome once, results stay as long and as many as they may, and
 * only who paid fetches them. */
#include "gw_idem.h"

#include <stdio.h>
#include <stdlib.h>

#include "fail_alloc.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

#define MINUTE (60 * SL_NS_PER_S)

enum { RESULTS = 64 };

static struct gw_idem *table;
static size_t released[RESULTS]; /* how often each came back */

static void on_release(void *ctx SL_UNUSED, void *result)
{
    (*(size_t *)result)++;
}

static const struct gw_idem_conf usual = {
    .max_entries = 8,
    .keep_ns = 10 * MINUTE,
    .limits = {[GW_IDEM_IN_MEMORY] = {100, 250, 400}, [GW_IDEM_ON_DISK] = {300, 600, 800}},
    .seed = {8, 9},
    .release = on_release};

static int begin(void **state SL_UNUSED)
{
    memset(released, 0, sizeof released);
    return gw_idem_create(&sl_alloc_malloc, &usual, &table) != SL_OK;
}

static int end(void **state SL_UNUSED)
{
    sl_status s = gw_idem_check(table);
    gw_idem_destroy(table);
    return s != SL_OK;
}

static struct gw_idem_call call_of(const char *visitor, const char *key, uint8_t number)
{
    return (struct gw_idem_call){.visitor = sl_span_str(visitor),
                                 .key = sl_span_str(key),
                                 .digest = {1},
                                 .call_id = {number},
                                 .call = number};
}

static const struct gw_idem_outcome good = {SL_REASON_OK, 12345, 1800000000 * SL_US_PER_S};

static sl_status end_in(enum gw_idem_place place, gw_idem_id id, size_t *result, uint64_t bytes,
                        sl_mono_ns now)
{
    const struct gw_idem_result r = {result, bytes, place};
    return gw_idem_end(table, id, &good, &r, now);
}

static sl_status end_call(gw_idem_id id, size_t *result, uint64_t bytes, sl_mono_ns now)
{
    return end_in(GW_IDEM_IN_MEMORY, id, result, bytes, now);
}

static struct gw_idem_found open_call(const struct gw_idem_call *call, sl_mono_ns now)
{
    struct gw_idem_found f;
    assert_ok(gw_idem_open(table, call, now, &f));
    assert_ok(gw_idem_check(table));
    return f;
}

static gw_idem_id open_new(const char *visitor, const char *key, uint8_t number, sl_mono_ns now)
{
    struct gw_idem_call call = call_of(visitor, key, number);
    struct gw_idem_found f = open_call(&call, now);
    assert_int_equal(f.verdict, GW_IDEM_NEW);
    return f.id;
}

/* A call that ended with a result of so many bytes. */
static void add(const char *visitor, const char *key, uint8_t number, uint64_t bytes,
                sl_mono_ns now)
{
    gw_idem_id id = open_new(visitor, key, number, now);
    assert_ok(end_call(id, &released[number], bytes, now));
    assert_ok(gw_idem_check(table));
}

static enum gw_idem_verdict again(const char *visitor, const char *key, sl_mono_ns now)
{
    struct gw_idem_call call = call_of(visitor, key, 99);
    struct gw_idem_found f = open_call(&call, now);
    if (f.verdict == GW_IDEM_NEW)
        assert_ok(gw_idem_forget(table, f.id));
    return f.verdict;
}

static void the_first_outcome_is_everybodys(void **state SL_UNUSED)
{
    gw_idem_id id = open_new("user:a", "k", 1, 0);
    struct gw_idem_call retry = call_of("user:a", "k", 2);
    struct gw_idem_found f = open_call(&retry, 1);
    assert_int_equal(f.verdict, GW_IDEM_RUNNING);
    assert_int_equal(f.call, 1);
    assert_int_equal(f.id, id);
    assert_ok(end_call(id, &released[1], 100, 2));
    f = open_call(&retry, 3);
    assert_int_equal(f.verdict, GW_IDEM_DONE);
    assert_ptr_equal(f.result, &released[1]);
    assert_int_equal(f.call_id[0], 1);
    assert_status(end_call(id, &released[2], 1, 3), SL_ESTALE);
    assert_int_equal(released[2], 1);
    assert_status(gw_idem_forget(table, id), SL_ESTALE);
}

static void another_request_or_visitor_is_another_matter(void **state SL_UNUSED)
{
    open_new("user:a", "k", 1, 0);
    struct gw_idem_call other = call_of("user:a", "k", 2);
    other.digest[31] = 7;
    assert_int_equal(open_call(&other, 0).verdict, GW_IDEM_OTHER);
    open_new("user:b", "k", 3, 0);
    open_new("user:a", "K", 4, 0);
    open_new("user:a", "", 5, 0); /* no key is no key */
    open_new("user:a", "", 6, 0);
}

static void what_ended_for_nothing_runs_again(void **state SL_UNUSED)
{
    gw_idem_id id = open_new("user:a", "k", 1, 0);
    assert_ok(gw_idem_forget(table, id));
    open_new("user:a", "k", 1, 1);
}

static void results_go_after_their_time(void **state SL_UNUSED)
{
    add("user:a", "k", 1, 10, 0);
    assert_true(gw_idem_next_expiry(table) == 10 * MINUTE);
    assert_int_equal(again("user:a", "k", 10 * MINUTE - 1), GW_IDEM_DONE);
    assert_int_equal(released[1], 0);
    gw_idem_expire(table, 10 * MINUTE);
    assert_int_equal(released[1], 1);
    assert_int_equal(gw_idem_totals(table).entries, 0);
    assert_true(gw_idem_next_expiry(table) == SL_MONO_NEVER);
    open_new("user:a", "k", 2, 11 * MINUTE); /* never expires while it runs */
    gw_idem_expire(table, 100 * MINUTE);
    assert_int_equal(gw_idem_totals(table).running, 1);
}

static void a_large_result_is_gone_at_once_and_not_run_again(void **state SL_UNUSED)
{
    add("user:a", "k", 1, 101, 0);
    assert_int_equal(released[1], 1);
    assert_int_equal(again("user:a", "k", 1), GW_IDEM_GONE);
    gw_idem_id id = open_new("user:a", "none", 2, 1);
    assert_ok(end_call(id, NULL, 0, 1));
    assert_int_equal(again("user:a", "none", 1), GW_IDEM_GONE);
}

static void the_visitors_oldest_go_first_then_anybodys(void **state SL_UNUSED)
{
    add("user:a", "1", 1, 100, 0);
    add("user:b", "2", 2, 100, 1);
    add("user:b", "3", 3, 100, 2);
    add("user:b", "4", 4, 100, 3); /* the second one's share is 250 */
    assert_int_equal(released[1] + released[3] + released[4], 0);
    assert_int_equal(released[2], 1);
    assert_int_equal(again("user:b", "2", 4), GW_IDEM_GONE);
    add("user:c", "5", 5, 100, 4);
    add("user:c", "6", 6, 50, 5); /* 450 in all */
    assert_int_equal(released[1], 1);
    assert_int_equal(gw_idem_totals(table).result_bytes[GW_IDEM_IN_MEMORY], 350);
    assert_int_equal(gw_idem_totals(table).results, 4);
}

static void a_full_table_forgets_what_ended_first(void **state SL_UNUSED)
{
    gw_idem_id running[8];
    add("user:a", "1", 1, 10, 0);
    for (uint8_t i = 0; i < 8; i++)
        running[i] = open_new("user:b", "", (uint8_t)(10 + i), 1);
    assert_int_equal(released[1], 1);
    struct gw_idem_call more = call_of("user:b", "", 30);
    struct gw_idem_found f;
    assert_status(gw_idem_open(table, &more, 1, &f), SL_EFULL);
    assert_ok(end_call(running[3], NULL, 0, 2));
    assert_ok(gw_idem_open(table, &more, 2, &f));
}

static void ids_are_one_calls(void **state SL_UNUSED)
{
    struct gw_idem_found f;
    open_new("user:a", "1", 1, 0);
    struct gw_idem_call same_id = call_of("user:a", "2", 1);
    assert_status(gw_idem_open(table, &same_id, 0, &f), SL_EEXIST);
    char key[GW_IDEM_KEY_MAX + 1];
    memset(key, 'k', sizeof key);
    struct gw_idem_call long_key = call_of("user:a", "", 2);
    long_key.key = sl_span_of(key, sizeof key);
    assert_status(gw_idem_open(table, &long_key, 0, &f), SL_EINVAL);
    long_key.key.len--;
    assert_ok(gw_idem_open(table, &long_key, 0, &f));
}

static void only_who_paid_fetches(void **state SL_UNUSED)
{
    struct gw_idem_found f;
    uint8_t token[GW_IDEM_TOKEN_BYTES] = {0};
    struct gw_idem_call call = call_of("user:a", "", 1);
    gw_idem_id id = open_call(&call, 0).id;
    assert_true(gw_idem_fetch(table, call.call_id, sl_span_str("user:a"), NULL, 0, &f));
    assert_int_equal(f.verdict, GW_IDEM_RUNNING);
    assert_ok(end_call(id, &released[1], 10, 0));
    assert_true(gw_idem_fetch(table, call.call_id, sl_span_str("user:a"), NULL, 0, &f));
    assert_ptr_equal(f.result, &released[1]);
    assert_false(gw_idem_fetch(table, call.call_id, sl_span_str("user:b"), NULL, 0, &f));
    assert_false(gw_idem_fetch(table, call.call_id, sl_span_str("user:b"), token, 0, &f));

    struct gw_idem_call anonymous = call_of("ip:1.2.3.4", "", 2);
    anonymous.has_token = true;
    anonymous.token[15] = 77;
    open_call(&anonymous, 0);
    struct sl_span address = anonymous.visitor;
    assert_false(gw_idem_fetch(table, anonymous.call_id, address, NULL, 0, &f));
    assert_false(gw_idem_fetch(table, anonymous.call_id, address, token, 0, &f));
    token[15] = 77;
    assert_true(gw_idem_fetch(table, anonymous.call_id, sl_span_str("ip:5.6.7.8"), token, 0, &f));
    assert_false(gw_idem_fetch(table, (const uint8_t[16]){9}, address, token, 0, &f));
}

static void a_restart_never_runs_it_again(void **state SL_UNUSED)
{
    struct gw_idem_call call = call_of("user:a", "k", 1);
    assert_ok(gw_idem_restore(table, &call, &good, -MINUTE));
    assert_status(gw_idem_restore(table, &call, &good, -MINUTE), SL_EEXIST);
    struct gw_idem_call retry = call_of("user:a", "k", 2);
    retry.digest[0] = 99; /* whatever it asked: that is not known any more */
    struct gw_idem_found f = open_call(&retry, 0);
    assert_int_equal(f.verdict, GW_IDEM_GONE);
    assert_int_equal(f.call_id[0], 1);
    assert_int_equal(f.outcome.charged_us, 12345);
    assert_int_equal(again("user:a", "k", 9 * MINUTE), GW_IDEM_NEW);
}

static void lower_limits_hold_at_once(void **state SL_UNUSED)
{
    struct gw_idem_conf less = usual;
    add("user:a", "1", 1, 100, 0);
    add("user:a", "2", 2, 100, 0);
    add("user:b", "3", 3, 100, 0);
    less.limits[GW_IDEM_IN_MEMORY].visitor_bytes = 150;
    gw_idem_set_limits(table, &less);
    assert_int_equal(released[1], 1);
    less.limits[GW_IDEM_IN_MEMORY].total_bytes = 100;
    gw_idem_set_limits(table, &less);
    assert_int_equal(released[2], 1);
    assert_int_equal(released[3], 0);
}

static void places_have_limits_of_their_own(void **state SL_UNUSED)
{
    gw_idem_id on_disk[4];
    for (uint8_t i = 0; i < 4; i++) {
        on_disk[i] = open_new("user:a", "", i, 0);
        assert_ok(end_in(GW_IDEM_ON_DISK, on_disk[i], &released[i], i == 3 ? 301 : 300, 0));
        assert_ok(gw_idem_check(table));
    }
    assert_int_equal(released[0], 1); /* the visitor's third; the fourth is too large */
    assert_int_equal(released[3], 1);
    add("user:a", "k", 4, 100, 1);
    assert_int_equal(gw_idem_totals(table).result_bytes[GW_IDEM_ON_DISK], 600);
    gw_idem_lose(table, on_disk[2]);
    gw_idem_lose(table, on_disk[2]);
    assert_int_equal(released[2], 1);
    assert_int_equal(gw_idem_totals(table).result_bytes[GW_IDEM_ON_DISK], 300);
    assert_int_equal(gw_idem_totals(table).results, 2);
}

/* Who fetches what has gone is told what became of it. */
static void an_outcome_outlives_its_result(void **state SL_UNUSED)
{
    struct gw_idem_found f;
    struct gw_idem_call call = call_of("user:a", "", 1);
    gw_idem_id id = open_new("user:a", "k", 1, 0);
    assert_true(sl_span_eq_str(gw_idem_key(table, id), "k"));
    assert_ok(end_call(id, NULL, 0, 0));
    assert_true(gw_idem_fetch(table, call.call_id, sl_span_str("user:a"), NULL, 0, &f));
    assert_int_equal(f.verdict, GW_IDEM_GONE);
    assert_int_equal(f.outcome.reason, SL_REASON_OK);
    assert_int_equal(f.outcome.charged_us, 12345);
    assert_true(f.outcome.ended_at == good.ended_at);
}

/* ---- any program, against a list */

enum { LIST_MAX = 8, STEPS = 20000 };

struct known {
    bool is_used, is_running, has_result;
    uint8_t visitor, key, digest, number;
    gw_idem_id id;
    uint64_t bytes;
    enum gw_idem_place place;
    sl_mono_ns ended_at;
    uint64_t order;
};

struct list {
    struct known at[LIST_MAX];
    uint64_t next_order;
};

enum { ANY = -1 };

static bool lies_in(const struct known *k, int place)
{
    return place == ANY || (k->has_result && (int)k->place == place);
}

static struct known *known_oldest(struct list *l, int place, int visitor)
{
    struct known *best = NULL;
    for (size_t i = 0; i < LIST_MAX; i++) {
        struct known *k = &l->at[i];
        if (!k->is_used || k->is_running || !lies_in(k, place) ||
            (visitor != ANY && k->visitor != visitor))
            continue;
        if (best == NULL || k->order < best->order)
            best = k;
    }
    return best;
}

static uint64_t known_bytes(const struct list *l, int place, int visitor)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < LIST_MAX; i++)
        if (l->at[i].is_used && lies_in(&l->at[i], place) &&
            (visitor == ANY || l->at[i].visitor == visitor))
            sum += l->at[i].bytes;
    return sum;
}

static struct known *known_place(struct list *l)
{
    for (size_t i = 0; i < LIST_MAX; i++)
        if (!l->at[i].is_used)
            return &l->at[i];
    return known_oldest(l, ANY, ANY);
}

static void known_end(struct list *l, struct known *k, uint64_t bytes, sl_mono_ns now)
{
    k->is_running = false;
    k->ended_at = now;
    k->order = l->next_order++;
    if (bytes > usual.limits[k->place].one_bytes)
        return;
    while (known_bytes(l, k->place, k->visitor) + bytes > usual.limits[k->place].visitor_bytes)
        known_oldest(l, k->place, k->visitor)->has_result = false;
    while (known_bytes(l, k->place, ANY) + bytes > usual.limits[k->place].total_bytes)
        known_oldest(l, k->place, ANY)->has_result = false;
    k->has_result = true;
    k->bytes = bytes;
}

static void step_open(struct list *l, struct sl_rng *rng, uint8_t number, sl_mono_ns now)
{
    static const char *const visitors[] = {"user:a", "user:b", "ip:c"};
    static const char *const keys[] = {"x", "y", "z"};
    struct known want = {.is_used = true,
                         .is_running = true,
                         .visitor = (uint8_t)sl_rng_below(rng, 3),
                         .key = (uint8_t)sl_rng_below(rng, 3),
                         .digest = (uint8_t)sl_rng_below(rng, 5) == 0};
    struct gw_idem_call call = call_of(visitors[want.visitor], keys[want.key], number);
    call.digest[5] = want.digest;
    struct gw_idem_found f;
    sl_status s = gw_idem_open(table, &call, now, &f);
    for (size_t i = 0; i < LIST_MAX; i++) {
        const struct known *k = &l->at[i];
        if (!k->is_used || k->visitor != want.visitor || k->key != want.key)
            continue;
        assert_ok(s);
        enum gw_idem_verdict verdict = k->is_running   ? GW_IDEM_RUNNING
                                       : k->has_result ? GW_IDEM_DONE
                                                       : GW_IDEM_GONE;
        assert_int_equal(f.verdict, k->digest == want.digest ? verdict : GW_IDEM_OTHER);
        return;
    }
    struct known *place = known_place(l);
    if (place == NULL) {
        assert_status(s, SL_EFULL);
        return;
    }
    assert_ok(s);
    assert_int_equal(f.verdict, GW_IDEM_NEW);
    want.id = f.id;
    *place = want;
}

static void step_close(struct list *l, struct sl_rng *rng, sl_mono_ns now)
{
    struct known *k = &l->at[sl_rng_below(rng, LIST_MAX)];
    enum gw_idem_place place = (enum gw_idem_place)sl_rng_below(rng, GW_IDEM_PLACES);
    uint64_t bytes = sl_rng_below(rng, usual.limits[place].one_bytes * 6 / 5);
    if (!k->is_used || !k->is_running)
        return;
    if (sl_rng_below(rng, 4) == 0) {
        assert_ok(gw_idem_forget(table, k->id));
        k->is_used = false;
        return;
    }
    size_t *result =
        malloc(sizeof *result); /* that each comes back just once, the sanitizer sees */
    assert_non_null(result);
    assert_ok(end_in(place, k->id, result, bytes, now));
    k->place = place;
    known_end(l, k, bytes, now);
}

static void free_result(void *ctx SL_UNUSED, void *result)
{
    free(result);
}

static void random_programs_do_as_a_list_says(void **state SL_UNUSED)
{
    struct gw_idem_conf conf = usual;
    struct list l = {.next_order = 1};
    struct sl_rng rng;
    sl_mono_ns now = 0;
    conf.max_entries = LIST_MAX;
    conf.release = free_result;
    assert_ok(gw_idem_create(&sl_alloc_malloc, &conf, &table));
    sl_rng_seed(&rng, 23);
    for (int i = 0; i < STEPS; i++) {
        now += (sl_mono_ns)sl_rng_below(&rng, 2 * MINUTE);
        gw_idem_expire(table, now);
        for (size_t k = 0; k < LIST_MAX; k++)
            if (!l.at[k].is_running && l.at[k].ended_at + usual.keep_ns <= now)
                l.at[k].is_used = false;
        if (sl_rng_below(&rng, 2))
            step_open(&l, &rng, (uint8_t)i, now);
        else
            step_close(&l, &rng, now);
        assert_ok(gw_idem_check(table));
        for (int p = 0; p < GW_IDEM_PLACES; p++)
            assert_int_equal(gw_idem_totals(table).result_bytes[p], known_bytes(&l, p, ANY));
    }
    gw_idem_destroy(table);
}

static void every_failed_allocation_is_survived(void **state SL_UNUSED)
{
    struct fail_alloc f;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        memset(released, 0, sizeof released);
        table = NULL;
        if (gw_idem_create(&f.alloc, &usual, &table) == SL_OK) {
            for (uint8_t k = 0; k < 4; k++) {
                struct gw_idem_call call = call_of(k % 2 ? "user:a" : "user:b", "k", k);
                struct gw_idem_found found;
                call.key.len = k < 2; /* two without a key */
                size_t before = gw_idem_totals(table).entries;
                sl_status s = gw_idem_open(table, &call, 0, &found);
                assert_ok(gw_idem_check(table));
                assert_int_equal(gw_idem_totals(table).entries, before + (s == SL_OK));
                if (s == SL_OK)
                    assert_ok(end_call(found.id, &released[k], 90, 0));
            }
        }
        gw_idem_destroy(table);
        assert_int_equal(fail_alloc_finish(&f), 0);
        for (size_t k = 0; k < RESULTS; k++)
            assert_true(released[k] <= 1);
    }
}

#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TABLE(the_first_outcome_is_everybodys),
        WITH_TABLE(another_request_or_visitor_is_another_matter),
        WITH_TABLE(what_ended_for_nothing_runs_again),
        WITH_TABLE(results_go_after_their_time),
        WITH_TABLE(a_large_result_is_gone_at_once_and_not_run_again),
        WITH_TABLE(the_visitors_oldest_go_first_then_anybodys),
        WITH_TABLE(a_full_table_forgets_what_ended_first),
        WITH_TABLE(ids_are_one_calls),
        WITH_TABLE(only_who_paid_fetches),
        WITH_TABLE(a_restart_never_runs_it_again),
        WITH_TABLE(places_have_limits_of_their_own),
        WITH_TABLE(an_outcome_outlives_its_result),
        WITH_TABLE(lower_limits_hold_at_once),
        cmocka_unit_test(random_programs_do_as_a_list_says),
        cmocka_unit_test(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
