/* test_sim_plot.c - axes and lines of a plot, and texts that are no tags. */
#include "sim_plot.h"

#include <math.h>

#include "sl_base.h"
#include "sl_test.h"

static struct sim_plot plot;
static struct sl_buf out;

static int setup(void **state SL_UNUSED)
{
    plot = (struct sim_plot){.title = "a <b> & c", .hours = 24, .point_count = 4, .line_count = 1};
    plot.lines[0].name = "\"x\"";
    sl_buf_init(&out, &sl_alloc_malloc, 1 << 16);
    return 0;
}

static int teardown(void **state SL_UNUSED)
{
    sl_buf_finish(&out);
    return 0;
}

static const char *draw(void)
{
    assert_ok(sim_plot_draw(&plot, &out));
    assert_ok(sl_buf_append(&out, "", 1));
    return (const char *)out.data;
}

static void steps_are_round_and_few(void **state SL_UNUSED)
{
    for (double range = 1e-3; range < 1e6; range *= 1.37) {
        double step = sim_plot_step(range, 6);
        double mantissa = step / pow(10, floor(log10(step * 1.000001)));
        assert_true(step * 6 >= range * 0.99999 && step * 2 < range);
        assert_true(fabs(mantissa - 1) < 1e-6 || fabs(mantissa - 2) < 1e-6 ||
                    fabs(mantissa - 5) < 1e-6);
    }
    assert_true(sim_plot_step(0, 6) > 0);
    assert_true(sim_plot_step(NAN, 6) > 0);
}

static void a_line_has_gaps_where_there_is_nothing(void **state SL_UNUSED)
{
    const double values[] = {1, NAN, 2, 3};
    memcpy(plot.lines[0].values, values, sizeof values);
    const char *svg = draw();
    const char *path = strstr(svg, "d=\"M");
    assert_non_null(path);
    const char *end = strchr(path + 3, '"');
    size_t moves = 0, lines = 0;
    for (const char *p = path + 3; p < end; p++) {
        moves += *p == 'M';
        lines += *p == 'L';
    }
    assert_int_equal(moves, 2);
    assert_int_equal(lines, 1);
}

static void texts_are_no_tags(void **state SL_UNUSED)
{
    const char *svg = draw();
    assert_non_null(strstr(svg, "a &lt;b&gt; &amp; c"));
    assert_non_null(strstr(svg, "&quot;x&quot;"));
    assert_null(strstr(svg, "<b>"));
}

static void logarithms_have_a_floor(void **state SL_UNUSED)
{
    const double values[] = {0, 0.01, 0.1, 90};
    plot.is_log = true;
    plot.low = 0.1;
    memcpy(plot.lines[0].values, values, sizeof values);
    const char *svg = draw();
    assert_null(strstr(svg, "nan"));
    assert_null(strstr(svg, "inf"));
    assert_non_null(strstr(svg, ">100<"));
    assert_null(strstr(svg, ">1000<"));
}

static void nothing_at_all_is_a_plot_too(void **state SL_UNUSED)
{
    for (size_t i = 0; i < 4; i++)
        plot.lines[0].values[i] = NAN;
    const char *svg = draw();
    assert_null(strstr(svg, "nan"));
    assert_non_null(strstr(svg, "</svg>"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_round_and_few),
        cmocka_unit_test_setup_teardown(a_line_has_gaps_where_there_is_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(texts_are_no_tags, setup, teardown),
        cmocka_unit_test_setup_teardown(logarithms_have_a_floor, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_at_all_is_a_plot_too, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
