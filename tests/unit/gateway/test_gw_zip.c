/* test_gw_zip.c - there and back, bombs, and every way to cut or change a stream. */
#include <stdlib.h>

#include "gw_zip.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { ROOM = 1 << 20 };

static const enum gw_encoding both[] = {GW_ENCODING_DEFLATE, GW_ENCODING_GZIP};
static uint8_t plain[ROOM], packed[ROOM + 1000], back[ROOM];

/* Half noise, half runs: neither stored nor free. */
static void fill(size_t len, uint64_t seed)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, seed);
    for (size_t i = 0; i < len; i++)
        plain[i] = i / 64 % 2 == 0 ? (uint8_t)sl_rng_u64(&rng) : 7;
}

static struct sl_span pack(enum gw_encoding e, size_t len)
{
    struct sl_span piece = sl_span_of(plain, len);
    size_t n;
    assert_ok(gw_zip_deflate(&sl_alloc_malloc, e, &piece, 1, packed, sizeof packed, &n));
    return sl_span_of(packed, n);
}

static void there_and_back(void **state SL_UNUSED)
{
    static const size_t lens[] = {0, 1, 2, 100, 32767, 32768, 32769, 65536, 100000, ROOM};
    for (size_t k = 0; k < 2 * SL_ARRAY_LEN(lens); k++) {
        enum gw_encoding e = both[k % 2];
        size_t len = lens[k / 2];
        uint64_t bytes = 1;
        fill(len, k);
        struct sl_span p = pack(e, len);
        assert_ok(gw_zip_measure(&sl_alloc_malloc, e, p, len, &bytes));
        assert_int_equal(bytes, len);
        uint8_t *exact = malloc(len > 0 ? len : 1); /* so that writing past it is seen */
        assert_ok(gw_zip_inflate(&sl_alloc_malloc, e, p, exact, len));
        assert_memory_equal(exact, plain, len);
        free(exact);
    }
}

static void pieces_of_any_size_make_one_stream(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 3);
    fill(50000, 3);
    for (int round = 0; round < 50; round++) {
        struct sl_span pieces[64];
        size_t at = 0, n;
        for (size_t i = 0; i < 64; i++) {
            size_t len = i == 63 ? 50000 - at : (size_t)sl_rng_below(&rng, 50000 - at + 1) / 8;
            pieces[i] = sl_span_of(plain + at, len);
            at += len;
        }
        assert_ok(gw_zip_deflate(&sl_alloc_malloc, GW_ENCODING_GZIP, pieces, 64, packed,
                                 sizeof packed, &n));
        assert_ok(
            gw_zip_inflate(&sl_alloc_malloc, GW_ENCODING_GZIP, sl_span_of(packed, n), back, 50000));
        assert_memory_equal(back, plain, 50000);
    }
}

static void a_bomb_ends_at_the_limit(void **state SL_UNUSED)
{
    memset(plain, 0, ROOM);
    for (size_t k = 0; k < 2; k++) {
        struct sl_span p = pack(both[k], ROOM);
        uint64_t bytes = 0;
        assert_true(p.len < ROOM / 200);
        assert_status(gw_zip_measure(&sl_alloc_malloc, both[k], p, ROOM - 1, &bytes), SL_ETOOBIG);
        assert_status(gw_zip_measure(&sl_alloc_malloc, both[k], p, 0, &bytes), SL_ETOOBIG);
        assert_status(gw_zip_inflate(&sl_alloc_malloc, both[k], p, back, ROOM - 1), SL_ETOOBIG);
        assert_status(gw_zip_inflate(&sl_alloc_malloc, both[k], p, back, 0), SL_ETOOBIG);
    }
}

