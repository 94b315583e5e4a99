#include "gw_store_query.h"

#include <stdio.h>
#include <string.h>

#include "gw_receipt_code.h"
#include "gw_store_build.h"
#include "gw_store_db.h"

/* What is being answered. */
struct answering {
    const struct gw_store_question *question;
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
 * ?1 account, ?2 app, ?3 from, ?4 until, ?5 the row after which the page begins, ?6 rows, ?7 call.
 * Only the conditions that a question has are in its text, so that each goes by its index. */

enum { SQL_MAX = 1024 };

static void add(char *sql, const char *more)
{
    strncat(sql, more, SQL_MAX - strlen(sql) - 1);
}

static void write_receipts(const struct gw_store_question *q, char *sql)
{
    add(sql, "SELECT r.n, l.data FROM receipts r JOIN log l ON l.n = r.n WHERE 1");
    if (q->account[0] != '\0')
        add(sql, " AND r.account = ?1");
    if (q->app[0] != '\0')
        add(sql, " AND r.app = ?2 AND r.app <> ''");
    if (q->from != 0)
        add(sql, " AND r.ended_at >= ?3");
    if (q->until != 0)
        add(sql, " AND r.ended_at < ?4");
    if (q->after_n != 0)
        add(sql, " AND r.n < ?5");
    add(sql, " ORDER BY r.n DESC LIMIT ?6");
}

static void write_receipt(const struct gw_store_question *q SL_UNUSED, char *sql)
{
    add(sql, "SELECT r.n, l.data FROM receipts r JOIN log l ON l.n = r.n WHERE r.call = ?7");
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

static const struct kind {
    void (*write)(const struct gw_store_question *q, char *sql);
    bool (*take)(struct answering *a, sqlite3_stmt *s, struct gw_store_row *row);
} kinds[] = {
    [GW_STORE_RECEIPTS] = {write_receipts, take_receipt},
    [GW_STORE_RECEIPT] = {write_receipt, take_receipt},
    [GW_STORE_USAGE] = {write_usage, take_usage},
    [GW_STORE_GRANTS] = {write_grants, take_grant},
};

static void bind(sqlite3_stmt *s, const struct gw_store_question *q, size_t rows_max)
{
    bool is_usage = q->kind == GW_STORE_USAGE;
    sl_wall_us until = q->until != 0 ? q->until : INT64_MAX;
    gw_store_bind_text(s, 1, sl_span_str(q->account));
    gw_store_bind_text(s, 2, sl_span_str(q->app));
    sqlite3_bind_int64(s, 3, is_usage ? gw_store_week_of(q->from) : q->from);
    sqlite3_bind_int64(s, 4, is_usage ? gw_store_week_of(until - 1) : until);
    sqlite3_bind_int64(s, 5, q->after_n);
    sqlite3_bind_int64(s, 6,
                       (int64_t)rows_max + 1); /* one more tells whether there is a next page */
    sqlite3_bind_int64(s, 7, gw_store_call_number(q->call_id));
}

/* ---- answering */

static void fail(struct gw_store_answer *out, sl_status status, const char *why)
{
    *out = (struct gw_store_answer){.status = status};
    snprintf(out->why, sizeof out->why, "the store cannot answer: %s", why);
}

/* Receipts are found by a part of the call's id: this is the whole of it. */
static bool is_asked_for(const struct gw_store_question *q, const struct gw_store_row *row)
{
    struct gw_receipt r;
    if (q->kind != GW_STORE_RECEIPT)
        return true;
    return gw_receipt_decode(row->receipt, &r) == SL_OK &&
           memcmp(r.call_id, q->call_id, sizeof r.call_id) == 0;
}

static int64_t page_after(const struct gw_store_question *q, const struct gw_store_answer *a)
{
    if (q->kind == GW_STORE_USAGE)
        return q->after_n + (int64_t)a->row_count;
    return a->rows[a->row_count - 1].n;
}

/* The last status of SQLite, or SQLITE_NOMEM. */
static int take_rows(struct answering *a, sqlite3_stmt *s, size_t rows_max)
{
    struct gw_store_answer *out = a->answer;
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (out->row_count == rows_max) {
            out->next_n = page_after(a->question, out);
            return SQLITE_DONE;
        }
        struct gw_store_row *row = &out->rows[out->row_count];
        row->n = sqlite3_column_int64(s, 0);
        if (!kinds[a->question->kind].take(a, s, row))
            return SQLITE_NOMEM;
        if (is_asked_for(a->question, row))
            out->row_count++;
    }
    return rc;
}

void gw_store_answer(sqlite3 *reader, const struct gw_store_question *q, struct sl_arena *arena,
                     struct gw_store_answer *out)
{
    char sql[SQL_MAX] = "";
    sqlite3_stmt *s;
    struct answering a = {q, arena, out};
    size_t rows_max = q->rows_max < GW_STORE_ROWS_MAX ? q->rows_max : GW_STORE_ROWS_MAX;
    rows_max = rows_max > 0 ? rows_max : 1;
    *out = (struct gw_store_answer){.rows = sl_arena_zero(arena, rows_max, sizeof *out->rows)};
    kinds[q->kind].write(q, sql);
    if (out->rows == NULL) {
        fail(out, SL_ENOMEM, "no memory");
    } else if (sqlite3_prepare_v2(reader, sql, -1, &s, NULL) != SQLITE_OK) {
        fail(out, SL_EIO, sqlite3_errmsg(reader));
    } else {
        bind(s, q, rows_max);
        int rc = take_rows(&a, s, rows_max);
        if (rc != SQLITE_DONE)
            fail(out, rc == SQLITE_NOMEM ? SL_ENOMEM : SL_EIO, sqlite3_errstr(rc));
        sqlite3_finalize(s);
    }
}
