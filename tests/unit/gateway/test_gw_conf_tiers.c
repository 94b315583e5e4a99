/* test_gw_conf_tiers.c - tiers and sizes of the configuration: the built-in ones, what is laid over them, and what is
 * refused. */
#include "gw_conf_tiers.h"

#include "gw_conf.h"
#include "sl_base.h"
#include "sl_test.h"

#define S SL_US_PER_S

static const struct sl_conf_key table[] = {
    {"tiers", SL_CONF_MAP, offsetof(struct gw_conf_rates, tiers), gw_conf_built_in_tiers,
     .items = gw_conf_tier_table, .item_bytes = sizeof(struct gw_conf_tier)},
    {"sizes", SL_CONF_MAP, offsetof(struct gw_conf_rates, sizes), gw_conf_built_in_sizes,
     .items = gw_conf_size_table, .item_bytes = sizeof(struct gw_conf_size)},
    {0},
};

struct loaded {
    struct gw_conf_rates rates;
    struct gw_tiers tiers;
    struct sl_buf errors;
    struct sl_conf *owner;
    bool is_good;
};

static void load(struct loaded *l, const char *text)
{
    *l = (struct loaded){.is_good = false};
    sl_buf_init(&l->errors, &sl_alloc_malloc, 65536);
    sl_status s = sl_conf_parse("f", sl_span_str(text), table, &l->rates, &l->errors, &l->owner);
    if (s == SL_OK) {
        struct sl_conf_check c = {"f", l->owner, &l->errors, true};
        gw_conf_check_rates(&c, &l->rates);
        l->is_good = c.ok;
    }
    if (l->is_good)
        gw_conf_make_tiers(&l->rates, &l->tiers);
    assert_ok(sl_buf_append(&l->errors, "", 1));
}

static void unload(struct loaded *l)
{
    sl_conf_destroy(l->owner);
    sl_buf_finish(&l->errors);
}

static struct gw_tiers tiers_of(const char *text)
{
    struct loaded l;
    load(&l, text);
    if (!l.is_good)
        fail_msg("%s", (char *)l.errors.data);
    unload(&l);
    return l.tiers;
}

static void assert_refused(const char *text, const char *sentence)
{
    struct loaded l;
    load(&l, text);
    assert_false(l.is_good);
    if (strstr((char *)l.errors.data, sentence) == NULL)
        fail_msg("'%s' is not in: %s", sentence, (char *)l.errors.data);
    unload(&l);
}

static void assert_tier(const struct gw_tier *t, const char *name, int seconds, uint32_t weight,
                        uint32_t in_flight, uint32_t apps)
{
    assert_string_equal(t->name, name);
    assert_int_equal(t->daily_us, seconds * S);
    assert_int_equal(t->weight, weight);
    assert_int_equal(t->in_flight, in_flight);
    assert_int_equal(t->apps, apps);
    assert_false(t->runs_when_idle);
}

static void assert_built_in(const struct gw_tiers *t)
{
    assert_int_equal(t->tier_count, 6);
    assert_tier(&t->tiers[0], "anonymous", 120, 1, 2, 0);
    assert_tier(&t->tiers[1], "free", 210, 4, 4, 0);
    assert_tier(&t->tiers[2], "pro", 1500, 16, 16, 10);
    assert_tier(&t->tiers[3], "team", 1500, 16, 16, 50);
    assert_tier(&t->tiers[4], "enterprise", 2700, 16, 16, 50);
    assert_tier(&t->tiers[5], "owner", 365 * 86400, 16, 1000000, 50);
    assert_int_equal(t->size_count, 2);
    assert_string_equal(t->sizes[0].name, "large");
    assert_int_equal(t->sizes[0].share_thousandths, 500);
    assert_true(t->sizes[0].memory_bytes == UINT64_C(74625056768));
    assert_int_equal(t->sizes[0].factor_thousandths, 1000);
    assert_string_equal(t->sizes[1].name, "xlarge");
    assert_int_equal(t->sizes[1].share_thousandths, 1000);
    assert_true(t->sizes[1].memory_bytes == UINT64_C(141000000000));
    assert_int_equal(t->sizes[1].factor_thousandths, 2000);
}

/* The text that the reference page shows says the same, every number of it. */
static void the_built_in_text_is_the_built_in_table(void **state SL_UNUSED)
{
    char text[2048];
    struct gw_tiers t = tiers_of("");
    assert_built_in(&t);
    snprintf(text, sizeof text, "tiers: %s\nsizes: %s\n", gw_conf_built_in_tiers,
             gw_conf_built_in_sizes);
    t = tiers_of(text);
    assert_built_in(&t);
}

