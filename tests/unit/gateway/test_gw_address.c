/* test_gw_address.c - addresses as text and bytes, prefixes, ranges, and the chain of proxies. */
#include "gw_address.h"
#include "gw_forwarded.h"
#include "gw_network.h"
#include "sl_rng.h"
#include "sl_test.h"

static struct gw_address address(const char *text)
{
    struct gw_address a;
    if (!gw_address_parse(sl_span_str(text), &a))
        fail_msg("'%s' is an address", text);
    return a;
}

static const char *text_of(const struct gw_address *a)
{
    static char text[GW_ADDRESS_TEXT_MAX + 1];
    size_t len = gw_address_format(a, text);
    assert_int_equal(len, strlen(text));
    return text;
}

static void texts_have_one_form(void **state SL_UNUSED)
{
    static const char *const pairs[][2] = {
        {"203.0.113.7", "203.0.113.7"},
        {"::ffff:203.0.113.7", "203.0.113.7"},
        {"::FFFF:CB00:7107", "203.0.113.7"},
        {"2001:0DB8:0:0:1::1", "2001:db8::1:0:0:1"},
        {"::1", "::1"},
        {"::", "::"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(pairs); i++) {
        struct gw_address a = address(pairs[i][0]);
        assert_string_equal(text_of(&a), pairs[i][1]);
    }
    struct gw_address unknown = gw_address_of((const uint8_t *)"abc", 3);
    assert_int_equal(unknown.family, 0);
    assert_string_equal(text_of(&unknown), "?");
    assert_int_equal(gw_address_bits(&unknown), 0);
}

static void what_is_no_address(void **state SL_UNUSED)
{
    static const char *const texts[] = {"",          "1.2.3",     "1.2.3.4.5", "256.1.1.1",
                                        "01.2.3.4",  "1.2.3.4 ",  " 1.2.3.4",  "::1%eth0",
                                        "fe80::1%1", ":::",       "1::2::3",   "g::",
                                        "1.2.3.4/8", "localhost", "0x7f.1",    "12345::"};
    struct gw_address a;
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++)
        if (gw_address_parse(sl_span_str(texts[i]), &a))
            fail_msg("'%s' is no address", texts[i]);
    assert_false(gw_address_parse(sl_span_of("1.2.3.4\0x", 9), &a));
}

static void hosts_may_have_ports(void **state SL_UNUSED)
{
    static const char *const good[][2] = {{"1.2.3.4", "1.2.3.4"},
                                          {"1.2.3.4:80", "1.2.3.4"},
                                          {"2001:db8::1", "2001:db8::1"},
                                          {"[2001:db8::1]", "2001:db8::1"},
                                          {"[2001:db8::1]:65535", "2001:db8::1"},
                                          {"[::ffff:1.2.3.4]:1", "1.2.3.4"}};
    static const char *const bad[] = {
        "",     "unknown", "_hidden", "1.2.3.4:",  "1.2.3.4:8x", "1.2.3.4:123456",
        "[::1", "[::1]x",  "[::1]:",  "[1.2.3.4]", "]",          "["};
    struct gw_address a;
    for (size_t i = 0; i < SL_ARRAY_LEN(good); i++) {
        assert_true(gw_address_parse_host(sl_span_str(good[i][0]), &a));
        assert_string_equal(text_of(&a), good[i][1]);
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++)
        if (gw_address_parse_host(sl_span_str(bad[i]), &a))
            fail_msg("'%s' is no host", bad[i]);
}

static void prefixes(void **state SL_UNUSED)
{
    struct gw_address a = address("2001:db8:1234:5678:9abc:def0:1234:5678");
    struct gw_address p = gw_address_prefix(&a, 64);
    assert_string_equal(text_of(&p), "2001:db8:1234:5678::");
    p = gw_address_prefix(&a, 45);
    assert_string_equal(text_of(&p), "2001:db8:1230::");
    p = gw_address_prefix(&a, 0);
    assert_string_equal(text_of(&p), "::");
    p = gw_address_prefix(&a, 128);
    assert_true(gw_address_is_same(&p, &a));
    for (unsigned bits = 0; bits <= 128; bits++) {
        p = gw_address_prefix(&a, bits);
        assert_true(gw_address_is_in(&a, &p, bits));
        if (bits == 0)
            continue;
        struct gw_address other = a;
        other.bytes[(bits - 1) / 8] ^= (uint8_t)(0x80 >> (bits - 1) % 8);
        assert_false(gw_address_is_in(&other, &p, bits));
        assert_true(gw_address_is_in(&other, &p, bits - 1));
    }
}

