/* gw_duration.h - a model's `duration` that is an expression, as the fleet and the flow see it: a
 * table of functions. gateway/lua has the real one, and says what an expression is.
 *
 * What a model's `duration` can be:
 *
 *   ""             a time: gw_model_spec.duration_us
 *   "auto"         what the model's calls took before: gw_learn
 *   anything else  an expression over a call's inputs and parameters: compiled when a node announces
 *                  it, evaluated for each call that does not say its own duration
 *
 * Errors   A sentence with the line of the expression, the value and the limit.
 * Threads  None: a duration belongs to one thread.
 */
#ifndef GW_DURATION_H
#define GW_DURATION_H

#include "gw_infer_check.h"
#include "sl_alloc.h"
#include "sl_time.h"

#define GW_DURATION_AUTO "auto"

struct gw_duration; /* a compiled expression: opaque */

/* What is known of a call when it is admitted. All borrowed. */
struct gw_duration_facts {
    const struct gw_plan *plan;
    const struct gw_peek *peek;
    const uint8_t *message; /* whole: both point into it */
};

struct gw_duration_port {
    /* text need not last, alloc must. Errors: BAD_INPUT (with the line), NO_CAPACITY. */
    bool (*compile)(struct sl_span text, const struct sl_alloc *alloc, struct gw_duration **out,
                    struct sl_error *err);
    /* How long this call may take; max_us is what a call of the model may at most. Errors: BAD_INPUT
     * (with the line), DURATION_TOO_LONG, NO_CAPACITY; the expression is as good as before. */
    bool (*evaluate)(struct gw_duration *d, const struct gw_duration_facts *facts, sl_gpu_us max_us,
                     sl_gpu_us *out_us, struct sl_error *err);
    void (*destroy)(struct gw_duration *d); /* NULL is fine */
};

#endif
