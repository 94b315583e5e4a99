#include "gw_store_query.h"

#include <stdio.h>
#include <string.h>

#include "gw_receipt_code.h"
#include "gw_store_db.h"
#include "gw_store_key.h"
#include "gw_store_sums.h"

/* What is being answered. */
struct answering {
    const struct gw_store_question *question;
    uint64_t store_id;
    int64_t built_n;
    struct sl_arena *arena;
    struct gw_store_answer *answer;
};

static bool keep_text(struct answering *a, sqlite3_stmt *s, int at, struct sl_span *out)
{
    struct sl_span text = gw_store_column_text(s, at);
    const char *copy = sl_arena_str(a->arena, text);
    *out = sl_span_of(copy, text.len);
    return copy != NULL;
}

/* ---- a row of each kind; false: no memory */

static bool take_receipt(struct answering *a, sqlite3_stmt *s, struct gw_store_row *row)
{
    const void *bytes = sqlite3_column_blob(s, 1);
    size_t count = (size_t)sqlite3_column_bytes(s, 1);
    void *copy = sl_arena_get(a->arena, count + 1);
    if (copy == NULL)
        return false;
    if (count > 0)
        memcpy(copy, bytes, count);
    row->receipt = sl_span_of(copy, count);
    return true;
}

static bool take_usage(struct answering *a, sqlite3_stmt *s, struct gw_store_row *row)
{
    row->usage = (struct gw_store_usage_row){
        .week_at = gw_store_week_at(sqlite3_column_int64(s, 1)),
        .calls = sqlite3_column_int64(s, 3),
        .used_us = sqlite3_column_int64(s, 4),
        .charged_us = sqlite3_column_int64(s, 5),
    };
    return keep_text(a, s, 2, &row->usage.key);
}

static bool take_grant(struct answering *a, sqlite3_stmt *s, struct gw_store_row *row)
{
    row->grant.at = sqlite3_column_int64(s, 4);
    row->grant.window_opened_at = sqlite3_column_int64(s, 5);
    row->grant.amount_us = sqlite3_column_int64(s, 6);
    return keep_text(a, s, 1, &row->grant.account) && keep_text(a, s, 2, &row->grant.by) &&
           keep_text(a, s, 3, &row->grant.reason);
}

/* ---- the questions as SQL
 *
 * ?1 account, ?2 app, ?3 from, ?4 until, ?5 where the page begins, ?6 rows, ?7 key, ?8 entries of a
 * chapter, ?9 how far the tables are built. Receipts are looked at one after the other, the newest first, until the
 * page is full: first those that are not in the tables yet. */

enum { SQL_MAX = 1024 };

static void add(char *sql, const char *more)
{
    strncat(sql, more, SQL_MAX - strlen(sql) - 1);
}

static bool is_of_log(const struct gw_store_question *q)
{
    return q->kind == GW_STORE_RECEIPTS || q->kind == GW_STORE_RECEIPT;
}

static bool has_key(const struct gw_store_question *q)
{
    return q->kind == GW_STORE_RECEIPT || q->account[0] != '\0' || q->app[0] != '\0';
}

static int64_t key_of(uint64_t store_id, const struct gw_store_question *q)
{
    if (q->kind == GW_STORE_RECEIPT)
        return gw_store_key(store_id, GW_STORE_KEY_CALL, sl_span_of(q->call_id, sizeof q->call_id));
    if (q->account[0] != '\0')
        return gw_store_key(store_id, GW_STORE_KEY_ACCOUNT, sl_span_str(q->account));
    return gw_store_key(store_id, GW_STORE_KEY_APP, sl_span_str(q->app));
}

static void write_newest(const struct gw_store_question *q SL_UNUSED, char *sql)
{
    add(sql, "SELECT n, data FROM log WHERE n > ?9 AND n < ?5 AND kind = 1 ORDER BY n DESC");
}

/* A plus keeps SQLite from an index of its own making; one upper bound, because it would choose among two. */
static void write_receipts(const struct gw_store_question *q, char *sql)
{
    add(sql, "SELECT l.n, l.data FROM chapters c CROSS JOIN ");
    if (has_key(q))
        add(sql, "receipts r ON r.chapter = c.chapter AND r.key = ?7 AND r.n < ?5"
                 " CROSS JOIN log l ON l.n = r.n");
    else
        add(sql, "log l ON l.n >= c.chapter * ?8 AND l.n < min((c.chapter + 1) * ?8, ?5)"
                 " AND +l.kind = 1");
    add(sql, " WHERE c.chapter <= ?5 / ?8 AND c.last_at >= ?3 AND c.first_at < ?4"
             " ORDER BY c.chapter DESC, ");
    add(sql, has_key(q) ? "r.n DESC" : "l.n DESC");
}

