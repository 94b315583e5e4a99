/* gw_claims.h - what a signed token says of its bearer once it has been verified, and the table of
 * functions by which the gateway's verifiers (issuers of the configuration, the gateway's own keys) are
 * asked. Data only.
 *
 * A verifier looks at one token. UNKNOWN: not one of its own, ask the next. REFUSED: its own, and not
 * good. LATER: its keys are being fetched; who asked asks again when told that there is news. UNAVAILABLE:
 * its keys cannot be had, or there is no memory: not the bearer's fault, an answer of "not now".
 * What a verifier writes into a denial never holds any part of the token or of its claims.
 */
#ifndef GW_CLAIMS_H
#define GW_CLAIMS_H

#include "gw_principal.h"
#include "gw_tier.h"
#include "sl_span.h"
#include "sl_time.h"

enum { GW_DENIAL_MAX = 159 };

struct gw_claims {
    char account[GW_ACCOUNT_NAME_MAX +
                 1]; /* the first purse: "user:ISSUER#SUB", "app:APP/VISITOR" */
    char organisation[GW_ORGANISATION_MAX + 1];   /* "" when the issuer says none */
    char tier[GW_TIER_NAME_MAX + 1];              /* "": the tier of who signs in without one */
    char organisation_tier[GW_TIER_NAME_MAX + 1]; /* that a member has at least; "": none */
    char
        app[GW_APP_NAME_MAX + 1]; /* issued by this gateway to that app, for its visitor; else "" */
    sl_wall_us expires_at;        /* from then on it is not good any more, leeway included */
};

struct gw_denial {
    char why[GW_DENIAL_MAX + 1]; /* for the log: "the signature does not match" */
    char told[GW_DENIAL_MAX +
              1]; /* what an app may know of its visitor's token: "expired 3 min ago";
                                   * "": only that it is not valid */
};

enum gw_verdict {
    GW_VERDICT_UNKNOWN,
    GW_VERDICT_GOOD,
    GW_VERDICT_REFUSED,
    GW_VERDICT_LATER,
    GW_VERDICT_UNAVAILABLE,
};

struct gw_verifier {
    void *ctx;
    /* GOOD fills *out; REFUSED and UNAVAILABLE fill *denial. On the flow's thread, never waits. */
    enum gw_verdict (*verify)(void *ctx, struct sl_span token, sl_wall_us now,
                              struct gw_claims *out, struct gw_denial *denial);
};

#endif
