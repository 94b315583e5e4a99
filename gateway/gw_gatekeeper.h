/* gw_gatekeeper.h - who may call, put together: from the configuration to gw_auth and the flow's port; the state
 * directory and the administrator's token; read again on SIGHUP.
 *
 * Threads  One: the flow's.
 * Log      Where the administrator's token is, never what it is.
 */
#ifndef GW_GATEKEEPER_H
#define GW_GATEKEEPER_H

#include "gw_auth.h"
#include "gw_conf.h"
#include "gw_verifiers.h"

struct gw_gatekeeper {
    struct gw_auth *auth;
    struct gw_verifiers verifiers; /* of signed tokens */
    const struct gw_tiers *tiers;
    uint64_t verified_version;  /* what gw_auth remembers of them is from then */
    struct gw_networks proxies; /* whose connections begin with a PROXY header */
    sl_wall_us now;             /* of this turn */
};

/* What it is given by the root, and borrows. */
struct gw_gatekeeper_place {
    const struct gw_tiers *tiers; /* changed in place, before a reload */
    const struct gw_auth_metrics *metrics;
    void (*wake)(void *ctx); /* a turn is wanted; on any thread */
    void *wake_ctx;
};

/* g stays where it is. Errors: SL_EIO, SL_EINVAL, SL_ENOMEM, with a sentence; nothing is to be closed then. */
SL_MUST_CHECK sl_status gw_gatekeeper_open(struct gw_gatekeeper *g, const struct gw_conf *conf,
                                           const struct gw_gatekeeper_place *place, sl_mono_ns mono,
                                           sl_wall_us now, struct sl_error *err);
void gw_gatekeeper_close(struct gw_gatekeeper *g);
/* Takes over what conf says now, and looks at the administrator's token; logs what came of it. */
void gw_gatekeeper_reload(struct gw_gatekeeper *g, const struct gw_conf *conf, sl_mono_ns mono);
/* At the beginning of each turn of the loop. true: identities that were put off are to be asked for again. */
bool gw_gatekeeper_turn(struct gw_gatekeeper *g, sl_mono_ns mono, sl_wall_us now);
/* g is borrowed. */
struct gw_auth_port gw_gatekeeper_port(struct gw_gatekeeper *g);

#endif
