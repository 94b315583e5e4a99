/* test_sl_buf.c - growth up to the maximum and not one byte further; errors change nothing. */
#include "fail_alloc.h"
#include "sl_base.h"
#include "sl_buf.h"
#include "sl_rng.h"
#include "sl_test.h"

static void append_adds_up(void **state SL_UNUSED)
{
    struct sl_buf b;
    sl_buf_init(&b, &sl_alloc_malloc, 100);
    assert_ok(sl_buf_append(&b, "abc", 3));
    assert_ok(sl_buf_append(&b, NULL, 0));
    assert_ok(sl_buf_append(&b, "def", 3));
    assert_span_text(sl_buf_span(&b), "abcdef");
    sl_buf_finish(&b);
}

static void maximum_is_exact(void **state SL_UNUSED)
{
    struct sl_buf b;
    sl_buf_init(&b, &sl_alloc_malloc, 10);
    assert_ok(sl_buf_append(&b, "0123456789", 10));
    assert_status(sl_buf_append(&b, "x", 1), SL_ETOOBIG);
    assert_status(sl_buf_printf(&b, "x"), SL_ETOOBIG);
    assert_status(sl_buf_reserve(&b, SIZE_MAX), SL_ETOOBIG);
    assert_ok(sl_buf_printf(&b, "%s", ""));
    assert_span_text(sl_buf_span(&b), "0123456789");
    assert_true(b.capacity <= 10);
    sl_buf_finish(&b);
}

static void printf_may_fill_it_to_the_last_byte(void **state SL_UNUSED)
{
    struct sl_buf b;
    sl_buf_init(&b, &sl_alloc_malloc, 10);
    assert_ok(sl_buf_printf(&b, "%d-%s", 12345, "abcd"));
    assert_span_text(sl_buf_span(&b), "12345-abcd");
    sl_buf_finish(&b);
}

static void nothing_fits_a_maximum_of_zero(void **state SL_UNUSED)
{
    struct sl_buf b;
    sl_buf_init(&b, &sl_alloc_malloc, 0);
    assert_status(sl_buf_append(&b, "x", 1), SL_ETOOBIG);
    assert_ok(sl_buf_append(&b, "", 0));
    assert_ok(sl_buf_reserve(&b, 0));
    assert_null(b.data);
    sl_buf_finish(&b);
}

static void grows_by_doubling(void **state SL_UNUSED)
{
    struct fail_alloc f;
    struct sl_buf b;
    fail_alloc_init(&f);
    sl_buf_init(&b, &f.alloc, 1 << 20);
    for (int i = 0; i < 1 << 20; i++)
        assert_ok(sl_buf_append(&b, "x", 1));
    assert_in_range(f.calls, 10, 16);
    assert_int_equal(f.live_blocks, 1);
    sl_buf_finish(&b);
    assert_int_equal(fail_alloc_finish(&f), 0);
}

static void huge_maximum_is_no_memory(void **state SL_UNUSED)
{
    struct sl_buf b;
    sl_buf_init(&b, &sl_alloc_malloc, SIZE_MAX);
    assert_status(sl_buf_reserve(&b, SIZE_MAX), SL_ENOMEM);
    assert_status(sl_buf_reserve(&b, SIZE_MAX / 2 + 2), SL_ENOMEM);
    assert_ok(sl_buf_append(&b, "a", 1));
    sl_buf_finish(&b);
}

static void no_memory_changes_nothing(void **state SL_UNUSED)
{
    struct fail_alloc f;
    struct sl_buf b;
    fail_alloc_init(&f);
    sl_buf_init(&b, &f.alloc, 1000);
    assert_ok(sl_buf_append(&b, "abc", 3));
    f.fail_at = f.calls + 1;
    f.keeps_failing = true;
    char large[500] = "";
    assert_status(sl_buf_append(&b, large, sizeof(large)), SL_ENOMEM);
    assert_status(sl_buf_printf(&b, "%500d", 1), SL_ENOMEM);
    assert_span_text(sl_buf_span(&b), "abc");
    sl_buf_finish(&b);
    assert_int_equal(fail_alloc_finish(&f), 0);
}

static void consume_drops_the_front(void **state SL_UNUSED)
{
    struct sl_buf b;
    sl_buf_init(&b, &sl_alloc_malloc, 100);
    sl_buf_consume(&b, 0);
    assert_ok(sl_buf_append(&b, "abcdef", 6));
    sl_buf_consume(&b, 0);
    sl_buf_consume(&b, 2);
    assert_span_text(sl_buf_span(&b), "cdef");
    sl_buf_consume(&b, 4);
    assert_int_equal(b.len, 0);
    sl_buf_finish(&b);
}

static void clear_keeps_finish_frees(void **state SL_UNUSED)
{
    struct fail_alloc f;
    struct sl_buf b;
    fail_alloc_init(&f);
    sl_buf_init(&b, &f.alloc, 100);
    assert_ok(sl_buf_append(&b, "abc", 3));
    sl_buf_clear(&b);
    assert_int_equal(b.len, 0);
    assert_int_equal(f.live_blocks, 1);
    sl_buf_finish(&b);
    assert_int_equal(f.live_blocks, 0);
    assert_ok(sl_buf_append(&b, "again", 5));
    assert_span_text(sl_buf_span(&b), "again");
    sl_buf_finish(&b);
    sl_buf_finish(&b);
}

/* Against a plain array: random appends, prints and consumes, with allocations failing now and
 * then. */
static void random_operations(void **state SL_UNUSED)
{
    enum { MAX = 3000 };
    static char model[MAX + 1];
    struct sl_rng rng;
    struct fail_alloc f;
    struct sl_buf b;
    sl_rng_seed(&rng, 7);
    fail_alloc_init(&f);
    sl_buf_init(&b, &f.alloc, MAX);
    size_t len = 0;
    for (int i = 0; i < 20000; i++) {
        char piece[128];
        size_t piece_len = sl_rng_below(&rng, 100);
        memset(piece, 'a' + i % 26, piece_len);
        piece[piece_len] = '\0';
        f.fail_at = sl_rng_below(&rng, 4) == 0 ? f.calls + 1 : 0;
        sl_status s = sl_rng_below(&rng, 2) ? sl_buf_append(&b, piece, piece_len)
                                            : sl_buf_printf(&b, "%s", piece);
        assert_true((s == SL_ETOOBIG) == (len + piece_len > MAX));
        if (s == SL_OK) {
            memcpy(model + len, piece, piece_len + 1);
            len += piece_len;
        }
        if (sl_rng_below(&rng, 3) == 0) {
            size_t drop = sl_rng_below(&rng, len + 1);
            sl_buf_consume(&b, drop);
            memmove(model, model + drop, len - drop);
            len -= drop;
        }
        if (sl_rng_below(&rng, 50) == 0) {
            sl_buf_finish(&b);
            len = 0;
        }
        assert_int_equal(b.len, len);
        assert_true(len == 0 || memcmp(b.data, model, len) == 0);
    }
    sl_buf_finish(&b);
    assert_int_equal(fail_alloc_finish(&f), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append_adds_up),
        cmocka_unit_test(maximum_is_exact),
        cmocka_unit_test(printf_may_fill_it_to_the_last_byte),
        cmocka_unit_test(nothing_fits_a_maximum_of_zero),
        cmocka_unit_test(grows_by_doubling),
        cmocka_unit_test(huge_maximum_is_no_memory),
        cmocka_unit_test(no_memory_changes_nothing),
        cmocka_unit_test(consume_drops_the_front),
        cmocka_unit_test(clear_keeps_finish_frees),
        cmocka_unit_test(random_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
