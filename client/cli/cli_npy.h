/* cli_npy.h - the head of a NumPy .npy file. Pure.
 *
 * Reads versions 1.0 and 2.0, little-endian or one-byte elements, C order.
 * Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
#ifndef CLI_NPY_H
#define CLI_NPY_H

#include "sl_buf.h"
#include "sl_dtype.h"
#include "sl_reason.h"

struct cli_npy {
    enum sl_dtype dtype;
    int64_t shape[SL_RANK_MAX];
    size_t rank;
    struct sl_span data; /* within the file: exactly what dtype and shape say */
};

/* Errors: SL_EINVAL, with a sentence in *why. */
SL_MUST_CHECK sl_status cli_npy_parse(struct sl_span file, struct cli_npy *out,
                                      struct sl_error *why);

/* Appends the head of a version 1.0 file whose data are to follow. Errors: SL_EINVAL (NumPy has no
 * such type: BYTES, BF16), SL_ENOMEM, SL_ETOOBIG. */
SL_MUST_CHECK sl_status cli_npy_write_head(enum sl_dtype dtype, const int64_t *shape, size_t rank,
                                           struct sl_buf *out);

#endif
