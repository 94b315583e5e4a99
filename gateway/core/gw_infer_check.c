#include "gw_infer_check.h"

#include <inttypes.h>
#include <string.h>

#include "gw_infer_contents.h"

enum { SHAPE_TEXT_MAX = 160 };

/* One check: what is compared with what. */
struct check {
    struct gw_plan *plan;
    const struct gw_peek *peek;
    const uint8_t *message;
    struct sl_error *err;
};

/* "'NAME'" of a range for a sentence: the two arguments of %.*s. */
#define TEXT(c, range) (int)(range).length, (const char *)(c)->message + (range).offset

static bool check_datatype(struct check *c, const struct gw_peek_input *in,
                           const struct gw_tensor_spec *spec)
{
    enum sl_dtype said = sl_dtype_from_name(gw_range_span(c->message, in->datatype));
    if (said == spec->dtype)
        return true;
    sl_error_set(c->err, SL_REASON_BAD_INPUT, "input '%s' has datatype '%.*s', the model takes %s",
                 spec->name, TEXT(c, in->datatype), sl_dtype_name(spec->dtype));
    return false;
}

static bool check_shape(struct check *c, const struct gw_peek_input *in,
                        const struct gw_tensor_spec *spec, int64_t *out_elements)
{
    char said[SHAPE_TEXT_MAX], wanted[SHAPE_TEXT_MAX];
    if (sl_shape_elements(in->dims, in->rank, out_elements) != SL_OK) {
        sl_error_set(
            c->err, SL_REASON_BAD_INPUT,
            "input '%s' has shape %s; dimensions are 0 or more and their product fits 63 bits",
            spec->name, sl_shape_format(in->dims, in->rank, said, sizeof said));
        return false;
    }
    if (sl_shape_fits(spec->dims, spec->rank, in->dims, in->rank))
        return true;
    sl_error_set(c->err, SL_REASON_BAD_INPUT, "input '%s' has shape %s, the model takes %s",
                 spec->name, sl_shape_format(in->dims, in->rank, said, sizeof said),
                 sl_shape_format(spec->dims, spec->rank, wanted, sizeof wanted));
    return false;
}

static bool refuse_bytes(struct check *c, const struct gw_peek_input *in,
                         const struct gw_tensor_spec *spec, uint64_t sent)
{
    char said[SHAPE_TEXT_MAX];
    uint64_t needed = 0;
    sl_shape_format(in->dims, in->rank, said, sizeof said);
    if (sl_shape_bytes(spec->dtype, in->dims, in->rank, &needed) != SL_OK)
        sl_error_set(c->err, SL_REASON_BAD_INPUT,
                     "input '%s' of shape %s needs more bytes than can be counted, %" PRIu64
                     " were sent",
                     spec->name, said, sent);
    else
        sl_error_set(c->err, SL_REASON_BAD_INPUT,
                     "input '%s' of shape %s and datatype %s needs %" PRIu64 " bytes, %" PRIu64
                     " were sent",
                     spec->name, said, sl_dtype_name(spec->dtype), needed, sent);
    return false;
}

/* Eight at a time: a large tensor is looked at on the thread that decides. */
static bool are_bools(const uint8_t *data, size_t len)
{
    uint64_t all = 0, word = 0;
    size_t at = 0;
    for (; len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, data + at, sizeof word);
        all |= word;
    }
    for (; at < len; at++)
        all |= data[at];
    return (all & ~UINT64_C(0x0101010101010101)) == 0;
}

/* Every byte of a BOOL tensor is 0 or 1: engines take it for a bool of theirs, which has no third
 * value. */
static bool check_bools(struct check *c, const struct gw_tensor_spec *spec, struct gw_range raw)
{
    const uint8_t *data = c->message + raw.offset;
    if (are_bools(data, raw.length))
        return true;
    size_t at = 0;
    while (data[at] <= 1)
        at++;
    sl_error_set(c->err, SL_REASON_BAD_INPUT,
                 "input '%s' is BOOL, whose elements are 0 or 1; element %zu is %u", spec->name, at,
                 data[at]);
    return false;
}

static bool check_raw(struct check *c, const struct gw_peek_input *in,
                      const struct gw_tensor_spec *spec, int64_t elements, struct gw_range raw)
{
    uint64_t needed;
    if (spec->dtype != SL_DTYPE_BYTES) {
        bool fits = sl_shape_bytes(spec->dtype, in->dims, in->rank, &needed) == SL_OK &&
                    needed == raw.length;
        if (!fits)
            return refuse_bytes(c, in, spec, raw.length);
        return spec->dtype != SL_DTYPE_BOOL || check_bools(c, spec, raw);
    }
    if (sl_bytes_tensor_check(gw_range_span(c->message, raw), elements) == SL_OK)
        return true;
    sl_error_set(c->err, SL_REASON_BAD_INPUT,
                 "input '%s' is BYTES of %" PRId64
                 " elements, but its %zu raw bytes are not that many "
                 "length-prefixed elements",
                 spec->name, elements, raw.length);
    return false;
}

