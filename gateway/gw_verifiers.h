/* gw_verifiers.h - what checks signed tokens, made from the configuration and kept in step with it: the
 * configured issuers, the thread that fetches their keys, and the gateway's own tokens.
 *
 *   gw_conf -> [open, reload] -> gw_issuers, gw_sign -> gw_auth
 *   thread of gw_jwks_fetch -> wake -> loop -> [turn] -> news: ask again
 *
 * Threads  One, the flow's; wake is called on the fetching thread, which runs only once a URL is asked for.
 */
#ifndef GW_VERIFIERS_H
#define GW_VERIFIERS_H

#include <stdatomic.h>

#include "gw_conf.h"
#include "gw_issuers.h"
#include "gw_sign.h"

struct gw_verifiers {
    struct gw_issuers *issuers;
    struct gw_sign *sign;
    struct gw_jwks_fetch *fetch; /* NULL: not needed yet */
    void (*wake)(void *ctx);
    void *wake_ctx;
    atomic_bool has_fetched; /* set on the fetching thread */
    sl_mono_ns tick_at;
};

/* Are the files that issuers name what they should be? Errors, with a sentence: SL_EINVAL, SL_EIO, SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_verifiers_check(const struct gw_conf *conf, struct sl_error *error);
/* v stays where it is until gw_verifiers_close. conf->state, if any, is there. Errors, with a sentence:
 * SL_EINVAL, SL_EIO, SL_ENOMEM; then there is nothing to close. */
SL_MUST_CHECK sl_status gw_verifiers_open(struct gw_verifiers *v, const struct gw_conf *conf,
                                          void (*wake)(void *ctx), void *wake_ctx, sl_mono_ns now,
                                          sl_wall_us wall, struct sl_error *error);
void gw_verifiers_close(struct gw_verifiers *v);
/* Errors as above; then all is as before. */
SL_MUST_CHECK sl_status gw_verifiers_reload(struct gw_verifiers *v, const struct gw_conf *conf,
                                            sl_mono_ns now, struct sl_error *error);

/* Each turn of the loop, of which there is one a second at least. true: keys have come or not, so whoever was told
 * LATER asks again. */
bool gw_verifiers_turn(struct gw_verifiers *v, sl_mono_ns now, sl_wall_us wall);

#endif
