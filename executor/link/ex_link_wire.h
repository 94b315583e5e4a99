/* ex_link_wire.h - messages of sluice.node.v1 to plain data and back: the executor's only user of the
 * generated code.
 *
 * Writing  A NodeBatch grows in a buffer piece by piece: protocol buffers allow a message to be the
 *          concatenation of its parts, so each put appends a NodeBatch with one thing in it.
 * Errors   Writers: SL_ETOOBIG (the buffer's maximum), SL_ENOMEM; the buffer is unchanged. Readers:
 *          SL_EPROTO (no message), SL_ENOMEM (also: more than the arena's maximum holds).
 * Memory   What is read lies in the arena; the message's bytes are not needed afterwards.
 * Threads  None of its own.
 */
#ifndef EX_LINK_WIRE_H
#define EX_LINK_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ex_call.h"
#include "ex_catalog.h"
#include "ex_journal.h"
#include "ex_slice.h"
#include "sl_arena.h"
#include "sl_buf.h"

enum { EX_LINK_MESSAGE_MAX = 1 << 20, EX_BULK_HEADER_MAX = 96, EX_LINK_TOKEN_MAX = 32 };
/* The versions of the protocol that this executor speaks. */
enum { EX_LINK_PROTOCOL_MIN = 1, EX_LINK_PROTOCOL_MAX = 3 };

/* ---- down */

struct ex_welcome {
    uint32_t protocol;
    uint64_t bulk_window_bytes;
    uint64_t inline_max_bytes;
    uint64_t heartbeat_every_ms;
    uint64_t lost_after_ms;
    struct {
        uint8_t bytes[EX_LINK_TOKEN_MAX];
        size_t len;
    } token;                 /* to be shown on the bulk connection */
    const char *shared_path; /* "": no shared memory */
    uint64_t run;            /* of the gateway */
};

struct ex_gateway_batch {
    uint64_t session;
    bool has_welcome;
    struct ex_welcome welcome;
    const char *refusal; /* NULL: none */
    bool greet_again;    /* refused is the session, not the node */
    struct ex_call *calls;
    size_t call_count;
    const uint64_t *cancels; /* leases */
    size_t cancel_count;
    uint64_t bulk_taken_bytes;
    const struct sl_shm_ref *shared_done; /* number and generation */
    size_t shared_done_count;
    const uint64_t *acknowledged; /* records */
    size_t acknowledged_count;
    const uint64_t *called_back; /* leases */
    size_t called_back_count;
};

struct ex_bulk_header {
    uint64_t session;
    uint64_t lease;
    uint64_t offset_bytes;
    uint64_t total_bytes;
    struct sl_span token; /* of an introduction; not read */
};

SL_MUST_CHECK sl_status ex_link_read_batch(struct sl_span message, struct sl_arena *arena,
                                           struct ex_gateway_batch *out);
SL_MUST_CHECK sl_status ex_link_read_bulk(struct sl_span message, struct sl_arena *arena,
                                          struct ex_bulk_header *out);

/* ---- up */

struct ex_hello {
    const char *node;
    const char *host;
    const struct ex_slice *slices;
    size_t slice_count;
    const struct ex_catalog *catalog;
    uint64_t previous_session; /* of this process; 0: none */
    uint64_t bulk_window_bytes;
    uint64_t inline_max_bytes;
    uint32_t slice_backlog_max;
    bool wants_shared_memory;
    uint64_t journal; /* 0: none is kept */
};

SL_MUST_CHECK sl_status ex_link_put_session(struct sl_buf *out, uint64_t session);
/* arena: for the message under construction. */
SL_MUST_CHECK sl_status ex_link_put_hello(struct sl_buf *out, const struct ex_hello *hello,
                                          struct sl_arena *arena);
SL_MUST_CHECK sl_status ex_link_put_started(struct sl_buf *out, uint64_t lease);
/* Where a result's payload is: in the message, or, when that is empty, in shared memory, or, when that
 * has no number, bulk_bytes come by bulk. */
struct ex_link_payload {
    struct sl_span inside;
    struct sl_shm_ref shared;
    uint64_t bulk_bytes;
};
/* The outputs' bytes follow one another in the payload, in order. */
SL_MUST_CHECK sl_status ex_link_put_result(struct sl_buf *out, uint64_t lease,
                                           const struct ex_outcome *outcome,
                                           const struct ex_link_payload *payload);
SL_MUST_CHECK sl_status ex_link_put_shared_done(struct sl_buf *out, const struct sl_shm_ref *use);
SL_MUST_CHECK sl_status ex_link_put_returned(struct sl_buf *out, uint64_t lease,
                                             enum sl_reason reason, const char *text);
SL_MUST_CHECK sl_status ex_link_put_ended(struct sl_buf *out, const struct ex_journal_entry *e);
SL_MUST_CHECK sl_status ex_link_put_heartbeat(struct sl_buf *out, uint64_t sequence);
SL_MUST_CHECK sl_status ex_link_put_bulk_taken(struct sl_buf *out, uint64_t bytes);
SL_MUST_CHECK sl_status ex_link_put_draining(struct sl_buf *out);
/* Returns the header's length. */
size_t ex_link_write_bulk(const struct ex_bulk_header *header, uint8_t out[EX_BULK_HEADER_MAX]);

#endif
