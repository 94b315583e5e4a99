/* test_gw_asks.c - durations, sizes and waits: what may be asked, in which words, within which
 * limits. */
#include "gw_asks.h"

#include <math.h>

#include "infer_builder.h"
#include "sl_base.h"
#include "sl_test.h"

static const struct gw_tiers tiers = {.sizes = {{"large", 500, 0, 1000}, {"xlarge", 1000, 0, 2000}},
                                      .size_count = 2};
static const struct gw_ask_limits limits = {.tiers = &tiers,
                                            .max_duration_us = 300 * SL_US_PER_S,
                                            .max_wait_default_ns = 60 * SL_NS_PER_S,
                                            .max_wait_limit_ns = 600 * SL_NS_PER_S};

static void durations_are_read_in_seconds_and_units(void **state SL_UNUSED)
{
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {{"5", 5000000},    {"0.5", 500000}, {"500ms", 500000},
                 {"2m", 120000000}, {"1us", 1},      {"1.5s", 1500000}};
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        struct gw_asks asks = {0};
        struct sl_error err;
        assert_true(gw_ask_duration(&asks, sl_span_str(cases[i].text), &err));
        assert_int_equal(asks.duration_us, cases[i].us);
    }
}

static void what_is_no_duration_is_quoted(void **state SL_UNUSED)
{
    static const char *const bad[] = {"", "0", "-1", "abc", "AUTO", "1x", "999ns", "1e3", "5 "};
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++) {
        struct gw_asks asks = {.duration_us = 77};
        struct sl_error err;
        char wanted[128];
        snprintf(wanted, sizeof wanted,
                 "sluice-duration '%s' is neither a duration above 0, such as 5, 0.5 or 500ms, nor "
                 "auto",
                 bad[i]);
        assert_false(gw_ask_duration(&asks, sl_span_str(bad[i]), &err));
        assert_int_equal(err.reason, SL_REASON_BAD_INPUT);
        assert_string_equal(err.text, wanted);
        assert_int_equal(asks.duration_us, 77);
    }
}

static void auto_is_no_number(void **state SL_UNUSED)
{
    struct gw_asks asks = {.duration_us = 77};
    struct sl_error err;
    assert_true(gw_ask_duration(&asks, sl_span_str("auto"), &err));
    assert_true(asks.is_auto);
    assert_int_equal(asks.duration_us, 0);
    assert_true(gw_ask_duration(&asks, sl_span_str("5"), &err)); /* what comes later counts */
    assert_false(asks.is_auto);
    assert_int_equal(asks.duration_us, 5 * SL_US_PER_S);
}

static void sizes_are_names_of_the_table(void **state SL_UNUSED)
{
    struct gw_asks asks = {0};
    struct sl_error err;
    assert_null(asks.size); /* the model's own */
    assert_true(gw_ask_size(&asks, sl_span_str("large"), &limits, &err));
    assert_ptr_equal(asks.size, &tiers.sizes[0]);
    assert_true(gw_ask_size(&asks, sl_span_str("xlarge"), &limits, &err));
    assert_ptr_equal(asks.size, &tiers.sizes[1]);
    assert_false(gw_ask_size(&asks, sl_span_str("LARGE"), &limits, &err));
    assert_int_equal(err.reason, SL_REASON_BAD_INPUT);
    assert_string_equal(err.text, "sluice-size 'LARGE' is none of large, xlarge");
}

static void waits_have_a_limit(void **state SL_UNUSED)
{
    struct gw_asks asks = {0};
    struct sl_error err;
    assert_true(gw_ask_max_wait(&asks, sl_span_str("600"), &limits, &err));
    assert_int_equal(asks.max_wait_ns, 600 * SL_NS_PER_S);
    assert_true(gw_ask_max_wait(&asks, sl_span_str("1ns"), &limits, &err));
    assert_int_equal(asks.max_wait_ns, 1);
    static const char *const bad[] = {"601", "0", "x", "11m"};
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++) {
        char wanted[128];
        snprintf(wanted, sizeof wanted,
                 "sluice-max-wait '%s' is not a duration above 0 and up to 10m", bad[i]);
        assert_false(gw_ask_max_wait(&asks, sl_span_str(bad[i]), &limits, &err));
        assert_string_equal(err.text, wanted);
        assert_int_equal(asks.max_wait_ns, 1);
    }
}

