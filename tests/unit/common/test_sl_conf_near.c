/* test_sl_conf_near.c - the key that was probably meant, and when there is none. */
#include "sl_base.h"
#include "sl_conf_internal.h"
#include "sl_test.h"

static const struct sl_conf_key table[] = {
    {.name = "timeout"},          {.name = "timer"},        {.name = "listen.grpc"},
    {.name = "listen.http"},      {.name = "limits.queue"}, {.name = "limits.queue_bytes"},
    {.name = "limits.body.wait"}, {.name = "id"},           {.name = NULL},
};

static void assert_nearest(const char *name, const char *wanted)
{
    struct sl_span near = sl_conf_nearest(table, name);
    if (!sl_span_eq_str(near, wanted))
        fail_msg("%s: '%.*s', wanted '%s'", name, (int)near.len, (const char *)near.data, wanted);
}

static void one_letter(void **state SL_UNUSED)
{
    assert_nearest("timeoux", "timeout");
    assert_nearest("timeou", "timeout");
    assert_nearest("imeout", "timeout");
    assert_nearest("timeoutt", "timeout");
    assert_nearest("xtimeout", "timeout");
    assert_nearest("ix", "id");
}

static void two_letters_swapped(void **state SL_UNUSED)
{
    assert_nearest("tiemout", "timeout");
    assert_nearest("listen.gprc", "listen.grpc");
    assert_nearest("lisetn", "listen");
}

static void sections_are_suggested_too(void **state SL_UNUSED)
{
    assert_nearest("limit", "limits");
    assert_nearest("limits.bodi", "limits.body");
    assert_nearest("limits.body.weit", "limits.body.wait");
}

static void the_nearest_wins_and_the_first_on_a_tie(void **state SL_UNUSED)
{
    assert_nearest("times", "timer");
    assert_nearest("timeour", "timeout");
    assert_nearest("limits.queues", "limits.queue");
    assert_nearest("limits.queue_byte", "limits.queue_bytes");
    assert_nearest("listen.htpc", "listen.grpc"); /* two letters from both */
}

static void right_name_in_the_wrong_section(void **state SL_UNUSED)
{
    assert_nearest("grpc", "listen.grpc");
    assert_nearest("queue", "limits.queue");
    assert_nearest("listen.queue", "limits.queue");
    assert_nearest("limits.timeout", "timeout");
}

static void nothing_alike(void **state SL_UNUSED)
{
    assert_nearest("xx", "");
    assert_nearest("memory", "");
    assert_nearest("tixxxut", "");
    assert_nearest("", "");
    assert_nearest("timeout_that_is_far_too_long", "");
}

static void long_names_are_like_nothing(void **state SL_UNUSED)
{
    char name[200];
    memset(name, 'a', sizeof(name));
    for (size_t len = 60; len < sizeof(name); len++) {
        memset(name, 'a', len);
        name[len] = '\0';
        assert_nearest(name, "");
    }
    const struct sl_conf_key long_key[] = {{.name = name}, {.name = NULL}};
    assert_int_equal(sl_conf_nearest(long_key, "a").len, 0);
    memset(name, 'a', sizeof(name));
    name[64] = '\0'; /* the longest that is compared */
    char other[65];
    memcpy(other, name, sizeof(other));
    other[63] = 'b';
    assert_int_equal(sl_conf_nearest(long_key, other).len, 64);
}

static void sections(void **state SL_UNUSED)
{
    assert_true(sl_conf_is_section(table, "listen", 6));
    assert_true(sl_conf_is_section(table, "limits.body", 11));
    assert_false(sl_conf_is_section(table, "limits.queue", 12));
    assert_false(sl_conf_is_section(table, "liste", 5));
    assert_false(sl_conf_is_section(table, "timeout", 7));
    assert_false(sl_conf_is_section(table, "other", 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_letter),
        cmocka_unit_test(two_letters_swapped),
        cmocka_unit_test(sections_are_suggested_too),
        cmocka_unit_test(the_nearest_wins_and_the_first_on_a_tie),
        cmocka_unit_test(right_name_in_the_wrong_section),
        cmocka_unit_test(nothing_alike),
        cmocka_unit_test(long_names_are_like_nothing),
        cmocka_unit_test(sections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
