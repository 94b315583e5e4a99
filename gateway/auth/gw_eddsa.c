#include "gw_eddsa.h"

#include <openssl/err.h>

EVP_PKEY *gw_eddsa_key(struct sl_span public_key)
{
    if (public_key.len != GW_ED25519_KEY_BYTES)
        return NULL;
    EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key.data, public_key.len);
    if (key == NULL)
        ERR_clear_error();
    return key;
}

bool gw_eddsa_verify(EVP_PKEY *key, struct sl_span message, struct sl_span signature)
{
    if (signature.len != GW_ED25519_SIGNATURE_BYTES)
        return false;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestVerify(ctx, signature.data, signature.len, message.data, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok)
        ERR_clear_error(); /* TLS connections of this thread read the same queue */
    return ok;
}
