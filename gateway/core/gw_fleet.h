/* gw_fleet.h - what the executors said they have, and which leases are out. Pure.
 *
 * A node joins with its slices and models, is heard from, and leaves. Models of all nodes are
 * merged by name into one catalogue; a model stays known after its last node has left, so that
 * calls can wait for the node to come back, and is forgotten when that node comes back without it,
 * or when its place is wanted. A lease is the right of one call to a slice: it is taken when the
 * call is sent and given back when the node has said that it is over, even if the call itself ended
 * before.
 *
 * A slice is kept fed: calls of the model that a slice runs are sent ahead of their turn while the
 * work expected there is at most feed_ahead_us; at least one call, at most what the node takes. Of a model whose calls
 * may run together (max_batch) as many more are sent as join those that wait there already.
 *
 * A wide slice is made of others of its node, its parts (both halves of a device): who has it has all of them, and none
 * of them is given to anybody meanwhile. A call of a size takes one slice that is large enough; a wide one only where
 * none of its parts is.
 *
 * Units    expected_us: learned mean execution time of the model, its declared duration below
 *          GW_FLEET_SAMPLES_MIN samples.
 * Memory   Nodes, models and leases in slot tables with the limits of gw_fleet_conf; strings are
 *          copied. A model spec lives as long as a node announces it or somebody holds it
 *          (gw_fleet_hold).
 * Errors   All-or-nothing.
 * Threads  One.
 *
 * Invariants (gw_fleet_check)
 *   F1  a slice's lease_count and expected_us are the number and the sum of its leases
 *   F2  all leases of a slice are of one model
 *   F3  a model's offers are those of the connected nodes that announce it as ready, node_count of
 *       them
 *   F4  the totals are what counting anew gives, and every current model is found by its name
 *   F5  no two slices of a node that have leases have a part in common; its held parts are those of all that have
 */
#ifndef GW_FLEET_H
#define GW_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "gw_duration.h"
#include "gw_learn.h"
#include "gw_model.h"
#include "gw_queue.h"
#include "gw_tier.h"
#include "sl_alloc.h"
#include "sl_reason.h"
#include "sl_slot.h"
#include "sl_time.h"

enum { GW_FLEET_SAMPLES_MIN = 5, GW_FLEET_SLICES_MAX = 64, GW_FLEET_MODELS_OF_NODE_MAX = 1024 };

/* From the moment in which a call is to be ended to that in which its slice is free. */
#define GW_FLEET_GRACE_NS SL_NS_PER_S

struct gw_fleet_conf {
    size_t max_nodes;
    size_t max_models;
    size_t max_leases;
    int64_t feed_ahead_us;   /* work sent ahead to a slice */
    uint32_t feed_ahead_max; /* calls at a slice, the running one included */
    /* For models whose duration is an expression; borrowed. NULL: they are unusable. */
    const struct gw_duration_port *durations;
    const struct gw_tiers *tiers; /* for the sizes that models name; NULL: any name will do */
};

enum { GW_FLEET_NODE_NAME_MAX = 63 };

/* Started runs of a model, and their time. */
struct gw_fleet_runs {
    uint64_t count;
    int64_t total_us;
};

/* How much of a device something is; what sizes are held against. */
struct gw_fleet_extent {
    uint32_t share_thousandths;
    uint64_t memory_bytes; /* 0: that does not matter */
};

/* A model in the catalogue. */
struct gw_fleet_model {
    struct gw_model_spec spec;
    struct gw_duration *duration; /* spec.duration's expression; NULL: it is none */
    sl_slot_id id;
    struct gw_queue_model waiting;    /* calls that wait for it */
    struct gw_queue_model background; /* of those who pay for none of it */
    struct gw_fleet_offer *offers; /* gw_fleet_offer.model_next: of connected nodes, oldest first */
    size_t node_count;             /* of them */
    size_t holders;                /* calls that use the spec */
    bool is_current;               /* found by name; an older spec lives on for its holders */
    sl_slot_id made_by;            /* the node that announced it first */
    char last_node[GW_FLEET_NODE_NAME_MAX + 1]; /* that left it without a node; "": none did */
    /* Had it and left, may come back, and its largest slice; of several the one with the largest. "": none. */
    char gone_node[GW_FLEET_NODE_NAME_MAX + 1];
    struct gw_fleet_extent gone_extent;
    uint64_t samples;
    int64_t mean_exec_us;
    struct gw_learn learn;      /* of those that ended well; the flow's, here and below */
    bool has_learned;           /* what the store does not have yet */
    sl_mono_ns keep_learned_at; /* not before */
    uint64_t call_count;        /* started; the flow counts, here and below */
    struct gw_fleet_runs succeeded, failed; /* from the queue to the result */
    struct gw_fleet_runs queued, executed;  /* the two parts of that */
    uint64_t engine_runs;                   /* that succeeded: several calls may share one */
};

