/* gw_store_db.h - the store's file: opened, appended to in groups, checkpointed, closed. SQLite without
 * threads of ours.
 *
 * Durable  A group is one transaction in WAL mode. synchronous=NORMAL: what was committed survives every
 *          process; FULL: and a loss of power. Checkpoints are made here alone, never by a commit or a close
 *          of SQLite's own accord, so that a failed sync is seen.
 * Faults   A function that answers SL_EIO has changed nothing in the file's tables, has said why in
 *          db->why, and has told in db->fault what is to be done:
 *            GW_STORE_RETRY   try again later: disk full, locked, an error of reading or writing
 *            GW_STORE_MEND    a sync has failed: nobody knows what the disk has; gw_store_recover
 *            GW_STORE_FATAL   the file is damaged: nothing is written to it any more
 * Threads  One at a time.
 */
#ifndef GW_STORE_DB_H
#define GW_STORE_DB_H

#include <sqlite3.h>

#include "gw_store_mark.h"
#include "gw_store_queue.h"

enum gw_store_fault { GW_STORE_FINE, GW_STORE_RETRY, GW_STORE_MEND, GW_STORE_FATAL };

struct gw_store_db_conf {
    const struct sl_alloc *alloc;
    const char *path;   /* borrowed */
    const char *vfs;    /* NULL: the system's; borrowed */
    bool syncs_commits; /* synchronous=FULL */
};

/* Every statement that is prepared once, by name; the SQL is in gw_store_db.c. */
enum gw_store_sql {
    GW_STORE_SQL_BEGIN,
    GW_STORE_SQL_COMMIT,
    GW_STORE_SQL_ROLLBACK,
    GW_STORE_SQL_STAY,
    GW_STORE_SQL_APPEND,
    GW_STORE_SQL_UNBUILT,
    GW_STORE_SQL_SET_BUILT,
    GW_STORE_SQL_OPEN_WINDOW,
    GW_STORE_SQL_SPEND,
    GW_STORE_SQL_GIVE,
    GW_STORE_SQL_ADD_GRANT,
    GW_STORE_SQL_SET_ACCOUNT,
    GW_STORE_SQL_ADD_RECEIPT,
    GW_STORE_SQL_ADD_CHAPTER,
    GW_STORE_SQL_ADD_LEASE,
    GW_STORE_SQL_ADD_USAGE,
    GW_STORE_SQL_SET_TOKEN,
    GW_STORE_SQL_SET_APP,
    GW_STORE_SQL_REMOVE_APP,
    GW_STORE_SQL_BLOCK,
    GW_STORE_SQL_UNBLOCK,
    GW_STORE_SQL_DROP_LEARNED,
    GW_STORE_SQL_SET_LEARNED,
    GW_STORE_SQL_OLD_CHAPTER,
    GW_STORE_SQL_READ_CHAPTER,
    GW_STORE_SQL_SET_CHAPTER,
    GW_STORE_SQL_FORGET_CHAPTER,
    GW_STORE_SQL_FORGET_LEASES,
    GW_STORE_SQL_FORGET_RECEIPT,
    GW_STORE_SQL_FORGET_LOG,
    GW_STORE_SQL_FORGET_WINDOWS,
    GW_STORE_SQL_FORGET_ACCOUNTS,
    GW_STORE_SQL_MERGE_USAGE,
    GW_STORE_SQL_FORGET_USAGE,
    GW_STORE_SQL_FORGET_LEARNED_LOG,
    GW_STORE_SQL_FORGET_LEARNED,
    GW_STORE_SQL_COUNT
};

enum { GW_STORE_WHY_MAX = 256 };

struct gw_store_sums;

struct gw_store_db {
    struct gw_store_db_conf conf;
    sqlite3 *handle;
    sqlite3_stmt *statements[GW_STORE_SQL_COUNT];
    struct gw_store_sums *sums;
    struct gw_store_mark mark;
    uint64_t id;
    bool is_known;              /* last_n is: the file has been open before */
    int64_t last_n;             /* the newest entry of the log; stored */
    int64_t built_n;            /* the tables are built up to it */
    int64_t lost_count;         /* entries that had been stored and were not there at the opening */
    int wal_pages, moved_pages; /* in the WAL, and those of them that are in the file as well */
    bool is_unmarked;           /* the mark could not be written, and this was said */
    enum gw_store_fault fault;
    char why[GW_STORE_WHY_MAX];
};

/* Opens or makes the file, finishes what an earlier process had begun, and compares it with its mark. Errors:
 * SL_EEXIST (in use), SL_ENEVER (not a store, or of a newer Sluice), SL_EIO, SL_ENOMEM; with a sentence. */
SL_MUST_CHECK sl_status gw_store_db_open(struct gw_store_db *db,
                                         const struct gw_store_db_conf *conf, sl_wall_us now,
                                         struct sl_error *err);
/* Without a last checkpoint: what is in the WAL is as safe there. */
void gw_store_db_close(struct gw_store_db *db);

/* Appends all entries of the batches (from first on) as one transaction. Errors: SL_EIO. */
SL_MUST_CHECK sl_status gw_store_db_commit(struct gw_store_db *db, struct gw_store_batch *first);
/* Notes in the mark how far the log is stored. A mark that cannot be written stays behind: it then says too
 * little, as one does between a commit and this. */
void gw_store_db_mark(struct gw_store_db *db);
/* Moves the WAL's pages into the file, as far as readers let it. Errors: SL_EIO. */
SL_MUST_CHECK sl_status gw_store_db_checkpoint(struct gw_store_db *db);

/* ---- for the other files of this folder */

/* Makes the file, for its owner's eyes alone, before SQLite does for everybody's. A file that is there is left
 * as it is; what goes wrong is SQLite's to say. No connection of this process may have it open: its locks
 * would go with our descriptor. */
void gw_store_make_private(const char *path);

/* Closes and opens SQLite's side, nothing else. Errors: SL_EIO. */
void gw_store_db_disconnect(struct gw_store_db *db);
SL_MUST_CHECK sl_status gw_store_db_connect(struct gw_store_db *db, struct sl_error *err);
/* Writes down what SQLite said last; answers SL_EIO. */
sl_status gw_store_db_fail(struct gw_store_db *db, int rc, const char *deed);
/* Begins a transaction that writes. A status of SQLite. */
SL_MUST_CHECK int gw_store_db_begin(struct gw_store_db *db);
/* Ends a transaction that did not come to its end, after gw_store_db_fail. */
void gw_store_db_rollback(struct gw_store_db *db);
/* Runs a statement that answers no rows, and resets it. */
int gw_store_db_run(struct gw_store_db *db, enum gw_store_sql which);
/* The first column of the first row; 0 without one. */
SL_MUST_CHECK int gw_store_db_number(sqlite3 *handle, const char *sql, int64_t *out);

/* Pages that the next checkpoint has to move. */
static inline int gw_store_db_unmoved(const struct gw_store_db *db)
{
    return db->wal_pages > db->moved_pages ? db->wal_pages - db->moved_pages : 0;
}

static inline sqlite3_stmt *gw_store_db_sql(struct gw_store_db *db, enum gw_store_sql which)
{
    return db->statements[which];
}

void gw_store_bind_text(sqlite3_stmt *s, int at, struct sl_span text);
struct sl_span gw_store_column_text(sqlite3_stmt *s, int at);

#endif
