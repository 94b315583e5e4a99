/* gw_store_forget.c - history that is older than `store.keep`: a piece of one chapter at a time. */
#include "gw_receipt_code.h"
#include "gw_store_build.h"
#include "gw_store_key.h"
#include "gw_store_sums.h"

enum { ROWS_AT_ONCE_MAX = GW_STORE_CHAPTER_COUNT };

/* A receipt that is old, by all that leads to it. */
struct old {
    int64_t n, call, account, app, idempotent; /* keys; -1: none */
};

struct forgetting {
    struct gw_store_db *db;
    sl_wall_us before;
    int64_t chapter;
    struct old rows[ROWS_AT_ONCE_MAX];
    int row_count, rows_max;
    sl_wall_us first_at, last_at; /* of what stays */
    bool stays;
    bool has_more;
};

static struct old old_of(uint64_t id, int64_t n, const struct gw_receipt *r)
{
    struct sl_span call = sl_span_of(r->call_id, sizeof r->call_id);
    return (struct old){
        .n = n,
        .call = gw_store_key(id, GW_STORE_KEY_CALL, call),
        .account =
            r->account_count > 0 ? gw_store_key(id, GW_STORE_KEY_ACCOUNT, r->accounts[0]) : -1,
        .app = r->app.len > 0 ? gw_store_key(id, GW_STORE_KEY_APP, r->app) : -1,
        .idempotent = r->idempotency_key.len > 0
                          ? gw_store_key(id, GW_STORE_KEY_IDEMPOTENT, sl_span_str(""))
                          : -1,
    };
}

static void keep(struct forgetting *f, sl_wall_us at)
{
    f->first_at = !f->stays || at < f->first_at ? at : f->first_at;
    f->last_at = !f->stays || at > f->last_at ? at : f->last_at;
    f->stays = true;
}

static void look_at(struct forgetting *f, int64_t n, const struct gw_receipt *r)
{
    bool may_go = n <= f->db->built_n && n < f->db->last_n; /* the last number is not given again */
    if (r->ended_at < f->before && may_go && f->row_count < f->rows_max)
        f->rows[f->row_count++] = old_of(f->db->id, n, r);
    else
        keep(f, r->ended_at);
}

static int read_chapter(struct forgetting *f)
{
    sqlite3_stmt *s = gw_store_db_sql(f->db, GW_STORE_SQL_READ_CHAPTER);
    sqlite3_bind_int64(s, 1, f->chapter * GW_STORE_CHAPTER_COUNT);
    sqlite3_bind_int64(s, 2, (f->chapter + 1) * GW_STORE_CHAPTER_COUNT);
    while (sqlite3_step(s) == SQLITE_ROW) {
        struct gw_receipt r;
        struct sl_span bytes =
            sl_span_of(sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1));
        if (gw_receipt_decode(bytes, &r) == SL_OK)
            look_at(f, sqlite3_column_int64(s, 0), &r);
    }
    return sqlite3_reset(s);
}

static int run_with(struct gw_store_db *db, enum gw_store_sql which, int64_t one, int64_t two,
                    int64_t three)
{
    sqlite3_stmt *s = gw_store_db_sql(db, which);
    const int64_t values[] = {one, two, three};
    for (int i = 0; i < sqlite3_bind_parameter_count(s); i++)
        sqlite3_bind_int64(s, i + 1, values[i]);
    return gw_store_db_run(db, which);
}

static int forget_receipt(const struct forgetting *f, const struct old *o)
{
    const int64_t keys[] = {o->call, o->account, o->app, o->idempotent};
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < SL_ARRAY_LEN(keys); i++)
        if (keys[i] >= 0)
            rc = run_with(f->db, GW_STORE_SQL_FORGET_RECEIPT, f->chapter, keys[i], o->n);
    return rc == SQLITE_OK ? run_with(f->db, GW_STORE_SQL_FORGET_LOG, o->n, 0, 0) : rc;
}

