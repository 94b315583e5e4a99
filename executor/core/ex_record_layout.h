/* ex_record_layout.h - where the fields of records stand: ex_record.h's tables as numbers. For
 * ex_record.c and ex_record_read.c alone. */
#ifndef EX_RECORD_LAYOUT_H
#define EX_RECORD_LAYOUT_H

#include "ex_record.h"

enum {
    AT_SEQ = 8,
    AT_WANTED = 16,
    AT_RUN_US = 16,
    AT_HEAD_BYTES = 24,
    AT_TENSOR_COUNT = 28,
    AT_PARAM_COUNT = 30,
    AT_TEXT_BYTES = 30,
    AT_CALL_ID = 32,
    AT_REASON = 32,

    JOB_FIXED_BYTES = 80,
    RESULT_FIXED_BYTES = 64,
    CALL_ID_BYTES = EX_RECORD_CALL_ID_MAX + 1,
    REASON_BYTES = 32,
    TENSOR_FIXED_BYTES = 24,
    PARAM_FIXED_BYTES = 16
};

static inline size_t tensor_bytes(size_t rank)
{
    return TENSOR_FIXED_BYTES + rank * sizeof(int64_t);
}

#endif
