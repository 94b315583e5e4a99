/* gw_sched.h - which waiting call starts next, and on which slice. Pure.
 *
 * For each group of slices that the same calls can use (gw_groups.h) with a slice for one more
 * call: the class whose turn it is there; of its calls that could start there the first in order
 * (gw_queue.h); for that a slice, warm before cold, idle before busy with the same model. A call
 * that finds none is not passed by others that want the same, and blocks nobody who wants another
 * node or another size; for one that wants a whole device its halves are kept (gw_fleet_keep), and
 * others start there only when they are over before it can (gw_fleet_backfill).
 *
 * Of a class' time in a group one part in GW_SCHED_AGE_PARTS goes to those of its calls that have
 * waited for patience_us, the oldest first: in a crowd of short calls long ones would have none of
 * it (decision 024). Such a call starts once as much has been earned for it.
 *
 * Calls of an app that has as many running as it may stand aside until one of them ends, and come
 * back to their old place: they block nobody.
 *
 * Classes are the tiers of one weight. When weights change all begin anew: nobody owes anything.
 *
 * Policies differ in whose turn it is; the order within a class is the same in all:
 *   fair    by shares of time (gw_shares.h)
 *   strict  the heaviest class that waits
 *   fifo    the class whose first call came first
 *
 * Cost     next: O(groups x (classes + pools x sizes + slices)).
 * Errors   All-or-nothing.
 * Threads  One.
 *
 * Invariants (gw_sched_check): those of gw_queue and gw_groups, and
 *   C1  in each group as many calls of a class run as leases there were charged to it
 *   C2  the nodes of a group are those with its models
 *   C3  as many calls of an app run as there are leases of it
 */
#ifndef GW_SCHED_H
#define GW_SCHED_H

#include "gw_fleet.h"
#include "gw_queue.h"

enum { GW_SCHED_AGE_PARTS = 5 };
#define GW_SCHED_AGE_CREDIT_MAX_US (600 * SL_US_PER_S) /* longer calls do for so much */

enum gw_sched_policy { GW_SCHED_FAIR, GW_SCHED_STRICT, GW_SCHED_FIFO };

struct gw_sched_limits {
    enum gw_sched_policy policy;
    size_t max_queued;         /* calls that wait; as many may of those who pay nothing */
    size_t max_queued_of_tier; /* of them */
    size_t max_app_running;    /* calls of one app that have a lease */
    int64_t patience_us;
};

struct gw_sched {
    struct gw_sched_limits limits;
    struct gw_groups groups;
    struct gw_queue queue;
    const struct gw_tiers *tiers; /* borrowed; changed in place, then gw_sched_set_tiers */
    uint8_t class_of_tier[GW_TIERS_MAX];
    size_t tier_count;
    uint64_t round; /* of placing */
    int64_t now_us; /* of the round */
};

/* max_items: calls in all states. Errors: SL_EINVAL, SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_sched_init(struct gw_sched *s, const struct sl_alloc *alloc,
                                      const struct gw_tiers *tiers,
                                      const struct gw_sched_limits *limits, size_t max_items,
                                      size_t max_nodes);
void gw_sched_finish(struct gw_sched *s); /* zeroed, or after an error: fine, too */
/* The tiers may have other weights, or be more. */
void gw_sched_set_tiers(struct gw_sched *s, struct gw_fleet *fleet);

/* From now on; nobody who waits is sent away. */
void gw_sched_set_limits(struct gw_sched *s, const struct gw_sched_limits *limits);

/* ---- nodes */

/* After gw_fleet_join. Errors: SL_ENOMEM; then the node has no group and must leave. */
SL_MUST_CHECK sl_status gw_sched_join(struct gw_sched *s, struct gw_fleet_node *node);
/* Before gw_fleet_leave. */
void gw_sched_leave(struct gw_sched *s, struct gw_fleet_node *node);

/* ---- calls */

/* May one more call of the tier wait? Errors: SL_EFULL; *out_limit is the one that is reached, and
 * *is_of_tier says whose. */
SL_MUST_CHECK sl_status gw_sched_room(const struct gw_sched *s, size_t tier, size_t *out_limit,
                                      bool *is_of_tier);
bool gw_sched_has_background_room(const struct gw_sched *s);

/* A call's place in the order that holds now. */
struct gw_sched_place {
    size_t before;          /* calls that start before it: its position is one more */
    size_t waiting;         /* of those that could want its slices, itself included: of so many */
    size_t own_before;      /* of `before`, those of its class: only an earlier deadline adds one */
    int64_t own_before_us;  /* what they are expected to be, times factors, as below */
    int64_t work_before_us; /* what is given out before it starts */
};

/* Begins to wait; ask->class_index is filled in. Errors: SL_EFULL (max_items), SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_sched_push(struct gw_sched *s, struct gw_fleet_model *m,
                                      struct gw_queue_item *item, const struct gw_queue_ask *ask,
                                      bool is_background);
/* A node gave it back: to its old place. The limits do not ask again. Errors: SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_sched_return(struct gw_sched *s, struct gw_fleet_model *m,
                                        struct gw_queue_item *item);
void gw_sched_remove(struct gw_sched *s, struct gw_queue_item *item); /* not queued: nothing */
/* What it waits for. */
const struct gw_size *gw_sched_size(const struct gw_sched *s, const struct gw_queue_item *item);

/* Before calls are placed: also gw_fleet_new_round. */
void gw_sched_new_round(struct gw_sched *s, struct gw_fleet *fleet, sl_mono_ns now);

/* false: nothing can start now. Neither the queue nor the fleet changes. */
bool gw_sched_next(struct gw_sched *s, struct gw_fleet *fleet, struct gw_queue_item **out_item,
                   struct gw_fleet_slice **out_slice);
/* The same of those who pay nothing, on idle slices alone: asked when nobody else can start. They
 * go by arrival. */
bool gw_sched_next_idle(struct gw_sched *s, struct gw_fleet *fleet, struct gw_queue_item **out_item,
                        struct gw_fleet_slice **out_slice);

/* It has a lease, and no longer waits. */
void gw_sched_start(struct gw_sched *s, struct gw_queue_item *item, struct gw_fleet_lease *lease);
/* Its lease is over, or will be at once; used_us of the slice, 0: it never began. Once it has been
 * told, nothing. */
void gw_sched_end(struct gw_sched *s, struct gw_fleet_lease *lease, int64_t used_us);

/* ---- gw_sched_place.c: where a call stands
 *
 * Of the calls whose pools share a group with its own: of its class those with an earlier key; of
 * the others, by `fair` what they start before its turn comes by the fluid model of the shares
 * (gw_fluid.h, with the tags of the group where its class is least ahead), by `strict` all of
 * heavier classes, by `fifo` those with an earlier key, which is near that. Calls that stand aside
 * count as if they did not; those of background calls count for nobody but each other.
 *
 * Cost  O(classes x lines x log n). */
void gw_sched_place(const struct gw_sched *s, const struct gw_queue_item *item,
                    struct gw_sched_place *out);
/* Where it would stand if it came now. false: no memory to find out. */
bool gw_sched_place_of(struct gw_sched *s, struct gw_fleet_model *m, const struct gw_queue_ask *ask,
                       struct gw_sched_place *out);
/* Slices, of the smallest size, that the model's calls could have now. */
size_t gw_sched_slice_count(struct gw_sched *s, struct gw_fleet_model *m);

/* SL_OK or SL_EBROKEN. For tests and the simulator. */
SL_MUST_CHECK sl_status gw_sched_check(const struct gw_sched *s, struct gw_fleet *fleet);

#endif