struct gw_fleet_lease;
struct gw_fleet_node;
struct gw_mark;

struct gw_fleet_slice {
    struct gw_fleet_node *node;
    uint32_t id;
    char *device;
    char *kind;
    uint64_t memory_bytes;
    uint32_t share_thousandths;
    uint64_t parts; /* bit i: gw_fleet_node.slices[i]; of a slice that is not wide: itself */
    struct gw_fleet_extent extent;
    struct gw_fleet_extent part_extent; /* the largest part of a wide slice; else 0 */
    struct gw_fleet_lease *leases;      /* oldest first */
    size_t lease_count;
    int64_t expected_us;
    const struct gw_fleet_model *last_model;
    sl_mono_ns last_used_at;
};

/* What a node announced for one model. */
struct gw_fleet_offer {
    struct gw_fleet_node *node;
    struct gw_fleet_model *model;                   /* NULL when the announcement was not usable */
    struct gw_fleet_offer *model_prev, *model_next; /* gw_fleet_model.offers */
    char *name;
    char *problem; /* "": ready */
};

struct gw_fleet_node {
    sl_slot_id id;
    uint64_t session;
    struct gw_mark *mark;   /* of its journal; NULL: it has none. The flow's */
    struct gw_group *group; /* the scheduler's */
    char *name;
    char *version;
    sl_mono_ns joined_at;
    sl_mono_ns heard_at;
    bool is_draining;       /* by its own word: it is stopping */
    bool is_drained;        /* by an operator's: see gw_fleet_set_drained */
    uint64_t full_in_round; /* the round in which it took no more; see gw_fleet_set_full */
    uint32_t slice_backlog_max;
    struct gw_fleet_slice *slices; /* the wide ones behind the others */
    size_t slice_count;            /* that are not wide */
    size_t wide_count;
    uint64_t held_parts; /* of all slices with leases */
    uint64_t kept_parts; /* see gw_fleet_keep */
    sl_mono_ns kept_until;
    uint64_t kept_in_round;
    struct gw_fleet_offer *offers;
    size_t offer_count;
};

/* Wide ones included. */
static inline size_t gw_fleet_all_slices(const struct gw_fleet_node *node)
{
    return node->slice_count + node->wide_count;
}

struct gw_fleet_lease {
    sl_slot_id id;
    struct gw_fleet_lease *prev, *next; /* gw_fleet_slice.leases */
    struct gw_fleet_slice *slice;
    struct gw_fleet_model *model;
    uint64_t call; /* the holder's id; one that ended before the lease owes for it */
    int64_t expected_us;
    int64_t limit_us;      /* the scheduler's: its call is ended then */
    uint64_t result_bytes; /* of its result, while that is on its way; the flow counts */
    bool is_started;
    bool is_background; /* alone on its slice */
    bool is_recalled;   /* the flow's, here and below: its slice is being cleared */
    sl_mono_ns recalled_at;
    uint64_t claimed_in;   /* the round in which somebody counted on that */
    sl_mono_ns started_at; /* the flow's; 0: not known to have started */
    bool is_charged;       /* the scheduler's, here and below: to a class of its node's group */
    bool is_by_age;
    struct gw_share share;
    struct gw_app_load *app; /* whose call it is; NULL: nobody's */
};