static void write_usage(const struct gw_store_question *q, char *sql)
{
    static const char *const keys[] = {
        [GW_STORE_BY_APP] = "u.app",
        [GW_STORE_BY_OWNER] = "coalesce(apps.owner, '')",
        [GW_STORE_BY_VISITOR] = "u.account",
    };
    char begin[160];
    snprintf(begin, sizeof begin,
             "SELECT 0, week, %s AS key, sum(calls), sum(used_us), sum(charged_us) FROM usage u",
             keys[q->usage_by]);
    add(sql, begin);
    if (q->usage_by == GW_STORE_BY_OWNER)
        add(sql, " LEFT JOIN apps ON apps.name = u.app");
    add(sql, " WHERE week >= ?3 AND week <= ?4");
    if (q->account[0] != '\0')
        add(sql, " AND u.account = ?1");
    if (q->app[0] != '\0')
        add(sql, " AND u.app = ?2");
    add(sql, " GROUP BY week, key ORDER BY week, key LIMIT ?6 OFFSET ?5");
}

static void write_grants(const struct gw_store_question *q, char *sql)
{
    add(sql, "SELECT n, account, given_by, reason, at, window_opened_at, amount_us FROM grants"
             " WHERE 1");
    if (q->account[0] != '\0')
        add(sql, " AND account = ?1");
    if (q->after_n != 0)
        add(sql, " AND n < ?5");
    add(sql, " ORDER BY n DESC LIMIT ?6");
}

typedef void (*write_sql)(const struct gw_store_question *q, char *sql);

static const struct kind {
    write_sql write;
    bool (*take)(struct answering *a, sqlite3_stmt *s, struct gw_store_row *row);
} kinds[] = {
    [GW_STORE_RECEIPTS] = {write_receipts, take_receipt},
    [GW_STORE_RECEIPT] = {write_receipts, take_receipt},
    [GW_STORE_USAGE] = {write_usage, take_usage},
    [GW_STORE_GRANTS] = {write_grants, take_grant},
};

static void bind(const struct answering *a, sqlite3_stmt *s, int64_t begin, size_t rows_max)
{
    const struct gw_store_question *q = a->question;
    bool is_usage = q->kind == GW_STORE_USAGE;
    sl_wall_us until = q->until != 0 ? q->until : INT64_MAX;
    sl_wall_us from = q->from != 0 ? q->from : INT64_MIN;
    gw_store_bind_text(s, 1, sl_span_str(q->account));
    gw_store_bind_text(s, 2, sl_span_str(q->app));
    sqlite3_bind_int64(s, 3, is_usage ? gw_store_week_of(q->from) : from);
    sqlite3_bind_int64(s, 4, is_usage ? gw_store_week_of(until - 1) : until);
    sqlite3_bind_int64(s, 5, begin);
    sqlite3_bind_int64(s, 6,
                       (int64_t)rows_max + 1); /* one more tells whether there is a next page */
    sqlite3_bind_int64(s, 7, key_of(a->store_id, q));
    sqlite3_bind_int64(s, 8, GW_STORE_CHAPTER_COUNT);
    sqlite3_bind_int64(s, 9, a->built_n);
}

/* ---- answering */

static void fail(struct gw_store_answer *out, sl_status status, const char *why)
{
    *out = (struct gw_store_answer){.status = status};
    snprintf(out->why, sizeof out->why, "the store cannot answer: %s", why);
}

static bool is_of(const struct gw_receipt *r, const struct gw_store_question *q)
{
    struct sl_span account = r->account_count > 0 ? r->accounts[0] : sl_span_of(NULL, 0);
    return (q->account[0] == '\0' || sl_span_eq_str(account, q->account)) &&
           (q->app[0] == '\0' || sl_span_eq_str(r->app, q->app)) && r->ended_at >= q->from &&
           (q->until == 0 || r->ended_at < q->until);
}

