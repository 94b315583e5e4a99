/* sim_world.h - a whole day of traffic in a few seconds: the gateway's real core and flow between invented
 * visitors and invented nodes, on a virtual clock.
 *
 * Everything that happens is an event with an instant; the world takes the earliest, tells the flow, and lets
 * the flow have its turn. The same seed gives the same day, so that a failure can be played again.
 *
 * Checked after every event: the flow's invariants (sim_check.c). Checked at the end: each exchange got
 * exactly one reply, each call ended exactly once, nothing is left.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "gw_flow.h"
#include "gw_timers.h"
#include "sl_rng.h"

/* The last of a node's slices is wide: both others. The last node does not have it. */
enum { SIM_NODES = 3, SIM_SLICES = 3, SIM_MODELS = 3, SIM_JOBS_MAX = 256 };
enum { SIM_WIDE = SIM_SLICES - 1 };

struct sim_plan {
    uint64_t seed;
    uint64_t calls;      /* how many arrive */
    int64_t mean_gap_us; /* between arrivals */
    int64_t mean_exec_us;
    unsigned gone_percent;  /* callers that leave early */
    unsigned large_percent; /* messages that must wait for room */
    unsigned xlarge_percent;
    unsigned bad_percent; /* requests that are refused when they are read */
    unsigned deadline_percent;
    int64_t node_life_us;    /* mean time between two losses of a node; 0: never */
    unsigned return_percent; /* dispatches that a node gives back */
};

struct sim;

enum sim_event_kind {
    SIM_ARRIVE,  /* the next call */
    SIM_MESSAGE, /* an exchange's body is complete */
    SIM_GONE,    /* its caller leaves */
    SIM_SENT,    /* its reply has left */
    SIM_START,   /* a node starts the head of a slice */
    SIM_FINISH,  /* a node finishes it */
    SIM_LOSE,    /* a node dies */
    SIM_JOIN,    /* a node comes back */
};

struct sim_event {
    struct gw_timer timer;
    enum sim_event_kind kind;
    struct sim_exchange *exchange;
    struct sim_node *node;
    uint32_t slice;
    uint64_t epoch; /* of the node; an event of an earlier life is dropped */
};

struct sim_exchange {
    struct gw_exchange x;
    struct sim_exchange *prev, *next; /* sim.open */
    struct sim_event message, gone, sent;
    bool is_large, is_bad, has_replied, has_ended;
    uint64_t number;
};

struct sim_job {
    sl_slot_id lease;
    bool is_started, is_cancelled, is_called_back;
    sl_mono_ns started_at;
};

struct sim_slice {
    struct sim_job jobs[SIM_JOBS_MAX]; /* [0] runs or is next */
    size_t job_count;
    struct sim_event step; /* START or FINISH of jobs[0] */
};

struct sim_node {
    struct gw_fleet_node *fleet_node; /* NULL: down */
    char name[16];
    uint64_t epoch;
    struct sim_slice slices[SIM_SLICES];
    struct sim_event life;
    sl_slot_id stale_lease; /* of a former life, to be told once more */
};

struct sim_totals {
    uint64_t arrived, replied, granted, started, started_wide, finished, returned, lost_nodes,
        stale, max_queued;
    uint64_t digest; /* of all outcomes in their order: two runs of a seed must agree */
};

struct sim {
    struct sim_plan plan;
    struct sl_rng rng;
    sl_mono_ns now;
    struct gw_timers events;
    struct gw_flow *flow;
    struct sim_event arrival;
    struct sim_exchange *open;
    struct sim_node nodes[SIM_NODES];
    uint64_t sessions, checks;
    struct sim_totals totals;
};

/* Runs the whole plan. Returns NULL, or what is wrong (static, or in a static buffer). */
const char *sim_run(const struct sim_plan *plan, struct sim_totals *out_totals);

/* ---- the parts */
bool sim_chance(struct sim *s, unsigned percent);
int64_t sim_exponential_us(struct sim *s, int64_t mean_us); /* at least 1 */
void sim_at(struct sim *s, struct sim_event *e, int64_t in_us);

/* sim_visitors.c */
void sim_visitors_start(struct sim *s);
void sim_visitors_on(struct sim *s, struct sim_event *e);
struct gw_net_port sim_visitors_port(struct sim *s);

/* sim_nodes.c */
void sim_nodes_start(struct sim *s);
void sim_nodes_on(struct sim *s, struct sim_event *e);
struct gw_link_port sim_nodes_port(struct sim *s);

/* sim_check.c */
const char *sim_check_step(struct sim *s);
const char *sim_check_end(struct sim *s);
void sim_complain(const char *fmt, ...) SL_PRINTF(1, 2); /* the first complaint is kept */
const char *sim_complaint(void);

#endif
