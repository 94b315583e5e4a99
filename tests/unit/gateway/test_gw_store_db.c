/* test_gw_store_db.c - the log and its tables on a real file: groups, what is built, what is loaded, what is
 * forgotten, and which files are refused. */
#include <sys/wait.h>
#include <unistd.h>

#include "gw_store_build.h"
#include "gw_store_key.h"
#include "gw_store_query.h"
#include "gw_store_schema.h"
#include "gw_store_sums.h"
#include "sl_test.h"
#include "store_rig.h"

static const sl_wall_us day_us = INT64_C(86400) * SL_US_PER_S;

static void reopen(struct store_rig *r)
{
    gw_store_db_close(&r->db);
    assert_ok(store_rig_open(r, NULL, false));
}

static void a_group_is_there_after_it_was_committed(void **state)
{
    struct store_rig *r = *state;
    assert_ok(store_rig_open(r, NULL, false));
    assert_ok(store_rig_commit_receipts(r, 1, 3));
    assert_ok(store_rig_commit_receipts(r, 4, 1000)); /* more than a batch */
    assert_int_equal(r->db.last_n, 1003);
    assert_int_equal(store_rig_number(r, "SELECT count(*) FROM log"), 1003);
    reopen(r);
    assert_int_equal(r->db.last_n, 1003);
    assert_int_equal(r->db.lost_count, 0);
}

static void spending_is_the_sum_of_receipts_of_the_window(void **state)
{
    struct store_rig *r = *state;
    struct store_rig_past past;
    assert_ok(store_rig_open(r, NULL, false));
    assert_ok(store_rig_commit_receipts(r, 1, 10));
    struct gw_receipt late = store_rig_receipt(11, "user:ann", 77);
    late.windows_opened_at[0] -= day_us; /* of the window before */
    store_rig_add_receipt(r, &late);
    struct gw_receipt nested = store_rig_receipt(12, "ip:2001:db8::/64", 5);
    nested.account_count = 2;
    nested.accounts[1] = sl_span_str("ip:2001:db8::/56");
    nested.windows_opened_at[1] = STORE_RIG_NOW - 1;
    store_rig_add_receipt(r, &nested);
    assert_ok(store_rig_commit(r));
    assert_ok(store_rig_load(r, STORE_RIG_NOW - day_us, &past));
    assert_int_equal(past.account_count, 3);
    assert_int_equal(store_rig_spent(&past, "user:ann"), 10000);
    assert_int_equal(store_rig_spent(&past, "ip:2001:db8::/64"), 5);
    assert_int_equal(store_rig_spent(&past, "ip:2001:db8::/56"), 5);
}

static void a_new_window_begins_with_nothing_spent(void **state)
{
    struct store_rig *r = *state;
    struct store_rig_past past;
    assert_ok(store_rig_open(r, NULL, false));
    assert_ok(store_rig_commit_receipts(r, 1, 10));
    store_rig_add(r, &(struct gw_record){.kind = GW_RECORD_GRANT,
                                         .grant = {.account = sl_span_str("user:ann"),
                                                   .by = sl_span_str("user:root"),
                                                   .reason = sl_span_str("thesis"),
                                                   .at = STORE_RIG_NOW,
                                                   .window_opened_at = STORE_RIG_NOW,
                                                   .amount_us = 42}});
    assert_ok(store_rig_commit(r));
    assert_ok(store_rig_load(r, 0, &past));
    assert_int_equal(past.accounts[0].granted_us, 42);
    store_rig_add(r,
                  &(struct gw_record){.kind = GW_RECORD_WINDOW,
                                      .window = {sl_span_str("user:ann"), STORE_RIG_NOW + day_us}});
    assert_ok(store_rig_commit(r));
    assert_ok(store_rig_load(r, 0, &past));
    assert_int_equal(past.accounts[0].window_opened_at, STORE_RIG_NOW + day_us);
    assert_int_equal(past.accounts[0].spent_us, 0);
    assert_int_equal(past.accounts[0].granted_us, 0);
    assert_int_equal(store_rig_number(r, "SELECT sum(amount_us) FROM grants"), 42);
}

