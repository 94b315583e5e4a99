/* sluice_body.h - one gRPC message on its way out: a head of our own and pieces of the caller's memory.
 *
 * The parts, in order, are the whole body: 5-byte gRPC prefix, encoded fields, and tensor data where
 * they lie in the caller's memory, each behind its tag and length.
 *
 * Memory   Owns the head; the parts point into it and into borrowed memory.
 */
#ifndef SLUICE_BODY_H
#define SLUICE_BODY_H

#include "sl_buf.h"
#include "sluice/sluice.h"

enum { SLUICE_GRPC_PREFIX_BYTES = 5, SLUICE_BODY_PARTS_MAX = 1 + 2 * SLUICE_INPUTS_MAX };

struct sluice_body {
    struct sl_buf head;
    struct sl_span parts[SLUICE_BODY_PARTS_MAX];
    size_t part_count;
    size_t head_parted;   /* bytes of the head that are in parts */
    uint64_t total_bytes; /* of all parts */
};

void sluice_body_init(struct sluice_body *b);
void sluice_body_finish(struct sluice_body *b);

/* A message of borrowed bytes, at most max_bytes. Errors: SL_ETOOBIG, SL_ENOMEM. */
SL_MUST_CHECK sl_status sluice_body_of_bytes(struct sluice_body *b, struct sl_span message,
                                             uint64_t max_bytes);

/* A message encoded by fields with n pieces behind them: reserve the head's room (the prefix, the
 * fields and every piece's tag), append to b->head what is encoded, then add the pieces and seal. The
 * head does not move after reserve. Errors: SL_ENOMEM, SL_ETOOBIG (over max_bytes). */
SL_MUST_CHECK sl_status sluice_body_reserve(struct sluice_body *b, size_t head_bytes);
/* field: the number of a bytes field. Errors: SL_EFULL, SL_ETOOBIG (more than was reserved). */
SL_MUST_CHECK sl_status sluice_body_add_field(struct sluice_body *b, uint32_t field,
                                              struct sl_span data);
/* Writes the prefix. Errors: SL_ETOOBIG (over max_bytes), SL_EFULL. */
SL_MUST_CHECK sl_status sluice_body_seal(struct sluice_body *b, uint64_t max_bytes);

#endif
