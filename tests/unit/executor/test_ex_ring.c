/* test_ex_ring.c - two sides over two rings: order, wrap-around, waiting, and peers that lie. */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ex_ring.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { DATA_BYTES = EX_RING_DATA_MIN, TOTAL_BYTES = EX_RING_HEADER_BYTES + DATA_BYTES };

/* Both rings and both sides in one process. a writes what b reads and the other way round. */
struct pair {
    uint8_t *ab;
    uint8_t *ba;
    struct ex_ring a;
    struct ex_ring b;
};

static int setup(void **state)
{
    struct pair *p = calloc(1, sizeof(*p));
    p->ab = aligned_alloc(4096, TOTAL_BYTES);
    p->ba = aligned_alloc(4096, TOTAL_BYTES);
    assert_true(p->ab != NULL && p->ba != NULL);
    memset(p->ab, 0, TOTAL_BYTES); /* as a new segment is */
    memset(p->ba, 0, TOTAL_BYTES);
    ex_ring_format(p->ab, DATA_BYTES);
    ex_ring_format(p->ba, DATA_BYTES);
    assert_ok(ex_ring_attach(&p->a, p->ab, TOTAL_BYTES, p->ba, TOTAL_BYTES));
    assert_ok(ex_ring_attach(&p->b, p->ba, TOTAL_BYTES, p->ab, TOTAL_BYTES));
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct pair *p = *state;
    free(p->ab);
    free(p->ba);
    free(p);
    return 0;
}

/* A record of `bytes` whose content is known from its number. */
static void fill(uint8_t *record, size_t bytes, uint32_t number)
{
    for (size_t i = EX_RING_FRAME_BYTES; i < bytes; i++)
        record[i] = (uint8_t)(number * 31 + i);
}

static bool is_filled(struct sl_span record, uint32_t number)
{
    for (size_t i = EX_RING_FRAME_BYTES; i < record.len; i++) {
        if (record.data[i] != (uint8_t)(number * 31 + i))
            return false;
    }
    return true;
}

static sl_status put(struct ex_ring *r, size_t bytes, uint32_t number)
{
    uint8_t *record;
    const sl_status s = ex_ring_reserve(r, bytes, &record);
    if (s != SL_OK)
        return s;
    assert_int_equal((uintptr_t)record % EX_RING_ALIGN, 0);
    fill(record, bytes, number);
    ex_ring_commit(r, bytes, number);
    return SL_OK;
}

static void publish(struct ex_ring *r)
{
    assert_false(ex_ring_publish(r)); /* nobody sleeps */
}

static void take(struct ex_ring *r, size_t bytes, uint32_t number)
{
    struct ex_ring_record record;
    assert_ok(ex_ring_next(r, &record));
    assert_int_equal(record.kind, number);
    assert_int_equal(record.bytes.len, bytes);
    assert_true(is_filled(record.bytes, number));
    ex_ring_release(r, record.end);
}

/* ---- the ordinary way */

static void sizes_are_checked(void **state)
{
    struct pair *p = *state;
    struct ex_ring r;
    assert_false(ex_ring_is_data_bytes(EX_RING_DATA_MIN - 1));
    assert_false(ex_ring_is_data_bytes(EX_RING_DATA_MIN + 64));
    assert_false(ex_ring_is_data_bytes((uint64_t)EX_RING_DATA_MAX * 2));
    assert_true(ex_ring_is_data_bytes(EX_RING_DATA_MAX));
    assert_status(ex_ring_attach(&r, p->ab, 100, p->ba, TOTAL_BYTES), SL_EINVAL);
    assert_status(ex_ring_attach(&r, p->ab, TOTAL_BYTES, p->ba, TOTAL_BYTES - 64), SL_EINVAL);
    p->ba[8] ^= 1;
    assert_status(ex_ring_attach(&r, p->ab, TOTAL_BYTES, p->ba, TOTAL_BYTES), SL_EPROTO);
    p->ba[8] ^= 1;
    p->ab[0] ^= 1;
    assert_status(ex_ring_attach(&r, p->ab, TOTAL_BYTES, p->ba, TOTAL_BYTES), SL_EPROTO);
}

