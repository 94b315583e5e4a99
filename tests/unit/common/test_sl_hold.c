/* test_sl_hold.c - threads are held to one processor and come back as they were, whoever was born meanwhile. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sl_hold.h"
#include "sl_test.h"

static cpu_set_t mask_of(pid_t tid)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(tid, sizeof set, &set), 0);
    return set;
}

static bool is_only(pid_t tid, int cpu)
{
    cpu_set_t set = mask_of(tid);
    return CPU_COUNT(&set) == 1 && CPU_ISSET((size_t)cpu, &set);
}

static bool is_as(pid_t tid, const cpu_set_t *was)
{
    cpu_set_t set = mask_of(tid);
    return CPU_EQUAL(&set, was);
}

static int some_cpu(void)
{
    cpu_set_t set = mask_of(0);
    for (int cpu = CPU_SETSIZE - 1; cpu > 0; cpu--)
        if (CPU_ISSET((size_t)cpu, &set))
            return cpu;
    return 0;
}

/* Held, and its processors before. */
static struct sl_hold begin(cpu_set_t *out_was)
{
    struct sl_hold h = {0};
    pid_t self = gettid();
    *out_was = mask_of(0);
    assert_int_equal(sl_hold_begin(&h, getpid(), &self, 1, some_cpu()), SL_OK);
    assert_true(is_only(0, some_cpu()));
    return h;
}

static void comes_back_as_it_was(void **state SL_UNUSED)
{
    cpu_set_t was;
    struct sl_hold h = begin(&was);
    sl_hold_end(&h);
    assert_true(is_as(0, &was));
    sl_hold_end(&h); /* nothing is held: nothing happens */
    assert_true(is_as(0, &was));
}

struct helper {
    pthread_t thread;
    pthread_barrier_t barrier;
    pid_t tid;
};

static void *live_until_met(void *arg)
{
    struct helper *t = arg;
    pthread_setname_np(pthread_self(), "held/helper/0");
    t->tid = gettid();
    pthread_barrier_wait(&t->barrier);
    pthread_barrier_wait(&t->barrier);
    return NULL;
}

static void start_helper(struct helper *t)
{
    assert_int_equal(pthread_barrier_init(&t->barrier, NULL, 2), 0);
    assert_int_equal(pthread_create(&t->thread, NULL, live_until_met, t), 0);
    pthread_barrier_wait(&t->barrier);
}

static void end_helper(struct helper *t)
{
    pthread_barrier_wait(&t->barrier);
    pthread_join(t->thread, NULL);
    pthread_barrier_destroy(&t->barrier);
}

static void a_thread_born_meanwhile_is_let_go_too(void **state SL_UNUSED)
{
    cpu_set_t was;
    struct helper t;
    struct sl_hold h = begin(&was);
    start_helper(&t);
    assert_true(is_only(t.tid, some_cpu()));
    sl_hold_end(&h);
    assert_true(is_as(t.tid, &was));
    end_helper(&t);
}

static void each_thread_has_its_own_mask_back(void **state SL_UNUSED)
{
    cpu_set_t was = mask_of(0);
    cpu_set_t one;
    struct helper t;
    struct sl_hold h = {0};
    start_helper(&t);
    CPU_ZERO(&one);
    CPU_SET((size_t)some_cpu(), &one);
    assert_int_equal(sched_setaffinity(t.tid, sizeof one, &one), 0);
    const pid_t both[] = {gettid(), t.tid};
    assert_int_equal(sl_hold_begin(&h, getpid(), both, 2, some_cpu()), SL_OK);
    assert_true(is_only(t.tid, some_cpu()));
    sl_hold_end(&h);
    assert_true(is_as(t.tid, &one));
    assert_true(is_as(0, &was));
    end_helper(&t);
}

static void a_forked_child_can_be_free(void **state SL_UNUSED)
{
    cpu_set_t was;
    int status;
    struct sl_hold h = begin(&was);
    pid_t pid = fork();
    if (pid == 0) {
        sl_hold_free_child(&h);
        cpu_set_t now;
        _exit(sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&now, &was) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(is_only(0, some_cpu())); /* the parent still is */
    sl_hold_end(&h);
    sl_hold_free_child(NULL);
}

static void all_or_nothing(void **state SL_UNUSED)
{
    cpu_set_t was = mask_of(0);
    struct sl_hold h = {0};
    const pid_t none_such[] = {gettid(), 0x3fffffff};
    assert_int_equal(sl_hold_begin(&h, getpid(), none_such, 2, some_cpu()), SL_ENOENT);
    assert_int_equal(h.count, 0);
    assert_true(is_as(0, &was));
    const pid_t many[SL_HOLD_THREADS_MAX + 1] = {0};
    assert_int_equal(sl_hold_begin(&h, getpid(), many, SL_HOLD_THREADS_MAX + 1, some_cpu()),
                     SL_EINVAL);
    assert_int_equal(sl_hold_begin(&h, getpid(), none_such, 1, -1), SL_EINVAL);
    assert_int_equal(sl_hold_begin(&h, getpid(), none_such, 1, CPU_SETSIZE), SL_EINVAL);
    assert_int_equal(sl_hold_begin(&h, getpid(), none_such, 1, CPU_SETSIZE - 1), SL_EINVAL);
    assert_int_equal(h.count, 0);
    assert_true(is_as(0, &was));
}

static void what_somebody_else_has_set_meanwhile_stays(void **state SL_UNUSED)
{
    cpu_set_t was;
    struct sl_hold h = begin(&was);
    if (CPU_COUNT(&was) < 2) {
        sl_hold_end(&h);
        skip();
    }
    cpu_set_t theirs = was;
    CPU_CLR((size_t)some_cpu(), &theirs);
    assert_int_equal(sched_setaffinity(0, sizeof theirs, &theirs), 0);
    sl_hold_end(&h);
    assert_true(is_as(0, &theirs));
    assert_int_equal(sched_setaffinity(0, sizeof was, &was), 0);
}

static void forgotten_is_not_touched(void **state SL_UNUSED)
{
    cpu_set_t was;
    struct sl_hold h = begin(&was);
    sl_hold_forget(&h);
    sl_hold_end(&h);
    assert_true(is_only(0, some_cpu()));
    assert_int_equal(sched_setaffinity(0, sizeof was, &was), 0);
}

static void threads_are_found_by_name(void **state SL_UNUSED)
{
    pid_t tids[2] = {1, 0};
    struct helper t;
    start_helper(&t);
    assert_int_equal(sl_hold_find_threads("held/helper", tids, 1, 2), 2);
    assert_int_equal(tids[0], 1);
    assert_int_equal(tids[1], t.tid);
    assert_int_equal(sl_hold_find_threads("held/helper", tids, 2, 2), 2); /* full */
    assert_int_equal(sl_hold_find_threads("no such name", tids, 0, 2), 0);
    end_helper(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(a_thread_born_meanwhile_is_let_go_too),
        cmocka_unit_test(each_thread_has_its_own_mask_back),
        cmocka_unit_test(a_forked_child_can_be_free),
        cmocka_unit_test(all_or_nothing),
        cmocka_unit_test(what_somebody_else_has_set_meanwhile_stays),
        cmocka_unit_test(forgotten_is_not_touched),
        cmocka_unit_test(threads_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
