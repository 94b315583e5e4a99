/* sluice_pairs.c - a bounded list of names and values. */
#include "sluice_pairs.h"

#include <stdlib.h>

void sluice_pairs_init(struct sluice_pairs_list *l)
{
    *l = (struct sluice_pairs_list){0};
}

void sluice_pairs_finish(struct sluice_pairs_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        free((char *)l->items[i].name);
    free(l->items);
    sluice_pairs_init(l);
}

/* "name\0value\0" in one allocation. */
static char *copy_both(struct sl_span name, struct sl_span value)
{
    char *text = malloc(name.len + value.len + 2);
    if (text == NULL)
        return NULL;
    if (name.len > 0)
        memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    if (value.len > 0)
        memcpy(text + name.len + 1, value.data, value.len);
    text[name.len + 1 + value.len] = '\0';
    return text;
}

sl_status sluice_pairs_add(struct sluice_pairs_list *l, struct sl_span name, struct sl_span value)
{
    if (l->count >= SLUICE_PAIRS_MAX ||
        name.len + value.len > SLUICE_PAIRS_BYTES_MAX - l->total_bytes)
        return SL_EFULL;
    if (l->items == NULL) {
        l->items = calloc(SLUICE_PAIRS_MAX, sizeof(*l->items));
        if (l->items == NULL)
            return SL_ENOMEM;
    }
    char *text = copy_both(name, value);
    if (text == NULL)
        return SL_ENOMEM;
    l->items[l->count++] = (struct sluice_pair){.name = text, .value = text + name.len + 1};
    l->total_bytes += name.len + value.len;
    return SL_OK;
}

const char *sluice_pairs_find(const struct sluice_pairs_list *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++) {
        if (strcmp(l->items[i].name, name) == 0)
            return l->items[i].value;
    }
    return NULL;
}
