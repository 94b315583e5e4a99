/* gw_call_state.h - the states of a call, the legal moves between them, how many calls are in each.
 *
 * One function moves a call and keeps the counts, so a count can never stand apart from the states;
 * an illegal move is refused and changes nothing. Pure.
 *
 *   (new) -> RECEIVING -> QUEUED -> DISPATCHED -> RUNNING -> ENDED -> (gone)
 *                |          |  ^        |  |                  ^
 *                |          |  `--------'  `------------------|   a node gave the call back,
 *                `----------`---------------------------------'   or ended it unstarted
 *
 * RECEIVING   headers are in, the message is not                       gw_call_open
 * QUEUED      checked, waiting for a slice                             gw_call_on_message
 * DISPATCHED  sent to a node, not started: the gateway still owns it   gw_call_dispatch
 * RUNNING     started on a slice                                       gw_flow_on_started
 * ENDED       has its outcome, for good; the reply may still be on     end (gw_call_end.c)
 *             its way out
 */
#ifndef GW_CALL_STATE_H
#define GW_CALL_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "sl_status.h"

#define GW_CALL_STATE_MAP(X)                                                                       \
    X(NEW, "new")                                                                                  \
    X(RECEIVING, "receiving")                                                                      \
    X(QUEUED, "queued")                                                                            \
    X(DISPATCHED, "dispatched")                                                                    \
    X(RUNNING, "running")                                                                          \
    X(ENDED, "ended")

enum gw_call_state {
#define GW_CALL_STATE_ENUM(name, text) GW_CALL_##name,
    GW_CALL_STATE_MAP(GW_CALL_STATE_ENUM)
#undef GW_CALL_STATE_ENUM
        GW_CALL_STATE_COUNT
};

/* Calls in each state now; [GW_CALL_NEW] counts nothing. */
struct gw_call_counts {
    uint64_t in[GW_CALL_STATE_COUNT];
};

const char *gw_call_state_name(enum gw_call_state s);
bool gw_call_may_move(enum gw_call_state from, enum gw_call_state to);

/* Moves *state and the counts. Errors: SL_EBROKEN (not a legal move; nothing changes). */
SL_MUST_CHECK sl_status gw_call_move(enum gw_call_state *state, enum gw_call_state to,
                                     struct gw_call_counts *counts);
/* The call is gone; it must be ENDED. Errors: SL_EBROKEN. */
SL_MUST_CHECK sl_status gw_call_gone(enum gw_call_state *state, struct gw_call_counts *counts);

#endif
