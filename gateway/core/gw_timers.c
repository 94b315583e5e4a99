#include "gw_timers.h"

#include <stdbool.h>

void gw_timers_init(struct gw_timers *t, const struct sl_alloc *alloc, size_t max_count)
{
    *t = (struct gw_timers){.alloc = alloc, .max_count = max_count};
}

void gw_timers_finish(struct gw_timers *t)
{
    sl_alloc_free(t->alloc, t->heap);
    *t = (struct gw_timers){.alloc = t->alloc, .max_count = t->max_count};
}

static bool is_before(const struct gw_timer *a, const struct gw_timer *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void put(struct gw_timers *t, size_t i, struct gw_timer *timer)
{
    t->heap[i] = timer;
    timer->place = i + 1;
}

static void sift_up(struct gw_timers *t, size_t i)
{
    struct gw_timer *moving = t->heap[i];
    for (size_t up; i > 0 && is_before(moving, t->heap[up = (i - 1) / 2]); i = up)
        put(t, i, t->heap[up]);
    put(t, i, moving);
}

static void sift_down(struct gw_timers *t, size_t i)
{
    struct gw_timer *moving = t->heap[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= t->count)
            break;
        if (child + 1 < t->count && is_before(t->heap[child + 1], t->heap[child]))
            child++;
        if (!is_before(t->heap[child], moving))
            break;
        put(t, i, t->heap[child]);
        i = child;
    }
    put(t, i, moving);
}

static sl_status make_room(struct gw_timers *t)
{
    if (t->count >= t->max_count)
        return SL_EFULL;
    if (t->count < t->room)
        return SL_OK;
    size_t more = t->room == 0 ? 64 : t->room * 2;
    void *bigger = t->alloc->resize(t->alloc->ctx, t->heap, more * sizeof(struct gw_timer *));
    if (bigger == NULL)
        return SL_ENOMEM;
    t->heap = bigger;
    t->room = more;
    return SL_OK;
}

sl_status gw_timers_set(struct gw_timers *t, struct gw_timer *timer, sl_mono_ns at)
{
    if (at == SL_MONO_NEVER) {
        gw_timers_clear(t, timer);
        return SL_OK;
    }
    if (timer->place == 0) {
        sl_status s = make_room(t);
        if (s != SL_OK)
            return s;
        put(t, t->count++, timer);
    }
    timer->at = at;
    timer->order = t->next_order++;
    size_t i = timer->place - 1;
    sift_up(t, i);
    sift_down(t, timer->place - 1);
    return SL_OK;
}

void gw_timers_clear(struct gw_timers *t, struct gw_timer *timer)
{
    if (timer->place == 0)
        return;
    size_t i = timer->place - 1;
    struct gw_timer *last = t->heap[--t->count];
    timer->place = 0;
    if (last == timer)
        return;
    put(t, i, last);
    sift_up(t, i);
    sift_down(t, last->place - 1);
}

sl_mono_ns gw_timers_next(const struct gw_timers *t)
{
    return t->count == 0 ? SL_MONO_NEVER : t->heap[0]->at;
}

struct gw_timer *gw_timers_pop(struct gw_timers *t, sl_mono_ns now)
{
    if (t->count == 0 || t->heap[0]->at > now)
        return NULL;
    struct gw_timer *first = t->heap[0];
    gw_timers_clear(t, first);
    return first;
}
