/* gw_watch.h - who watches a call: sluice.v1.Visitor/WatchCall, from its first message to its last. Insides of the flow.
 *
 *   WatchCall > [begin] > a message at once > [note: the call has changed] > a message, at most each GW_WATCH_GAP_NS
 *                                           > each GW_WATCH_LOOK_NS, while it waits: its place or its ETA has changed
 *                                           > [end: the call's reply leaves] > the last message, which says how
 *
 * Slow     Who does not read gets the newest state when he does: an exchange has room for one message that waits
 *          (gw_exchange.h), and the call never waits for anybody who watches it.
 * Limits   `limits.watches` in all and `limits.visitor_watches` of one account, administrators among them.
 * Ends     With its call, its caller, its caller's deadline; the gateway's end ends the calls, and so the watches.
 */
#ifndef GW_WATCH_H
#define GW_WATCH_H

#include "gw_answer_facts.h"
#include "gw_call.h"

#define GW_WATCH_GAP_NS  (250 * SL_NS_PER_MS)
#define GW_WATCH_LOOK_NS (500 * SL_NS_PER_MS)

struct gw_watch {
    sl_slot_id id;
    struct gw_exchange *exchange;
    struct gw_call *call;
    struct gw_watch *prev, *next; /* gw_call.watches */
    struct gw_timer timer; /* when it is looked at: there is news, or its deadline has come */
    sl_mono_ns told_at;
    enum gw_call_state told;
    size_t told_position;
    struct gw_eta told_eta; /* from told_at on */
    const char *told_delayed_by;
    char account[GW_ACCOUNT_NAME_MAX + 1]; /* of who watches */
};

/* Errors: SL_EINVAL, SL_ENOMEM; it is to be finished then, too. */
SL_MUST_CHECK sl_status gw_watches_init(struct gw_flow *f);
void gw_watches_finish(struct gw_flow *f);

/* The inquiry's exchange watches c from now on, or is refused. */
void gw_watch_begin(struct gw_flow *f, struct gw_inquiry *q, struct gw_call *c);
/* The call has asked for headers before its reply (sluice-watch: 1): its place and ETA in them. */
void gw_watch_head(struct gw_flow *f, struct gw_call *c, sl_mono_ns now);
/* Its exchange is being answered; without one it does nothing. */
void gw_watch_drop(struct gw_flow *f, struct gw_exchange *x);
/* The call's state has changed. */
void gw_watch_note(struct gw_flow *f, struct gw_call *c);
/* Its reply leaves: all who watch it are told how it ended. */
void gw_watch_end(struct gw_flow *f, struct gw_call *c);
/* The end of a turn. */
void gw_watches_turn(struct gw_flow *f, sl_mono_ns now);

/* ---- gw_call_view.c: what a caller may see of his call; everything in it is borrowed from the call */
void gw_call_view(struct gw_flow *f, struct gw_call *c, sl_mono_ns now, struct gw_call_facts *out);

#endif