/* Time given while no window is open counts in the next one. */
static void a_grant_waits_for_the_window(void **state)
{
    struct store_rig *r = *state;
    struct store_rig_past past;
    struct gw_record grant = {.kind = GW_RECORD_GRANT,
                              .grant = {.account = sl_span_str("user:ann"), .amount_us = 42}};
    assert_ok(store_rig_open(r, NULL, false));
    store_rig_add(r, &grant);
    store_rig_add(r, &grant);
    assert_ok(store_rig_commit(r));
    assert_ok(store_rig_load(r, STORE_RIG_NOW, &past));
    assert_int_equal(past.account_count, 1);
    assert_int_equal(past.accounts[0].granted_us, 84);
    assert_ok(store_rig_commit_receipts(r, 1, 1));
    assert_ok(store_rig_load(r, 0, &past));
    assert_int_equal(past.accounts[0].granted_us, 84);
    assert_int_equal(past.accounts[0].spent_us, 1000);
}

static void an_entry_counts_once_however_it_is_built(void **state)
{
    struct store_rig *r = *state;
    struct store_rig_past past;
    assert_ok(store_rig_open(r, NULL, false));
    assert_ok(store_rig_commit_receipts(r, 1, 100));
    for (int piece = 1; gw_store_lag(&r->db) > 0; piece = piece * 2 % 31 + 1) {
        assert_ok(gw_store_build(&r->db, piece));
        reopen(r);
    }
    assert_ok(store_rig_load(r, 0, &past));
    assert_int_equal(store_rig_spent(&past, "user:ann"), 100000);
    assert_int_equal(store_rig_number(r, "SELECT sum(calls) FROM usage"), 100);
    assert_int_equal(past.lease_count, 99 + 1); /* the span is 100 serials */
}

static void tokens_apps_and_blocks_come_back(void **state)
{
    struct store_rig *r = *state;
    struct store_rig_past past;
    struct gw_record token = {.kind = GW_RECORD_TOKEN,
                              .token = {.hash = {1}, .prefix = sl_span_str("sl_one")}};
    struct gw_record app = {.kind = GW_RECORD_APP,
                            .app = {.name = sl_span_str("demo"), .owner = sl_span_str("ann")}};
    struct gw_record block = {.kind = GW_RECORD_BLOCK,
                              .block = {.account = sl_span_str("ip:1.2.3.4"), .is_blocked = true}};
    assert_ok(store_rig_open(r, NULL, false));
    store_rig_add(r, &token);
    token.token.hash[0] = 2;
    token.token.prefix = sl_span_str("sl_two");
    store_rig_add(r, &token);
    token.token.hash[0] = 3;
    token.token.expires_at = STORE_RIG_NOW;
    store_rig_add(r, &token);
    store_rig_add(r, &app);
    store_rig_add(r, &block);
    assert_ok(store_rig_commit(r));
    assert_ok(store_rig_load(r, 0, &past));
    assert_int_equal(past.token_count, 2);
    assert_int_equal(past.app_count, 1);
    assert_int_equal(past.block_count, 1);
    assert_string_equal(past.blocks[0], "ip:1.2.3.4");

    token.token = (struct gw_record_token){.hash = {2}, .revoked_at = STORE_RIG_NOW};
    app.app.state = GW_APP_REMOVED;
    block.block.is_blocked = false;
    store_rig_add(r, &token);
    store_rig_add(r, &app);
    store_rig_add(r, &block);
    assert_ok(store_rig_commit(r));
    reopen(r);
    assert_ok(store_rig_load(r, 0, &past));
    assert_int_equal(past.token_count, 1);
    assert_string_equal(past.tokens[0], "sl_one");
    assert_int_equal(past.app_count + past.block_count, 0);
}

