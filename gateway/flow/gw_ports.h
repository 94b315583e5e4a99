/* gw_ports.h - what the flow asks of the world, as tables of functions: the visitors' side, the
 * nodes' side, the wire. The server gives the real ones; the simulator and the tests give fakes.
 *
 * All of them are called on the flow's thread and do not call back into the flow.
 */
#ifndef GW_PORTS_H
#define GW_PORTS_H

#include "gw_answer_port.h"
#include "gw_app.h"
#include "gw_credentials.h"
#include "gw_drains.h"
#include "gw_duration.h"
#include "gw_exchange.h"
#include "gw_fleet.h"
#include "gw_infer_check.h"
#include "gw_infer_reply.h"
#include "gw_principal.h"
#include "gw_results_port.h"
#include "gw_store_port.h" /* what lasts: a header of its own */
#include "gw_token_table.h"

/* ---- visitors */

struct gw_net_port {
    void *ctx;
    /* Hands GW_TO_NET_* events to the exchange's front. */
    void (*post)(void *ctx, struct gw_exchange *x, unsigned events);
    /* Open connections now, for the status page. */
    uint64_t (*connections)(void *ctx);
};

/* ---- who they are */

enum gw_identity_answer {
    GW_IDENTITY_KNOWN,
    GW_IDENTITY_REFUSED,
    GW_IDENTITY_LATER, /* keys are being fetched; ask again at gw_flow_on_identities */
};

enum { GW_VISITOR_TOKEN_MAX = 2048 }; /* with its NUL */

struct gw_auth_port {
    void *ctx;
    /* KNOWN fills *out, REFUSED *err with what the caller is told. */
    enum gw_identity_answer (*identify)(void *ctx, const struct gw_credentials *c,
                                        struct gw_principal *out, struct sl_error *err);
    /* The tokens and apps that are looked up for every caller: changed here, and loaded at the start. */
    struct gw_token_table *tokens;
    struct gw_apps *apps;
    /* The text of a new API token, and its hash and prefix in *row. Errors: SL_EIO. */
    sl_status (*make_token)(void *ctx, char out[GW_TOKEN_LEN + 1], struct gw_token_row *row);
    /* The most that a visitor of this app has whom the app alone knows. */
    uint16_t (*visitor_tier)(void *ctx, const char *app);
    /* A signed token by which the app's calls are this account's. Errors: SL_EINVAL, SL_ENOMEM. */
    sl_status (*issue_visitor_token)(void *ctx, const char *account, const char *app,
                                     const char *tier, sl_wall_us now,
                                     char out[GW_VISITOR_TOKEN_MAX], sl_wall_us *out_expires_at);
};

/* ---- nodes */

/* One call, ready to be sent. Everything is borrowed for the call of `dispatch`, but for the two
 * bodies, of which the link takes references of its own while it sends by reference. */
struct gw_dispatch {
    sl_slot_id lease;
    const struct gw_fleet_slice *slice;
    int64_t limit_us;
    const struct gw_plan *plan;
    const struct gw_peek *peek; /* parameters */
    struct gw_body *message;    /* plan->message_part of it goes out */
    struct gw_body *converted;  /* NULL when plan->converted_bytes is 0 */
    const char *call_id;
    struct sl_span traceparent;
    uint32_t cpu_hint; /* 1 + a processor of this host on which the call is best served; 0: none */
};

struct gw_link_port {
    void *ctx;
    /* Sends, or queues to be sent. Errors: SL_ENOENT (the node is not reachable any more: it is
     * lost), SL_EFULL (too much is waiting to be sent there: not now), SL_ENOMEM, SL_ETOOBIG
     * (never). */
    sl_status (*dispatch)(void *ctx, const struct gw_fleet_node *node, const struct gw_dispatch *d);
    void (*cancel)(void *ctx, const struct gw_fleet_node *node, sl_slot_id lease);
    /* Unless it has started, it comes back by gw_flow_on_returned. */
    void (*call_back)(void *ctx, const struct gw_fleet_node *node, sl_slot_id lease);
    /* The lease of that record is accounted for, for good: its node may forget it. */
    void (*acknowledge)(void *ctx, const struct gw_fleet_node *node, uint64_t record);
};

