/* cli_value.h - a tensor written on the command line: a scalar or nested JSON arrays. Pure.
 *
 *   3.5    [1,2,3,4]    [[1,2],[3,4]]    true    "text"    ["a","b"]    text (for BYTES)
 */
#ifndef CLI_VALUE_H
#define CLI_VALUE_H

#include "sl_arena.h"
#include "sl_dtype.h"
#include "sl_reason.h"

struct cli_tensor {
    enum sl_dtype dtype;
    int64_t shape[SL_RANK_MAX];
    size_t rank;
    struct sl_span data; /* raw form */
};

/* text as dtype; shape and rank are those of the nested arrays (rank 0 for a scalar). Data lie in the
 * arena. Errors: SL_EINVAL (with a sentence in *why), SL_ENOMEM. */
SL_MUST_CHECK sl_status cli_value_parse(const char *text, enum sl_dtype dtype,
                                        struct sl_arena *arena, struct cli_tensor *out,
                                        struct sl_error *why);

/* Makes t's shape fit a model's (-1: free) without changing the order of the elements: as it is, with
 * leading ones, or by the one free dimension. Errors: SL_EINVAL (none of these fits; t unchanged). */
SL_MUST_CHECK sl_status cli_value_fit(struct cli_tensor *t, const int64_t *pattern, size_t rank);

/* "1,3,224,224" to a shape. Errors: SL_EINVAL. */
SL_MUST_CHECK sl_status cli_shape_parse(const char *text, int64_t shape[SL_RANK_MAX],
                                        size_t *out_rank);

#endif
