#include "gw_account.h"

#include <string.h>
#include <utlist.h>

enum { KEPT_FOR_SIGNED_IN = 5 }; /* one in so many */

static bool begins_with(struct sl_span s, const char *prefix)
{
    size_t len = strlen(prefix);
    return s.len >= len && memcmp(s.data, prefix, len) == 0;
}

bool gw_account_name_is_signed_in(struct sl_span name)
{
    return !begins_with(name, "ip:") && !begins_with(name, "cookie:");
}

/* ---- the index */

static bool is_named(const void *object, const void *name)
{
    return sl_span_eq_str(*(const struct sl_span *)name, ((const struct gw_account *)object)->name);
}

static uint32_t hash_of(const struct gw_accounts *t, struct sl_span name)
{
    return (uint32_t)sl_hash_bytes(t->seed, name);
}

static struct gw_account *look_up(const struct gw_accounts *t, struct sl_span name)
{
    return sl_index_find(&t->by_name, hash_of(t, name), &name);
}

/* ---- who is idle, and who of them goes */

static enum gw_account_class class_of(const struct gw_account *a)
{
    bool has_spent = a->spent_us != 0 || a->granted_us != 0;
    if (a->is_signed_in)
        return has_spent ? GW_ACCOUNT_SIGNED_SPENT : GW_ACCOUNT_SIGNED_UNSPENT;
    return has_spent ? GW_ACCOUNT_ANONYMOUS_SPENT : GW_ACCOUNT_ANONYMOUS_UNSPENT;
}

static bool is_blank(const struct gw_account *a)
{
    return a->window_opened_at == 0 && a->spent_us == 0 && a->granted_us == 0 &&
           a->hold_count == 0 && !a->is_blocked;
}

static void make_busy(struct gw_accounts *t, struct gw_account *a)
{
    if (a->idle_in != 0)
        DL_DELETE(t->idle[a->idle_in - 1], a);
    a->idle_in = 0;
}

static void make_idle(struct gw_accounts *t, struct gw_account *a)
{
    make_busy(t, a);
    if (a->hold_count > 0 || a->is_blocked)
        return;
    enum gw_account_class class = class_of(a);
    DL_APPEND(t->idle[class], a);
    a->idle_in = (int8_t)(class + 1);
}

void gw_account_forget_opening(struct gw_accounts *t, struct gw_account *a)
{
    if (!a->is_opened)
        return;
    DL_DELETE2(t->opened, a, opened_prev, opened_next);
    a->is_opened = false;
}

static void drop(struct gw_accounts *t, struct gw_account *a)
{
    make_busy(t, a);
    gw_account_forget_opening(t, a);
    sl_index_remove(&t->by_name, a->hash, a);
    t->count--;
    t->anonymous_count -= !a->is_signed_in;
    sl_alloc_free(t->alloc, a->name);
    sl_status s = sl_slot_put(t->table, a->slot);
    (void)s; /* it was taken */
}

static bool evict_one(struct gw_accounts *t, enum gw_account_class class)
{
    struct gw_account *oldest = t->idle[class];
    if (oldest == NULL)
        return false;
    t->evicted_count += oldest->spent_us > 0;
    drop(t, oldest);
    return true;
}

static bool make_room(struct gw_accounts *t, bool is_signed_in)
{
    if (!is_signed_in && t->anonymous_count >= t->anonymous_max)
        return evict_one(t, GW_ACCOUNT_ANONYMOUS_UNSPENT) ||
               evict_one(t, GW_ACCOUNT_ANONYMOUS_SPENT);
    if (t->count < t->max_count)
        return true;
    return evict_one(t, GW_ACCOUNT_ANONYMOUS_UNSPENT) || evict_one(t, GW_ACCOUNT_SIGNED_UNSPENT) ||
           evict_one(t, GW_ACCOUNT_ANONYMOUS_SPENT) ||
           (is_signed_in && evict_one(t, GW_ACCOUNT_SIGNED_SPENT));
}

/* ---- life of the table and of an account */

sl_status gw_accounts_init(struct gw_accounts *t, const struct sl_alloc *alloc, size_t max_count,
                           struct sl_hash_seed seed)
{
    *t = (struct gw_accounts){.alloc = alloc, .seed = seed, .max_count = max_count};
    if (max_count == 0 || max_count >= UINT32_MAX / 4)
        return SL_EINVAL;
    t->anonymous_max = max_count - max_count / KEPT_FOR_SIGNED_IN;
    sl_status s = sl_slot_create(alloc, sizeof(struct gw_account), max_count, &t->table);
    if (s != SL_OK)
        return s;
    s = sl_index_init(&t->by_name, alloc, max_count, is_named);
    if (s == SL_OK)
        return SL_OK;
    sl_slot_destroy(t->table);
    t->table = NULL;
    return s;
}

