/* test_whole_leases.c - gateway and executor die at any point, in memory: what all gateways booked, each lease
 * once, is what the executor's journal sums up to. */
#include <inttypes.h>
#include <stdlib.h>

#include "sl_log.h"
#include "sl_rng.h"
#include "sl_test.h"
#include "whole_stage.h"

enum { PLAYS = 150, STEPS = 60, CALLS_MAX = 2 * STEPS, RECORDS_MAX = 4096 };

/* What gateways said that they booked, in all their lives: a later one does not know what an earlier one has. */
static struct {
    uint64_t records[RECORDS_MAX];
    int64_t held[RECORDS_MAX];
    unsigned life_of[RECORDS_MAX]; /* the gateway's, that booked it last */
    unsigned life;
    size_t count;
    int64_t sum_us;
    size_t orphans, repeated;
} books;

static struct stage stage;
static struct h2_call *calls[CALLS_MAX];
static size_t call_count;

static int64_t number_behind(const char *line, const char *key)
{
    const char *at = strstr(line, key);
    assert_non_null(at);
    return (int64_t)strtoull(at + strlen(key), NULL, 10);
}

static void book(uint64_t record, int64_t held_us, bool is_orphan)
{
    for (size_t i = 0; i < books.count; i++) {
        if (books.records[i] != record)
            continue;
        assert_int_equal(books.held[i], held_us);
        assert_int_not_equal(books.life_of[i],
                             books.life); /* what it knows it does not book again */
        books.life_of[i] = books.life;
        books.repeated++;
        return;
    }
    assert_true(books.count < RECORDS_MAX);
    books.records[books.count] = record;
    books.held[books.count] = held_us;
    books.life_of[books.count++] = books.life;
    books.sum_us += held_us;
    books.orphans += is_orphan;
}

static void hear_line(void *ctx, const char *text, unsigned len)
{
    char line[SL_LOG_LINE_MAX + 1];
    (void)ctx;
    snprintf(line, sizeof line, "%.*s", (int)len, text);
    const bool is_orphan = strstr(line, "orphan lease node=") != NULL;
    const bool is_known = strstr(line, "known lease node=") != NULL; /* not booked: told again */
    if (!is_known && (is_orphan || strstr(line, " lease node=") != NULL))
        book((uint64_t)number_behind(line, " record="), number_behind(line, " held_us="),
             is_orphan);
}

/* ---- steps */

static void step_call(struct sl_rng *rng)
{
    static const char *const models[] = {"echo", "echo", "fails", "stalls", "dies"};
    struct infer_builder b;
    const size_t count = sl_rng_below(rng, 4) == 0 ? 600 : 3; /* by bulk, inline */
    if (!stage.is_connected || call_count == CALLS_MAX)
        return;
    infer_begin(&b, models[sl_rng_below(rng, SL_ARRAY_LEN(models))]);
    if (sl_rng_below(rng, 8) == 0)
        infer_param_string(&b, "sluice_size", "xlarge"); /* both slices */
    infer_input(&b, "IN", "FP32", 1, (int64_t[]){(int64_t)count});
    infer_raw(&b, infer_room(&b, count * 4), count * 4);
    calls[call_count++] = stage_call(&stage, GW_METHOD_MODEL_INFER, infer_bytes(&b));
    infer_end(&b);
}

static void step_cancel(struct sl_rng *rng)
{
    if (call_count == 0 || !stage.is_connected)
        return;
    struct h2_call *c = calls[sl_rng_below(rng, call_count)];
    if (!c->is_closed)
        h2_call_reset(&stage.visitor, c);
}

static void step_node(void)
{
    if (stage.has_node)
        stage_lose_node(&stage);
    else
        stage_start_node(&stage);
}

static void step_gateway(void)
{
    call_count = 0; /* they are gone with their connection */
    books.life++;
    stage_restart_gateway(&stage);
}

static void step(struct sl_rng *rng)
{
    const uint64_t what = sl_rng_below(rng, 100);
    if (what < 45)
        step_call(rng);
    else if (what < 55)
        step_cancel(rng);
    else if (what < 75)
        stage_turn(&stage);
    else if (what < 85)
        stage_run(&stage);
    else if (what < 90)
        stage_wait(&stage, (int64_t)sl_rng_below(rng, 3 * SL_NS_PER_S));
    else if (what < 97)
        step_node();
    else
        step_gateway();
}

static void settle(void)
{
    if (!stage.has_node)
        stage_start_node(&stage);
    for (int i = 0; i < 20; i++)
        stage_wait(&stage, SL_NS_PER_S);
}

static struct ex_journal_totals play(uint64_t seed)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, seed);
    memset(&books, 0, sizeof books);
    call_count = 0;
    stage_open(&stage, 0);
    for (int i = 0; i < STEPS; i++)
        step(&rng);
    settle();
    const struct ex_journal_totals t = ex_journal_totals(stage.node.journal);
    assert_ok(ex_journal_check(stage.node.journal));
    stage_close(&stage);
    return t;
}

static void test_what_is_booked_is_what_was_measured(void **state)
{
    uint64_t leases = 0, orphans = 0, repeated = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= PLAYS; seed++) {
        const struct ex_journal_totals t = play(seed);
        if (t.unacknowledged != 0 || t.leases != books.count || t.held_us != books.sum_us)
            fail_msg("seed %" PRIu64 ": %" PRIu64 " leases of %" PRId64 " us, %" PRIu32
                     " of them unacknowledged; booked %zu of %" PRId64 " us",
                     seed, t.leases, t.held_us, t.unacknowledged, books.count, books.sum_us);
        leases += t.leases;
        orphans += books.orphans;
        repeated += books.repeated;
    }
    print_message("%d plays: %" PRIu64 " leases, %" PRIu64 " orphans, %" PRIu64 " told twice\n",
                  PLAYS, leases, orphans, repeated);
    assert_true(leases > PLAYS && orphans > PLAYS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_is_booked_is_what_was_measured)};
    sl_log_setup("test", SL_LOG_DEBUG, SL_LOG_TEXT);
    sl_log_set_sink(hear_line, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
