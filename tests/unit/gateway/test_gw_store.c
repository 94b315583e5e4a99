/* test_gw_store.c - the store with its threads: tickets come back once and in order, also over faults; it
 * says when no paid work should begin; questions; and a process that is killed. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fail_alloc.h"
#include "fault_vfs.h"
#include "gw_receipt_code.h"
#include "gw_store.h"
#include "sl_log.h"
#include "sl_rng.h"
#include "sl_test.h"
#include "store_rig.h"

enum { WAIT_S = 60 };

/* A store, what it has answered, and how to wait for it. */
struct user {
    struct store_rig *rig;
    struct gw_store *store;
    struct gw_store_port port;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool is_woken;
    uint64_t next_ticket; /* that is due: they come in order */
    uint64_t stored, refused;
    uint64_t answer_ticket;
    sl_status answer_status;
    size_t answer_rows;
};

static void on_wake(void *ctx)
{
    struct user *u = ctx;
    pthread_mutex_lock(&u->lock);
    u->is_woken = true;
    pthread_mutex_unlock(&u->lock);
    pthread_cond_signal(&u->woken);
}

static void on_stored(void *ctx, uint64_t ticket, sl_status outcome)
{
    struct user *u = ctx;
    assert_int_equal(ticket, u->next_ticket);
    u->next_ticket++;
    if (outcome == SL_OK)
        u->stored++;
    else
        u->refused++;
}

static void on_answer(void *ctx, uint64_t ticket, const struct gw_store_answer *a)
{
    struct user *u = ctx;
    u->answer_ticket = ticket;
    u->answer_status = a->status;
    u->answer_rows = a->row_count;
}

static void take(struct user *u)
{
    gw_store_take(u->store, &(struct gw_store_listener){u, on_stored, on_answer});
}

/* Until something was taken, for a while at most. */
static void wait_and_take(struct user *u)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    int rc = 0;
    pthread_mutex_lock(&u->lock);
    while (!u->is_woken && rc == 0)
        rc = pthread_cond_timedwait(&u->woken, &u->lock, &until);
    u->is_woken = false;
    pthread_mutex_unlock(&u->lock);
    assert_int_equal(rc, 0);
    take(u);
}

static void wait_for_stored(struct user *u, uint64_t count)
{
    while (u->stored < count)
        wait_and_take(u);
}

static struct gw_store_conf conf_of(struct user *u)
{
    return (struct gw_store_conf){
        .path = u->rig->path,
        .vfs = FAULT_VFS_NAME,
        .queue_max_bytes = 1 << 20,
        .lag_max = 1000000,
        .clock = &sl_clock_real,
        .wake = on_wake,
        .wake_ctx = u,
    };
}

static void begin(struct user *u, struct store_rig *r, const struct gw_store_conf *conf)
{
    *u = (struct user){.rig = r, .next_ticket = 1};
    pthread_mutex_init(&u->lock, NULL);
    pthread_cond_init(&u->woken, NULL);
    struct gw_store_conf c = conf != NULL ? *conf : conf_of(u);
    c.path = r->path;
    c.wake_ctx = u;
    assert_ok(gw_store_create(&sl_alloc_malloc, &c, &u->store, &r->err));
    assert_ok(gw_store_start(u->store));
    u->port = gw_store_port(u->store);
}

static void end(struct user *u)
{
    gw_store_stop(u->store);
    take(u);
    gw_store_destroy(u->store);
    pthread_cond_destroy(&u->woken);
    pthread_mutex_destroy(&u->lock);
}

static sl_status append(struct user *u, uint64_t ticket)
{
    uint8_t bytes[GW_RECEIPT_BYTES_MAX];
    size_t count;
    struct gw_receipt receipt = store_rig_receipt(ticket, "user:ann", 1000);
    assert_ok(gw_receipt_encode(&receipt, bytes, sizeof bytes, &count));
    return u->port.append(u->port.ctx, GW_RECORD_RECEIPT, sl_span_of(bytes, count), ticket);
}

static int setup(void **state)
{
    fault_vfs_start(&(struct fault_vfs_plan){.deeds = 0});
    return store_rig_setup(state);
}

