/* ex_lease.c - slices as an array of four-state machines. */
#include "ex_lease.h"

struct slice {
    uint64_t parts; /* of a slice that is not wide: itself */
    enum ex_lease_state state;
    uint64_t lease;
    bool has_run;
    sl_mono_ns started_at;
    sl_mono_ns expires_at;
};

struct ex_lease_table {
    const struct sl_alloc *alloc;
    uint64_t held; /* the parts of all that is not FREE */
    size_t count;
    struct slice slices[];
};

static uint64_t bit_of(size_t slice)
{
    return slice < EX_SLICES_MAX ? UINT64_C(1) << slice : 0;
}

/* Those that are not wide come first, and wide ones are made of them. */
static bool are_parts_sound(const uint64_t *parts, size_t slice_count)
{
    uint64_t plain = 0;
    size_t i = 0;
    for (; i < slice_count && parts[i] == 0; i++)
        plain |= bit_of(i);
    if (i == 0 || i > EX_SLICES_MAX || slice_count - i > EX_WIDE_SLICES_MAX)
        return false;
    while (i < slice_count && parts[i] != 0 && (parts[i] & ~plain) == 0)
        i++;
    return i == slice_count;
}

sl_status ex_lease_create(const struct sl_alloc *alloc, const uint64_t *parts, size_t slice_count,
                          struct ex_lease_table **out)
{
    if (!are_parts_sound(parts, slice_count))
        return SL_EINVAL;
    struct ex_lease_table *t =
        sl_alloc_zero(alloc, 1, sizeof(*t) + slice_count * sizeof(t->slices[0]));
    if (!t)
        return SL_ENOMEM;
    t->alloc = alloc;
    t->count = slice_count;
    for (size_t i = 0; i < slice_count; i++) {
        t->slices[i].parts = parts[i] != 0 ? parts[i] : bit_of(i);
        t->slices[i].expires_at = SL_MONO_NEVER;
    }
    *out = t;
    return SL_OK;
}

void ex_lease_destroy(struct ex_lease_table *t)
{
    if (t)
        sl_alloc_free(t->alloc, t);
}

/* The slice that lease holds. */
static sl_status find_held(struct ex_lease_table *t, uint32_t slice, uint64_t lease,
                           struct slice **out)
{
    if (slice >= t->count)
        return SL_ENEVER;
    struct slice *s = &t->slices[slice];
    if (s->state == EX_LEASE_FREE || s->lease != lease)
        return SL_ESTALE;
    *out = s;
    return SL_OK;
}

bool ex_lease_may_grant(const struct ex_lease_table *t, uint32_t slice)
{
    return slice < t->count && (t->slices[slice].parts & t->held) == 0;
}

sl_status ex_lease_grant(struct ex_lease_table *t, uint32_t slice, uint64_t lease)
{
    if (lease == 0)
        return SL_EINVAL;
    if (slice >= t->count)
        return SL_ENEVER;
    if (!ex_lease_may_grant(t, slice))
        return SL_EAGAIN;
    struct slice *s = &t->slices[slice];
    t->held |= s->parts;
    s->state = EX_LEASE_LEASED;
    s->lease = lease;
    return SL_OK;
}

sl_status ex_lease_start(struct ex_lease_table *t, uint32_t slice, uint64_t lease, sl_gpu_us limit,
                         sl_mono_ns now)
{
    struct slice *s;
    sl_status st = find_held(t, slice, lease, &s);
    if (st != SL_OK)
        return st;
    if (s->state != EX_LEASE_LEASED || limit <= 0)
        return SL_EINVAL;
    s->state = EX_LEASE_RUNNING;
    s->has_run = true;
    s->started_at = now;
    s->expires_at = sl_sat_add(now, sl_sat_mul(limit, SL_NS_PER_US));
    return SL_OK;
}

sl_status ex_lease_stop_clock(struct ex_lease_table *t, uint32_t slice, uint64_t lease)
{
    struct slice *s;
    sl_status st = find_held(t, slice, lease, &s);
    if (st != SL_OK)
        return st;
    if (s->state != EX_LEASE_RUNNING)
        return SL_EINVAL;
    s->expires_at = SL_MONO_NEVER;
    return SL_OK;
}

sl_status ex_lease_take_back(struct ex_lease_table *t, uint32_t slice, uint64_t lease)
{
    struct slice *s;
    sl_status st = find_held(t, slice, lease, &s);
    if (st != SL_OK)
        return st;
    if (s->state == EX_LEASE_RESETTING)
        return SL_EINVAL;
    s->state = EX_LEASE_RESETTING;
    s->expires_at = SL_MONO_NEVER;
    return SL_OK;
}

sl_status ex_lease_end(struct ex_lease_table *t, uint32_t slice, uint64_t lease, sl_mono_ns now,
                       sl_gpu_us *out_held)
{
    struct slice *s;
    sl_status st = find_held(t, slice, lease, &s);
    if (st != SL_OK)
        return st;
    *out_held = s->has_run && now > s->started_at ? (now - s->started_at) / SL_NS_PER_US : 0;
    t->held &= ~s->parts;
    *s = (struct slice){.parts = s->parts, .state = EX_LEASE_FREE, .expires_at = SL_MONO_NEVER};
    return SL_OK;
}

struct ex_lease_view ex_lease_look(const struct ex_lease_table *t, uint32_t slice)
{
    if (slice >= t->count)
        return (struct ex_lease_view){.state = EX_LEASE_FREE, .expires_at = SL_MONO_NEVER};
    const struct slice *s = &t->slices[slice];
    return (struct ex_lease_view){s->state, s->lease, s->started_at, s->expires_at};
}

sl_mono_ns ex_lease_next_expiry(const struct ex_lease_table *t)
{
    sl_mono_ns next = SL_MONO_NEVER;
    for (size_t i = 0; i < t->count; i++) {
        if (t->slices[i].expires_at < next)
            next = t->slices[i].expires_at;
    }
    return next;
}

bool ex_lease_is_expired(const struct ex_lease_table *t, uint32_t slice, sl_mono_ns now)
{
    return slice < t->count && t->slices[slice].expires_at <= now;
}

size_t ex_lease_count(const struct ex_lease_table *t, enum ex_lease_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < t->count; i++)
        count += t->slices[i].state == state;
    return count;
}
