#include "ex_spin.h"

bool ex_spin_may(struct ex_spin *s)
{
    if (s->for_ns == 0)
        return false;
    if (s->left == 0)
        return true;
    s->left--;
    return false;
}

void ex_spin_tell(struct ex_spin *s, bool has_paid)
{
    s->skip = has_paid ? 0 : s->skip * 2 + 1;
    if (s->skip > EX_SPIN_SKIP_MAX)
        s->skip = EX_SPIN_SKIP_MAX;
    s->left = s->skip;
}