/* What a node says of a lease that is over. */
struct gw_result {
    sl_slot_id lease;
    enum sl_reason reason;
    struct sl_span text;
    bool was_started;
    int64_t held_us;
    uint64_t record; /* of the lease in the node's journal; 0: none */
    /* Of a call that ran together with others, and had a share of the run's time; see run_us of its Result. */
    int64_t run_us;
    uint32_t run_calls;
    uint32_t run_place;
    const struct gw_result_output *outputs;
    size_t output_count;
    struct gw_result_payload payload;
    /* NULL: the payload is borrowed for the call and must be copied to be kept. Else whoever takes
     * the result calls it once, on any thread, when the payload is no longer needed. */
    void (*release)(void *release_ctx);
    void *release_ctx;
};

/* How long the engine worked on it, alone or with others; what it used is its share of that. */
static inline int64_t gw_result_run_us(const struct gw_result *r)
{
    return r->run_us > 0 ? r->run_us : r->held_us;
}

/* What a node says of a lease whose result it cannot, or may not have, told. Spans are borrowed. */
struct gw_ended {
    uint64_t record;
    uint64_t gateway_run; /* that had given it; perhaps not this one */
    sl_slot_id lease;     /* as that run named it */
    uint8_t call_id[16];  /* zeros: none */
    struct sl_span model;
    uint32_t slice;
    int64_t held_us;
    enum sl_reason reason;
    sl_wall_us started_at, ended_at; /* by the node's clock */
};

/* ---- the wire: messages that are small enough to be unpacked */

struct gw_status_facts; /* gw_top_facts.h */
struct gw_top_facts;

struct gw_drained_facts {
    const char *name;
    const struct gw_fleet_node *node; /* NULL: not connected */
    const struct gw_drain_row *row;   /* NULL: not drained */
    uint32_t called_back;
    sl_mono_ns now;
};

/* Encoders write into the arena and answer a span with data == NULL when there is no memory. */
struct gw_wire_port {
    /* ModelReadyRequest, ModelMetadataRequest and ModelStatisticsRequest are the same on the wire, and
     * HealthCheckRequest has a name alone; the spans lie in the message. false: not a valid message. */
    bool (*decode_model)(struct sl_span message, struct sl_span *out_name,
                         struct sl_span *out_version);
    struct sl_span (*server_live)(struct sl_arena *arena);
    struct sl_span (*server_ready)(struct sl_arena *arena, bool ready);
    struct sl_span (*model_ready)(struct sl_arena *arena, bool ready);
    struct sl_span (*server_metadata)(struct sl_arena *arena, const char *version);
    struct sl_span (*model_metadata)(struct sl_arena *arena, const struct gw_model_spec *spec);
    /* All models of the fleet, or one. */
    struct sl_span (*statistics)(struct sl_arena *arena, struct gw_fleet *fleet,
                                 const struct gw_fleet_model *one);
    /* false: not a valid message, or it names a repository. */
    bool (*decode_index)(struct sl_span message, bool *out_only_ready);
    struct sl_span (*repository_index)(struct sl_arena *arena, struct gw_fleet *fleet,
                                       bool only_ready);
    struct sl_span (*health)(struct sl_arena *arena, bool is_serving);
    struct sl_span (*status)(struct sl_arena *arena, const struct gw_status_facts *facts);
    struct sl_span (*top)(struct sl_arena *arena, const struct gw_top_facts *facts);
    struct sl_span (*nodes)(struct sl_arena *arena, struct gw_fleet *fleet,
                            const struct gw_drains *drains, sl_mono_ns now);
    /* The one of that name, connected or drained or both. */
    struct sl_span (*drained_node)(struct sl_arena *arena, const struct gw_drained_facts *facts);
    struct sl_span (*models)(struct sl_arena *arena, struct gw_fleet *fleet);
};

struct gw_ports {
    struct gw_net_port net;
    struct gw_auth_port auth;
    struct gw_link_port link;
    struct gw_wire_port wire;
    struct gw_answer_port answers;
    struct gw_store_port store; /* append NULL: nothing lasts */
    struct gw_results_port results;
    const struct gw_duration_port *durations; /* NULL: expressions are refused */
};

#endif
