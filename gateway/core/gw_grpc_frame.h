/* gw_grpc_frame.h - the one message of a unary gRPC request, out of chunks of any size. Pure.
 *
 * On the wire: one byte "compressed" (0 or 1), four bytes of length (big-endian), the message.
 * Between the length and the message the caller may wait: it reserves room, then lends the memory,
 * and each byte of the message is copied there exactly once.
 *
 *   PREFIX --5th byte--> WAITING --gw_grpc_frame_lend--> MESSAGE --last byte--> COMPLETE
 *      `--------------------------------`-- a broken rule --> FAILED
 *
 * Errors   In *error, for the peer: UNIMPLEMENTED (not exactly one message, as gRPC's status codes
 *          have it), INTERNAL (compressed, though no header says how: doc/compression.md),
 *          TOO_LARGE (over the limit), BAD_INPUT (a flag that does not exist, a stream that ends
 *          inside the message).
 * Memory   Borrowed from gw_grpc_frame_lend on; nothing is owned.
 * Source   grpc/grpc, doc/PROTOCOL-HTTP2.md and doc/statuscodes.md.
 */
#ifndef GW_GRPC_FRAME_H
#define GW_GRPC_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sl_base.h"
#include "sl_reason.h"
#include "sl_span.h"

enum { GW_GRPC_PREFIX_BYTES = 5 };

enum gw_grpc_frame_state {
    GW_GRPC_FRAME_PREFIX,
    GW_GRPC_FRAME_WAITING,
    GW_GRPC_FRAME_MESSAGE,
    GW_GRPC_FRAME_COMPLETE,
    GW_GRPC_FRAME_FAILED,
};

struct gw_grpc_frame {
    enum gw_grpc_frame_state state;
    uint8_t prefix_len;
    uint8_t prefix[GW_GRPC_PREFIX_BYTES];
    uint32_t message_bytes; /* from WAITING on */
    uint32_t filled_bytes;
    uint8_t *memory;
    uint64_t limit_bytes;
    bool may_be_compressed; /* the caller's: a header says how; false at first */
    bool is_compressed;     /* from WAITING on */
};

void gw_grpc_frame_init(struct gw_grpc_frame *f, uint64_t limit_bytes);

/* Takes bytes from the front of *chunk and moves it past them. Stops in WAITING with the rest of
 * the chunk untouched; otherwise takes all of it, or fails. Returns the state reached; FAILED sets
 * *error. */
enum gw_grpc_frame_state gw_grpc_frame_take(struct gw_grpc_frame *f, struct sl_span *chunk,
                                            struct sl_error *error);

/* In WAITING: message_bytes of memory, which must stay until the message is complete or given up. A
 * message of no bytes is COMPLETE at once, memory may be NULL then. */
void gw_grpc_frame_lend(struct gw_grpc_frame *f, void *memory);

/* The peer has sent its last byte: is there exactly one whole message? COMPLETE, or FAILED with
 * *error. */
enum gw_grpc_frame_state gw_grpc_frame_end(struct gw_grpc_frame *f, struct sl_error *error);

void gw_grpc_frame_prefix(bool is_compressed, uint32_t message_bytes,
                          uint8_t out[GW_GRPC_PREFIX_BYTES]);

#endif