/* A key is a hint; the receipt decides. */
static bool is_asked_for(const struct gw_store_question *q, sqlite3_stmt *s)
{
    struct gw_receipt r;
    if (!is_of_log(q))
        return true;
    const void *bytes = sqlite3_column_blob(s, 1);
    if (gw_receipt_decode(sl_span_of(bytes, (size_t)sqlite3_column_bytes(s, 1)), &r) != SL_OK)
        return false;
    return q->kind == GW_STORE_RECEIPT ? memcmp(r.call_id, q->call_id, sizeof r.call_id) == 0
                                       : is_of(&r, q);
}

static int64_t page_after(const struct gw_store_question *q, const struct gw_store_answer *a)
{
    if (q->kind == GW_STORE_USAGE)
        return q->after_n + (int64_t)a->row_count;
    return a->rows[a->row_count - 1].n;
}

/* A call has one receipt. */
static bool is_found(const struct answering *a, size_t rows_max)
{
    return a->question->kind == GW_STORE_RECEIPT && a->answer->row_count == rows_max;
}

/* The last status of SQLite, or SQLITE_NOMEM. */
static int take_rows(struct answering *a, sqlite3_stmt *s, size_t rows_max)
{
    struct gw_store_answer *out = a->answer;
    int rc = SQLITE_DONE;
    while (!is_found(a, rows_max) && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (!is_asked_for(a->question, s))
            continue;
        if (out->row_count == rows_max) {
            out->next_n = page_after(a->question, out);
            return SQLITE_DONE;
        }
        struct gw_store_row *row = &out->rows[out->row_count];
        row->n = sqlite3_column_int64(s, 0);
        if (!kinds[a->question->kind].take(a, s, row))
            return SQLITE_NOMEM;
        out->row_count++;
    }
    return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

static int run_part(struct answering *a, sqlite3 *reader, write_sql write, int64_t begin,
                    size_t rows_max)
{
    char sql[SQL_MAX] = "";
    sqlite3_stmt *s;
    write(a->question, sql);
    int rc = sqlite3_prepare_v2(reader, sql, -1, &s, NULL);
    if (rc != SQLITE_OK)
        return rc;
    bind(a, s, begin, rows_max);
    rc = take_rows(a, s, rows_max);
    sqlite3_finalize(s);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int run(struct answering *a, sqlite3 *reader, size_t rows_max)
{
    const struct gw_store_question *q = a->question;
    if (!is_of_log(q))
        return run_part(a, reader, kinds[q->kind].write, q->after_n, rows_max);
    int64_t begin = q->after_n != 0 ? q->after_n : INT64_MAX;
    int rc = run_part(a, reader, write_newest, begin, rows_max);
    if (rc != SQLITE_OK || a->answer->next_n != 0)
        return rc;
    begin = begin <= a->built_n ? begin : a->built_n + 1;
    return run_part(a, reader, kinds[q->kind].write, begin, rows_max);
}

static int read_numbers(struct answering *a, sqlite3 *reader)
{
    int64_t id = 0;
    int rc = gw_store_db_number(reader, "SELECT value FROM meta WHERE name = 'id'", &id);
    a->store_id = (uint64_t)id;
    return rc == SQLITE_OK
               ? gw_store_db_number(reader, "SELECT value FROM meta WHERE name = 'built_n'",
                                    &a->built_n)
               : rc;
}

void gw_store_answer(sqlite3 *reader, const struct gw_store_question *q, struct sl_arena *arena,
                     struct gw_store_answer *out)
{
    struct answering a = {.question = q, .arena = arena, .answer = out};
    size_t rows_max = q->rows_max < GW_STORE_ROWS_MAX ? q->rows_max : GW_STORE_ROWS_MAX;
    rows_max = rows_max > 0 ? rows_max : 1;
    *out = (struct gw_store_answer){.rows = sl_arena_zero(arena, rows_max, sizeof *out->rows)};
    if (out->rows == NULL) {
        fail(out, SL_ENOMEM, "no memory");
        return;
    }
    int rc = read_numbers(&a, reader);
    if (rc == SQLITE_OK)
        rc = run(&a, reader, rows_max);
    if (rc != SQLITE_OK)
        fail(out, rc == SQLITE_NOMEM ? SL_ENOMEM : SL_EIO, sqlite3_errstr(rc));
}
