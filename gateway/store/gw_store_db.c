#include "gw_store_db.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "gw_store_mend.h"
#include "gw_store_schema.h"
#include "gw_store_sums.h"
#include "sl_base.h"
#include "sl_log.h"

enum { BUSY_AT_OPEN_MS = 5000, BUSY_MS = 100, CACHE_KIB = 16384, WAL_KEPT_BYTES = 16 << 20 };

/* A receipt belongs to the window that it names: one that is not the account's (any more) is not counted in
 * it, and one that nobody had opened is opened by it. */
static const char *const sql_texts[GW_STORE_SQL_COUNT] = {
    [GW_STORE_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [GW_STORE_SQL_COMMIT] = "COMMIT",
    [GW_STORE_SQL_ROLLBACK] = "ROLLBACK",
    [GW_STORE_SQL_STAY] = "SELECT value FROM meta",
    [GW_STORE_SQL_APPEND] = "INSERT INTO log(n, kind, data) VALUES(?1, ?2, ?3)",
    [GW_STORE_SQL_UNBUILT] = "SELECT n, kind, data FROM log WHERE n > ?1 ORDER BY n LIMIT ?2",
    [GW_STORE_SQL_SET_BUILT] = "UPDATE meta SET value = ?1 WHERE name = 'built_n'",
    [GW_STORE_SQL_OPEN_WINDOW] =
        "INSERT INTO accounts VALUES(?1, ?2, ?3, 0) ON CONFLICT(account) DO UPDATE SET"
        " granted_us = iif(window_opened_at = 0, granted_us, 0),"
        " window_opened_at = excluded.window_opened_at, spent_us = excluded.spent_us"
        " WHERE excluded.window_opened_at > window_opened_at",
    [GW_STORE_SQL_SPEND] = "UPDATE accounts SET spent_us = spent_us + ?3"
                           " WHERE account = ?1 AND window_opened_at = ?2",
    [GW_STORE_SQL_GIVE] =
        "INSERT INTO accounts VALUES(?1, ?2, 0, ?3) ON CONFLICT(account) DO UPDATE SET"
        " granted_us = granted_us + excluded.granted_us"
        " WHERE window_opened_at = excluded.window_opened_at",
    [GW_STORE_SQL_ADD_GRANT] = "INSERT OR REPLACE INTO grants VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [GW_STORE_SQL_SET_ACCOUNT] = "INSERT OR REPLACE INTO accounts VALUES(?1, ?2, ?3, ?4)",
    [GW_STORE_SQL_ADD_RECEIPT] = "INSERT OR IGNORE INTO receipts VALUES(?1, ?2, ?3)",
    [GW_STORE_SQL_ADD_CHAPTER] =
        "INSERT INTO chapters VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET"
        " first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at)",
    [GW_STORE_SQL_ADD_LEASE] = "INSERT INTO leases VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET"
                               " last_record = max(last_record, excluded.last_record)",
    [GW_STORE_SQL_ADD_USAGE] =
        "INSERT INTO usage VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET"
        " calls = calls + excluded.calls, used_us = used_us + excluded.used_us,"
        " charged_us = charged_us + excluded.charged_us",
    [GW_STORE_SQL_SET_TOKEN] =
        "INSERT OR REPLACE INTO tokens VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [GW_STORE_SQL_SET_APP] = "INSERT OR REPLACE INTO apps VALUES(?1, ?2, ?3, ?4)",
    [GW_STORE_SQL_REMOVE_APP] = "DELETE FROM apps WHERE name = ?1",
    [GW_STORE_SQL_BLOCK] = "INSERT OR REPLACE INTO blocks VALUES(?1, ?2, ?3, ?4)",
    [GW_STORE_SQL_UNBLOCK] = "DELETE FROM blocks WHERE account = ?1",
    [GW_STORE_SQL_DROP_LEARNED] =
        "DELETE FROM log WHERE n = (SELECT n FROM learned WHERE model = ?1 AND n < ?2)",
    [GW_STORE_SQL_SET_LEARNED] = "INSERT OR REPLACE INTO learned VALUES(?1, ?2, ?3)",
    [GW_STORE_SQL_OLD_CHAPTER] =
        "SELECT chapter FROM chapters WHERE first_at < ?1 ORDER BY chapter LIMIT 1",
    [GW_STORE_SQL_READ_CHAPTER] =
        "SELECT n, data FROM log WHERE n >= ?1 AND n < ?2 AND kind = 1 ORDER BY n",
    [GW_STORE_SQL_SET_CHAPTER] = "UPDATE chapters SET first_at = ?2, last_at = ?3"
                                 " WHERE chapter = ?1",
    [GW_STORE_SQL_FORGET_CHAPTER] = "DELETE FROM chapters WHERE chapter = ?1",
    [GW_STORE_SQL_FORGET_LEASES] = "DELETE FROM leases WHERE chapter = ?1",
    [GW_STORE_SQL_FORGET_RECEIPT] =
        "DELETE FROM receipts WHERE chapter = ?1 AND key = ?2 AND n = ?3",
    [GW_STORE_SQL_FORGET_LOG] = "DELETE FROM log WHERE n = ?1",
    [GW_STORE_SQL_FORGET_WINDOWS] = "DELETE FROM log WHERE n >= ?1 AND n <= ?2 AND kind = 2",
    [GW_STORE_SQL_FORGET_ACCOUNTS] =
        "DELETE FROM accounts WHERE account IN (SELECT account FROM accounts WHERE"
        " window_opened_at < ?1 AND window_opened_at > 0 LIMIT ?2)",
    [GW_STORE_SQL_MERGE_USAGE] =
        "INSERT INTO usage SELECT week, app, '', sum(calls), sum(used_us), sum(charged_us)"
        " FROM usage WHERE week < ?1 AND account <> '' GROUP BY week, app"
        " ON CONFLICT DO UPDATE SET calls = calls + excluded.calls,"
        " used_us = used_us + excluded.used_us, charged_us = charged_us + excluded.charged_us",
    [GW_STORE_SQL_FORGET_USAGE] = "DELETE FROM usage WHERE week < ?1 AND account <> ''",
    [GW_STORE_SQL_FORGET_LEARNED_LOG] =
        "DELETE FROM log WHERE n IN (SELECT n FROM learned WHERE at < ?1 AND n < ?2)",
    [GW_STORE_SQL_FORGET_LEARNED] = "DELETE FROM learned WHERE at < ?1 AND n < ?2",
};

/* ---- faults */

static enum gw_store_fault fault_of(int extended)
{
    switch (extended) {
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC:
        return GW_STORE_MEND;
    default:
        break;
    }
    int rc = extended & 0xff;
    return rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB ? GW_STORE_FATAL : GW_STORE_RETRY;
}

/* Until gw_store_recover has succeeded, nothing makes a failed sync good again; damage stays. */
sl_status gw_store_db_fail(struct gw_store_db *db, int rc, const char *deed)
{
    int extended = db->handle != NULL ? sqlite3_extended_errcode(db->handle) : rc;
    enum gw_store_fault fault = fault_of((extended & 0xff) == (rc & 0xff) ? extended : rc);
    snprintf(db->why, sizeof db->why, "%s %s: %s (SQLite %d)", deed, db->conf.path,
             db->handle != NULL ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc), extended);
    if (fault > db->fault)
        db->fault = fault;
    return SL_EIO;
}

