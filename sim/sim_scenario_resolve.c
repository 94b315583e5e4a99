/* sim_scenario_resolve.c - what a scenario's rows mean together: names to indices, texts to laws. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_scenario_int.h"

#define NOT_A_LAW "is no law such as 5s, exponential 5s, uniform 1s 9s or lognormal 5s 0.8"

/* What a sentence is about: "visitors.crowd.tier". */
static const char *path_of(const char *map, const char *name, const char *key, char out[512])
{
    snprintf(out, 512, "%s.%s%s%s", map, name, key[0] != '\0' ? "." : "", key);
    return out;
}

static void complain(struct sl_conf_check *c, const char *map, const char *name, const char *key,
                     const char *value, const char *why)
{
    char path[512];
    sl_conf_complain(c, path_of(map, name, key, path), value, why);
}

static bool find_model(const struct sim_scenario *s, const char *name, size_t *out)
{
    for (*out = 0; *out < s->models.count; (*out)++)
        if (strcmp(sim_scenario_models(s)[*out].name, name) == 0)
            return true;
    return false;
}

static void resolve_models(struct sim_scenario *s, struct sl_conf_check *c)
{
    struct sim_model_row *m = sim_scenario_models(s);
    if (s->models.count == 0)
        sl_conf_complain(c, "models", "", "names no model");
    for (size_t i = 0; i < s->models.count; i++, m++) {
        if (!sim_law_read(sl_span_str(m->run), &m->law))
            complain(c, "models", m->name, "run", m->run, NOT_A_LAW);
    }
}

/* ---- nodes */

static void resolve_fleet(struct sim_scenario *s, struct sl_conf_check *c)
{
    struct sim_fleet_row *f = sim_scenario_fleet(s);
    if (s->fleet.count == 0)
        sl_conf_complain(c, "fleet", "", "names no nodes");
    for (size_t i = 0; i < s->fleet.count; i++, f++) {
        const char *const *models = f->models.items;
        size_t at;
        for (size_t m = 0; m < f->models.count; m++)
            if (!find_model(s, models[m], &at))
                complain(c, "fleet", f->name, "models", models[m], "is not in models");
        if (f->devices * f->slices > GW_FLEET_SLICES_MAX)
            complain(c, "fleet", f->name, "devices", f->name, "has more than 64 slices a node");
        s->node_count += (size_t)f->nodes;
        s->slice_count += (size_t)(f->nodes * f->devices * f->slices);
    }
    if (s->node_count > SIM_NODES_MAX)
        sl_conf_complain(c, "fleet", "", "has more than 4096 nodes");
}

static bool is_node(const struct sim_scenario *s, const char *name)
{
    char text[GW_FLEET_NODE_NAME_MAX + 32];
    for (size_t i = 0; i < s->fleet.count; i++)
        for (int64_t n = 0; n < sim_scenario_fleet(s)[i].nodes; n++) {
            snprintf(text, sizeof text, "%s-%d", sim_scenario_fleet(s)[i].name, (int)n);
            if (strcmp(text, name) == 0)
                return true;
        }
    return false;
}

static void resolve_losses(struct sim_scenario *s, struct sl_conf_check *c)
{
    const struct sim_loss_row *l = s->losses.items;
    for (size_t i = 0; i < s->losses.count; i++)
        if (!is_node(s, l[i].node))
            sl_conf_complain(c, "losses", l[i].node, "is no node of the fleet");
}

/* ---- visitors */

static void resolve_weights(const struct sim_scenario *s, struct sim_group_row *g,
                            struct sl_conf_check *c)
{
    struct sim_weight_row *w = g->models.items;
    for (size_t i = 0; i < g->models.count; i++) {
        if (!find_model(s, w[i].name, &w[i].model))
            complain(c, "visitors", g->name, "models", w[i].name, "is not in models");
        g->weight_total += w[i].weight;
    }
}

static void resolve_hours(struct sim_group_row *g, struct sl_conf_check *c)
{
    const int64_t *hours = g->hours.items;
    double total = 0;
    if (g->hours.count != 0 && g->hours.count != SIM_HOURS)
        complain(c, "visitors", g->name, "hours", "", "has not 24 numbers");
    for (size_t i = 0; i < g->hours.count; i++)
        total += (double)hours[i];
    if (g->hours.count != 0 && total <= 0)
        complain(c, "visitors", g->name, "hours", "", "has no number above 0");
    for (size_t i = 0; i < SIM_HOURS; i++)
        g->arrivals.by_hour[i] =
            i < g->hours.count && total > 0 ? SIM_HOURS * (double)hours[i] / total : 1;
}

