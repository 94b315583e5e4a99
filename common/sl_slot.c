/* sl_slot.c - chunks of slots that never move, and a list of the free ones. */
#include "sl_slot.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { CHUNK_SLOTS = 64, NO_SLOT = 0 };

/* Stands before each object; its size keeps the object aligned. */
struct slot {
    _Alignas(max_align_t) uint32_t generation; /* of the object here, or of the next one */
    uint32_t next_free;                        /* number (index + 1), or NO_SLOT */
    bool is_taken;
};

struct sl_slot_table {
    const struct sl_alloc *alloc;
    size_t object_bytes;
    size_t slot_bytes; /* struct slot and its object, aligned */
    size_t max_count;
    size_t made_count; /* slots in chunks; always a whole chunk or max_count */
    size_t taken_count;
    uint32_t first_free;
    char **chunks;
    size_t chunks_capacity;
};

static size_t align_up(size_t bytes)
{
    const size_t mask = _Alignof(max_align_t) - 1;
    return (bytes + mask) & ~mask;
}

static struct slot *slot_at(const struct sl_slot_table *t, size_t index)
{
    char *chunk = t->chunks[index / CHUNK_SLOTS];
    return (struct slot *)(void *)(chunk + index % CHUNK_SLOTS * t->slot_bytes);
}

static void *object_of(struct slot *s)
{
    return s + 1;
}

static sl_slot_id id_of(const struct slot *s, size_t index)
{
    return (uint64_t)s->generation << 32 | (uint64_t)(index + 1);
}

/* The taken slot that id names; NULL when there is none. */
static struct slot *find(const struct sl_slot_table *t, sl_slot_id id)
{
    size_t number = (size_t)(id & UINT32_MAX);
    if (number == NO_SLOT || number > t->made_count)
        return NULL;
    struct slot *s = slot_at(t, number - 1);
    return s->is_taken && s->generation == id >> 32 ? s : NULL;
}

sl_status sl_slot_create(const struct sl_alloc *alloc, size_t object_bytes, size_t max_count,
                         struct sl_slot_table **out)
{
    if (object_bytes == 0 || max_count == 0 || max_count >= UINT32_MAX)
        return SL_EINVAL;
    if (object_bytes > SIZE_MAX / CHUNK_SLOTS - 2 * sizeof(struct slot))
        return SL_ENOMEM;
    struct sl_slot_table *t = sl_alloc_zero(alloc, 1, sizeof(*t));
    if (!t)
        return SL_ENOMEM;
    t->alloc = alloc;
    t->object_bytes = object_bytes;
    t->slot_bytes = sizeof(struct slot) + align_up(object_bytes);
    t->max_count = max_count;
    *out = t;
    return SL_OK;
}

void sl_slot_destroy(struct sl_slot_table *t)
{
    if (!t)
        return;
    for (size_t made = 0; made < t->made_count; made += CHUNK_SLOTS)
        sl_alloc_free(t->alloc, t->chunks[made / CHUNK_SLOTS]);
    sl_alloc_free(t->alloc, t->chunks);
    sl_alloc_free(t->alloc, t);
}

static sl_status reserve_chunk_pointer(struct sl_slot_table *t)
{
    if (t->made_count / CHUNK_SLOTS < t->chunks_capacity)
        return SL_OK;
    size_t capacity = t->chunks_capacity > 0 ? 2 * t->chunks_capacity : 4;
    char **chunks = t->alloc->resize(t->alloc->ctx, t->chunks, capacity * sizeof(*chunks));
    if (!chunks)
        return SL_ENOMEM;
    t->chunks = chunks;
    t->chunks_capacity = capacity;
    return SL_OK;
}

/* Makes the slots of one more chunk and puts them into the empty free list, lowest first. */
static sl_status add_chunk(struct sl_slot_table *t)
{
    if (t->made_count == t->max_count)
        return SL_EFULL;
    sl_status status = reserve_chunk_pointer(t);
    if (status != SL_OK)
        return status;
    size_t left = t->max_count - t->made_count;
    size_t count = left < CHUNK_SLOTS ? left : CHUNK_SLOTS;
    char *chunk = sl_alloc_zero(t->alloc, count, t->slot_bytes);
    if (!chunk)
        return SL_ENOMEM;
    t->chunks[t->made_count / CHUNK_SLOTS] = chunk;
    t->made_count += count;
    for (size_t number = t->made_count; number > t->made_count - count; number--) {
        slot_at(t, number - 1)->next_free = t->first_free;
        t->first_free = (uint32_t)number;
    }
    return SL_OK;
}

sl_status sl_slot_take(struct sl_slot_table *t, sl_slot_id *out_id, void **out_object)
{
    if (t->first_free == NO_SLOT) {
        sl_status status = add_chunk(t);
        if (status != SL_OK)
            return status;
    }
    size_t index = t->first_free - 1;
    struct slot *s = slot_at(t, index);
    t->first_free = s->next_free;
    s->is_taken = true;
    t->taken_count++;
    *out_id = id_of(s, index);
    *out_object = memset(object_of(s), 0, t->object_bytes);
    return SL_OK;
}

void *sl_slot_get(const struct sl_slot_table *t, sl_slot_id id)
{
    struct slot *s = find(t, id);
    return s ? object_of(s) : NULL;
}

sl_status sl_slot_put(struct sl_slot_table *t, sl_slot_id id)
{
    struct slot *s = find(t, id);
    if (!s)
        return SL_ESTALE;
    s->is_taken = false;
    t->taken_count--;
    if (s->generation == UINT32_MAX)
        return SL_OK; /* all its ids were issued: retired, so that none comes twice */
    s->generation++;
    s->next_free = t->first_free;
    t->first_free = (uint32_t)(id & UINT32_MAX);
    return SL_OK;
}

size_t sl_slot_count(const struct sl_slot_table *t)
{
    return t->taken_count;
}

void *sl_slot_next(const struct sl_slot_table *t, size_t *cursor, sl_slot_id *out_id)
{
    while (*cursor < t->made_count) {
        size_t index = (*cursor)++;
        struct slot *s = slot_at(t, index);
        if (s->is_taken) {
            if (out_id)
                *out_id = id_of(s, index);
            return object_of(s);
        }
    }
    return NULL;
}
