#include "gw_call_state.h"

#define BIT(state) (1u << GW_CALL_##state)

/* Row: from. Bits: to. */
static const unsigned legal[GW_CALL_STATE_COUNT] = {
    [GW_CALL_NEW] = BIT(RECEIVING),
    [GW_CALL_RECEIVING] = BIT(QUEUED) | BIT(ENDED),
    [GW_CALL_QUEUED] = BIT(DISPATCHED) | BIT(ENDED),
    [GW_CALL_DISPATCHED] = BIT(RUNNING) | BIT(QUEUED) | BIT(ENDED),
    [GW_CALL_RUNNING] = BIT(ENDED),
    [GW_CALL_ENDED] = 0,
};

const char *gw_call_state_name(enum gw_call_state s)
{
    static const char *const names[] = {
#define GW_CALL_STATE_NAME(name, text) [GW_CALL_##name] = (text),
        GW_CALL_STATE_MAP(GW_CALL_STATE_NAME)
#undef GW_CALL_STATE_NAME
    };
    return s < GW_CALL_STATE_COUNT ? names[s] : "unknown";
}

bool gw_call_may_move(enum gw_call_state from, enum gw_call_state to)
{
    return from < GW_CALL_STATE_COUNT && to < GW_CALL_STATE_COUNT && (legal[from] & 1u << to) != 0;
}

sl_status gw_call_move(enum gw_call_state *state, enum gw_call_state to,
                       struct gw_call_counts *counts)
{
    if (!gw_call_may_move(*state, to))
        return SL_EBROKEN;
    if (*state != GW_CALL_NEW)
        counts->in[*state]--;
    counts->in[to]++;
    *state = to;
    return SL_OK;
}

sl_status gw_call_gone(enum gw_call_state *state, struct gw_call_counts *counts)
{
    if (*state != GW_CALL_ENDED)
        return SL_EBROKEN;
    counts->in[GW_CALL_ENDED]--;
    *state = GW_CALL_NEW;
    return SL_OK;
}