void gw_store_db_rollback(struct gw_store_db *db)
{
    for (int i = 0; i < GW_STORE_SQL_COUNT; i++)
        if (db->statements[i] != NULL)
            sqlite3_reset(db->statements[i]);
    if (db->handle != NULL && !sqlite3_get_autocommit(db->handle))
        gw_store_db_run(db, GW_STORE_SQL_ROLLBACK);
}

int gw_store_db_run(struct gw_store_db *db, enum gw_store_sql which)
{
    sqlite3_stmt *s = db->statements[which];
    int rc = sqlite3_step(s);
    int ended = sqlite3_reset(s);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : ended;
}

/* Between groups a statement that reads stands at its first row. So the connection keeps its lock as a reader, and
 * a transaction takes and gives back one lock, not three: a third of what a group of one costs. Nobody waits for
 * a reader but a checkpoint. */
static void stay(struct gw_store_db *db)
{
    sqlite3_stmt *s = db->statements[GW_STORE_SQL_STAY];
    if (!sqlite3_stmt_busy(s))
        sqlite3_step(s);
}

static void let_go(struct gw_store_db *db)
{
    sqlite3_reset(db->statements[GW_STORE_SQL_STAY]);
}

/* Should another program have written, a reader must read anew. */
int gw_store_db_begin(struct gw_store_db *db)
{
    int rc = gw_store_db_run(db, GW_STORE_SQL_BEGIN);
    if (rc == SQLITE_OK || sqlite3_extended_errcode(db->handle) != SQLITE_BUSY_SNAPSHOT)
        return rc;
    let_go(db);
    return gw_store_db_run(db, GW_STORE_SQL_BEGIN);
}

