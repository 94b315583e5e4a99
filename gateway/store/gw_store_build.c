#include "gw_store_build.h"

#include "gw_receipt_code.h"
#include "sl_log.h"

static const int64_t day_us = INT64_C(86400) * SL_US_PER_S;
enum { DAYS_BEFORE_EPOCH = 3 }; /* 1970-01-01 was a Thursday */

int64_t gw_store_week_of(sl_wall_us at)
{
    int64_t since = sl_sat_add(at, DAYS_BEFORE_EPOCH * day_us), week = 7 * day_us;
    return since >= 0 ? since / week : -((-(since + 1)) / week) - 1;
}

sl_wall_us gw_store_week_at(int64_t week)
{
    return sl_sat_add(sl_sat_mul(week, 7 * day_us), -DAYS_BEFORE_EPOCH * day_us);
}

static sqlite3_stmt *with_text(struct gw_store_db *db, enum gw_store_sql which, struct sl_span text)
{
    sqlite3_stmt *s = gw_store_db_sql(db, which);
    gw_store_bind_text(s, 1, text);
    return s;
}

/* ---- one entry of each kind */

static int open_window(struct gw_store_db *db, struct sl_span account, sl_wall_us opened_at)
{
    sqlite3_bind_int64(with_text(db, GW_STORE_SQL_OPEN_WINDOW, account), 2, opened_at);
    return gw_store_db_run(db, GW_STORE_SQL_OPEN_WINDOW);
}

static int build_window(struct gw_store_db *db, const struct gw_record_window *r)
{
    return open_window(db, r->account, r->opened_at);
}

static int spend(struct gw_store_db *db, struct sl_span account, sl_wall_us window_opened_at,
                 sl_gpu_us charged_us)
{
    if (window_opened_at == 0)
        return SQLITE_OK;
    int rc = open_window(db, account, window_opened_at);
    if (rc != SQLITE_OK || charged_us == 0)
        return rc;
    sqlite3_stmt *s = with_text(db, GW_STORE_SQL_SPEND, account);
    sqlite3_bind_int64(s, 2, window_opened_at);
    sqlite3_bind_int64(s, 3, charged_us);
    return gw_store_db_run(db, GW_STORE_SQL_SPEND);
}

int64_t gw_store_call_number(const uint8_t call_id[16])
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | call_id[i];
    return (int64_t)v;
}

static int add_receipt(struct gw_store_db *db, int64_t n, const struct gw_receipt *r,
                       struct sl_span visitor)
{
    sqlite3_stmt *s = gw_store_db_sql(db, GW_STORE_SQL_ADD_RECEIPT);
    sqlite3_bind_int64(s, 1, n);
    sqlite3_bind_int64(s, 2, r->ended_at);
    gw_store_bind_text(s, 3, visitor);
    gw_store_bind_text(s, 4, r->app);
    sqlite3_bind_int64(s, 5, gw_store_call_number(r->call_id));
    sqlite3_bind_int64(s, 6, (int64_t)r->lease_journal);
    sqlite3_bind_int64(s, 7, (int64_t)r->lease_record);
    return gw_store_db_run(db, GW_STORE_SQL_ADD_RECEIPT);
}

static int add_usage(struct gw_store_db *db, const struct gw_receipt *r, struct sl_span visitor)
{
    sqlite3_stmt *s = gw_store_db_sql(db, GW_STORE_SQL_ADD_USAGE);
    sqlite3_bind_int64(s, 1, gw_store_week_of(r->ended_at));
    gw_store_bind_text(s, 2, r->app);
    gw_store_bind_text(s, 3, visitor);
    sqlite3_bind_int64(s, 4, r->used_us);
    sqlite3_bind_int64(s, 5, r->charged_us);
    return gw_store_db_run(db, GW_STORE_SQL_ADD_USAGE);
}

static int build_receipt(struct gw_store_db *db, int64_t n, const struct gw_receipt *r)
{
    struct sl_span visitor = r->account_count > 0 ? r->accounts[0] : sl_span_of(NULL, 0);
    int rc = add_receipt(db, n, r, visitor);
    if (rc == SQLITE_OK)
        rc = add_usage(db, r, visitor);
    for (size_t i = 0; rc == SQLITE_OK && i < r->account_count; i++)
        rc = spend(db, r->accounts[i], r->windows_opened_at[i], r->charged_us);
    return rc;
}

static int build_grant(struct gw_store_db *db, int64_t n, const struct gw_record_grant *r)
{
    sqlite3_stmt *s = gw_store_db_sql(db, GW_STORE_SQL_ADD_GRANT);
    sqlite3_bind_int64(s, 1, n);
    gw_store_bind_text(s, 2, r->account);
    gw_store_bind_text(s, 3, r->by);
    gw_store_bind_text(s, 4, r->reason);
    sqlite3_bind_int64(s, 5, r->at);
    sqlite3_bind_int64(s, 6, r->window_opened_at);
    sqlite3_bind_int64(s, 7, r->amount_us);
    int rc = gw_store_db_run(db, GW_STORE_SQL_ADD_GRANT);
    if (rc != SQLITE_OK)
        return rc;
    s = with_text(db, GW_STORE_SQL_GIVE, r->account);
    sqlite3_bind_int64(s, 2, r->window_opened_at);
    sqlite3_bind_int64(s, 3, r->amount_us);
    return gw_store_db_run(db, GW_STORE_SQL_GIVE);
}

