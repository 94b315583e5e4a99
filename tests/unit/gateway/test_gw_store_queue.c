/* test_gw_store_queue.c - entries there, answers back: order, bounds, memory that is used again; and two threads
 * at once, which the build with the thread sanitizer watches. */
#include <pthread.h>

#include "fail_alloc.h"
#include "gw_store_queue.h"
#include "sl_rng.h"
#include "sl_test.h"

static struct sl_span bytes_of(size_t count)
{
    static uint8_t bytes[GW_STORE_ENTRY_MAX_BYTES];
    return sl_span_of(bytes, count);
}

/* Reads all entries of the batches and gives them back; answers how many. */
static uint64_t drain(struct gw_store_queue *q, struct gw_store_batches *l, uint64_t first)
{
    struct gw_store_batch *b;
    uint64_t ticket = first;
    while ((b = gw_store_batches_pop(l)) != NULL) {
        struct gw_store_entry *e;
        uint32_t count = 0;
        for (size_t at = 0; (e = gw_store_batch_next(b, &at)) != NULL; count++)
            assert_int_equal(e->ticket, ticket++);
        assert_int_equal(count, b->entry_count);
        gw_store_queue_recycle(q, b);
    }
    return ticket - first;
}

static void entries_go_there_and_answers_back(void **state SL_UNUSED)
{
    struct gw_store_queue q;
    struct gw_store_batches taken = {0}, done;
    gw_store_queue_init(&q, &sl_alloc_malloc, 1 << 20);
    assert_ok(gw_store_queue_put(&q, GW_RECORD_GRANT, sl_span_str("one"), 1));
    assert_true(gw_store_queue_take(&q, 0, &taken));
    assert_null(taken.head); /* nothing arrives before the flush */
    gw_store_queue_flush(&q);
    assert_ok(gw_store_queue_put(&q, GW_RECORD_RECEIPT, sl_span_str(""), 2));
    gw_store_queue_flush(&q);
    assert_true(gw_store_queue_take(&q, -1, &taken));
    size_t at = 0;
    struct gw_store_entry *e = gw_store_batch_next(taken.head, &at);
    assert_int_equal(e->kind, GW_RECORD_GRANT);
    assert_span_text(sl_span_of(e->bytes, e->bytes_count), "one");
    assert_true(gw_store_queue_answer(&q, &taken, SL_EIO));
    done = gw_store_queue_collect(&q);
    assert_int_equal(done.head->outcome, SL_EIO);
    assert_int_equal(drain(&q, &done, 1), 2);
    gw_store_queue_finish(&q);
}

/* A turn with one entry must not cost a batch while the store is busy. */
static void what_waits_is_gathered(void **state SL_UNUSED)
{
    struct gw_store_queue q;
    struct gw_store_batches taken = {0};
    gw_store_queue_init(&q, &sl_alloc_malloc, 4 * sizeof(struct gw_store_batch));
    for (uint64_t ticket = 1; ticket <= 1000; ticket++) {
        assert_ok(gw_store_queue_put(&q, GW_RECORD_RECEIPT, bytes_of(100), ticket));
        gw_store_queue_flush(&q);
    }
    assert_true(q.batch_count <= 4);
    assert_true(gw_store_queue_take(&q, 0, &taken));
    assert_int_equal(drain(&q, &taken, 1), 1000);
    gw_store_queue_finish(&q);
}

static void a_full_queue_is_not_now(void **state SL_UNUSED)
{
    struct gw_store_queue q;
    struct gw_store_batches taken = {0};
    uint64_t count = 0;
    sl_status s;
    gw_store_queue_init(&q, &sl_alloc_malloc, 3 * sizeof(struct gw_store_batch));
    while ((s = gw_store_queue_put(&q, GW_RECORD_RECEIPT, bytes_of(16000), count + 1)) == SL_OK)
        count++;
    assert_status(s, SL_EFULL);
    assert_int_equal(count, 3 * 4);
    gw_store_queue_flush(&q);
    assert_true(gw_store_queue_take(&q, 0, &taken));
    assert_int_equal(drain(&q, &taken, 1), count);
    assert_ok(gw_store_queue_put(&q, GW_RECORD_RECEIPT, bytes_of(16000), 1));
    gw_store_queue_finish(&q);
}

static void without_memory_nothing_changes(void **state SL_UNUSED)
{
    struct fail_alloc f;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        struct gw_store_queue q;
        struct gw_store_batches taken = {0};
        uint64_t count = 0;
        gw_store_queue_init(&q, &f.alloc, 1 << 20);
        for (int turn = 0; turn < 10; turn++)
            if (gw_store_queue_put(&q, GW_RECORD_RECEIPT, bytes_of(16000), count + 1) == SL_OK)
                count++;
        gw_store_queue_flush(&q);
        assert_true(gw_store_queue_take(&q, 0, &taken));
        assert_int_equal(drain(&q, &taken, 1), count);
        gw_store_queue_finish(&q);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

static void an_end_ends_every_wait(void **state SL_UNUSED)
{
    struct gw_store_queue q;
    struct gw_store_batches taken = {0};
    gw_store_queue_init(&q, &sl_alloc_malloc, 1 << 20);
    assert_true(gw_store_queue_take(&q, 1000, &taken)); /* in vain */
    gw_store_queue_pause(&q, 1000);
    gw_store_queue_end(&q);
    gw_store_queue_pause(&q, -1);
    assert_false(gw_store_queue_take(&q, -1, &taken));
    gw_store_queue_finish(&q);
}

/* ---- two threads */

enum { ENTRIES = 200000 };

static void *answer_all(void *ctx)
{
    struct gw_store_queue *q = ctx;
    struct gw_store_batches taken = {0};
    bool goes_on = true;
    while (goes_on) {
        goes_on = gw_store_queue_take(q, -1, &taken);
        if (gw_store_queue_answer(q, &taken, SL_OK))
            continue; /* the other side never sleeps */
    }
    return NULL;
}

static void two_threads_lose_nothing(void **state SL_UNUSED)
{
    struct gw_store_queue q;
    struct sl_rng rng;
    pthread_t store;
    uint64_t put = 0, answered = 0;
    gw_store_queue_init(&q, &sl_alloc_malloc, 8 << 20);
    sl_rng_seed(&rng, 9);
    assert_int_equal(pthread_create(&store, NULL, answer_all, &q), 0);
    while (answered < ENTRIES) {
        struct gw_store_batches done = gw_store_queue_collect(&q);
        answered += drain(&q, &done, answered + 1);
        for (uint64_t i = sl_rng_below(&rng, 50); i > 0 && put < ENTRIES; i--) {
            size_t count = (size_t)sl_rng_below(&rng, 300);
            if (gw_store_queue_put(&q, GW_RECORD_RECEIPT, bytes_of(count), put + 1) == SL_OK)
                put++;
        }
        gw_store_queue_flush(&q);
    }
    gw_store_queue_end(&q);
    pthread_join(store, NULL);
    gw_store_queue_finish(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_go_there_and_answers_back),
        cmocka_unit_test(what_waits_is_gathered),
        cmocka_unit_test(a_full_queue_is_not_now),
        cmocka_unit_test(without_memory_nothing_changes),
        cmocka_unit_test(an_end_ends_every_wait),
        cmocka_unit_test(two_threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
