#include "gw_groups.h"

#include <stdlib.h>
#include <string.h>

enum { WORD_BITS = 64 };

sl_status gw_groups_init(struct gw_groups *gs, const struct sl_alloc *alloc, size_t max_nodes)
{
    *gs = (struct gw_groups){.alloc = alloc};
    if (max_nodes == 0)
        return SL_EINVAL;
    gs->words_count = (2 * max_nodes + WORD_BITS - 1) / WORD_BITS;
    gs->count = gs->words_count * WORD_BITS;
    gs->groups = sl_alloc_zero(alloc, gs->count, sizeof *gs->groups);
    return gs->groups != NULL ? SL_OK : SL_ENOMEM;
}

void gw_groups_finish(struct gw_groups *gs)
{
    if (gs->groups == NULL)
        return;
    for (size_t i = 0; i < gs->used_end; i++)
        sl_alloc_free(gs->alloc, gs->groups[i].models);
    sl_alloc_free(gs->alloc, gs->groups);
    *gs = (struct gw_groups){0};
}

/* ---- classes */

static void begin_shares(const struct gw_groups *gs, struct gw_group *g)
{
    gw_shares_init(&g->shares, gs->class_count);
    for (size_t c = 0; c < gs->class_count; c++)
        gw_shares_set_weight(&g->shares, c, gs->weights[c]);
    memset(g->line_counts, 0, sizeof g->line_counts);
    memset(g->age_credit_us, 0, sizeof g->age_credit_us);
}

void gw_groups_set_classes(struct gw_groups *gs, const uint32_t *weights, size_t class_count)
{
    memcpy(gs->weights, weights, class_count * sizeof *weights);
    gs->class_count = class_count;
    for (size_t i = 0; i < gs->used_end; i++)
        begin_shares(gs, &gs->groups[i]);
}

/* ---- nodes */

static int compare_ids(const void *a, const void *b)
{
    const sl_slot_id x = *(const sl_slot_id *)a, y = *(const sl_slot_id *)b;
    return x < y ? -1 : x > y;
}

static bool has_models(const struct gw_group *g, const sl_slot_id *models, size_t count)
{
    return g->is_used && g->model_count == count &&
           (count == 0 || memcmp(g->models, models, count * sizeof *models) == 0);
}

static struct gw_group *find(struct gw_groups *gs, const sl_slot_id *models, size_t count)
{
    for (size_t i = 0; i < gs->used_end; i++)
        if (has_models(&gs->groups[i], models, count))
            return &gs->groups[i];
    return NULL;
}

/* A place that nobody has, else the one that was left longest ago. There is one: there are twice
 * as many as nodes. */
static struct gw_group *find_place(struct gw_groups *gs)
{
    struct gw_group *oldest = NULL;
    for (size_t i = 0; i < gs->count; i++) {
        struct gw_group *g = &gs->groups[i];
        if (!g->is_used)
            return g;
        if (g->node_count == 0 && (oldest == NULL || g->left_in < oldest->left_in))
            oldest = g;
    }
    return oldest;
}

static sl_status make(struct gw_groups *gs, const sl_slot_id *models, size_t count,
                      struct gw_group **out)
{
    sl_slot_id *copy = sl_alloc_zero(gs->alloc, count > 0 ? count : 1, sizeof *copy);
    struct gw_group *g = copy == NULL ? NULL : find_place(gs);
    if (g == NULL) {
        sl_alloc_free(gs->alloc, copy);
        return SL_ENOMEM;
    }
    if (count > 0)
        memcpy(copy, models, count * sizeof *copy);
    sl_alloc_free(gs->alloc, g->models);
    *g = (struct gw_group){
        .index = (uint32_t)(g - gs->groups), .is_used = true, .models = copy, .model_count = count};
    begin_shares(gs, g);
    gs->used_end = g->index >= gs->used_end ? g->index + 1 : gs->used_end;
    *out = g;
    return SL_OK;
}

