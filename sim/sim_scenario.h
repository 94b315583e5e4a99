/* sim_scenario.h - a scenario: which visitors, models and nodes there are, what befalls them, and how the gateway is
 * configured. YAML, read by a table.
 *
 * Keys of the gateway's configuration that decide about order, money and limits stand at the top of a scenario as
 * they stand in the gateway's file, and have its defaults (sim_scenario_gateway_keys). What a key says is in the
 * table's own sentences: `sluice sim --keys`.
 *
 * Memory   Texts and rows belong to the scenario.
 * Errors   All of a file at once, as FILE:LINE:COLUMN: sentence.
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "gw_conf.h"
#include "sim_arrivals.h"
#include "sim_law.h"

enum { SIM_NODES_MAX = 4096, SIM_VISITORS_MAX = 2000000, SIM_MODELS_MAX = 64 };

struct sim_model_row {
    const char *name;
    const char *run;
    int64_t declared_ns, max_duration_ns, load_ns;
    struct sim_law law; /* of run */
};

struct sim_fleet_row {
    const char *name; /* of a kind of nodes; they are NAME-0, NAME-1, ... */
    int64_t nodes, devices, slices;
    bool gives_whole;
    struct sl_conf_seq models; /* of const char *; empty: all */
    int64_t life_ns, repair_ns;
    int64_t drain_ns;
    int64_t returns_percent;
};

struct sim_weight_row {
    const char *name;
    int64_t weight;
    size_t model; /* index of the model of that name */
};

struct sim_burst_row {
    int64_t at_ns, for_ns, times;
};

/* What a call says about its duration. */
enum sim_says {
    SIM_SAYS_NOTHING, /* the model's declared duration holds */
    SIM_SAYS_AUTO,
    SIM_SAYS_RUN, /* what it will take, times a factor */
    SIM_SAYS_LAW,
};

struct sim_group_row {
    const char *name;
    const char *tier;
    int64_t visitors, calls;
    struct sl_conf_seq models; /* of struct sim_weight_row */
    struct sl_conf_seq hours;  /* of int64_t: 24, or none */
    struct sl_conf_seq bursts; /* of struct sim_burst_row */
    const char *run, *declares, *size, *leaves, *deadline;
    int64_t max_wait_ns;
    int64_t bad_percent, large_percent;

    uint16_t tier_index;
    struct sim_arrivals arrivals;
    bool has_run, has_leaves, has_deadline;
    struct sim_law run_law, leaves_law, deadline_law;
    enum sim_says says;
    double says_times;
    struct sim_law says_law;
    int64_t weight_total;
};

struct sim_loss_row {
    int64_t at_ns, for_ns;
    const char *node;
};

struct sim_replay;

struct sim_scenario {
    struct gw_conf gateway;
    const char *title;
    int64_t seed, length_ns, stop_ns, reply_ns;
    int64_t measure_from_ns, measure_until_ns;
    struct sl_conf_seq models;   /* of struct sim_model_row */
    struct sl_conf_seq fleet;    /* of struct sim_fleet_row */
    struct sl_conf_seq visitors; /* of struct sim_group_row */
    struct sl_conf_seq losses;   /* of struct sim_loss_row */

    const struct sim_replay *replay; /* calls that were; NULL: they are invented */
    struct gw_tiers tiers;
    size_t node_count, slice_count;
    struct sl_conf *owners[2]; /* of the gateway's defaults, of the scenario's texts */
};

/* The keys of the gateway's configuration that a scenario may have begin so; the last is NULL. */
extern const char *const sim_scenario_gateway_keys[];

/* Reads and checks a file, with count texts laid over it (sl_conf.h), and a day that was (NULL: none). Errors: SL_EINVAL (sentences in errors),
 * SL_ENOMEM; then there is nothing to finish. */
SL_MUST_CHECK sl_status sim_scenario_load(const char *path, const struct sl_conf_over *over,
                                          size_t count, const struct sim_replay *replay,
                                          struct sim_scenario *out, struct sl_buf *errors);
/* The same of a text. */
SL_MUST_CHECK sl_status sim_scenario_parse(const char *file_name, struct sl_span text,
                                           struct sim_scenario *out, struct sl_buf *errors);
void sim_scenario_finish(struct sim_scenario *s);

/* Appends the reference of all keys as Markdown. */
SL_MUST_CHECK sl_status sim_scenario_reference(struct sl_buf *out);

static inline struct sim_model_row *sim_scenario_models(const struct sim_scenario *s)
{
    return s->models.items;
}

static inline struct sim_group_row *sim_scenario_groups(const struct sim_scenario *s)
{
    return s->visitors.items;
}

static inline struct sim_fleet_row *sim_scenario_fleet(const struct sim_scenario *s)
{
    return s->fleet.items;
}

#endif
