#include "gw_sign_ring.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "gw_json.h"
#include "gw_jwk_evp.h"
#include "gw_secret_file.h"
#include "sl_base64url.h"

enum { NUMBER_LEN = SL_BASE64URL_LEN(GW_P256_BYTES) };

/* ---- one key ---- */

static void finish_key(struct gw_sign_key *k)
{
    EVP_PKEY_free(k->pair);
    gw_jwk_destroy(k->public_key);
    *k = (struct gw_sign_key){0};
}

static void encode(const uint8_t bytes[GW_P256_BYTES], char out[NUMBER_LEN + 1])
{
    sl_base64url_encode(sl_span_of(bytes, GW_P256_BYTES), out);
}

/* {"kty","crv","x","y","kid"} and, with_secret, "d". NULL: no memory. */
static json_t *key_as_json(const struct gw_sign_key *k, bool with_secret)
{
    struct gw_p256 p;
    char x[NUMBER_LEN + 1], y[NUMBER_LEN + 1], d[NUMBER_LEN + 1];
    if (!gw_jwk_evp_read_p256(k->pair, &p))
        return NULL;
    encode(p.x, x);
    encode(p.y, y);
    encode(p.d, d);
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s*}", "kty", "EC", "crv", "P-256", "x", x,
                             "y", y, "kid", k->kid, "d", with_secret ? d : NULL);
    explicit_bzero(&p, sizeof p);
    explicit_bzero(d, sizeof d);
    return json;
}

/* The key that verifies is made from the same JSON as an issuer's. */
static bool make_public_key(struct gw_sign_key *k)
{
    const char *why;
    json_t *json = key_as_json(k, false);
    k->public_key = json != NULL ? gw_jwk_create(json, &why) : NULL;
    json_decref(json);
    return k->public_key != NULL;
}

static sl_status make_key(struct gw_sign_key *k, sl_wall_us now)
{
    uint8_t random[GW_SIGN_KID_LEN * 3 / 4];
    *k = (struct gw_sign_key){.made_at = now};
    if (RAND_bytes(random, sizeof random) != 1) {
        ERR_clear_error();
        return SL_EIO;
    }
    sl_base64url_encode(sl_span_of(random, sizeof random), k->kid);
    k->pair = gw_jwk_evp_make_p256();
    if (k->pair != NULL && make_public_key(k))
        return SL_OK;
    finish_key(k);
    return SL_ENOMEM;
}

/* ---- the ring ---- */

void gw_sign_ring_finish(struct gw_sign_ring *r)
{
    for (size_t i = 0; i < r->count; i++)
        finish_key(&r->keys[i]);
    r->count = 0;
}

sl_status gw_sign_ring_add(struct gw_sign_ring *r, sl_wall_us now)
{
    struct gw_sign_key fresh;
    sl_status s = make_key(&fresh, now);
    if (s != SL_OK)
        return s;
    if (r->count == GW_SIGN_KEYS_MAX)
        finish_key(&r->keys[--r->count]);
    memmove(&r->keys[1], &r->keys[0], r->count * sizeof r->keys[0]);
    r->keys[0] = fresh;
    r->count++;
    return SL_OK;
}

void gw_sign_ring_undo(struct gw_sign_ring *r)
{
    finish_key(&r->keys[0]);
    r->count--;
    memmove(&r->keys[0], &r->keys[1], r->count * sizeof r->keys[0]);
}

void gw_sign_ring_retire(struct gw_sign_ring *r, sl_wall_us before)
{
    while (r->count > 1 && r->keys[r->count - 2].made_at <= before)
        finish_key(&r->keys[--r->count]);
}

const struct gw_sign_key *gw_sign_ring_find(const struct gw_sign_ring *r, const char *kid)
{
    for (size_t i = 0; kid != NULL && i < r->count; i++)
        if (strcmp(r->keys[i].kid, kid) == 0)
            return &r->keys[i];
    return NULL;
}

/* ---- reading ---- */

static bool read_number(const json_t *json, const char *name, uint8_t out[GW_P256_BYTES])
{
    const char *text = json_string_value(json_object_get(json, name));
    size_t len = 0;
    return text != NULL &&
           sl_base64url_decode(sl_span_str(text), out, GW_P256_BYTES, &len) == SL_OK &&
           len == GW_P256_BYTES;
}