static void what_is_not_said_stays(void **state SL_UNUSED)
{
    struct gw_tiers t = tiers_of("tiers:\n"
                                 "  anonymous: {daily: 120s, weight: 1, apps: 0}\n"
                                 "  pro: {daily: 3000s, when_idle: run}\n"
                                 "  lab: {daily: 1h}\n"
                                 "sizes:\n"
                                 "  large: {factor: 1.25}\n"
                                 "  small: {share: 1/7, memory: 10GB, factor: 0.5}\n");
    assert_int_equal(t.tier_count, 7);
    assert_tier(&t.tiers[0], "anonymous", 120, 1, 2, 0);
    assert_tier(&t.tiers[1], "free", 210, 4, 4, 0);
    assert_int_equal(t.tiers[2].daily_us, 3000 * S);
    assert_int_equal(t.tiers[2].weight, 16);
    assert_true(t.tiers[2].runs_when_idle);
    assert_tier(&t.tiers[6], "lab", 3600, 1, 4, 0);
    assert_int_equal(t.size_count, 3);
    assert_int_equal(t.sizes[0].factor_thousandths, 1250);
    assert_int_equal(t.sizes[0].share_thousandths, 500);
    assert_int_equal(t.sizes[1].factor_thousandths, 2000);
    assert_string_equal(t.sizes[2].name, "small");
    assert_int_equal(t.sizes[2].share_thousandths, 142);
    assert_int_equal(t.sizes[2].factor_thousandths, 500);
}

static void what_makes_no_sense_is_refused_with_its_value(void **state SL_UNUSED)
{
    assert_refused("tiers: {lab: {weight: 2}}", "tiers: 'lab' is a new tier and has no daily");
    assert_refused("tiers: {pro: {daily: 10}}", "daily");
    assert_refused("tiers: {pro: {dayly: 10s}}", "dayly");
    assert_refused("tiers: {pro: {weight: 0}}", "weight");
    assert_refused("tiers: {pro: {when_idle: walk}}", "refuse, run");
    assert_refused("tiers: {x1234567890123456789012345678901: {daily: 1s}}", "1 to 31 bytes");
    static const char *const shares[] = {"0", "2", "2/1", "1/0", "1/", "/2", "-1/2", "1/2000", "x"};
    static const char *const factors[] = {"0",  "0.0",  "1.", ".5",  "1.2345",
                                          "-1", "1001", "x",  "1.-5"};
    char text[128];
    for (size_t i = 0; i < SL_ARRAY_LEN(shares); i++) {
        snprintf(text, sizeof text, "sizes: {large: {share: '%s'}}", shares[i]);
        assert_refused(text, "is no share of a device");
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(factors); i++) {
        snprintf(text, sizeof text, "sizes: {large: {factor: '%s'}}", factors[i]);
        assert_refused(text, "is no factor from 0.001 to 1000");
    }
}

static void too_many_names_are_refused(void **state SL_UNUSED)
{
    char text[4096];
    size_t len = (size_t)snprintf(text, sizeof text, "tiers:\n");
    for (int i = 0; i < 28; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "  t%d: {daily: 1s}\n", i);
    assert_refused(text, "more than 32 names");
    len = (size_t)snprintf(text, sizeof text, "sizes:\n");
    for (int i = 0; i < 7; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "  s%d: {share: 1}\n", i);
    assert_refused(text, "more than 8 names");
}

/* --print-config: what is printed reads back as the same tables. */
static void what_is_printed_reads_back(void **state SL_UNUSED)
{
    struct loaded l;
    struct sl_buf printed;
    load(&l, "tiers: {pro: {daily: 3000s}, lab: {daily: 1s}}\nsizes: {large: {factor: 1.5}}\n");
    sl_buf_init(&printed, &sl_alloc_malloc, 65536);
    assert_ok(sl_conf_print(table, &l.rates, &printed));
    assert_ok(sl_buf_append(&printed, "", 1));
    struct gw_tiers again = tiers_of((char *)printed.data);
    assert_memory_equal(&again, &l.tiers, sizeof again);
    sl_buf_finish(&printed);
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_built_in_text_is_the_built_in_table),
        cmocka_unit_test(what_is_not_said_stays),
        cmocka_unit_test(what_makes_no_sense_is_refused_with_its_value),
        cmocka_unit_test(too_many_names_are_refused),
        cmocka_unit_test(what_is_printed_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
