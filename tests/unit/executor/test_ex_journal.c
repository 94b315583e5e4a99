/* test_ex_journal.c - every lease is written down once, whatever dies when. */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ex_journal.h"
#include "fail_alloc.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { MAX = 8, BOOT = 77, RUN = 5, US = 1000 };

static const char call[] = "01234567-89ab-cdef-0123-456789abcdef";

static void *new_map(size_t bytes)
{
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    return map;
}

static struct ex_journal *open_with(void *map, size_t bytes, const struct ex_journal_conf *conf)
{
    struct ex_journal *j;
    assert_ok(ex_journal_create(&sl_alloc_malloc, map, bytes, conf, &j));
    assert_ok(ex_journal_check(j));
    return j;
}

static struct ex_journal *open_journal(void *map)
{
    const struct ex_journal_conf conf = {.max = MAX, .fresh_id = 123, .boot = BOOT};
    return open_with(map, ex_journal_bytes(MAX), &conf);
}

static void begin(struct ex_journal *j, uint32_t slice, uint64_t lease, sl_mono_ns at)
{
    const struct ex_journal_start start = {.slice = slice,
                                           .gateway_run = RUN,
                                           .lease = lease,
                                           .call_id = call,
                                           .model = "identity",
                                           .at = at};
    ex_journal_began(j, &start);
}

static uint64_t run_one(struct ex_journal *j, uint64_t lease, sl_gpu_us held)
{
    begin(j, 0, lease, 0);
    const uint64_t record = ex_journal_ended(j, 0, held, SL_REASON_OK);
    assert_int_not_equal(record, 0);
    return record;
}

static void test_a_lease_is_told_and_acknowledged_once(void **state)
{
    void *map = new_map(ex_journal_bytes(MAX));
    struct ex_journal *j = open_journal(map);
    (void)state;
    ex_journal_tick(j, 10 * SL_NS_PER_S, 1000 * SL_US_PER_S);
    begin(j, 3, 42, 9 * SL_NS_PER_S);
    const uint64_t record = ex_journal_ended(j, 3, 250, SL_REASON_MODEL_ERROR);
    const struct ex_journal_entry *e = ex_journal_next_untold(j);
    assert_int_equal(e->record, record);
    assert_int_equal(e->lease, 42);
    assert_int_equal(e->gateway_run, RUN);
    assert_int_equal(e->slice, 3);
    assert_int_equal(e->held_us, 250);
    assert_int_equal(e->started_at, 999 * SL_US_PER_S);
    assert_int_equal(e->ended_at, 999 * SL_US_PER_S + 250);
    assert_string_equal(e->cause, "MODEL_ERROR");
    assert_string_equal(e->model, "identity");
    assert_memory_equal(e->call_id,
                        "\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef", 16);
    ex_journal_told(j, record);
    assert_null(ex_journal_next_untold(j));
    assert_true(ex_journal_acknowledge(j, record));
    assert_false(ex_journal_acknowledge(j, record));
    assert_ok(ex_journal_check(j));
    assert_int_equal(ex_journal_totals(j).held_us, 250);
    assert_int_equal(ex_journal_totals(j).unacknowledged, 0);
    ex_journal_destroy(j);
}

static void test_what_never_waited_is_refused(void **state)
{
    struct ex_journal *j = open_journal(new_map(ex_journal_bytes(MAX)));
    (void)state;
    assert_int_equal(ex_journal_ended(j, 0, 5, SL_REASON_OK), 0);
    assert_false(ex_journal_acknowledge(j, 0));
    assert_false(ex_journal_acknowledge(j, 1 << 16));
    assert_false(ex_journal_acknowledge(j, UINT64_MAX));
    const uint64_t record = run_one(j, 1, 5);
    assert_false(ex_journal_acknowledge(j, record + (1 << 16)));
    assert_false(ex_journal_acknowledge(j, record + 1));
    assert_ok(ex_journal_check(j));
    ex_journal_destroy(j);
}