static void what_cannot_be_read_is_left_out_alone(void **state)
{
    struct store_rig *r = *state;
    struct store_rig_past past;
    assert_ok(store_rig_open(r, NULL, false));
    assert_ok(gw_store_queue_put(&r->queue, GW_RECORD_RECEIPT, sl_span_str("?"), 0));
    assert_ok(gw_store_queue_put(&r->queue, (enum gw_record_kind)99, sl_span_str(""), 0));
    assert_ok(store_rig_commit_receipts(r, 1, 1));
    assert_ok(store_rig_load(r, 0, &past));
    assert_int_equal(store_rig_spent(&past, "user:ann"), 1000);
    assert_int_equal(r->db.built_n, 3);
}

static void history_is_kept_for_its_time(void **state)
{
    struct store_rig *r = *state;
    struct store_rig_past past;
    bool more = true;
    assert_ok(store_rig_open(r, NULL, false));
    for (uint64_t day = 0; day < 30; day++) {
        struct gw_receipt receipt = store_rig_receipt(day, day % 2 == 0 ? "user:a" : "user:b", 10);
        receipt.ended_at += (int64_t)day * day_us;
        receipt.windows_opened_at[0] = receipt.ended_at;
        receipt.app = sl_span_str("demo");
        store_rig_add_receipt(r, &receipt);
    }
    assert_ok(store_rig_commit(r));
    assert_ok(store_rig_load(r, 0, &past));
    while (more)
        assert_ok(gw_store_forget(&r->db, STORE_RIG_NOW + 20 * day_us, 7, &more));
    assert_int_equal(store_rig_number(r, "SELECT count(*) FROM log WHERE kind = 1"), 10);
    assert_int_equal(store_rig_number(r, "SELECT count(*) FROM log"), 10);
    assert_int_equal(store_rig_number(r, "SELECT sum(calls) FROM usage"), 30);
    assert_int_equal(store_rig_number(r, "SELECT sum(calls) FROM usage WHERE account = ''"), 18);
    while (more || store_rig_number(r, "SELECT count(*) FROM log WHERE kind = 1") > 1)
        assert_ok(gw_store_forget(&r->db, STORE_RIG_NOW + 99 * day_us, 7, &more));
    reopen(r);
    assert_int_equal(r->db.last_n, 30); /* no number is given twice */
    assert_int_equal(store_rig_number(r, "SELECT count(*) FROM accounts"), 0);
    assert_int_equal(store_rig_number(r, "SELECT sum(charged_us) FROM usage"), 300);
}

/* Each day of each visitor leaves one in the log. */
static void windows_go_with_the_receipts_around_them(void **state)
{
    enum { PAIRS = 600, LAST = 2 * PAIRS };
    struct store_rig *r = *state;
    struct store_rig_past past;
    bool more = true;
    assert_ok(store_rig_open(r, NULL, false));
    for (uint64_t i = 0; i < PAIRS; i++) {
        struct gw_receipt receipt = store_rig_receipt(i, "user:ann", 10);
        store_rig_add(r, &(struct gw_record){.kind = GW_RECORD_WINDOW,
                                             .window = {sl_span_str("user:ann"), STORE_RIG_NOW}});
        store_rig_add_receipt(r, &receipt);
    }
    assert_ok(store_rig_commit(r));
    assert_ok(store_rig_load(r, 0, &past));
    while (more)
        assert_ok(gw_store_forget(&r->db, STORE_RIG_NOW + day_us, 256, &more));
    /* but for those beside the last receipt, which keeps its number */
    assert_int_equal(store_rig_number(r, "SELECT min(n) FROM log"), GW_STORE_CHAPTER_COUNT + 1);
    assert_int_equal(store_rig_number(r, "SELECT count(*) FROM log WHERE kind = 2"),
                     (LAST - GW_STORE_CHAPTER_COUNT) / 2);
    assert_int_equal(store_rig_number(r, "SELECT max(n) FROM log WHERE kind = 1"), LAST);
    reopen(r);
    assert_int_equal(r->db.last_n, LAST);
}

/* ---- learned durations */