/* A node's announcement, as the link decoded it; borrowed. */
struct gw_hello {
    uint64_t session;
    uint64_t journal; /* of leases; 0: it has none */
    const char *name;
    const char *version;
    uint32_t slice_backlog_max;
    struct gw_hello_slice {
        uint32_t id;
        const char *device;
        const char *kind;
        uint64_t memory_bytes;
        uint32_t share_thousandths; /* 0: it does not say, and is the whole device */
        uint64_t parts;             /* of a wide one: bit i is slices[i]; else 0 */
    } * slices;
    size_t slice_count; /* that are not wide */
    size_t wide_count;  /* behind them */
    struct gw_model_spec *models;
    size_t model_count;
};

struct gw_fleet;

SL_MUST_CHECK sl_status gw_fleet_create(const struct sl_alloc *alloc,
                                        const struct gw_fleet_conf *conf, struct gw_fleet **out);
void gw_fleet_destroy(struct gw_fleet *f);

/* A node of the same name must have left before. Errors: SL_EEXIST (a node of that name is there),
 * SL_EINVAL (names, counts or specs outside the limits), SL_EFULL (nodes), SL_ENOMEM, each with a
 * sentence in err. A single unusable model does not stop the node: its offer says what is wrong
 * with it. */
SL_MUST_CHECK sl_status gw_fleet_join(struct gw_fleet *f, const struct gw_hello *hello,
                                      sl_mono_ns now, struct gw_fleet_node **out,
                                      struct sl_error *err);
/* Ends the node's leases: on_lost is told each while it still exists, then the lease and the node
 * are gone. */
void gw_fleet_leave(struct gw_fleet *f, struct gw_fleet_node *node,
                    void (*on_lost)(void *ctx, struct gw_fleet_lease *lease), void *ctx);

/* Leases that are out at the node. */
size_t gw_fleet_lease_count(const struct gw_fleet_node *node);
/* From now on nothing is placed on a drained node; what is there stays. */
void gw_fleet_set_drained(struct gw_fleet *f, struct gw_fleet_node *node, bool is_drained);
/* May calls be placed there at all? */
bool gw_fleet_node_takes(const struct gw_fleet_node *node);

struct gw_fleet_node *gw_fleet_node(struct gw_fleet *f, sl_slot_id id);
struct gw_fleet_node *gw_fleet_node_by_session(struct gw_fleet *f, uint64_t session);
struct gw_fleet_node *gw_fleet_node_by_name(struct gw_fleet *f, const char *name);
struct gw_fleet_node *gw_fleet_next_node(struct gw_fleet *f, size_t *cursor);

/* The catalogue's model of that name, or NULL. */
struct gw_fleet_model *gw_fleet_find(struct gw_fleet *f, struct sl_span name);
struct gw_fleet_model *gw_fleet_next_model(struct gw_fleet *f, size_t *cursor);
bool gw_fleet_model_is_ready(const struct gw_fleet_model *m);
/* Is at least one node there, and every model of the catalogue ready? */
bool gw_fleet_is_ready(struct gw_fleet *f);
/* Keep a model's spec while a call uses it. */
void gw_fleet_hold(struct gw_fleet_model *m);
void gw_fleet_unhold(struct gw_fleet *f, struct gw_fleet_model *m);

/* A slice for one more call of m of this size: an idle one, warm before cold, longest idle first; else one that
 * runs m and may be fed ahead. Of the nodes of a group; NULL: of any. NULL: not now. */
struct gw_fleet_slice *gw_fleet_pick(struct gw_fleet *f, const struct gw_fleet_model *m,
                                     const struct gw_size *size, const struct gw_group *group);
/* The same, but never one that is in use: for work that nobody should wait behind. */
struct gw_fleet_slice *gw_fleet_pick_idle(struct gw_fleet *f, const struct gw_fleet_model *m,
                                          const struct gw_size *size);
/* A call that wants a wide slice, and whose turn it is, cannot start: the parts of one that is free soonest go to nobody
 * else until the next round of placing, in which the same one is kept again. Nothing happens when no wide slice serves
 * it, or one is free. */
