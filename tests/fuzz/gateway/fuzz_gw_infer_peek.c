/* fuzz_gw_infer_peek.c - any bytes as a ModelInferRequest: the peek says the same of them whole and
 * in pieces; a request that fits a model becomes a payload inside the message, and that payload,
 * sent back as the result, a reply that protobuf-c reads with the same tensors. */
#include <stdlib.h>

#include "gw_infer_reply.h"
#include "inference/inference.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_MAX = 1 << 20, CONVERTED_MAX = 1 << 20 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool same_range(struct gw_range a, struct gw_range b)
{
    return a.offset == b.offset && a.length == b.length;
}

static bool same_inputs(const struct gw_peek *a, const struct gw_peek *b)
{
    for (size_t i = 0; i < a->input_count; i++) {
        const struct gw_peek_input *x = &a->inputs[i], *y = &b->inputs[i];
        if (!same_range(x->name, y->name) || !same_range(x->datatype, y->datatype) ||
            x->rank != y->rank || memcmp(x->dims, y->dims, x->rank * sizeof x->dims[0]) != 0 ||
            x->has_contents != y->has_contents || !same_range(x->contents, y->contents))
            return false;
    }
    return true;
}

static bool same_peek(const struct gw_peek *a, const struct gw_peek *b)
{
    if (a->input_count != b->input_count || a->output_count != b->output_count ||
        a->raw_count != b->raw_count || a->param_count != b->param_count ||
        !same_range(a->model_name, b->model_name) || !same_range(a->id, b->id) ||
        !same_range(a->model_version, b->model_version) || !same_inputs(a, b))
        return false;
    for (size_t i = 0; i < a->raw_count; i++)
        if (!same_range(a->raws[i], b->raws[i]))
            return false;
    return true;
}

/* Each feed sees its own copy of what has arrived, exactly as long. */
static bool feed_in_pieces(struct gw_peek *p, const uint8_t *data, size_t size,
                           struct sl_error *err)
{
    size_t step = 1 + size % 61;
    for (size_t arrived = 0;; arrived = size - arrived > step ? arrived + step : size) {
        uint8_t *part = malloc(arrived > 0 ? arrived : 1);
        require(part != NULL);
        if (arrived > 0)
            memcpy(part, data, arrived);
        bool ok = gw_peek_feed(p, part, arrived, size, err);
        free(part);
        if (!ok || arrived == size)
            return ok;
    }
}

/* One input of each datatype, and one model with two. */
static struct gw_tensor_spec specs[SL_DTYPE_COUNT + 1];
static struct gw_model_spec models[SL_DTYPE_COUNT];

static void make_models(void)
{
    for (int t = SL_DTYPE_INVALID + 1; t < SL_DTYPE_COUNT; t++)
        specs[t] = (struct gw_tensor_spec){"IN", (enum sl_dtype)t, {-1}, 1};
    specs[SL_DTYPE_COUNT] = (struct gw_tensor_spec){"SCALAR", SL_DTYPE_FP64, {0}, 0};
    for (int t = 0; t < SL_DTYPE_COUNT; t++)
        models[t] = (struct gw_model_spec){.name = "m",
                                           .version = "1",
                                           .inputs = &specs[t],
                                           .input_count = 1,
                                           .outputs = &specs[t],
                                           .output_count = 1};
    models[0].inputs = models[0].outputs = &specs[SL_DTYPE_COUNT - 1]; /* IN BYTES, SCALAR */
    models[0].input_count = models[0].output_count = 2;
}

