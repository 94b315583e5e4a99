/* ex_record.h - what stands in the rings between supervisor and worker: a job, a result. Pure.
 *
 * All numbers are little-endian; offsets are from the record's first byte, which is 64-aligned (the
 * 8-byte frame of ex_ring.h). A record is its head, then tensor bytes. head_bytes is a multiple of
 * 8 and at most EX_RECORD_HEAD_MAX.
 *
 * A job:
 *   0   u32       bytes                  (the ring's frame)
 *   4   u32       kind = 1               (the ring's frame)
 *   8   u64       seq, from 1, one more for each job
 *   16  u64       wanted: bit i = output i of the model's spec is asked for
 *   24  u32       head_bytes
 *   28  u16       input_count, <= EX_TENSORS_MAX
 *   30  u16       param_count, <= EX_PARAMS_MAX
 *   32  char[48]  call id, NUL-padded, at most 47 bytes
 *   80  inputs, then params
 *
 * A result:
 *   0   u32       bytes                  (the ring's frame)
 *   4   u32       kind = 2               (the ring's frame)
 *   8   u64       seq of its job
 *   16  u64       run_us: how long the engine ran
 *   24  u32       head_bytes
 *   28  u16       output_count, <= EX_TENSORS_MAX
 *   30  u16       text_bytes, <= EX_RECORD_TEXT_MAX
 *   32  char[32]  reason's name, NUL-padded; "" = success
 *   64  outputs, then the text, a NUL, zeros to a multiple of 8
 *
 * An input or output:
 *   0   u64       offset
 *   8   u64       bytes
 *   16  u32       segment: 0 = in this record
 *   20  u16       index in the model's spec, < EX_TENSORS_MAX
 *   22  u16       rank, <= SL_RANK_MAX
 *   24  i64[rank] dims, none negative
 *
 * A param:
 *   0   u8        kind: the number in ex_param.h
 *   1   u8        0
 *   2   u16       name_bytes, 1 to EX_RECORD_PARAM_NAME_MAX
 *   4   u32       0
 *   8   u64       BOOL: 0 or 1; INT, UINT: the number; DOUBLE: its bits; STRING: its bytes
 *   16  the name, a NUL, for STRING the text and a NUL, zeros to a multiple of 8
 *
 * A tensor's bytes lie at offset in this record (behind the head), or at offset in the segment of
 * that number (ex_worker_proto.h); offset is a multiple of 64. An empty tensor has offset 0 and
 * segment 0. The tensors of a record have different indices. A successful result has no text, a
 * failed one has no outputs. Texts have no NUL within.
 *
 * Errors   Decoding copies the head into the scratch before it looks at it; SL_EPROTO for anything
 *          that is not exactly as above. Whether tensors suit the model is ex_tensor_check's
 *          question (ex_model.h).
 * Memory   A decoded record borrows from the scratch (names, dims, texts) and from the record
 *          (tensor bytes); one scratch serves one record at a time.
 * Threads  None of its own.
 */
#ifndef EX_RECORD_H
#define EX_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ex_model.h"
#include "ex_param.h"
#include "sl_dtype.h"
#include "sl_reason.h"
#include "sl_span.h"
#include "sl_status.h"

enum {
    EX_RECORD_JOB = 1,
    EX_RECORD_RESULT = 2,
    EX_RECORD_HEAD_MAX = 64 << 10,
    EX_RECORD_TEXT_MAX = SL_ERROR_TEXT_MAX - 1,
    EX_RECORD_CALL_ID_MAX = 47,
    EX_RECORD_PARAM_NAME_MAX = 255,
    EX_RECORD_ALIGN = 64
};

/* A tensor as a record names it. */
struct ex_record_tensor {
    uint64_t offset;
    uint64_t bytes;
    uint32_t segment; /* 0: offset is in the record itself */
    uint16_t index;
    uint16_t rank;
    const int64_t *dims;
};

struct ex_job {
    uint64_t seq;
    uint64_t wanted;
    const char *call_id; /* at most EX_RECORD_CALL_ID_MAX bytes */
    const struct ex_record_tensor *inputs;
    size_t input_count;
    const struct ex_param *params;
    size_t param_count;
};

struct ex_result {
    uint64_t seq;
    uint64_t run_us;
    enum sl_reason reason; /* SL_REASON_OK: success. An unknown name reads as SL_REASON_INTERNAL */
    const char *text;      /* "" on success */
    const struct ex_record_tensor *outputs;
    size_t output_count;
};

/* Private memory for decoding; large, so allocate it once. */
struct ex_record_scratch {
    _Alignas(64) uint8_t head[EX_RECORD_HEAD_MAX];
    struct ex_record_tensor tensors[EX_TENSORS_MAX];
    struct ex_param params[EX_PARAMS_MAX];
};

/* ---- writing
 *
 * A job's way:  ex_job_head_bytes -> place the inputs (ex_record_place) -> ex_ring_reserve ->
 *               ex_job_encode -> copy tensor bytes to their offsets -> ex_ring_commit
 */

/* Bytes of the head; 0 when the job has more inputs or params than a record holds, a text that is
 * too long, or a head beyond EX_RECORD_HEAD_MAX. */
size_t ex_job_head_bytes(const struct ex_job *job);

/* Places the tensor in a record that is *end bytes long so far (at first: the head's bytes): sets
 * its offset, moves *end behind its bytes. For tensors with segment 0. Errors: SL_ETOOBIG (*end
 * would pass max_bytes; nothing changed). */
SL_MUST_CHECK sl_status ex_record_place(struct ex_record_tensor *t, uint64_t *end,
                                        uint64_t max_bytes);

/* Writes the head (without the frame) to out, which has room for ex_job_head_bytes. Errors:
 * SL_EINVAL (that is 0, or a tensor's rank or index is out of range). */
SL_MUST_CHECK sl_status ex_job_encode(const struct ex_job *job, uint8_t *out);

/* The same for results. text is cut at EX_RECORD_TEXT_MAX. */
size_t ex_result_head_bytes(const struct ex_result *result);
SL_MUST_CHECK sl_status ex_result_encode(const struct ex_result *result, uint8_t *out);

/* ---- reading. record is a whole record with its frame (ex_ring_next). Errors: SL_EPROTO. */

SL_MUST_CHECK sl_status ex_job_decode(struct sl_span record, struct ex_record_scratch *scratch,
                                      struct ex_job *out);
SL_MUST_CHECK sl_status ex_result_decode(struct sl_span record, struct ex_record_scratch *scratch,
                                         struct ex_result *out);

#endif
