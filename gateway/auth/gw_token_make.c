/* gw_token_make.c - randomness to text to hash. */
#include "gw_token_make.h"

#include <string.h>

#include "gw_secret_file.h"

static const char admin_file[] = "admin.token";

sl_status gw_token_hash(struct gw_digest *d, struct sl_span text, struct gw_token_row *row)
{
    if (!gw_token_is_whole(text))
        return SL_EINVAL;
    memcpy(row->prefix, text.data, GW_TOKEN_PREFIX_LEN);
    row->prefix[GW_TOKEN_PREFIX_LEN] = '\0';
    return gw_digest_sha256(d, text, row->hash);
}

sl_status gw_token_make(struct gw_digest *d, char out[GW_TOKEN_LEN + 1], struct gw_token_row *row)
{
    uint8_t random[GW_TOKEN_RANDOM_BYTES];
    if (gw_digest_random(random, sizeof random) != SL_OK)
        return SL_EIO;
    gw_token_write(random, out);
    gw_digest_erase(random, sizeof random);
    return gw_token_hash(d, sl_span_of(out, GW_TOKEN_LEN), row);
}

static sl_status make_admin(struct gw_digest *d, const char *dir, struct gw_token_row *row,
                            struct sl_error *err)
{
    char line[GW_TOKEN_LEN + 2];
    sl_status s = gw_token_make(d, line, row);
    if (s != SL_OK) {
        sl_error_set(err, SL_REASON_INTERNAL, "no randomness for %s/%s", dir, admin_file);
        return s;
    }
    line[GW_TOKEN_LEN] = '\n';
    s = gw_secret_file_write(dir, admin_file, sl_span_of(line, GW_TOKEN_LEN + 1), err);
    gw_digest_erase(line, sizeof line);
    return s;
}

sl_status gw_token_of_admin(struct gw_digest *d, const char *dir, struct gw_token_row *row,
                            bool *made, struct sl_error *err)
{
    char text[GW_TOKEN_LEN + 2];
    size_t len;
    sl_status s = gw_secret_file_read(dir, admin_file, text, sizeof text, &len, err);
    if (made != NULL)
        *made = s == SL_ENOENT;
    if (s == SL_ENOENT)
        return make_admin(d, dir, row, err);
    if (s == SL_OK) {
        len -= len > 0 && text[len - 1] == '\n';
        s = gw_token_hash(d, sl_span_of(text, len), row);
        if (s != SL_OK)
            sl_error_set(err, SL_REASON_BAD_INPUT,
                         "%s/%s does not hold a token; remove it and a new one is made", dir,
                         admin_file);
    }
    gw_digest_erase(text, sizeof text);
    return s;
}