static void nothing_is_seen_before_publish(void **state)
{
    struct pair *p = *state;
    struct ex_ring_record record;
    assert_ok(put(&p->a, 100, 1));
    assert_status(ex_ring_next(&p->b, &record), SL_EAGAIN);
    publish(&p->a);
    take(&p->b, 100, 1);
    assert_status(ex_ring_next(&p->b, &record), SL_EAGAIN);
}

static void records_have_a_largest_size(void **state)
{
    struct pair *p = *state;
    uint8_t *record;
    const uint64_t max = ex_ring_record_max(&p->a);
    assert_int_equal(max, DATA_BYTES / 4);
    assert_status(ex_ring_reserve(&p->a, max + 1, &record), SL_ETOOBIG);
    assert_ok(put(&p->a, max, 1));
    publish(&p->a);
    take(&p->b, max, 1);
}

static void a_full_ring_says_not_now(void **state)
{
    struct pair *p = *state;
    uint32_t number = 0;
    while (put(&p->a, 1000, number + 1) == SL_OK)
        number++;
    assert_int_equal(number, DATA_BYTES / 1024);
    assert_status(put(&p->a, 8, 99), SL_EAGAIN);
    const uint64_t end = ex_ring_written(&p->a);
    assert_ok(ex_ring_see_released(&p->a, 0));
    publish(&p->a);
    assert_status(ex_ring_see_released(&p->a, end), SL_EAGAIN);
    take(&p->b, 1000, 1);
    assert_status(put(&p->a, 8, 99), SL_EAGAIN); /* released, but not said */
    publish(&p->b);
    assert_ok(put(&p->a, 1000, number + 1));
    publish(&p->a);
    for (uint32_t n = 2; n <= number + 1; n++)
        take(&p->b, 1000, n);
    assert_status(ex_ring_see_released(&p->a, end), SL_EAGAIN);
    publish(&p->b);
    assert_ok(ex_ring_see_released(&p->a, ex_ring_written(&p->a)));
}

static void any_sizes_come_out_as_they_went_in(void **state)
{
    struct pair *p = *state;
    struct sl_rng rng;
    size_t sizes[4096];
    uint32_t in = 0;
    uint32_t out = 0;
    sl_rng_seed(&rng, 7);
    while (out < 200000) {
        const size_t bytes = sl_rng_below(&rng, 20) == 0
                                 ? 8 + sl_rng_below(&rng, ex_ring_record_max(&p->a) - 7)
                                 : 8 + sl_rng_below(&rng, 500);
        if (put(&p->a, bytes, in + 1) == SL_OK)
            sizes[in++ % SL_ARRAY_LEN(sizes)] = bytes;
        if (sl_rng_below(&rng, 3) == 0)
            publish(&p->a);
        if (sl_rng_below(&rng, 3) != 0)
            continue;
        publish(&p->a);
        for (uint64_t n = sl_rng_below(&rng, in - out + 1); n > 0; n--, out++)
            take(&p->b, sizes[out % SL_ARRAY_LEN(sizes)], out + 1);
        publish(&p->b);
    }
}

static void a_reader_may_keep_records(void **state)
{
    struct pair *p = *state;
    struct ex_ring_record first;
    struct ex_ring_record second;
    assert_ok(put(&p->a, 8000, 1));
    assert_ok(put(&p->a, 8000, 2));
    publish(&p->a);
    assert_ok(ex_ring_next(&p->b, &first));
    assert_ok(ex_ring_next(&p->b, &second));
    ex_ring_release(&p->b, second.end);
    ex_ring_release(&p->b, first.end); /* backwards: ignored */
    publish(&p->b);
    uint32_t number = 0;
    while (put(&p->a, 8128, number + 1) == SL_OK)
        number++;
    assert_int_equal(number, DATA_BYTES / 8128 - 1);
}

/* ---- sleeping */

