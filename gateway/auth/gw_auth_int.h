/* gw_auth_int.h - what the files of gw_auth share: gw_auth.c its parts, gw_auth_identify.c who calls,
 * gw_auth_refuse.c what a refused caller is told and what the log is. */
#ifndef GW_AUTH_INT_H
#define GW_AUTH_INT_H

#include <limits.h>

#include "gw_auth.h"
#include "gw_claims_cache.h"
#include "gw_digest.h"

struct gw_auth {
    const struct sl_alloc *alloc;
    struct gw_auth_conf conf;
    char state_dir[PATH_MAX];
    struct gw_auth_metrics metrics;
    struct gw_digest *digest;
    struct gw_token_table *tokens;
    struct gw_apps *apps;
    struct gw_cookie_keys *cookies;
    sl_wall_us cookie_key_failed_at; /* 0: it did not */
    struct gw_visits *visits;
    struct gw_claims_cache *cache;
    struct gw_verifier verifiers[GW_AUTH_VERIFIERS_MAX];
    size_t verifier_count;
    int64_t log_second; /* of the wall clock, in which lines were written */
    unsigned log_lines;
    uint64_t log_left_out; /* refusals without a line since the last one with one */
};

/* One caller on his way to being known. */
struct gw_asking {
    struct gw_auth *a;
    const struct gw_credentials *c;
    struct gw_address from;
    sl_wall_us now;
    struct sl_error *err;
    const char *app; /* whose visitor it is about; NULL: the caller himself */
};

/* Each sets *ask->err, counts, writes a line, and answers GW_IDENTITY_REFUSED. why: for the log. */
enum gw_identity_answer gw_auth_refuse_token(const struct gw_asking *ask, const char *why);
/* prefix: of a token that is known. */
enum gw_identity_answer gw_auth_refuse_row(const struct gw_asking *ask, const char *why,
                                           const char *prefix);
enum gw_identity_answer gw_auth_refuse_visitor(const struct gw_asking *ask,
                                               const struct gw_denial *denial);
enum gw_identity_answer gw_auth_refuse_untrusted(const struct gw_asking *ask, const char *text);
enum gw_identity_answer gw_auth_refuse_plaintext(const struct gw_asking *ask);
/* The keys of the token's issuer cannot be had now: not the caller's fault. */
enum gw_identity_answer gw_auth_refuse_unavailable(const struct gw_asking *ask, const char *why);
enum gw_identity_answer gw_auth_refuse_anonymous(const struct gw_asking *ask);

#endif
