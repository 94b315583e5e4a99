#include "gw_sign.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw_jwt_claims.h"
#include "gw_sign_ring.h"
#include "sl_base64url.h"
#include "sl_log.h"
#include "sl_text.h"

#define RETRY_US (60 * SL_US_PER_S)
#define LEEWAY_US                                                                                  \
    (5 * SL_US_PER_S) /* the clock that checks is the one that issued, set back a little at most */

enum { JTI_BYTES = 16 };

struct gw_sign {
    char dir[PATH_MAX]; /* "": in memory alone */
    char issuer[GW_SIGN_ISSUER_MAX + 1];
    int64_t rotate_us, lifetime_us;
    struct gw_sign_ring ring;
    sl_wall_us retry_at;  /* the last rotation failed; 0: it did not */
    pthread_mutex_t lock; /* guards jwks */
    char *jwks;
};

/* ---- keys ---- */

static sl_status no_memory(struct sl_error *error)
{
    sl_error_set(error, SL_REASON_INTERNAL, "no memory for the keys of issued tokens");
    return SL_ENOMEM;
}

static sl_status publish(struct gw_sign *s, struct sl_error *error)
{
    char *fresh = gw_sign_ring_jwks(&s->ring);
    if (fresh == NULL)
        return no_memory(error);
    pthread_mutex_lock(&s->lock);
    char *old = s->jwks;
    s->jwks = fresh;
    pthread_mutex_unlock(&s->lock);
    free(old);
    return SL_OK;
}

/* A new key first in the ring and in the file, or all as before. */
static sl_status rotate(struct gw_sign *s, sl_wall_us now, struct sl_error *error)
{
    sl_status status = gw_sign_ring_add(&s->ring, now);
    if (status != SL_OK) {
        sl_error_set(error, SL_REASON_INTERNAL, "no key for issued tokens can be made: %s",
                     sl_status_text(status));
        return status;
    }
    if (s->dir[0] != '\0')
        status = gw_sign_ring_write(&s->ring, s->dir, error);
    if (status != SL_OK)
        gw_sign_ring_undo(&s->ring);
    return status;
}

/* Also when the key is from a future that the clock has been set back from. */
static bool is_time_to_rotate(const struct gw_sign *s, sl_wall_us now)
{
    int64_t age_us = now - s->ring.keys[0].made_at;
    return age_us >= s->rotate_us || age_us < -s->rotate_us;
}

void gw_sign_tick(struct gw_sign *s, sl_wall_us now)
{
    struct sl_error error;
    size_t count = s->ring.count;
    gw_sign_ring_retire(&s->ring, now - s->lifetime_us - LEEWAY_US);
    if (s->ring.count < count && publish(s, &error) != SL_OK)
        sl_log(SL_LOG_WARN, "an old key of issued tokens is still published",
               SL_S("why", error.text));
    bool has_just_failed = now < s->retry_at && now >= s->retry_at - RETRY_US;
    if (!is_time_to_rotate(s, now) || has_just_failed)
        return;
    if (rotate(s, now, &error) == SL_OK && publish(s, &error) == SL_OK) {
        s->retry_at = 0;
        sl_log(SL_LOG_INFO, "issued tokens have a new key", SL_S("kid", s->ring.keys[0].kid));
        return;
    }
    s->retry_at = now + RETRY_US;
    sl_log(SL_LOG_ERROR, "issued tokens keep their old key", SL_S("why", error.text));
}

/* ---- life ---- */

void gw_sign_configure(struct gw_sign *s, const struct gw_sign_conf *conf)
{
    snprintf(s->issuer, sizeof s->issuer, "%s", conf->issuer);
    s->rotate_us = conf->rotate_ns / SL_NS_PER_US;
    s->lifetime_us = conf->lifetime_ns / SL_NS_PER_US;
}

static sl_status open_ring(struct gw_sign *s, sl_wall_us now, struct sl_error *error)
{
    sl_status status = s->dir[0] == '\0' ? SL_ENOENT : gw_sign_ring_read(&s->ring, s->dir, error);
    if (status == SL_ENOENT)
        status = rotate(s, now, error);
    return status == SL_OK ? publish(s, error) : status;
}

sl_status gw_sign_create(const struct gw_sign_conf *conf, sl_wall_us now, struct gw_sign **out,
                         struct sl_error *error)
{
    struct gw_sign *s = calloc(1, sizeof *s);
    if (s == NULL)
        return no_memory(error);
    pthread_mutex_init(&s->lock, NULL);
    gw_sign_configure(s, conf);
    snprintf(s->dir, sizeof s->dir, "%s", conf->state);
    sl_status status = open_ring(s, now, error);
    if (status == SL_OK)
        *out = s;
    else
        gw_sign_destroy(s);
    return status;
}

void gw_sign_destroy(struct gw_sign *s)
{
    if (s == NULL)
        return;
    gw_sign_ring_finish(&s->ring);
    pthread_mutex_destroy(&s->lock);
    free(s->jwks);
    free(s);
}

/* ---- issue ---- */

static bool is_name(const char *text, size_t max)
{
    size_t len = strnlen(text, max + 1);
    return len > 0 && len <= max && sl_text_is_utf8(sl_span_of(text, len));
}

