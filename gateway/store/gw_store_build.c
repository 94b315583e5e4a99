#include "gw_store_build.h"

#include "gw_receipt_code.h"
#include "gw_store_sums.h"
#include "sl_log.h"

static sqlite3_stmt *with_text(struct gw_store_db *db, enum gw_store_sql which, struct sl_span text)
{
    sqlite3_stmt *s = gw_store_db_sql(db, which);
    gw_store_bind_text(s, 1, text);
    return s;
}

/* ---- one entry of each kind that is not gathered */

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

/* The model's entry before it is of no use any more. */
static int build_learned(struct gw_store_db *db, int64_t n, const struct gw_record_learned *r)
{
    sqlite3_stmt *s = with_text(db, GW_STORE_SQL_DROP_LEARNED, r->model);
    sqlite3_bind_int64(s, 2, n);
    int rc = gw_store_db_run(db, GW_STORE_SQL_DROP_LEARNED);
    if (rc != SQLITE_OK)
        return rc;
    s = with_text(db, GW_STORE_SQL_SET_LEARNED, r->model);
    sqlite3_bind_int64(s, 2, n);
    sqlite3_bind_int64(s, 3, r->at);
    return gw_store_db_run(db, GW_STORE_SQL_SET_LEARNED);
}

static int build_record(struct gw_store_db *db, int64_t n, const struct gw_record *r)
{
    switch (r->kind) {
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
    case GW_RECORD_LEARNED:
        return build_learned(db, n, &r->learned);
    case GW_RECORD_LOSS: /* for people, in the log */
    case GW_RECORD_RECEIPT:
    case GW_RECORD_WINDOW:
        break;
    }
    return SQLITE_OK;
}

/* ---- a piece of the log */

struct entry {
    int64_t n;
    int kind;
    struct sl_span bytes;
};

static struct entry entry_of(sqlite3_stmt *s)
{
    const void *bytes = sqlite3_column_blob(s, 2);
    return (struct entry){
        .n = sqlite3_column_int64(s, 0),
        .kind = sqlite3_column_int(s, 1),
        .bytes = sl_span_of(bytes, (size_t)sqlite3_column_bytes(s, 2)),
    };
}

static void say_unreadable(const struct entry *e, sl_status why)
{
    sl_log(SL_LOG_ERROR, "an entry of the store cannot be read and is left out of its tables",
           SL_I("n", e->n), SL_S("kind", gw_record_name(e->kind)), SL_U("bytes", e->bytes.len),
           SL_S("why", sl_status_text(why)));
}

/* What is gathered of accounts came before. */
static int build_at_once(struct gw_store_db *db, int64_t n, const struct gw_record *r)
{
    bool is_of_account = r->kind == GW_RECORD_GRANT || r->kind == GW_RECORD_ACCOUNT;
    int rc = is_of_account ? gw_store_sums_write_accounts(db->sums, db) : SQLITE_OK;
    return rc == SQLITE_OK ? build_record(db, n, r) : rc;
}

/* *out_is_full: not taken, the piece ends before it. */
static int build_entry(struct gw_store_db *db, const struct entry *e, bool *out_is_full)
{
    struct gw_receipt receipt;
    struct gw_record record;
    bool is_receipt = e->kind == GW_RECORD_RECEIPT;
    sl_status s = is_receipt ? gw_receipt_decode(e->bytes, &receipt)
                             : gw_record_decode(e->kind, e->bytes, &record);
    *out_is_full = false;
    if (s != SL_OK)
        say_unreadable(e, s);
    else if (is_receipt)
        *out_is_full = !gw_store_sums_add_receipt(db->sums, db->id, e->n, &receipt);
    else if (record.kind == GW_RECORD_WINDOW)
        *out_is_full = !gw_store_sums_add_window(db->sums, &record.window);
    else
        return build_at_once(db, e->n, &record);
    return SQLITE_OK;
}

static int build_entries(struct gw_store_db *db, int entries_max, int64_t *built_n)
{
    sqlite3_stmt *s = gw_store_db_sql(db, GW_STORE_SQL_UNBUILT);
    bool is_full = false;
    int rc = SQLITE_OK;
    sqlite3_bind_int64(s, 1, db->built_n);
    sqlite3_bind_int(s, 2, entries_max);
    while (rc == SQLITE_OK && !is_full && sqlite3_step(s) == SQLITE_ROW) {
        const struct entry e = entry_of(s);
        rc = build_entry(db, &e, &is_full);
        *built_n = is_full ? *built_n : e.n;
    }
    int ended = sqlite3_reset(s);
    return rc == SQLITE_OK ? ended : rc;
}

static int build_piece(struct gw_store_db *db, int entries_max, int64_t *built_n)
{
    int rc = gw_store_db_begin(db);
    gw_store_sums_clear(db->sums);
    if (rc == SQLITE_OK)
        rc = build_entries(db, entries_max, built_n);
    if (rc == SQLITE_OK)
        rc = gw_store_sums_write(db->sums, db);
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
