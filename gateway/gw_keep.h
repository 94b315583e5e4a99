/* gw_keep.h - the store section of the configuration at work: opened and told before the first call, woken on the
 * gateway's loop, closed when the last call has ended.
 *
 * Threads  The loop's.
 */
#ifndef GW_KEEP_H
#define GW_KEEP_H

#include <uv.h>

#include "gw_conf.h"
#include "gw_store.h"

/* Zeroed: keeps nothing. */
struct gw_keep {
    struct gw_store *store; /* NULL: store.path is empty */
    uv_async_t woken;
    struct gw_store_listener listener; /* its functions may be NULL */
};

/* Registers the store's metrics. Errors: SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_keep_register(struct sl_metric_registry *r, struct gw_store_metrics *m);

/* Opens the file and tells the loader what it knows; with store.path empty it does nothing but to say so.
 * conf's strings and clock are borrowed for the store's life. Errors: as gw_store_create's, with a sentence. */
SL_MUST_CHECK sl_status gw_keep_open(struct gw_keep *k, const struct gw_conf *conf,
                                     const struct sl_clock *clock,
                                     const struct gw_store_metrics *metrics, uv_loop_t *loop,
                                     const struct gw_store_loader *loader, struct sl_error *err);
/* For the flow, from before the store is open; k is borrowed. Empty when conf names no file. */
struct gw_store_port gw_keep_port(struct gw_keep *k, const struct gw_conf *conf);
/* In each turn: what was stored is told, and later what was appended is handed over. flush: false, there was nothing. */
void gw_keep_take(struct gw_keep *k);
bool gw_keep_flush(struct gw_keep *k);
/* Stores what was appended and tells it; the loop's handle is left to whoever closes the loop. */
void gw_keep_close(struct gw_keep *k);

#endif