static int build_account(struct gw_store_db *db, const struct gw_record_account *r)
{
    sqlite3_stmt *s = with_text(db, GW_STORE_SQL_SET_ACCOUNT, r->account);
    sqlite3_bind_int64(s, 2, r->window_opened_at);
    sqlite3_bind_int64(s, 3, r->spent_us);
    sqlite3_bind_int64(s, 4, r->granted_us);
    return gw_store_db_run(db, GW_STORE_SQL_SET_ACCOUNT);
}

static int build_token(struct gw_store_db *db, const struct gw_record_token *r)
{
    sqlite3_stmt *s = gw_store_db_sql(db, GW_STORE_SQL_SET_TOKEN);
    sqlite3_bind_blob(s, 1, r->hash, sizeof r->hash, SQLITE_STATIC);
    gw_store_bind_text(s, 2, r->prefix);
    gw_store_bind_text(s, 3, r->user);
    gw_store_bind_text(s, 4, r->tier);
    gw_store_bind_text(s, 5, r->app);
    sqlite3_bind_int64(s, 6, r->created_at);
    sqlite3_bind_int64(s, 7, r->expires_at);
    sqlite3_bind_int64(s, 8, r->revoked_at);
    sqlite3_bind_int(s, 9, r->is_admin);
    return gw_store_db_run(db, GW_STORE_SQL_SET_TOKEN);
}

static int build_app(struct gw_store_db *db, const struct gw_record_app *r)
{
    enum gw_store_sql which =
        r->state == GW_APP_REMOVED ? GW_STORE_SQL_REMOVE_APP : GW_STORE_SQL_SET_APP;
    sqlite3_stmt *s = with_text(db, which, r->name);
    if (which == GW_STORE_SQL_SET_APP) {
        gw_store_bind_text(s, 2, r->owner);
        sqlite3_bind_int(s, 3, (int)r->state);
        sqlite3_bind_int64(s, 4, r->at);
    }
    return gw_store_db_run(db, which);
}

static int build_block(struct gw_store_db *db, const struct gw_record_block *r)
{
    enum gw_store_sql which = r->is_blocked ? GW_STORE_SQL_BLOCK : GW_STORE_SQL_UNBLOCK;
    sqlite3_stmt *s = with_text(db, which, r->account);
    if (r->is_blocked) {
        gw_store_bind_text(s, 2, r->by);
        gw_store_bind_text(s, 3, r->reason);
        sqlite3_bind_int64(s, 4, r->at);
    }
    return gw_store_db_run(db, which);
}

static int build_record(struct gw_store_db *db, int64_t n, const struct gw_record *r)
{
    switch (r->kind) {
    case GW_RECORD_WINDOW:
        return build_window(db, &r->window);
    case GW_RECORD_GRANT:
        return build_grant(db, n, &r->grant);
    case GW_RECORD_ACCOUNT:
        return build_account(db, &r->account);
    case GW_RECORD_TOKEN:
        return build_token(db, &r->token);
    case GW_RECORD_APP:
        return build_app(db, &r->app);
    case GW_RECORD_BLOCK:
        return build_block(db, &r->block);
    case GW_RECORD_LOSS: /* for people, in the log */
    case GW_RECORD_RECEIPT:
        break;
    }
    return SQLITE_OK;
}

static int build_entry(struct gw_store_db *db, int64_t n, int kind, struct sl_span bytes)
{
    struct gw_receipt receipt;
    struct gw_record record;
    bool is_receipt = kind == GW_RECORD_RECEIPT;
    sl_status s =
        is_receipt ? gw_receipt_decode(bytes, &receipt) : gw_record_decode(kind, bytes, &record);
    if (s != SL_OK) {
        sl_log(SL_LOG_ERROR, "an entry of the store cannot be read and is left out of its tables",
               SL_I("n", n), SL_S("kind", gw_record_name(kind)), SL_U("bytes", bytes.len),
               SL_S("why", sl_status_text(s)));
        return SQLITE_OK;
    }
    return is_receipt ? build_receipt(db, n, &receipt) : build_record(db, n, &record);
}

/* ---- a piece of the log */

static int build_entries(struct gw_store_db *db, int entries_max, int64_t *built_n)
{
    sqlite3_stmt *s = gw_store_db_sql(db, GW_STORE_SQL_UNBUILT);
    int rc = SQLITE_OK;
    sqlite3_bind_int64(s, 1, db->built_n);
    sqlite3_bind_int(s, 2, entries_max);
    while (rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
        const void *bytes = sqlite3_column_blob(s, 2);
        *built_n = sqlite3_column_int64(s, 0);
        rc = build_entry(db, *built_n, sqlite3_column_int(s, 1),
                         sl_span_of(bytes, (size_t)sqlite3_column_bytes(s, 2)));
    }
    int ended = sqlite3_reset(s);
    return rc == SQLITE_OK ? ended : rc;
}

static int build_piece(struct gw_store_db *db, int entries_max, int64_t *built_n)
{
    int rc = gw_store_db_run(db, GW_STORE_SQL_BEGIN);
    if (rc == SQLITE_OK)
        rc = build_entries(db, entries_max, built_n);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_int64(gw_store_db_sql(db, GW_STORE_SQL_SET_BUILT), 1, *built_n);
    rc = gw_store_db_run(db, GW_STORE_SQL_SET_BUILT);
    return rc == SQLITE_OK ? gw_store_db_run(db, GW_STORE_SQL_COMMIT) : rc;
}

sl_status gw_store_build(struct gw_store_db *db, int entries_max)
{
    int64_t built_n = db->built_n;
    int rc = build_piece(db, entries_max, &built_n);
    if (rc != SQLITE_OK) {
        gw_store_db_fail(db, rc, "cannot build the tables of the store");
        gw_store_db_rollback(db);
        return SL_EIO;
    }
    db->built_n = built_n;
    return SL_OK;
}
