/* ex_job_state.c - the table of a job's legal moves. */
#include "ex_job_state.h"

#include "sl_base.h"

static const bool may_move[EX_JOB_STATE_COUNT][EX_JOB_STATE_COUNT] = {
    [EX_JOB_NEW] = {[EX_JOB_RECEIVING] = true, [EX_JOB_WAITING] = true},
    [EX_JOB_RECEIVING] = {[EX_JOB_WAITING] = true, [EX_JOB_ENDED] = true},
    [EX_JOB_WAITING] = {[EX_JOB_POSTED] = true, [EX_JOB_ENDED] = true},
    [EX_JOB_POSTED] = {[EX_JOB_RUNNING] = true, [EX_JOB_WAITING] = true, [EX_JOB_ENDED] = true},
    [EX_JOB_RUNNING] = {[EX_JOB_STOPPING] = true, [EX_JOB_WAITING] = true, [EX_JOB_ENDED] = true},
    [EX_JOB_STOPPING] = {[EX_JOB_WAITING] = true, [EX_JOB_ENDED] = true},
};

const char *ex_job_state_name(enum ex_job_state s)
{
#define EX_JOB_STATE_TEXT(name) #name,
    static const char *const names[] = {EX_JOB_STATE_MAP(EX_JOB_STATE_TEXT)};
#undef EX_JOB_STATE_TEXT
    return (size_t)s < SL_ARRAY_LEN(names) ? names[s] : "?";
}

bool ex_job_may_move(enum ex_job_state from, enum ex_job_state to)
{
    return from < EX_JOB_STATE_COUNT && to < EX_JOB_STATE_COUNT && may_move[from][to];
}

sl_status ex_job_move(struct ex_job_counts *counts, enum ex_job_state *state, enum ex_job_state to)
{
    if (!ex_job_may_move(*state, to))
        return SL_EINVAL;
    if (*state != EX_JOB_NEW)
        counts->in[*state]--;
    counts->in[to]++;
    *state = to;
    return SL_OK;
}

uint64_t ex_job_open_count(const struct ex_job_counts *counts)
{
    uint64_t open = 0;
    for (int s = EX_JOB_NEW; s < EX_JOB_ENDED; s++)
        open += counts->in[s];
    return open;
}
