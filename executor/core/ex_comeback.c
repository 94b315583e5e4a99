/* ex_comeback.c - the pause between two starts. */
#include "ex_comeback.h"

sl_mono_ns ex_comeback_at(unsigned crashes, sl_mono_ns started_at)
{
    if (crashes < 2)
        return started_at;
    const unsigned more = crashes - 2;
    const unsigned doublings = more < EX_COMEBACK_DOUBLINGS ? more : EX_COMEBACK_DOUBLINGS;
    return sl_sat_add(started_at, (EX_COMEBACK_MS << doublings) * SL_NS_PER_MS);
}
