#include "sl_spin.h"

bool sl_spin_may(struct sl_spin *s)
{
    if (s->for_ns == 0)
        return false;
    if (s->left == 0)
        return true;
    s->left--;
    return false;
}

void sl_spin_tell(struct sl_spin *s, bool has_paid)
{
    s->skip = has_paid ? 0 : s->skip * 2 + 1;
    if (s->skip > SL_SPIN_SKIP_MAX)
        s->skip = SL_SPIN_SKIP_MAX;
    s->left = s->skip;
}
