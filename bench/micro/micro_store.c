/* micro_store.c - what it costs to make a receipt last: groups of 1, 16 and 256 in one transaction beside a plain
 * loop of one transaction for each receipt, on the same file system; and the tables behind the log, when all
 * receipts are of one account, and when each is of any of ten thousand; then questions to those tables, and their size.
 *
 *   micro_store [FOLDER [RECEIPTS [ROUNDS]]]      (., 20000, 5)
 *
 * Every way has a file of its own; in each round all ways have their turn, one directly after the other, and each
 * figure is the median of the rounds. CPU is that of this process, user and system.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gw_receipt_code.h"
#include "gw_store_build.h"
#include "gw_store_query.h"
#include "gw_store_sums.h"

enum { WAYS = 10, MANY_ACCOUNTS = 5, ROUNDS_MAX = 99, PATH_ROOM = 512 };

struct way {
    const char *name;
    int group; /* 0: a plain loop without our code */
    bool syncs;
    bool is_building; /* the tables for what the way before has stored */
    uint64_t accounts;
    int64_t receipts;
    double seconds[ROUNDS_MAX], cpu_us[ROUNDS_MAX];
    char path[PATH_ROOM];
    struct gw_store_db db;
    sqlite3 *plain;
    sqlite3_stmt *insert;
};

static struct way ways[WAYS] = {
    {.name = "plain loop, normal", .group = 0},
    {.name = "groups of 1, normal", .group = 1},
    {.name = "groups of 16, normal", .group = 16},
    {.name = "groups of 256, normal", .group = 256, .accounts = 1},
    {.name = "tables behind the log, 1 account", .is_building = true},
    {.name = "groups of 256, normal, 10,000 accounts", .group = 256, .accounts = 10000},
    {.name = "tables behind the log, 10,000 accounts", .is_building = true},
    {.name = "plain loop, full", .group = 0, .syncs = true},
    {.name = "groups of 16, full", .group = 16, .syncs = true},
    {.name = "groups of 256, full", .group = 256, .syncs = true},
};

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "micro_store: %s: %s\n", what, why);
    exit(1);
}

/* A usual receipt; the number makes it the only one. */
static struct sl_span write_receipt(uint64_t number, uint64_t accounts, uint8_t *bytes, size_t room)
{
    static char visitor[32];
    size_t count;
    uint64_t scattered = number * UINT64_C(0x9e3779b97f4a7c15); /* as random as a UUID */
    snprintf(visitor, sizeof visitor, "user:visitor%llu",
             (unsigned long long)(accounts > 1 ? (scattered >> 32) % accounts : 0));
    struct gw_receipt r = {
        .ended_at = INT64_C(1767225600000000) + (int64_t)number,
        .accounts = {sl_span_str(visitor)},
        .windows_opened_at = {INT64_C(1767225600000000)},
        .account_count = 1,
        .tier = sl_span_str("free"),
        .model = sl_span_str("resnet50"),
        .size = sl_span_str("large"),
        .node = sl_span_str("gpu1"),
        .declared_us = 60 * SL_US_PER_S,
        .held_us = 60 * SL_US_PER_S,
        .used_us = 1234567,
        .charged_us = 1234567,
        .lease_journal = 7,
        .lease_record = number << 16,
    };
    memcpy(r.call_id, &scattered, sizeof scattered);
    if (gw_receipt_encode(&r, bytes, room, &count) != SL_OK)
        die("a receipt", "it cannot be encoded");
    return sl_span_of(bytes, count);
}

/* ---- ways */

static void store_plain(struct way *w, uint64_t first, int64_t count)
{
    uint8_t bytes[GW_RECEIPT_BYTES_MAX];
    for (int64_t i = 0; i < count; i++) {
        struct sl_span s = write_receipt(first + (uint64_t)i, w->accounts, bytes, sizeof bytes);
        sqlite3_bind_int(w->insert, 1, GW_RECORD_RECEIPT);
        sqlite3_bind_blob(w->insert, 2, s.data, (int)s.len, SQLITE_STATIC);
        if (sqlite3_step(w->insert) != SQLITE_DONE)
            die(w->path, sqlite3_errmsg(w->plain));
        sqlite3_reset(w->insert);
    }
}

