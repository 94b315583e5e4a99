/* test_sl_shm_pool.c - blocks are used again, within their limits, and hold nothing of older uses
 * behind what the next one writes. */
#include "sl_shm_pool.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sl_memfd.h"
#include "sl_test.h"

#define MIB (UINT64_C(1) << 20)

static struct sl_shm_pool *make(uint64_t bytes_max, uint32_t count_max)
{
    const struct sl_shm_pool_conf conf = {.alloc = &sl_alloc_malloc,
                                          .label = "test",
                                          .bytes_max = bytes_max,
                                          .count_max = count_max,
                                          .idle_ns = 1000};
    struct sl_shm_pool *p;
    assert_ok(sl_shm_pool_create(&conf, &p));
    return p;
}

static void a_block_serves_again_in_a_new_generation(void **state)
{
    struct sl_shm_pool *p = make(64 * MIB, 8);
    (void)state;
    struct sl_shm_block *a = sl_shm_pool_take(p, 3 * MIB);
    struct sl_shm_block *b = sl_shm_pool_take(p, 3 * MIB);
    assert_true(a != b && a->number == 1 && b->number == 2 && a->generation == 1);
    sl_shm_pool_put(p, a);
    assert_ptr_equal(sl_shm_pool_take(p, 3 * MIB - 100), a);
    assert_int_equal(a->number, 1);
    assert_int_equal(a->generation, 2);
    sl_shm_pool_put(p, a);
    sl_shm_pool_put(p, b);
    struct sl_shm_block *far_smaller = sl_shm_pool_take(p, MIB);
    assert_int_equal(far_smaller->number, 3);
    sl_shm_pool_put(p, far_smaller);
    sl_shm_pool_destroy(p);
    sl_shm_pool_destroy(NULL);
}

static void what_lies_behind_the_bytes_is_zero(void **state)
{
    struct sl_shm_pool *p = make(64 * MIB, 8);
    (void)state;
    struct sl_shm_block *b = sl_shm_pool_take(p, 2 * MIB);
    memset(b->data, 7, 2 * MIB);
    sl_shm_pool_put(p, b);
    b = sl_shm_pool_take(p, MIB + MIB / 2);
    assert_int_equal(b->number, 1);
    for (uint64_t i = MIB + MIB / 2; i < b->bytes; i++)
        if (b->data[i] != 0)
            fail_msg("byte %llu is left of an older use", (unsigned long long)i);
    sl_shm_pool_put(p, b);
    sl_shm_pool_destroy(p);
}

static void others_can_read_and_never_write_or_resize(void **state)
{
    struct sl_shm_pool *p = make(64 * MIB, 8);
    char path[64];
    void *map;
    uint8_t byte = 1;
    (void)state;
    struct sl_shm_block *b = sl_shm_pool_take(p, MIB);
    b->data[0] = 9;
    assert_ok(sl_memfd_check(b->fd, b->bytes, false));
    assert_int_equal(pread(b->fd, &byte, 1, 0), 1);
    assert_int_equal(byte, 9);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", b->fd);
    const int again = open(path, O_RDWR | O_CLOEXEC); /* allowed, but sealed */
    assert_int_equal(pwrite(again, &byte, 1, 0), -1);
    assert_int_equal(ftruncate(again, 1), -1);
    assert_status(sl_memfd_map(again, MIB, true, &map), SL_ENOMEM);
    close(again);
    sl_shm_pool_put(p, b);
    sl_shm_pool_destroy(p);
}

