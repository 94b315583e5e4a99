/* gw_server.h - the gateway put together: creates all parts, wires their ports, turns the loop, drains.
 *
 *   visitors <-> fronts (net threads, or this loop) <-> flow <-> link <-> executors
 *                                                   http thread: health, metrics
 *
 * The loop's turn: what came from fronts and nodes is told to the flow, the flow expires and places, then
 * link and fronts send what it said. The clock is read once, at the turn's beginning.
 *
 * Signals  SIGTERM, SIGINT drain: no new connections and calls, those accepted go on up to drain.timeout;
 *          the second one stops at once. SIGHUP reads the configuration again.
 */
#ifndef GW_SERVER_H
#define GW_SERVER_H

#include "gw_conf.h"
#include "sl_clock.h"
#include "sl_reason.h"

struct gw_server;

struct gw_server_options {
    const char *config_path; /* for SIGHUP; may be NULL */
    int announce_fd; /* where "listening grpc=HOST:PORT http=HOST:PORT" is written; -1: nowhere */
};

/* Binds everything. conf and clock are borrowed. Errors: SL_EIO, SL_EINVAL, SL_ENOMEM, with a sentence. */
SL_MUST_CHECK sl_status gw_server_create(const struct gw_conf *conf,
                                         const struct gw_server_options *options,
                                         const struct sl_clock *clock, struct gw_server **out,
                                         struct sl_error *err);
/* Serves until a signal has ended it. */
void gw_server_run(struct gw_server *s);
void gw_server_destroy(struct gw_server *s);

#endif