static void commit_group(struct way *w, struct gw_store_queue *q)
{
    struct gw_store_batches group = {0};
    struct gw_store_batch *b;
    gw_store_queue_flush(q);
    if (!gw_store_queue_take(q, 0, &group) || gw_store_db_commit(&w->db, group.head) != SL_OK)
        die(w->path, w->db.why);
    gw_store_db_mark(&w->db);
    while ((b = gw_store_batches_pop(&group)) != NULL)
        gw_store_queue_recycle(q, b);
    if (gw_store_db_unmoved(&w->db) >= 4096 && gw_store_db_checkpoint(&w->db) != SL_OK)
        die(w->path, w->db.why);
}

static void store_groups(struct way *w, struct gw_store_queue *q, uint64_t first, int64_t count)
{
    uint8_t bytes[GW_RECEIPT_BYTES_MAX];
    for (int64_t i = 0; i < count; i++) {
        struct sl_span s = write_receipt(first + (uint64_t)i, w->accounts, bytes, sizeof bytes);
        if (gw_store_queue_put(q, GW_RECORD_RECEIPT, s, 0) != SL_OK)
            die(w->path, "the queue is full");
        if ((i + 1) % w->group == 0 || i + 1 == count)
            commit_group(w, q);
    }
}

/* With the checkpoint of what it writes, which would else be the next groups' cost. */
static void build_tables(struct way *before)
{
    while (gw_store_lag(&before->db) > 0)
        if (gw_store_build(&before->db, GW_STORE_PIECE_MAX) != SL_OK)
            die(before->path, before->db.why);
    if (gw_store_db_checkpoint(&before->db) != SL_OK)
        die(before->path, before->db.why);
}

