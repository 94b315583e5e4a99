/* test_gw_account_name.c - accounts as people write them. */
#include "gw_account_name.h"

#include "gw_identity.h"
#include "sl_rng.h"
#include "sl_test.h"

static void expect(const char *text, const char *wanted)
{
    char got[GW_ACCOUNT_NAME_MAX + 1];
    struct sl_error err;
    bool is_good = gw_account_name_read(sl_span_str(text), got, &err);
    if (wanted == NULL && is_good)
        fail_msg("'%s' was taken for '%s'", text, got);
    if (wanted != NULL && !is_good)
        fail_msg("%s", err.text);
    if (wanted != NULL)
        assert_string_equal(got, wanted);
    else
        assert_string_equal(err.field, "account");
}

static void each_kind_has_one_form(void **state SL_UNUSED)
{
    expect("user:ana", "user:ana");
    expect("user:corp#7", "user:corp#7");
    expect("cookie:abc", "cookie:abc");
    expect("app:demo/7", "app:demo/7");
    expect("ip:203.0.113.7", "ip:203.0.113.7");
    expect("ip:203.0.113.7/32", "ip:203.0.113.7");
    expect("ip:::ffff:203.0.113.7", "ip:203.0.113.7");
    expect("ip:2001:DB8:0:1::/64", "ip:2001:db8:0:1::/64");
    expect("ip:2001:db8:0:1::5", "ip:2001:db8:0:1::/64");
    expect("ip:2001:db8:0:1:2:3:4:5/128", "ip:2001:db8:0:1::/64");
    expect("ip:2001:db8::/48", "ip:2001:db8::/48");
    expect("ip:2001:db8:0:100::/56", "ip:2001:db8:0:100::/56");
}

static void what_is_none_is_refused(void **state SL_UNUSED)
{
    static const char *const texts[] = {"",
                                        "ana",
                                        "user:",
                                        "User:ana",
                                        "cookie:",
                                        "app:",
                                        "app:demo",
                                        "ip:",
                                        "ip:host",
                                        "ip:10.0.0.0/8",
                                        "ip:2001:db8::/32",
                                        "ip:2001:db8:0:1:2::/64",
                                        "ip:2001:db8::/129",
                                        "ip:1.2.3"};
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++)
        expect(texts[i], NULL);
    char longest[GW_ACCOUNT_NAME_MAX + 2];
    memset(longest, 'a', sizeof longest - 1);
    memcpy(longest, "user:", 5);
    longest[sizeof longest - 1] = '\0';
    expect(longest, NULL);
    longest[GW_ACCOUNT_NAME_MAX] = '\0';
    expect(longest, longest);
}

/* Every purse of every address is read back as itself. */
static void what_the_gateway_names_is_read(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 3);
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[16];
        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = sl_rng_u64(&rng) % 3 == 0 ? 0 : (uint8_t)sl_rng_u64(&rng);
        struct gw_address a = gw_address_of(bytes, i % 2 == 0 ? 4 : 16);
        struct gw_principal p;
        gw_identity_of_address(&a, 0, &p);
        for (size_t k = 0; k < p.purse_count; k++)
            expect(p.purses[k].account, p.purses[k].account);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_has_one_form),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(what_the_gateway_names_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
