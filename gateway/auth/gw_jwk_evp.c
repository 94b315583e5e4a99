#include "gw_jwk_evp.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <string.h>

enum { POINT_BYTES = 1 + 2 * GW_P256_BYTES, POINT_UNCOMPRESSED = 4 };

/* The key of these parameters, whose builder it ends. */
static EVP_PKEY *build(const char *type, int selection, OSSL_PARAM_BLD *builder)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = builder != NULL ? OSSL_PARAM_BLD_to_param(builder) : NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, selection, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    ERR_clear_error();
    return key;
}

static EVP_PKEY *checked(EVP_PKEY *key, bool is_pair)
{
    EVP_PKEY_CTX *ctx = key != NULL ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    bool ok = ctx != NULL &&
              (is_pair ? EVP_PKEY_pairwise_check(ctx) == 1 : EVP_PKEY_public_check(ctx) == 1);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    if (ok)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

EVP_PKEY *gw_jwk_evp_rsa(struct sl_span n, struct sl_span e)
{
    BIGNUM *n_number = BN_bin2bn(n.data, (int)n.len, NULL);
    BIGNUM *e_number = BN_bin2bn(e.data, (int)e.len, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (builder != NULL && n_number != NULL && e_number != NULL &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n_number) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e_number) == 1)
        key = build("RSA", EVP_PKEY_PUBLIC_KEY, builder);
    else
        OSSL_PARAM_BLD_free(builder);
    BN_free(n_number);
    BN_free(e_number);
    return key;
}

EVP_PKEY *gw_jwk_evp_p256(const struct gw_p256 *numbers, bool is_pair)
{
    uint8_t point[POINT_BYTES] = {POINT_UNCOMPRESSED};
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *d = is_pair ? BN_secure_new() : NULL;
    EVP_PKEY *key = NULL;
    memcpy(point + 1, numbers->x, GW_P256_BYTES);
    memcpy(point + 1 + GW_P256_BYTES, numbers->y, GW_P256_BYTES);
    bool ok = builder != NULL && OSSL_PARAM_BLD_push_utf8_string(
                                     builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1;
    ok = ok && OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point,
                                                sizeof point) == 1;
    if (is_pair)
        ok = ok && d != NULL && BN_bin2bn(numbers->d, GW_P256_BYTES, d) != NULL &&
             OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, d) == 1;
    if (ok)
        key = checked(build("EC", is_pair ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, builder),
                      is_pair);
    else
        OSSL_PARAM_BLD_free(builder);
    BN_clear_free(d);
    return key;
}

EVP_PKEY *gw_jwk_evp_ed25519(const uint8_t x[GW_ED25519_BYTES])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, GW_ED25519_BYTES);
    if (key == NULL)
        ERR_clear_error();
    return key;
}

EVP_PKEY *gw_jwk_evp_make_p256(void)
{
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    if (pair == NULL)
        ERR_clear_error();
    return pair;
}

bool gw_jwk_evp_read_p256(EVP_PKEY *pair, struct gw_p256 *out)
{
    uint8_t point[POINT_BYTES];
    size_t len = 0;
    BIGNUM *d = NULL;
    bool ok = EVP_PKEY_get_octet_string_param(pair, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point,
                                              &len) == 1 &&
              len == sizeof point && point[0] == POINT_UNCOMPRESSED &&
              EVP_PKEY_get_bn_param(pair, OSSL_PKEY_PARAM_PRIV_KEY, &d) == 1 &&
              BN_bn2binpad(d, out->d, GW_P256_BYTES) == GW_P256_BYTES;
    memcpy(out->x, point + 1, GW_P256_BYTES);
    memcpy(out->y, point + 1 + GW_P256_BYTES, GW_P256_BYTES);
    BN_clear_free(d);
    ERR_clear_error();
    return ok;
}