static void a_doorbell_is_rung_once_per_sleep(void **state)
{
    struct pair *p = *state;
    assert_true(ex_ring_sleep(&p->b, EX_RING_WAKE_RECORD));
    assert_ok(put(&p->a, 8, 1));
    assert_true(ex_ring_publish(&p->a));
    assert_ok(put(&p->a, 8, 2));
    assert_false(ex_ring_publish(&p->a));
    ex_ring_wake(&p->b);
    assert_false(ex_ring_sleep(&p->b, EX_RING_WAKE_RECORD)); /* something is there */
    take(&p->b, 8, 1);
    take(&p->b, 8, 2);
    assert_true(ex_ring_sleep(&p->b, EX_RING_WAKE_RECORD));
    assert_ok(put(&p->a, 8, 3));
    assert_true(ex_ring_publish(&p->a));
    ex_ring_wake(&p->b);
}

static void only_what_is_waited_for_rings(void **state)
{
    struct pair *p = *state;
    assert_ok(put(&p->a, 8, 1));
    publish(&p->a);
    assert_true(ex_ring_sleep(&p->a, EX_RING_WAKE_RECORD));
    take(&p->b, 8, 1);
    assert_false(ex_ring_publish(&p->b)); /* space is not what a waits for */
    ex_ring_wake(&p->a);
    assert_ok(put(&p->a, 8, 2));
    publish(&p->a);
    uint8_t *record;
    while (ex_ring_reserve(&p->a, 8, &record) == SL_OK)
        ex_ring_commit(&p->a, 8, 1);
    assert_true(ex_ring_sleep(&p->a, EX_RING_WAKE_SPACE));
    take(&p->b, 8, 2);
    assert_true(ex_ring_publish(&p->b));
    ex_ring_wake(&p->a);
}

/* ---- started and cancelled */

static void started_and_cancelled_are_seen_by_the_peer(void **state)
{
    struct pair *p = *state;
    uint64_t ns;
    assert_int_equal(ex_ring_started(&p->a, &ns), 0);
    ex_ring_set_started(&p->b, 41, 123456789);
    assert_int_equal(ex_ring_started(&p->a, &ns), 41);
    assert_int_equal(ns, 123456789);
    assert_false(ex_ring_is_cancelled(&p->b, 5));
    ex_ring_cancel(&p->a, 5);
    ex_ring_cancel(&p->a, 70);
    assert_true(ex_ring_is_cancelled(&p->b, 5));
    assert_true(ex_ring_is_cancelled(&p->b, 70));
    assert_false(ex_ring_is_cancelled(&p->b, 6));
    assert_false(ex_ring_is_cancelled(&p->b, 69));
}

/* ---- a hostile peer */

static void write_u64(uint8_t *ring, size_t at, uint64_t value)
{
    memcpy(ring + at, &value, sizeof(value));
}

static void write_frame(uint8_t *ring, size_t at, uint32_t bytes, uint32_t kind)
{
    const uint32_t frame[2] = {bytes, kind};
    memcpy(ring + EX_RING_HEADER_BYTES + at, frame, sizeof(frame));
}

enum { AT_HEAD = 64, AT_CONSUMED = 128 };

static void a_head_that_lies_is_refused(void **state)
{
    static const uint64_t heads[] = {1, 63, 65, DATA_BYTES + 64, UINT64_MAX, UINT64_MAX - 63};
    struct pair *p = *state;
    struct ex_ring_record record;
    for (size_t i = 0; i < SL_ARRAY_LEN(heads); i++) {
        write_frame(p->ab, 0, 64, 1);
        write_u64(p->ab, AT_HEAD, heads[i]);
        assert_status(ex_ring_next(&p->b, &record), SL_EPROTO);
    }
}

static void a_head_that_goes_back_is_refused(void **state)
{
    struct pair *p = *state;
    struct ex_ring_record record;
    for (uint32_t n = 1; n <= 3; n++)
        assert_ok(put(&p->a, 64, n));
    publish(&p->a);
    for (uint32_t n = 1; n <= 3; n++)
        take(&p->b, 64, n);
    write_u64(p->ab, AT_HEAD, 64);
    assert_status(ex_ring_next(&p->b, &record), SL_EPROTO);
}