/* Which windows opened there is in the accounts' rows since. */
static int forget_windows(const struct forgetting *f)
{
    int64_t end = (f->chapter + 1) * GW_STORE_CHAPTER_COUNT - 1;
    end = end < f->db->built_n ? end : f->db->built_n;
    end = end < f->db->last_n ? end : f->db->last_n - 1; /* as look_at */
    return run_with(f->db, GW_STORE_SQL_FORGET_WINDOWS, f->chapter * GW_STORE_CHAPTER_COUNT, end,
                    0);
}

/* Leases and windows go with the last receipt of their chapter. */
static int set_chapter(const struct forgetting *f)
{
    if (f->stays)
        return run_with(f->db, GW_STORE_SQL_SET_CHAPTER, f->chapter, f->first_at, f->last_at);
    int rc = run_with(f->db, GW_STORE_SQL_FORGET_CHAPTER, f->chapter, 0, 0);
    if (rc == SQLITE_OK)
        rc = run_with(f->db, GW_STORE_SQL_FORGET_LEASES, f->chapter, 0, 0);
    return rc == SQLITE_OK ? forget_windows(f) : rc;
}

static int forget_of_chapter(struct forgetting *f)
{
    int rc = read_chapter(f);
    for (int i = 0; rc == SQLITE_OK && i < f->row_count; i++)
        rc = forget_receipt(f, &f->rows[i]);
    return rc == SQLITE_OK && f->row_count > 0 ? set_chapter(f) : rc;
}

/* *out_chapter below 0: there is none. */
static int find_chapter(struct gw_store_db *db, sl_wall_us before, int64_t *out_chapter)
{
    sqlite3_stmt *s = gw_store_db_sql(db, GW_STORE_SQL_OLD_CHAPTER);
    sqlite3_bind_int64(s, 1, before);
    *out_chapter = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : -1;
    return sqlite3_reset(s);
}

/* Of models that were not called since. */
static int forget_learned(const struct forgetting *f)
{
    int rc = run_with(f->db, GW_STORE_SQL_FORGET_LEARNED_LOG, f->before, f->db->last_n, 0);
    return rc == SQLITE_OK
               ? run_with(f->db, GW_STORE_SQL_FORGET_LEARNED, f->before, f->db->last_n, 0)
               : rc;
}

/* The week in which `before` lies is kept as it is. */
static int forget_visitors(struct forgetting *f)
{
    int64_t week = gw_store_week_of(f->before);
    int rc = run_with(f->db, GW_STORE_SQL_FORGET_ACCOUNTS, f->before, f->rows_max, 0);
    f->has_more = rc == SQLITE_OK && sqlite3_changes(f->db->handle) == f->rows_max;
    if (rc == SQLITE_OK)
        rc = run_with(f->db, GW_STORE_SQL_MERGE_USAGE, week, 0, 0);
    return rc == SQLITE_OK ? run_with(f->db, GW_STORE_SQL_FORGET_USAGE, week, 0, 0) : rc;
}

static int forget(struct forgetting *f)
{
    int rc = gw_store_db_begin(f->db);
    if (rc == SQLITE_OK)
        rc = find_chapter(f->db, f->before, &f->chapter);
    if (rc == SQLITE_OK && f->chapter >= 0)
        rc = forget_of_chapter(f);
    f->has_more = f->row_count > 0;
    if (rc == SQLITE_OK && f->row_count == 0)
        rc = forget_visitors(f);
    if (rc == SQLITE_OK && f->row_count == 0)
        rc = forget_learned(f);
    return rc == SQLITE_OK ? gw_store_db_run(f->db, GW_STORE_SQL_COMMIT) : rc;
}

sl_status gw_store_forget(struct gw_store_db *db, sl_wall_us before, int rows_max, bool *out_more)
{
    struct forgetting f = {.db = db, .before = before};
    f.rows_max = rows_max < ROWS_AT_ONCE_MAX ? rows_max : ROWS_AT_ONCE_MAX;
    int rc = forget(&f);
    if (rc != SQLITE_OK) {
        gw_store_db_fail(db, rc, "cannot remove old entries of the store");
        gw_store_db_rollback(db);
        return SL_EIO;
    }
    *out_more = f.has_more;
    return SL_OK;
}