static void change(struct store_rig *r, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(r->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void add_learned(struct store_rig *r, const char *model, const char *samples, sl_wall_us at)
{
    store_rig_add(r, &(struct gw_record){.kind = GW_RECORD_LEARNED,
                                         .learned = {.model = sl_span_str(model),
                                                     .version = sl_span_str("1"),
                                                     .at = at,
                                                     .samples = sl_span_str(samples)}});
}

static int64_t learned_in_log(struct store_rig *r)
{
    return store_rig_number(r, "SELECT count(*) FROM log WHERE kind = 9");
}

static void of_learned_durations_the_newest_are_kept(void **state)
{
    struct store_rig *r = *state;
    struct store_rig_past past;
    assert_ok(store_rig_open(r, NULL, false));
    for (int i = 0; i < 10; i++) {
        add_learned(r, "m", i == 9 ? "last" : "first", STORE_RIG_NOW);
        add_learned(r, i == 5 ? "n" : "o", "some", STORE_RIG_NOW);
    }
    assert_ok(store_rig_commit(r));
    assert_ok(store_rig_load(r, 0, &past));
    assert_int_equal(learned_in_log(r), 3);
    assert_int_equal(past.learned_count, 3);
    assert_string_equal(past.learned[0], "o/1 some"); /* newest first */
    assert_string_equal(past.learned[1], "m/1 last");
    assert_string_equal(past.learned[2], "n/1 some");
    reopen(r);
    assert_int_equal(r->db.last_n, 20);
    assert_ok(store_rig_load(r, 0, &past));
    assert_int_equal(past.learned_count, 3);
}

static void what_a_model_learned_long_ago_is_forgotten(void **state)
{
    struct store_rig *r = *state;
    struct store_rig_past past;
    bool more = true;
    assert_ok(store_rig_open(r, NULL, false));
    add_learned(r, "old", "a", STORE_RIG_NOW);
    add_learned(r, "new", "b", STORE_RIG_NOW + 2 * day_us);
    add_learned(r, "last", "c", STORE_RIG_NOW);
    assert_ok(store_rig_commit(r));
    assert_ok(store_rig_load(r, 0, &past));
    while (more)
        assert_ok(gw_store_forget(&r->db, STORE_RIG_NOW + day_us, 7, &more));
    assert_ok(store_rig_load(r, 0, &past));
    assert_int_equal(past.learned_count, 2); /* the log's last entry keeps its number */
    assert_string_equal(past.learned[0], "last/1 c");
    assert_string_equal(past.learned[1], "new/1 b");
    assert_int_equal(learned_in_log(r), 2);
}

static void a_file_of_before_learns_as_well(void **state)
{
    struct store_rig *r = *state;
    struct store_rig_past past;
    assert_ok(store_rig_open(r, NULL, false));
    assert_ok(store_rig_commit_receipts(r, 1, 3));
    gw_store_db_close(&r->db);
    change(r, "DROP TABLE learned; PRAGMA user_version=1");
    assert_ok(store_rig_open(r, NULL, false));
    add_learned(r, "m", "a", STORE_RIG_NOW);
    assert_ok(store_rig_commit(r));
    assert_ok(store_rig_load(r, 0, &past));
    assert_int_equal(past.learned_count, 1);
    assert_int_equal(store_rig_spent(&past, "user:ann"), 3000);
}

static void weeks_begin_on_monday(void **state SL_UNUSED)
{
    sl_wall_us monday = STORE_RIG_NOW - 3 * day_us; /* 2025-12-29 */
    assert_int_equal(gw_store_week_at(gw_store_week_of(STORE_RIG_NOW)), monday);
    assert_int_equal(gw_store_week_at(gw_store_week_of(monday)), monday);
    assert_int_equal(gw_store_week_at(gw_store_week_of(monday - 1)), monday - 7 * day_us);
    assert_int_equal(gw_store_week_of(-3 * day_us), 0);
    assert_int_equal(gw_store_week_of(-3 * day_us - 1), -1);
    assert_int_equal(gw_store_week_of(-10 * day_us - 1), -2);
}

/* ---- questions */

static struct gw_store_answer ask(struct store_rig *r, struct sl_arena *arena,
                                  const struct gw_store_question *q)
{
    struct gw_store_answer a;
    sl_arena_init(arena, &sl_alloc_malloc, GW_STORE_ANSWER_MAX_BYTES);
    gw_store_answer(r->db.handle, q, arena, &a);
    if (a.status != SL_OK)
        fail_msg("%s", a.why);
    return a;
}

static void receipts_come_in_pages(void **state)
{
    struct store_rig *r = *state;
    struct store_rig_past past;
    struct sl_arena arena;
    assert_ok(store_rig_open(r, NULL, false));
    for (uint64_t i = 1; i <= 25; i++) {
        struct gw_receipt receipt = store_rig_receipt(i, i % 5 == 0 ? "user:b" : "user:a", 10);
        receipt.ended_at += (int64_t)i;
        receipt.app = sl_span_str(i % 2 == 0 ? "demo" : "");
        store_rig_add_receipt(r, &receipt);
    }
    assert_ok(store_rig_commit(r));
    assert_ok(store_rig_load(r, 0, &past));
    struct gw_store_question q = {.kind = GW_STORE_RECEIPTS, .account = "user:a", .rows_max = 8};
    int64_t before = INT64_MAX;
    size_t rows = 0, pages = 0;
    do {
        struct gw_store_answer a = ask(r, &arena, &q);
        for (size_t i = 0; i < a.row_count; i++, rows++) {
            assert_true(a.rows[i].n < before);
            before = a.rows[i].n;
        }
        q.after_n = a.next_n;
        pages++;
        sl_arena_finish(&arena);
    } while (q.after_n != 0);
    assert_int_equal(rows, 20);
    assert_int_equal(pages, 3);

    q = (struct gw_store_question){.kind = GW_STORE_RECEIPTS,
                                   .app = "demo",
                                   .from = STORE_RIG_NOW + 5,
                                   .until = STORE_RIG_NOW + 11,
                                   .rows_max = 100};
    assert_int_equal(ask(r, &arena, &q).row_count, 3); /* 6, 8, 10 */
    sl_arena_finish(&arena);
    q = (struct gw_store_question){.kind = GW_STORE_RECEIPT, .call_id = {17}, .rows_max = 1};
    struct gw_store_answer a = ask(r, &arena, &q);
    assert_int_equal(a.row_count, 1);
    assert_int_equal(a.rows[0].n, 17);
    sl_arena_finish(&arena);
    q.call_id[15] = 1; /* the same beginning, another call */
    assert_int_equal(ask(r, &arena, &q).row_count, 0);
    sl_arena_finish(&arena);
}

static void usage_is_summed_by_week(void **state)
{
    struct store_rig *r = *state;
    struct store_rig_past past;
    struct sl_arena arena;
    assert_ok(store_rig_open(r, NULL, false));
    store_rig_add(
        r, &(struct gw_record){.kind = GW_RECORD_APP,
                               .app = {.name = sl_span_str("demo"), .owner = sl_span_str("ann")}});
    for (uint64_t i = 0; i < 20; i++) {
        struct gw_receipt receipt = store_rig_receipt(i, i % 2 == 0 ? "user:a" : "user:b", 10);
        receipt.ended_at += (int64_t)i * day_us;
        receipt.app = sl_span_str(i % 4 == 0 ? "demo" : "");
        store_rig_add_receipt(r, &receipt);
    }
    assert_ok(store_rig_commit(r));
    assert_ok(store_rig_load(r, 0, &past));
    struct gw_store_question q = {.kind = GW_STORE_USAGE, .rows_max = 100};
    struct gw_store_answer a =
        ask(r, &arena, &q); /* 4 days, 7, 7, 2; each with and without an app */
    assert_int_equal(a.row_count, 7);
    assert_span_text(a.rows[1].usage.key, "demo");
    assert_int_equal(a.rows[0].usage.calls, 3);
    assert_int_equal(a.rows[0].usage.week_at, STORE_RIG_NOW - 3 * day_us);
    sl_arena_finish(&arena);
    q.usage_by = GW_STORE_BY_OWNER;
    q.from = STORE_RIG_NOW + 4 * day_us;
    q.until = STORE_RIG_NOW + 11 * day_us;
    a = ask(r, &arena, &q);
    assert_int_equal(a.row_count, 2);
    assert_span_text(a.rows[1].usage.key, "ann");
    assert_int_equal(a.rows[1].usage.charged_us, 20);
    sl_arena_finish(&arena);
    q = (struct gw_store_question){
        .kind = GW_STORE_USAGE, .usage_by = GW_STORE_BY_VISITOR, .rows_max = 3};
    a = ask(r, &arena, &q);
    assert_int_equal(a.row_count, 3);
    q.after_n = a.next_n;
    q.rows_max = 100;
    sl_arena_finish(&arena);
    assert_int_equal(ask(r, &arena, &q).row_count, 5);
    sl_arena_finish(&arena);
}

static void grants_tell_their_reason(void **state)
{
    struct store_rig *r = *state;
    struct store_rig_past past;
    struct sl_arena arena;
    assert_ok(store_rig_open(r, NULL, false));
    store_rig_add(r, &(struct gw_record){.kind = GW_RECORD_GRANT,
                                         .grant = {.account = sl_span_str("user:ann"),
                                                   .by = sl_span_str("user:root"),
                                                   .reason = sl_span_str("a demo on Friday"),
                                                   .amount_us = -5}});
    assert_ok(store_rig_commit(r));
    assert_ok(store_rig_load(r, 0, &past));
    struct gw_store_question q = {.kind = GW_STORE_GRANTS, .account = "user:ann", .rows_max = 10};
    struct gw_store_answer a = ask(r, &arena, &q);
    assert_int_equal(a.row_count, 1);
    assert_span_text(a.rows[0].grant.reason, "a demo on Friday");
    assert_int_equal(a.rows[0].grant.amount_us, -5);
    sl_arena_finish(&arena);
}

/* ---- beside other programs */

/* It should not be, but what it wrote is no fault of the file. */
static void another_program_writes_in_between(void **state)
{
    struct store_rig *r = *state;
    assert_ok(store_rig_open(r, NULL, false));
    for (uint64_t n = 1; n <= 5; n++) {
        assert_ok(store_rig_commit_receipts(r, n, 1));
        change(r, "INSERT OR REPLACE INTO meta VALUES('other', random())");
    }
    assert_ok(gw_store_build(&r->db, 5));
    assert_int_equal(store_rig_number(r, "SELECT sum(calls) FROM usage"), 5);
}

/* Checkpoints reach the end of the WAL, and it begins anew: it does not grow for ever. */
static void the_wal_begins_anew(void **state)
{
    struct store_rig *r = *state;
    assert_ok(store_rig_open(r, NULL, false));
    for (uint64_t n = 1; n <= 200; n++) {
        assert_ok(store_rig_commit_receipts(r, n, 1));
        if (n % 20 == 0)
            assert_ok(gw_store_db_checkpoint(&r->db));
        assert_true(r->db.wal_pages <= 60);
    }
    assert_int_equal(gw_store_db_unmoved(&r->db), 0);
}

/* ---- files that are refused */

static void assert_refused(struct store_rig *r, sl_status wanted, const char *part)
{
    assert_status(store_rig_open(r, NULL, false), wanted);
    if (strstr(r->err.text, part) == NULL || strstr(r->err.text, r->path) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", r->err.text, part);
}

static void a_file_of_the_future_is_refused(void **state)
{
    struct store_rig *r = *state;
    char sql[64];
    assert_ok(store_rig_open(r, NULL, false));
    gw_store_db_close(&r->db);
    snprintf(sql, sizeof sql, "PRAGMA user_version=%d", gw_store_schema_version() + 1);
    change(r, sql);
    assert_refused(r, SL_ENEVER, "newer Sluice");
}

static void another_programs_file_is_refused(void **state)
{
    struct store_rig *r = *state;
    change(r, "CREATE TABLE t(x)");
    assert_refused(r, SL_ENEVER, "another program");
    FILE *f = fopen(r->path, "w");
    for (int i = 0; i < 4096; i++)
        fputc('x', f);
    fclose(f);
    assert_refused(r, SL_EIO, "not a database");
}

static void a_store_has_one_gateway(void **state)
{
    struct store_rig *r = *state;
    assert_ok(store_rig_open(r, NULL, false));
    pid_t child = fork();
    if (child == 0) {
        struct gw_store_db other;
        struct sl_error err;
        const struct gw_store_db_conf c = {.alloc = &sl_alloc_malloc, .path = r->path};
        _exit(gw_store_db_open(&other, &c, 0, &err) == SL_EEXIST &&
                      strstr(err.text, "another gateway") != NULL
                  ? 0
                  : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* The log ends before what the mark says: it is told, and the numbers are not given again. */
static void what_was_lost_is_told(void **state)
{
    struct store_rig *r = *state;
    assert_ok(store_rig_open(r, NULL, false));
    assert_ok(store_rig_commit_receipts(r, 1, 5));
    assert_ok(gw_store_db_checkpoint(&r->db));
    assert_ok(store_rig_commit_receipts(r, 6, 7));
    gw_store_db_close(&r->db);
    store_rig_remove(r, "-wal");
    store_rig_remove(r, "-shm");
    assert_ok(store_rig_open(r, NULL, false));
    assert_int_equal(r->db.lost_count, 7);
    assert_int_equal(r->db.last_n, 13);
    assert_ok(store_rig_commit_receipts(r, 13, 1));
    assert_int_equal(r->db.last_n, 14);
    reopen(r);
    assert_int_equal(r->db.lost_count, 0); /* once */
    assert_int_equal(store_rig_number(r, "SELECT count(*) FROM log WHERE kind = 8 AND n = 13"), 1);
}

/* The process ended between a commit's answer and its mark: nothing is lost, nothing is said. */
static void a_mark_that_is_behind_is_no_loss(void **state)
{
    struct store_rig *r = *state;
    struct gw_store_batch *b;
    assert_ok(store_rig_open(r, NULL, false));
    assert_ok(store_rig_commit_receipts(r, 1, 3));
    struct gw_receipt receipt = store_rig_receipt(4, "user:ann", 1000);
    store_rig_add_receipt(r, &receipt);
    gw_store_queue_flush(&r->queue);
    assert_true(gw_store_queue_take(&r->queue, 0, &r->group));
    assert_ok(gw_store_db_commit(&r->db, r->group.head));
    while ((b = gw_store_batches_pop(&r->group)) != NULL)
        gw_store_queue_recycle(&r->queue, b);
    assert_int_equal(r->db.mark.stored_n, 3);
    reopen(r);
    assert_int_equal(r->db.lost_count, 0);
    assert_int_equal(r->db.last_n, 4);
    assert_int_equal(r->db.mark.stored_n, 4);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, store_rig_setup, store_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(a_group_is_there_after_it_was_committed),
        WITH_RIG(spending_is_the_sum_of_receipts_of_the_window),
        WITH_RIG(a_new_window_begins_with_nothing_spent),
        WITH_RIG(a_grant_waits_for_the_window),
        WITH_RIG(an_entry_counts_once_however_it_is_built),
        WITH_RIG(tokens_apps_and_blocks_come_back),
        WITH_RIG(what_cannot_be_read_is_left_out_alone),
        WITH_RIG(history_is_kept_for_its_time),
        WITH_RIG(windows_go_with_the_receipts_around_them),
        WITH_RIG(of_learned_durations_the_newest_are_kept),
        WITH_RIG(what_a_model_learned_long_ago_is_forgotten),
        WITH_RIG(a_file_of_before_learns_as_well),
        cmocka_unit_test(weeks_begin_on_monday),
        WITH_RIG(receipts_come_in_pages),
        WITH_RIG(usage_is_summed_by_week),
        WITH_RIG(grants_tell_their_reason),
        WITH_RIG(another_program_writes_in_between),
        WITH_RIG(the_wal_begins_anew),
        WITH_RIG(a_file_of_the_future_is_refused),
        WITH_RIG(another_programs_file_is_refused),
        WITH_RIG(a_store_has_one_gateway),
        WITH_RIG(what_was_lost_is_told),
        WITH_RIG(a_mark_that_is_behind_is_no_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