static void run_way(struct way *w, struct gw_store_queue *q, int round)
{
    uint64_t first = (uint64_t)(round * w->receipts) + 1;
    double wall = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    if (w->is_building)
        build_tables(w - 1);
    else if (w->group == 0)
        store_plain(w, first, w->receipts);
    else
        store_groups(w, q, first, w->receipts);
    w->seconds[round] = seconds_of(CLOCK_MONOTONIC) - wall;
    w->cpu_us[round] = (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e6 / (double)w->receipts;
}

/* ---- beginning and end */

/* As anybody would write it: one table, one statement, the same WAL. */
static void open_plain(struct way *w)
{
    char sql[256];
    snprintf(sql, sizeof sql,
             "PRAGMA journal_mode=WAL; PRAGMA synchronous=%s;"
             "CREATE TABLE log(n INTEGER PRIMARY KEY, kind INTEGER NOT NULL, data BLOB NOT NULL)",
             w->syncs ? "FULL" : "NORMAL");
    if (sqlite3_open(w->path, &w->plain) != SQLITE_OK ||
        sqlite3_exec(w->plain, sql, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(w->plain, "INSERT INTO log(kind, data) VALUES(?1, ?2)", -1, &w->insert,
                           NULL) != SQLITE_OK)
        die(w->path, sqlite3_errmsg(w->plain));
}

static void open_way(struct way *w, const char *folder, int index, int64_t receipts)
{
    struct sl_error err;
    snprintf(w->path, sizeof w->path, "%s/way%d.db", folder, index);
    w->receipts = w->syncs && w->group < 256 ? receipts / 20 : receipts; /* syncs take their time */
    w->receipts = w->receipts > 0 ? w->receipts : 1;
    const struct gw_store_db_conf c = {
        .alloc = &sl_alloc_malloc, .path = w->path, .syncs_commits = w->syncs};
    if (w->is_building)
        return;
    if (w->group == 0)
        open_plain(w);
    else if (gw_store_db_open(&w->db, &c, 0, &err) != SL_OK)
        die(w->path, err.text);
}

static void close_way(struct way *w)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-mark"};
    char name[PATH_ROOM + 16];
    sqlite3_finalize(w->insert);
    sqlite3_close(w->plain);
    if (w->group > 0)
        gw_store_db_close(&w->db);
    for (size_t i = 0; i < SL_ARRAY_LEN(suffixes); i++) {
        snprintf(name, sizeof name, "%s%s", w->path, suffixes[i]);
        unlink(name);
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, int count)
{
    double sorted[ROUNDS_MAX];
    memcpy(sorted, values, (size_t)count * sizeof *values);
    qsort(sorted, (size_t)count, sizeof *sorted, by_size);
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

/* Round by round against the plain loop of the same sync. */
static double ratio(const struct way *w, const struct way *plain, int rounds)
{
    double ratios[ROUNDS_MAX];
    for (int i = 0; i < rounds; i++)
        ratios[i] =
            ((double)w->receipts / w->seconds[i]) / ((double)plain->receipts / plain->seconds[i]);
    return median(ratios, rounds);
}

static void print_table(int rounds)
{
    const struct way *plain = &ways[0];
    printf("| way | receipts/s | CPU us for each | x plain loop |\n|---|---|---|---|\n");
    for (int i = 0; i < WAYS; i++) {
        const struct way *w = &ways[i];
        if (w->group == 0 && !w->is_building)
            plain = w;
        printf("| %s | %.0f | %.2f | %.1f |\n", w->name,
               (double)w->receipts / median(w->seconds, rounds), median(w->cpu_us, rounds),
               ratio(w, plain, rounds));
    }
}

/* ---- questions to the tables of ten thousand accounts */

/* As a connection that has been asked a few things before. Answers microseconds for each. */
static double time_question(struct way *w, const struct gw_store_question *q, size_t *out_rows)
{
    enum { TIMES = 20 };
    double seconds[TIMES];
    for (int i = 0; i < TIMES; i++) {
        struct gw_store_answer a;
        struct sl_arena arena;
        double begin = seconds_of(CLOCK_MONOTONIC);
        sl_arena_init(&arena, &sl_alloc_malloc, GW_STORE_ANSWER_MAX_BYTES);
        gw_store_answer(w->db.handle, q, &arena, &a);
        *out_rows = a.row_count;
        sl_arena_finish(&arena);
        seconds[i] = seconds_of(CLOCK_MONOTONIC) - begin;
        if (a.status != SL_OK)
            die(w->path, a.why);
    }
    return 1e6 * median(seconds, TIMES);
}

static void print_question(struct way *w, const char *name, const struct gw_store_question *q)
{
    size_t rows;
    double us = time_question(w, q, &rows);
    printf("| %s | %zu | %.0f |\n", name, rows, us);
}

static void print_questions(struct way *w)
{
    struct gw_store_question q = {.kind = GW_STORE_RECEIPTS, .rows_max = 100};
    printf("\n| question, %lld receipts | rows | us |\n|---|---|---|\n", (long long)w->db.last_n);
    print_question(w, "the newest 100", &q);
    snprintf(q.account, sizeof q.account, "user:visitor42");
    print_question(w, "up to 100 of an account", &q);
    snprintf(q.account, sizeof q.account, "user:nobody");
    print_question(w, "of an account that has none", &q);
    q = (struct gw_store_question){.kind = GW_STORE_RECEIPT, .rows_max = 1};
    uint64_t oldest = UINT64_C(0x9e3779b97f4a7c15);
    memcpy(q.call_id, &oldest, sizeof oldest);
    print_question(w, "the oldest call", &q);
    q = (struct gw_store_question){.kind = GW_STORE_USAGE, .rows_max = 1000};
    print_question(w, "usage by app", &q);
}

static int64_t count_of(struct way *w, const char *sql)
{
    int64_t n = 0;
    if (gw_store_db_number(w->db.handle, sql, &n) != SQLITE_OK)
        die(w->path, sqlite3_errmsg(w->db.handle));
    return n;
}

static void print_size(struct way *w)
{
    int64_t bytes = 4096 * count_of(w, "PRAGMA page_count");
    int64_t log = count_of(w, "SELECT sum(length(data)) FROM log");
    printf("\nA receipt has %lld bytes; the file %.0f for each.\n", (long long)(log / w->db.last_n),
           (double)bytes / (double)w->db.last_n);
}

int main(int argc, char **argv)
{
    struct gw_store_queue q;
    char folder[PATH_ROOM / 2];
    int64_t receipts = argc > 2 ? atoll(argv[2]) : 20000;
    int rounds = argc > 3 ? atoi(argv[3]) : 5;
    if (receipts < 1 || rounds < 1 || rounds > ROUNDS_MAX)
        die("usage", "micro_store [FOLDER [RECEIPTS [ROUNDS]]], up to 99 rounds");
    snprintf(folder, sizeof folder, "%s/micro_store-XXXXXX", argc > 1 ? argv[1] : ".");
    if (mkdtemp(folder) == NULL)
        die(folder, strerror(errno));
    gw_store_queue_init(&q, &sl_alloc_malloc, 16 << 20);
    for (int i = 0; i < WAYS; i++)
        open_way(&ways[i], folder, i, receipts);
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < WAYS; i++)
            run_way(&ways[i], &q, round);
    print_table(rounds);
    print_questions(&ways[MANY_ACCOUNTS]);
    print_size(&ways[MANY_ACCOUNTS]);
    for (int i = 0; i < WAYS; i++)
        close_way(&ways[i]);
    gw_store_queue_finish(&q);
    rmdir(folder);
    return 0;
}
