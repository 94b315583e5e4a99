#include "gw_store_schema.h"

#include <inttypes.h>
#include <stdio.h>

#include "sl_base.h"
#include "sl_log.h"

/* steps[i] leads from version i to i + 1. One that was released is never changed.
 *
 * log       everything that lasts, in the order in which it came; all other tables are built from it
 * meta      id: a random number, by which a mark belongs to this file; built_n: how far the tables below are
 * chapters  of the log: of each the first and the last time of its receipts
 * receipts  in which chapter, and where, the receipts of an account, an app and a call are: gw_store_key.h
 * leases    the newest lease of each executor's journal in each chapter
 * learned   where in the log it stands how long a model's calls took: its newest entry, the only one that is kept
 * usage     sums by week (days from a Monday to the next, UTC; week 0 is that of 1969-12-29)
 */
static const char *const steps[] = {
    "CREATE TABLE log(n INTEGER PRIMARY KEY, kind INTEGER NOT NULL, data BLOB NOT NULL);"
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO meta VALUES('id', random()), ('built_n', 0);"
    "CREATE TABLE accounts(account TEXT PRIMARY KEY, window_opened_at INTEGER NOT NULL,"
    " spent_us INTEGER NOT NULL, granted_us INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX accounts_by_window ON accounts(window_opened_at);"
    "CREATE TABLE chapters(chapter INTEGER PRIMARY KEY, first_at INTEGER NOT NULL,"
    " last_at INTEGER NOT NULL);"
    "CREATE TABLE receipts(chapter INTEGER NOT NULL, key INTEGER NOT NULL, n INTEGER NOT NULL,"
    " PRIMARY KEY(chapter, key, n)) WITHOUT ROWID;"
    "CREATE TABLE leases(chapter INTEGER NOT NULL, journal INTEGER NOT NULL,"
    " last_record INTEGER NOT NULL, PRIMARY KEY(chapter, journal)) WITHOUT ROWID;"
    "CREATE TABLE usage(week INTEGER NOT NULL, app TEXT NOT NULL, account TEXT NOT NULL,"
    " calls INTEGER NOT NULL, used_us INTEGER NOT NULL, charged_us INTEGER NOT NULL,"
    " PRIMARY KEY(week, app, account)) WITHOUT ROWID;"
    "CREATE TABLE grants(n INTEGER PRIMARY KEY, account TEXT NOT NULL, given_by TEXT NOT NULL,"
    " reason TEXT NOT NULL, at INTEGER NOT NULL, window_opened_at INTEGER NOT NULL,"
    " amount_us INTEGER NOT NULL);"
    "CREATE INDEX grants_by_account ON grants(account);"
    "CREATE TABLE tokens(hash BLOB PRIMARY KEY, prefix TEXT NOT NULL, user TEXT NOT NULL,"
    " tier TEXT NOT NULL, app TEXT NOT NULL, created_at INTEGER NOT NULL,"
    " expires_at INTEGER NOT NULL, revoked_at INTEGER NOT NULL, is_admin INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE apps(name TEXT PRIMARY KEY, owner TEXT NOT NULL, state INTEGER NOT NULL,"
    " at INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE blocks(account TEXT PRIMARY KEY, blocked_by TEXT NOT NULL, reason TEXT NOT NULL,"
    " at INTEGER NOT NULL) WITHOUT ROWID;",
    "CREATE TABLE learned(model TEXT PRIMARY KEY, n INTEGER NOT NULL, at INTEGER NOT NULL)"
    " WITHOUT ROWID;",
};

int gw_store_schema_version(void)
{
    return (int)SL_ARRAY_LEN(steps);
}

static sl_status fail(sqlite3 *db, const char *path, struct sl_error *err)
{
    sl_error_set(err, SL_REASON_INTERNAL, "cannot read the store %s: %s", path, sqlite3_errmsg(db));
    return SL_EIO;
}

static int read_number(sqlite3 *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(s);
    *out = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    int ended = sqlite3_finalize(s);
    return rc == SQLITE_ROW ? SQLITE_OK : ended;
}

static int take_step(sqlite3 *db, int version)
{
    char versions[128];
    snprintf(versions, sizeof versions, "PRAGMA application_id=%d; PRAGMA user_version=%d",
             GW_STORE_APPLICATION_ID, version + 1);
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, steps[version], NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, versions, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    return rc;
}

/* An empty file becomes a store; anything else must be one. */
static sl_status check_identity(const char *path, int64_t application, int64_t tables,
                                int64_t version, struct sl_error *err)
{
    bool is_empty = application == 0 && tables == 0 && version == 0;
    if (!is_empty && application != GW_STORE_APPLICATION_ID) {
        sl_error_set(err, SL_REASON_INTERNAL,
                     "%s is a database of another program; store.path must name a file of its own",
                     path);
        return SL_ENEVER;
    }
    if (version > gw_store_schema_version()) {
        sl_error_set(err, SL_REASON_INTERNAL,
                     "the store %s was written by a newer Sluice (version %" PRId64
                     " of its tables, this one knows up to %d); run that one, or give another file",
                     path, version, gw_store_schema_version());
        return SL_ENEVER;
    }
    return SL_OK;
}

sl_status gw_store_schema_prepare(sqlite3 *db, const char *path, struct sl_error *err)
{
    int64_t application, tables, version;
    if (read_number(db, "PRAGMA application_id", &application) != SQLITE_OK ||
        read_number(db, "SELECT count(*) FROM sqlite_master", &tables) != SQLITE_OK ||
        read_number(db, "PRAGMA user_version", &version) != SQLITE_OK)
        return fail(db, path, err);
    sl_status s = check_identity(path, application, tables, version, err);
    if (s != SL_OK)
        return s;
    for (int v = (int)version; v < gw_store_schema_version(); v++) {
        if (take_step(db, v) != SQLITE_OK) {
            fail(db, path, err);
            if (!sqlite3_get_autocommit(db))
                sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
            return SL_EIO;
        }
    }
    if (version < gw_store_schema_version())
        sl_log(SL_LOG_INFO, "store has new tables", SL_S("path", path),
               SL_I("version", gw_store_schema_version()));
    return SL_OK;
}
