/* sluice_pb.h - reading protobuf's wire form field by field, in place, and writing varints. Pure.
 *
 * For messages whose large fields must not be copied; everything else goes through protobuf-c.
 * Source: https://protobuf.dev/programming-guides/encoding/
 */
#ifndef SLUICE_PB_H
#define SLUICE_PB_H

#include "sl_span.h"
#include "sl_status.h"

enum sluice_pb_wire {
    SLUICE_PB_VARINT = 0,
    SLUICE_PB_FIXED64 = 1,
    SLUICE_PB_BYTES = 2,
    SLUICE_PB_FIXED32 = 5,
};

struct sluice_pb_field {
    uint32_t number;
    enum sluice_pb_wire wire;
    uint64_t value;       /* varint, fixed32, fixed64 */
    struct sl_span bytes; /* SLUICE_PB_BYTES; points into the message */
};

/* Takes the next field off the front of *rest. Errors: SL_ENOENT (rest is empty: the end), SL_EPROTO
 * (malformed, cut off, or a group). *rest is unchanged on error. */
SL_MUST_CHECK sl_status sluice_pb_next(struct sl_span *rest, struct sluice_pb_field *out);

/* Takes a varint off the front. Errors: SL_EPROTO (cut off or longer than 10 bytes). */
SL_MUST_CHECK sl_status sluice_pb_varint(struct sl_span *rest, uint64_t *out);

/* Writes value; returns the bytes written, at most SLUICE_PB_VARINT_MAX. */
enum { SLUICE_PB_VARINT_MAX = 10 };
size_t sluice_pb_put_varint(uint64_t value, uint8_t out[SLUICE_PB_VARINT_MAX]);

#endif
