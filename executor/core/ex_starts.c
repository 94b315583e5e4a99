#include "ex_starts.h"

void ex_starts_init(struct ex_starts *s)
{
    s->count = 0;
    s->due_at = SL_MONO_NEVER;
}

bool ex_starts_add(struct ex_starts *s, uint64_t lease)
{
    if (s->count == EX_SLICES_MAX)
        return false;
    s->leases[s->count++] = lease;
    return true;
}

void ex_starts_drop(struct ex_starts *s, uint64_t lease)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->leases[i] == lease) {
            s->leases[i] = s->leases[--s->count];
            break;
        }
    }
    if (s->count == 0)
        s->due_at = SL_MONO_NEVER;
}

bool ex_starts_are_due(struct ex_starts *s, sl_mono_ns now, int64_t patience_ns)
{
    if (s->count == 0)
        return false;
    if (s->due_at == SL_MONO_NEVER)
        s->due_at = sl_sat_add(now, patience_ns);
    return now >= s->due_at;
}
