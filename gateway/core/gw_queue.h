/* gw_queue.h - calls that wait for a slice, in lines by what they could start on and whose turn it
 * is. Pure.
 *
 *   pool    the calls that the same nodes could take (gw_groups.h: a set of groups)
 *   line    of a pool, the calls of one size and one class, in the order in which they start:
 *           (key, arrival), where the key is fixed when a call is admitted (gw_deadline.h); it
 *           knows its oldest call, too
 *   aside   of a line, the calls of an app that has as many running as it may: they are out of the
 *           line, and come back to their old place in it
 *
 * A call that is given back by a node returns with its old key and arrival. When nodes bring other
 * models the calls that could start elsewhere now move to another pool and keep their place.
 * Calls of those who pay for none of it (decision 021) are a class of their own, behind all others.
 *
 * Cost     push, return, remove: O(log n). head: O(pools x sizes). join: O(models + calls moved).
 * Memory   128 bytes for a call, 64 in each of two trees, of a pool that is made at the beginning; 13 KiB for each
 *          set of groups that calls wait for. Items lie in their owners' objects.
 * Limits   max_items in all; what may wait is the scheduler's matter (gw_sched.h).
 * Errors   All-or-nothing.
 * Threads  One.
 *
 * Invariants (gw_queue_check)
 *   Q1  each item is in one line, or aside of it, and in its model's list, which is by arrival
 *   Q2  a pool's counts, the counts of tiers, and of the lines of groups are those of their items
 *   Q3  an item's pool is of the groups that have its model, and of no other that is in use
 *   Q4  who stands aside is of an app, and each app's count of those who wait is theirs
 */
#ifndef GW_QUEUE_H
#define GW_QUEUE_H

#include "gw_app_load.h"
#include "gw_groups.h"
#include "gw_order.h"
#include "gw_tier.h"

enum {
    GW_QUEUE_BACKGROUND = GW_SHARES_MAX, /* the class of those who pay nothing */
    GW_QUEUE_CLASSES
};

struct gw_queue_model;
struct gw_pool;

/* What is to be known of a call that waits. */
struct gw_queue_ask {
    int64_t key_us;
    int64_t arrived_us;
    uint64_t arrival;
    int64_t expected_us; /* how long it is expected to have its slice */
    int64_t limit_us;    /* and how long it may */
    bool is_guess;       /* nothing is known of such calls: that is what it declares */
    uint32_t factor_thousandths;
    uint16_t tier;
    uint8_t class_index;
    uint8_t size;    /* index in gw_tiers.sizes */
    const char *app; /* whose call it is; "": nobody's. Its owner's */
};

struct gw_queue_item {
    struct gw_queue_ask ask;
    struct gw_queue_item *prev, *next; /* gw_queue_model.head */
    struct gw_queue_model *model;      /* NULL: not queued */
    struct gw_pool *pool;
    struct gw_app_load *app; /* NULL: nobody's */
    struct gw_aside *aside;  /* NULL: it stands in its line */
    gw_order_id place, place_by_age;
    bool is_by_age;   /* the scheduler's, here and below: it is next because of that */
    uint64_t kept_in; /* the scheduler's: the round in which room is kept for it */
};

/* The calls that wait for one model, in two of these: those that pay, and those that do not. */
struct gw_queue_model {
    sl_slot_id model;
    struct gw_queue_item *head; /* oldest */
    size_t count;
    size_t guess_count;                 /* of them, whose time is a guess */
    struct gw_queue_model *prev, *next; /* gw_queue.models, while count > 0 */
    struct gw_pool *pool;               /* where its calls wait, as of gw_queue.epoch */
    uint64_t epoch;
};

struct gw_pool {
    struct gw_pool *prev, *next; /* gw_queue.pools */
    size_t count;                /* those that stand aside included */
    struct gw_order lines[GW_SIZES_MAX][GW_QUEUE_CLASSES];
    struct gw_order by_age[GW_SIZES_MAX][GW_SHARES_MAX]; /* the same calls, but for background */
    uint8_t sizes[GW_QUEUE_CLASSES];                     /* a bit for each line that is not empty */
    uint64_t groups[];                                   /* a set of them */
};

struct gw_queue {
    const struct sl_alloc *alloc;
    struct gw_groups *groups; /* borrowed */
    size_t max_items;
    struct gw_order_pool *places;
    struct gw_app_loads apps; /* that have calls */
    struct gw_pool *pools;
    struct gw_queue_model *models[2]; /* that calls wait for: [1] those of background calls */
    size_t counts[2];
    size_t tier_counts[GW_TIERS_MAX]; /* of those that pay */
    struct gw_order_sum guesses;      /* likewise, of those whose time is a guess */
    uint64_t epoch;                   /* grows when groups change */
    uint64_t *scratch;                /* a set of groups */
};

/* Errors: SL_EINVAL (max_items, see gw_order.h), SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_queue_init(struct gw_queue *q, const struct sl_alloc *alloc,
                                      struct gw_groups *groups, size_t max_items);
void gw_queue_finish(struct gw_queue *q); /* zeroed, or after an error: fine, too */

/* A call begins to wait, or does again after it was given back. Errors: SL_EFULL, SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_queue_push(struct gw_queue *q, struct gw_queue_model *model,
                                      struct gw_queue_item *item, const struct gw_queue_ask *ask);
void gw_queue_remove(struct gw_queue *q, struct gw_queue_item *item); /* not queued: nothing */
/* How long a call that waits will have its slice is known now. Its place stays. */
void gw_queue_set_expected(struct gw_queue *q, struct gw_queue_item *item, int64_t expected_us);

/* A call whose app has as many running as it may leaves its line, and stands aside. */
void gw_queue_put_aside(struct gw_queue *q, struct gw_queue_item *item);
/* The app may have one more: of each line the first of its calls that stand aside comes back. */
void gw_queue_bring_back(struct gw_queue *q, struct gw_app_load *app);

/* There is another group, or one is not there any more: calls wait for those that have their
 * models. Errors: SL_ENOMEM; they wait where they did then. */
SL_MUST_CHECK sl_status gw_queue_regroup(struct gw_queue *q);
/* The class of each tier's calls is another one. */
void gw_queue_reclass(struct gw_queue *q, const uint8_t class_of_tier[GW_TIERS_MAX]);

/* Where calls for a model wait. NULL: no memory. */
struct gw_pool *gw_queue_pool_of(struct gw_queue *q, struct gw_queue_model *model);
/* The first in a line; NULL: it is empty. */
struct gw_queue_item *gw_queue_first(const struct gw_pool *p, size_t size, size_t class_index);
/* The one behind it; NULL: it is the last. */
struct gw_queue_item *gw_queue_next(const struct gw_queue_item *item);
/* The one of them that came first. */
struct gw_queue_item *gw_queue_oldest(const struct gw_pool *p, size_t size, size_t class_index);
bool gw_queue_is_before(const struct gw_queue_item *a, const struct gw_queue_item *b);
/* What the call is to the shares: time of the slice by its factor. */
int64_t gw_queue_work_us(const struct gw_queue_ask *ask);

static inline bool gw_queue_is_background(const struct gw_queue_item *item)
{
    return item->ask.class_index == GW_QUEUE_BACKGROUND;
}

/* SL_OK, or SL_EBROKEN when one of Q1-Q3 fails. For tests and the simulator. */
SL_MUST_CHECK sl_status gw_queue_check(const struct gw_queue *q);

#endif
