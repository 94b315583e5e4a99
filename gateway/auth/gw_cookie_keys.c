/* gw_cookie_keys.c - a ring of keys, and the file that holds the same. */
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

#define SECONDS_MAX INT64_C(999999999999)

enum { LINE_MAX_BYTES = 10 + 1 + 12 + 1 + 2 * GW_COOKIE_KEY_BYTES + 1 };
enum { FILE_MAX_BYTES = GW_COOKIE_KEYS_MAX * LINE_MAX_BYTES };

static const char file_name[] = "cookie.keys";

struct gw_cookie_keys {
    char dir[PATH_MAX];
    struct gw_cookie_ring ring;
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

static bool read_line(const char *line, struct gw_cookie_key *out)
{
    int64_t number;
    if (!read_number(line, UINT32_MAX, &number, &line) ||
        !read_number(line, SECONDS_MAX, &out->made_s, &line) ||
        strlen(line) != 2 * GW_COOKIE_KEY_BYTES)
        return false;
    out->number = (uint32_t)number;
    for (size_t i = 0; i < GW_COOKIE_KEY_BYTES; i++)
        if (!read_byte(line + 2 * i, &out->bytes[i]))
            return false;
    return true;
}

static sl_status read_keys(struct gw_cookie_keys *k, struct sl_error *err)
{
    struct gw_cookie_ring *r = &k->ring;
    char text[FILE_MAX_BYTES + 1], *rest = NULL;
    size_t len;
    sl_status s = gw_secret_file_read(k->dir, file_name, text, FILE_MAX_BYTES, &len, err);
    if (s != SL_OK)
        return s == SL_ENOENT ? SL_OK : s;
    text[len] = '\0';
    for (char *line = strtok_r(text, "\n", &rest); line != NULL && s == SL_OK;
         line = strtok_r(NULL, "\n", &rest)) {
        if (r->count == GW_COOKIE_KEYS_MAX || !read_line(line, &r->keys[r->count++]))
            s = SL_EINVAL;
    }
    gw_digest_erase(text, sizeof text);
    if (s != SL_OK)
        sl_error_set(err, SL_REASON_BAD_INPUT,
                     "%s/%s is not a file of keys; remove it and new ones are made", k->dir,
                     file_name);
    return s;
}

static size_t write_line(const struct gw_cookie_key *key, char *out)
{
    size_t len = (size_t)snprintf(out, LINE_MAX_BYTES + 1, "%" PRIu32 " %" PRId64 " ", key->number,
                                  key->made_s);
    for (size_t i = 0; i < GW_COOKIE_KEY_BYTES; i++)
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
    for (size_t i = 0; i < k->ring.count; i++)
        len += write_line(&k->ring.keys[i], text + len);
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
    k->ring.conf = *conf;
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
    k->ring.conf = *conf;
}

const struct gw_cookie_ring *gw_cookie_keys_ring(const struct gw_cookie_keys *k)
{
    return &k->ring;
}

sl_status gw_cookie_keys_add(struct gw_cookie_keys *k, sl_wall_us now, struct sl_error *err)
{
    struct gw_cookie_ring before = k->ring;
    sl_status s = gw_cookie_ring_add(&k->ring, now);
    if (s != SL_OK)
        sl_error_set(err, SL_REASON_INTERNAL, "no randomness for a key of cookies");
    else
        s = write_keys(k, err);
    if (s != SL_OK)
        k->ring = before;
    gw_digest_erase(&before, sizeof before);
    return s;
}
