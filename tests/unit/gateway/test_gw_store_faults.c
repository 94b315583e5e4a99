/* test_gw_store_faults.c - the file when the disk refuses: every i-th write, sync, truncation, opening and
 * removal; a WAL cut at every byte; a loss of power; full, locked, read-only and damaged files.
 *
 * What holds in all of them: an entry that was answered for is there, once, in its order; one that was not is
 * there with its whole group or not at all; and what is missing is told.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault_vfs.h"
#include "gw_receipt_code.h"
#include "gw_store_build.h"
#include "gw_store_mend.h"
#include "sl_log.h"
#include "sl_rng.h"
#include "sl_test.h"
#include "store_rig.h"

enum { GROUPS = 8, RECOVERIES_MAX = 4 };

static double scale(void)
{
    const char *text = getenv("SLUICE_SCALE");
    return text != NULL ? atof(text) : 0.05;
}

static void no_log(void *ctx SL_UNUSED, const char *line SL_UNUSED, unsigned len SL_UNUSED)
{
}

/* ---- what is in the file, seen without our code */

static sqlite3 *look(struct store_rig *r)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(r->path, &db), SQLITE_OK);
    return db;
}

static int64_t number_of(sqlite3 *db, const char *sql)
{
    int64_t n = -1;
    int rc = gw_store_db_number(db, sql, &n);
    if (rc != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    return n;
}

/* Group g has g receipts; receipt i is the i-th of all. */
static uint64_t first_of(int group)
{
    return (uint64_t)(group * (group - 1) / 2 + 1);
}

/* The receipts are 1, 2, 3 ... in this order; answers how many. */
static uint64_t assert_in_order(sqlite3 *db)
{
    sqlite3_stmt *s;
    uint64_t count = 0;
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT data FROM log WHERE kind = 1 ORDER BY n", -1, &s, NULL),
        SQLITE_OK);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct gw_receipt receipt;
        uint64_t number;
        assert_ok(gw_receipt_decode(
            sl_span_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)), &receipt));
        memcpy(&number, receipt.call_id, sizeof number);
        assert_int_equal(number, ++count);
    }
    assert_int_equal(rc, SQLITE_DONE);
    sqlite3_finalize(s);
    return count;
}

static bool is_whole_groups(uint64_t count)
{
    int group = 1;
    while (first_of(group + 1) - 1 < count)
        group++;
    return count == 0 || first_of(group + 1) - 1 == count;
}