/* The peer may overwrite only what this side has given back. */
static void a_head_beyond_what_was_given_back_is_refused(void **state)
{
    struct pair *p = *state;
    struct ex_ring_record record;
    assert_ok(put(&p->a, 64, 1));
    publish(&p->a);
    take(&p->b, 64, 1); /* released, not published */
    write_u64(p->ab, AT_HEAD, DATA_BYTES + 64);
    assert_status(ex_ring_next(&p->b, &record), SL_EPROTO);
    publish(&p->b);
    write_frame(p->ab, 64, 64, 2);
    assert_ok(ex_ring_next(&p->b, &record));
}

static void frames_that_lie_are_refused(void **state)
{
    static const uint32_t frames[][2] = {
        {0, 1},                  /* no frame at all */
        {7, 1},                  /* shorter than a frame */
        {193, 1},                /* beyond the head */
        {DATA_BYTES / 4 + 1, 1}, /* larger than a record may be */
        {UINT32_MAX, 1},
        {64, 0}, /* a skip that does not reach the end */
        {DATA_BYTES, 0},
        {0, 0},
        {UINT32_MAX, 0},
    };
    struct pair *p = *state;
    struct ex_ring_record record;
    write_u64(p->ab, AT_HEAD, 192);
    for (size_t i = 0; i < SL_ARRAY_LEN(frames); i++) {
        write_frame(p->ab, 0, frames[i][0], frames[i][1]);
        assert_status(ex_ring_next(&p->b, &record), SL_EPROTO);
    }
    write_frame(p->ab, 0, 192, 1);
    assert_ok(ex_ring_next(&p->b, &record));
}

static void a_frame_across_the_end_is_refused(void **state)
{
    struct pair *p = *state;
    struct ex_ring_record record;
    for (uint32_t n = 1; n <= 3; n++) {
        assert_ok(put(&p->a, DATA_BYTES / 4, n));
        publish(&p->a);
        take(&p->b, DATA_BYTES / 4, n);
        publish(&p->b);
    }
    assert_ok(put(&p->a, DATA_BYTES / 4 - 64, 4));
    publish(&p->a);
    take(&p->b, DATA_BYTES / 4 - 64, 4);
    publish(&p->b);
    write_frame(p->ab, DATA_BYTES - 64, 128, 5); /* only 64 bytes are left there */
    write_u64(p->ab, AT_HEAD, DATA_BYTES + 64);
    assert_status(ex_ring_next(&p->b, &record), SL_EPROTO);
    write_frame(p->ab, DATA_BYTES - 64, 64, 5);
    assert_ok(ex_ring_next(&p->b, &record));
}

static void a_consumer_that_lies_is_refused(void **state)
{
    static const uint64_t counts[] = {32, DATA_BYTES + 64, UINT64_MAX & ~UINT64_C(63)};
    struct pair *p = *state;
    uint8_t *record;
    while (ex_ring_reserve(&p->a, 8, &record) == SL_OK)
        ex_ring_commit(&p->a, 8, 1);
    publish(&p->a);
    for (size_t i = 0; i < SL_ARRAY_LEN(counts); i++) {
        write_u64(p->ba, AT_CONSUMED, counts[i]);
        assert_status(ex_ring_reserve(&p->a, 8, &record), SL_EPROTO);
    }
    write_u64(p->ba, AT_CONSUMED, 128);
    assert_ok(ex_ring_reserve(&p->a, 8, &record));
    ex_ring_commit(&p->a, 8, 1);
    assert_ok(ex_ring_reserve(&p->a, 8, &record));
    ex_ring_commit(&p->a, 8, 1);
    write_u64(p->ba, AT_CONSUMED, 64); /* back */
    assert_status(ex_ring_reserve(&p->a, 8, &record), SL_EPROTO);
}

