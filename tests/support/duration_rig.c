#include "duration_rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "sl_base.h"

enum { ARENA_MAX = 1 << 20, CONVERTED_MAX = 1 << 20 };

static const struct gw_tensor_spec painter_inputs[] = {
    {"IMAGE", SL_DTYPE_UINT8, {-1, -1, 3}, 3},
    {"STEPS", SL_DTYPE_INT32, {1}, 1},
    {"HD", SL_DTYPE_BOOL, {0}, 0},
    {"PROMPTS", SL_DTYPE_BYTES, {-1}, 1},
};
static const struct gw_tensor_spec painter_outputs[] = {{"OUT", SL_DTYPE_UINT8, {-1}, 1}};

const struct gw_model_spec duration_painter = {
    .name = "painter",
    .version = "1",
    .engine = "fake",
    .inputs = painter_inputs,
    .input_count = SL_ARRAY_LEN(painter_inputs),
    .outputs = painter_outputs,
    .output_count = 1,
    .problem = "",
};

void duration_rig_begin(struct duration_rig *r)
{
    infer_begin(&r->builder, "painter");
}

void duration_rig_check(struct duration_rig *r, const struct gw_model_spec *model)
{
    struct sl_span message = infer_bytes(&r->builder);
    struct sl_error err = {0};
    sl_arena_init(&r->arena, &sl_alloc_malloc, ARENA_MAX);
    gw_peek_init(&r->peek, &r->arena);
    if (!gw_peek_feed(&r->peek, message.data, message.len, message.len, &err) ||
        !gw_plan_make(&r->plan, &r->peek, message.data, model, CONVERTED_MAX, &r->arena, &err)) {
        fprintf(stderr, "no request: %s\n", err.text);
        abort();
    }
    r->facts = (struct gw_duration_facts){&r->plan, &r->peek, message.data};
}

static void add_tensors(struct infer_builder *b)
{
    enum { IMAGE_BYTES = 64 * 48 * 3 };
    static const uint8_t prompts[] = "\3\0\0\0cat\7\0\0\0a horse";
    const int32_t steps = 30;
    const uint8_t hd = 1;
    infer_input(b, "IMAGE", "UINT8", 3, (const int64_t[]){64, 48, 3});
    infer_raw(b, memset(infer_room(b, IMAGE_BYTES), 7, IMAGE_BYTES), IMAGE_BYTES);
    infer_input(b, "STEPS", "INT32", 1, (const int64_t[]){1});
    infer_raw(b, &steps, sizeof steps);
    infer_input(b, "HD", "BOOL", 0, NULL);
    infer_raw(b, &hd, sizeof hd);
    infer_input(b, "PROMPTS", "BYTES", 1, (const int64_t[]){2});
    infer_raw(b, prompts, sizeof prompts - 1);
}

static void add_parameters(struct infer_builder *b)
{
    Inference__InferParameter *p = infer_param(b, "safe");
    p->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_BOOL_PARAM;
    p->bool_param = true;
    p = infer_param(b, "steps");
    p->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_INT64_PARAM;
    p->int64_param = -20;
    p = infer_param(b, "guidance");
    p->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_DOUBLE_PARAM;
    p->double_param = 7.5;
    p = infer_param(b, "seed");
    p->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_UINT64_PARAM;
    p->uint64_param = UINT64_MAX;
    infer_param_string(b, "quality", "high");
    infer_param_string(b, "sluice_max_wait", "5s");
}

void duration_rig_init(struct duration_rig *r)
{
    duration_rig_begin(r);
    add_tensors(&r->builder);
    add_parameters(&r->builder);
    duration_rig_check(r, &duration_painter);
}

void duration_rig_finish(struct duration_rig *r)
{
    sl_arena_finish(&r->arena);
    infer_end(&r->builder);
}