static void test_a_lease_that_did_not_begin_is_not_counted(void **state)
{
    struct ex_journal *j = open_journal(new_map(ex_journal_bytes(MAX)));
    (void)state;
    begin(j, 0, 1, 0);
    ex_journal_undone(j, 0);
    assert_int_equal(ex_journal_ended(j, 0, 5, SL_REASON_OK), 0);
    assert_int_equal(ex_journal_totals(j).leases, 0);
    ex_journal_destroy(j);
}

static void test_the_bound_is_kept_free_for_what_is_open(void **state)
{
    struct ex_journal *j = open_journal(new_map(ex_journal_bytes(MAX)));
    uint64_t records[MAX];
    (void)state;
    assert_true(ex_journal_has_room(j, MAX - 1));
    assert_false(ex_journal_has_room(j, MAX));
    assert_false(ex_journal_has_room(j, UINT64_MAX));
    for (uint64_t i = 0; i < MAX; i++)
        records[i] = run_one(j, i + 1, 1);
    assert_false(ex_journal_has_room(j, 0));
    assert_true(ex_journal_acknowledge(j, records[3]));
    assert_true(ex_journal_has_room(j, 0));
    assert_ok(ex_journal_check(j));
    ex_journal_destroy(j);
}

/* One record that nobody acknowledges must not fall out of the window that a gateway remembers. */
static void test_the_oldest_is_not_left_too_far_behind(void **state)
{
    struct ex_journal *j = open_journal(new_map(ex_journal_bytes(MAX)));
    (void)state;
    run_one(j, 1, 1);
    uint64_t lease = 2;
    for (; ex_journal_has_room(j, 0); lease++)
        assert_true(ex_journal_acknowledge(j, run_one(j, lease, 1)));
    assert_int_equal(lease, EX_JOURNAL_SPAN_MAX + 1);
    assert_ok(ex_journal_check(j));
    ex_journal_destroy(j);
}

static void test_places_are_used_again_last_freed_first(void **state)
{
    struct ex_journal *j = open_journal(new_map(ex_journal_bytes(MAX)));
    uint64_t most = 0;
    (void)state;
    for (uint64_t i = 1; i <= 1000; i++) {
        const uint64_t record = run_one(j, i, 1);
        assert_true(ex_journal_acknowledge(j, record));
        most = (record & 0xffff) > most ? record & 0xffff : most;
    }
    assert_in_range(most, 0, 2);
    assert_int_equal(ex_journal_totals(j).held_us, 1000);
    ex_journal_destroy(j);
}

static void test_a_new_session_hears_all_that_waits(void **state)
{
    struct ex_journal *j = open_journal(new_map(ex_journal_bytes(MAX)));
    uint64_t records[4];
    (void)state;
    for (uint64_t i = 0; i < 4; i++)
        ex_journal_told(j, records[i] = run_one(j, i + 1, 1));
    assert_true(ex_journal_acknowledge(j, records[1]));
    ex_journal_tell_again(j);
    for (uint64_t i = 0; i < 4; i++) {
        if (i == 1)
            continue;
        assert_int_equal(ex_journal_next_untold(j)->record, records[i]);
        ex_journal_told(j, records[i]);
    }
    assert_null(ex_journal_next_untold(j));
    const uint64_t later = run_one(j, 9, 1);
    assert_int_equal(ex_journal_next_untold(j)->record, later);
    assert_ok(ex_journal_check(j));
    ex_journal_destroy(j);
}

static void test_what_is_acknowledged_untold_is_not_told(void **state)
{
    struct ex_journal *j = open_journal(new_map(ex_journal_bytes(MAX)));
    (void)state;
    const uint64_t a = run_one(j, 1, 1), b = run_one(j, 2, 1);
    assert_int_equal(ex_journal_next_untold(j)->record, a);
    assert_true(ex_journal_acknowledge(j, a));
    assert_int_equal(ex_journal_next_untold(j)->record, b);
    assert_true(ex_journal_acknowledge(j, b));
    assert_null(ex_journal_next_untold(j));
    assert_ok(ex_journal_check(j));
    ex_journal_destroy(j);
}