void gw_fleet_keep(struct gw_fleet *f, const struct gw_fleet_model *m, const struct gw_size *size);
/* By when the slice is free by what its calls, and those of slices that it has a part in common with, declare: they are
 * ended then, and GW_FLEET_GRACE_NS later they are gone. */
sl_mono_ns gw_fleet_free_at(const struct gw_fleet *f, const struct gw_fleet_slice *slice);
/* Of the slices that are kept, an idle one for a call of m that declares so much: it is over by when they can all be
 * free. NULL: none. */
struct gw_fleet_slice *gw_fleet_backfill(struct gw_fleet *f, const struct gw_fleet_model *m,
                                         const struct gw_size *size, const struct gw_group *group,
                                         int64_t declared_us);
/* Is anything kept in this round? */
bool gw_fleet_has_kept(const struct gw_fleet *f);
/* Is this a slice for calls of that size? */
bool gw_fleet_slice_serves(const struct gw_fleet_slice *slice, const struct gw_size *size);
/* Could a call of that size have the slice, or one that has a part in common with it? */
bool gw_fleet_slice_helps(const struct gw_fleet_slice *slice, const struct gw_size *size);
/* Has a lease, or a part in common with one that has. */
bool gw_fleet_slice_is_held(const struct gw_fleet_slice *slice);
/* Can m's calls of this size ever start: is there a node with such a slice, or one that may come back? */
bool gw_fleet_may_serve(const struct gw_fleet_model *m, const struct gw_size *size);
/* SIZE_UNAVAILABLE, with the sizes that m's calls can have. */
void gw_fleet_refuse_size(const struct gw_fleet_model *m, const struct gw_size *size,
                          const struct gw_tiers *tiers, struct sl_error *err);
/* The size of a call of m that does not ask for one. */
const struct gw_size *gw_fleet_size_of(const struct gw_fleet_model *m,
                                       const struct gw_tiers *tiers);
/* A node that took a call not now is passed over until the next round of placing begins; the other
 * nodes are not. */
void gw_fleet_new_round(struct gw_fleet *f, sl_mono_ns now);
void gw_fleet_set_full(struct gw_fleet *f, struct gw_fleet_node *node);
/* How long the calls that wait for m would take, one after the other on each of its slices, by what is known of
 * such calls; -1: no node has it. */
int64_t gw_fleet_backlog_us(const struct gw_fleet_model *m);
/* Is that more than what they declare? */
bool gw_fleet_knows_time(const struct gw_fleet_model *m);
/* What a call of m that declares so much is expected to take. */
int64_t gw_fleet_expected_us(const struct gw_fleet_model *m, int64_t declared_us);
/* Errors: SL_EFULL, SL_ENOMEM, SL_EAGAIN (it has a part in common with a slice that has leases). */
SL_MUST_CHECK sl_status gw_fleet_lease(struct gw_fleet *f, struct gw_fleet_slice *slice,
                                       struct gw_fleet_model *m, uint64_t call, sl_mono_ns now,
                                       struct gw_fleet_lease **out);
/* Of an idle slice: nothing is fed behind it. */
void gw_fleet_set_background(struct gw_fleet *f, struct gw_fleet_lease *lease);
struct gw_fleet_lease *gw_fleet_find_lease(struct gw_fleet *f, sl_slot_id id);
/* The slice is free of it. learned_us >= 0 teaches the model's mean, < 0 does not. */
void gw_fleet_end_lease(struct gw_fleet *f, struct gw_fleet_lease *lease, int64_t learned_us,
                        sl_mono_ns now);

struct gw_fleet_totals {
    size_t nodes, slices, models, models_ready, leases;
    size_t slices_busy; /* of a wide one its parts */
    size_t drained;     /* of the nodes */
    size_t background;  /* of the leases */
};
struct gw_fleet_totals gw_fleet_totals(const struct gw_fleet *f); /* kept, not counted */
/* Grows when a node joins or leaves, a lease begins or ends: what was found out before may be otherwise. */
uint64_t gw_fleet_changes(const struct gw_fleet *f);

/* SL_OK, or SL_EBROKEN when one of F1-F5 fails. For tests and the simulator. */
SL_MUST_CHECK sl_status gw_fleet_check(struct gw_fleet *f);

#endif
