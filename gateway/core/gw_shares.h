/* gw_shares.h - whose turn is it? The time of slices that all of them could use, shared between
 * classes of calls by weight. A class is what waits in one line: the tiers of one weight. Pure.
 *
 * Start-time fair queueing: every class has a tag, its time so far divided by its weight; the class
 * that waits with the least tag is next, and virtual time is the tag of the class that was. A class
 * that begins to wait starts from virtual time or from its own tag, whichever is later: it has
 * saved up nothing while it did not wait, and what it owes is forgiven when virtual time has passed
 * its tag. A start charges what is expected, the end corrects that by what it was.
 *
 * There is one of these for each set of slices that the same calls can use; decision 024 says why,
 * and what is guaranteed.
 *
 * Only differences count, so tags are kept as what they are ahead of virtual time, which is always
 * 0 here.
 *
 * Source   Goyal, Vin, Cheng: "Start-time fair queueing" (1996); with several servers Jin, Chase,
 *          Kaur: "Interposed proportional sharing" (2004), SFQ(D). Corrections, and what they may
 *          do, are ours.
 * Ties     The class that started something longest ago; then the heavier; then the first.
 * Cost     O(classes), at most 32. Memory: some 2 KiB, inside the struct.
 * Units    Tags: thousandths of a microsecond of a slice (factors are in thousandths), divided by
 *          the weight.
 * Bounds   Times count from 0 to GW_SHARES_TIME_MAX_US, expected ones from 1 us; tags end at
 *          +-2^62.
 * Threads  One.
 *
 * Invariants (gw_shares_check)
 *   S1  no class that waits is behind virtual time
 *   S2  the counts of what runs, and the set of those who wait, are what counting anew gives
 *   S3  when nothing waits and nothing runs, nobody owes anything
 */
#ifndef GW_SHARES_H
#define GW_SHARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gw_tier.h"
#include "sl_status.h"
#include "sl_time.h"

enum { GW_SHARES_MAX = GW_TIERS_MAX, GW_SHARES_NONE = GW_SHARES_MAX };
#define GW_SHARES_ALL         UINT32_MAX
#define GW_SHARES_TIME_MAX_US (INT64_C(1) << 40)

struct gw_share_class {
    uint32_t weight;
    bool is_waiting;
    uint32_t period;     /* how often it has begun to wait */
    int64_t ahead;       /* its tag; below 0, at rest: since when it owes nothing */
    int64_t brought;     /* the tag that it had when it began to wait */
    uint64_t started_in; /* gw_shares.start_count of its last start */
    size_t running_count;
};

struct gw_shares {
    struct gw_share_class classes[GW_SHARES_MAX];
    size_t class_count;
    uint32_t waiting; /* a bit for each class */
    size_t running_count;
    uint64_t start_count;
};

/* What was charged at a start; kept with the lease. */
struct gw_share {
    uint32_t class_index;
    uint32_t period;
    uint32_t weight;
    uint32_t factor_thousandths;
    int64_t expected_us;
};

/* class_count up to GW_SHARES_MAX, each of weight 1; nobody waits. */
void gw_shares_init(struct gw_shares *s, size_t class_count);
/* weight > 0. Counts from the next start on. */
void gw_shares_set_weight(struct gw_shares *s, size_t class_index, uint32_t weight);

/* The class has calls that wait, or has none; telling it again changes nothing. */
void gw_shares_wait(struct gw_shares *s, size_t class_index);
void gw_shares_rest(struct gw_shares *s, size_t class_index);

/* Of the classes in the set `among` that wait, the one whose turn it is; GW_SHARES_NONE. */
size_t gw_shares_next(const struct gw_shares *s, uint32_t among);

/* A call of a class that waits gets a slice. Also out of turn: those who could have been before,
 * but cannot use the slice, are as if they had only just begun to wait. */
struct gw_share gw_shares_start(struct gw_shares *s, size_t class_index, int64_t expected_us,
                                uint32_t factor_thousandths);
/* The slice is free of it, once for each start; 0: it never began. */
void gw_shares_end(struct gw_shares *s, const struct gw_share *share, int64_t used_us);

/* SL_OK, or SL_EBROKEN when one of S1-S3 fails. */
SL_MUST_CHECK sl_status gw_shares_check(const struct gw_shares *s);

#endif
