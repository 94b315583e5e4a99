/* gw_names.c - chains from a table of their heads. */
#include "gw_names.h"

#include <string.h>

sl_status gw_names_init(struct gw_names *n, const struct sl_alloc *alloc, size_t max_count,
                        struct sl_hash_seed seed)
{
    size_t count = 1;
    while (count < max_count)
        count *= 2;
    *n = (struct gw_names){.alloc = alloc, .mask = count - 1, .seed = seed};
    n->buckets = sl_alloc_zero(alloc, count, sizeof *n->buckets);
    return n->buckets != NULL ? SL_OK : SL_ENOMEM;
}

void gw_names_finish(struct gw_names *n)
{
    if (n->buckets != NULL)
        sl_alloc_free(n->alloc, n->buckets);
    n->buckets = NULL;
}

static struct gw_name **bucket_of(const struct gw_names *n, const uint8_t id[GW_NAME_BYTES])
{
    return &n->buckets[sl_hash_bytes(n->seed, sl_span_of(id, GW_NAME_BYTES)) & n->mask];
}

void gw_names_add(struct gw_names *n, struct gw_name *name, const uint8_t id[GW_NAME_BYTES])
{
    struct gw_name **head = bucket_of(n, id);
    memcpy(name->id, id, GW_NAME_BYTES);
    name->next = *head;
    name->link = head;
    if (*head != NULL)
        (*head)->link = &name->next;
    *head = name;
}

void gw_names_remove(struct gw_name *name)
{
    if (name->link == NULL)
        return;
    *name->link = name->next;
    if (name->next != NULL)
        name->next->link = name->link;
    name->next = NULL;
    name->link = NULL;
}

static struct gw_name *first_of(struct gw_name *name, const uint8_t id[GW_NAME_BYTES])
{
    while (name != NULL && memcmp(name->id, id, GW_NAME_BYTES) != 0)
        name = name->next;
    return name;
}

struct gw_name *gw_names_find(const struct gw_names *n, const uint8_t id[GW_NAME_BYTES])
{
    return first_of(*bucket_of(n, id), id);
}

struct gw_name *gw_names_next(const struct gw_name *name)
{
    return first_of(name->next, name->id);
}