int gw_store_db_number(sqlite3 *handle, const char *sql, int64_t *out)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(handle, sql, -1, &s, NULL);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(s);
    *out = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    int ended = sqlite3_finalize(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : ended;
}

void gw_store_bind_text(sqlite3_stmt *s, int at, struct sl_span text)
{
    sqlite3_bind_text(s, at, text.len > 0 ? (const char *)text.data : "", (int)text.len,
                      SQLITE_STATIC);
}

struct sl_span gw_store_column_text(sqlite3_stmt *s, int at)
{
    const void *text = sqlite3_column_text(s, at);
    return sl_span_of(text, text != NULL ? (size_t)sqlite3_column_bytes(s, at) : 0);
}

/* ---- opening */

static int on_wal(void *ctx, sqlite3 *handle SL_UNUSED, const char *name SL_UNUSED, int pages)
{
    struct gw_store_db *db = ctx;
    if (pages < db->wal_pages)
        db->moved_pages = 0; /* all were moved, and the WAL begins anew */
    db->wal_pages = pages;
    return SQLITE_OK;
}

static int set_up(struct gw_store_db *db)
{
    char pragmas[256];
    snprintf(pragmas, sizeof pragmas,
             "PRAGMA journal_mode=WAL; PRAGMA synchronous=%s; PRAGMA cache_size=-%d;"
             "PRAGMA journal_size_limit=%d; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF",
             db->conf.syncs_commits ? "FULL" : "NORMAL", CACHE_KIB, WAL_KEPT_BYTES);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_busy_timeout(db->handle, BUSY_AT_OPEN_MS);
    int rc = sqlite3_exec(db->handle, pragmas, NULL, NULL, NULL);
    sqlite3_wal_hook(db->handle, on_wal, db); /* in place of checkpoints by commits */
    return rc;
}

/* Where memory cannot be shared, as on most network file systems, SQLite goes on without a WAL and says
 * nothing. */
