/* gw_jwt.h - a signed token (RFC 7519 in the compact form of RFC 7515), taken apart and checked for its
 * form, and the frame of what verifies one. Nothing here looks at keys, signatures or the clock: gw_jwk and
 * gw_jwt_claims do.
 *
 *   token text -> [gw_jwt_parse] -> gw_jwks_find, gw_jwk_verify -> gw_jwt_claims_check
 *
 * Form     At most GW_JWT_BYTES_MAX; three parts of strict base64url; two JSON objects without duplicate
 *          keys or NUL characters. The header names one of the algorithms below; `crit` is refused, since no
 *          extension is understood; `kid` is printable ASCII of at most GW_JWT_KID_MAX bytes. Keys that a header
 *          brings along or points to (`jwk`, `jku`, `x5c`, `x5u`) are never looked at.
 * Threads  Any, one per token.
 * Memory   gw_jwt owns its JSON, from malloc; the text is borrowed until gw_jwt_finish.
 * Source   jansson.
 */
#ifndef GW_JWT_H
#define GW_JWT_H

#include <jansson.h>

#include "gw_finding.h"
#include "sl_span.h"

enum { GW_JWT_BYTES_MAX = 8192, GW_JWT_KID_MAX = 256, GW_JWT_SIGNATURE_MAX = 1024 };

enum gw_alg { GW_ALG_HS256, GW_ALG_RS256, GW_ALG_PS256, GW_ALG_ES256, GW_ALG_EDDSA, GW_ALG_COUNT };
/* As headers and the configuration write them, NULL-terminated. */
extern const char *const gw_alg_names[];

struct gw_jwt {
    struct sl_span text;        /* all of it */
    struct sl_span signed_part; /* header and claims, as they were signed */
    uint8_t signature[GW_JWT_SIGNATURE_MAX];
    size_t signature_len;
    enum gw_alg alg;
    const char *kid; /* in header; NULL when there is none */
    json_t *header;
    json_t *claims;
};

/* Has it three parts, as no other kind of credential has? Says nothing of what is in them. */
bool gw_jwt_is_shaped(struct sl_span text);

/* false: refused; the finding says why, and there is nothing to finish. */
bool gw_jwt_parse(struct sl_span text, struct gw_jwt *out, struct gw_finding *f);
void gw_jwt_finish(struct gw_jwt *t);

/* Is the header's `typ` the wanted one, case and a leading "application/" aside? NULL: "JWT", "at+jwt" or
 * none, as issuers write it. */
bool gw_jwt_check_type(const struct gw_jwt *t, const char *wanted, struct gw_finding *f);

/* A verifier's own part: by whom it is signed, and what it says. false: *f says why it is not good. */
typedef bool gw_jwt_check(void *ctx, const struct gw_jwt *t, sl_wall_us now, struct gw_claims *out,
                          struct gw_finding *f);

/* A verifier's whole answer (gw_claims.h): UNKNOWN for what has no shape of a JWT, REFUSED for what cannot be
 * parsed, and for all else what check finds. */
enum gw_verdict gw_jwt_verify(struct sl_span token, gw_jwt_check *check, void *ctx, sl_wall_us now,
                              struct gw_claims *out, struct gw_denial *denial);

#endif
