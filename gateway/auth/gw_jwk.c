#include "gw_jwk.h"

#include <cjose/cjose.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "gw_eddsa.h"
#include "sl_base64url.h"

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192, RSA_EXPONENT_MAX = 8 };
enum { P256_BYTES = 32, SHA256_BYTES = 32 };
enum { SECRET_BYTES_MIN = 32, SECRET_BYTES_MAX = 512 };

enum key_type { KEY_RSA, KEY_EC, KEY_OCT, KEY_OKP, KEY_TYPES };

struct gw_jwk {
    enum key_type type;
    int only_alg; /* enum gw_alg, or -1: any of its type */
    size_t signature_bytes;
    cjose_jwk_t *jose;
    EVP_PKEY *ed25519; /* KEY_OKP alone */
    char kid[GW_JWT_KID_MAX + 1];
    bool has_kid;
};

/* What each algorithm wants; the order is that of enum gw_alg. */
static const enum key_type type_of_alg[GW_ALG_COUNT] = {KEY_OCT, KEY_RSA, KEY_RSA, KEY_EC, KEY_OKP};

static const struct {
    const char *kty;
    const char *members[4]; /* the public ones (of oct: all) */
} types[KEY_TYPES] = {
    [KEY_RSA] = {"RSA", {"n", "e"}},
    [KEY_EC] = {"EC", {"crv", "x", "y"}},
    [KEY_OCT] = {"oct", {"k"}},
    [KEY_OKP] = {"OKP", {"crv", "x"}},
};

static const char *text_of(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

/* ---- what a key says about itself ---- */

static bool read_type(const json_t *json, enum key_type *out)
{
    const char *kty = text_of(json, "kty");
    for (size_t i = 0; kty != NULL && i < KEY_TYPES; i++) {
        if (strcmp(kty, types[i].kty) == 0) {
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

static const char *check_rsa(const json_t *json, size_t *out_signature_bytes)
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
    *out_signature_bytes = (bits + 7) / 8;
    return NULL;
}

static const char *check_secret(const json_t *json)
{
    uint8_t k[SECRET_BYTES_MAX];
    int len = read_bytes(json, "k", k, sizeof k);
    OPENSSL_cleanse(k, sizeof k);
    return len < SECRET_BYTES_MIN ? "k is no base64url of 32 to 512 bytes" : NULL;
}

static const char *check_curve(const json_t *json, const char *wanted)
{
    const char *curve = text_of(json, "crv");
    return curve == NULL || strcmp(curve, wanted) != 0 ? "curves are P-256 and Ed25519" : NULL;
}

/* NULL: it may be used. */
static const char *check_strength(const json_t *json, struct gw_jwk *k)
{
    switch (k->type) {
    case KEY_RSA:
        return check_rsa(json, &k->signature_bytes);
    case KEY_EC:
        k->signature_bytes = 2 * P256_BYTES;
        return check_curve(json, "P-256");
    case KEY_OCT:
        k->signature_bytes = SHA256_BYTES;
        return check_secret(json);
    default:
        k->signature_bytes = GW_ED25519_SIGNATURE_BYTES;
        return check_curve(json, "Ed25519");
    }
}

/* cjose is given what it needs and no private parts. */
static cjose_jwk_t *import_jose(enum key_type type, const json_t *json)
{
    json_t *public_part = json_pack("{s:s}", "kty", types[type].kty);
    bool ok = public_part != NULL;
    for (const char *const *m = types[type].members; ok && *m != NULL; m++)
        ok = json_object_set(public_part, *m, json_object_get(json, *m)) == 0;
    cjose_jwk_t *jose = ok ? cjose_jwk_import_json((cjose_header_t *)public_part, NULL) : NULL;
    json_decref(public_part);
    ERR_clear_error();
    return jose;
}

static EVP_PKEY *import_ed25519(const json_t *json)
{
    uint8_t x[GW_ED25519_KEY_BYTES];
    int len = read_bytes(json, "x", x, sizeof x);
    return len < 0 ? NULL : gw_eddsa_key(sl_span_of(x, (size_t)len));
}

static const char *read_key(const json_t *json, struct gw_jwk *k)
{
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
    const char *why = check_strength(json, k);
    if (why != NULL)
        return why;
    if (k->type == KEY_OKP)
        k->ed25519 = import_ed25519(json);
    else
        k->jose = import_jose(k->type, json);
    return k->jose == NULL && k->ed25519 == NULL ? "it is no key of its kind" : NULL;
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
    if (k->jose != NULL)
        cjose_jwk_release(k->jose);
    EVP_PKEY_free(k->ed25519);
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

static bool verify_jose(const struct gw_jwk *k, const struct gw_jwt *t)
{
    cjose_jws_t *jws = cjose_jws_import((const char *)t->text.data, t->text.len, NULL);
    bool ok = jws != NULL && cjose_jws_verify(jws, k->jose, NULL);
    cjose_jws_release(jws);
    if (!ok)
        ERR_clear_error(); /* TLS connections of this thread read the same queue */
    return ok;
}

bool gw_jwk_verify(const struct gw_jwk *k, const struct gw_jwt *t)
{
    /* cjose compares a MAC before it looks at the length, and reads a longer r and s as if zeros led. */
    if (!gw_jwk_fits(k, t->alg) || t->signature_len != k->signature_bytes)
        return false;
    if (k->type == KEY_OKP)
        return gw_eddsa_verify(k->ed25519, t->signed_part,
                               sl_span_of(t->signature, t->signature_len));
    return verify_jose(k, t);
}
