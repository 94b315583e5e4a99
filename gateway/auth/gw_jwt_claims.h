/* gw_jwt_claims.h - what a token says, checked by an issuer's rules (RFC 8725) and mapped to who calls. The
 * signature must have been checked before. Pure.
 *
 * Rules    `iss` is the issuer's, `aud` (a text or a list) names one of its audiences, `exp` is there and
 *          not past, `nbf` and `iat`, if there, are not in the future; each within the leeway.
 * Mapping  The user's claim is a text or an integer and becomes the account "user:ISSUER#USER"; the tier's
 *          claim may be a text or a list, and the first row of the configuration that it holds counts.
 *          The organisation's is a text, which counts whether there is a row of it or not, or a list, of which
 *          the first row does that it holds.
 */
#ifndef GW_JWT_CLAIMS_H
#define GW_JWT_CLAIMS_H

#include <jansson.h>

#include "gw_finding.h"
#include "gw_issuer_conf.h"

/* false: refused; the finding says why, *out is undefined. */
bool gw_jwt_claims_check(const json_t *claims, const struct gw_issuer_conf *issuer, sl_wall_us now,
                         struct gw_claims *out, struct gw_finding *f);

/* `exp`, `nbf`, `iat` alone; sets expires_at, leeway included. */
bool gw_jwt_claims_check_times(const json_t *claims, int64_t leeway_us, sl_wall_us now,
                               struct gw_claims *out, struct gw_finding *f);
/* A text claim of 1 to max bytes, without control characters, copied to out (room max + 1). */
bool gw_jwt_claims_text(const json_t *claim, const char *what, char *out, size_t max,
                        struct gw_finding *f);

#endif
