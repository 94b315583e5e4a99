/* test_gw_learn_code.c - what is written is read, learns on as the original would, and has one
 * form; anything else is refused. */
#include "gw_learn_code.h"

#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

static sl_gpu_us any_duration(struct sl_rng *rng)
{
    return (sl_gpu_us)(sl_rng_u64(rng) >> (1 + sl_rng_below(rng, 63)));
}

static void assert_same(const struct gw_learn *a, const struct gw_learn *b)
{
    assert_int_equal(a->count, b->count);
    for (unsigned percent = 1; percent <= 100; percent++)
        assert_int_equal(gw_learn_percentile(a, percent), gw_learn_percentile(b, percent));
}

static void a_copy_learns_on_as_the_original(void **state SL_UNUSED)
{
    static struct gw_learn original, copy;
    static uint8_t bytes[GW_LEARN_BYTES_MAX], again[GW_LEARN_BYTES_MAX];
    struct sl_rng rng;
    sl_rng_seed(&rng, 3);
    for (int i = 0; i < 400; i++) {
        size_t len = gw_learn_encode(&original, bytes);
        assert_ok(gw_learn_decode(sl_span_of(bytes, len), &copy));
        assert_same(&original, &copy);
        assert_int_equal(gw_learn_encode(&copy, again), len);
        assert_memory_equal(bytes, again, len);
        for (int n = 0; n < 7; n++) { /* and forgets the same ones */
            sl_gpu_us v = any_duration(&rng);
            gw_learn_add(&original, v);
            gw_learn_add(&copy, v);
        }
        assert_same(&original, &copy);
    }
}

static void assert_refused(const void *bytes, size_t len, sl_status why)
{
    struct gw_learn out = {.count = 77};
    assert_status(gw_learn_decode(sl_span_of(bytes, len), &out), why);
    assert_int_equal(out.count, 77);
}

static void other_bytes_are_refused(void **state SL_UNUSED)
{
    uint8_t many[3 + 129] = {1, 0x81, 0x01};
    memset(many + 3, 1, sizeof many - 3);
    assert_refused("", 0, SL_EPROTO);
    assert_refused("\1", 1, SL_EPROTO);
    assert_refused("\2\0", 2, SL_ENEVER);
    assert_refused("\1\0\0", 3, SL_EPROTO);     /* bytes behind */
    assert_refused("\1\1", 2, SL_EPROTO);       /* a sample is missing */
    assert_refused("\1\1\0", 3, SL_EPROTO);     /* nothing takes no time */
    assert_refused("\1\1\x81\0", 4, SL_EPROTO); /* longer than it must be */
    assert_refused("\1\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 12, SL_EPROTO);
    assert_refused(many, sizeof many, SL_EPROTO); /* 129 samples */
}

static void what_random_bytes_give_has_one_form(void **state SL_UNUSED)
{
    static uint8_t bytes[64], again[GW_LEARN_BYTES_MAX];
    static struct gw_learn l;
    struct sl_rng rng;
    size_t read = 0;
    sl_rng_seed(&rng, 5);
    for (int i = 0; i < 50000; i++) {
        size_t len = sl_rng_below(&rng, 10);
        for (size_t at = 0; at < len; at++)
            bytes[at] =
                (uint8_t)(sl_rng_below(&rng, 2) ? sl_rng_below(&rng, 4) : sl_rng_below(&rng, 256));
        if (gw_learn_decode(sl_span_of(bytes, len), &l) != SL_OK)
            continue;
        read++;
        assert_int_equal(gw_learn_encode(&l, again), len);
        assert_memory_equal(bytes, again, len);
    }
    assert_true(read > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_learns_on_as_the_original),
        cmocka_unit_test(other_bytes_are_refused),
        cmocka_unit_test(what_random_bytes_give_has_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
