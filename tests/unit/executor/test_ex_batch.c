/* test_ex_batch.c - who may join, and laws B1 to B3 for random runs. */
#include "ex_batch.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { ROUNDS = 3000 };

static const int64_t three_four[] = {3, 4}, five_four[] = {5, 4}, three_five[] = {3, 5};

static struct ex_record_tensor tensor(uint16_t index, const int64_t *dims, uint16_t rank)
{
    return (struct ex_record_tensor){.bytes = 48, .index = index, .rank = rank, .dims = dims};
}

static void test_items_are_the_rows_of_all_inputs(void **state)
{
    const struct ex_record_tensor inputs[] = {tensor(0, three_four, 2), tensor(1, three_five, 2),
                                              tensor(2, five_four, 2), tensor(3, NULL, 0)};
    (void)state;
    assert_int_equal(ex_batch_items(&(struct ex_job){.inputs = inputs, .input_count = 2}), 3);
    assert_int_equal(ex_batch_items(&(struct ex_job){.inputs = inputs, .input_count = 3}), 0);
    assert_int_equal(ex_batch_items(&(struct ex_job){.inputs = inputs + 3, .input_count = 1}), 0);
    assert_int_equal(ex_batch_items(&(struct ex_job){.input_count = 0}), 0);
    assert_int_equal(ex_batch_bytes(&(struct ex_job){.inputs = inputs, .input_count = 3}), 144);
}

static bool is_alike(const struct ex_record_tensor *a, const struct ex_record_tensor *b)
{
    const struct ex_job x = {.inputs = a, .input_count = 1}, y = {.inputs = b, .input_count = 1};
    return ex_batch_is_alike(&x, &y);
}

static void test_shapes_are_alike_but_for_items(void **state)
{
    const struct ex_record_tensor a = tensor(0, three_four, 2), b = tensor(0, five_four, 2);
    const struct ex_record_tensor wide = tensor(0, three_five, 2), other = tensor(1, three_four, 2);
    const struct ex_record_tensor flat = tensor(0, three_four, 1);
    (void)state;
    assert_true(is_alike(&a, &b));
    assert_false(is_alike(&a, &wide));
    assert_false(is_alike(&a, &other));
    assert_false(is_alike(&a, &flat));
    const struct ex_job all = {.wanted = 3}, some = {.wanted = 1};
    assert_false(ex_batch_is_alike(&all, &some));
}

static bool same_params(struct ex_param a, struct ex_param b)
{
    const struct ex_job x = {.params = &a, .param_count = 1}, y = {.params = &b, .param_count = 1};
    return ex_batch_is_alike(&x, &y);
}

static void test_parameters_are_the_same(void **state)
{
    struct ex_param a = {.name = "seed", .kind = EX_PARAM_INT, .value.i = 1}, b = a;
    (void)state;
    assert_true(same_params(a, b));
    b.value.i = 2;
    assert_false(same_params(a, b));
    b.kind = EX_PARAM_UINT;
    assert_false(same_params(a, b));
    b = (struct ex_param){.name = "other", .kind = EX_PARAM_INT, .value.i = 1};
    assert_false(same_params(a, b));
    a = (struct ex_param){.name = "text", .kind = EX_PARAM_STRING, .value.s = "x"};
    b = a;
    b.value.s = "y";
    assert_true(same_params(a, a));
    assert_false(same_params(a, b));
    a = (struct ex_param){.name = "x", .kind = EX_PARAM_DOUBLE, .value.d = 0.5};
    b = a;
    b.value.d = 0.25;
    assert_true(same_params(a, a));
    assert_false(same_params(a, b));
    assert_false(ex_batch_is_alike(&(struct ex_job){.params = &a, .param_count = 1},
                                   &(struct ex_job){.param_count = 0}));
}

static void test_the_first_is_taken_and_limits_hold_for_others(void **state)
{
    struct ex_batch b = {.calls = 0};
    (void)state;
    assert_true(ex_batch_add(&b, 4, 100, 1, 10)); /* more than a run may have: alone */
    assert_false(ex_batch_add(&b, 4, 1, 1, 10));
    b = (struct ex_batch){.calls = 0};
    assert_true(ex_batch_add(&b, 4, 1, EX_BATCH_BYTES_MAX + 1, 10)); /* the same */
    assert_false(ex_batch_add(&b, 4, 1, 1, 10));
    b = (struct ex_batch){.calls = 0};
    assert_true(ex_batch_add(&b, 4, 3, EX_BATCH_BYTES_MAX - 1, 10));
    assert_false(ex_batch_add(&b, 4, 2, 1, 10));
    assert_false(ex_batch_add(&b, 4, 1, 2, 10));
    assert_false(ex_batch_add(&b, 4, 1, 1, 21));
    assert_false(ex_batch_add(&b, 4, 1, 1, 4));
    assert_true(ex_batch_add(&b, 4, 1, 1, 20));
    assert_true(b.calls == 2 && b.items == 4 && b.bytes == EX_BATCH_BYTES_MAX);
    assert_true(b.shortest_us == 10 && b.longest_us == 20);
}

