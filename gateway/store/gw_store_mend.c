#include "gw_store_mend.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sl_log.h"

/* ---- files */

static void name_beside(const char *path, const char *suffix, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s%s", path, suffix);
}

static bool remove_if_there(const char *path, const char *suffix)
{
    char name[PATH_MAX];
    name_beside(path, suffix, name);
    return unlink(name) == 0 || errno == ENOENT;
}

static bool is_there(const char *path, const char *suffix)
{
    char name[PATH_MAX];
    name_beside(path, suffix, name);
    return access(name, F_OK) == 0;
}

/* A rename lasts when its directory has been synced. */
static bool sync_directory(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = fsync(fd) == 0;
    close(fd);
    return ok;
}

static bool move(const char *path, const char *from, const char *to)
{
    char old_name[PATH_MAX], new_name[PATH_MAX];
    name_beside(path, from, old_name);
    name_beside(path, to, new_name);
    return rename(old_name, new_name) == 0 && sync_directory(path);
}

static bool remove_copy(const char *path)
{
    return remove_if_there(path, "-copy") && remove_if_there(path, "-copy-wal") &&
           remove_if_there(path, "-copy-shm") && remove_if_there(path, "-copy-journal");
}

static bool finish_swap(const char *path)
{
    return remove_if_there(path, "-wal") && remove_if_there(path, "-shm") &&
           move(path, "-swap", "");
}

sl_status gw_store_mend_finish(const char *path, struct sl_error *err)
{
    if (remove_copy(path) && (!is_there(path, "-swap") || finish_swap(path)))
        return SL_OK;
    sl_error_set(err, SL_REASON_INTERNAL, "cannot put the mended copy of the store %s in place: %s",
                 path, strerror(errno));
    return SL_EIO;
}

/* ---- the copy */

struct content {
    int64_t entry_count, last_n;
};

static int read_content(sqlite3 *handle, struct content *out)
{
    int rc = gw_store_db_number(handle, "SELECT count(*) FROM log", &out->entry_count);
    if (rc == SQLITE_OK)
        rc = gw_store_db_number(handle, "SELECT max(n) FROM log", &out->last_n);
    return rc;
}

static int check_integrity(sqlite3 *handle, bool *out_is_good)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(handle, "PRAGMA integrity_check(1)", -1, &s, NULL);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(s);
    *out_is_good = rc == SQLITE_ROW && sl_span_eq_str(gw_store_column_text(s, 0), "ok");
    int ended = sqlite3_finalize(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : ended;
}

/* Page by page, synced by SQLite at its end. */
static int copy_pages(sqlite3 *from, sqlite3 *to)
{
    int rc = sqlite3_exec(to, "PRAGMA synchronous=FULL", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    if (b == NULL)
        return sqlite3_extended_errcode(to);
    sqlite3_backup_step(b, -1);
    return sqlite3_backup_finish(b);
}

static sl_status fail(struct gw_store_db *db, const char *what, const char *why)
{
    snprintf(db->why, sizeof db->why,
             "a sync of the store %s failed, and the copy in its place did not succeed: %s: %s",
             db->conf.path, what, why);
    return SL_EIO;
}

/* The copy is as long as what was answered for, and whole. */
static sl_status verify(struct gw_store_db *db, sqlite3 *copy, const struct content *wanted)
{
    struct content got = {0};
    bool is_good = false;
    if (check_integrity(copy, &is_good) != SQLITE_OK || read_content(copy, &got) != SQLITE_OK)
        return fail(db, "reading the copy", sqlite3_errmsg(copy));
    if (!is_good)
        return fail(db, "verifying the copy", "it is damaged");
    if (got.entry_count != wanted->entry_count || got.last_n < db->last_n)
        return fail(db, "verifying the copy", "entries are missing");
    return SL_OK;
}

static sl_status make_copy(struct gw_store_db *db, sqlite3 *from, sqlite3 *to)
{
    struct content wanted = {0};
    if (read_content(from, &wanted) != SQLITE_OK)
        return fail(db, "reading", sqlite3_errmsg(from));
    int rc = copy_pages(from, to);
    if (rc != SQLITE_OK)
        return fail(db, "copying", sqlite3_errstr(rc));
    return verify(db, to, &wanted);
}

static sl_status copy_store(struct gw_store_db *db)
{
    char name[PATH_MAX];
    sqlite3 *from = NULL, *to = NULL;
    sl_status s = SL_EIO;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    name_beside(db->conf.path, "-copy", name);
    if (!remove_copy(db->conf.path))
        return fail(db, "removing an earlier copy", strerror(errno));
    gw_store_make_private(name);
    if (sqlite3_open_v2(db->conf.path, &from, flags, db->conf.vfs) != SQLITE_OK)
        fail(db, "opening", sqlite3_errmsg(from));
    else if (sqlite3_open_v2(name, &to, flags | SQLITE_OPEN_CREATE, db->conf.vfs) != SQLITE_OK)
        fail(db, "opening the copy", sqlite3_errmsg(to));
    else
        s = make_copy(db, from, to);
    if (from != NULL)
        sqlite3_db_config(from, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(from);
    if (sqlite3_close(to) != SQLITE_OK && s == SL_OK)
        s = fail(db, "closing the copy", "it is still in use");
    return s;
}

/* Connected anew to the new file when it answers SL_OK; else disconnected. */
static sl_status mend(struct gw_store_db *db)
{
    struct sl_error err;
    gw_store_db_disconnect(db);
    if (copy_store(db) != SL_OK)
        return SL_EIO;
    if (!move(db->conf.path, "-copy", "-swap") ||
        gw_store_mend_finish(db->conf.path, &err) != SL_OK)
        return fail(db, "renaming", strerror(errno));
    if (gw_store_db_connect(db, &err) != SL_OK)
        return fail(db, "opening the copy", err.text);
    db->fault = GW_STORE_FINE;
    sl_log(SL_LOG_WARN, "the store has been copied to a new file after a failed sync",
           SL_S("path", db->conf.path), SL_I("entries", db->last_n));
    return SL_OK;
}

sl_status gw_store_recover(struct gw_store_db *db)
{
    struct sl_error err;
    switch (db->fault) {
    case GW_STORE_FATAL:
        return SL_EIO;
    case GW_STORE_MEND:
        return mend(db);
    case GW_STORE_RETRY:
    case GW_STORE_FINE:
        break;
    }
    db->fault = GW_STORE_FINE;
    return db->handle != NULL ? SL_OK : gw_store_db_connect(db, &err);
}