static bool read_pair(struct gw_sign_key *k, const json_t *json)
{
    struct gw_p256 p;
    bool ok =
        read_number(json, "x", p.x) && read_number(json, "y", p.y) && read_number(json, "d", p.d);
    k->pair = ok ? gw_jwk_evp_p256(&p, true) : NULL;
    explicit_bzero(&p, sizeof p);
    return k->pair != NULL;
}

static bool read_key(struct gw_sign_key *k, const json_t *json)
{
    const char *kid = json_string_value(json_object_get(json, "kid"));
    const json_t *made_at = json_object_get(json, "made_at_us");
    if (kid == NULL || strlen(kid) != GW_SIGN_KID_LEN || !json_is_integer(made_at))
        return false;
    *k = (struct gw_sign_key){.made_at = json_integer_value(made_at)};
    memcpy(k->kid, kid, GW_SIGN_KID_LEN + 1);
    if (read_pair(k, json) && make_public_key(k))
        return true;
    finish_key(k);
    return false;
}

static bool read_keys(struct gw_sign_ring *r, const json_t *root)
{
    json_t *keys = json_object_get(root, "keys"), *key;
    size_t i;
    if (!json_is_array(keys) || json_array_size(keys) == 0 ||
        json_array_size(keys) > GW_SIGN_KEYS_MAX)
        return false;
    json_array_foreach(keys, i, key)
    {
        if (!read_key(&r->keys[i], key))
            return false;
        r->count = i + 1;
    }
    return true;
}

sl_status gw_sign_ring_read(struct gw_sign_ring *r, const char *dir, struct sl_error *error)
{
    char text[GW_SIGN_FILE_BYTES_MAX];
    size_t len;
    *r = (struct gw_sign_ring){0};
    sl_status s = gw_secret_file_read(dir, GW_SIGN_FILE, text, sizeof text, &len, error);
    if (s != SL_OK)
        return s;
    enum gw_json_fault fault;
    json_t *root = gw_json_read(sl_span_of(text, len), &fault);
    bool ok = read_keys(r, root);
    json_decref(root);
    explicit_bzero(text, sizeof text);
    if (ok)
        return SL_OK;
    gw_sign_ring_finish(r);
    if (fault == GW_JSON_NO_MEMORY) {
        sl_error_set(error, SL_REASON_INTERNAL, "no memory to read '%s/" GW_SIGN_FILE "'", dir);
        return SL_ENOMEM;
    }
    sl_error_set(error, SL_REASON_BAD_INPUT,
                 "'%s/" GW_SIGN_FILE
                 "' does not hold the keys that this gateway wrote there; move it away to let "
                 "new ones be made, which ends all tokens that were issued",
                 dir);
    return SL_EINVAL;
}

/* ---- writing ---- */

static bool append_key(json_t *keys, const struct gw_sign_key *k, bool with_secret)
{
    json_t *json = key_as_json(k, with_secret);
    if (json == NULL)
        return false;
    if ((with_secret ? json_object_set_new(json, "made_at_us", json_integer(k->made_at))
                     : json_object_set_new(json, "alg", json_string("ES256")) |
                           json_object_set_new(json, "use", json_string("sig"))) != 0) {
        json_decref(json);
        return false;
    }
    return json_array_append_new(keys, json) == 0;
}

static char *ring_as_text(const struct gw_sign_ring *r, bool with_secrets)
{
    json_t *root = json_object(), *keys = json_array();
    bool ok = root != NULL && keys != NULL;
    for (size_t i = 0; ok && i < r->count; i++)
        ok = append_key(keys, &r->keys[i], with_secrets);
    ok = ok && json_object_set(root, "keys", keys) == 0;
    char *text = ok ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(keys);
    json_decref(root);
    return text;
}

sl_status gw_sign_ring_write(const struct gw_sign_ring *r, const char *dir, struct sl_error *error)
{
    char *text = ring_as_text(r, true);
    if (text == NULL) {
        sl_error_set(error, SL_REASON_INTERNAL, "no memory for the keys of issued tokens");
        return SL_ENOMEM;
    }
    sl_status s = gw_secret_file_write(dir, GW_SIGN_FILE, sl_span_str(text), error);
    explicit_bzero(text, strlen(text));
    free(text);
    return s;
}

char *gw_sign_ring_jwks(const struct gw_sign_ring *r)
{
    return ring_as_text(r, false);
}
