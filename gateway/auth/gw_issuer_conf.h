/* gw_issuer_conf.h - an issuer of tokens as the configuration names it. Data only; all texts are borrowed. */
#ifndef GW_ISSUER_CONF_H
#define GW_ISSUER_CONF_H

#include <stdint.h>

#include "sl_conf.h"

enum { GW_ISSUER_NAME_MAX = 63, GW_ISSUERS_MAX = 64 };

struct gw_issuer_tier {
    const char *value; /* of the tier's claim, or of the organisation's */
    const char *tier;
};

/* A claim is named as it stands ("sub", "https://example.org/plan"), or by a JSON pointer into nested ones
 * ("/realm_access/roles"); "": there is none. */
struct gw_issuer_conf {
    const char *name;
    const char *issuer;            /* `iss`, exactly */
    struct sl_conf_seq audience;   /* of const char *: one of them must be in `aud` */
    const char *jwks_url;          /* "" when there is a file */
    const char *jwks_file;         /* "" when there is a URL */
    const char *ca;                /* PEM file of the authorities for the URL; "": the system's */
    struct sl_conf_seq algorithms; /* of int, enum gw_alg */
    const char *user_claim;
    const char *organisation_claim;
    const char *tier_claim;
    struct sl_conf_seq tiers;         /* of struct gw_issuer_tier, the first that fits counts */
    const char *tier;                 /* when none fits */
    struct sl_conf_seq organisations; /* the same, the highest first: a member has it at least */
    int64_t leeway_ns;                /* by which the two clocks may differ */
};

/* How the keys of all issuers with a URL are kept. */
struct gw_jwks_conf {
    int64_t interval_ns; /* between two fetches of one issuer, whoever asks */
    int64_t max_age_ns;  /* after which keys are fetched anew, if the answer does not say sooner */
    int64_t keep_ns;     /* after the last good fetch, when the URL does not answer */
    int64_t timeout_ns;  /* of one fetch */
};

#endif
