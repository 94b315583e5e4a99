/* gw_visits.h - GET /visitor: who calls without a token gets a signed cookie, and so a purse of his own within his
 * address (decision 012).
 *
 *   browser -> gw_http -> [gw_visits_answer] -> Set-Cookie ... cookie -> gw_auth_identify
 *
 * Nothing is kept of a cookie that is handed out: it is an account once it calls.
 *
 * Threads  gw_visits_answer: any; the rest: the flow's. What answers need is a copy under a lock, which the flow
 *          takes at reloads and new keys alone.
 * Time     The wall clock is an argument.
 */
#ifndef GW_VISITS_H
#define GW_VISITS_H

#include "gw_cookie_ring.h"
#include "gw_visit.h"
#include "sl_metric.h"

struct gw_auth_conf;
struct gw_visits;

/* What it counts; any may be NULL. */
struct gw_visits_metrics {
    struct sl_metric *answered[GW_VISIT_NEW + 1]; /* by enum gw_visit_cookie */
};

/* Answers nothing but refusals before it is set. metrics is copied. Errors: SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_visits_create(const struct gw_visits_metrics *metrics,
                                         struct gw_visits **out);
void gw_visits_destroy(struct gw_visits *v); /* NULL is fine */
/* Copies all of it, the tiers too. */
void gw_visits_set(struct gw_visits *v, const struct gw_auth_conf *conf,
                   const struct gw_cookie_ring *ring);

/* Errors, with a sentence: SL_EINVAL (NOT_TRUSTED: callers without a token are not served), SL_ENOENT
 * (NO_CAPACITY: there is no key yet, or it could not be stored), SL_EIO. */
SL_MUST_CHECK sl_status gw_visits_answer(struct gw_visits *v, const struct gw_visit *visit,
                                         sl_wall_us now, struct gw_visit_answer *out,
                                         struct sl_error *err);

#endif