/* Whatever stands in the peer's ring: no step of this side leaves it. ASan sees one that does. */
static void any_noise_is_survived(void **state)
{
    struct pair *p = *state;
    struct sl_rng rng;
    sl_rng_seed(&rng, 11);
    for (int round = 0; round < 3000; round++) {
        struct ex_ring b;
        struct ex_ring_record record;
        assert_ok(ex_ring_attach(&b, p->ba, TOTAL_BYTES, p->ab, TOTAL_BYTES));
        for (int i = 0; i < 200; i++) {
            const size_t at = EX_RING_HEADER_BYTES + 64 * sl_rng_below(&rng, DATA_BYTES / 64);
            const uint32_t frame[2] = {(uint32_t)sl_rng_below(&rng, 1u << sl_rng_below(&rng, 20)),
                                       (uint32_t)sl_rng_below(&rng, 3)};
            memcpy(p->ab + at, frame, sizeof(frame));
        }
        write_u64(p->ab, AT_HEAD, 64 * sl_rng_below(&rng, DATA_BYTES / 64 + 2));
        while (ex_ring_next(&b, &record) == SL_OK) {
            volatile uint8_t last = record.bytes.data[record.bytes.len - 1];
            (void)last;
        }
    }
}

/* ---- two threads */

enum { THREAD_RECORDS = 100000 };

struct side {
    struct ex_ring *ring;
    int own_bell;
    int peer_bell;
    bool has_failed;
};

static void tell(struct side *s)
{
    const uint64_t one = 1;
    if (ex_ring_publish(s->ring) && write(s->peer_bell, &one, sizeof(one)) != sizeof(one))
        s->has_failed = true;
}

/* False: nobody rang for ten seconds. */
static bool wait_for_bell(struct side *s, unsigned wake_on)
{
    uint64_t count;
    struct pollfd fd = {.fd = s->own_bell, .events = POLLIN};
    if (!ex_ring_sleep(s->ring, wake_on))
        return true;
    const int n = poll(&fd, 1, 10000);
    if (n == 1 && read(s->own_bell, &count, sizeof(count)) != sizeof(count))
        s->has_failed = true;
    ex_ring_wake(s->ring);
    return n == 1;
}

static size_t size_of(uint32_t number)
{
    return 8 + number * 7919u % 3000;
}

/* Sends everything back with the same number. */
static void *echo(void *arg)
{
    struct side *s = arg;
    for (uint32_t done = 0; done < THREAD_RECORDS && !s->has_failed;) {
        struct ex_ring_record record;
        sl_status status = ex_ring_next(s->ring, &record);
        if (status == SL_OK) {
            uint8_t *out;
            while ((status = ex_ring_reserve(s->ring, record.bytes.len, &out)) == SL_EAGAIN) {
                tell(s);
                s->has_failed |= !wait_for_bell(s, EX_RING_WAKE_SPACE);
            }
            memcpy(out, record.bytes.data, record.bytes.len);
            ex_ring_commit(s->ring, record.bytes.len, record.kind);
            ex_ring_release(s->ring, record.end);
            tell(s);
            done++;
        } else if (status == SL_EAGAIN) {
            s->has_failed |= !wait_for_bell(s, EX_RING_WAKE_RECORD);
        }
        s->has_failed |= status != SL_OK && status != SL_EAGAIN;
    }
    return NULL;
}

static void drive(struct side *s)
{
    uint32_t in = 0;
    uint32_t out = 0;
    while (out < THREAD_RECORDS && !s->has_failed) {
        struct ex_ring_record record;
        while (in < THREAD_RECORDS && put(s->ring, size_of(in + 1), in + 1) == SL_OK)
            in++;
        tell(s);
        while (ex_ring_next(s->ring, &record) == SL_OK) {
            out++;
            assert_int_equal(record.kind, out);
            assert_int_equal(record.bytes.len, size_of(out));
            assert_true(is_filled(record.bytes, out));
            ex_ring_release(s->ring, record.end);
        }
        tell(s);
        if (out < THREAD_RECORDS)
            s->has_failed |= !wait_for_bell(s, EX_RING_WAKE_RECORD |
                                                   (in < THREAD_RECORDS ? EX_RING_WAKE_SPACE : 0));
    }
    assert_int_equal(out, THREAD_RECORDS);
}

