/* test_gw_app.c - registered apps: names, owners' limits, pauses. */
#include "fail_alloc.h"
#include "gw_app.h"
#include "sl_test.h"

static const struct gw_tier free_tier = {.name = "free", .apps = 0};
static const struct gw_tier pro = {.name = "pro", .apps = 2};

static struct gw_app_row app(const char *name, const char *owner)
{
    struct gw_app_row r = {.registered_at = 1};
    snprintf(r.name, sizeof r.name, "%s", name);
    snprintf(r.owner, sizeof r.owner, "%s", owner);
    return r;
}

static void owners_have_limits(void **state SL_UNUSED)
{
    struct gw_apps *a;
    struct sl_error err;
    assert_ok(gw_apps_create(&sl_alloc_malloc, 4, &a));
    struct gw_app_row one = app("one", "user:ana"), two = app("two", "user:ana");
    struct gw_app_row three = app("three", "user:ana"), other = app("other", "user:bob");
    assert_status(gw_apps_register(a, &one, &free_tier, &err), SL_ENEVER);
    assert_int_equal(err.reason, SL_REASON_HOSTING_LIMIT);
    assert_string_equal(err.text, "user:ana has 0 apps; the tier free may host 0, so there is no "
                                  "place for 'one'");
    assert_ok(gw_apps_register(a, &one, &pro, &err));
    assert_ok(gw_apps_register(a, &two, &pro, &err));
    assert_status(gw_apps_register(a, &two, &pro, &err), SL_EEXIST);
    assert_status(gw_apps_register(a, &three, &pro, &err), SL_ENEVER);
    assert_string_equal(err.text,
                        "user:ana has 2 apps; the tier pro may host 2, so there is no place for "
                        "'three'");
    assert_ok(gw_apps_register(a, &other, &pro, &err));
    assert_int_equal(gw_apps_count_of(a, "user:ana"), 2);
    assert_ok(gw_apps_remove(a, sl_span_str("one")));
    assert_status(gw_apps_remove(a, sl_span_str("one")), SL_ENOENT);
    assert_ok(gw_apps_register(a, &three, &pro, &err));
    const struct gw_app_row *r = gw_apps_next(a, NULL);
    assert_string_equal(r->name, "two");
    /* What was stored is loaded, whatever the owner may have today; the table's own limit holds. */
    struct gw_app_row four = app("four", "user:ana"), five = app("five", "user:eve");
    assert_ok(gw_apps_load(a, &four));
    assert_status(gw_apps_register(a, &five, &pro, &err), SL_EFULL);
    assert_int_equal(err.reason, SL_REASON_NO_CAPACITY);
    gw_apps_destroy(a);
}

static void names(void **state SL_UNUSED)
{
    static const char *const bad[] = {
        "",
        "-a",
        ".",
        "A",
        "a b",
        "a/b",
        "a#b",
        "a:b",
        "a\n",
        "\xc3\xa4",
        "0123456789012345678901234567890123456789012345678901234567890123"};
    static const char *const good[] = {"a", "0", "my-app_2.test"};
    struct gw_apps *a;
    struct sl_error err;
    assert_ok(gw_apps_create(&sl_alloc_malloc, 4, &a));
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++) {
        assert_false(gw_app_name_is_good(sl_span_str(bad[i])));
        assert_null(gw_apps_find(a, sl_span_str(bad[i])));
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(good); i++)
        assert_true(gw_app_name_is_good(sl_span_str(good[i])));
    struct gw_app_row wrong = app("Upper", "user:ana");
    assert_status(gw_apps_register(a, &wrong, &pro, &err), SL_EINVAL);
    assert_int_equal(err.reason, SL_REASON_BAD_INPUT);
    assert_non_null(strstr(err.text, "'Upper' is not"));
    gw_apps_destroy(a);
}

static void pauses(void **state SL_UNUSED)
{
    struct gw_apps *a;
    struct gw_app_row one = app("one", "user:ana");
    assert_ok(gw_apps_create(&sl_alloc_malloc, 4, &a));
    assert_ok(gw_apps_load(a, &one));
    assert_false(gw_apps_find(a, sl_span_str("one"))->is_paused);
    assert_ok(gw_apps_set_paused(a, sl_span_str("one"), true));
    assert_true(gw_apps_find(a, sl_span_str("one"))->is_paused);
    assert_status(gw_apps_set_paused(a, sl_span_str("two"), true), SL_ENOENT);
    gw_apps_destroy(a);
}

static void no_memory(void **state SL_UNUSED)
{
    struct fail_alloc f;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        struct gw_apps *a;
        if (gw_apps_create(&f.alloc, 100, &a) == SL_OK) {
            size_t added = 0;
            for (unsigned n = 0; n < 40; n++) {
                char name[16];
                snprintf(name, sizeof name, "app%u", n);
                struct gw_app_row r = app(name, "user:ana");
                added += gw_apps_load(a, &r) == SL_OK;
            }
            assert_int_equal(gw_apps_count(a), added);
            gw_apps_destroy(a);
        }
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owners_have_limits),
        cmocka_unit_test(names),
        cmocka_unit_test(pauses),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