void gw_accounts_finish(struct gw_accounts *t)
{
    struct gw_account *a;
    size_t cursor = 0;
    if (t->table == NULL)
        return;
    while ((a = gw_accounts_next(t, &cursor)) != NULL)
        sl_alloc_free(t->alloc, a->name);
    sl_slot_destroy(t->table);
    sl_index_finish(&t->by_name);
    *t = (struct gw_accounts){0};
}

static sl_status make(struct gw_accounts *t, struct sl_span name, struct gw_account **out)
{
    sl_slot_id id;
    void *object;
    bool is_signed_in = gw_account_name_is_signed_in(name);
    if (name.len == 0 || name.len > GW_ACCOUNT_NAME_MAX)
        return SL_EINVAL;
    char *copy = sl_alloc_copy(t->alloc, name.data, name.len);
    if (copy == NULL)
        return SL_ENOMEM;
    sl_status s = make_room(t, is_signed_in) ? sl_slot_take(t->table, &id, &object) : SL_EFULL;
    if (s != SL_OK) {
        sl_alloc_free(t->alloc, copy);
        return s;
    }
    struct gw_account *a = object;
    *a = (struct gw_account){
        .name = copy, .slot = id, .hash = hash_of(t, name), .is_signed_in = is_signed_in};
    sl_index_add(&t->by_name, a->hash, a);
    t->count++;
    t->anonymous_count += !is_signed_in;
    *out = a;
    return SL_OK;
}

sl_status gw_accounts_take(struct gw_accounts *t, struct sl_span name, struct gw_account **out)
{
    struct gw_account *a = look_up(t, name);
    sl_status s = a != NULL ? SL_OK : make(t, name, &a);
    if (s != SL_OK)
        return s;
    make_busy(t, a);
    a->hold_count++;
    *out = a;
    return SL_OK;
}

void gw_accounts_release(struct gw_accounts *t, struct gw_account *a)
{
    a->hold_count--;
    if (is_blank(a))
        drop(t, a);
    else
        make_idle(t, a);
}

/* ---- windows */

sl_wall_us gw_account_window_ends_at(const struct gw_account *a)
{
    return a->window_opened_at == 0 ? 0 : sl_sat_add(a->window_opened_at, GW_WINDOW_US);
}

static bool is_over(const struct gw_account *a, sl_wall_us now)
{
    return now >= gw_account_window_ends_at(a) ||
           sl_sat_add(now, GW_WINDOW_AHEAD_MAX_US) < a->window_opened_at;
}

/* What is still held belongs to the window that ended. */
void gw_account_observe(struct gw_accounts *t, struct gw_account *a, sl_wall_us now)
{
    if (a->window_opened_at == 0 || !is_over(a, now))
        return;
    gw_account_forget_opening(t, a);
    a->window_opened_at = 0;
    a->spent_us = a->granted_us = a->held_us = a->admitted_us = 0;
    a->window++;
    make_idle(t, a);
}

struct gw_account *gw_accounts_find(struct gw_accounts *t, struct sl_span name, sl_wall_us now)
{
    struct gw_account *a = look_up(t, name);
    if (a == NULL)
        return NULL;
    gw_account_observe(t, a, now);
    if (!is_blank(a))
        return a;
    drop(t, a);
    return NULL;
}

void gw_account_open_window(struct gw_accounts *t, struct gw_account *a, sl_wall_us at)
{
    a->window_opened_at = at > 0 ? at : 1; /* 0 is for none; before 1970 no clock is right */
    if (a->is_opened)
        return;
    DL_APPEND2(t->opened, a, opened_prev, opened_next);
    a->is_opened = true;
}

/* ---- looking at all of them */

struct gw_account *gw_accounts_next(const struct gw_accounts *t, size_t *cursor)
{
    return sl_slot_next(t->table, cursor, NULL);
}

static bool is_in_its_place(const struct gw_accounts *t, const struct gw_account *a)
{
    bool may_go = a->hold_count == 0 && !a->is_blocked;
    return look_up(t, sl_span_str(a->name)) == a && !is_blank(a) &&
           a->idle_in == (may_go ? (int8_t)(class_of(a) + 1) : 0) &&
           a->is_signed_in == gw_account_name_is_signed_in(sl_span_str(a->name));
}

bool gw_accounts_are_whole(const struct gw_accounts *t)
{
    size_t cursor = 0, count = 0, anonymous = 0, busy = 0, listed = 0, opened = 0, counted;
    const struct gw_account *a;
    while ((a = gw_accounts_next(t, &cursor)) != NULL) {
        if (!is_in_its_place(t, a))
            return false;
        count++;
        anonymous += !a->is_signed_in;
        busy += a->idle_in == 0;
        opened += a->is_opened;
    }
    for (size_t class = 0; class < GW_ACCOUNT_CLASSES; class ++) {
        DL_COUNT(t->idle[class], a, counted);
        listed += counted;
    }
    DL_COUNT2(t->opened, a, counted, opened_next);
    return count == t->count && anonymous == t->anonymous_count && busy + listed == count &&
           counted == opened && count <= t->max_count && anonymous <= t->anonymous_max;
}