/* NULL: no memory, or no randomness. */
static char *claims_text(const struct gw_sign *s, const struct gw_sign_visitor *v, int64_t iat_s,
                         int64_t exp_s)
{
    uint8_t random[JTI_BYTES];
    char jti[SL_BASE64URL_LEN(JTI_BYTES) + 1];
    if (RAND_bytes(random, sizeof random) != 1) {
        ERR_clear_error();
        return NULL;
    }
    sl_base64url_encode(sl_span_of(random, sizeof random), jti);
    json_t *claims = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s}", "iss", s->issuer, "aud",
                               s->issuer, "sub", v->account, "app", v->app, "tier", v->tier, "iat",
                               (json_int_t)iat_s, "exp", (json_int_t)exp_s, "jti", jti);
    char *text = claims != NULL ? json_dumps(claims, JSON_COMPACT) : NULL;
    json_decref(claims);
    return text;
}

/* Appends text in base64url; false: there is no room. */
static bool append_part(char out[GW_SIGN_TOKEN_MAX], size_t *len, struct sl_span bytes)
{
    if (*len + SL_BASE64URL_LEN(bytes.len) + 2 > GW_SIGN_TOKEN_MAX)
        return false;
    *len += sl_base64url_encode(bytes, out + *len);
    return true;
}

static sl_status sign(const struct gw_sign_key *k, const char *claims, char out[GW_SIGN_TOKEN_MAX])
{
    char header[128];
    uint8_t signature[GW_ES256_BYTES];
    size_t len = 0;
    int n = snprintf(header, sizeof header,
                     "{\"alg\":\"ES256\",\"typ\":\"" GW_SIGN_TYPE "\",\"kid\":\"%s\"}", k->kid);
    if (!append_part(out, &len, sl_span_of(header, (size_t)n)))
        return SL_EINVAL;
    out[len++] = '.';
    if (!append_part(out, &len, sl_span_str(claims)))
        return SL_EINVAL;
    if (!gw_signature_make_es256(k->pair, sl_span_of(out, len), signature))
        return SL_ENOMEM;
    out[len++] = '.';
    return append_part(out, &len, sl_span_of(signature, sizeof signature)) ? SL_OK : SL_EINVAL;
}

sl_status gw_sign_issue(struct gw_sign *s, const struct gw_sign_visitor *visitor, sl_wall_us now,
                        char out[GW_SIGN_TOKEN_MAX], sl_wall_us *out_expires_at)
{
    if (!is_name(visitor->account, GW_ACCOUNT_NAME_MAX) ||
        !is_name(visitor->app, GW_APP_NAME_MAX) || !is_name(visitor->tier, GW_TIER_NAME_MAX))
        return SL_EINVAL;
    int64_t exp_s = (now + s->lifetime_us) / SL_US_PER_S;
    char *claims = claims_text(s, visitor, now / SL_US_PER_S, exp_s);
    if (claims == NULL)
        return SL_ENOMEM;
    sl_status status = sign(&s->ring.keys[0], claims, out);
    free(claims);
    if (status == SL_OK)
        *out_expires_at = exp_s * SL_US_PER_S;
    return status;
}

/* ---- verify ---- */

static bool is_ours(const json_t *claims, const char *name, const char *issuer)
{
    const char *text = json_string_value(json_object_get(claims, name));
    return text != NULL && strcmp(text, issuer) == 0;
}

static bool read_claims(const struct gw_sign *s, const json_t *claims, sl_wall_us now,
                        struct gw_claims *out, struct gw_finding *f)
{
    out->organisation[0] = out->organisation_tier[0] = '\0';
    if (!is_ours(claims, "aud", s->issuer))
        return gw_finding_refuse(f, "the token's aud is not this gateway");
    return gw_jwt_claims_check_times(claims, LEEWAY_US, now, out, f) &&
           gw_jwt_claims_text(json_object_get(claims, "sub"), "sub", out->account,
                              GW_ACCOUNT_NAME_MAX, f) &&
           gw_jwt_claims_text(json_object_get(claims, "app"), "app", out->app, GW_APP_NAME_MAX,
                              f) &&
           gw_jwt_claims_text(json_object_get(claims, "tier"), "tier", out->tier, GW_TIER_NAME_MAX,
                              f);
}

/* A gw_jwt_check. */
static bool check(void *ctx, const struct gw_jwt *t, sl_wall_us now, struct gw_claims *out,
                  struct gw_finding *f)
{
    const struct gw_sign *s = ctx;
    if (!is_ours(t->claims, "iss", s->issuer))
        return gw_finding_unknown(f, "the token's iss is not this gateway");
    if (!gw_jwt_check_type(t, GW_SIGN_TYPE, f))
        return false;
    const struct gw_sign_key *key = gw_sign_ring_find(&s->ring, t->kid);
    if (key == NULL)
        return gw_finding_refuse(f, "the token's kid is none of the gateway's keys");
    if (gw_jwk_verify(key->public_key, t) != GW_SIGNATURE_GOOD)
        return gw_finding_refuse(f, "the token's signature is not by the gateway's key");
    return read_claims(s, t->claims, now, out, f);
}

enum gw_verdict gw_sign_verify(struct gw_sign *s, struct sl_span token, sl_wall_us now,
                               struct gw_claims *out, struct gw_denial *denial)
{
    return gw_jwt_verify(token, check, s, now, out, denial);
}

static enum gw_verdict verify(void *ctx, struct sl_span token, sl_wall_us now,
                              struct gw_claims *out, struct gw_denial *denial)
{
    return gw_sign_verify(ctx, token, now, out, denial);
}

struct gw_verifier gw_sign_verifier(struct gw_sign *s)
{
    return (struct gw_verifier){s, verify};
}

sl_status gw_sign_copy_jwks(struct gw_sign *s, struct sl_buf *out)
{
    pthread_mutex_lock(&s->lock);
    sl_status status = sl_buf_append(out, s->jwks, strlen(s->jwks));
    pthread_mutex_unlock(&s->lock);
    return status;
}
