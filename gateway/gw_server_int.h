/* gw_server_int.h - the insides that the root's files share: gw_server.c (from start to end),
 * gw_server_parts.c, gw_server_fronts.c (making), gw_server_conf.c (what the configuration means),
 * gw_server_turn.c (a turn of the loop), gw_server_stop.c (signals, drain), gw_server_reload.c.
 *
 * Threads  Everything is the loop's, but what is atomic: fronts and the HTTP thread see that too.
 */
#ifndef GW_SERVER_INT_H
#define GW_SERVER_INT_H

#include <stdatomic.h>
#include <uv.h>

#include "gw_certs.h"
#include "gw_front.h"
#include "gw_gatekeeper.h"
#include "gw_hold.h"
#include "gw_idle.h"
#include "gw_keep.h"
#include "gw_link.h"
#include "gw_metrics.h"
#include "gw_results.h"
#include "gw_server.h"

struct gw_http;

/* LEAVING: health says so already, and everything is served still. */
enum gw_server_phase {
    GW_SERVER_SERVING,
    GW_SERVER_LEAVING,
    GW_SERVER_DRAINING,
    GW_SERVER_STOPPING,
    GW_SERVER_STOPPED
};

struct gw_server_front {
    struct gw_server *server;
    struct gw_front *front;
    uv_async_t mail; /* wakes the loop */
    atomic_bool is_drained, is_stopped;
};

struct gw_server {
    struct gw_conf conf;    /* a copy; its strings are the caller's, or reread's */
    struct sl_conf *reread; /* the owner of conf.tls's strings after a reload */
    struct gw_certs certs;
    struct gw_server_options options;
    const struct sl_clock *clock;
    struct gw_metrics metrics;
    uv_loop_t loop;
    uv_check_t check;
    uv_timer_t timer;
    uv_async_t keys; /* keys of an issuer of tokens have come, or not */
    uv_poll_t link_polls[GW_LINK_FDS];
    uv_signal_t signals[3];
    bool has_loop;
    struct sl_shm_pool *bodies; /* large requests; NULL: on the heap */
    struct gw_tiers tiers; /* of the configuration, and those that it had before; one for all */
    struct gw_gatekeeper gatekeeper;
    struct gw_link *link;
    struct gw_flow *flow;
    struct gw_http *http;
    struct gw_server_front *fronts;
    size_t front_count;
    atomic_bool is_ready;
    enum gw_server_phase phase;
    sl_mono_ns leave_until; /* when LEAVING */
    sl_mono_ns drain_until; /* when DRAINING */
    sl_mono_ns trim_at;
    struct gw_idle idle;
    struct gw_hold hold;
    bool owes_replies; /* the last turn gave receipts to the store */
    struct gw_keep keep;
    struct gw_results results;
    sl_mono_ns now; /* of this turn */
};

/* ---- gw_server.c */
/* Says what libuv could not do. Returns false. */
bool gw_server_fail(struct sl_error *err, const char *what, int uv_error);
/* Only wakes the loop: the turn before it sleeps again does the rest. */
void gw_server_on_mail(uv_async_t *a);

/* ---- gw_server_conf.c: from the configuration in use; a fresh one where it is an argument */
void gw_server_fill_flow_conf(const struct gw_server *s, struct gw_flow_conf *c);
void gw_server_fill_front_conf(const struct gw_server *s, struct gw_front_conf *c);
void gw_server_renew_tiers(struct gw_server *s, const struct gw_conf *conf);
/* Which nodes may connect. false: as before, with a sentence. */
bool gw_server_set_allowed(struct gw_server *s, const struct gw_conf *conf, struct sl_error *err);

/* ---- gw_server_parts.c, gw_server_fronts.c: what was made before a failure is left to
 * gw_server_destroy */
bool gw_server_create_parts(struct gw_server *s, struct sl_error *err);
bool gw_server_create_fronts(struct gw_server *s, uint16_t *out_port, struct sl_error *err);
bool gw_server_create_http(struct gw_server *s, uint16_t *out_port, struct sl_error *err);

/* ---- gw_server_turn.c */
/* Whatever the loop woke for, it comes by here before it sleeps again. */
void gw_server_turn(struct gw_server *s);

/* ---- gw_server_stop.c */
bool gw_server_watch_signals(struct gw_server *s, struct sl_error *err);
/* At the end of a turn: is the next phase due? */
void gw_server_advance_phase(struct gw_server *s);
/* All fronts have stopped, and nothing is being written: nothing is left that could want a turn. */
void gw_server_end_loop_if_stopped(struct gw_server *s);

/* ---- gw_server_reload.c */
/* Reads the configuration again. What cannot be taken stays as it was, and the log says why. */
void gw_server_reload(struct gw_server *s);

#endif