/* ---- */

static void tickets_come_back_in_order(void **state)
{
    enum { COUNT = 20000 };
    struct user u;
    struct sl_rng rng;
    begin(&u, *state, NULL);
    sl_rng_seed(&rng, 3);
    for (uint64_t ticket = 1; ticket <= COUNT;) {
        uint64_t turn = sl_rng_below(&rng, 100) + 1;
        for (uint64_t i = 0; i < turn && ticket <= COUNT; i++, ticket++) {
            sl_status s = append(&u, ticket);
            while (s == SL_EFULL) { /* not now */
                gw_store_flush(u.store);
                wait_and_take(&u);
                s = append(&u, ticket);
            }
            assert_ok(s);
        }
        gw_store_flush(u.store);
        take(&u);
    }
    wait_for_stored(&u, COUNT);
    end(&u);
    assert_int_equal(u.refused, 0);
    assert_int_equal(store_rig_number(*state, "SELECT count(*) FROM log"), COUNT);
}

static void what_was_appended_is_stored_at_the_end(void **state)
{
    struct user u;
    begin(&u, *state, NULL);
    for (uint64_t ticket = 1; ticket <= 100; ticket++)
        assert_ok(append(&u, ticket));
    end(&u); /* not even flushed */
    assert_int_equal(u.stored, 100);
}

static void a_full_queue_says_so(void **state)
{
    struct user u;
    uint64_t ticket = 0;
    sl_status s;
    begin(&u, *state, NULL);
    do
        s = append(&u, ++ticket);
    while (s == SL_OK);
    assert_status(s, SL_EFULL);
    assert_true(ticket > 1000);
    uint8_t large[GW_STORE_ENTRY_MAX_BYTES + 1] = {0};
    assert_status(u.port.append(u.port.ctx, GW_RECORD_RECEIPT, sl_span_of(large, sizeof large), 0),
                  SL_ETOOBIG);
    gw_store_flush(u.store);
    wait_for_stored(&u, ticket - 1);
    assert_ok(append(&u, ticket));
    end(&u);
    assert_int_equal(u.stored, ticket);
}

/* Nothing has been stored or answered that would wake it. */
static void wait_for_wake(struct user *u)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    bool is_woken = false;
    for (int i = 0; i < WAIT_S * 500 && !is_woken; i++) {
        pthread_mutex_lock(&u->lock);
        is_woken = u->is_woken;
        pthread_mutex_unlock(&u->lock);
        nanosleep(&pause, NULL);
    }
    assert_true(is_woken);
}

static void wait_for_state(struct user *u, enum gw_store_state wanted)
{
    struct gw_store_health h;
    const struct timespec pause = {.tv_nsec = 2000000};
    for (int i = 0; i < WAIT_S * 500; i++) {
        gw_store_health(u->store, &h);
        if (h.state == wanted)
            return;
        nanosleep(&pause, NULL);
    }
    fail_msg("state %d, wanted %d: %s", (int)h.state, (int)wanted, h.why);
}

/* The disk is full for a while: no work is admitted, nothing is lost, nothing is answered that is not there. */
static void a_full_disk_is_waited_for(void **state)
{
    struct user u;
    struct sl_error why;
    struct gw_store_health h;
    sl_log_set_sink(NULL, NULL);
    begin(&u, *state, NULL);
    assert_ok(append(&u, 1));
    gw_store_flush(u.store);
    wait_for_stored(&u, 1);
    assert_true(u.port.may_admit(u.port.ctx, &why));
    fault_vfs_start(&(struct fault_vfs_plan){
        .deeds = FAULT_WRITE, .fail_at = 1, .keeps_failing = true, .is_full = true});
    for (uint64_t ticket = 2; ticket <= 300; ticket++) {
        assert_ok(append(&u, ticket));
        gw_store_flush(u.store);
    }
    wait_for_state(&u, GW_STORE_BROKEN);
    gw_store_health(u.store, &h);
    assert_non_null(strstr(h.why, "full"));
    assert_false(u.port.may_admit(u.port.ctx, &why));
    assert_true(u.port.must_wait(u.port.ctx));
    assert_int_equal(why.reason, SL_REASON_NO_CAPACITY);
    assert_null(strstr(why.text, u.rig->path)); /* a caller need not know where it lies */
    take(&u);
    assert_int_equal(u.stored, 1);
    fault_vfs_stop();
    wait_for_stored(&u, 300);
    wait_for_state(&u, GW_STORE_WELL);
    assert_true(u.port.may_admit(u.port.ctx, &why));
    end(&u);
    assert_int_equal(store_rig_number(*state, "SELECT count(*) FROM log"), 300);
}