/* ---- as parameters of the request */

static bool from_params(struct infer_builder *b, struct gw_asks *asks, struct sl_error *err)
{
    struct sl_arena arena;
    struct gw_peek peek;
    struct sl_span m = infer_bytes(b);
    *err = (struct sl_error){0};
    sl_arena_init(&arena, &sl_alloc_malloc, 1 << 16);
    gw_peek_init(&peek, &arena);
    assert_true(gw_peek_feed(&peek, m.data, m.len, m.len, err));
    bool ok = gw_asks_from_params(asks, &peek, m.data, &limits, err);
    sl_arena_finish(&arena);
    infer_end(b);
    return ok;
}

static Inference__InferParameter *begin_param(struct infer_builder *b, const char *name)
{
    infer_begin(b, "m");
    return infer_param(b, name);
}

static void set_double(Inference__InferParameter *p, double v)
{
    p->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_DOUBLE_PARAM;
    p->double_param = v;
}

static void set_int(Inference__InferParameter *p, int64_t v)
{
    p->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_INT64_PARAM;
    p->int64_param = v;
}

static void parameters_of_any_kind_say_the_same(void **state SL_UNUSED)
{
    struct infer_builder b;
    struct gw_asks asks = {0};
    struct sl_error err;
    set_int(begin_param(&b, "sluice_duration"), 5);
    assert_true(from_params(&b, &asks, &err));
    assert_int_equal(asks.duration_us, 5000000);
    set_double(begin_param(&b, "sluice_duration"), 0.25);
    assert_true(from_params(&b, &asks, &err));
    assert_int_equal(asks.duration_us, 250000);
    Inference__InferParameter *p = begin_param(&b, "sluice_max_wait");
    p->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_UINT64_PARAM;
    p->uint64_param = 9;
    infer_param_string(&b, "sluice_size", "large");
    infer_param_string(&b, "sluice_duration", "500ms");
    assert_true(from_params(&b, &asks, &err));
    assert_int_equal(asks.max_wait_ns, 9 * SL_NS_PER_S);
    assert_int_equal(asks.duration_us, 500000);
}

/* Metadata comes first; the parameter is nearer to the call. */
static void a_parameter_wins_over_metadata(void **state SL_UNUSED)
{
    struct infer_builder b;
    struct gw_asks asks = {0};
    struct sl_error err;
    assert_true(gw_ask_duration(&asks, sl_span_str("9"), &err));
    set_int(begin_param(&b, "sluice_duration"), 3);
    assert_true(from_params(&b, &asks, &err));
    assert_int_equal(asks.duration_us, 3000000);
}

static void parameters_of_others_are_not_ours(void **state SL_UNUSED)
{
    struct infer_builder b;
    struct gw_asks asks = {0};
    struct sl_error err;
    infer_begin(&b, "m");
    infer_param_string(&b, "duration", "nonsense");
    infer_param_string(&b, "sluice", "nonsense");
    assert_true(from_params(&b, &asks, &err));
    assert_int_equal(asks.duration_us, 0);
    assert_true(gw_ask_is_ours(sl_span_str("sluice_size")));
    assert_false(gw_ask_is_ours(sl_span_str("sluice-size")));
}

static void a_misspelt_parameter_of_ours_is_refused(void **state SL_UNUSED)
{
    struct infer_builder b;
    struct gw_asks asks = {0};
    struct sl_error err;
    infer_begin(&b, "m");
    infer_param_string(&b, "sluice_durations", "5s");
    assert_false(from_params(&b, &asks, &err));
    assert_string_equal(err.text,
                        "parameter 'sluice_durations' does not exist; of those that begin with "
                        "sluice_ there are sluice_duration, sluice_size and sluice_max_wait");
    assert_string_equal(err.field, "parameters.sluice_durations");
}

