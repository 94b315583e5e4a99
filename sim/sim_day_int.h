/* sim_day_int.h - the insides of a simulated day, which sim_day*.c share. */
#ifndef SIM_DAY_INT_H
#define SIM_DAY_INT_H

#include "gw_flow.h"
#include "gw_timers.h"
#include "sim_day.h"
#include "sl_rng.h"

struct sim;

struct sim_event {
    struct gw_timer timer;
    void (*fire)(struct sim *s, struct sim_event *e);
};

/* One request, from its arrival to the end of its reply. */
struct sim_call {
    struct gw_exchange x;
    struct sim_call *next;      /* sim.replied, or sim.unused_calls */
    struct sim_call *next_made; /* sim.calls */
    struct sim_event leaving;
    struct sim_event moving; /* until its message is there, or its reply has left */
    uint32_t group, model;
    uint64_t visitor;
    sl_mono_ns arrived_at;
    int64_t run_us, declared_us;
    bool is_measured, has_replied, is_bad, is_large;
    struct gw_eta eta; /* that it was told when it came; p50_us GW_ETA_NEVER_US: it did not wait */
    struct sim_sight sight; /* while somebody watches */
    const char *size;       /* that it asks for; "": it does not say */
    char duration[32], max_wait[32];
};

/* A group of visitors at work. */
struct sim_group {
    const struct sim_group_row *row;
    uint32_t index;
    uint64_t first_visitor; /* numbers go on from group to group */
    struct sl_rng rng;
    struct sim_event arrival;
    uint32_t *asked_ms, *got_ms; /* of each visitor */
};

/* A call at a node. Its caller may have gone. */
struct sim_job {
    struct sim_job *prev, *next; /* sim_slice.jobs, or sim.unused_jobs */
    struct sim_job *next_made;   /* sim.jobs */
    sl_slot_id lease;
    struct sim_slice *slice;
    uint32_t group, model;
    uint64_t visitor;
    sl_mono_ns arrived_at, started_at;
    int64_t run_us, limit_us;
    bool is_measured, is_started, is_cancelled, is_called_back;
    struct gw_eta eta;
    struct sim_sight sight;
    struct sim_event step; /* its start, then its end */
};

struct sim_slice {
    struct sim_node *node;
    struct sim_job *jobs; /* the first runs, or is next */
    uint32_t id;
    uint32_t last_model; /* 1 + index; 0: none */
    uint64_t parts;      /* bit i: sim_node.slices[i]; of one that is not wide: itself */
    size_t width;        /* of how many it is */
};

struct sim_node {
    const struct sim_fleet_row *row;
    struct gw_fleet_node *fleet_node; /* NULL: down */
    char name[GW_FLEET_NODE_NAME_MAX + 1];
    struct sim_slice *slices; /* those that are not wide first */
    size_t slice_count, wide_count;
    uint64_t running_parts; /* slices on which calls run */
    struct sim_event life;  /* its loss, or its return */
    struct sim_event word;  /* an operator's */
    bool is_drained;        /* by its name: also who comes back is */
    sl_slot_id stale_lease; /* of a former life, to be told once more; 0: none */
};

struct sim_loss {
    const struct sim_loss_row *row;
    struct sim_event event;
};

struct sim {
    const struct sim_scenario *scenario;
    struct sim_day_options options;
    struct sim_result *result;
    sl_mono_ns now, ends_at;
    struct gw_timers events;
    struct gw_flow *flow;
    struct gw_tiers tiers;
    struct sl_rng fate; /* of nodes */
    struct sim_group *groups;
    struct sim_event replayed; /* the next of the calls that were */
    size_t replayed_count;
    struct sim_node *nodes;
    size_t node_count;
    struct sim_loss *losses;
    uint64_t sessions;
    struct gw_body **messages; /* one for each model; calls get copies */
    struct sim_call *opening;  /* whose identity is asked for just now */
    struct sim_call *newcomer; /* that came in this step */
    struct sim_call *replied;  /* that the flow has answered in this step */
    struct sim_call *calls,
        *unused_calls; /* all that were ever made; those that can be used again */
    struct sim_job *jobs, *unused_jobs;
    uint64_t open_count, job_count; /* exchanges; calls at nodes */
    size_t slices_up, slices_running;
    int64_t told_us, receipts_us; /* slice time as nodes told it, and as receipts have it */
};

/* ---- sim_day.c */
void sim_at(struct sim *s, struct sim_event *e, sl_mono_ns at);
sl_wall_us sim_wall(const struct sim *s);
/* The first complaint ends the day. */
void sim_complain(struct sim *s, const char *fmt, ...) SL_PRINTF(2, 3);

/* ---- sim_callers.c */
SL_MUST_CHECK sl_status sim_callers_start(struct sim *s);
void sim_callers_finish(struct sim *s);
/* After the flow's turn: who came in it and waits is told for how long; who got a reply goes. */
void sim_callers_settle(struct sim *s);
struct gw_net_port sim_callers_port(struct sim *s);
struct gw_auth_port sim_callers_auth(struct sim *s);
/* The call whose message this is. */
struct sim_call *sim_callers_find(const struct gw_body *message);

/* ---- sim_message.c: requests for models with one tensor of so many values, at least one */
extern const struct gw_tensor_spec sim_input_spec, sim_output_spec;
struct gw_body *sim_message_make(const char *model, size_t values);

/* ---- sim_nodes.c */
SL_MUST_CHECK sl_status sim_nodes_start(struct sim *s);
void sim_nodes_finish(struct sim *s);
struct gw_link_port sim_nodes_port(struct sim *s);
/* Do some say "not now", so that calls wait beside idle slices for a moment? */
bool sim_nodes_may_refuse(const struct sim *s);

/* ---- sim_receipts.c */
struct gw_store_port sim_receipts_port(struct sim *s);
struct gw_results_port sim_results_port(void);

/* ---- sim_watch.c: for who watches; nothing when nobody does */
void sim_watch_came(struct sim *s, struct sim_call *c, const struct gw_principal *who);
void sim_watch_sent(struct sim *s, const struct sim_job *j);
void sim_watch_ran(struct sim *s, const struct sim_job *j);
void sim_watch_ended(struct sim *s, const struct sim_call *c);

/* ---- sim_count.c */
void sim_count_arrival(struct sim *s, const struct sim_call *c);
void sim_count_start(struct sim *s, const struct sim_job *j);
void sim_count_run(struct sim *s, const struct sim_job *j, bool is_good);
void sim_count_end(struct sim *s, const struct sim_call *c);
void sim_count_eta(struct sim *s, uint32_t group, const struct gw_eta *eta, sl_mono_ns arrived_at);
/* From now to `until` nothing changes. */
void sim_count_time(struct sim *s, sl_mono_ns until);
void sim_count_finish(struct sim *s);

/* ---- sim_check.c */
void sim_check_step(struct sim *s);
void sim_check_full(struct sim *s);
void sim_check_end(struct sim *s);

#endif
