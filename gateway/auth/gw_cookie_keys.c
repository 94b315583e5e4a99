/* gw_cookie_keys.c - a short list of keys, the latest last, and the file that holds the same. */
#include "gw_cookie_keys.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw_digest.h"
#include "gw_secret_file.h"

enum { KEY_BYTES = 32, LINE_MAX_BYTES = 10 + 1 + 12 + 1 + 2 * KEY_BYTES + 1 };
enum { FILE_MAX_BYTES = GW_COOKIE_KEYS_MAX * LINE_MAX_BYTES };

static const char file_name[] = "cookie.keys";

/* How far a cookie may come from the future: two machines' clocks, or one that was set back. */
static const int64_t future_max_us = 300 * SL_US_PER_S;

struct key {
    uint32_t number;
    int64_t made_s;
    uint8_t bytes[KEY_BYTES];
};

struct gw_cookie_keys {
    char dir[PATH_MAX];
    struct gw_cookie_conf conf;
    struct key keys[GW_COOKIE_KEYS_MAX];
    size_t count;
};

/* ---- the file */

/* Digits and a space; *rest is what follows them. */
static bool read_number(const char *text, int64_t max, int64_t *out, const char **rest)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    *rest = end + 1;
    return errno == 0 && *out <= max && *end == ' ';
}

static bool read_byte(const char *hex, uint8_t *out)
{
    const char pair[3] = {hex[0], hex[1], '\0'};
    char *end;
    *out = (uint8_t)strtoul(pair, &end, 16);
    return isxdigit((unsigned char)pair[0]) && end == pair + 2;
}

static bool read_line(const char *line, struct key *out)
{
    int64_t number;
    if (!read_number(line, UINT32_MAX, &number, &line) ||
        !read_number(line, INT64_MAX, &out->made_s, &line) || strlen(line) != 2 * KEY_BYTES)
        return false;
    out->number = (uint32_t)number;
    for (size_t i = 0; i < KEY_BYTES; i++)
        if (!read_byte(line + 2 * i, &out->bytes[i]))
            return false;
    return true;
}

static sl_status read_keys(struct gw_cookie_keys *k, struct sl_error *err)
{
    char text[FILE_MAX_BYTES + 1], *rest = NULL;
    size_t len;
    sl_status s = gw_secret_file_read(k->dir, file_name, text, FILE_MAX_BYTES, &len, err);
    if (s != SL_OK)
        return s == SL_ENOENT ? SL_OK : s;
    text[len] = '\0';
    for (char *line = strtok_r(text, "\n", &rest); line != NULL && s == SL_OK;
         line = strtok_r(NULL, "\n", &rest)) {
        if (k->count == GW_COOKIE_KEYS_MAX || !read_line(line, &k->keys[k->count++]))
            s = SL_EINVAL;
    }
    gw_digest_erase(text, sizeof text);
    if (s != SL_OK)
        sl_error_set(err, SL_REASON_BAD_INPUT,
                     "%s/%s is not a file of keys; remove it and new ones are made", k->dir,
                     file_name);
    return s;
}

static size_t write_line(const struct key *key, char *out)
{
    size_t len = (size_t)snprintf(out, LINE_MAX_BYTES + 1, "%" PRIu32 " %" PRId64 " ", key->number,
                                  key->made_s);
    for (size_t i = 0; i < KEY_BYTES; i++)
        len += (size_t)snprintf(out + len, 3, "%02x", key->bytes[i]);
    out[len++] = '\n';
    return len;
}

static sl_status write_keys(const struct gw_cookie_keys *k, struct sl_error *err)
{
    char text[FILE_MAX_BYTES + 1];
    size_t len = 0;
    if (k->dir[0] == '\0')
        return SL_OK;
    for (size_t i = 0; i < k->count; i++)
        len += write_line(&k->keys[i], text + len);
    sl_status s = gw_secret_file_write(k->dir, file_name, sl_span_of(text, len), err);
    gw_digest_erase(text, sizeof text);
    return s;
}

sl_status gw_cookie_keys_open(const char *dir, const struct gw_cookie_conf *conf,
                              struct gw_cookie_keys **out, struct sl_error *err)
{
    struct gw_cookie_keys *k = calloc(1, sizeof *k);
    if (k == NULL) {
        sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory for the keys of cookies");
        return SL_ENOMEM;
    }
    snprintf(k->dir, sizeof k->dir, "%s", dir);
    k->conf = *conf;
    sl_status s = dir[0] != '\0' ? read_keys(k, err) : SL_OK;
    if (s != SL_OK) {
        gw_cookie_keys_close(k);
        return s;
    }
    *out = k;
    return SL_OK;
}