/* ---- the next process */

static void test_what_waits_and_the_sum_outlive_the_process(void **state)
{
    void *map = new_map(ex_journal_bytes(MAX));
    struct ex_journal *j = open_journal(map);
    (void)state;
    const uint64_t a = run_one(j, 1, 100), b = run_one(j, 2, 20), c = run_one(j, 3, 3);
    assert_true(ex_journal_acknowledge(j, b));
    assert_true(ex_journal_acknowledge(j, c)); /* the last one: its place carries the sum */
    ex_journal_destroy(j);
    j = open_journal(map);
    assert_int_equal(ex_journal_totals(j).id, 123);
    assert_int_equal(ex_journal_totals(j).leases, 3);
    assert_int_equal(ex_journal_totals(j).held_us, 123);
    assert_int_equal(ex_journal_totals(j).unacknowledged, 1);
    assert_int_equal(ex_journal_next_untold(j)->record, a);
    assert_int_equal(run_one(j, 4, 1) >> 16, 4);
    assert_ok(ex_journal_check(j));
    ex_journal_destroy(j);
}

static void test_an_open_lease_ends_when_the_process_was_last_awake(void **state)
{
    void *map = new_map(ex_journal_bytes(MAX));
    struct ex_journal *j = open_journal(map);
    (void)state;
    begin(j, 1, 9, 5000 * US);
    ex_journal_tick(j, 7500 * US, 0);
    ex_journal_destroy(j);
    for (int again = 0; again < 2; again++) { /* the second time it is written down already */
        j = open_journal(map);
        assert_int_equal(ex_journal_totals(j).ended_open, again == 0);
        const struct ex_journal_entry *e = ex_journal_next_untold(j);
        assert_int_equal(e->lease, 9);
        assert_int_equal(e->held_us, 2500);
        assert_string_equal(e->cause, "EXECUTOR_LOST");
        assert_int_equal(ex_journal_totals(j).held_us, 2500);
        ex_journal_destroy(j);
    }
}

static void test_after_another_boot_nothing_is_told_that_may_stand_twice(void **state)
{
    void *map = new_map(ex_journal_bytes(MAX));
    struct ex_journal *j = open_journal(map);
    const struct ex_journal_conf conf = {.max = MAX, .fresh_id = 124, .boot = BOOT + 1};
    (void)state;
    run_one(j, 1, 7);
    ex_journal_destroy(j);
    j = open_with(map, ex_journal_bytes(MAX), &conf);
    assert_int_equal(ex_journal_totals(j).id, 124);
    assert_int_equal(ex_journal_totals(j).passed_over, 1);
    assert_int_equal(ex_journal_totals(j).unacknowledged, 0);
    assert_int_equal(ex_journal_totals(j).held_us, 7);
    ex_journal_destroy(j);
}

static void test_a_journal_grows_but_does_not_shrink(void **state)
{
    const size_t bytes = ex_journal_bytes(2 * MAX);
    void *map = new_map(bytes);
    struct ex_journal *j = open_journal(map);
    struct ex_journal_conf conf = {.max = 2 * MAX, .fresh_id = 1, .boot = BOOT};
    (void)state;
    for (uint64_t i = 1; ex_journal_has_room(j, 0); i++)
        run_one(j, i, 1);
    ex_journal_destroy(j);
    j = open_with(map, bytes, &conf);
    for (uint64_t i = MAX + 1; ex_journal_has_room(j, 0); i++)
        run_one(j, i, 1);
    assert_int_equal(ex_journal_totals(j).unacknowledged, 2 * MAX);
    ex_journal_destroy(j);
    conf.max = 1;
    j = open_with(map, bytes, &conf);
    assert_int_equal(ex_journal_totals(j).unacknowledged, 2 * MAX);
    assert_false(ex_journal_has_room(j, 0));
    ex_journal_destroy(j);
}

