/* gw_link.h - the gateway's end of the connections to executors: two ZeroMQ ROUTER sockets, and who
 * is let in.
 *
 * The link turns node messages into gw_flow_on_* calls and is the flow's link port. It holds no
 * loop: its owner polls the descriptors and calls gw_link_read when one is readable,
 * gw_link_tick in time, and gw_link_flush at the end of each turn. A ZeroMQ descriptor only signals
 * edges, so after a flush the owner asks gw_link_has_mail before it sleeps.
 *
 * On a call's way:  gw_call_dispatch -> [dispatch ... flush] -> executor -> [read] ->
 *                   gw_flow_on_result
 *
 * Bulk     Payloads above the node's inline_max go by the bulk socket in chunks of at most 1 MiB,
 *          by reference, never more than the node's window ahead of what it has acknowledged.
 *          Results that come by bulk are kept as the ZeroMQ messages they came in, and go out to
 *          the visitor from there.
 * Trust    With a secret key the sockets are CURVE servers: a connection is let in when its key is in
 *          the list of gw_link_set_allowed, which also says the one name that this key may have, and
 *          every message is held against its connection's key. The bulk connection is bound to the
 *          control connection by a token, so that it may go without CURVE where the operator says so.
 * Names    One node for each. A second one is refused while the first one is there; the next run of
 *          the same executor takes its place at once.
 * Shared   With an ipc:// endpoint large payloads lie in memory that both ends map (gw_shared.h);
 *          what has no room there goes by bulk.
 * Limits   gw_link_conf; a node's control batch and a chunk have at most 1 MiB.
 * Faults   A message that is garbled, oversized, forged, replayed or stale is dropped and counted by
 *          kind (gw_refusal.h); a node that breaks the order of a payload is lost.
 * Silence  Counted while it could be heard (sl_patience.h): a gateway that stood still itself loses nobody by that.
 * Threads  One: the flow thread. ZeroMQ has two I/O threads of its own, one for each kind of socket.
 */
#ifndef GW_LINK_H
#define GW_LINK_H

#include "gw_flow.h"
#include "sl_key.h"

struct gw_link_conf {
    const char *control; /* endpoint: ipc://PATH or tcp://HOST:PORT; port * is any */
    const char *bulk;
    const struct sl_key *secret; /* of the gateway; read at create only; NULL: no CURVE */
    bool bulk_is_plain;          /* although control is not */
    size_t max_nodes;
    int64_t heartbeat_every_ns;
    int64_t lost_after_ns;
    uint64_t bulk_window_bytes; /* how far a node may send ahead */
    uint64_t inline_max_bytes;
    uint64_t max_result_bytes;
    uint64_t max_unsent_bytes;  /* of one node, beyond which it takes no more calls for now */
    struct sl_shm_pool *bodies; /* shown to nodes of this host; borrowed; NULL: no shared memory */
};

struct gw_link_metrics {
    struct sl_metric *refused[GW_REFUSAL_COUNT];
    struct sl_metric *refused_nodes[GW_NODE_REFUSAL_COUNT];
    struct sl_metric *sent_bulk_bytes;
    struct sl_metric *received_bulk_bytes;
    struct sl_metric *sent_shared_bytes;
    struct sl_metric *received_shared_bytes;
    struct sl_metric *bad_segments; /* what nodes of this host showed or named against the rules */
};

struct gw_link;

/* Binds. conf is copied, its strings and alloc (which results use on any thread) are borrowed. Errors:
 * SL_EIO (an endpoint cannot be bound, or this ZeroMQ has no CURVE), SL_ENOMEM; with a sentence. */
SL_MUST_CHECK sl_status gw_link_create(const struct sl_alloc *alloc,
                                       const struct gw_link_conf *conf,
                                       const struct gw_link_metrics *metrics, struct gw_link **out,
                                       struct sl_error *err);
/* Results that visitors still read stay valid. NULL is fine. */
void gw_link_destroy(struct gw_link *l);

/* The flow's port, and the flow that hears of nodes; both before the first read. */
struct gw_link_port gw_link_port(struct gw_link *l);
void gw_link_attach(struct gw_link *l, struct gw_flow *flow);

/* A node that may connect. */
struct gw_link_allowed {
    char node[GW_FLEET_NODE_NAME_MAX + 1];
    struct sl_key key;
};
/* From now on these and no others; copied. Those that are connected and not among them are lost.
 * Errors: SL_ENOMEM, and all is as it was. */
SL_MUST_CHECK sl_status gw_link_set_allowed(struct gw_link *l, const struct gw_link_allowed *nodes,
                                            size_t count, sl_mono_ns now);

enum { GW_LINK_FDS = 3 };
void gw_link_fds(const struct gw_link *l, int out[GW_LINK_FDS]);
/* The endpoints as bound, with the real port. Borrowed. */
const char *gw_link_control_endpoint(const struct gw_link *l);
const char *gw_link_bulk_endpoint(const struct gw_link *l);

/* Takes in what has come, up to a bound for fairness; true: there is more. */
bool gw_link_read(struct gw_link *l, sl_mono_ns now);
bool gw_link_has_mail(struct gw_link *l);
/* Descriptor i of gw_link_fds became readable. */
void gw_link_stir(struct gw_link *l, size_t i);
void gw_link_flush(struct gw_link *l, sl_mono_ns now);
/* Heartbeats, and nodes that have been silent too long. */
void gw_link_tick(struct gw_link *l, sl_mono_ns now);
sl_mono_ns gw_link_next_at(const struct gw_link *l);

#endif
