#include "gw_store_load.h"

#include <string.h>

#include "gw_receipt_code.h"
#include "gw_store_build.h"
#include "gw_store_key.h"
#include "gw_store_sums.h"

/* One table: its rows in turn. */
struct reading {
    const char *sql; /* with ?1, ?2 */
    int64_t first, second;
    void (*on_row)(sqlite3_stmt *s, const struct gw_store_loader *l);
};

static void on_account(sqlite3_stmt *s, const struct gw_store_loader *l)
{
    const struct gw_record_account a = {
        .account = gw_store_column_text(s, 0),
        .window_opened_at = sqlite3_column_int64(s, 1),
        .spent_us = sqlite3_column_int64(s, 2),
        .granted_us = sqlite3_column_int64(s, 3),
    };
    if (l->on_account != NULL)
        l->on_account(l->ctx, &a);
}

static void on_token(sqlite3_stmt *s, const struct gw_store_loader *l)
{
    struct gw_record_token t = {
        .prefix = gw_store_column_text(s, 1),
        .user = gw_store_column_text(s, 2),
        .tier = gw_store_column_text(s, 3),
        .app = gw_store_column_text(s, 4),
        .created_at = sqlite3_column_int64(s, 5),
        .expires_at = sqlite3_column_int64(s, 6),
        .revoked_at = sqlite3_column_int64(s, 7),
        .is_admin = sqlite3_column_int(s, 8) != 0,
    };
    const void *hash = sqlite3_column_blob(s, 0);
    if (l->on_token == NULL || sqlite3_column_bytes(s, 0) != (int)sizeof t.hash)
        return;
    memcpy(t.hash, hash, sizeof t.hash);
    l->on_token(l->ctx, &t);
}

static void on_app(sqlite3_stmt *s, const struct gw_store_loader *l)
{
    const struct gw_record_app a = {
        .name = gw_store_column_text(s, 0),
        .owner = gw_store_column_text(s, 1),
        .state = (enum gw_app_state)sqlite3_column_int(s, 2),
        .at = sqlite3_column_int64(s, 3),
    };
    if (l->on_app != NULL)
        l->on_app(l->ctx, &a);
}

static void on_block(sqlite3_stmt *s, const struct gw_store_loader *l)
{
    const struct gw_record_block b = {
        .account = gw_store_column_text(s, 0),
        .by = gw_store_column_text(s, 1),
        .reason = gw_store_column_text(s, 2),
        .at = sqlite3_column_int64(s, 3),
        .is_blocked = true,
    };
    if (l->on_block != NULL)
        l->on_block(l->ctx, &b);
}

static void on_learned(sqlite3_stmt *s, const struct gw_store_loader *l)
{
    struct gw_record r;
    const void *bytes = sqlite3_column_blob(s, 0);
    struct sl_span span = sl_span_of(bytes, (size_t)sqlite3_column_bytes(s, 0));
    if (l->on_learned != NULL && gw_record_decode(GW_RECORD_LEARNED, span, &r) == SL_OK)
        l->on_learned(l->ctx, &r.learned);
}

static bool read_receipt(sqlite3_stmt *s, struct gw_receipt *out)
{
    const void *bytes = sqlite3_column_blob(s, 0);
    return gw_receipt_decode(sl_span_of(bytes, (size_t)sqlite3_column_bytes(s, 0)), out) == SL_OK;
}

static void on_receipt(sqlite3_stmt *s, const struct gw_store_loader *l)
{
    struct gw_receipt r;
    if (read_receipt(s, &r) && r.lease_journal != 0)
        l->on_lease(l->ctx, r.lease_journal, r.lease_record);
}

static void on_receipt_with_key(sqlite3_stmt *s, const struct gw_store_loader *l)
{
    struct gw_receipt r;
    if (read_receipt(s, &r) && r.idempotency_key.len > 0 && r.account_count > 0 &&
        r.ended_at >= l->keys_since)
        l->on_key(l->ctx, &r);
}

static sl_status read_rows(struct gw_store_db *db, const struct reading *r,
                           const struct gw_store_loader *l)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(db->handle, r->sql, -1, &s, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(s, 1, r->first);
        sqlite3_bind_int64(s, 2, r->second);
        while (sqlite3_step(s) == SQLITE_ROW)
            r->on_row(s, l);
        rc = sqlite3_finalize(s);
    }
    return rc == SQLITE_OK ? SL_OK : gw_store_db_fail(db, rc, "cannot read the store");
}

/* The chapters that hold them, whole. */
static sl_status read_leases(struct gw_store_db *db, uint64_t span, const struct gw_store_loader *l)
{
    const struct reading r = {
        "WITH newest(journal, record) AS MATERIALIZED"
        " (SELECT journal, max(last_record) FROM leases GROUP BY journal)"
        "SELECT data FROM chapters CROSS JOIN log ON n >= chapter * ?2 AND n < (chapter + 1) * ?2"
        " WHERE chapter IN (SELECT chapter FROM leases JOIN newest USING(journal)"
        " WHERE last_record > record - ?1) AND +kind = 1 ORDER BY chapter, n",
        (int64_t)span, GW_STORE_CHAPTER_COUNT, on_receipt};
    return l->on_lease != NULL ? read_rows(db, &r, l) : SL_OK;
}

/* In chapters that reach so far, those that are marked. */
static sl_status read_keys(struct gw_store_db *db, const struct gw_store_loader *l)
{
    const struct reading r = {"SELECT log.data FROM chapters c CROSS JOIN receipts r ON r.chapter "
                              "= c.chapter AND r.key = ?2"
                              " CROSS JOIN log ON log.n = r.n WHERE c.last_at >= ?1 ORDER BY r.n",
                              l->keys_since,
                              gw_store_key(db->id, GW_STORE_KEY_IDEMPOTENT, sl_span_str("")),
                              on_receipt_with_key};
    return l->on_key != NULL ? read_rows(db, &r, l) : SL_OK;
}

sl_status gw_store_load(struct gw_store_db *db, sl_wall_us windows_since, sl_wall_us now,
                        uint64_t leases_span, const struct gw_store_loader *loader)
{
    const struct reading readings[] = {
        {"SELECT * FROM accounts WHERE window_opened_at > ?1"
         " OR (window_opened_at = 0 AND granted_us <> 0)",
         windows_since, 0, on_account},
        {"SELECT * FROM tokens WHERE revoked_at = 0 AND (expires_at = 0 OR expires_at > ?1)", now,
         0, on_token},
        {"SELECT * FROM apps", 0, 0, on_app},
        {"SELECT * FROM blocks", 0, 0, on_block},
        {"SELECT data FROM learned CROSS JOIN log USING(n) ORDER BY n DESC", 0, 0, on_learned},
    };
    sl_status s = SL_OK;
    while (s == SL_OK && gw_store_lag(db) > 0)
        s = gw_store_build(db, GW_STORE_PIECE_MAX);
    for (size_t i = 0; s == SL_OK && i < SL_ARRAY_LEN(readings); i++)
        s = read_rows(db, &readings[i], loader);
    if (s == SL_OK)
        s = read_leases(db, leases_span, loader);
    return s == SL_OK ? read_keys(db, loader) : s;
}
