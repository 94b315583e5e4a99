#include "sl_index.h"

sl_status sl_index_init(struct sl_index *ix, const struct sl_alloc *alloc, size_t max_count,
                        bool (*is)(const void *object, const void *key))
{
    size_t count = 8;
    while (count < max_count + max_count / 3 + 1) /* at most three quarters are in use */
        count *= 2;
    *ix = (struct sl_index){.alloc = alloc, .is = is, .mask = count - 1};
    ix->places = sl_alloc_zero(alloc, count, sizeof *ix->places);
    return ix->places != NULL ? SL_OK : SL_ENOMEM;
}

void sl_index_finish(struct sl_index *ix)
{
    if (ix->places != NULL)
        sl_alloc_free(ix->alloc, ix->places);
    *ix = (struct sl_index){0};
}

static size_t after(const struct sl_index *ix, size_t i)
{
    return (i + 1) & ix->mask;
}

void *sl_index_find(const struct sl_index *ix, uint32_t hash, const void *key)
{
    for (size_t i = hash & ix->mask; ix->places[i].object != NULL; i = after(ix, i))
        if (ix->places[i].hash == hash && ix->is(ix->places[i].object, key))
            return ix->places[i].object;
    return NULL;
}

void sl_index_add(struct sl_index *ix, uint32_t hash, void *object)
{
    size_t i = hash & ix->mask;
    while (ix->places[i].object != NULL)
        i = after(ix, i);
    ix->places[i] = (struct sl_index_place){object, hash};
}

/* Objects behind the gap that would not be found across it move into it. */
void sl_index_remove(struct sl_index *ix, uint32_t hash, const void *object)
{
    size_t gap = hash & ix->mask;
    while (ix->places[gap].object != object)
        gap = after(ix, gap);
    for (size_t i = after(ix, gap); ix->places[i].object != NULL; i = after(ix, i)) {
        size_t home = ix->places[i].hash & ix->mask;
        if (((i - home) & ix->mask) < ((i - gap) & ix->mask))
            continue;
        ix->places[gap] = ix->places[i];
        gap = i;
    }
    ix->places[gap] = (struct sl_index_place){0};
}
