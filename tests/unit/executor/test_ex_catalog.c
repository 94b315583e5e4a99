/* test_ex_catalog.c - models by name and version. */
#include "ex_catalog.h"
#include "sl_test.h"

static const struct ex_model_spec spec_a = {.name = "a", .version = "3"};
static const struct ex_model_spec spec_b = {.name = "b", .version = "1"};

static void test_finds_by_name_and_version(void **state)
{
    struct ex_catalog *c;
    (void)state;
    assert_ok(ex_catalog_create(&sl_alloc_malloc, &c));
    assert_ok(ex_catalog_add(c, "a", &spec_a, ""));
    assert_ok(ex_catalog_add(c, "bad", NULL, "model.yaml:1: nothing"));
    assert_ok(ex_catalog_add(c, "b", &spec_b, "loading"));
    assert_status(ex_catalog_add(c, "a", &spec_a, ""), SL_EEXIST);
    assert_int_equal(ex_catalog_count(c), 3);
    assert_int_equal(ex_catalog_find(c, "a", ""), 0);
    assert_int_equal(ex_catalog_find(c, "a", "3"), 0);
    assert_int_equal(ex_catalog_find(c, "a", "4"), 3);
    assert_int_equal(ex_catalog_find(c, "bad", ""), 3);
    assert_int_equal(ex_catalog_find(c, "b", "1"), 2);
    assert_int_equal(ex_catalog_find(c, "c", ""), 3);
    assert_string_equal(ex_catalog_problem(c, 0), "");
    assert_string_equal(ex_catalog_problem(c, 1), "model.yaml:1: nothing");
    ex_catalog_set_problem(c, 2, "");
    assert_string_equal(ex_catalog_problem(c, 2), "");
    ex_catalog_set_problem(c, 0, "gone");
    ex_catalog_set_problem(c, 0, "gone again");
    assert_string_equal(ex_catalog_problem(c, 0), "gone again");
    assert_ptr_equal(ex_catalog_spec(c, 2), &spec_b);
    assert_null(ex_catalog_spec(c, 3));
    assert_string_equal(ex_catalog_name(c, 9), "");
    ex_catalog_destroy(c);
    ex_catalog_destroy(NULL);
}

static void test_is_full_at_its_maximum(void **state)
{
    struct ex_catalog *c;
    char name[16];
    (void)state;
    assert_ok(ex_catalog_create(&sl_alloc_malloc, &c));
    for (int i = 0; i < EX_CATALOG_MAX; i++) {
        snprintf(name, sizeof(name), "m%d", i);
        assert_ok(ex_catalog_add(c, name, &spec_a, ""));
    }
    assert_status(ex_catalog_add(c, "more", &spec_a, ""), SL_EFULL);
    assert_int_equal(ex_catalog_find(c, "m777", ""), 777);
    ex_catalog_destroy(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_by_name_and_version),
        cmocka_unit_test(test_is_full_at_its_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