static void test_what_is_no_journal_is_refused(void **state)
{
    struct ex_journal_conf conf = {.max = MAX, .fresh_id = 1, .boot = BOOT};
    const size_t bytes = ex_journal_bytes(MAX);
    uint8_t *map = new_map(bytes);
    struct ex_journal_totals totals;
    struct ex_journal *j;
    (void)state;
    assert_status(ex_journal_read(map, bytes, &totals), SL_EPROTO);
    map[0] = 1;
    assert_status(ex_journal_create(&sl_alloc_malloc, map, bytes, &conf, &j), SL_EPROTO);
    map[0] = 0;
    assert_status(ex_journal_create(&sl_alloc_malloc, map, bytes - 1, &conf, &j), SL_EINVAL);
    conf.max = 0;
    assert_status(ex_journal_create(&sl_alloc_malloc, map, bytes, &conf, &j), SL_EINVAL);
    conf.max = EX_JOURNAL_MAX + 1;
    assert_status(ex_journal_create(&sl_alloc_malloc, map, bytes, &conf, &j), SL_EINVAL);
    conf.max = MAX;
    ex_journal_destroy(open_with(map, bytes, &conf));
    map[8] = 2; /* a later version */
    assert_status(ex_journal_create(&sl_alloc_malloc, map, bytes, &conf, &j), SL_EPROTO);
}

static void test_a_failed_allocation_changes_nothing(void **state)
{
    const struct ex_journal_conf conf = {.max = MAX, .fresh_id = 123, .boot = BOOT};
    void *map = new_map(ex_journal_bytes(MAX));
    struct ex_journal *j = open_journal(map);
    struct fail_alloc f;
    (void)state;
    run_one(j, 1, 7);
    begin(j, 0, 2, 0);
    ex_journal_destroy(j);
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        const sl_status st = ex_journal_create(&f.alloc, map, ex_journal_bytes(MAX), &conf, &j);
        if (st == SL_OK)
            ex_journal_destroy(j);
        else
            assert_int_equal(st, SL_ENOMEM);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
    j = open_journal(map);
    assert_int_equal(ex_journal_totals(j).leases, 2);
    ex_journal_destroy(j);
}

/* ---- any program, and a process that is killed */

enum { SLICES = 4, STEPS = 20000 };

/* What must be true, kept the simple way. */
struct model {
    struct ex_journal *j;
    uint64_t open[SLICES];
    uint64_t records[MAX];
    size_t waiting;
    uint64_t lease, leases;
    sl_gpu_us held_us;
    struct sl_rng rng;
};

static void model_end(struct model *m, uint32_t slice)
{
    const sl_gpu_us held = (sl_gpu_us)sl_rng_below(&m->rng, 1000);
    const uint64_t record = ex_journal_ended(m->j, slice, held, SL_REASON_OK);
    assert_int_equal(record >> 16, ++m->leases);
    m->held_us += held;
    m->records[m->waiting++] = record;
    m->open[slice] = 0;
    if (sl_rng_below(&m->rng, 2))
        ex_journal_told(m->j, record);
}

static size_t open_count(const struct model *m)
{
    size_t count = 0;
    for (uint32_t i = 0; i < SLICES; i++)
        count += m->open[i] != 0;
    return count;
}

static void model_lease(struct model *m)
{
    const uint32_t slice = (uint32_t)sl_rng_below(&m->rng, SLICES);
    if (m->open[slice] != 0 && sl_rng_below(&m->rng, 8) == 0) {
        ex_journal_undone(m->j, slice);
        m->open[slice] = 0;
    } else if (m->open[slice] != 0) {
        model_end(m, slice);
    } else if (ex_journal_has_room(m->j, open_count(m))) {
        m->open[slice] = ++m->lease;
        begin(m->j, slice, m->lease, 0);
    }
}

static void model_acknowledge(struct model *m)
{
    if (m->waiting == 0)
        return;
    const size_t i = sl_rng_below(&m->rng, m->waiting);
    assert_true(ex_journal_acknowledge(m->j, m->records[i]));
    m->records[i] = m->records[--m->waiting];
}