/* B1, whatever comes in whatever order. */
static void test_durations_stay_within_twice(void **state)
{
    struct sl_rng rng;
    (void)state;
    sl_rng_seed(&rng, 1);
    for (int round = 0; round < ROUNDS; round++) {
        struct ex_batch b = {.calls = 0};
        sl_gpu_us least = INT64_MAX, most = 0;
        for (int i = 0; i < 20; i++) {
            const sl_gpu_us limit = 1 + (sl_gpu_us)sl_rng_below(&rng, 1000);
            if (!ex_batch_add(&b, 1000, 1, 1, limit))
                continue;
            least = limit < least ? limit : least;
            most = limit > most ? limit : most;
        }
        assert_true(most <= EX_BATCH_LIMIT_RATIO * least);
        assert_true(b.shortest_us == least && b.longest_us == most);
    }
}

/* B3 */
static void test_shares_sum_up(void **state)
{
    struct sl_rng rng;
    (void)state;
    sl_rng_seed(&rng, 2);
    for (int round = 0; round < ROUNDS; round++) {
        const size_t count = 1 + sl_rng_below(&rng, EX_BATCH_MAX);
        const sl_gpu_us whole = (sl_gpu_us)(sl_rng_u64(&rng) >> (1 + sl_rng_below(&rng, 62)));
        int64_t items[EX_BATCH_MAX], all = 0;
        for (size_t i = 0; i < count; i++)
            all += items[i] = 1 + (int64_t)sl_rng_below(&rng, 5);
        sl_gpu_us first = whole;
        for (size_t i = 1; i < count; i++) {
            const sl_gpu_us share = ex_batch_share(whole, items[i], all);
            assert_true(share >= 0 && share <= whole);
            first -= share;
        }
        const sl_gpu_us even = ex_batch_share(whole, items[0], all);
        assert_true(first >= even && first - even < (sl_gpu_us)count);
    }
}

/* ---- B2 */

static uint8_t bytes[1 << 16];

static size_t put_text(size_t at, struct sl_rng *rng)
{
    const uint32_t len = (uint32_t)sl_rng_below(rng, 9);
    memcpy(bytes + at, &len, sizeof(len));
    return at + sizeof(len) + len;
}

static void test_cuts_are_all_of_an_output(void **state)
{
    struct sl_rng rng;
    (void)state;
    sl_rng_seed(&rng, 3);
    for (int round = 0; round < ROUNDS; round++) {
        const size_t count = 1 + sl_rng_below(&rng, 20);
        const bool is_text = sl_rng_below(&rng, 2) == 0;
        const int64_t width = (int64_t)sl_rng_below(&rng, 4);
        int64_t items[20], dims[2] = {0, width};
        uint64_t wanted[20], ends[20];
        size_t at = 0;
        for (size_t i = 0; i < count; i++) {
            dims[0] += items[i] = 1 + (int64_t)sl_rng_below(&rng, 5);
            for (int64_t k = 0; k < items[i] * width; k++)
                at = is_text ? put_text(at, &rng) : at + 4;
            wanted[i] = at;
        }
        struct ex_output output = {.dtype = is_text ? SL_DTYPE_BYTES : SL_DTYPE_FP32,
                                   .dims = dims,
                                   .rank = 2,
                                   .bytes = sl_span_of(bytes, at)};
        assert_true(ex_batch_cut(&output, items, count, ends));
        assert_memory_equal(ends, wanted, count * sizeof(ends[0]));
        dims[0]++;
        assert_false(ex_batch_cut(&output, items, count, ends));
    }
}

static void test_outputs_that_cannot_be_cut(void **state)
{
    const int64_t two[] = {2, 1}, items[] = {1, 1};
    uint64_t ends[2];
    struct ex_output o = {.dtype = SL_DTYPE_BYTES, .dims = two, .rank = 0};
    (void)state;
    assert_false(ex_batch_cut(&o, items, 2, ends)); /* a single value */
    o.rank = 2;
    for (size_t len = 0; len < 12; len++) { /* ends early, wherever */
        memset(bytes, 0, 12);
        bytes[4] = 4;
        o.bytes = sl_span_of(bytes, len);
        assert_false(ex_batch_cut(&o, items, 2, ends));
    }
    o.bytes = sl_span_of(bytes, 12);
    assert_true(ex_batch_cut(&o, items, 2, ends));
    assert_true(ends[0] == 4 && ends[1] == 12);
    o.bytes = sl_span_of(bytes, 13); /* more than its texts */
    assert_false(ex_batch_cut(&o, items, 2, ends));
    memset(bytes, 0xff, 12); /* a length beyond all */
    o.bytes = sl_span_of(bytes, 12);
    assert_false(ex_batch_cut(&o, items, 2, ends));
    o.dtype = SL_DTYPE_FP32;
    o.bytes = sl_span_of(bytes, 9); /* not as many bytes for each */
    assert_false(ex_batch_cut(&o, items, 2, ends));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_are_the_rows_of_all_inputs),
        cmocka_unit_test(test_shapes_are_alike_but_for_items),
        cmocka_unit_test(test_parameters_are_the_same),
        cmocka_unit_test(test_the_first_is_taken_and_limits_hold_for_others),
        cmocka_unit_test(test_durations_stay_within_twice),
        cmocka_unit_test(test_shares_sum_up),
        cmocka_unit_test(test_cuts_are_all_of_an_output),
        cmocka_unit_test(test_outputs_that_cannot_be_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
