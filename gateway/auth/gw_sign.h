/* gw_sign.h - tokens that this gateway issues: for visitors of trusted apps, short-lived, by ES256.
 *
 *   sluice.v1.Visitor.IssueVisitorToken -> [issue] -> the app -> x-ip-token -> gw_auth -> [verify]
 *
 * A token    {"iss","aud": the configuration's issuer, "sub": the visitor's account, "app", "tier", "iat", "exp",
 *            "jti": 128 random bits}; its type is GW_SIGN_TYPE, so no other token can stand for it, and it
 *            for no other (RFC 8725, 3.11).
 * Keys       The newest signs; it is replaced after conf.rotate_ns, and verifies until its tokens are over. They
 *            are kept in FILE issued-keys.json of the state directory; without one in memory alone, and tokens
 *            end with the process.
 * Threads    One, the flow's; gw_sign_copy_jwks: any.
 * Secrets    Neither keys nor tokens are ever logged.
 */
#ifndef GW_SIGN_H
#define GW_SIGN_H

#include "gw_claims.h"
#include "sl_buf.h"
#include "sl_reason.h"
#include "sl_status.h"

#define GW_SIGN_TYPE "sluice-visitor+jwt"

enum { GW_SIGN_TOKEN_MAX = 2048, GW_SIGN_ISSUER_MAX = 255 };

struct gw_sign_conf {
    const char *state;  /* directory, which is there; "": none */
    const char *issuer; /* `iss` and `aud`, 1 to GW_SIGN_ISSUER_MAX bytes */
    int64_t rotate_ns;
    int64_t lifetime_ns;
};

struct gw_sign;

/* Reads the keys, or makes the first one. Errors, with a sentence: SL_EINVAL, SL_EIO, SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_sign_create(const struct gw_sign_conf *conf, sl_wall_us now,
                                       struct gw_sign **out, struct sl_error *error);
void gw_sign_destroy(struct gw_sign *s); /* NULL is fine */
/* A reload: issuer, times. The state directory stays. */
void gw_sign_configure(struct gw_sign *s, const struct gw_sign_conf *conf);

/* About once a minute, or more often: replaces the key when it is time. When that cannot be written, it is
 * logged, the old one goes on, and a minute later it is tried again. */
void gw_sign_tick(struct gw_sign *s, sl_wall_us now);

struct gw_sign_visitor {
    const char *account; /* the purse, at most GW_ACCOUNT_NAME_MAX */
    const char *app;
    const char *tier;
};

/* Errors: SL_EINVAL (a name is empty, too long or no UTF-8), SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_sign_issue(struct gw_sign *s, const struct gw_sign_visitor *visitor,
                                      sl_wall_us now, char out[GW_SIGN_TOKEN_MAX],
                                      sl_wall_us *out_expires_at);

/* UNKNOWN: no token of this gateway. */
enum gw_verdict gw_sign_verify(struct gw_sign *s, struct sl_span token, sl_wall_us now,
                               struct gw_claims *out, struct gw_denial *denial);
struct gw_verifier gw_sign_verifier(struct gw_sign *s);

/* Appends the public keys as a JWK set. Errors: as sl_buf_append. */
SL_MUST_CHECK sl_status gw_sign_copy_jwks(struct gw_sign *s, struct sl_buf *out);

#endif
