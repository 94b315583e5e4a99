/* gw_duration_lua.h - a model's `duration` that is an expression in Lua 5.4: from what a call asks
 * for to how long it may take.
 *
 * On a call's way: gw_infer_check (a plan) -> [evaluate] -> gw_asks (limits) -> gw_ledger (hold).
 *
 *   2 + parameters.steps * inputs.IMAGE.shape[2] * inputs.IMAGE.shape[3] / 2^20
 *
 * An expression gives one number: seconds, above 0, to the nearest microsecond and at least one.
 * Statements go into a function that it calls: (function() local n = 0; ...; return n end)().
 *
 * It sees
 *
 *   inputs.NAME.shape      the dimensions that the caller sent, from [1]
 *   inputs.NAME.datatype   "FP32"
 *   inputs.NAME.bytes      of the tensor
 *   inputs.NAME.value      of up to GW_DURATION_VALUES_MAX elements, BYTES without NUL and of up to
 *                          GW_DURATION_TEXTS_BYTES_MAX in all; nil for others. An array from [1],
 *                          in the tensor's order; the one element itself when the model's shape
 *                          is of one element ([], [1], [1,1]). Numbers, for BOOL booleans, for
 *                          BYTES texts
 *   parameters.NAME        a boolean, a number, a text; nil when it was not sent. Those of the
 *                          gateway (sluice_*) are not among them
 *   math                   of Lua 5.4, without random numbers; functions want numbers, not texts
 *
 * and nothing else (gw_lua_box.h, with the limits on a run and what keeps runs and models apart). A
 * name of an input that the model does not have is an error; input and parameter are made when they
 * are asked for, so what an expression does not name costs it nothing.
 *
 * Errors   A sentence with the line of the expression as far as there is one, the value and the
 *          limit: BAD_INPUT for what the expression makes of this call, DURATION_TOO_LONG for more
 *          than the call may take, NO_CAPACITY when there is no memory. The expression is as good
 *          as before after each of them.
 * Purity   Same expression and same facts, same answer.
 * Threads  None: a duration belongs to one thread.
 */
#ifndef GW_DURATION_LUA_H
#define GW_DURATION_LUA_H

#include "gw_duration.h"

enum {
    GW_DURATION_TEXT_MAX = 4096, /* bytes of an expression */
    GW_DURATION_VALUES_MAX = 64,
    GW_DURATION_TEXTS_BYTES_MAX = 4096
};

/* text need not last, alloc must. Errors: BAD_INPUT (not UTF-8, too long, a backslash, no
 * expression: with the line), NO_CAPACITY. */
bool gw_duration_compile(struct sl_span text, const struct sl_alloc *alloc,
                         struct gw_duration **out, struct sl_error *err);
void gw_duration_destroy(struct gw_duration *d); /* NULL is fine */

/* max_us: what a call of the model may take at most. */
bool gw_duration_evaluate(struct gw_duration *d, const struct gw_duration_facts *facts,
                          sl_gpu_us max_us, sl_gpu_us *out_us, struct sl_error *err);

/* The three as the fleet and the flow are given them. */
extern const struct gw_duration_port gw_duration_lua;

#endif
