/* gw_hold.h - puts into effect what gw_place finds: holds the thread that decides, ZeroMQ's and the store's to
 * one processor while short calls come one by one, tells nodes of this host with each call, and looks for the
 * next call for a moment before the loop sleeps.
 *
 * Which processor  The one on which the thread runs: the kernel has chosen it. Not the visitor's: a visitor
 *          on this host is moved to the other one as soon as this one is busy, and following him would
 *          chase him for ever.
 * Purity   System calls, by sl_hold; the loop's descriptor is looked at, never read.
 * Threads  One: the flow thread.
 */
#ifndef GW_HOLD_H
#define GW_HOLD_H

#include <uv.h>

#include "gw_flow.h"
#include "gw_place.h"
#include "sl_clock.h"
#include "sl_hold.h"
#include "sl_spin.h"

struct gw_hold_metrics {
    struct sl_metric *held;     /* 1: held now */
    struct sl_metric *switches; /* held or let go */
};

/* Zeroed: never holds. */
struct gw_hold {
    bool is_on;
    bool tells_nodes;
    struct gw_place place;
    struct sl_hold threads;
    pid_t tids[SL_HOLD_THREADS_MAX];
    size_t tid_count;
    struct sl_spin call_spin,
        store_spin; /* looking for the next call, for the last one's receipt */
    struct gw_hold_metrics metrics;
};

/* On the flow thread, when the link's threads and the store's are there. watch_ns: how long to look for the next call.
 * tells_nodes: they are on this host. */
void gw_hold_start(struct gw_hold *h, int64_t watch_ns, bool tells_nodes,
                   const struct gw_hold_metrics *metrics);
/* Lets go. */
void gw_hold_finish(struct gw_hold *h);
/* In each turn, before the flow's. */
void gw_hold_turn(struct gw_hold *h, struct gw_flow *flow, sl_mono_ns now);
/* Before the loop sleeps: returns when it would not, or it was not worth while. owes_reply: what it waits for is a
 * receipt to be stored. */
void gw_hold_watch(struct gw_hold *h, uv_loop_t *loop, const struct sl_clock *clock,
                   bool owes_reply);

#endif