static void a_failed_sync_is_mended(void **state)
{
    struct user u = {.rig = *state};
    struct gw_store_conf c = conf_of(&u);
    c.syncs_commits = true;
    begin(&u, *state, &c);
    fault_vfs_start(&(struct fault_vfs_plan){.deeds = FAULT_SYNC, .fail_at = 3});
    for (uint64_t ticket = 1; ticket <= 20; ticket++) {
        assert_ok(append(&u, ticket));
        gw_store_flush(u.store);
        wait_for_stored(&u, ticket);
    }
    assert_int_equal(fault_vfs_failures(), 1);
    end(&u);
    assert_int_equal(store_rig_number(*state, "SELECT count(*) FROM log"), 20);
}

/* The disk stays full until the end: what was not stored is answered so. */
static void what_cannot_be_stored_is_said_at_the_end(void **state)
{
    struct user u = {.rig = *state};
    struct gw_store_conf c = conf_of(&u);
    struct sl_error why;
    c.serves_when_broken = true;
    begin(&u, *state, &c);
    assert_true(u.port.must_wait(u.port.ctx));
    fault_vfs_start(
        &(struct fault_vfs_plan){.deeds = FAULT_WRITE, .fail_at = 1, .keeps_failing = true});
    assert_ok(append(&u, 1));
    gw_store_flush(u.store);
    wait_for_state(&u, GW_STORE_BROKEN);
    wait_for_wake(&u);                               /* who waits is to be told */
    assert_true(u.port.may_admit(u.port.ctx, &why)); /* the operator's word */
    assert_false(u.port.must_wait(u.port.ctx));
    assert_ok(append(&u, 2));
    end(&u);
    assert_int_equal(u.stored, 0);
    assert_int_equal(u.refused, 2);
    fault_vfs_stop();
    assert_int_equal(store_rig_number(*state, "SELECT count(*) FROM log"), 0);
}

static void tables_that_fall_behind_slow_admission(void **state)
{
    struct user u = {.rig = *state};
    struct gw_store_conf c = conf_of(&u);
    struct sl_error why;
    c.lag_max = 500;
    c.queue_max_bytes = 8 << 20;
    begin(&u, *state, &c);
    for (uint64_t ticket = 1; ticket <= 3000; ticket++)
        assert_ok(append(&u, ticket));
    gw_store_flush(u.store);
    wait_for_stored(&u, 3000); /* one group: the tables have just begun */
    if (!u.port.may_admit(u.port.ctx, &why))
        assert_non_null(strstr(why.text, "500"));
    wait_for_state(&u, GW_STORE_WELL);
    assert_true(u.port.may_admit(u.port.ctx, &why));
    end(&u);
}

static void questions_are_answered_beside_it(void **state)
{
    struct user u;
    struct gw_store_question q = {.kind = GW_STORE_RECEIPTS, .account = "user:ann", .rows_max = 50};
    const struct timespec pause = {.tv_nsec = 20000000};
    begin(&u, *state, NULL);
    for (uint64_t ticket = 1; ticket <= 40; ticket++)
        assert_ok(append(&u, ticket));
    gw_store_flush(u.store);
    wait_for_stored(&u, 40);
    for (uint64_t ticket = 100; u.answer_rows < 40 && ticket < 1000; ticket++) {
        assert_ok(u.port.ask(u.port.ctx, &q, ticket));
        while (u.answer_ticket != ticket)
            wait_and_take(&u);
        assert_ok(u.answer_status);
        nanosleep(&pause, NULL); /* the tables come a moment behind */
    }
    assert_int_equal(u.answer_rows, 40);
    for (int i = 0; i < 64; i++)
        assert_ok(u.port.ask(u.port.ctx, &q, 1));
    assert_status(u.port.ask(u.port.ctx, &q, 1), SL_EFULL);
    end(&u); /* also while questions are open */
}

