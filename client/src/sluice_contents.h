/* sluice_contents.h - typed tensor contents, as some servers answer them, to raw bytes. Pure. */
#ifndef SLUICE_CONTENTS_H
#define SLUICE_CONTENTS_H

#include "inference/inference.pb-c.h"
#include "sl_arena.h"
#include "sl_dtype.h"

/* The raw form of c (NULL: no elements) as type, in the arena.
 * Errors: SL_EINVAL (type has no typed form, or an integer does not fit it), SL_ENOMEM. */
SL_MUST_CHECK sl_status sluice_contents_to_raw(enum sl_dtype type,
                                               const Inference__InferTensorContents *c,
                                               struct sl_arena *arena, struct sl_span *out);

#endif
