/* test_gw_token.c - the text of tokens, and the table of those that are known. */
#include "fail_alloc.h"
#include "gw_token.h"
#include "gw_token_table.h"
#include "sl_rng.h"
#include "sl_test.h"

static void texts(void **state SL_UNUSED)
{
    uint8_t zero[GW_TOKEN_RANDOM_BYTES] = {0}, ones[GW_TOKEN_RANDOM_BYTES];
    char text[GW_TOKEN_LEN + 1];
    memset(ones, 0xff, sizeof ones);
    gw_token_write(zero, text); /* the checksums are zlib's crc32 of all before them */
    assert_string_equal(text, "sl_00000000000000000000000000023LXM9");
    assert_true(gw_token_is_whole(sl_span_str(text)));
    gw_token_write(ones, text);
    assert_string_equal(text, "sl_aWgEPTl1tmebfsQzFP4bxwgy80V1oiACy");
    assert_true(gw_token_is_whole(sl_span_str(text)));
    assert_true(gw_token_is_ours(sl_span_str("sl_")));
    assert_false(gw_token_is_ours(sl_span_str("sl")));
    assert_false(gw_token_is_ours(sl_span_str("eyJhbGciOi.x.y")));
    assert_false(gw_token_is_whole(sl_span_of(NULL, 0)));
}

/* Every character to every byte, one more, one less: never whole. */
static void every_byte_changed(void **state SL_UNUSED)
{
    uint8_t random[GW_TOKEN_RANDOM_BYTES];
    char good[GW_TOKEN_LEN + 2] = {0}, text[GW_TOKEN_LEN + 2];
    struct sl_rng rng;
    sl_rng_seed(&rng, 3);
    for (size_t i = 0; i < sizeof random; i++)
        random[i] = (uint8_t)sl_rng_below(&rng, 256);
    gw_token_write(random, good);
    for (size_t at = 0; at < GW_TOKEN_LEN; at++) {
        for (unsigned value = 0; value < 256; value++) {
            memcpy(text, good, sizeof text);
            text[at] = (char)value;
            assert_int_equal(gw_token_is_whole(sl_span_of(text, GW_TOKEN_LEN)),
                             text[at] == good[at]);
        }
        assert_false(gw_token_is_whole(sl_span_of(good, at)));
    }
    good[GW_TOKEN_LEN] = '0';
    assert_false(gw_token_is_whole(sl_span_of(good, GW_TOKEN_LEN + 1)));
}

/* A name with a separator would be another's account: "corp#ana" is the issuer corp's ana. */
static const char *const bad_names[] = {
    "",     "corp#ana", "a/b",  "user:ana",          "a b",      " ana",         "ana\n",
    "a\tb", "a\x7f",    "\xff", "\xc2\x80" /* C1 */, "\xc2\xa0", "a\xed\xa0\x80"};

static void names_of_users(void **state SL_UNUSED)
{
    static const char *const good[] = {"ana", "ana@example.org", "A-b_c.d+e", "J\xc3\xb6rg", "7",
                                       "*"};
    char longest[GW_USER_NAME_MAX + 1];
    for (size_t i = 0; i < SL_ARRAY_LEN(bad_names); i++)
        if (gw_user_name_is_good(sl_span_str(bad_names[i])))
            fail_msg("'%s' is taken", bad_names[i]);
    for (size_t i = 0; i < SL_ARRAY_LEN(good); i++)
        if (!gw_user_name_is_good(sl_span_str(good[i])))
            fail_msg("'%s' is refused", good[i]);
    memset(longest, 'a', sizeof longest);
    assert_true(gw_user_name_is_good(sl_span_of(longest, GW_USER_NAME_MAX)));
    assert_false(gw_user_name_is_good(sl_span_of(longest, GW_USER_NAME_MAX + 1)));
    assert_false(gw_user_name_is_good(sl_span_of("a\0b", 3)));
}

static void names_of_owners(void **state SL_UNUSED)
{
    static const char *const good[] = {"ana", "corp#ana", "corp#auth0|a b", "c#https://a/b#c"};
    static const char *const bad[] = {"",    "#",     "corp#",     "#ana",
                                      "a b", "a/b#c", "corp#a\nb", "c#\xff"};
    char longest[GW_OWNER_NAME_MAX + 1];
    for (size_t i = 0; i < SL_ARRAY_LEN(good); i++)
        if (!gw_owner_name_is_good(sl_span_str(good[i])))
            fail_msg("'%s' is refused", good[i]);
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++)
        if (gw_owner_name_is_good(sl_span_str(bad[i])))
            fail_msg("'%s' is taken", bad[i]);
    memset(longest, 'a', sizeof longest);
    longest[1] = '#';
    assert_true(gw_owner_name_is_good(sl_span_of(longest, GW_OWNER_NAME_MAX)));
    assert_false(gw_owner_name_is_good(sl_span_of(longest, GW_OWNER_NAME_MAX + 1)));
}

static struct gw_token_row row_of(unsigned number)
{
    struct gw_token_row r = {.created_at = 1};
    memset(r.hash, 0x5a, sizeof r.hash);
    memcpy(r.hash, &number, sizeof number);
    snprintf(r.prefix, sizeof r.prefix, "sl_%06u", number);
    snprintf(r.user, sizeof r.user, "user%u", number);
    return r;
}

static struct sl_span prefix_of(const struct gw_token_row *r)
{
    return sl_span_str(r->prefix);
}

