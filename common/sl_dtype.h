/* sl_dtype.h - tensor datatypes of the Open Inference Protocol, exact arithmetic on shapes. Pure.
 *
 * A shape is an array of dimensions, outermost first; a rank-0 shape has one element. A BYTES
 * tensor in raw form is, for each element, a 4-byte little-endian length and that many bytes.
 */
#ifndef SL_DTYPE_H
#define SL_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sl_span.h"
#include "sl_status.h"

enum { SL_RANK_MAX = 16 };

/* X(NAME, bytes of an element; 0: variable) */
#define SL_DTYPE_MAP(X)                                                                            \
    X(BOOL, 1)                                                                                     \
    X(UINT8, 1)                                                                                    \
    X(UINT16, 2)                                                                                   \
    X(UINT32, 4)                                                                                   \
    X(UINT64, 8)                                                                                   \
    X(INT8, 1)                                                                                     \
    X(INT16, 2)                                                                                    \
    X(INT32, 4)                                                                                    \
    X(INT64, 8)                                                                                    \
    X(FP16, 2)                                                                                     \
    X(FP32, 4)                                                                                     \
    X(FP64, 8)                                                                                     \
    X(BF16, 2)                                                                                     \
    X(BYTES, 0)

enum sl_dtype {
    SL_DTYPE_INVALID,
#define SL_DTYPE_ENUM(name, bytes) SL_DTYPE_##name,
    SL_DTYPE_MAP(SL_DTYPE_ENUM)
#undef SL_DTYPE_ENUM
        SL_DTYPE_COUNT
};

enum sl_dtype sl_dtype_from_name(struct sl_span name); /* SL_DTYPE_INVALID when unknown */
const char *sl_dtype_name(enum sl_dtype t);            /* "INVALID" outside the table; static */
size_t sl_dtype_bytes(enum sl_dtype t);                /* 0 for BYTES and INVALID */

/* Product of the dimensions. Errors: SL_EINVAL (one is negative), SL_ERANGE (over INT64_MAX). */
SL_MUST_CHECK sl_status sl_shape_elements(const int64_t *dims, size_t rank, int64_t *out_count);
/* Elements times element size, at most INT64_MAX. Errors: as above; SL_EINVAL also for BYTES and
 * INVALID. */
SL_MUST_CHECK sl_status sl_shape_bytes(enum sl_dtype t, const int64_t *dims, size_t rank,
                                       uint64_t *out_bytes);
/* Does dims satisfy pattern, where -1 is a free dimension? */
bool sl_shape_fits(const int64_t *pattern, size_t pattern_rank, const int64_t *dims, size_t rank);
/* "[2,-1,4]"; cut with "...]" when out is too small. Returns out. */
char *sl_shape_format(const int64_t *dims, size_t rank, char *out, size_t out_bytes);
/* Is raw exactly count length-prefixed elements? Errors: SL_EINVAL (a length passes the end, or
 * bytes are left over, or elements are missing). */
SL_MUST_CHECK sl_status sl_bytes_tensor_check(struct sl_span raw, int64_t count);

#endif
