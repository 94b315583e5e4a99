/* test_sl_aside.c - large memory goes back on another thread, small memory at once. */
#include "sl_aside.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "sl_base.h"
#include "sl_test.h"

enum { LARGE = (64 << 20) + 4096, SMALL = 1 << 20 };

static sem_t done;
static pthread_t doer;
static void *freed;

static void note(void *ctx)
{
    *(int *)ctx = 5;
    doer = pthread_self();
    sem_post(&done);
}

static void a_deed_is_done_on_another_thread(void **state SL_UNUSED)
{
    int ran = 0;
    sl_aside_do(note, &ran);
    sem_wait(&done);
    assert_int_equal(ran, 5);
    assert_false(pthread_equal(doer, pthread_self()));
}

static void *map_of(size_t bytes)
{
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    memset(map, 1, bytes);
    return map;
}

static bool is_mapped(void *page)
{
    unsigned char is_resident;
    return mincore(page, 4096, &is_resident) == 0;
}

static void maps_are_gone_whole(void **state SL_UNUSED)
{
    uint8_t *small = map_of(SMALL), *large = map_of(LARGE);
    sl_aside_unmap(small, SMALL);
    assert_false(is_mapped(small));
    sl_aside_unmap(large, LARGE);
    const struct timespec moment = {.tv_nsec = 1000000};
    for (int tries = 0; is_mapped(large + LARGE - 4096) && tries < 20000; tries++)
        nanosleep(&moment, NULL);
    assert_false(is_mapped(large) || is_mapped(large + LARGE / 2) ||
                 is_mapped(large + LARGE - 4096));
}

static void *get(void *ctx SL_UNUSED, size_t bytes)
{
    return malloc(bytes);
}

static void note_free(void *ctx SL_UNUSED, void *block)
{
    freed = block;
    doer = pthread_self();
    free(block);
    sem_post(&done);
}

static void blocks_go_back_to_their_allocator(void **state SL_UNUSED)
{
    const struct sl_alloc alloc = {.alloc = get, .release = note_free};
    const size_t sizes[] = {SMALL, LARGE, LARGE - 1};
    for (size_t i = 0; i < SL_ARRAY_LEN(sizes); i++) {
        uint8_t *block = malloc(sizes[i]);
        memset(block, 7, sizes[i]);
        void *const was = block;
        sl_aside_free(&alloc, block, sizes[i]);
        sem_wait(&done);
        assert_ptr_equal(freed, was);
        assert_int_equal(pthread_equal(doer, pthread_self()) != 0, sizes[i] == SMALL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deed_is_done_on_another_thread),
        cmocka_unit_test(maps_are_gone_whole),
        cmocka_unit_test(blocks_go_back_to_their_allocator),
    };
    sem_init(&done, 0, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