/* What was answered for is there, once, in its order; nothing is half there; the tables are the log's sums. */
static void assert_sound(struct store_rig *r, uint64_t answered, bool is_exact)
{
    sqlite3 *db = look(r);
    uint64_t count = assert_in_order(db);
    if (count < answered || (is_exact && count != answered) || !is_whole_groups(count))
        fail_msg("%llu receipts there, %llu answered for", (unsigned long long)count,
                 (unsigned long long)answered);
    int64_t built = number_of(db, "SELECT value FROM meta WHERE name = 'built_n'");
    assert_int_equal(number_of(db, "SELECT coalesce(sum(calls), 0) FROM usage"), built);
    assert_int_equal(number_of(db, "SELECT coalesce(sum(spent_us), 0) FROM accounts"),
                     built * 1000);
    assert_int_equal(number_of(db, "SELECT count(*) FROM pragma_integrity_check"
                                   " WHERE integrity_check <> 'ok'"),
                     0);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* ---- every i-th deed fails */

/* Groups with tables built and checkpoints made in between; stops at the first fault. Answers how many
 * receipts were answered for. */
static uint64_t store_groups(struct store_rig *r, int *group, int until)
{
    for (; *group <= until && r->db.fault == GW_STORE_FINE; (*group)++) {
        if (store_rig_commit_receipts(r, first_of(*group), *group) != SL_OK)
            break;
        if (*group % 2 == 0 && gw_store_build(&r->db, 3) != SL_OK)
            continue;
        if (*group % 3 == 0 && gw_store_db_checkpoint(&r->db) != SL_OK)
            continue;
    }
    return first_of(*group) - 1;
}

/* Tries again as the store's thread does, while the fault lasts and after it has passed. */
static void recover(struct store_rig *r)
{
    if (gw_store_recover(&r->db) == SL_OK)
        return;
    fault_vfs_stop();
    for (int i = 0; gw_store_recover(&r->db) != SL_OK; i++)
        if (i == RECOVERIES_MAX || r->db.fault == GW_STORE_FATAL)
            fail_msg("never well again: %s", r->db.why);
}

static void run_and_go_on(struct store_rig *r, bool syncs)
{
    int group = 1;
    if (store_rig_open(r, FAULT_VFS_NAME, syncs) != SL_OK) {
        fault_vfs_stop();
        assert_ok(store_rig_open(r, FAULT_VFS_NAME, syncs));
    }
    uint64_t answered = store_groups(r, &group, GROUPS);
    for (int tries = 0; group <= GROUPS; tries++) {
        assert_true(r->db.fault != GW_STORE_FINE);
        if (tries == RECOVERIES_MAX) /* one that lasts has lasted long enough */
            fault_vfs_stop();
        recover(r);
        answered = store_groups(r, &group, GROUPS);
    }
    if (r->db.fault != GW_STORE_FINE)
        recover(r);
    fault_vfs_stop();
    assert_int_equal(r->db.last_n, first_of(GROUPS + 1) - 1);
    gw_store_db_close(&r->db);
    assert_sound(r, answered, true);
}

/* The process ends at the fault instead, and another one begins. */
static void run_and_end(struct store_rig *r, bool syncs)
{
    int group = 1;
    uint64_t answered = 0;
    if (store_rig_open(r, FAULT_VFS_NAME, syncs) == SL_OK)
        answered = store_groups(r, &group, GROUPS);
    gw_store_db_close(&r->db);
    fault_vfs_stop();
    assert_ok(store_rig_open(r, NULL, syncs));
    assert_int_equal(r->db.lost_count, 0);
    gw_store_db_close(&r->db);
    assert_sound(r, answered, false);
}

static void remove_all(struct store_rig *r)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-mark", "-journal"};
    for (size_t i = 0; i < SL_ARRAY_LEN(suffixes); i++)
        store_rig_remove(r, suffixes[i]);
}

static void sweep(struct store_rig *r, struct fault_vfs_plan plan, bool syncs,
                  void (*run)(struct store_rig *r, bool syncs))
{
    size_t runs = 0;
    sl_log_set_sink(no_log, NULL);
    for (plan.fail_at = 1; fault_vfs_start(&plan); plan.fail_at++, runs++) {
        run(r, syncs);
        remove_all(r);
    }
    sl_log_set_sink(NULL, NULL);
    printf("count: %zu deeds failed in their turn\n", runs - 1);
    assert_true(runs > 2);
}

static void every_write_fails(void **state)
{
    sweep(*state, (struct fault_vfs_plan){.deeds = FAULT_WRITE}, false, run_and_go_on);
    sweep(*state, (struct fault_vfs_plan){.deeds = FAULT_WRITE}, false, run_and_end);
}

static void every_write_tears_and_all_after_it_fail(void **state)
{
    const struct fault_vfs_plan plan = {
        .deeds = FAULT_WRITE, .keeps_failing = true, .tears = true, .is_full = true};
    sweep(*state, plan, false, run_and_go_on);
    sweep(*state, plan, true, run_and_end);
}

static void every_sync_fails(void **state)
{
    sweep(*state, (struct fault_vfs_plan){.deeds = FAULT_SYNC}, false, run_and_go_on);
    sweep(*state, (struct fault_vfs_plan){.deeds = FAULT_SYNC}, true, run_and_go_on);
    sweep(*state, (struct fault_vfs_plan){.deeds = FAULT_SYNC}, true, run_and_end);
    sweep(*state, (struct fault_vfs_plan){.deeds = FAULT_SYNC, .keeps_failing = true}, true,
          run_and_go_on);
}

static void every_opening_and_removal_fails(void **state)
{
    const unsigned deeds = FAULT_OPEN | FAULT_DELETE | FAULT_TRUNCATE;
    sweep(*state, (struct fault_vfs_plan){.deeds = deeds}, true, run_and_go_on);
    sweep(*state, (struct fault_vfs_plan){.deeds = deeds, .keeps_failing = true}, true,
          run_and_end);
}