static void two_threads_lose_nothing_and_no_wake_up(void **state)
{
    struct pair *p = *state;
    const int bells[2] = {eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC)};
    struct side a = {&p->a, bells[0], bells[1], false};
    struct side b = {&p->b, bells[1], bells[0], false};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, echo, &b), 0);
    drive(&a);
    pthread_join(thread, NULL);
    assert_false(a.has_failed);
    assert_false(b.has_failed);
    close(bells[0]);
    close(bells[1]);
}

/* ---- falling asleep while something comes */

enum { NAPS = 100000 };

struct sleeper {
    struct side side;
    uint64_t taken; /* atomic; UINT64_MAX: gave up */
};

/* Takes each record; in between it looks a while, then sleeps. */
static void *take_and_nap(void *arg)
{
    struct sleeper *s = arg;
    struct sl_rng rng;
    sl_rng_seed(&rng, 5);
    for (uint64_t taken = 0; taken < NAPS && !s->side.has_failed;) {
        struct ex_ring_record record;
        uint64_t patience = sl_rng_below(&rng, 8);
        sl_status status;
        while ((status = ex_ring_next(s->side.ring, &record)) == SL_EAGAIN && patience > 0)
            patience--;
        if (status != SL_OK) {
            s->side.has_failed |= !wait_for_bell(&s->side, EX_RING_WAKE_RECORD);
            continue;
        }
        ex_ring_release(s->side.ring, record.end);
        (void)!ex_ring_publish(s->side.ring); /* the other side never sleeps */
        __atomic_store_n(&s->taken, ++taken, __ATOMIC_RELEASE);
    }
    if (s->side.has_failed)
        __atomic_store_n(&s->taken, UINT64_MAX, __ATOMIC_RELEASE);
    return NULL;
}

/* Each record is answered before the next goes, so one lost wake-up stops everything. */
static void a_record_that_meets_a_falling_sleeper_wakes_it(void **state)
{
    struct pair *p = *state;
    const int bell = eventfd(0, EFD_CLOEXEC);
    struct side a = {&p->a, -1, bell, false};
    struct sleeper b = {{&p->b, bell, -1, false}, 0};
    struct sl_rng rng;
    pthread_t thread;
    sl_rng_seed(&rng, 6);
    assert_int_equal(pthread_create(&thread, NULL, take_and_nap, &b), 0);
    for (uint64_t n = 1; n <= NAPS; n++) {
        for (uint64_t i = sl_rng_below(&rng, 64); i > 0; i--)
            __asm__ volatile("");
        if (put(&p->a, 8, 1) != SL_OK)
            break; /* the other side gave up */
        tell(&a);
        while (__atomic_load_n(&b.taken, __ATOMIC_ACQUIRE) < n)
            continue;
    }
    pthread_join(thread, NULL);
    assert_false(b.side.has_failed);
    close(bell);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sizes_are_checked),
        TEST(nothing_is_seen_before_publish),
        TEST(records_have_a_largest_size),
        TEST(a_full_ring_says_not_now),
        TEST(any_sizes_come_out_as_they_went_in),
        TEST(a_reader_may_keep_records),
        TEST(a_doorbell_is_rung_once_per_sleep),
        TEST(only_what_is_waited_for_rings),
        TEST(started_and_cancelled_are_seen_by_the_peer),
        TEST(a_head_that_lies_is_refused),
        TEST(a_head_that_goes_back_is_refused),
        TEST(a_head_beyond_what_was_given_back_is_refused),
        TEST(frames_that_lie_are_refused),
        TEST(a_frame_across_the_end_is_refused),
        TEST(a_consumer_that_lies_is_refused),
        TEST(any_noise_is_survived),
        TEST(a_record_that_meets_a_falling_sleeper_wakes_it),
        TEST(two_threads_lose_nothing_and_no_wake_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