static void loopback(void **state SL_UNUSED)
{
    static const char *const local[] = {"127.0.0.1", "127.255.0.3", "::1", "::ffff:127.0.0.1"};
    static const char *const others[] = {"128.0.0.1", "::2", "1::1", "0.0.0.0"};
    for (size_t i = 0; i < SL_ARRAY_LEN(local); i++)
        assert_true(gw_address_is_loopback((struct gw_address[]){address(local[i])}));
    for (size_t i = 0; i < SL_ARRAY_LEN(others); i++)
        assert_false(gw_address_is_loopback((struct gw_address[]){address(others[i])}));
    assert_false(gw_address_is_loopback(&(struct gw_address){0}));
}

static void ranges_are_read(void **state SL_UNUSED)
{
    static const char *const good[][2] = {
        {"10.0.0.0/8", "10.0.0.0/8"},       {"192.0.2.1", "192.0.2.1/32"},
        {"2001:DB8::/32", "2001:db8::/32"}, {"::1", "::1/128"},
        {"0.0.0.0/0", "0.0.0.0/0"},         {"::ffff:10.0.0.0/104", "10.0.0.0/8"}};
    static const char *const bad[] = {"",
                                      "/8",
                                      "10.0.0.0/",
                                      "10.0.0.0/33",
                                      "::/129",
                                      "10.0.0.0/x",
                                      "10.0.0.0/-1",
                                      "10.0.0.0/8/8",
                                      "10.0.0.0/0008",
                                      "10/8",
                                      "::ffff:10.0.0.0/95"};
    struct gw_network n;
    char text[GW_NETWORK_TEXT_MAX + 1];
    for (size_t i = 0; i < SL_ARRAY_LEN(good); i++) {
        assert_ok(gw_network_parse(sl_span_str(good[i][0]), &n));
        size_t len = gw_network_format(&n, text);
        assert_int_equal(len, strlen(text));
        assert_string_equal(text, good[i][1]);
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++)
        if (gw_network_parse(sl_span_str(bad[i]), &n) != SL_EINVAL)
            fail_msg("'%s' is no range", bad[i]);
    assert_status(gw_network_parse(sl_span_str("10.1.2.3/8"), &n), SL_ERANGE);
    gw_network_format(&n, text);
    assert_string_equal(text, "10.0.0.0/8");
}

static void add(struct gw_networks *list, const char *text, uint16_t value)
{
    struct gw_network n;
    assert_ok(gw_network_parse(sl_span_str(text), &n));
    n.value = value;
    assert_ok(gw_networks_add(list, &n));
}

static int find(const struct gw_networks *list, const char *text)
{
    struct gw_address a = address(text);
    const struct gw_network *n = gw_networks_find(list, &a);
    return n != NULL ? n->value : -1;
}

static void the_longest_prefix_wins(void **state SL_UNUSED)
{
    struct gw_networks list = {.count = 0};
    struct gw_network n;
    add(&list, "10.0.0.0/8", 1);
    add(&list, "10.1.2.0/24", 2);
    add(&list, "10.1.0.0/16", 3);
    add(&list, "2001:db8::/32", 4);
    add(&list, "10.1.2.3/32", 5);
    assert_int_equal(find(&list, "10.9.9.9"), 1);
    assert_int_equal(find(&list, "10.1.9.9"), 3);
    assert_int_equal(find(&list, "10.1.2.9"), 2);
    assert_int_equal(find(&list, "10.1.2.3"), 5);
    assert_int_equal(find(&list, "::ffff:10.1.2.3"), 5);
    assert_int_equal(find(&list, "2001:db8:ffff::1"), 4);
    assert_int_equal(find(&list, "11.0.0.1"), -1);
    assert_int_equal(find(&list, "a00::"), -1); /* 10.0.0.0's bytes, another kind */
    assert_ok(gw_network_parse(sl_span_str("10.1.0.0/16"), &n));
    assert_status(gw_networks_add(&list, &n), SL_EEXIST);
    for (uint16_t i = 0; list.count < GW_NETWORKS_MAX; i++) {
        char text[32];
        snprintf(text, sizeof text, "172.16.%u.0/24", i);
        add(&list, text, 6);
    }
    assert_ok(gw_network_parse(sl_span_str("1.0.0.0/8"), &n));
    assert_status(gw_networks_add(&list, &n), SL_EFULL);
    assert_int_equal(find(&list, "10.1.2.3"), 5);
}

