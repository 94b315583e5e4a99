/* gw_jwks_fetch.h - fetches key sets from URLs, on a thread of its own, so that nobody waits for a network.
 *
 *   gw_issuers -> [start] -> thread: libcurl, gw_jwks_parse -> wake -> the owner: [take] -> gw_issuers
 *
 * Rules    https, or http to this very machine; at most 3 redirects, to https alone; no user and password in a
 *          URL; answers of at most GW_JWKS_BYTES_MAX; a time limit for all of it.
 * Threads  start, take, destroy: the owner's; wake is called on the fetching thread.
 * Limits   GW_FETCHES_MAX under way, waiting or not yet taken.
 * Source   libcurl; this file alone uses it.
 */
#ifndef GW_JWKS_FETCH_H
#define GW_JWKS_FETCH_H

#include "gw_jwks.h"
#include "sl_time.h"

enum { GW_FETCHES_MAX = 64, GW_FETCH_WHY_MAX = 200 };

struct gw_fetched {
    uint64_t id;                /* as it was given to start */
    struct gw_jwks *keys;       /* the taker's; NULL: it failed */
    int64_t max_age_ns;         /* by Cache-Control; -1: it does not say */
    char why[GW_FETCH_WHY_MAX]; /* it failed; without the URL */
};

/* How gw_issuers asks for a fetch; tests bring their own. Texts are borrowed for the call. Errors: SL_EFULL,
 * SL_ENOMEM. */
struct gw_fetch_port {
    void *ctx;
    sl_status (*start)(void *ctx, uint64_t id, const char *url, const char *ca, int64_t timeout_ns);
};

struct gw_jwks_fetch;

/* Errors: SL_ENOMEM, SL_EIO (thread, libcurl). */
SL_MUST_CHECK sl_status gw_jwks_fetch_create(void (*wake)(void *ctx), void *ctx,
                                             struct gw_jwks_fetch **out);
/* Cuts off what is under way. NULL is fine. */
void gw_jwks_fetch_destroy(struct gw_jwks_fetch *f);

struct gw_fetch_port gw_jwks_fetch_port(struct gw_jwks_fetch *f);
/* One that is over, good or not; false: there is none. */
SL_MUST_CHECK bool gw_jwks_fetch_take(struct gw_jwks_fetch *f, struct gw_fetched *out);

/* NULL, or what is wrong with a URL of the configuration. Any thread. */
const char *gw_jwks_fetch_check_url(const char *url);
/* The max-age of a Cache-Control header in seconds, 0 for no-store and no-cache; -1: it does not say. */
int64_t gw_jwks_fetch_max_age(struct sl_span cache_control);

#endif
