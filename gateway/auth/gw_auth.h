/* gw_auth.h - from credentials to a principal: who calls, by which tier, from which purses.
 *
 *   exchange -> gw_call_open -> [gw_auth_identify] -> principal | refused | later
 *
 * Order    authorization, which is never passed over: an API token (sl_...) by its hash, anything else by the
 *          verifiers in the order in which they were added, the first that knows it decides. Then
 *          x-ip-token, if the caller is an app: its visitor pays. Without a token: a good cookie, else the
 *          address, whose network may give it a tier.
 * Address  The connection's, or what a PROXY header said of it; when that is one of the trusted proxies, what
 *          x-forwarded-for says, read from the right.
 * Refusals Outside one sentence that tells nothing of the token; the cause in the log, at most
 *          GW_AUTH_LINES_PER_S lines a second. A visitor's token that has expired is said to its app.
 * Changes  Tokens and apps are looked up for every call: a revoked token is refused by the next one, on open
 *          connections too. What verifiers said is kept for conf.cache_us.
 * Threads  One: the flow's; gw_visits has its own rule.
 * Memory   Owns tokens, apps, cookie keys and the cache; each has a maximum.
 * Time     The wall clock is an argument.
 */
#ifndef GW_AUTH_H
#define GW_AUTH_H

#include "gw_app.h"
#include "gw_claims.h"
#include "gw_cookie_keys.h"
#include "gw_credentials.h"
#include "gw_network.h"
#include "gw_ports.h"
#include "gw_token_table.h"
#include "gw_visits.h"
#include "sl_alloc.h"
#include "sl_metric.h"
#include "sl_reason.h"

enum {
    GW_AUTH_VERIFIERS_MAX = 4,
    GW_AUTH_APP_TIERS_MAX = 64,
    GW_AUTH_URL_MAX = 255,
    GW_AUTH_LINES_PER_S = 10,
    GW_AUTH_TOKEN_MAX = 8192, /* bytes of one, whatever it is */
};

struct gw_auth_app_tier {
    char app[GW_APP_NAME_MAX + 1];
    uint16_t tier;
};

/* Tiers are indexes in tiers. */
struct gw_auth_conf {
    const struct gw_tiers *tiers; /* borrowed; changed in place, between calls */
    bool serves_anonymous;
    uint16_t anonymous_tier;
    uint16_t signed_in_tier;      /* of claims that name none */
    uint16_t visitor_tier;        /* the most that a visitor has whom an app alone knows */
    uint32_t cookies_per_address; /* how many cookies' time one address has */
    struct gw_networks networks;  /* value: the tier of who comes from there without a token */
    struct gw_networks trusted_proxies;
    struct gw_auth_app_tier app_tiers[GW_AUTH_APP_TIERS_MAX]; /* instead of visitor_tier */
    size_t app_tier_count;
    bool allows_plaintext_tokens;
    char sign_in_url[GW_AUTH_URL_MAX + 1]; /* "" : nowhere */
    struct gw_cookie_conf cookies;
    /* The rest holds from creation on. */
    const char *state_dir; /* borrowed for gw_auth_create; "": cookies' keys are not kept */
    size_t tokens_max, apps_max, cache_max;
    int64_t cache_us;
};

/* What it counts; any may be NULL. */
struct gw_auth_metrics {
    struct sl_metric *known[GW_PRINCIPAL_VISITOR + 1]; /* by enum gw_principal_kind */
    struct sl_metric *refused;
    struct sl_metric *later;
    struct sl_metric *cached; /* claims found in the cache */
    struct gw_visits_metrics visits;
};

struct gw_auth;

/* conf and metrics are copied. Errors: SL_ENOMEM, and those of gw_cookie_keys_open; with a sentence. */
SL_MUST_CHECK sl_status gw_auth_create(const struct sl_alloc *alloc,
                                       const struct gw_auth_conf *conf,
                                       const struct gw_auth_metrics *metrics, struct gw_auth **out,
                                       struct sl_error *err);
void gw_auth_destroy(struct gw_auth *a); /* NULL is fine */
/* What changes while it runs; what was verified is verified again. */
void gw_auth_set_conf(struct gw_auth *a, const struct gw_auth_conf *conf);

/* Asked after those before it. ctx is borrowed. Errors: SL_EFULL. */
SL_MUST_CHECK sl_status gw_auth_add_verifier(struct gw_auth *a, const struct gw_verifier *v);
/* A verifier's keys or rules have changed. */
void gw_auth_forget(struct gw_auth *a);

/* KNOWN: *out is filled. REFUSED: *err is. LATER: ask again when a verifier has news. */
enum gw_identity_answer gw_auth_identify(struct gw_auth *a, const struct gw_credentials *c,
                                         sl_wall_us now, struct gw_principal *out,
                                         struct sl_error *err);

/* At the beginning, and at each turn: makes the key that signs cookies when one is due, and logs it. When that
 * cannot be stored the one before signs on, and a minute later it is tried again. */
void gw_auth_tick(struct gw_auth *a, sl_wall_us now);

/* Borrowed; changed by their owner's functions. */
struct gw_visits *gw_auth_visits(struct gw_auth *a); /* asked on any thread */
struct gw_token_table *gw_auth_tokens(struct gw_auth *a);
struct gw_apps *gw_auth_apps(struct gw_auth *a);

/* The administrator's token of the state directory (gw_token_make.h) in the place of the one before it; its user
 * is "admin". Errors as gw_token_of_admin has them, SL_EINVAL without a directory. */
SL_MUST_CHECK sl_status gw_auth_load_admin(struct gw_auth *a, const char *tier, bool *made,
                                           struct sl_error *err);

/* The text of a new API token, and its hash and prefix in *row. Errors: SL_EIO. */
SL_MUST_CHECK sl_status gw_auth_make_token(struct gw_auth *a, char out[GW_TOKEN_LEN + 1],
                                           struct gw_token_row *row);
/* The most that a visitor of this app may have whom the app alone knows. */
uint16_t gw_auth_visitor_tier(const struct gw_auth *a, const char *app);

#endif