static void there_is_no_more_than_the_limits(void **state)
{
    struct sl_shm_pool *p = make(4 * MIB, 2);
    (void)state;
    assert_null(sl_shm_pool_take(NULL, 1));
    assert_null(sl_shm_pool_take(p, 4 * MIB + 1));
    assert_null(sl_shm_pool_take(p, UINT64_MAX));
    struct sl_shm_block *a = sl_shm_pool_take(p, 3 * MIB);
    assert_null(sl_shm_pool_take(p, 2 * MIB)); /* bytes */
    struct sl_shm_block *b = sl_shm_pool_take(p, 1);
    assert_null(sl_shm_pool_take(p, 1)); /* blocks */
    sl_shm_pool_put(p, a);
    struct sl_shm_block *c = sl_shm_pool_take(p, MIB); /* the free one makes room */
    assert_non_null(c);
    assert_false(sl_shm_pool_has(p, 1));
    assert_true(sl_shm_pool_has(p, 2) && sl_shm_pool_has(p, 3));
    sl_shm_pool_put(p, b);
    sl_shm_pool_put(p, c);
    sl_shm_pool_destroy(p);
}

static void a_retired_block_is_not_used_again(void **state)
{
    struct sl_shm_pool *p = make(64 * MIB, 8);
    (void)state;
    struct sl_shm_block *b = sl_shm_pool_take(p, MIB);
    sl_shm_pool_retire(p, b);
    sl_shm_pool_put(p, b);
    assert_int_equal(sl_shm_pool_bytes(p), 0);
    b = sl_shm_pool_take(p, MIB);
    assert_int_equal(b->number, 2);
    sl_shm_pool_put(p, b);
    sl_shm_pool_destroy(p);
}

static void what_nobody_uses_goes_back_to_the_system(void **state)
{
    struct sl_shm_pool *p = make(64 * MIB, 8);
    (void)state;
    struct sl_shm_block *a = sl_shm_pool_take(p, MIB);
    struct sl_shm_block *b = sl_shm_pool_take(p, MIB);
    sl_shm_pool_put(p, b);
    sl_shm_pool_trim(p, 5000);
    sl_shm_pool_trim(p, 5999);
    assert_true(sl_shm_pool_has(p, 2));
    sl_shm_pool_trim(p, 6000);
    assert_false(sl_shm_pool_has(p, 2));
    assert_int_equal(sl_shm_pool_bytes(p), a->bytes);
    sl_shm_pool_put(p, a);
    sl_shm_pool_trim(p, 7000);
    assert_ptr_equal(sl_shm_pool_take(p, MIB), a); /* used: its time begins again */
    sl_shm_pool_put(p, a);
    sl_shm_pool_trim(p, 8500);
    assert_true(sl_shm_pool_has(p, 1));
    sl_shm_pool_trim(NULL, 1);
    sl_shm_pool_destroy(p);
}

enum { THREADS = 4, ROUNDS = 2000 };

static void *take_and_put(void *ctx)
{
    struct sl_shm_pool *p = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        struct sl_shm_block *b = sl_shm_pool_take(p, 100000 + (uint64_t)i % 7 * 50000);
        if (b == NULL)
            continue;
        b->data[0] = (uint8_t)i;
        if (i % 100 == 0)
            sl_shm_pool_retire(p, b);
        sl_shm_pool_put(p, b);
    }
    return NULL;
}

static void any_thread_may_take_and_put(void **state)
{
    struct sl_shm_pool *p = make(MIB, 6);
    pthread_t threads[THREADS];
    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_put, p), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(sl_shm_pool_bytes(p) <= MIB);
    sl_shm_pool_trim(p, 1);
    sl_shm_pool_trim(p, 5000);
    assert_int_equal(sl_shm_pool_bytes(p), 0);
    sl_shm_pool_destroy(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_serves_again_in_a_new_generation),
        cmocka_unit_test(what_lies_behind_the_bytes_is_zero),
        cmocka_unit_test(others_can_read_and_never_write_or_resize),
        cmocka_unit_test(there_is_no_more_than_the_limits),
        cmocka_unit_test(a_retired_block_is_not_used_again),
        cmocka_unit_test(what_nobody_uses_goes_back_to_the_system),
        cmocka_unit_test(any_thread_may_take_and_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
