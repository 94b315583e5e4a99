/* test_gw_mail.c - one direction of mail: order, merging, waking; and two threads at once, which the build
 * with the thread sanitizer watches. */
#include <pthread.h>

#include "gw_mail.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { LAZY = 16 };

struct taken {
    struct gw_exchange *x[16];
    unsigned events[16];
    size_t count;
};

static void note(void *ctx, struct gw_exchange *x, unsigned events)
{
    struct taken *t = ctx;
    t->x[t->count] = x;
    t->events[t->count++] = events;
}

static void init(struct gw_mail *m)
{
    gw_mail_init(m, offsetof(struct gw_exchange, to_flow), LAZY);
}

static void nothing_arrives_before_the_flush(void **state SL_UNUSED)
{
    static struct gw_exchange x;
    struct gw_mail m;
    struct taken t = {0};
    init(&m);
    assert_false(gw_mail_flush(&m));
    gw_mail_post(&m, &x, 1);
    assert_int_equal(gw_mail_take(&m, note, &t), 0);
    assert_true(gw_mail_flush(&m));
    assert_int_equal(gw_mail_take(&m, note, &t), 1);
    assert_ptr_equal(t.x[0], &x);
    assert_int_equal(t.events[0], 1);
    assert_int_equal(gw_mail_take(&m, note, &t), 0);
    gw_mail_finish(&m);
}

static void events_of_one_exchange_become_one_mail(void **state SL_UNUSED)
{
    static struct gw_exchange x[3];
    struct gw_mail m;
    struct taken t = {0};
    init(&m);
    gw_mail_post(&m, &x[0], 1);
    gw_mail_post(&m, &x[1], 1);
    gw_mail_post(&m, &x[0], 2);
    assert_true(gw_mail_flush(&m));
    gw_mail_post(&m, &x[2], 4);
    gw_mail_post(&m, &x[1], 8);      /* merges in the inbox */
    assert_false(gw_mail_flush(&m)); /* was woken already */
    assert_int_equal(gw_mail_take(&m, note, &t), 3);
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(t.x[i], &x[i]);
    assert_int_equal(t.events[0], 3);
    assert_int_equal(t.events[1], 9);
    assert_int_equal(t.events[2], 4);
    gw_mail_finish(&m);
}

static void one_wake_until_taken(void **state SL_UNUSED)
{
    static struct gw_exchange x[4];
    struct gw_mail m;
    struct taken t = {0};
    init(&m);
    gw_mail_post(&m, &x[0], 1);
    assert_true(gw_mail_flush(&m));
    gw_mail_post(&m, &x[1], 1);
    assert_false(gw_mail_flush(&m));
    gw_mail_take(&m, note, &t);
    gw_mail_post(&m, &x[2], 1);
    assert_true(gw_mail_flush(&m));
    gw_mail_finish(&m);
}

static void lazy_mail_wakes_nobody_until_overdue(void **state SL_UNUSED)
{
    static struct gw_exchange x[3];
    struct gw_mail m;
    struct taken t = {0};
    init(&m);
    assert_false(gw_mail_is_overdue(&m));
    gw_mail_post(&m, &x[0], LAZY);
    assert_false(gw_mail_flush(&m));
    assert_true(gw_mail_is_overdue(&m));
    assert_false(gw_mail_is_overdue(&m)); /* once */
    gw_mail_take(&m, note, &t);
    assert_false(gw_mail_is_overdue(&m));
    gw_mail_post(&m, &x[1], LAZY);
    gw_mail_post(&m, &x[2], 1);
    assert_true(gw_mail_flush(&m));
    gw_mail_finish(&m);
}

/* ---- two threads ---- */

enum { EXCHANGES = 300, ROUNDS = 20000, LAST = 8 };

/* Plain memory that only the order of mails protects. */
struct pair {
    struct gw_mail mail;
    struct gw_exchange x[EXCHANGES];
    uint64_t sent[EXCHANGES];
    uint64_t seen[EXCHANGES];
    uint64_t mails;
    bool is_ended;
};

static void *send_all(void *arg)
{
    struct pair *p = arg;
    struct sl_rng rng;
    sl_rng_seed(&rng, 11);
    for (int round = 0; round < ROUNDS; round++) {
        for (uint64_t n = sl_rng_below(&rng, 6); n > 0; n--) {
            size_t i = 1 + (size_t)sl_rng_below(&rng, EXCHANGES - 1);
            gw_mail_post(&p->mail, &p->x[i], 1u << sl_rng_below(&rng, 3));
        }
        (void)!gw_mail_flush(&p->mail);
    }
    for (size_t i = 1; i < EXCHANGES; i++)
        p->sent[i] = i;
    for (size_t i = 1; i < EXCHANGES; i++)
        gw_mail_post(&p->mail, &p->x[i], LAST);
    gw_mail_post(&p->mail, &p->x[0], LAST);
    (void)!gw_mail_flush(&p->mail);
    return NULL;
}

static void receive(void *ctx, struct gw_exchange *x, unsigned events)
{
    struct pair *p = ctx;
    size_t i = (size_t)(x - p->x);
    p->mails++;
    assert_true(events != 0 && events < 2 * LAST);
    assert_int_equal(p->seen[i], 0); /* nothing comes after the last */
    if ((events & LAST) == 0)
        return;
    p->seen[i] = p->sent[i];
    p->is_ended |= i == 0;
}

static void two_threads_lose_nothing(void **state SL_UNUSED)
{
    static struct pair p;
    pthread_t sender;
    init(&p.mail);
    assert_int_equal(pthread_create(&sender, NULL, send_all, &p), 0);
    while (!p.is_ended)
        gw_mail_take(&p.mail, receive, &p);
    pthread_join(sender, NULL);
    assert_int_equal(gw_mail_take(&p.mail, receive, &p), 0);
    for (size_t i = 1; i < EXCHANGES; i++)
        assert_int_equal(p.seen[i], i);
    gw_mail_finish(&p.mail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_arrives_before_the_flush),
        cmocka_unit_test(events_of_one_exchange_become_one_mail),
        cmocka_unit_test(one_wake_until_taken),
        cmocka_unit_test(lazy_mail_wakes_nobody_until_overdue),
        cmocka_unit_test(two_threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
