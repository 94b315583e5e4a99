/* gw_kept.h - calls that are asked twice, and what is kept for who asks again.
 *
 *   peeked > [meet] > its digest > new: entered, goes on            > ended, settled, stored > [conclude] > kept
 *                                > the first one runs: joins it     > ------------------------^ the same outcome
 *                                > it has ended: answered at once
 *
 * Who waits  A call that joined waits for the first one's outcome, by its own deadline; it holds no slice, no GPU time
 *            and no message. The first one goes on as long as anybody waits for it, whatever becomes of its own
 *            caller.
 * Outcomes   gw_outcome.h; the table of what is kept is core/gw_idem.
 * Limits     `results.*`; GW_JOINED_MAX calls wait for one.
 */
#ifndef GW_KEPT_H
#define GW_KEPT_H

#include "gw_outcome.h"

enum { GW_JOINED_MAX = 16 };

/* May the value be a key? false: *err says why not. */
bool gw_kept_is_key(struct sl_span key, struct sl_error *err);

/* All of its message is here. true: it goes on as a call of its own, entered when it has a key. false: it waits, or has
 * been answered. */
bool gw_kept_meet(struct gw_flow *f, struct gw_call *c, sl_mono_ns now);
/* It is about to be admitted: entered if it may outlive its connection. */
SL_MUST_CHECK bool gw_kept_enter(struct gw_flow *f, struct gw_call *c, sl_mono_ns now,
                                 struct sl_error *err);

/* Where the reply to so many bytes of tensors is to be written. */
struct sl_arena *gw_kept_arena(struct gw_flow *f, struct gw_call *c, uint64_t payload_bytes);
/* It has been written to its exchange. */
void gw_kept_take_reply(struct gw_flow *f, struct gw_call *c, uint64_t payload_bytes);
/* It ends with its exchange's error. */
void gw_kept_take_error(struct gw_flow *f, struct gw_call *c);
/* It has ended. Once nothing of it is open any more, those that joined it are answered, and its outcome is kept or
 * forgotten. */
void gw_kept_conclude(struct gw_flow *f, struct gw_call *c);
/* It is entered, and not concluded. */
bool gw_kept_is_open(const struct gw_call *c);

/* It ends: it waits for nobody any more. */
void gw_kept_leave(struct gw_flow *f, struct gw_call *c);
/* Adds the trailer by which it can be fetched. */
void gw_kept_tell(struct gw_call *c);
/* What is told of a result that is GONE. */
void gw_kept_say_gone(const struct gw_idem_found *found, struct sl_error *err);

/* ---- the table. Errors: SL_EINVAL, SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_kept_create(struct gw_flow *f);
void gw_kept_set_limits(struct gw_flow *f);

#endif
