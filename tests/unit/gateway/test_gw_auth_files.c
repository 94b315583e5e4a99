/* test_gw_auth_files.c - what identity keeps in the state directory: the administrator's token, cookies' keys. */
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw_auth.h"
#include "gw_cookie_keys.h"
#include "gw_digest.h"
#include "gw_secret_file.h"
#include "gw_token_make.h"
#include "sl_test.h"

static char dir[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int make_dir(void **state SL_UNUSED)
{
    snprintf(dir, sizeof dir, "/tmp/test_gw_auth.XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state SL_UNUSED)
{
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void put(const char *name, const char *text, mode_t mode)
{
    FILE *f = fopen(path_of(name), "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path_of(name), mode), 0);
}

static mode_t mode_of(const char *name)
{
    struct stat st;
    assert_int_equal(stat(path_of(name), &st), 0);
    return st.st_mode & 07777;
}

/* ---- files */

static void secrets_are_read_as_written(void **state SL_UNUSED)
{
    struct sl_error err;
    char text[8];
    size_t len;
    assert_status(gw_secret_file_read(dir, "s", text, sizeof text, &len, &err), SL_ENOENT);
    assert_ok(gw_secret_file_write(dir, "s", sl_span_str("old"), &err));
    assert_ok(gw_secret_file_write(dir, "s", sl_span_str("12345678"), &err));
    assert_int_equal(mode_of("s"), 0600);
    assert_ok(gw_secret_file_read(dir, "s", text, sizeof text, &len, &err));
    assert_int_equal(len, 8);
    assert_memory_equal(text, "12345678", 8);
    assert_int_equal(access(path_of("s.new"), F_OK), -1);
    assert_ok(gw_secret_file_write(dir, "s", sl_span_str("123456789"), &err));
    assert_status(gw_secret_file_read(dir, "s", text, sizeof text, &len, &err), SL_ETOOBIG);
    assert_null(strstr(err.text, "1234"));
}

static void what_others_can_read_is_no_secret(void **state SL_UNUSED)
{
    struct sl_error err;
    char text[8];
    size_t len;
    put("s", "x", 0644);
    assert_status(gw_secret_file_read(dir, "s", text, sizeof text, &len, &err), SL_EINVAL);
    assert_non_null(strstr(err.text, path_of("s")));
    assert_non_null(strstr(err.text, "chmod 600"));
    assert_int_equal(symlink("s", path_of("link")), 0);
    assert_status(gw_secret_file_read(dir, "link", text, sizeof text, &len, &err), SL_EIO);
    assert_int_equal(mkdir(path_of("folder"), 0700), 0);
    assert_status(gw_secret_file_read(dir, "folder", text, sizeof text, &len, &err), SL_EINVAL);
    assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
    assert_status(gw_secret_file_read(dir, "pipe", text, sizeof text, &len, &err), SL_EINVAL);
}

static void directories(void **state SL_UNUSED)
{
    struct sl_error err;
    char path[128];
    snprintf(path, sizeof path, "%s/new", dir);
    assert_ok(gw_secret_dir(path, &err));
    assert_int_equal(mode_of("new"), 0700);
    assert_ok(gw_secret_dir(path, &err));
    assert_int_equal(chmod(path, 0777), 0);
    assert_status(gw_secret_dir(path, &err), SL_EINVAL);
    assert_non_null(strstr(err.text, "others may write into it"));
    put("file", "", 0600);
    assert_status(gw_secret_dir(path_of("file"), &err), SL_EINVAL);
    assert_status(gw_secret_dir("/no/such/place", &err), SL_EIO);
}

/* ---- the administrator's token */

static void an_administrator_is_made_once(void **state SL_UNUSED)
{
    struct gw_digest *d;
    struct gw_token_row first = {.user = "admin"}, again = {.user = "admin"};
    struct sl_error err;
    bool made = false;
    char text[GW_TOKEN_LEN + 2] = {0};
    assert_ok(gw_digest_create(&d));
    assert_ok(gw_token_of_admin(d, dir, &first, &made, &err));
    assert_true(made);
    assert_int_equal(mode_of("admin.token"), 0600);
    assert_ok(gw_token_of_admin(d, dir, &again, &made, &err));
    assert_false(made);
    assert_memory_equal(first.hash, again.hash, sizeof first.hash);
    FILE *f = fopen(path_of("admin.token"), "r");
    assert_int_equal(fread(text, 1, GW_TOKEN_LEN + 1, f), GW_TOKEN_LEN + 1);
    fclose(f);
    assert_true(gw_token_is_whole(sl_span_of(text, GW_TOKEN_LEN)));
    assert_memory_equal(text, first.prefix, GW_TOKEN_PREFIX_LEN);
    put("admin.token", "sl_secret-but-wrong\n", 0600);
    assert_status(gw_token_of_admin(d, dir, &again, &made, &err), SL_EINVAL);
    assert_null(strstr(err.text, "secret-but-wrong"));
    put("admin.token", text, 0640);
    assert_status(gw_token_of_admin(d, dir, &again, &made, &err), SL_EINVAL);
    gw_digest_destroy(d);
}

static void a_removed_file_is_another_administrator(void **state SL_UNUSED)
{
    static const struct gw_auth_metrics nobody_counts;
    const struct gw_tiers tiers = {.tiers = {{.name = "pro"}}, .tier_count = 1};
    const struct gw_auth_conf conf = {.tiers = &tiers,
                                      .cookies = {1, 1},
                                      .state_dir = dir,
                                      .tokens_max = 4,
                                      .apps_max = 4,
                                      .cache_max = 4};
    struct gw_auth *a;
    struct sl_error err;
    uint8_t first[GW_TOKEN_HASH_BYTES];
    bool made;
    assert_ok(gw_auth_create(&sl_alloc_malloc, &conf, &nobody_counts, &a, &err));
    assert_ok(gw_auth_load_admin(a, "pro", &made, &err));
    const struct gw_token_row *row = gw_token_table_next(gw_auth_tokens(a), NULL);
    assert_true(row->is_admin);
    memcpy(first, row->hash, sizeof first);
    assert_ok(gw_auth_load_admin(a, "pro", &made, &err));
    assert_false(made);
    assert_non_null(gw_token_table_find(gw_auth_tokens(a), first));
    assert_int_equal(unlink(path_of("admin.token")), 0);
    assert_ok(gw_auth_load_admin(a, "pro", &made, &err));
    assert_true(made);
    assert_null(gw_token_table_find(gw_auth_tokens(a), first));
    assert_int_equal(gw_token_table_count(gw_auth_tokens(a)), 1);
    gw_auth_destroy(a);
}

/* ---- cookies' keys */

static const struct gw_cookie_conf days = {.rotate_us = 86400 * SL_US_PER_S,
                                           .lifetime_us = 3 * 86400 * SL_US_PER_S};

static bool is_good(const struct gw_cookie_keys *k, const char *text, sl_wall_us now)
{
    struct gw_cookie c;
    return gw_cookie_parse(sl_span_str(text), &c) &&
           gw_cookie_ring_is_good(gw_cookie_keys_ring(k), &c, now);
}

/* A cookie, by a new key when one is due. */
static sl_status issue(struct gw_cookie_keys *k, sl_wall_us now, char out[GW_COOKIE_TEXT_MAX + 1],
                       struct sl_error *err)
{
    const struct gw_cookie_ring *ring = gw_cookie_keys_ring(k);
    sl_status s = gw_cookie_ring_is_due(ring, now) ? gw_cookie_keys_add(k, now, err) : SL_OK;
    return s == SL_OK ? gw_cookie_ring_sign(ring, NULL, now, out) : s;
}

static void cookies_outlive_the_process(void **state SL_UNUSED)
{
    struct gw_cookie_keys *k;
    struct sl_error err;
    char text[GW_COOKIE_TEXT_MAX + 1];
    const sl_wall_us now = 1700000000 * SL_US_PER_S;
    assert_ok(gw_cookie_keys_open(dir, &days, &k, &err));
    assert_int_equal(access(path_of("cookie.keys"), F_OK), -1); /* nobody has asked for one */
    assert_ok(issue(k, now, text, &err));
    assert_int_equal(mode_of("cookie.keys"), 0600);
    gw_cookie_keys_close(k);
    assert_ok(gw_cookie_keys_open(dir, &days, &k, &err));
    assert_true(is_good(k, text, now));
    gw_cookie_keys_close(k);
    put("cookie.keys", "1 2 3\n", 0600);
    assert_status(gw_cookie_keys_open(dir, &days, &k, &err), SL_EINVAL);
    put("cookie.keys", /* more seconds than a line has room for */
        "1 1234567890123 00000000000000000000000000000000000000000000000000000000000000ff\n", 0600);
    assert_status(gw_cookie_keys_open(dir, &days, &k, &err), SL_EINVAL);
    /* Another gateway's. */
    assert_ok(gw_cookie_keys_open("", &days, &k, &err));
    char other[GW_COOKIE_TEXT_MAX + 1];
    assert_ok(issue(k, now, other, &err));
    assert_true(is_good(k, other, now));
    assert_false(is_good(k, text, now));
    gw_cookie_keys_close(k);
}

/* Over two months: every cookie is good for its three days, and not much longer than its key is kept. */
static void keys_rotate(void **state SL_UNUSED)
{
    enum { DAYS = 60 };
    char text[DAYS][GW_COOKIE_TEXT_MAX + 1];
    struct gw_cookie_keys *k;
    struct sl_error err;
    const sl_wall_us begin = 1700000000 * SL_US_PER_S, day = 86400 * SL_US_PER_S + 1;
    assert_ok(gw_cookie_keys_open(dir, &days, &k, &err));
    for (int i = 0; i < DAYS; i++) {
        sl_wall_us now = begin + i * (day + SL_US_PER_S);
        assert_ok(issue(k, now, text[i], &err));
        for (int old = 0; old <= i; old++)
            assert_int_equal(is_good(k, text[old], now), i - old < 3);
        if (i % 7 == 0) {
            gw_cookie_keys_close(k);
            assert_ok(gw_cookie_keys_open(dir, &days, &k, &err));
        }
    }
    /* A clock that was set back: no new key, and what is of the future is not believed. */
    assert_ok(issue(k, begin, text[0], &err));
    assert_true(is_good(k, text[0], begin));
    assert_false(is_good(k, text[DAYS - 1], begin));
    gw_cookie_keys_close(k);
}

/* A key that signed for longer than keys do now is kept as long as what it signed last is good. */
static void a_late_rotation_ends_no_cookie(void **state SL_UNUSED)
{
    static const struct gw_cookie_conf rare = {.rotate_us = 365 * 86400 * SL_US_PER_S,
                                               .lifetime_us = 3 * 86400 * SL_US_PER_S};
    struct gw_cookie_keys *k;
    struct sl_error err;
    char last[GW_COOKIE_TEXT_MAX + 1], next[GW_COOKIE_TEXT_MAX + 1];
    const sl_wall_us begin = 1700000000 * SL_US_PER_S, day = 86400 * SL_US_PER_S + SL_US_PER_S;
    assert_ok(gw_cookie_keys_open(dir, &rare, &k, &err));
    assert_ok(issue(k, begin, last, &err));
    assert_ok(issue(k, begin + 100 * day, last, &err));
    gw_cookie_keys_set_conf(k, &days);
    for (int i = 0; i < 6; i++) {
        assert_ok(issue(k, begin + (100 + i) * day, next, &err));
        assert_int_equal(is_good(k, last, begin + (100 + i) * day), i < 3);
    }
    assert_true(gw_cookie_keys_ring(k)->count < 6);
    gw_cookie_keys_close(k);
}

static void keys_that_cannot_be_kept_sign_nothing(void **state SL_UNUSED)
{
    struct gw_cookie_keys *k;
    struct sl_error err;
    char text[GW_COOKIE_TEXT_MAX + 1], gone[128];
    snprintf(gone, sizeof gone, "%s/gone", dir);
    assert_ok(gw_cookie_keys_open(gone, &days, &k, &err));
    assert_status(gw_cookie_ring_sign(gw_cookie_keys_ring(k), NULL, SL_US_PER_S, text), SL_ENOENT);
    assert_status(issue(k, SL_US_PER_S, text, &err), SL_EIO);
    assert_non_null(strstr(err.text, "cookie.keys"));
    assert_int_equal(mkdir(gone, 0700), 0);
    assert_ok(issue(k, SL_US_PER_S, text, &err));
    gw_cookie_keys_close(k);
}

/* ---- digests */

static void digests(void **state SL_UNUSED)
{
    /* FIPS 180-2, B.1; RFC 4231, case 2. */
    static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                  0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                  0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    static const uint8_t jefe[] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24,
                                   0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27,
                                   0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};
    struct gw_digest *d;
    uint8_t out[GW_SHA256_BYTES];
    assert_ok(gw_digest_create(&d));
    for (int i = 0; i < 3; i++) {
        assert_ok(gw_digest_sha256(d, sl_span_str("abc"), out));
        assert_memory_equal(out, abc, sizeof abc);
    }
    assert_ok(
        gw_digest_hmac(sl_span_str("Jefe"), sl_span_str("what do ya want for nothing?"), out));
    assert_memory_equal(out, jefe, sizeof jefe);
    assert_true(gw_digest_is_same(out, jefe, sizeof jefe));
    out[31] ^= 1;
    assert_false(gw_digest_is_same(out, jefe, sizeof jefe));
    gw_digest_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(secrets_are_read_as_written, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(what_others_can_read_is_no_secret, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(directories, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(an_administrator_is_made_once, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_removed_file_is_another_administrator, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(cookies_outlive_the_process, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_late_rotation_ends_no_cookie, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(keys_rotate, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(keys_that_cannot_be_kept_sign_nothing, make_dir,
                                        remove_dir),
        cmocka_unit_test(digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
