/* gw_finding.h - what a check of a token has found so far: good, until something sets another verdict. Pure.
 *
 * Secrets  The sentences are for the log: they never hold a part of a token, a key, or a claim's value.
 */
#ifndef GW_FINDING_H
#define GW_FINDING_H

#include <stdbool.h>

#include "gw_claims.h"
#include "sl_base.h"

struct gw_finding {
    enum gw_verdict verdict;
    struct gw_denial denial; /* of everything but GOOD */
};

/* Each answers false, so that a check can end with it. */
bool gw_finding_refuse(struct gw_finding *f, const char *fmt, ...) SL_PRINTF(2, 3);
/* It is for another verifier to say; the sentence is for who has no other. */
bool gw_finding_unknown(struct gw_finding *f, const char *fmt, ...) SL_PRINTF(2, 3);
bool gw_finding_unavailable(struct gw_finding *f, const char *fmt, ...) SL_PRINTF(2, 3);
/* The issuer's keys are on their way. */
bool gw_finding_later(struct gw_finding *f);
/* The one that the bearer is told: "expired 3 min ago". */
bool gw_finding_expired(struct gw_finding *f, int64_t for_us);

/* "corp: the token has no exp": which issuer it is about. */
bool gw_finding_name(struct gw_finding *f, const char *issuer);

#endif
