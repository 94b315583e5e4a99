/* gw_store_forget.c - history that is older than `store.keep`. */
#include "gw_store_build.h"

enum { ROWS_AT_ONCE_MAX = 512 };

static int find_oldest(struct gw_store_db *db, sl_wall_us before, int rows_max, int64_t *numbers,
                       int *out_count)
{
    sqlite3_stmt *s = gw_store_db_sql(db, GW_STORE_SQL_OLDEST);
    sqlite3_bind_int64(s, 1, before);
    sqlite3_bind_int64(s, 2, db->last_n - 1); /* the last number is never given again */
    sqlite3_bind_int(s, 3, rows_max);
    *out_count = 0;
    while (*out_count < rows_max && sqlite3_step(s) == SQLITE_ROW)
        numbers[(*out_count)++] = sqlite3_column_int64(s, 0);
    return sqlite3_reset(s);
}

static int forget_receipt(struct gw_store_db *db, int64_t n)
{
    sqlite3_bind_int64(gw_store_db_sql(db, GW_STORE_SQL_FORGET_RECEIPT), 1, n);
    sqlite3_bind_int64(gw_store_db_sql(db, GW_STORE_SQL_FORGET_LOG), 1, n);
    int rc = gw_store_db_run(db, GW_STORE_SQL_FORGET_RECEIPT);
    return rc == SQLITE_OK ? gw_store_db_run(db, GW_STORE_SQL_FORGET_LOG) : rc;
}

/* The week in which `before` lies is kept as it is. */
static int forget_visitors(struct gw_store_db *db, sl_wall_us before, int rows_max)
{
    sqlite3_stmt *accounts = gw_store_db_sql(db, GW_STORE_SQL_FORGET_ACCOUNTS);
    sqlite3_bind_int64(accounts, 1, before);
    sqlite3_bind_int(accounts, 2, rows_max);
    int64_t week = gw_store_week_of(before);
    sqlite3_bind_int64(gw_store_db_sql(db, GW_STORE_SQL_MERGE_USAGE), 1, week);
    sqlite3_bind_int64(gw_store_db_sql(db, GW_STORE_SQL_FORGET_USAGE), 1, week);
    int rc = gw_store_db_run(db, GW_STORE_SQL_FORGET_ACCOUNTS);
    if (rc == SQLITE_OK)
        rc = gw_store_db_run(db, GW_STORE_SQL_MERGE_USAGE);
    return rc == SQLITE_OK ? gw_store_db_run(db, GW_STORE_SQL_FORGET_USAGE) : rc;
}

static int forget(struct gw_store_db *db, sl_wall_us before, int rows_max, int *out_count)
{
    int64_t numbers[ROWS_AT_ONCE_MAX];
    int rc = gw_store_db_run(db, GW_STORE_SQL_BEGIN);
    if (rc == SQLITE_OK)
        rc = find_oldest(db, before, rows_max, numbers, out_count);
    for (int i = 0; rc == SQLITE_OK && i < *out_count; i++)
        rc = forget_receipt(db, numbers[i]);
    if (rc == SQLITE_OK && *out_count < rows_max)
        rc = forget_visitors(db, before, rows_max);
    return rc == SQLITE_OK ? gw_store_db_run(db, GW_STORE_SQL_COMMIT) : rc;
}

sl_status gw_store_forget(struct gw_store_db *db, sl_wall_us before, int rows_max, bool *out_more)
{
    int count = 0, most = rows_max < ROWS_AT_ONCE_MAX ? rows_max : ROWS_AT_ONCE_MAX;
    int rc = forget(db, before, most, &count);
    if (rc != SQLITE_OK) {
        gw_store_db_fail(db, rc, "cannot remove old entries of the store");
        gw_store_db_rollback(db);
        return SL_EIO;
    }
    *out_more = count == most;
    return SL_OK;
}