/* The process dies and the next one begins; what was open has held its slice for as long as is known. */
static void model_die(struct model *m, void *map)
{
    const sl_gpu_us alive = (sl_gpu_us)sl_rng_below(&m->rng, 1000);
    ex_journal_tick(m->j, alive * US, 0);
    ex_journal_destroy(m->j);
    m->j = open_journal(map);
    assert_int_equal(ex_journal_totals(m->j).ended_open, open_count(m));
    m->held_us += alive * (sl_gpu_us)open_count(m);
    m->leases += open_count(m);
    memset(m->open, 0, sizeof(m->open));
    ex_journal_tell_again(m->j);
    m->waiting = 0;
    const struct ex_journal_entry *e;
    while ((e = ex_journal_next_untold(m->j)) != NULL) {
        assert_in_range(m->waiting, 0, MAX - 1);
        m->records[m->waiting++] = e->record;
        ex_journal_told(m->j, e->record);
    }
}

static void test_any_program_of_leases_and_deaths_keeps_the_sum(void **state)
{
    void *map = new_map(ex_journal_bytes(MAX));
    struct model m = {.j = open_journal(map)};
    (void)state;
    sl_rng_seed(&m.rng, 20261121);
    for (int i = 0; i < STEPS; i++) {
        const uint64_t what = sl_rng_below(&m.rng, 100);
        if (what < 60)
            model_lease(&m);
        else if (what < 95)
            model_acknowledge(&m);
        else if (what < 98)
            ex_journal_tell_again(m.j);
        else
            model_die(&m, map);
        const struct ex_journal_totals t = ex_journal_totals(m.j);
        assert_int_equal(t.held_us, m.held_us);
        assert_int_equal(t.leases, m.leases);
        assert_int_equal(t.unacknowledged, m.waiting);
        assert_ok(ex_journal_check(m.j));
    }
    assert_in_range(m.leases, STEPS / 10, STEPS);
    ex_journal_destroy(m.j);
}

static sl_gpu_us held_of(uint64_t serial)
{
    return (sl_gpu_us)(serial * 7919 % 1009);
}

/* Works until it is killed: each lease holds its slice for a time that its serial tells. */
static void work(void *map)
{
    struct ex_journal *j = open_journal(map);
    uint64_t last = 0;
    for (uint64_t lease = 1;; lease++) {
        const uint64_t serial = ex_journal_totals(j).leases + 1;
        begin(j, 0, lease, (sl_mono_ns)lease);
        const uint64_t record = ex_journal_ended(j, 0, held_of(serial), SL_REASON_OK);
        if (last != 0)
            (void)ex_journal_acknowledge(j, last);
        last = record;
    }
}

static void test_a_killed_process_leaves_whole_records(void **state)
{
    enum { ROUNDS = 60 };
    void *map = new_map(ex_journal_bytes(MAX));
    sl_gpu_us sum = 0;
    uint64_t serial = 0;
    (void)state;
    ex_journal_destroy(open_journal(map));
    for (int round = 0; round < ROUNDS; round++) {
        const pid_t pid = fork();
        assert_int_not_equal(pid, -1);
        if (pid == 0)
            work(map);
        usleep((useconds_t)(500 + 137 * round % 2000));
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        struct ex_journal *j = open_journal(map);
        const struct ex_journal_totals t = ex_journal_totals(j);
        while (serial < t.leases - t.ended_open)
            sum += held_of(++serial);
        serial = t.leases; /* what was open has held nothing: the clock stood still */
        assert_int_equal(t.held_us, sum);
        assert_in_range(t.unacknowledged, 0, 3);
        const struct ex_journal_entry *e;
        while ((e = ex_journal_next_untold(j)) != NULL)
            assert_true(ex_journal_acknowledge(j, e->record));
        ex_journal_destroy(j);
    }
    print_message("%d processes were killed, %llu leases\n", ROUNDS, (unsigned long long)serial);
    assert_true(serial > ROUNDS);
}