static bool plan_raw(struct check *c, struct gw_plan_input *plan, const struct gw_tensor_spec *spec,
                     int64_t elements, struct gw_range raw)
{
    if (plan->said->has_contents) {
        sl_error_set(
            c->err, SL_REASON_BAD_INPUT,
            "input '%s' has typed contents although the request has raw_input_contents; use one "
            "of the two",
            spec->name);
        return false;
    }
    plan->source = raw;
    plan->bytes = raw.length;
    return check_raw(c, plan->said, spec, elements, raw);
}

static bool plan_typed(struct check *c, struct gw_plan_input *plan,
                       const struct gw_tensor_spec *spec, int64_t elements)
{
    struct gw_range contents = plan->said->contents;
    struct gw_contents_count count;
    if (!gw_contents_count(gw_range_span(c->message, contents), spec->dtype,
                           sl_span_str(spec->name), &count, c->err))
        return false;
    if (count.elements != (uint64_t)elements) {
        char said[SHAPE_TEXT_MAX];
        sl_shape_format(plan->said->dims, plan->said->rank, said, sizeof said);
        sl_error_set(c->err, SL_REASON_BAD_INPUT,
                     "input '%s' of shape %s needs %" PRId64
                     " elements, its contents have %" PRIu64,
                     spec->name, said, elements, count.elements);
        return false;
    }
    plan->bytes = count.raw_bytes;
    plan->is_converted = !count.is_contiguous;
    plan->source = count.is_contiguous
                       ? (struct gw_range){contents.offset + count.raw_at, (size_t)count.raw_bytes}
                       : contents;
    return true;
}

/* An error about this input names it as the part at fault. */
static bool blame_input(struct check *c, const struct gw_peek_input *in)
{
    sl_error_set_field(c->err, "inputs.%.*s", TEXT(c, in->name));
    return false;
}

/* Which of the model's inputs is it, and could it be one? */
static bool identify(struct check *c, const struct gw_model_spec *model,
                     const struct gw_peek_input *in, size_t *out_index, int64_t *out_elements)
{
    size_t i =
        gw_tensor_find(model->inputs, model->input_count, gw_range_span(c->message, in->name));
    if (i == model->input_count) {
        sl_error_set(c->err, SL_REASON_BAD_INPUT, "model '%s' has no input '%.*s'", model->name,
                     TEXT(c, in->name));
        return false;
    }
    *out_index = i;
    return check_datatype(c, in, &model->inputs[i]) &&
           check_shape(c, in, &model->inputs[i], out_elements);
}

bool gw_plan_check_inputs(const struct gw_peek *peek, const uint8_t *message,
                          const struct gw_model_spec *model, struct sl_error *err)
{
    struct check c = {.peek = peek, .message = message, .err = err};
    size_t index;
    int64_t elements;
    for (size_t i = 0; i < peek->input_count; i++)
        if (!identify(&c, model, &peek->inputs[i], &index, &elements))
            return blame_input(&c, &peek->inputs[i]);
    return true;
}

static bool plan_input(struct check *c, size_t said_index)
{
    const struct gw_peek_input *in = &c->peek->inputs[said_index];
    size_t i;
    int64_t elements;
    if (!identify(c, c->plan->model, in, &i, &elements))
        return false;
    struct gw_plan_input *plan = &c->plan->inputs[i];
    const struct gw_tensor_spec *spec = &c->plan->model->inputs[i];
    if (plan->said != NULL) {
        sl_error_set(c->err, SL_REASON_BAD_INPUT, "input '%s' is given twice", spec->name);
        return false;
    }
    plan->said = in;
    plan->dtype = spec->dtype;
    return c->peek->raw_count > 0 ? plan_raw(c, plan, spec, elements, c->peek->raws[said_index])
                                  : plan_typed(c, plan, spec, elements);
}

static bool plan_inputs(struct check *c)
{
    const struct gw_model_spec *model = c->plan->model;
    size_t raw_count = c->peek->raw_count, said = c->peek->input_count;
    if (raw_count > 0 && raw_count != said) {
        sl_error_set(
            c->err, SL_REASON_BAD_INPUT,
            "the request has %zu inputs and %zu raw_input_contents; there is one for each input, "
            "or none",
            said, raw_count);
        return false;
    }
    for (size_t i = 0; i < said; i++)
        if (!plan_input(c, i))
            return blame_input(c, &c->peek->inputs[i]);
    for (size_t i = 0; i < model->input_count; i++)
        if (c->plan->inputs[i].said == NULL) {
            sl_error_set(c->err, SL_REASON_BAD_INPUT,
                         "model '%s' needs input '%s', which is missing", model->name,
                         model->inputs[i].name);
            sl_error_set_field(c->err, "inputs.%s", model->inputs[i].name);
            return false;
        }
    return true;
}

