/* sim_scenario_table.c - the keys of a scenario: its own, and those of the gateway that it may have. */
#include "sim_scenario_int.h"

#include <string.h>

#define S   SL_NS_PER_S
#define DAY (86400 * S)

#define KEY(type_, name_, kind_, field, default_, ...)                                             \
    {                                                                                              \
        .name = (name_), .type = (kind_), .offset = offsetof(struct type_, field),                 \
        .default_text = (default_), __VA_ARGS__                                                    \
    }
#define ROWS(table, type) .items = (table), .item_bytes = sizeof(type)

static const struct sl_conf_key name_table[] = {
    {"", SL_CONF_STRING, 0, .help = "The name of a model."},
    {0},
};

static const struct sl_conf_key hour_table[] = {
    {"", SL_CONF_INT, 0, .max = 1000000, .help = "How many come in that hour, beside the others."},
    {0},
};

static const struct sl_conf_key weight_table[] = {
    {"", SL_CONF_INT, offsetof(struct sim_weight_row, weight), .min = 1, .max = 1000000,
     .help = "How many of the calls are for this model, beside the others."},
    {0},
};

/* clang-format off: one key a paragraph */
static const struct sl_conf_key model_table[] = {
    KEY(sim_model_row, "run", SL_CONF_STRING, run, NULL, .max = 64,
        .help = "How long its calls have their slice: 5s, exponential 5s, uniform 1s 9s, or "
                "lognormal 5s 0.8 (mean, and deviation of the logarithm)."),
    KEY(sim_model_row, "declared", SL_CONF_DURATION, declared_ns, "60s", .min = 1000000, .max = DAY,
        .help = "The duration of a call that does not say."),
    KEY(sim_model_row, "max_duration", SL_CONF_DURATION, max_duration_ns, "300s", .min = 1000000,
        .max = DAY, .help = "The most that a call may declare."),
    KEY(sim_model_row, "load", SL_CONF_DURATION, load_ns, "0s", .max = 3600 * S,
        .help = "How long a slice that ran another model before needs until it can run this one."),
    {0},
};

static const struct sl_conf_key fleet_table[] = {
    KEY(sim_fleet_row, "nodes", SL_CONF_INT, nodes, "1", .min = 1, .max = SIM_NODES_MAX,
        .help = "How many there are of this kind: KIND-0, KIND-1, and so on."),
    KEY(sim_fleet_row, "devices", SL_CONF_INT, devices, "1", .min = 1, .max = GW_FLEET_SLICES_MAX,
        .help = "Devices of a node."),
    KEY(sim_fleet_row, "slices", SL_CONF_INT, slices, "2", .min = 1, .max = GW_FLEET_SLICES_MAX,
        .help = "Slices of a device, each an equal part of it."),
    KEY(sim_fleet_row, "whole", SL_CONF_BOOL, gives_whole, "true",
        .help = "Whether all slices of a device can also be one, for a size that needs it."),
    KEY(sim_fleet_row, "models", SL_CONF_LIST, models, NULL, .max = SIM_MODELS_MAX,
        ROWS(name_table, const char *), .help = "Which models they offer; none named: all."),
    KEY(sim_fleet_row, "life", SL_CONF_DURATION, life_ns, "0s", .max = 365 * DAY,
        .help = "The mean time between two losses of a node, at random; 0s: never."),
    KEY(sim_fleet_row, "repair", SL_CONF_DURATION, repair_ns, "2m", .min = 1000000,
        .max = 365 * DAY, .help = "The mean time until it is back."),
    KEY(sim_fleet_row, "drain", SL_CONF_DURATION, drain_ns, "0s", .max = 365 * DAY,
        .help = "The mean time, at random, until an operator drains a node, and then until that is "
                "undone; 0s: never."),
    KEY(sim_fleet_row, "returns", SL_CONF_INT, returns_percent, "0", .max = 90,
        .help = "Of a hundred calls sent there, how many it does not take now, and of a hundred "
                "taken, how many it gives back unstarted."),
    {0},
};

static const struct sl_conf_key burst_table[] = {
    KEY(sim_burst_row, "at", SL_CONF_DURATION, at_ns, NULL, .max = 365 * DAY,
        .help = "Since the beginning."),
    KEY(sim_burst_row, "for", SL_CONF_DURATION, for_ns, NULL, .min = 1 * S, .max = 365 * DAY,
        .help = "How long it lasts."),
    KEY(sim_burst_row, "times", SL_CONF_INT, times, NULL, .max = 100000,
        .help = "How many come, beside else; 0: none."),
    {0},
};