void gw_cookie_keys_close(struct gw_cookie_keys *k)
{
    if (k == NULL)
        return;
    gw_digest_erase(k, sizeof *k);
    free(k);
}

void gw_cookie_keys_set_conf(struct gw_cookie_keys *k, const struct gw_cookie_conf *conf)
{
    k->conf = *conf;
}

/* ---- keys */

static int64_t age_us(int64_t made_s, sl_wall_us now)
{
    return sl_sat_add(now, -sl_sat_mul(made_s, SL_US_PER_S));
}

static void forget_oldest(struct gw_cookie_keys *k)
{
    k->count--;
    memmove(&k->keys[0], &k->keys[1], k->count * sizeof k->keys[0]);
    gw_digest_erase(&k->keys[k->count], sizeof k->keys[0]);
}

static void forget_old(struct gw_cookie_keys *k, sl_wall_us now)
{
    while (k->count > 0 &&
           age_us(k->keys[0].made_s, now) > sl_sat_add(k->conf.rotate_us, k->conf.lifetime_us))
        forget_oldest(k);
}

/* All is as it was when the new key cannot be kept. */
static sl_status add_key(struct gw_cookie_keys *k, sl_wall_us now, struct sl_error *err)
{
    struct gw_cookie_keys before = *k;
    forget_old(k, now);
    if (k->count == GW_COOKIE_KEYS_MAX)
        forget_oldest(k);
    struct key *key = &k->keys[k->count];
    key->number = before.count > 0 ? before.keys[before.count - 1].number + 1 : 1;
    key->made_s = now / SL_US_PER_S;
    sl_status s = gw_digest_random(key->bytes, sizeof key->bytes);
    if (s != SL_OK)
        sl_error_set(err, SL_REASON_INTERNAL, "no randomness for a key of cookies");
    k->count++;
    if (s == SL_OK)
        s = write_keys(k, err);
    if (s != SL_OK)
        *k = before;
    gw_digest_erase(&before, sizeof before);
    return s;
}

static bool is_due(const struct gw_cookie_keys *k, sl_wall_us now)
{
    return k->count == 0 || age_us(k->keys[k->count - 1].made_s, now) > k->conf.rotate_us;
}

static const struct key *find(const struct gw_cookie_keys *k, uint32_t number)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->keys[i].number == number)
            return &k->keys[i];
    return NULL;
}

/* ---- cookies */

sl_status gw_cookie_issue(struct gw_cookie_keys *k, sl_wall_us now,
                          char out[GW_COOKIE_TEXT_MAX + 1], struct sl_error *err)
{
    uint8_t id[GW_COOKIE_ID_BYTES], mac[GW_COOKIE_MAC_BYTES];
    sl_status s = is_due(k, now) ? add_key(k, now, err) : SL_OK;
    if (s != SL_OK)
        return s;
    const struct key *key = &k->keys[k->count - 1];
    if (gw_digest_random(id, sizeof id) != SL_OK) {
        sl_error_set(err, SL_REASON_INTERNAL, "no randomness for a cookie");
        return SL_EIO;
    }
    size_t len = gw_cookie_write_signed(id, now / SL_US_PER_S, key->number, out);
    s = gw_digest_hmac(sl_span_of(key->bytes, KEY_BYTES), sl_span_of(out, len), mac);
    if (s == SL_OK)
        gw_cookie_add_mac(out, len, mac);
    else
        sl_error_set(err, SL_REASON_INTERNAL, "a cookie cannot be signed");
    return s;
}

bool gw_cookie_is_good(const struct gw_cookie_keys *k, const struct gw_cookie *c, sl_wall_us now)
{
    uint8_t mac[GW_COOKIE_MAC_BYTES];
    const struct key *key = find(k, c->key);
    int64_t age = age_us(c->issued_s, now);
    return key != NULL && age <= k->conf.lifetime_us && age >= -future_max_us &&
           gw_digest_hmac(sl_span_of(key->bytes, KEY_BYTES), c->signed_text, mac) == SL_OK &&
           gw_digest_is_same(mac, c->mac, sizeof mac);
}