static void every_read_fails(void **state)
{
    sweep(*state, (struct fault_vfs_plan){.deeds = FAULT_READ}, false, run_and_go_on);
    sweep(*state, (struct fault_vfs_plan){.deeds = FAULT_READ}, false, run_and_end);
}

/* A sync fails, and then every i-th deed of the copy that is made because of it. */
static void run_failing_mend(struct store_rig *r, const struct fault_vfs_plan *plan)
{
    int group = 1;
    fault_vfs_start(&(struct fault_vfs_plan){.deeds = FAULT_SYNC});
    assert_ok(store_rig_open(r, FAULT_VFS_NAME, false));
    assert_int_equal(store_groups(r, &group, 2), 3);
    fault_vfs_start(&(struct fault_vfs_plan){.deeds = FAULT_SYNC, .fail_at = 1});
    assert_status(gw_store_db_checkpoint(&r->db), SL_EIO);
    assert_int_equal(r->db.fault, GW_STORE_MEND);
    fault_vfs_start(plan);
    recover(r);
    assert_int_equal(r->db.fault, GW_STORE_FINE);
}

static void every_deed_of_mending_fails(void **state)
{
    struct store_rig *r = *state;
    const unsigned deeds = FAULT_WRITE | FAULT_SYNC | FAULT_OPEN | FAULT_DELETE | FAULT_READ;
    size_t failures = 1, at;
    sl_log_set_sink(no_log, NULL);
    for (at = 1; failures > 0; at++) {
        run_failing_mend(r, &(struct fault_vfs_plan){.deeds = deeds, .fail_at = at, .tears = true});
        failures = fault_vfs_failures();
        fault_vfs_stop();
        int group = 3;
        assert_int_equal(store_groups(r, &group, 4), 10);
        gw_store_db_close(&r->db);
        assert_sound(r, 10, true);
        assert_false(store_rig_has(r, "-copy"));
        assert_false(store_rig_has(r, "-swap"));
        remove_all(r);
    }
    sl_log_set_sink(NULL, NULL);
    printf("count: %zu deeds failed in their turn\n", at - 2);
    assert_true(at > 10);
}

/* ---- after a failed sync */