static bool plan_output(struct check *c, size_t k)
{
    const struct gw_model_spec *model = c->plan->model;
    struct gw_range name = c->peek->outputs[k];
    size_t i = gw_tensor_find(model->outputs, model->output_count, gw_range_span(c->message, name));
    if (i == model->output_count) {
        sl_error_set(c->err, SL_REASON_BAD_INPUT, "model '%s' has no output '%.*s'", model->name,
                     TEXT(c, name));
        return false;
    }
    for (size_t j = 0; j < c->plan->output_count; j++)
        if (c->plan->outputs[j] == i) {
            sl_error_set(c->err, SL_REASON_BAD_INPUT, "output '%.*s' is asked for twice",
                         TEXT(c, name));
            return false;
        }
    c->plan->outputs[c->plan->output_count++] = i;
    return true;
}

static bool plan_outputs(struct check *c)
{
    for (size_t k = 0; k < c->peek->output_count; k++)
        if (!plan_output(c, k)) {
            sl_error_set_field(c->err, "outputs.%.*s", TEXT(c, c->peek->outputs[k]));
            return false;
        }
    if (c->peek->output_count > 0)
        return true;
    while (c->plan->output_count < c->plan->model->output_count) {
        c->plan->outputs[c->plan->output_count] = c->plan->output_count;
        c->plan->output_count++;
    }
    return true;
}

/* The smallest part of the message that holds all tensor bytes which need no conversion. */
static struct gw_range covering_part(const struct gw_plan *plan)
{
    size_t begin = SIZE_MAX, end = 0;
    for (size_t i = 0; i < plan->model->input_count; i++) {
        const struct gw_plan_input *in = &plan->inputs[i];
        if (in->is_converted || in->bytes == 0)
            continue;
        if (in->source.offset < begin)
            begin = in->source.offset;
        if (in->source.offset + in->source.length > end)
            end = in->source.offset + in->source.length;
    }
    return begin == SIZE_MAX ? (struct gw_range){0, 0} : (struct gw_range){begin, end - begin};
}

static void place_inputs(struct gw_plan *plan)
{
    plan->message_part = covering_part(plan);
    for (size_t i = 0; i < plan->model->input_count; i++) {
        struct gw_plan_input *in = &plan->inputs[i];
        if (in->bytes == 0) {
            in->payload_offset = 0;
        } else if (in->is_converted) {
            in->payload_offset = plan->message_part.length + plan->converted_bytes;
            plan->converted_bytes += in->bytes;
        } else {
            in->payload_offset = in->source.offset - plan->message_part.offset;
        }
    }
}

bool gw_plan_make(struct gw_plan *plan, const struct gw_peek *peek, const uint8_t *message,
                  const struct gw_model_spec *model, uint64_t max_bytes, struct sl_arena *arena,
                  struct sl_error *err)
{
    *plan = (struct gw_plan){.model = model};
    plan->inputs = sl_arena_zero(arena, model->input_count, sizeof *plan->inputs);
    plan->outputs = sl_arena_zero(arena, model->output_count, sizeof *plan->outputs);
    if ((plan->inputs == NULL && model->input_count > 0) ||
        (plan->outputs == NULL && model->output_count > 0)) {
        sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory to check the request");
        return false;
    }
    struct check c = {plan, peek, message, err};
    if (!plan_inputs(&c) || !plan_outputs(&c))
        return false;
    place_inputs(plan);
    if (plan->converted_bytes <= max_bytes)
        return true;
    sl_error_set(err, SL_REASON_TOO_LARGE,
                 "the typed contents take %" PRIu64 " bytes as tensors, the limit is %" PRIu64,
                 plan->converted_bytes, max_bytes);
    return false;
}

bool gw_plan_convert(const struct gw_plan *plan, const uint8_t *message, uint8_t *out,
                     struct sl_error *err)
{
    for (size_t i = 0; i < plan->model->input_count; i++) {
        const struct gw_plan_input *in = &plan->inputs[i];
        if (!in->is_converted || in->bytes == 0)
            continue;
        uint8_t *place = out + (in->payload_offset - plan->message_part.length);
        if (!gw_contents_write(gw_range_span(message, in->source), in->dtype,
                               sl_span_str(plan->model->inputs[i].name), place, err)) {
            sl_error_set_field(err, "inputs.%s", plan->model->inputs[i].name);
            return false;
        }
    }
    return true;
}
