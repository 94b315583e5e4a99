/* duration_rig.h - a request that was checked against its model, as an expression for durations
 * is given it. */
#ifndef DURATION_RIG_H
#define DURATION_RIG_H

#include "gw_duration_lua.h"
#include "infer_builder.h"

struct duration_rig {
    struct infer_builder builder;
    struct sl_arena arena;
    struct gw_peek peek;
    struct gw_plan plan;
    struct gw_duration_facts facts;
};

/* Inputs of the model `painter`: IMAGE UINT8 [-1,-1,3], STEPS INT32 [1], HD BOOL [], PROMPTS
 * BYTES [-1]. */
extern const struct gw_model_spec duration_painter;

/* A request for the painter, without tensors yet: add them all, then check. */
void duration_rig_begin(struct duration_rig *r);
/* The request as the gateway knows it; ends the program when it does not fit the model. */
void duration_rig_check(struct duration_rig *r, const struct gw_model_spec *model);
/* A usual one, checked: an image of 64 x 48, 30 steps, hd, two prompts, parameters of each kind. */
void duration_rig_init(struct duration_rig *r);
void duration_rig_finish(struct duration_rig *r);

#endif
