/* test_gw_h2_out.c - what is appended comes out in its order, copied or by reference, however it is
 * consumed. */
#include "fail_alloc.h"
#include "gw_h2_out.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { MAX = 4096, TOTAL = 1 << 16 };

static uint8_t source[TOTAL + MAX];

static size_t view_bytes(const struct gw_h2_out *o, uint8_t *out)
{
    struct iovec v[GW_H2_OUT_PARTS_MAX];
    size_t n = gw_h2_out_view(o, v, GW_H2_OUT_PARTS_MAX), total = 0;
    for (size_t i = 0; i < n; total += v[i++].iov_len)
        memcpy(out + total, v[i].iov_base, v[i].iov_len);
    return total;
}

/* Appends the next bytes of source; the position moves when there was room. */
static void append_some(struct gw_h2_out *o, struct sl_rng *rng, size_t *at)
{
    size_t n = (size_t)sl_rng_below(rng, 300);
    sl_status s = sl_rng_below(rng, 2) == 0 ? gw_h2_out_copy(o, source + *at, n)
                                            : gw_h2_out_borrow(o, source + *at, n);
    assert_true(s == SL_OK || s == SL_EFULL || s == SL_ETOOBIG);
    if (s == SL_OK)
        *at += n;
}

static void nothing_is_lost_or_turned_round(void **state SL_UNUSED)
{
    static uint8_t seen[GW_H2_OUT_PARTS_MAX * MAX];
    struct gw_h2_out o;
    struct sl_rng rng;
    size_t in = 0, out = 0;
    sl_rng_seed(&rng, 9);
    gw_h2_out_init(&o, &sl_alloc_malloc, MAX);
    while (in < TOTAL) {
        for (uint64_t i = sl_rng_below(&rng, 80); i > 0 && in < TOTAL; i--)
            append_some(&o, &rng, &in);
        assert_int_equal(gw_h2_out_pending(&o), in - out);
        assert_int_equal(view_bytes(&o, seen), in - out);
        assert_memory_equal(seen, source + out, in - out);
        size_t n = in == out ? 0 : (size_t)sl_rng_below(&rng, in - out + 1);
        if (sl_rng_below(&rng, 3) == 0)
            n = in - out;
        gw_h2_out_consume(&o, n);
        out += n;
    }
    gw_h2_out_finish(&o);
}

static void the_bounds_hold(void **state SL_UNUSED)
{
    struct gw_h2_out o;
    gw_h2_out_init(&o, &sl_alloc_malloc, 100);
    assert_status(gw_h2_out_copy(&o, source, 101), SL_ETOOBIG);
    assert_ok(gw_h2_out_copy(&o, source, 100));
    assert_status(gw_h2_out_copy(&o, source, 1), SL_ETOOBIG);
    for (size_t i = 1; i < GW_H2_OUT_PARTS_MAX; i++)
        assert_ok(gw_h2_out_borrow(&o, source, 1));
    assert_int_equal(gw_h2_out_free_parts(&o), 0);
    assert_status(gw_h2_out_borrow(&o, source, 1), SL_EFULL);
    assert_status(gw_h2_out_copy(&o, source, 1), SL_EFULL);
    assert_int_equal(gw_h2_out_pending(&o), 100 + GW_H2_OUT_PARTS_MAX - 1);
    gw_h2_out_consume(&o, gw_h2_out_pending(&o));
    assert_ok(gw_h2_out_copy(&o, source, 100));
    gw_h2_out_finish(&o);
}

static void without_memory_nothing_changes(void **state SL_UNUSED)
{
    struct fail_alloc f;
    struct gw_h2_out o;
    fail_alloc_init(&f);
    gw_h2_out_init(&o, &f.alloc, MAX);
    f.fail_at = f.calls + 1;
    assert_status(gw_h2_out_copy(&o, source, 10), SL_ENOMEM);
    assert_int_equal(gw_h2_out_pending(&o), 0);
    assert_ok(gw_h2_out_copy(&o, source, 10));
    gw_h2_out_finish(&o);
    assert_int_equal(fail_alloc_finish(&f), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_or_turned_round),
        cmocka_unit_test(the_bounds_hold),
        cmocka_unit_test(without_memory_nothing_changes),
    };
    for (size_t i = 0; i < sizeof source; i++)
        source[i] = (uint8_t)(i * 131 + i / 256);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
