/* gw_groups.h - slices that the same calls can use, in groups, and whose turn it is in each. Pure.
 *
 * A group is the nodes that offer the same set of models: whoever can use one of their slices can
 * use them all. Time is shared within a group (gw_shares.h; decision 024 says why not over all).
 * A node's set does not change while it is connected. A group whose last node has left is kept with
 * its tags, because nodes come back; the one that was left longest ago gives up its place to a new
 * set of models.
 *
 * Groups are named by their index, and sets of groups are bit sets of words_count words.
 *
 * Cost     join: O(groups + models of the node); of_model: O(groups x log models). The rest O(1).
 * Memory   One block at the beginning, 3 KiB for each group; a list of ids for each group.
 * Errors   All-or-nothing.
 * Threads  One.
 *
 * Invariants (gw_groups_check)
 *   G1  each group's shares hold theirs (gw_shares_check)
 *   G2  in each group those classes wait that have lines there
 *   G3  no two groups have the same models
 */
#ifndef GW_GROUPS_H
#define GW_GROUPS_H

#include "gw_shares.h"
#include "sl_alloc.h"
#include "sl_slot.h"

struct gw_group {
    uint32_t index;
    bool is_used;
    size_t node_count; /* 0: it is kept */
    size_t slice_count;
    uint64_t left_in;   /* gw_groups.leave_count when its last node left */
    sl_slot_id *models; /* ascending */
    size_t model_count;
    struct gw_shares shares;
    size_t line_counts[GW_SHARES_MAX];    /* lines with calls that could start here, by class */
    int64_t age_credit_us[GW_SHARES_MAX]; /* the scheduler's; 0 when no line has calls */
};

struct gw_groups {
    const struct sl_alloc *alloc;
    struct gw_group *groups;
    size_t count, words_count;
    size_t used_end; /* those behind it were never used */
    uint64_t leave_count;
    uint32_t weights[GW_SHARES_MAX]; /* of the classes */
    size_t class_count;
};

/* For max_nodes, of which as many may be remembered. Errors: SL_EINVAL (0), SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_groups_init(struct gw_groups *gs, const struct sl_alloc *alloc,
                                       size_t max_nodes);
void gw_groups_finish(struct gw_groups *gs); /* zeroed, or after an error: fine, too */

/* Other classes: all groups begin anew, nobody owes anything. Lines must be counted anew, too. */
void gw_groups_set_classes(struct gw_groups *gs, const uint32_t *weights, size_t class_count);

/* A node with these models (sorted in place) joins its group. *is_new: the set was not known, so
 * other calls can use the group than could use it before; its lines are to be counted anew.
 * Errors: SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_groups_join(struct gw_groups *gs, sl_slot_id *models, size_t model_count,
                                       size_t slice_count, struct gw_group **out, bool *is_new);
void gw_groups_leave(struct gw_groups *gs, struct gw_group *g, size_t slice_count);
/* A new group without nodes is none after all. */
void gw_groups_forget(struct gw_group *g);

/* The groups whose nodes have, or had, the model. */
void gw_groups_of_model(const struct gw_groups *gs, sl_slot_id model, uint64_t *out_words);

/* A line of a class has its first call, or no call any more, which could start in these groups. */
void gw_groups_line_began(struct gw_groups *gs, const uint64_t *words, size_t class_index);
void gw_groups_line_ended(struct gw_groups *gs, const uint64_t *words, size_t class_index);
/* To count all lines anew: none is counted any more; then each that began; then the rest is known.
 * Who waited before and after has waited all the time. */
void gw_groups_forget_lines(struct gw_groups *gs);
void gw_groups_lines_counted(struct gw_groups *gs);

static inline bool gw_groups_has(const uint64_t *words, size_t index)
{
    return (words[index / 64] >> index % 64 & 1) != 0;
}

SL_MUST_CHECK sl_status gw_groups_check(const struct gw_groups *gs);

#endif