static void resolve_arrivals(struct sim_group_row *g, struct sl_conf_check *c)
{
    const struct sim_burst_row *b = g->bursts.items;
    g->arrivals.per_us = (double)g->calls / (86400.0 * (double)SL_US_PER_S);
    resolve_hours(g, c);
    g->arrivals.burst_count = g->bursts.count;
    for (size_t i = 0; i < g->bursts.count; i++)
        g->arrivals.bursts[i] = (struct sim_burst){b[i].at_ns / SL_NS_PER_US,
                                                   b[i].for_ns / SL_NS_PER_US, (double)b[i].times};
}

/* "run", "run x 1.5" */
static bool read_run_times(const char *text, double *out)
{
    char *end;
    *out = 1;
    if (strcmp(text, "run") == 0)
        return true;
    if (strncmp(text, "run x ", 6) != 0)
        return false;
    *out = strtod(text + 6, &end);
    return *end == '\0' && *out >= 0.01 && *out <= 1000;
}

static bool read_says(struct sim_group_row *g)
{
    if (g->declares[0] == '\0')
        g->says = SIM_SAYS_NOTHING;
    else if (strcmp(g->declares, "auto") == 0)
        g->says = SIM_SAYS_AUTO;
    else if (read_run_times(g->declares, &g->says_times))
        g->says = SIM_SAYS_RUN;
    else
        g->says = SIM_SAYS_LAW;
    return g->says != SIM_SAYS_LAW || sim_law_read(sl_span_str(g->declares), &g->says_law);
}

static void resolve_laws(struct sim_group_row *g, struct sl_conf_check *c)
{
    g->has_run = g->run[0] != '\0';
    g->has_leaves = g->leaves[0] != '\0';
    if (g->has_run && !sim_law_read(sl_span_str(g->run), &g->run_law))
        complain(c, "visitors", g->name, "run", g->run, NOT_A_LAW);
    if (g->has_leaves && !sim_law_read(sl_span_str(g->leaves), &g->leaves_law))
        complain(c, "visitors", g->name, "leaves", g->leaves, NOT_A_LAW);
    g->has_deadline = g->deadline[0] != '\0';
    if (g->has_deadline && !sim_law_read(sl_span_str(g->deadline), &g->deadline_law))
        complain(c, "visitors", g->name, "deadline", g->deadline, NOT_A_LAW);
    if (!read_says(g))
        complain(c, "visitors", g->name, "declares", g->declares,
                 "is not auto, run, run x 1.5, and no law such as 60s");
}

static void resolve_tier(const struct sim_scenario *s, struct sim_group_row *g,
                         struct sl_conf_check *c)
{
    for (size_t i = 0; i < s->tiers.tier_count; i++)
        if (strcmp(s->tiers.tiers[i].name, g->tier) == 0) {
            g->tier_index = (uint16_t)i;
            return;
        }
    complain(c, "visitors", g->name, "tier", g->tier, "is not in tiers");
}

static void resolve_groups(struct sim_scenario *s, struct sl_conf_check *c)
{
    struct sim_group_row *g = sim_scenario_groups(s);
    if (s->visitors.count == 0)
        sl_conf_complain(c, "visitors", "", "names no group");
    for (size_t i = 0; i < s->visitors.count; i++, g++) {
        resolve_tier(s, g, c);
        resolve_weights(s, g, c);
        resolve_arrivals(g, c);
        resolve_laws(g, c);
    }
}

void sim_scenario_resolve(struct sim_scenario *s, struct sl_conf_check *c)
{
    gw_conf_check_rates(c, &s->gateway.rates);
    if (!c->ok)
        return;
    gw_conf_make_tiers(&s->gateway.rates, &s->tiers);
    resolve_models(s, c);
    resolve_fleet(s, c);
    resolve_losses(s, c);
    resolve_groups(s, c);
    if (s->measure_from_ns >= s->length_ns)
        sl_conf_complain(c, "measure.from", "", "is not before the end (length)");
    if (s->measure_until_ns <= s->measure_from_ns)
        sl_conf_complain(c, "measure.until", "", "is not after measure.from");
}