static void rows_come_and_go(void **state SL_UNUSED)
{
    struct gw_token_table *t;
    assert_ok(gw_token_table_create(&sl_alloc_malloc, 3, &t));
    struct gw_token_row a = row_of(1), b = row_of(2), c = row_of(3), d = row_of(4);
    assert_null(gw_token_table_find(t, a.hash));
    assert_ok(gw_token_table_add(t, &a));
    assert_ok(gw_token_table_add(t, &b));
    assert_status(gw_token_table_add(t, &a), SL_EEXIST);
    struct gw_token_row same_prefix = row_of(9);
    memcpy(same_prefix.prefix, b.prefix, sizeof b.prefix);
    assert_status(gw_token_table_add(t, &same_prefix), SL_EEXIST);
    assert_ok(gw_token_table_add(t, &c));
    assert_status(gw_token_table_add(t, &d), SL_EFULL);
    assert_string_equal(gw_token_table_find(t, b.hash)->user, "user2");
    assert_string_equal(gw_token_table_find_prefix(t, prefix_of(&c))->user, "user3");
    assert_null(gw_token_table_find_prefix(t, sl_span_str("sl_")));
    assert_ok(gw_token_table_remove(t, prefix_of(&b)));
    assert_status(gw_token_table_remove(t, prefix_of(&b)), SL_ENOENT);
    assert_null(gw_token_table_find(t, b.hash));
    const struct gw_token_row *r = gw_token_table_next(t, NULL);
    assert_string_equal(r->user, "user1");
    r = gw_token_table_next(t, r);
    assert_string_equal(r->user, "user3");
    assert_null(gw_token_table_next(t, r));
    gw_token_table_destroy(t);
}

static void rows_without_a_good_name_are_not_taken(void **state SL_UNUSED)
{
    struct gw_token_table *t;
    assert_ok(gw_token_table_create(&sl_alloc_malloc, 3, &t));
    for (size_t i = 0; i < SL_ARRAY_LEN(bad_names); i++) {
        struct gw_token_row r = row_of(1);
        snprintf(r.user, sizeof r.user, "%s", bad_names[i]);
        assert_status(gw_token_table_add(t, &r), SL_EINVAL);
    }
    struct gw_token_row of_app = row_of(2);
    snprintf(of_app.app, sizeof of_app.app, "demo/7");
    assert_status(gw_token_table_add(t, &of_app), SL_EINVAL);
    of_app.app[4] = '\0';
    snprintf(of_app.user, sizeof of_app.user, "corp#ana"); /* the owner, whom the app is of */
    assert_ok(gw_token_table_add(t, &of_app));
    assert_int_equal(gw_token_table_count(t), 1);
    gw_token_table_destroy(t);
}

static void revoked_and_expired(void **state SL_UNUSED)
{
    struct gw_token_table *t;
    assert_ok(gw_token_table_create(&sl_alloc_malloc, 3, &t));
    struct gw_token_row a = row_of(1);
    a.expires_at = 1000;
    assert_ok(gw_token_table_add(t, &a));
    const struct gw_token_row *r = gw_token_table_find(t, a.hash);
    assert_null(gw_token_row_fault(r, 999));
    assert_string_equal(gw_token_row_fault(r, 1000), "the token has expired");
    assert_ok(gw_token_table_revoke(t, prefix_of(&a)));
    assert_ok(gw_token_table_revoke(t, prefix_of(&a)));
    assert_string_equal(gw_token_row_fault(r, 0), "the token was revoked");
    assert_status(gw_token_table_revoke(t, sl_span_str("sl_999999")), SL_ENOENT);
    gw_token_table_destroy(t);
}

static void many(void **state SL_UNUSED)
{
    enum { COUNT = 20000 };
    struct gw_token_table *t;
    assert_ok(gw_token_table_create(&sl_alloc_malloc, COUNT, &t));
    for (unsigned i = 0; i < COUNT; i++) {
        struct gw_token_row r = row_of(i);
        assert_ok(gw_token_table_add(t, &r));
    }
    assert_int_equal(gw_token_table_count(t), COUNT);
    for (unsigned i = 0; i < COUNT; i += 2) {
        struct gw_token_row r = row_of(i);
        assert_ok(gw_token_table_remove(t, prefix_of(&r)));
    }
    for (unsigned i = 0; i < COUNT; i++) {
        struct gw_token_row r = row_of(i);
        assert_int_equal(gw_token_table_find(t, r.hash) != NULL, i % 2);
    }
    gw_token_table_destroy(t);
}

static void no_memory(void **state SL_UNUSED)
{
    struct fail_alloc f;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        struct gw_token_table *t;
        if (gw_token_table_create(&f.alloc, 100, &t) == SL_OK) {
            size_t added = 0;
            for (unsigned n = 0; n < 40; n++) {
                struct gw_token_row r = row_of(n);
                added += gw_token_table_add(t, &r) == SL_OK;
            }
            assert_int_equal(gw_token_table_count(t), added);
            for (unsigned n = 0; n < 40; n++) {
                struct gw_token_row r = row_of(n);
                assert_int_equal(gw_token_table_find(t, r.hash) != NULL,
                                 gw_token_table_find_prefix(t, prefix_of(&r)) != NULL);
            }
            gw_token_table_destroy(t);
        }
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(every_byte_changed),
        cmocka_unit_test(names_of_users),
        cmocka_unit_test(names_of_owners),
        cmocka_unit_test(rows_come_and_go),
        cmocka_unit_test(rows_without_a_good_name_are_not_taken),
        cmocka_unit_test(revoked_and_expired),
        cmocka_unit_test(many),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
