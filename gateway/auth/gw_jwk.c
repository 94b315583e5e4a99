#include "gw_jwk.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "gw_jwk_evp.h"
#include "sl_base64url.h"

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192, RSA_EXPONENT_MAX = 8 };
enum { SECRET_BYTES_MIN = 32, SECRET_BYTES_MAX = 512 };

enum key_type { KEY_RSA, KEY_EC, KEY_OCT, KEY_OKP, KEY_TYPES };

struct gw_jwk {
    enum key_type type;
    int only_alg;  /* enum gw_alg, or -1: any of its type */
    EVP_PKEY *key; /* KEY_OCT: NULL */
    uint8_t secret[SECRET_BYTES_MAX];
    size_t secret_len;
    char kid[GW_JWT_KID_MAX + 1];
    bool has_kid;
};

/* What each algorithm wants; the order is that of enum gw_alg. */
static const enum key_type type_of_alg[GW_ALG_COUNT] = {KEY_OCT, KEY_RSA, KEY_RSA, KEY_EC, KEY_OKP};

static const char *const ktys[KEY_TYPES] = {"RSA", "EC", "oct", "OKP"};

static const char *text_of(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

/* ---- what a key says about itself ---- */

static bool read_type(const json_t *json, enum key_type *out)
{
    const char *kty = text_of(json, "kty");
    for (size_t i = 0; kty != NULL && i < KEY_TYPES; i++) {
        if (strcmp(kty, ktys[i]) == 0) {
            *out = (enum key_type)i;
            return true;
        }
    }
    return false;
}

static bool may_verify(const json_t *json)
{
    const char *use = text_of(json, "use");
    json_t *ops = json_object_get(json, "key_ops"), *op;
    size_t i;
    if (use != NULL && strcmp(use, "sig") != 0)
        return false;
    if (!json_is_array(ops))
        return true;
    json_array_foreach(ops, i, op) if (json_is_string(op) &&
                                       strcmp(json_string_value(op), "verify") == 0) return true;
    return false;
}

static bool read_alg(const json_t *json, int *out)
{
    const char *alg = text_of(json, "alg");
    *out = -1;
    if (alg == NULL)
        return true;
    for (int i = 0; i < GW_ALG_COUNT; i++)
        if (strcmp(alg, gw_alg_names[i]) == 0)
            *out = i;
    return *out >= 0;
}

static bool read_kid(const json_t *json, struct gw_jwk *k)
{
    const json_t *kid = json_object_get(json, "kid");
    k->has_kid = kid != NULL;
    if (kid == NULL)
        return true;
    if (!json_is_string(kid) || json_string_length(kid) > GW_JWT_KID_MAX)
        return false;
    memcpy(k->kid, json_string_value(kid), json_string_length(kid) + 1);
    return true;
}

/* ---- the key itself ---- */

static unsigned bits_of(const uint8_t *number, size_t len)
{
    size_t i = 0;
    while (i < len && number[i] == 0)
        i++;
    return i == len ? 0
                    : (unsigned)(len - i) * 8 - (unsigned)(__builtin_clz((unsigned)number[i]) - 24);
}

/* The length, or -1: not there, no base64url, or longer than room. */
static int read_bytes(const json_t *json, const char *name, uint8_t *out, size_t room)
{
    const char *text = text_of(json, name);
    size_t len;
    if (text == NULL || sl_base64url_decode(sl_span_str(text), out, room, &len) != SL_OK)
        return -1;
    return (int)len;
}

/* Each answers NULL, or why it is not taken. */

static const char *read_rsa(const json_t *json, struct gw_jwk *k)
{
    uint8_t n[RSA_BITS_MAX / 8 + 1], e[RSA_EXPONENT_MAX];
    int n_len = read_bytes(json, "n", n, sizeof n), e_len = read_bytes(json, "e", e, sizeof e);
    if (n_len < 0 || e_len <= 0)
        return "n or e is not there, no base64url, or too long";
    unsigned bits = bits_of(n, (size_t)n_len);
    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
        return "RSA keys have 2048 to 8192 bits";
    if (bits_of(e, (size_t)e_len) < 2 || e[e_len - 1] % 2 == 0)
        return "an RSA exponent is odd and at least 3";
    k->key = gw_jwk_evp_rsa(sl_span_of(n, (size_t)n_len), sl_span_of(e, (size_t)e_len));
    return k->key == NULL ? "it is no RSA key" : NULL;
}

static bool is_curve(const json_t *json, const char *wanted)
{
    const char *curve = text_of(json, "crv");
    return curve != NULL && strcmp(curve, wanted) == 0;
}

static const char *read_ec(const json_t *json, struct gw_jwk *k)
{
    struct gw_p256 point;
    if (!is_curve(json, "P-256"))
        return "EC keys are on P-256";
    if (read_bytes(json, "x", point.x, sizeof point.x) != sizeof point.x ||
        read_bytes(json, "y", point.y, sizeof point.y) != sizeof point.y)
        return "x or y is no base64url of 32 bytes";
    k->key = gw_jwk_evp_p256(&point, false);
    return k->key == NULL ? "x and y are no point of the curve" : NULL;
}

static const char *read_secret(const json_t *json, struct gw_jwk *k)
{
    int len = read_bytes(json, "k", k->secret, sizeof k->secret);
    if (len < SECRET_BYTES_MIN)
        return "k is no base64url of 32 to 512 bytes";
    k->secret_len = (size_t)len;
    return NULL;
}

static const char *read_okp(const json_t *json, struct gw_jwk *k)
{
    uint8_t x[GW_ED25519_BYTES];
    if (!is_curve(json, "Ed25519"))
        return "OKP keys are on Ed25519";
    if (read_bytes(json, "x", x, sizeof x) != sizeof x)
        return "x is no base64url of 32 bytes";
    k->key = gw_jwk_evp_ed25519(x);
    return k->key == NULL ? "x is no point of the curve" : NULL;
}

static const char *read_key(const json_t *json, struct gw_jwk *k)
{
    static const char *(*const read[KEY_TYPES])(const json_t *, struct gw_jwk *) = {
        read_rsa, read_ec, read_secret, read_okp};
    if (!read_type(json, &k->type))
        return "kty is not RSA, EC, oct or OKP";
    if (!may_verify(json))
        return "it is not for signatures";
    if (!read_alg(json, &k->only_alg))
        return "its alg is not one that is understood";
    if (k->only_alg >= 0 && type_of_alg[k->only_alg] != k->type)
        return "its alg does not fit its kty";
    if (!read_kid(json, k))
        return "its kid is no text of at most 256 bytes";
    return read[k->type](json, k);
}

/* ---- all ---- */

struct gw_jwk *gw_jwk_create(const json_t *json, const char **why)
{
    struct gw_jwk *k = calloc(1, sizeof *k);
    *why = k == NULL ? "no memory" : read_key(json, k);
    if (*why == NULL)
        return k;
    gw_jwk_destroy(k);
    return NULL;
}

void gw_jwk_destroy(struct gw_jwk *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_free(k->key);
    OPENSSL_cleanse(k->secret, sizeof k->secret);
    free(k);
}

const char *gw_jwk_kid(const struct gw_jwk *k)
{
    return k->has_kid ? k->kid : NULL;
}

bool gw_jwk_is_secret(const struct gw_jwk *k)
{
    return k->type == KEY_OCT;
}

bool gw_jwk_fits(const struct gw_jwk *k, enum gw_alg alg)
{
    return type_of_alg[alg] == k->type && (k->only_alg < 0 || k->only_alg == (int)alg);
}

enum gw_signature gw_jwk_verify(const struct gw_jwk *k, const struct gw_jwt *t)
{
    const struct sl_span signature = sl_span_of(t->signature, t->signature_len);
    if (!gw_jwk_fits(k, t->alg))
        return GW_SIGNATURE_BAD;
    if (k->type == KEY_OCT)
        return gw_signature_verify_mac(sl_span_of(k->secret, k->secret_len), t->signed_part,
                                       signature);
    return gw_signature_verify(t->alg, k->key, t->signed_part, signature);
}