static void gzip_says_its_size_and_lies_are_found(void **state SL_UNUSED)
{
    fill(3000, 9);
    struct sl_span p = pack(GW_ENCODING_GZIP, 3000);
    uint8_t *own = malloc(p.len);
    memcpy(own, p.data, p.len);
    struct sl_span lie = sl_span_of(own, p.len);
    uint64_t bytes = 0;
    assert_ok(gw_zip_size(&sl_alloc_malloc, GW_ENCODING_GZIP, p, 3000, &bytes));
    assert_int_equal(bytes, 3000);
    assert_status(gw_zip_size(&sl_alloc_malloc, GW_ENCODING_GZIP, p, 2999, &bytes), SL_ETOOBIG);
    for (uint64_t said = 2999; said <= 3001; said += 2) {
        own[p.len - 4] = (uint8_t)said;
        own[p.len - 3] = (uint8_t)(said >> 8);
        assert_ok(gw_zip_size(&sl_alloc_malloc, GW_ENCODING_GZIP, lie, ROOM, &bytes));
        assert_int_equal(bytes, said);
        sl_status s = gw_zip_inflate(&sl_alloc_malloc, GW_ENCODING_GZIP, lie, back, said);
        assert_status(s, said < 3000 ? SL_ETOOBIG : SL_EINVAL);
    }
    own[p.len - 1] = 1; /* 16 MiB out of 3000 bytes: no deflate can */
    assert_status(gw_zip_size(&sl_alloc_malloc, GW_ENCODING_GZIP, lie, 1 << 30, &bytes), SL_EINVAL);
    assert_status(
        gw_zip_size(&sl_alloc_malloc, GW_ENCODING_GZIP, sl_span_of(own, 17), ROOM, &bytes),
        SL_EINVAL);
    free(own);
    p = pack(GW_ENCODING_DEFLATE, 3000);
    assert_ok(gw_zip_size(&sl_alloc_malloc, GW_ENCODING_DEFLATE, p, 3000, &bytes));
    assert_int_equal(bytes, 3000);
}

static void less_than_promised_is_refused(void **state SL_UNUSED)
{
    fill(1000, 4);
    struct sl_span p = pack(GW_ENCODING_DEFLATE, 1000);
    assert_status(gw_zip_inflate(&sl_alloc_malloc, GW_ENCODING_DEFLATE, p, back, 1001), SL_EINVAL);
}

static void every_cut_is_refused(void **state SL_UNUSED)
{
    uint64_t bytes;
    fill(3000, 5);
    for (size_t k = 0; k < 2; k++) {
        struct sl_span p = pack(both[k], 3000);
        for (size_t len = 0; len < p.len; len++) {
            uint8_t *own = malloc(len > 0 ? len : 1);
            memcpy(own, p.data, len);
            assert_status(
                gw_zip_measure(&sl_alloc_malloc, both[k], sl_span_of(own, len), ROOM, &bytes),
                SL_EINVAL);
            assert_status(
                gw_zip_inflate(&sl_alloc_malloc, both[k], sl_span_of(own, len), back, 3000),
                SL_EINVAL);
            free(own);
        }
    }
}

static void what_is_not_a_stream_is_refused(void **state SL_UNUSED)
{
    uint64_t bytes;
    fill(3000, 6);
    struct sl_span p = pack(GW_ENCODING_GZIP, 3000);
    assert_status(gw_zip_measure(&sl_alloc_malloc, GW_ENCODING_DEFLATE, p, ROOM, &bytes),
                  SL_EINVAL);
    packed[p.len] = 0; /* a byte after the end */
    assert_status(gw_zip_measure(&sl_alloc_malloc, GW_ENCODING_GZIP, sl_span_of(packed, p.len + 1),
                                 ROOM, &bytes),
                  SL_EINVAL);
    packed[p.len - 5] ^= 1; /* the checksum */
    assert_status(gw_zip_measure(&sl_alloc_malloc, GW_ENCODING_GZIP, p, ROOM, &bytes), SL_EINVAL);
    assert_status(
        gw_zip_measure(&sl_alloc_malloc, GW_ENCODING_GZIP, sl_span_of(plain, 3000), ROOM, &bytes),
        SL_EINVAL);
}

static void what_does_not_shrink_is_left_alone(void **state SL_UNUSED)
{
    struct sl_rng rng;
    size_t n;
    sl_rng_seed(&rng, 8);
    for (size_t i = 0; i < 10000; i++)
        plain[i] = (uint8_t)sl_rng_u64(&rng);
    for (size_t max = 0; max < 10000; max += 1111) {
        struct sl_span piece = sl_span_of(plain, 10000);
        uint8_t *own = malloc(max > 0 ? max : 1);
        assert_status(gw_zip_deflate(&sl_alloc_malloc, GW_ENCODING_GZIP, &piece, 1, own, max, &n),
                      SL_ETOOBIG);
        free(own);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(pieces_of_any_size_make_one_stream),
        cmocka_unit_test(a_bomb_ends_at_the_limit),
        cmocka_unit_test(gzip_says_its_size_and_lies_are_found),
        cmocka_unit_test(less_than_promised_is_refused),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(what_is_not_a_stream_is_refused),
        cmocka_unit_test(what_does_not_shrink_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