/* ---- dead after any instruction */

enum { STEPPED_LEASES = 5 };

/* Traced: some leases, each acknowledged after the next one. */
static void work_stepwise(struct ex_journal *j)
{
    uint64_t last = 0;
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(1);
    raise(SIGSTOP);
    for (uint64_t lease = 1; lease <= STEPPED_LEASES; lease++) {
        begin(j, 0, lease, (sl_mono_ns)lease);
        const uint64_t record = ex_journal_ended(j, 0, held_of(lease), SL_REASON_OK);
        if (last != 0)
            (void)ex_journal_acknowledge(j, last);
        last = record;
    }
    _exit(0);
}

/* What the next process would find. Returns how many leases it knows, the open one included. */
static uint64_t look_after_death(const void *map, void *copy, uint64_t known)
{
    sl_gpu_us sum = 0;
    memcpy(copy, map, ex_journal_bytes(MAX));
    struct ex_journal *j = open_journal(copy);
    const struct ex_journal_totals t = ex_journal_totals(j);
    for (uint64_t serial = 1; serial <= t.leases - t.ended_open; serial++)
        sum += held_of(serial);
    assert_int_equal(t.held_us, sum); /* what was open held nothing: the clock stood still */
    assert_true(t.leases == known || t.leases == known + 1);
    assert_in_range(t.unacknowledged, 0, 2 + t.ended_open);
    ex_journal_destroy(j);
    return t.leases;
}

static void die_after_any_instruction(void)
{
    const size_t bytes = ex_journal_bytes(MAX);
    void *map = new_map(bytes), *before = new_map(bytes), *copy = new_map(bytes);
    struct ex_journal *j = open_journal(map);
    uint64_t known = 0, steps = 0, changes = 0;
    int status;
    const pid_t pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0)
        work_stepwise(j);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSTOPPED(status)) {
        print_message("skipped: a process may not be traced here\n");
        skip();
    }
    while (!WIFEXITED(status)) {
        if (memcmp(map, before, bytes) != 0) {
            known = look_after_death(map, copy, known);
            memcpy(before, map, bytes);
            changes++;
        }
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        steps++;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(known, STEPPED_LEASES);
    print_message("%llu instructions, %llu states\n", (unsigned long long)steps,
                  (unsigned long long)changes);
    assert_true(changes > 10 * STEPPED_LEASES);
    ex_journal_destroy(j);
}

static void test_death_after_any_instruction_leaves_it_whole(void **state)
{
    (void)state;
    if (getenv("UNDER_VALGRIND") != NULL) {
        print_message("skipped: the steps would be valgrind's\n");
        skip();
    }
    die_after_any_instruction();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lease_is_told_and_acknowledged_once),
        cmocka_unit_test(test_what_never_waited_is_refused),
        cmocka_unit_test(test_a_lease_that_did_not_begin_is_not_counted),
        cmocka_unit_test(test_the_bound_is_kept_free_for_what_is_open),
        cmocka_unit_test(test_the_oldest_is_not_left_too_far_behind),
        cmocka_unit_test(test_places_are_used_again_last_freed_first),
        cmocka_unit_test(test_a_new_session_hears_all_that_waits),
        cmocka_unit_test(test_what_is_acknowledged_untold_is_not_told),
        cmocka_unit_test(test_what_waits_and_the_sum_outlive_the_process),
        cmocka_unit_test(test_an_open_lease_ends_when_the_process_was_last_awake),
        cmocka_unit_test(test_after_another_boot_nothing_is_told_that_may_stand_twice),
        cmocka_unit_test(test_a_journal_grows_but_does_not_shrink),
        cmocka_unit_test(test_what_is_no_journal_is_refused),
        cmocka_unit_test(test_a_failed_allocation_changes_nothing),
        cmocka_unit_test(test_any_program_of_leases_and_deaths_keeps_the_sum),
        cmocka_unit_test(test_a_killed_process_leaves_whole_records),
        cmocka_unit_test(test_death_after_any_instruction_leaves_it_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