static const struct sl_conf_key group_table[] = {
    KEY(sim_group_row, "tier", SL_CONF_STRING, tier, NULL, .max = GW_TIER_NAME_MAX,
        .help = "Their tier."),
    KEY(sim_group_row, "visitors", SL_CONF_INT, visitors, "1", .min = 1, .max = SIM_VISITORS_MAX,
        .help = "How many there are; each call is of one of them, at random."),
    KEY(sim_group_row, "calls", SL_CONF_INT, calls, NULL, .min = 0, .max = 1000000000,
        .help = "Calls of all of them together in 24 h, on average and without bursts."),
    KEY(sim_group_row, "models", SL_CONF_MAP, models, NULL, .max = SIM_MODELS_MAX,
        ROWS(weight_table, struct sim_weight_row),
        .help = "Which models they call; none named: all, equally often."),
    KEY(sim_group_row, "hours", SL_CONF_LIST, hours, NULL, .max = SIM_HOURS,
        ROWS(hour_table, int64_t),
        .help = "24 numbers: how many calls come in each hour of the day, beside the others."),
    KEY(sim_group_row, "bursts", SL_CONF_LIST, bursts, NULL, .max = SIM_BURSTS_MAX,
        ROWS(burst_table, struct sim_burst_row), .help = "When more, or none, come."),
    KEY(sim_group_row, "run", SL_CONF_STRING, run, "", .max = 64,
        .help = "How long their calls have a slice, where that is not as their model's."),
    KEY(sim_group_row, "declares", SL_CONF_STRING, declares, "", .max = 64,
        .help = "What a call says about its duration: nothing, auto, run (what it will take), run "
                "x 1.5, or a law as of run."),
    KEY(sim_group_row, "size", SL_CONF_STRING, size, "", .max = GW_TIER_NAME_MAX,
        .help = "The size that they ask for."),
    KEY(sim_group_row, "leaves", SL_CONF_STRING, leaves, "", .max = 64,
        .help = "After how long a caller gives up, waiting or running: a law as of run."),
    KEY(sim_group_row, "max_wait", SL_CONF_DURATION, max_wait_ns, "0s", .max = DAY,
        .help = "The longest wait that they ask for; 0s: they do not say."),
    KEY(sim_group_row, "deadline", SL_CONF_STRING, deadline, "", .max = 64,
        .help = "How long a caller gives a call at most, waiting and running: a law as of run."),
    KEY(sim_group_row, "bad", SL_CONF_INT, bad_percent, "0", .max = 100,
        .help = "Of a hundred calls, how many are for a model that is not there."),
    KEY(sim_group_row, "large", SL_CONF_INT, large_percent, "0", .max = 100,
        .help = "Of a hundred calls, how many have a message of half a MiB, which waits for room."),
    {0},
};

static const struct sl_conf_key loss_table[] = {
    KEY(sim_loss_row, "at", SL_CONF_DURATION, at_ns, NULL, .max = 365 * DAY,
        .help = "Since the beginning."),
    KEY(sim_loss_row, "for", SL_CONF_DURATION, for_ns, "365d", .min = 1000000, .max = 365 * DAY,
        .help = "How long it stays away."),
    KEY(sim_loss_row, "node", SL_CONF_STRING, node, NULL, .max = GW_FLEET_NODE_NAME_MAX,
        .help = "Which one: KIND-0."),
    {0},
};

const struct sl_conf_key sim_scenario_own_keys[] = {
    KEY(sim_scenario, "title", SL_CONF_STRING, title, "", .max = 200,
        .help = "What it is about, in a line."),
    KEY(sim_scenario, "seed", SL_CONF_INT, seed, "1", .max = INT64_MAX,
        .help = "Of all chance; --seed says another."),
    KEY(sim_scenario, "length", SL_CONF_DURATION, length_ns, "24h", .min = 1 * S, .max = 31 * DAY,
        .help = "How long calls come. Those that are there then are let go on to their end."),
    KEY(sim_scenario, "measure.from", SL_CONF_DURATION, measure_from_ns, "0s", .max = 31 * DAY,
        .help = "Calls that come before count in no number but the totals."),
    KEY(sim_scenario, "measure.until", SL_CONF_DURATION, measure_until_ns, "31d", .min = 1 * S,
        .max = 31 * DAY, .help = "Nor do those that come after."),
    KEY(sim_scenario, "stop", SL_CONF_DURATION, stop_ns, "100ms", .min = 1000000, .max = 60 * S,
        .help = "How long a node needs to take a slice back from a call that was cancelled."),
    KEY(sim_scenario, "reply", SL_CONF_DURATION, reply_ns, "0s", .max = 60 * S,
        .help = "How long a reply needs until it has left."),
    KEY(sim_scenario, "models", SL_CONF_MAP, models, NULL, .max = SIM_MODELS_MAX,
        ROWS(model_table, struct sim_model_row), .help = "The models by name."),
    KEY(sim_scenario, "fleet", SL_CONF_MAP, fleet, NULL, .max = 64,
        ROWS(fleet_table, struct sim_fleet_row), .help = "The nodes by kind."),
    KEY(sim_scenario, "visitors", SL_CONF_MAP, visitors, NULL, .max = 64,
        ROWS(group_table, struct sim_group_row),
        .help = "The visitors by group; those of a group are alike."),
    KEY(sim_scenario, "losses", SL_CONF_LIST, losses, NULL, .max = 1000,
        ROWS(loss_table, struct sim_loss_row), .help = "Nodes that are lost at a time."),
    {0},
};
/* clang-format on */

const char *const sim_scenario_gateway_keys[] = {"tiers",
                                                 "sizes",
                                                 "calls.",
                                                 "limits.queue",
                                                 "limits.calls",
                                                 "limits.body_total",
                                                 "limits.body_wait",
                                                 "accounts.",
                                                 "scheduler.",
                                                 "link.feed_ahead",
                                                 "apps.max_running",
                                                 NULL};

static bool is_for_scenarios(const char *name)
{
    for (const char *const *k = sim_scenario_gateway_keys; *k != NULL; k++)
        if (strncmp(name, *k, strlen(*k)) == 0)
            return true;
    return false;
}

size_t sim_scenario_table(struct sl_conf_key out[SIM_KEYS_MAX])
{
    size_t count = 0;
    for (const struct sl_conf_key *k = sim_scenario_own_keys; k->name != NULL; k++)
        out[count++] = *k;
    for (const struct sl_conf_key *k = gw_conf_table; k->name != NULL; k++) {
        if (!is_for_scenarios(k->name) || count == SIM_KEYS_MAX - 1)
            continue;
        out[count] = *k;
        out[count++].offset += offsetof(struct sim_scenario, gateway);
    }
    out[count] = (struct sl_conf_key){0};
    return count;
}