static sl_status check_wal(struct gw_store_db *db, struct sl_error *err)
{
    sqlite3_stmt *s = NULL;
    bool is_wal =
        sqlite3_prepare_v2(db->handle, "PRAGMA journal_mode", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW && sl_span_eq_str(gw_store_column_text(s, 0), "wal");
    sqlite3_finalize(s);
    if (is_wal)
        return SL_OK;
    snprintf(db->why, sizeof db->why,
             "the file system of %s cannot hold SQLite's WAL; store.path must lie on a local disk",
             db->conf.path);
    sl_error_set(err, SL_REASON_INTERNAL, "%s", db->why);
    return SL_EIO;
}

static int prepare_all(struct gw_store_db *db)
{
    int rc = SQLITE_OK;
    for (int i = 0; rc == SQLITE_OK && i < GW_STORE_SQL_COUNT; i++)
        rc = sqlite3_prepare_v3(db->handle, sql_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                &db->statements[i], NULL);
    return rc;
}

/* A commit that failed may have reached the file: its entries are still waiting and will come again. */
static int drop_unanswered(struct gw_store_db *db, int64_t *last_n)
{
    char sql[96];
    if (!db->is_known || *last_n <= db->last_n)
        return SQLITE_OK;
    snprintf(sql, sizeof sql, "DELETE FROM log WHERE n > %" PRId64, db->last_n);
    *last_n = db->last_n;
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
}

static int read_numbers(struct gw_store_db *db, int64_t *out_last_n)
{
    int64_t id = 0;
    int rc = gw_store_db_number(db->handle, "SELECT value FROM meta WHERE name = 'id'", &id);
    if (rc == SQLITE_OK)
        rc = gw_store_db_number(db->handle, "SELECT value FROM meta WHERE name = 'built_n'",
                                &db->built_n);
    if (rc == SQLITE_OK)
        rc = gw_store_db_number(db->handle, "SELECT max(n) FROM log", out_last_n);
    db->id = (uint64_t)id;
    return rc;
}

void gw_store_make_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

static sl_status fail_open(struct gw_store_db *db, int rc, struct sl_error *err)
{
    gw_store_db_fail(db, rc, "cannot open the store");
    sl_error_set(err, SL_REASON_INTERNAL, "%s", db->why);
    gw_store_db_disconnect(db);
    return SL_EIO;
}

/* What this process was told to be stored is not there any more. */
static sl_status fail_short(struct gw_store_db *db, int64_t last_n, struct sl_error *err)
{
    snprintf(db->why, sizeof db->why,
             "the store %s ends at entry %" PRId64 ", but %" PRId64 " had been stored",
             db->conf.path, last_n, db->last_n);
    db->fault = GW_STORE_FATAL;
    sl_error_set(err, SL_REASON_INTERNAL, "%s", db->why);
    gw_store_db_disconnect(db);
    return SL_EIO;
}

void gw_store_db_disconnect(struct gw_store_db *db)
{
    for (int i = 0; i < GW_STORE_SQL_COUNT; i++) {
        sqlite3_finalize(db->statements[i]);
        db->statements[i] = NULL;
    }
    sqlite3_close(db->handle);
    db->handle = NULL;
}

sl_status gw_store_db_connect(struct gw_store_db *db, struct sl_error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    gw_store_make_private(db->conf.path);
    int rc = sqlite3_open_v2(db->conf.path, &db->handle, flags, db->conf.vfs);
    if (rc == SQLITE_OK)
        rc = set_up(db);
    if (rc != SQLITE_OK)
        return fail_open(db, rc, err);
    sl_status s = check_wal(db, err);
    if (s == SL_OK)
        s = gw_store_schema_prepare(db->handle, db->conf.path, err);
    if (s != SL_OK) {
        gw_store_db_disconnect(db);
        return s;
    }
    int64_t last_n = 0;
    rc = prepare_all(db);
    if (rc == SQLITE_OK)
        rc = read_numbers(db, &last_n);
    if (rc == SQLITE_OK)
        rc = drop_unanswered(db, &last_n);
    if (rc != SQLITE_OK)
        return fail_open(db, rc, err);
    if (db->is_known && last_n < db->last_n)
        return fail_short(db, last_n, err);
    db->last_n = last_n;
    db->is_known = true;
    sqlite3_busy_timeout(db->handle, BUSY_MS);
    return SL_OK;
}

/* ---- what is missing */

static int append(struct gw_store_db *db, int64_t n, int kind, const void *bytes, size_t count)
{
    sqlite3_stmt *s = db->statements[GW_STORE_SQL_APPEND];
    if (n > 0)
        sqlite3_bind_int64(s, 1, n);
    else
        sqlite3_bind_null(s, 1); /* one more than the last; cheaper than to say it */
    sqlite3_bind_int(s, 2, kind);
    sqlite3_bind_blob(s, 3, count > 0 ? bytes : "", (int)count, SQLITE_STATIC);
    return gw_store_db_run(db, GW_STORE_SQL_APPEND);
}

/* The numbers of what is gone are not given again: the log keeps the hole, and an entry that tells it. */
static sl_status note_loss(struct gw_store_db *db, sl_wall_us now)
{
    uint8_t bytes[GW_RECORD_BYTES_MAX];
    size_t count = 0;
    struct gw_record r = {
        .kind = GW_RECORD_LOSS,
        .loss = {.first_n = db->last_n + 1, .last_n = db->mark.stored_n, .at = now}};
    sl_status s = gw_record_encode(&r, bytes, &count);
    if (s != SL_OK)
        return s;
    int rc = append(db, db->mark.stored_n + 1, GW_RECORD_LOSS, bytes, count);
    if (rc != SQLITE_OK)
        return gw_store_db_fail(db, rc, "cannot write to the store");
    db->lost_count = db->mark.stored_n - db->last_n;
    sl_log(SL_LOG_ERROR, "the store has lost entries that had been stored",
           SL_S("path", db->conf.path), SL_I("count", db->lost_count),
           SL_I("first", db->last_n + 1), SL_I("last", db->mark.stored_n));
    db->last_n = db->mark.stored_n + 1;
    return SL_OK;
}

static sl_status compare_with_mark(struct gw_store_db *db, sl_wall_us now)
{
    bool is_ours = db->mark.id == db->id;
    if (!is_ours && db->mark.id != 0)
        sl_log(SL_LOG_WARN, "the store is another one than at the last start",
               SL_S("path", db->conf.path), SL_I("entries", db->last_n));
    if (is_ours && db->mark.stored_n > db->last_n) {
        sl_status s = note_loss(db, now);
        if (s != SL_OK)
            return s;
    }
    return gw_store_mark_set(&db->mark, db->id, db->last_n);
}

sl_status gw_store_db_open(struct gw_store_db *db, const struct gw_store_db_conf *conf,
                           sl_wall_us now, struct sl_error *err)
{
    *db = (struct gw_store_db){
        .conf = *conf, .mark = {.fd = -1}, .sums = gw_store_sums_create(conf->alloc)};
    if (db->sums == NULL) {
        sl_error_set(err, SL_REASON_INTERNAL, "no memory for the store");
        return SL_ENOMEM;
    }
    sl_status s = gw_store_mark_open(&db->mark, conf->path, err);
    if (s == SL_OK)
        s = gw_store_mend_finish(conf->path, err);
    if (s == SL_OK)
        s = gw_store_db_connect(db, err);
    if (s == SL_OK && compare_with_mark(db, now) != SL_OK) {
        sl_error_set(err, SL_REASON_INTERNAL, "%s",
                     db->why[0] != '\0' ? db->why : "the store's mark cannot be written");
        s = SL_EIO;
    }
    if (s != SL_OK)
        gw_store_db_close(db);
    return s;
}

void gw_store_db_close(struct gw_store_db *db)
{
    gw_store_db_disconnect(db);
    gw_store_mark_close(&db->mark);
    gw_store_sums_destroy(db->sums);
    db->sums = NULL;
}

/* ---- groups */

static int append_batch(struct gw_store_db *db, struct gw_store_batch *b)
{
    struct gw_store_entry *e;
    for (size_t at = 0; (e = gw_store_batch_next(b, &at)) != NULL;) {
        int rc = append(db, 0, (int)e->kind, e->bytes, e->bytes_count);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

static int append_group(struct gw_store_db *db, struct gw_store_batch *first)
{
    int rc = gw_store_db_begin(db);
    for (struct gw_store_batch *b = first; rc == SQLITE_OK && b != NULL; b = b->next)
        rc = append_batch(db, b);
    return rc == SQLITE_OK ? gw_store_db_run(db, GW_STORE_SQL_COMMIT) : rc;
}

static int64_t count_entries(const struct gw_store_batch *first)
{
    int64_t count = 0;
    for (const struct gw_store_batch *b = first; b != NULL; b = b->next)
        count += b->entry_count;
    return count;
}

void gw_store_db_mark(struct gw_store_db *db)
{
    bool fails = gw_store_mark_set(&db->mark, db->id, db->last_n) != SL_OK;
    if (fails && !db->is_unmarked)
        sl_log(SL_LOG_WARN, "the store's mark cannot be written", SL_S("path", db->conf.path));
    db->is_unmarked = fails;
}

sl_status gw_store_db_commit(struct gw_store_db *db, struct gw_store_batch *first)
{
    int rc = append_group(db, first);
    if (rc != SQLITE_OK) {
        gw_store_db_fail(db, rc, "cannot write to the store");
        gw_store_db_rollback(db);
        return SL_EIO;
    }
    stay(db);
    db->last_n += count_entries(first);
    return SL_OK;
}

sl_status gw_store_db_checkpoint(struct gw_store_db *db)
{
    int in_wal = 0, moved = 0;
    let_go(db);
    int rc =
        sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_wal, &moved);
    if (rc != SQLITE_OK && rc != SQLITE_BUSY)
        return gw_store_db_fail(db, rc, "cannot move the WAL into the store");
    db->wal_pages = in_wal > 0 ? in_wal : 0;
    db->moved_pages = moved > 0 ? moved : 0;
    return SL_OK;
}