/* Nobody but the owner may read any of the files. */
static ino_t file_of(struct store_rig *r)
{
    static const char *const suffixes[] = {"-mark", "-wal", ""};
    struct stat st;
    for (size_t i = 0; i < SL_ARRAY_LEN(suffixes); i++) {
        char name[STORE_RIG_PATH_MAX + 16];
        snprintf(name, sizeof name, "%s%s", r->path, suffixes[i]);
        assert_int_equal(stat(name, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    return st.st_ino;
}

static void a_failed_sync_leads_to_a_new_file(void **state)
{
    struct store_rig *r = *state;
    fault_vfs_start(&(struct fault_vfs_plan){.deeds = FAULT_SYNC});
    assert_ok(store_rig_open(r, FAULT_VFS_NAME, true));
    assert_ok(store_rig_commit_receipts(r, 1, 1));
    ino_t before = file_of(r);
    fault_vfs_start(&(struct fault_vfs_plan){.deeds = FAULT_SYNC, .fail_at = 1});
    assert_status(store_rig_commit_receipts(r, 2, 2), SL_EIO);
    assert_int_equal(r->db.fault, GW_STORE_MEND);
    assert_non_null(strstr(r->db.why, r->path));
    fault_vfs_stop();
    assert_ok(gw_store_recover(&r->db));
    assert_true(file_of(r) != before);
    assert_int_equal(r->db.last_n, 1); /* the group that was refused is not there ... */
    assert_ok(store_rig_commit_receipts(r, 2, 2));
    gw_store_db_close(&r->db);
    assert_sound(r, 3, true); /* ... and comes once */
}

/* A file's bytes, to be put there again under any name. */
struct saved {
    uint8_t *bytes;
    size_t count;
};

static FILE *open_file(struct store_rig *r, const char *suffix, const char *mode)
{
    char name[STORE_RIG_PATH_MAX + 16];
    snprintf(name, sizeof name, "%s%s", r->path, suffix);
    FILE *f = fopen(name, mode);
    assert_non_null(f);
    return f;
}

static struct saved save(struct store_rig *r, const char *suffix)
{
    enum { SAVED_MAX = 4 << 20 };
    struct saved s = {.bytes = malloc(SAVED_MAX)};
    FILE *f = open_file(r, suffix, "rb");
    s.count = fread(s.bytes, 1, SAVED_MAX, f);
    fclose(f);
    return s;
}

static void put(struct store_rig *r, const char *suffix, const struct saved *s, size_t count)
{
    FILE *f = open_file(r, suffix, "wb");
    assert_int_equal(fwrite(s->bytes, 1, count, f), count);
    fclose(f);
}

/* Between the two renames: the copy is the store, what is left of the old one is not read. */
static void a_crash_while_files_are_swapped(void **state)
{
    struct store_rig *r = *state;
    assert_ok(store_rig_open(r, NULL, false));
    assert_ok(store_rig_commit_receipts(r, 1, 1));
    assert_ok(gw_store_db_checkpoint(&r->db));
    struct saved copy = save(r, "");
    assert_ok(store_rig_commit_receipts(r, 2, 2));
    gw_store_db_close(&r->db);
    put(r, "-swap", &copy, copy.count);
    put(r, "-copy", &copy, 100);
    free(copy.bytes);
    store_rig_remove(r, "-mark");
    assert_ok(store_rig_open(r, NULL, false));
    gw_store_db_close(&r->db);
    assert_false(store_rig_has(r, "-copy"));
    assert_false(store_rig_has(r, "-swap"));
    assert_sound(r, 1, true);
}

/* ---- a WAL cut at every byte */

static void assert_prefix(struct store_rig *r, uint64_t total)
{
    assert_ok(store_rig_open(r, NULL, false));
    uint64_t lost = (uint64_t)r->db.lost_count;
    gw_store_db_close(&r->db);
    sqlite3 *db = look(r);
    uint64_t count = assert_in_order(db);
    assert_true(is_whole_groups(count));
    assert_int_equal(count + lost, total);
    assert_int_equal(number_of(db, "SELECT count(*) FROM log WHERE kind = 8"), lost > 0);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* The file has the tables; the WAL six groups. Answers how many receipts. */
static uint64_t fill_wal(struct store_rig *r)
{
    assert_ok(store_rig_open(r, NULL, false));
    assert_ok(gw_store_db_checkpoint(&r->db));
    for (int group = 1; group <= 6; group++)
        assert_ok(store_rig_commit_receipts(r, first_of(group), group));
    gw_store_db_close(&r->db);
    return first_of(7) - 1;
}

static void a_wal_cut_at_every_byte(void **state)
{
    enum { FRAME_BYTES = 4096 + 24, NEAR_BYTES = 40 };
    struct store_rig *r = *state;
    size_t step = scale() >= 1 ? 1 : 61, cuts = 0;
    uint64_t total = fill_wal(r);
    struct saved file = save(r, ""), wal = save(r, "-wal"), mark = save(r, "-mark");
    sl_log_set_sink(no_log, NULL);
    for (size_t cut = 0; cut <= wal.count; cuts++) {
        put(r, "", &file, file.count);
        put(r, "-wal", &wal, cut);
        put(r, "-mark", &mark, mark.count);
        store_rig_remove(r, "-shm");
        assert_prefix(r, total);
        cut += cut % FRAME_BYTES < NEAR_BYTES ? 1 : step;
    }
    sl_log_set_sink(NULL, NULL);
    printf("count: %zu cuts of a WAL of %zu bytes\n", cuts, wal.count);
    free(file.bytes);
    free(wal.bytes);
    free(mark.bytes);
}

/* ---- a loss of power */

/* Sectors that were written and not synced are there or not, as it happens. */
static void power_goes(struct store_rig *r, bool syncs, uint64_t seed)
{
    struct sl_rng rng;
    int group = 1;
    sl_rng_seed(&rng, seed);
    fault_vfs_start(&(struct fault_vfs_plan){.remembers = true});
    assert_ok(store_rig_open(r, FAULT_VFS_NAME, syncs));
    assert_ok(gw_store_db_checkpoint(&r->db)); /* the tables are on the disk */
    int until = 1 + (int)sl_rng_below(&rng, GROUPS);
    uint64_t answered = store_groups(r, &group, until);
    assert_int_equal(answered, first_of(until + 1) - 1);
    gw_store_db_close(&r->db);
    fault_vfs_cut_power(seed % 4 == 0 ? 0 : seed);
    store_rig_remove(r, "-shm");
    assert_ok(store_rig_open(r, NULL, syncs));
    uint64_t lost = (uint64_t)r->db.lost_count;
    gw_store_db_close(&r->db);
    sqlite3 *db = look(r);
    uint64_t count = assert_in_order(db);
    assert_int_equal(number_of(db, "SELECT count(*) FROM pragma_integrity_check"
                                   " WHERE integrity_check <> 'ok'"),
                     0);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_true(is_whole_groups(count));
    assert_int_equal(count + lost, answered); /* what is missing is told ... */
    if (syncs)
        assert_int_equal(lost, 0); /* ... and with `sync: full` nothing is */
    remove_all(r);
}

static void power_is_lost(void **state)
{
    uint64_t rounds = scale() >= 1 ? 1000 : 60;
    sl_log_set_sink(no_log, NULL);
    for (uint64_t seed = 1; seed <= rounds; seed++) {
        power_goes(*state, true, seed);
        power_goes(*state, false, seed);
    }
    sl_log_set_sink(NULL, NULL);
    printf("count: power lost %llu times with sync full, as often with normal\n",
           (unsigned long long)rounds);
}

/* ---- files that refuse */

/* As a full disk, but by the kernel: no file may grow. */
static void a_full_file_system(void **state)
{
    struct store_rig *r = *state;
    struct rlimit before, tight;
    int group = 1;
    signal(SIGXFSZ, SIG_IGN);
    assert_ok(store_rig_open(r, NULL, false));
    assert_int_equal(store_groups(r, &group, 3), 6);
    struct saved wal = save(r, "-wal");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = (struct rlimit){.rlim_cur = wal.count + 5000, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    store_groups(r, &group, 50);
    assert_true(group < 50);
    assert_int_equal(r->db.fault, GW_STORE_RETRY);
    assert_ok(gw_store_recover(&r->db));
    store_groups(r, &group, 50); /* still full */
    assert_true(group < 50);
    assert_int_equal(r->db.fault, GW_STORE_RETRY);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_ok(gw_store_recover(&r->db));
    uint64_t answered = store_groups(r, &group, 50);
    assert_int_equal(answered, first_of(51) - 1);
    gw_store_db_close(&r->db);
    assert_sound(r, answered, true);
    free(wal.bytes);
}

/* A file system of a megabyte, where this process may mount one: seen by it alone. */
static bool mount_small(struct store_rig *r)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", "", MS_REC | MS_PRIVATE, "") == 0 &&
           mount("none", r->folder, "tmpfs", 0, "size=1m") == 0;
}

static void a_disk_of_a_megabyte(void **state)
{
    struct store_rig *r = *state;
    int group = 1;
    if (!mount_small(r)) {
        print_message("skipped: no file system can be mounted here: %s\n", strerror(errno));
        skip();
    }
    struct saved ballast = {.bytes = calloc(1, 400 << 10), .count = 400 << 10};
    put(r, "-kept", &ballast, ballast.count);
    free(ballast.bytes);
    assert_ok(store_rig_open(r, NULL, false));
    store_groups(r, &group, 99);
    assert_true(group < 99);
    assert_int_equal(r->db.fault, GW_STORE_RETRY);
    assert_non_null(strstr(r->db.why, "full"));
    assert_ok(gw_store_recover(&r->db));
    store_groups(r, &group, 99); /* still full */
    assert_int_equal(r->db.fault, GW_STORE_RETRY);
    store_rig_remove(r, "-kept");
    int before = group;
    for (int tries = 0; tries < 3 && group < 99 && r->db.fault != GW_STORE_FINE; tries++) {
        assert_ok(gw_store_recover(&r->db));
        store_groups(r, &group, before + 3);
    }
    assert_int_equal(group, before + 4);
    uint64_t answered = first_of(group) - 1;
    gw_store_db_close(&r->db);
    assert_sound(r, answered, true);
    assert_int_equal(umount2(r->folder, MNT_DETACH), 0);
}

static void a_file_that_another_program_has_locked(void **state)
{
    struct store_rig *r = *state;
    int group = 1;
    assert_ok(store_rig_open(r, NULL, false));
    sqlite3 *other = look(r);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(store_groups(r, &group, 1), 0);
    assert_int_equal(r->db.fault, GW_STORE_RETRY);
    assert_non_null(strstr(r->db.why, "locked"));
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_ok(gw_store_recover(&r->db));
    assert_int_equal(store_groups(r, &group, 1), 1);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

static void a_file_for_reading_alone(void **state)
{
    struct store_rig *r = *state;
    assert_ok(store_rig_open(r, NULL, false));
    gw_store_db_close(&r->db);
    store_rig_remove(r, "-wal");
    store_rig_remove(r, "-shm");
    fault_vfs_start(&(struct fault_vfs_plan){.is_read_only = true});
    sl_status s = store_rig_open(r, FAULT_VFS_NAME, false);
    if (s == SL_OK) { /* it can be read: the first write says so */
        assert_status(store_rig_commit_receipts(r, 1, 1), SL_EIO);
        assert_int_equal(r->db.fault, GW_STORE_RETRY);
        assert_non_null(strstr(r->db.why, "readonly"));
    } else {
        assert_non_null(strstr(r->err.text, r->path));
    }
    fault_vfs_stop();
}

static void a_file_system_without_shared_memory(void **state)
{
    struct store_rig *r = *state;
    fault_vfs_start(&(struct fault_vfs_plan){.has_no_shm = true});
    assert_status(store_rig_open(r, FAULT_VFS_NAME, false), SL_EIO);
    assert_non_null(strstr(r->err.text, "local disk"));
    assert_non_null(strstr(r->err.text, r->path));
}

/* Pages in the middle are overwritten while the store is open: nothing is written after that was seen. */
static void a_damaged_file(void **state)
{
    struct store_rig *r = *state;
    int group = 1;
    assert_ok(store_rig_open(r, NULL, false));
    store_groups(r, &group, 60);
    assert_ok(gw_store_db_checkpoint(&r->db));
    gw_store_db_close(&r->db);
    struct saved file = save(r, "");
    for (size_t i = 4096; i < file.count; i++)
        file.bytes[i] = (uint8_t)(i * 31);
    store_rig_remove(r, "-wal");
    store_rig_remove(r, "-shm");
    put(r, "", &file, file.count);
    free(file.bytes);
    sl_log_set_sink(no_log, NULL);
    sl_status s = store_rig_open(r, NULL, false);
    sl_log_set_sink(NULL, NULL);
    if (s == SL_OK) {
        assert_status(store_rig_commit_receipts(r, 1, 1), SL_EIO);
        assert_int_equal(r->db.fault, GW_STORE_FATAL);
        assert_status(gw_store_recover(&r->db), SL_EIO);
    } else {
        assert_non_null(strstr(r->err.text, "malformed"));
    }
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, store_rig_setup, store_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(every_write_fails),
        WITH_RIG(every_write_tears_and_all_after_it_fail),
        WITH_RIG(every_sync_fails),
        WITH_RIG(every_opening_and_removal_fails),
        WITH_RIG(every_read_fails),
        WITH_RIG(every_deed_of_mending_fails),
        WITH_RIG(a_failed_sync_leads_to_a_new_file),
        WITH_RIG(a_crash_while_files_are_swapped),
        WITH_RIG(a_wal_cut_at_every_byte),
        WITH_RIG(power_is_lost),
        WITH_RIG(a_full_file_system),
        WITH_RIG(a_disk_of_a_megabyte),
        WITH_RIG(a_file_that_another_program_has_locked),
        WITH_RIG(a_file_for_reading_alone),
        WITH_RIG(a_file_system_without_shared_memory),
        WITH_RIG(a_damaged_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
