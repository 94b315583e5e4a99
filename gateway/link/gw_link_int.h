/* gw_link_int.h - the insides that gw_link.c (sockets, reading), gw_link_join.c (who becomes a node),
 * gw_link_zap.c (who may connect), gw_link_send.c (writing), gw_link_gather.c (results by bulk)
 * and gw_link_memory.c (shared memory) share. */
#ifndef GW_LINK_INT_H
#define GW_LINK_INT_H

#include <zmq.h>

#include "gw_link.h"
#include "gw_link_wire.h"
#include "gw_shared.h"
#include "sl_patience.h"

/* The table has its memory from the link's allocator (every function that changes it has the link as l), and one
 * that cannot grow must be an error, not the end of the process. */
#define HASH_NONFATAL_OOM           1
#define uthash_nonfatal_oom(peer)   ((peer)->is_listed = false)
#define uthash_malloc(bytes)        sl_alloc_get(l->alloc, bytes)
#define uthash_free(pointer, bytes) sl_alloc_free(l->alloc, pointer)
#include <uthash.h>

enum { IDENTITY_MAX = 255, ARENA_MAX = 8 << 20, GW_LINK_ENDPOINT_MAX = 256 };

struct gw_identity {
    uint8_t bytes[IDENTITY_MAX];
    size_t len; /* 0: not known yet */
};

/* A request payload on its way out by bulk; holds references of the bodies. */
struct gw_outgoing {
    struct gw_outgoing *prev, *next; /* gw_peer.outgoing */
    sl_slot_id lease;
    struct {
        struct gw_body *body;
        struct sl_span bytes;
    } parts[2];
    size_t part_count;
    uint64_t sent_bytes, total_bytes;
};

/* A result payload that arrives by bulk, with the Result message when it came first. */
struct gw_gathering {
    struct gw_gathering *prev, *next; /* gw_peer.gatherings */
    sl_slot_id lease;
    uint64_t total_bytes, got_bytes;
    zmq_msg_t *chunks;
    struct sl_span *pieces;
    size_t chunk_count, chunk_room;
    enum sl_reason refused; /* not OK: its bytes are dropped as they come, and the call ends so */
    bool has_result;
    struct gw_result result; /* its lists lie in the arena */
    struct sl_arena arena;
};

struct gw_peer {
    const struct sl_alloc *alloc; /* the link's */
    UT_hash_handle hh;            /* gw_link.peers */
    bool is_listed;
    uint64_t session;
    struct gw_fleet_node
        *node;          /* NULL: the flow has given it up, to be dropped at the next flush */
    const char *broken; /* why it will be lost at the next flush; NULL: it will not */
    bool is_gone;       /* nothing can be sent to it: what it had sent is read before it is lost */
    struct gw_identity control, bulk;
    struct sl_key key; /* with CURVE */
    uint8_t token[GW_LINK_TOKEN_BYTES];
    uint32_t protocol;
    uint64_t window_bytes, inline_max_bytes;
    uint64_t bulk_sent_bytes, bulk_acked_bytes; /* down */
    uint64_t bulk_taken_bytes, bulk_told_bytes; /* up */
    uint64_t unsent_bytes;                      /* in outgoing */
    uint64_t acks[GW_LINK_ACKS_MAX]; /* records that are accounted for and not said to be yet */
    size_t ack_count;
    struct sl_buf batch; /* GatewayBatch under construction; empty: nothing to say */
    struct gw_outgoing *outgoing;
    struct gw_gathering *gatherings;
    bool wants_shared;
    struct gw_shared *shared; /* NULL: not connected (yet) */
    int64_t heard_ns;         /* gw_link.patience.waited_ns when it was last heard */
    sl_mono_ns heartbeat_at;
    uint64_t heartbeats;
};

struct gw_link {
    const struct sl_alloc *alloc;
    struct gw_link_conf conf;
    struct gw_link_metrics metrics;
    struct gw_flow *flow;
    uint64_t run; /* random, of this process */
    void *zmq;
    void *control_socket, *bulk_socket, *zap_socket;
    /* Signalled or used since it last said that it has nothing; asking one costs two system
     * calls. */
    bool control_is_stirred, bulk_is_stirred, zap_is_stirred;
    bool has_curve, bulk_has_curve;
    struct gw_link_allowed *allowed;
    size_t allowed_count;
    struct {
        sl_mono_ns next_at; /* when the next one may be logged */
        uint64_t unsaid;
    } refusals;
    char control_endpoint[GW_LINK_ENDPOINT_MAX], bulk_endpoint[GW_LINK_ENDPOINT_MAX];
    struct gw_shared_gate gate;
    struct gw_peer *peers;       /* by session; at most conf.max_nodes */
    struct sl_patience patience; /* with all of them */
    struct sl_arena arena;       /* of one message */
};

