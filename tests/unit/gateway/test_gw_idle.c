/* test_gw_idle.c - memory goes back when many have closed and nobody asks, and not too often. */
#include "gw_idle.h"
#include "sl_test.h"

static const sl_mono_ns begin_at = 1000 * SL_NS_PER_S;

struct rig {
    struct gw_idle idle;
    struct gw_idle_counts counts;
    sl_mono_ns now;
};

static bool look_after(struct rig *r, int64_t ns)
{
    r->now += ns;
    return gw_idle_is_due(&r->idle, &r->counts, r->now);
}

/* Many have come, asked and gone. */
static struct rig begin(void)
{
    struct rig r = {.now = begin_at};
    r.counts.requests = 5000;
    r.counts.closed = GW_IDLE_CLOSED_COUNT;
    assert_false(look_after(&r, 0));
    return r;
}

static void many_that_closed_leave_something_to_give_back(void **state SL_UNUSED)
{
    struct rig r = begin();
    assert_false(look_after(&r, GW_IDLE_QUIET_NS - 1));
    assert_true(look_after(&r, 1));
    assert_false(look_after(&r, GW_IDLE_EVERY_NS)); /* nobody has closed since */
}

static void few_do_not(void **state SL_UNUSED)
{
    struct rig r = begin();
    r.counts.closed--;
    assert_false(look_after(&r, GW_IDLE_EVERY_NS));
    r.counts.closed++;
    assert_true(look_after(&r, 0));
}

static void requests_and_open_calls_put_it_off(void **state SL_UNUSED)
{
    struct rig r = begin();
    for (int i = 0; i < 10; i++) {
        r.counts.requests++;
        assert_false(look_after(&r, GW_IDLE_QUIET_NS));
    }
    r.counts.open_calls = 1; /* a long one */
    assert_false(look_after(&r, GW_IDLE_QUIET_NS));
    assert_false(look_after(&r, GW_IDLE_QUIET_NS));
    r.counts.open_calls = 0;
    assert_false(look_after(&r, GW_IDLE_QUIET_NS - 1));
    assert_true(look_after(&r, 1));
}

static void it_is_done_once_a_minute_at_most(void **state SL_UNUSED)
{
    struct rig r = begin();
    assert_true(look_after(&r, GW_IDLE_QUIET_NS));
    r.counts.closed += 10 * GW_IDLE_CLOSED_COUNT;
    assert_false(look_after(&r, GW_IDLE_EVERY_NS - 1));
    assert_true(look_after(&r, 1));
    assert_false(look_after(&r, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_that_closed_leave_something_to_give_back),
        cmocka_unit_test(few_do_not),
        cmocka_unit_test(requests_and_open_calls_put_it_off),
        cmocka_unit_test(it_is_done_once_a_minute_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