sl_status gw_groups_join(struct gw_groups *gs, sl_slot_id *models, size_t model_count,
                         size_t slice_count, struct gw_group **out, bool *is_new)
{
    if (model_count > 0)
        qsort(models, model_count, sizeof *models, compare_ids);
    struct gw_group *g = find(gs, models, model_count);
    *is_new = g == NULL;
    sl_status s = g == NULL ? make(gs, models, model_count, &g) : SL_OK;
    if (s != SL_OK)
        return s;
    g->node_count++;
    g->slice_count += slice_count;
    *out = g;
    return SL_OK;
}

void gw_groups_leave(struct gw_groups *gs, struct gw_group *g, size_t slice_count)
{
    g->slice_count -= slice_count;
    if (--g->node_count == 0)
        g->left_in = ++gs->leave_count;
}

void gw_groups_forget(struct gw_group *g)
{
    g->is_used = false;
}

void gw_groups_of_model(const struct gw_groups *gs, sl_slot_id model, uint64_t *out_words)
{
    memset(out_words, 0, gs->words_count * sizeof *out_words);
    for (size_t i = 0; i < gs->used_end; i++) {
        const struct gw_group *g = &gs->groups[i];
        if (g->is_used && g->model_count > 0 &&
            bsearch(&model, g->models, g->model_count, sizeof model, compare_ids) != NULL)
            out_words[i / WORD_BITS] |= UINT64_C(1) << i % WORD_BITS;
    }
}

/* ---- lines */

static void rest(struct gw_group *g, size_t class_index)
{
    gw_shares_rest(&g->shares, class_index);
    g->age_credit_us[class_index] = 0;
}

void gw_groups_line_began(struct gw_groups *gs, const uint64_t *words, size_t class_index)
{
    for (size_t w = 0; w < gs->words_count; w++)
        for (uint64_t left = words[w]; left != 0; left &= left - 1) {
            struct gw_group *g = &gs->groups[w * WORD_BITS + (size_t)__builtin_ctzll(left)];
            if (g->line_counts[class_index]++ == 0)
                gw_shares_wait(&g->shares, class_index);
        }
}

void gw_groups_line_ended(struct gw_groups *gs, const uint64_t *words, size_t class_index)
{
    for (size_t w = 0; w < gs->words_count; w++)
        for (uint64_t left = words[w]; left != 0; left &= left - 1) {
            struct gw_group *g = &gs->groups[w * WORD_BITS + (size_t)__builtin_ctzll(left)];
            if (--g->line_counts[class_index] == 0)
                rest(g, class_index);
        }
}

void gw_groups_forget_lines(struct gw_groups *gs)
{
    for (size_t i = 0; i < gs->used_end; i++) {
        struct gw_group *g = &gs->groups[i];
        for (size_t c = 0; c < gs->class_count; c++)
            g->line_counts[c] = 0;
    }
}

void gw_groups_lines_counted(struct gw_groups *gs)
{
    for (size_t i = 0; i < gs->used_end; i++) {
        struct gw_group *g = &gs->groups[i];
        for (size_t c = 0; c < gs->class_count; c++)
            if (g->line_counts[c] == 0)
                rest(g, c);
    }
}

/* ---- invariants */

static bool group_holds(const struct gw_groups *gs, const struct gw_group *g)
{
    for (size_t c = 0; c < gs->class_count; c++)
        if (g->shares.classes[c].is_waiting != (g->line_counts[c] > 0))
            return false;
    for (size_t i = 0; i < g->index; i++)
        if (has_models(&gs->groups[i], g->models, g->model_count))
            return false;
    return gw_shares_check(&g->shares) == SL_OK;
}

sl_status gw_groups_check(const struct gw_groups *gs)
{
    for (size_t i = 0; i < gs->used_end; i++)
        if (gs->groups[i].is_used && !group_holds(gs, &gs->groups[i]))
            return SL_EBROKEN;
    return SL_OK;
}
