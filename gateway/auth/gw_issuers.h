/* gw_issuers.h - the configured issuers of tokens: which one a token is of, its keys, its rules.
 *
 *   credentials -> gw_auth -> [verify] -> gw_jwt, gw_jwks, gw_jwt_claims -> claims
 *                                `-> keys missing or old: gw_fetch_port -> on_fetched -> ask again
 *
 * Time     tick tells the monotonic time, about once a second and before the first verify; it also has old keys
 *          fetched anew, so that they are as fresh as gw_jwks_conf says without a visitor waiting.
 * Threads  One: the flow's.
 * Memory   Copies what it needs of the configuration; everything of it has a maximum.
 * Log      Which issuer's keys came or did not, never a token's parts.
 */
#ifndef GW_ISSUERS_H
#define GW_ISSUERS_H

#include "gw_claims.h"
#include "gw_issuer_conf.h"
#include "gw_jwks_fetch.h"

struct gw_issuers;

struct gw_issuers_conf {
    const struct gw_issuer_conf
        *items;   /* names and `iss` are different; checked by the configuration */
    size_t count; /* at most GW_ISSUERS_MAX */
    struct gw_jwks_conf jwks;
};

/* No issuers yet. The port outlives it. */
SL_MUST_CHECK sl_status gw_issuers_create(const struct gw_fetch_port *port,
                                          struct gw_issuers **out);
void gw_issuers_destroy(
    struct gw_issuers *s); /* NULL is fine; answers of the port that are still to come
                                                * must be destroyed by whoever takes them */

/* Can the files that the issuers name be used? Errors as gw_issuers_load has them. */
SL_MUST_CHECK sl_status gw_issuers_check(const struct gw_issuers_conf *conf,
                                         struct sl_error *error);

/* At start and at every reload: reads the files of keys and begins to fetch what comes by URL. An issuer
 * that keeps its URL keeps its keys. Errors, with a sentence that names the issuer: SL_EINVAL, SL_EIO,
 * SL_ENOMEM; all is as before then. */
SL_MUST_CHECK sl_status gw_issuers_load(struct gw_issuers *s, const struct gw_issuers_conf *conf,
                                        sl_mono_ns now, struct sl_error *error);

void gw_issuers_tick(struct gw_issuers *s, sl_mono_ns now);
/* What the port has fetched; takes its keys. Afterwards ask again for all tokens that were told LATER. */
void gw_issuers_on_fetched(struct gw_issuers *s, const struct gw_fetched *fetched, sl_mono_ns now);

/* UNKNOWN: no JWT, or of no issuer here. */
enum gw_verdict gw_issuers_verify(struct gw_issuers *s, struct sl_span token, sl_wall_us now,
                                  struct gw_claims *out, struct gw_denial *denial);
/* The same as a table of functions. */
struct gw_verifier gw_issuers_verifier(struct gw_issuers *s);

/* Another number whenever an issuer's keys or rules have changed: what was verified before may not be good
 * any more. */
uint64_t gw_issuers_version(const struct gw_issuers *s);

#endif