static void numbers_that_are_no_duration_are_quoted(void **state SL_UNUSED)
{
    const struct {
        double value;
        const char *quoted;
    } cases[] = {{-1, "'-1.000000000'"},
                 {(double)NAN, "nan'"},
                 {(double)INFINITY, "'inf'"},
                 {1e300, "'1e+300'"},
                 {0, "'0.000000000'"}};
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        struct infer_builder b;
        struct gw_asks asks = {0};
        struct sl_error err;
        set_double(begin_param(&b, "sluice_duration"), cases[i].value);
        assert_false(from_params(&b, &asks, &err));
        if (strstr(err.text, cases[i].quoted) == NULL)
            fail_msg("%s is not in: %s", cases[i].quoted, err.text);
    }
    struct infer_builder b;
    struct gw_asks asks = {0};
    struct sl_error err;
    set_int(begin_param(&b, "sluice_max_wait"), INT64_MIN);
    assert_false(from_params(&b, &asks, &err));
    assert_non_null(strstr(err.text, "'-9223372036854775808'"));
    Inference__InferParameter *p = begin_param(&b, "sluice_duration");
    p->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_BOOL_PARAM;
    p->bool_param = true;
    assert_false(from_params(&b, &asks, &err));
    assert_non_null(strstr(err.text, "'true'"));
}

/* ---- the limit that a call gets */

static int64_t limit_of(int64_t asked_us, int64_t model_us, int64_t model_max_us,
                        struct sl_error *err)
{
    const struct gw_model_spec model = {
        .name = "m", .duration_us = model_us, .max_duration_us = model_max_us};
    const struct gw_asks asks = {.duration_us = asked_us};
    int64_t us = -1;
    *err = (struct sl_error){0};
    return gw_asks_limit_us(&asks, &model, &limits, &us, err) ? us : -1;
}

static void a_call_holds_its_slice_within_both_limits(void **state SL_UNUSED)
{
    struct sl_error err;
    const int64_t s = SL_US_PER_S;
    assert_int_equal(limit_of(0, 60 * s, 120 * s, &err), 60 * s);
    assert_int_equal(limit_of(5 * s, 60 * s, 120 * s, &err), 5 * s);
    assert_int_equal(limit_of(120 * s, 60 * s, 120 * s, &err), 120 * s);
    assert_int_equal(limit_of(0, 400 * s, 500 * s, &err), 300 * s);
    assert_int_equal(limit_of(121 * s, 60 * s, 120 * s, &err), -1);
    assert_int_equal(err.reason, SL_REASON_DURATION_TOO_LONG);
    assert_string_equal(err.text,
                        "a duration of 121s is too long: model 'm' may run for at most 2m");
    assert_int_equal(limit_of(301 * s, 60 * s, 500 * s, &err), -1);
    assert_string_equal(err.text,
                        "a duration of 301s is too long: model 'm' may run for at most 5m");
    assert_int_equal(limit_of(INT64_MAX, 60 * s, INT64_MAX / 1000, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read_in_seconds_and_units),
        cmocka_unit_test(what_is_no_duration_is_quoted),
        cmocka_unit_test(auto_is_no_number),
        cmocka_unit_test(sizes_are_names_of_the_table),
        cmocka_unit_test(waits_have_a_limit),
        cmocka_unit_test(parameters_of_any_kind_say_the_same),
        cmocka_unit_test(a_parameter_wins_over_metadata),
        cmocka_unit_test(parameters_of_others_are_not_ours),
        cmocka_unit_test(a_misspelt_parameter_of_ours_is_refused),
        cmocka_unit_test(numbers_that_are_no_duration_are_quoted),
        cmocka_unit_test(a_call_holds_its_slice_within_both_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
