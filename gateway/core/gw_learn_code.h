/* gw_learn_code.h - learned durations to bytes and back, so that a restart does not forget them.
 * Pure.
 *
 *   version  1 byte
 *   count    a varint, at most GW_LEARN_SAMPLES
 *   samples  each a varint above 0, microseconds, the oldest first
 *
 * Bytes have exactly one form: what is read and written again gives the same bytes, and what is
 * read learns on as the original would.
 *
 * Memory   Nothing is allocated.
 */
#ifndef GW_LEARN_CODE_H
#define GW_LEARN_CODE_H

#include "gw_learn.h"
#include "gw_pb.h"
#include "sl_status.h"

enum { GW_LEARN_BYTES_MAX = 1 + 2 + GW_LEARN_SAMPLES * GW_PB_VARINT_MAX };

/* Returns how many bytes it wrote. */
size_t gw_learn_encode(const struct gw_learn *l, uint8_t out[GW_LEARN_BYTES_MAX]);

/* Errors: SL_ENEVER (of a version that this program does not know), SL_EPROTO (not such bytes);
 * *out is then as it was. */
SL_MUST_CHECK sl_status gw_learn_decode(struct sl_span bytes, struct gw_learn *out);

#endif
