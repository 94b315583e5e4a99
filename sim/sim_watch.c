/* sim_watch.c - tells who watches what happens. */
#include "gw_ledger.h"
#include "sim_day_int.h"

static const struct sim_watch nobody;

static const struct sim_watch *watch_of(const struct sim *s)
{
    return s->options.watch != NULL ? s->options.watch : &nobody;
}

void sim_watch_came(struct sim *s, struct sim_call *c, const struct gw_principal *who)
{
    struct gw_quota q;
    if (s->options.watch == NULL)
        return;
    gw_ledger_quota(gw_flow_ledger(s->flow), who, &s->tiers, sim_wall(s), &q);
    c->sight = (struct sim_sight){.number = s->result->calls,
                                  .group = c->group,
                                  .model = c->model,
                                  .tier = who->tier,
                                  .visitor = c->visitor,
                                  .arrived_at = c->arrived_at,
                                  .declared_us = c->declared_us,
                                  .used_us = q.spent_us + q.held_us,
                                  .limit_us = q.limit_us + q.granted_us};
    if (watch_of(s)->came != NULL)
        watch_of(s)->came(watch_of(s)->ctx, &c->sight);
}

void sim_watch_sent(struct sim *s, const struct sim_job *j)
{
    if (watch_of(s)->sent != NULL)
        watch_of(s)->sent(watch_of(s)->ctx, &j->sight, s->now);
}

void sim_watch_ran(struct sim *s, const struct sim_job *j)
{
    if (j->is_started && watch_of(s)->ran != NULL)
        watch_of(s)->ran(watch_of(s)->ctx, &j->sight, j->started_at, s->now, j->slice->width);
}

void sim_watch_ended(struct sim *s, const struct sim_call *c)
{
    if (watch_of(s)->ended != NULL)
        watch_of(s)->ended(watch_of(s)->ctx, &c->sight, c->x.reply.error.reason, s->now);
}