static void every_allocation_fails(void **state)
{
    struct fail_alloc f;
    struct store_rig *r = *state;
    struct user u = {.rig = r};
    struct gw_store_conf c = conf_of(&u);
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        struct gw_store *s = NULL;
        struct gw_store_question q = {.kind = GW_STORE_USAGE, .rows_max = 1};
        if (gw_store_create(&f.alloc, &c, &s, &r->err) == SL_OK) {
            struct gw_store_port p = gw_store_port(s);
            sl_status appended = p.append(p.ctx, GW_RECORD_RECEIPT, sl_span_str("x"), 1);
            sl_status asked = p.ask(p.ctx, &q, 1);
            assert_true(appended == SL_OK || appended == SL_ENOMEM);
            assert_true(asked == SL_OK || asked == SL_ENOMEM);
        }
        gw_store_destroy(s);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

/* ---- a process that is killed */

/* Tells each stored ticket to the pipe, until it is killed. */
static void store_for_ever(struct store_rig *r, int out)
{
    struct user u;
    uint64_t told = 0;
    begin(&u, r, NULL);
    for (uint64_t ticket = 1;; ticket++) {
        while (append(&u, ticket) != SL_OK)
            wait_and_take(&u);
        if (ticket % 7 == 0)
            gw_store_flush(u.store);
        take(&u);
        if (u.stored > told && write(out, &u.stored, sizeof u.stored) != (ssize_t)sizeof told)
            _exit(1);
        told = u.stored;
    }
}

static uint64_t read_last(int in)
{
    uint64_t last = 0, stored;
    while (read(in, &stored, sizeof stored) == (ssize_t)sizeof stored)
        last = stored;
    return last;
}

static void kill_once(struct store_rig *r, struct sl_rng *rng, uint64_t *total)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        store_for_ever(r, ends[1]);
    }
    close(ends[1]);
    const struct timespec pause = {.tv_nsec = (long)sl_rng_below(rng, 300000000)};
    nanosleep(&pause, NULL);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    uint64_t told = read_last(ends[0]);
    close(ends[0]);
    assert_ok(store_rig_open(r, NULL, false));
    assert_int_equal(r->db.lost_count, 0);
    gw_store_db_close(&r->db);
    int64_t there = store_rig_number(r, "SELECT count(*) FROM log");
    assert_true(there >= 0 && (uint64_t)there >= *total + told);
    assert_int_equal(there, store_rig_number(r, "SELECT coalesce(max(n), 0) FROM log"));
    *total = (uint64_t)there;
}

static void nothing_answered_dies_with_the_process(void **state)
{
    const char *scale = getenv("SLUICE_SCALE");
    int rounds = (int)(200 * (scale != NULL ? atof(scale) : 0.05));
    struct sl_rng rng;
    uint64_t total = 0;
    sl_rng_seed(&rng, 11);
    for (int i = 0; i < rounds; i++)
        kill_once(*state, &rng, &total);
    printf("count: killed %d times of 200, %llu entries\n", rounds, (unsigned long long)total);
    assert_true(total > 0);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, setup, store_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(nothing_answered_dies_with_the_process), /* first: it forks */
        WITH_RIG(tickets_come_back_in_order),
        WITH_RIG(what_was_appended_is_stored_at_the_end),
        WITH_RIG(a_full_queue_says_so),
        WITH_RIG(a_full_disk_is_waited_for),
        WITH_RIG(a_failed_sync_is_mended),
        WITH_RIG(what_cannot_be_stored_is_said_at_the_end),
        WITH_RIG(tables_that_fall_behind_slow_admission),
        WITH_RIG(questions_are_answered_beside_it),
        WITH_RIG(every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
