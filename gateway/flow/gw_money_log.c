/* gw_money_log.c - a call's money in one line of the log: who had what for how long, what it cost and what is left. Its
 * receipt says the same, by the call's id. */
#include "gw_call.h"
#include "sl_log.h"

static sl_gpu_us left_us(struct gw_flow *f, const struct gw_call *c)
{
    struct gw_quota q;
    gw_ledger_quota(f->ledger, &c->who, f->conf.tiers, f->wall_now, &q);
    return q.left_us;
}

void gw_money_log(struct gw_flow *f, const struct gw_call *c)
{
    const struct gw_tiers *tiers = f->conf.tiers;
    const char *organisation = c->who.organisation;
    int64_t exec_us = c->usage.was_started ? c->usage.used_us : 0;
    if (!f->conf.logs_calls || !sl_log_is_on(SL_LOG_INFO))
        return;
    sl_log(SL_LOG_INFO, "call ended", SL_S("call", c->call_id),
           SL_S("visitor", gw_principal_name(&c->who)),
           SL_S("tier", tiers->tiers[c->who.tier].name),
           SL_S("organisation", organisation[0] != '\0' ? organisation : NULL),
           SL_S("app", c->who.app[0] != '\0' ? c->who.app : NULL),
           SL_S("model", c->model->spec.name), SL_S("size", gw_money_size(f, c)->name),
           SL_I("declared_us", c->limit_us), SL_I("held_us", c->settled.held_us),
           SL_I("used_us", exec_us), SL_I("charged_us", c->settled.charged_us),
           SL_I("left_us", left_us(f, c)), SL_I("queue_us", gw_call_queue_us(c)),
           SL_I("exec_us", exec_us), SL_S("cause", sl_reason_name(c->usage.reason)),
           SL_S("node", c->node[0] != '\0' ? c->node : NULL), SL_U("journal", c->lease_journal),
           SL_U("record", c->lease_record));
}
