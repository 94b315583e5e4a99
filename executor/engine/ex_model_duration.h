/* ex_model_duration.h - model.yaml's `duration`: a time, auto, or an expression. Pure.
 *
 * What is written as a number with at most a unit behind it is a time (5s, 500ms; 5 is 5s), and a mistake when it
 * is none. Everything else but "auto" is an expression in Lua, which the gateway compiles.
 */
#ifndef EX_MODEL_DURATION_H
#define EX_MODEL_DURATION_H

#include "ex_model.h"

/* Sets duration and duration_us of the spec, whose max_duration_us is known; text is borrowed by it. false: *err
 * has the sentence. */
bool ex_model_duration_read(const char *text, struct ex_model_spec *spec, struct sl_error *err);

#endif