/* gw_link.c */
void gw_link_count(struct gw_link *l, enum gw_refusal kind, const char *what);
void gw_link_lose(struct gw_link *l, struct gw_peer *p, const char *why, sl_mono_ns now);
void gw_link_forget(struct gw_link *l, struct gw_peer *p);
bool gw_link_is_same(const struct gw_identity *a, const struct gw_identity *b);

/* gw_link_join.c */
/* The new peer; NULL: refused, and told so. */
struct gw_peer *gw_link_on_hello(struct gw_link *l, const struct gw_identity *from,
                                 const struct sl_key *key, const struct gw_node_batch *b,
                                 sl_mono_ns now);

/* gw_link_zap.c */
/* The socket that ZeroMQ asks about connections; NULL: it cannot be made. Before other sockets. */
void *gw_link_zap_open(void *zmq);
/* Answers what it asks now. */
void gw_link_zap_answer(struct gw_link *l, sl_mono_ns now);
/* The key that the connection of a message has shown; false: none. */
bool gw_link_key_of(zmq_msg_t *m, struct sl_key *out);
/* The entry of the key, or NULL. */
const struct gw_link_allowed *gw_link_find_allowed(const struct gw_link *l,
                                                   const struct sl_key *key);

/* gw_link_send.c */
sl_status gw_link_dispatch(void *ctx, const struct gw_fleet_node *node,
                           const struct gw_dispatch *d);
void gw_link_cancel(void *ctx, const struct gw_fleet_node *node, sl_slot_id lease);
void gw_link_call_back(void *ctx, const struct gw_fleet_node *node, sl_slot_id lease);
void gw_link_acknowledge(void *ctx, const struct gw_fleet_node *node, uint64_t record);
void gw_link_send_welcome(struct gw_link *l, struct gw_peer *p);
void gw_link_send_refuse(struct gw_link *l, const struct gw_identity *to, uint64_t session,
                         const char *text);
/* To a node that was lost and does not know it. */
void gw_link_send_unknown(struct gw_link *l, const struct gw_identity *to, uint64_t session);
/* Can the node still be sent to? Says a heartbeat. */
bool gw_link_is_connected(struct gw_link *l, struct gw_peer *p);
/* false: the node cannot be reached any more. */
bool gw_link_flush_peer(struct gw_link *l, struct gw_peer *p);
void gw_link_drop_outgoing(struct gw_peer *p, sl_slot_id lease); /* 0: all */
struct gw_peer *gw_link_peer_of(struct gw_link *l, uint64_t session);

/* gw_link_gather.c */
/* Takes a chunk (the message is moved). false: the node broke the protocol. */
bool gw_link_on_chunk(struct gw_link *l, struct gw_peer *p, const struct gw_bulk_header *h,
                      zmq_msg_t *chunk, sl_mono_ns now);
bool gw_link_on_result(struct gw_link *l, struct gw_peer *p, const struct gw_node_result *r,
                       sl_mono_ns now);
void gw_link_drop_gatherings(struct gw_peer *p, sl_slot_id lease); /* 0: all */
/* The lease, if it is open and of this node; what speaks of any other is late, not wrong. */
const struct gw_fleet_lease *gw_link_open_lease(struct gw_link *l, const struct gw_peer *p,
                                                sl_slot_id lease);
/* Ends the call without its payload, of so many bytes. */
void gw_link_refuse_payload(struct gw_link *l, struct gw_peer *p, const struct gw_result *r,
                            uint64_t bytes, enum sl_reason why, sl_mono_ns now);

/* gw_link_memory.c */
/* A result whose payload lies in the node's memory. false: the node broke the protocol. */
bool gw_link_on_shared_result(struct gw_link *l, struct gw_peer *p, const struct gw_node_result *r,
                              sl_mono_ns now);
/* Seats nodes that have come for shared memory. */
void gw_link_seat(struct gw_link *l);
/* The node's part of the shared memory, if it has come; NULL: by bulk. */
struct gw_shared *gw_link_shared_of(struct gw_link *l, struct gw_peer *p);
void gw_link_count_bad_segment(struct gw_link *l, const char *what);

#endif