/* Against asking every range. */
static void look_ups_agree_with_a_naive_one(void **state SL_UNUSED)
{
    struct gw_networks list = {.count = 0};
    struct gw_network all[GW_NETWORKS_MAX];
    struct sl_rng rng;
    sl_rng_seed(&rng, 11);
    while (list.count < GW_NETWORKS_MAX) {
        uint8_t bytes[4] = {10, (uint8_t)sl_rng_below(&rng, 4), (uint8_t)sl_rng_below(&rng, 4),
                            (uint8_t)sl_rng_below(&rng, 4)};
        struct gw_address a = gw_address_of(bytes, 4);
        struct gw_network n = {.bits = (uint8_t)(8 + sl_rng_below(&rng, 25))};
        n.base = gw_address_prefix(&a, n.bits);
        n.value = (uint16_t)list.count;
        if (gw_networks_add(&list, &n) == SL_OK)
            all[n.value] = n;
    }
    for (int i = 0; i < 2000; i++) {
        uint8_t bytes[4] = {10, (uint8_t)sl_rng_below(&rng, 5), (uint8_t)sl_rng_below(&rng, 5),
                            (uint8_t)sl_rng_below(&rng, 5)};
        struct gw_address a = gw_address_of(bytes, 4);
        int best = -1;
        for (int k = 0; k < GW_NETWORKS_MAX; k++)
            if (gw_address_is_in(&a, &all[k].base, all[k].bits) &&
                (best < 0 || all[k].bits > all[best].bits))
                best = k;
        const struct gw_network *found = gw_networks_find(&list, &a);
        assert_int_equal(found != NULL ? found->value : -1, best);
    }
}

static void the_visitor_is_the_last_hop_that_is_not_trusted(void **state SL_UNUSED)
{
    static const struct {
        const char *peer, *header, *visitor;
    } cases[] = {
        {"203.0.113.1", "198.51.100.1", "203.0.113.1"}, /* a stranger may write what he likes */
        {"10.0.0.1", "", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.1", "198.51.100.1"},
        {"10.0.0.1", "9.9.9.9, 198.51.100.1",
         "198.51.100.1"}, /* 9.9.9.9 is what the visitor wrote */
        {"10.0.0.1", "198.51.100.1,10.0.0.2", "198.51.100.1"},
        {"10.0.0.1", "198.51.100.1 ,\t10.0.0.2 , 10.0.0.3", "198.51.100.1"},
        {"10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
        {"10.0.0.1", "198.51.100.1:4711", "198.51.100.1"},
        {"10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"},
        {"10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"},
        {"10.0.0.1", "unknown", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.1, unknown, 10.0.0.2", "10.0.0.2"},
        {"10.0.0.1", "198.51.100.1,", "10.0.0.1"},
        {"10.0.0.1", ",,,", "10.0.0.1"},
        {"2001:db8:f::1", "2001:db8::7", "2001:db8::7"},
        {"::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"},
    };
    struct gw_networks trusted = {.count = 0};
    add(&trusted, "10.0.0.0/8", 0);
    add(&trusted, "2001:db8:f::/48", 0);
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        struct gw_address peer = address(cases[i].peer);
        struct gw_address a = gw_forwarded_for(&peer, sl_span_str(cases[i].header), &trusted);
        if (strcmp(text_of(&a), cases[i].visitor) != 0)
            fail_msg("%s with '%s': %s, wanted %s", cases[i].peer, cases[i].header, text_of(&a),
                     cases[i].visitor);
    }
}

/* Whatever a visitor writes at the left, what the proxy writes at the right counts. */
static void nobody_can_write_another_address(void **state SL_UNUSED)
{
    struct gw_networks trusted = {.count = 0};
    struct sl_rng rng;
    sl_rng_seed(&rng, 5);
    add(&trusted, "10.0.0.0/8", 0);
    struct gw_address peer = address("10.0.0.1");
    for (int i = 0; i < 5000; i++) {
        char header[64];
        size_t len = sl_rng_below(&rng, 32);
        for (size_t k = 0; k < len; k++)
            header[k] = (char)(0x20 + sl_rng_below(&rng, 0x5f));
        snprintf(header + len, sizeof header - len, ",203.0.113.7");
        struct gw_address a = gw_forwarded_for(&peer, sl_span_str(header), &trusted);
        assert_string_equal(text_of(&a), "203.0.113.7");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_have_one_form),
        cmocka_unit_test(what_is_no_address),
        cmocka_unit_test(hosts_may_have_ports),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(loopback),
        cmocka_unit_test(ranges_are_read),
        cmocka_unit_test(the_longest_prefix_wins),
        cmocka_unit_test(look_ups_agree_with_a_naive_one),
        cmocka_unit_test(the_visitor_is_the_last_hop_that_is_not_trusted),
        cmocka_unit_test(nobody_can_write_another_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
