/* gw_link_wire.h - sluice.node.v1 messages as the gateway reads and writes them; the only gateway
 * user of node.pb-c.h.
 *
 * A GatewayBatch is written piece by piece at the end of a buffer: a protobuf message is the
 * concatenation of its fields, so dispatches, cancels and heartbeats of one turn need no list of
 * their own.
 *
 * Errors   Readers answer false for what is no valid message; writers SL_ETOOBIG or SL_ENOMEM with
 *          the buffer as it was.
 */
#ifndef GW_LINK_WIRE_H
#define GW_LINK_WIRE_H

#include "gw_ports.h"
#include "sl_buf.h"
#include "sl_shm_ref.h"

enum { GW_LINK_BATCH_MAX = 1 << 20, GW_LINK_CHUNK_MAX = 1 << 20, GW_LINK_TOKEN_BYTES = 16 };
/* The versions of the protocol that this gateway speaks. */
enum { GW_LINK_PROTOCOL_MIN = 1, GW_LINK_PROTOCOL_MAX = 3 };

/* A result with where its payload comes from. */
struct gw_node_result {
    struct gw_result result; /* payload and release unset */
    struct sl_span inline_payload;
    uint64_t bulk_bytes; /* 0: the payload is inline, or shared has a number */
    struct sl_shm_ref shared;
};

struct gw_node_batch {
    uint64_t session;
    bool has_hello;
    struct gw_hello hello;
    uint32_t protocol_min, protocol_max;
    uint64_t previous_session; /* of the same run of the executor; 0: none */
    uint64_t bulk_window_bytes, inline_max_bytes;
    const uint64_t *started;
    size_t started_count;
    const struct gw_node_result *results;
    size_t result_count;
    const uint64_t *returned;
    size_t returned_count;
    uint64_t bulk_taken_bytes;
    bool is_draining;
    bool wants_shared;
    const struct sl_shm_ref *shared_done; /* number and generation */
    size_t shared_done_count;
    const struct gw_ended *ended;
    size_t ended_count;
};

/* Everything lies in the arena or in the message. false with arena->has_failed: there is no room for it. */
bool gw_link_read_batch(struct sl_span message, struct sl_arena *arena, struct gw_node_batch *out);

struct gw_bulk_header {
    uint64_t session, lease, offset_bytes, total_bytes;
    struct sl_span token; /* of an introduction; in the message; not written */
};
/* The newest version that both ends speak; 0: none. */
uint32_t gw_link_negotiate(uint32_t min, uint32_t max);
bool gw_link_read_bulk(struct sl_span message, struct gw_bulk_header *out);
enum { GW_BULK_HEADER_MAX = 48 };
/* Returns the length. */
size_t gw_link_write_bulk(const struct gw_bulk_header *h, uint8_t out[GW_BULK_HEADER_MAX]);

SL_MUST_CHECK sl_status gw_link_put_session(struct sl_buf *out, uint64_t session);
/* The payload lies in shared memory (not NULL), or goes inside when it has at most inline_max bytes;
 * arena is for the time of the call. */
SL_MUST_CHECK sl_status gw_link_put_dispatch(struct sl_buf *out, const struct gw_dispatch *d,
                                             const struct sl_shm_ref *shared,
                                             uint64_t inline_max_bytes, struct sl_arena *arena);
SL_MUST_CHECK sl_status gw_link_put_shared_done(struct sl_buf *out, const struct sl_shm_ref *use);
SL_MUST_CHECK sl_status gw_link_put_cancel(struct sl_buf *out, sl_slot_id lease);
SL_MUST_CHECK sl_status gw_link_put_call_back(struct sl_buf *out, sl_slot_id lease);
/* Records, at most GW_LINK_ACKS_MAX. */
enum { GW_LINK_ACKS_MAX = 128 };
SL_MUST_CHECK sl_status gw_link_put_acknowledged(struct sl_buf *out, const uint64_t *records,
                                                 size_t count);
SL_MUST_CHECK sl_status gw_link_put_heartbeat(struct sl_buf *out, uint64_t sequence);
SL_MUST_CHECK sl_status gw_link_put_taken(struct sl_buf *out, uint64_t bulk_taken_bytes);
struct gw_welcome {
    uint32_t protocol;
    struct sl_span bulk_token;
    uint64_t bulk_window_bytes, inline_max_bytes, heartbeat_every_ms, lost_after_ms;
    const char *shared_path; /* "": no shared memory */
    uint64_t run;
};
SL_MUST_CHECK sl_status gw_link_put_welcome(struct sl_buf *out, const struct gw_welcome *w);
SL_MUST_CHECK sl_status gw_link_put_refuse(struct sl_buf *out, const char *text, bool greet_again);

#endif