static void check_reply(const struct gw_plan *plan, const struct gw_reply_message *reply,
                        const uint8_t *payload)
{
    uint8_t *all = malloc((size_t)reply->total_bytes + 1), *p = all;
    require(all != NULL);
    for (size_t i = 0; i < reply->piece_count; i++) {
        memcpy(p, reply->pieces[i].data, reply->pieces[i].len);
        p += reply->pieces[i].len;
    }
    Inference__ModelInferResponse *m =
        inference__model_infer_response__unpack(NULL, (size_t)(p - all), all);
    require(m != NULL && m->n_raw_output_contents == plan->output_count);
    for (size_t k = 0; k < plan->output_count; k++) {
        const struct gw_plan_input *in = &plan->inputs[plan->outputs[k]];
        require(m->raw_output_contents[k].len == in->bytes);
        require(in->bytes == 0 || memcmp(m->raw_output_contents[k].data,
                                         payload + in->payload_offset, in->bytes) == 0);
    }
    inference__model_infer_response__free_unpacked(m, NULL);
    free(all);
}

/* The identity: each output is the input of its name. */
static void send_back(const struct gw_plan *plan, const uint8_t *data, const uint8_t *converted,
                      struct sl_arena *arena)
{
    size_t part = plan->message_part.length, count = plan->model->input_count;
    struct gw_result_output outputs[2];
    const struct sl_span pieces[2] = {sl_span_of(data + plan->message_part.offset, part),
                                      sl_span_of(converted, (size_t)plan->converted_bytes)};
    const struct gw_result_payload payload = {pieces, 2, gw_plan_payload_bytes(plan)};
    struct gw_reply_message reply;
    struct sl_error err;
    for (size_t i = 0; i < count; i++)
        outputs[i] = (struct gw_result_output){sl_span_str(plan->model->outputs[i].name),
                                               plan->inputs[i].dtype,
                                               plan->inputs[i].said->dims,
                                               plan->inputs[i].said->rank,
                                               plan->inputs[i].payload_offset,
                                               plan->inputs[i].bytes};
    require(gw_infer_reply(plan, sl_span_str("id"), outputs, count, &payload, arena, &reply, &err));
    uint8_t *both = malloc((size_t)payload.total_bytes + 1);
    require(both != NULL);
    memcpy(both, pieces[0].data, part);
    memcpy(both + part, pieces[1].data, pieces[1].len);
    check_reply(plan, &reply, both);
    free(both);
}

static void try_model(const struct gw_peek *peek, const uint8_t *data, size_t size,
                      const struct gw_model_spec *model)
{
    struct sl_arena arena;
    struct gw_plan plan;
    struct sl_error err = {0};
    sl_arena_init(&arena, &sl_alloc_malloc, ARENA_MAX);
    if (gw_plan_make(&plan, peek, data, model, CONVERTED_MAX, &arena, &err)) {
        require(gw_plan_check_inputs(peek, data, model, &err));
        require(plan.message_part.offset + plan.message_part.length <= size);
        uint8_t *converted = malloc(plan.converted_bytes > 0 ? (size_t)plan.converted_bytes : 1);
        require(converted != NULL);
        if (gw_plan_convert(&plan, data, converted, &err))
            send_back(&plan, data, converted, &arena);
        else
            require(err.reason == SL_REASON_BAD_INPUT && err.text[0] != '\0');
        free(converted);
    } else {
        require(err.reason != SL_REASON_OK && err.text[0] != '\0');
    }
    sl_arena_finish(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_arena a, b;
    struct gw_peek whole, pieces;
    struct sl_error err = {0}, err_pieces = {0};
    if (models[0].name == NULL)
        make_models();
    sl_arena_init(&a, &sl_alloc_malloc, ARENA_MAX);
    sl_arena_init(&b, &sl_alloc_malloc, ARENA_MAX);
    gw_peek_init(&whole, &a);
    gw_peek_init(&pieces, &b);
    bool ok = gw_peek_feed(&whole, data, size, size, &err);
    require(feed_in_pieces(&pieces, data, size, &err_pieces) == ok);
    require(ok || strcmp(err.text, err_pieces.text) == 0);
    if (ok) {
        require(same_peek(&whole, &pieces));
        for (size_t i = 0; i < SL_ARRAY_LEN(models); i++)
            try_model(&whole, data, size, &models[i]);
    }
    sl_arena_finish(&a);
    sl_arena_finish(&b);
    return 0;
}
