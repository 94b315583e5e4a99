/* sl_conf_diff.c - which keys differ between two structs of one table, and taking over what may change. */
#include <string.h>

#include "sl_conf_internal.h"

static bool same_field(const struct sl_conf_key *key, const void *a, const void *b);

static bool same_string(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_item(const struct sl_conf_key *seq, const char *a, const char *b)
{
    if (seq->type == SL_CONF_MAP &&
        !same_string(*(const char *const *)(const void *)a, *(const char *const *)(const void *)b))
        return false;
    for (const struct sl_conf_key *k = seq->items; k->name; k++) {
        if (!same_field(k, a + k->offset, b + k->offset))
            return false;
    }
    return true;
}

static bool same_seq(const struct sl_conf_key *key, const struct sl_conf_seq *a,
                     const struct sl_conf_seq *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        size_t at = i * key->item_bytes;
        if (!same_item(key, (const char *)a->items + at, (const char *)b->items + at))
            return false;
    }
    return true;
}

static bool same_field(const struct sl_conf_key *key, const void *a, const void *b)
{
    switch (key->type) {
    case SL_CONF_STRING:
        return same_string(*(const char *const *)a, *(const char *const *)b);
    case SL_CONF_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case SL_CONF_INT:
    case SL_CONF_DURATION:
        return *(const int64_t *)a == *(const int64_t *)b;
    case SL_CONF_BYTES:
        return *(const uint64_t *)a == *(const uint64_t *)b;
    case SL_CONF_CHOICE:
        return *(const int *)a == *(const int *)b;
    case SL_CONF_LIST:
    case SL_CONF_MAP:
        break;
    }
    return same_seq(key, a, b);
}

void sl_conf_diff(const struct sl_conf_key *table, const void *before, const void *after,
                  void (*on_change)(void *ctx, const struct sl_conf_key *key), void *ctx)
{
    for (const struct sl_conf_key *k = table; k->name; k++) {
        if (!same_field(k, (const char *)before + k->offset, (const char *)after + k->offset))
            on_change(ctx, k);
    }
}

static size_t value_bytes(enum sl_conf_type type)
{
    switch (type) {
    case SL_CONF_BOOL:
        return sizeof(bool);
    case SL_CONF_INT:
    case SL_CONF_DURATION:
        return sizeof(int64_t);
    case SL_CONF_BYTES:
        return sizeof(uint64_t);
    case SL_CONF_CHOICE:
        return sizeof(int);
    case SL_CONF_STRING:
    case SL_CONF_LIST:
    case SL_CONF_MAP:
        break;
    }
    return 0;
}

void sl_conf_take_reloadable(const struct sl_conf_key *table, void *into, const void *from)
{
    for (const struct sl_conf_key *k = table; k->name; k++) {
        if (k->reloadable)
            memcpy((char *)into + k->offset, (const char *)from + k->offset, value_bytes(k->type));
    }
}
