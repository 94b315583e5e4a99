/* test_gw_infer_peek.c - what the peek says of a request is what protobuf-c wrote into it, however
 * the bytes arrive; what is over a limit or no request is refused with a sentence. */
#include "gw_infer_peek.h"

#include <stdlib.h>

#include "infer_builder.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

struct peeked {
    struct sl_arena arena;
    struct gw_peek peek;
    struct sl_error err;
};

static void begin(struct peeked *p)
{
    *p = (struct peeked){0};
    sl_arena_init(&p->arena, &sl_alloc_malloc, 1 << 20);
    gw_peek_init(&p->peek, &p->arena);
}

static void end(struct peeked *p)
{
    sl_arena_finish(&p->arena);
}

static bool feed_whole(struct peeked *p, struct sl_span m)
{
    begin(p);
    return gw_peek_feed(&p->peek, m.data, m.len, m.len, &p->err);
}

static void assert_range(struct sl_span m, struct gw_range r, const char *wanted)
{
    assert_true(r.offset <= m.len && r.length <= m.len - r.offset);
    assert_span_text(gw_range_span(m.data, r), wanted);
}

static void assert_refused(struct infer_builder *b, const char *sentence)
{
    struct peeked p;
    struct sl_span m = infer_bytes(b);
    assert_false(feed_whole(&p, m));
    assert_int_equal(p.err.reason, SL_REASON_BAD_INPUT);
    assert_string_equal(p.err.text, sentence);
    end(&p);
}

/* ---- what is said is what was built */

static void check_params(const struct infer_builder *b, struct sl_span m, const struct gw_peek *p)
{
    assert_int_equal(p->param_count, b->request.n_parameters);
    for (size_t i = 0; i < p->param_count; i++) {
        const struct gw_peek_param *got = &p->params[i];
        const Inference__InferParameter *want = b->params[i]->value;
        assert_range(m, got->name, b->params[i]->key);
        switch (want->parameter_choice_case) {
        case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_BOOL_PARAM:
            assert_true(got->kind == GW_PARAM_BOOL && got->value.b == (want->bool_param != 0));
            break;
        case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_INT64_PARAM:
            assert_true(got->kind == GW_PARAM_INT && got->value.i == want->int64_param);
            break;
        case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_UINT64_PARAM:
            assert_true(got->kind == GW_PARAM_UINT && got->value.u == want->uint64_param);
            break;
        case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_DOUBLE_PARAM:
            assert_int_equal(got->kind, GW_PARAM_DOUBLE);
            assert_memory_equal(&got->value.d, &want->double_param, sizeof(double));
            break;
        default:
            assert_int_equal(got->kind, GW_PARAM_STRING);
            assert_range(m, got->value.s, want->string_param);
        }
    }
}

static void check_input(const infer_input_tensor *want, struct sl_span m,
                        const struct gw_peek_input *got)
{
    assert_range(m, got->name, want->name);
    assert_range(m, got->datatype, want->datatype);
    assert_int_equal(got->rank, want->n_shape);
    for (size_t i = 0; i < got->rank; i++)
        assert_int_equal(got->dims[i], want->shape[i]);
    assert_int_equal(got->has_contents, want->contents != NULL);
    if (want->contents == NULL)
        return;
    uint8_t packed[512];
    size_t len = inference__infer_tensor_contents__get_packed_size(want->contents);
    assert_true(len <= sizeof packed && len == got->contents.length);
    inference__infer_tensor_contents__pack(want->contents, packed);
    assert_memory_equal(m.data + got->contents.offset, packed, len);
}

static void check_peek(const struct infer_builder *b, struct sl_span m, const struct gw_peek *p)
{
    assert_range(m, p->model_name, b->request.model_name);
    assert_range(m, p->model_version, b->request.model_version);
    assert_range(m, p->id, b->request.id);
    check_params(b, m, p);
    assert_int_equal(p->input_count, b->request.n_inputs);
    for (size_t i = 0; i < p->input_count; i++)
        check_input(b->inputs[i], m, &p->inputs[i]);
    assert_int_equal(p->output_count, b->request.n_outputs);
    for (size_t i = 0; i < p->output_count; i++)
        assert_range(m, p->outputs[i], b->outputs[i]->name);
    assert_int_equal(p->raw_count, b->request.n_raw_input_contents);
    for (size_t i = 0; i < p->raw_count; i++) {
        assert_int_equal(p->raws[i].length, b->raws[i].len);
        assert_memory_equal(m.data + p->raws[i].offset, b->raws[i].data, b->raws[i].len);
    }
}

/* ---- random requests */

static char *random_text(struct infer_builder *b, struct sl_rng *rng, size_t max)
{
    static const char *const letters[] = {"a", "Z", "_", ".", "\xc3\xa9", "\xe2\x82\xac", "0"};
    char *text = infer_room(b, max + 1);
    size_t wanted = (size_t)sl_rng_below(rng, max + 1), len = 0;
    for (;;) {
        const char *next = letters[sl_rng_below(rng, SL_ARRAY_LEN(letters))];
        if (len + strlen(next) > wanted)
            break;
        memcpy(text + len, next, strlen(next));
        len += strlen(next);
    }
    text[len] = '\0';
    return text;
}

static void random_param(struct infer_builder *b, struct sl_rng *rng)
{
    char *name = random_text(b, rng, 20);
    if (name[0] == '\0')
        strcpy(name, "p");
    Inference__InferParameter *p = infer_param(b, name);
    uint64_t bits = sl_rng_u64(rng) >> sl_rng_below(rng, 64);
    switch (sl_rng_below(rng, 5)) {
    case 0:
        p->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_BOOL_PARAM;
        p->bool_param = bits & 1;
        break;
    case 1:
        p->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_INT64_PARAM;
        p->int64_param = (int64_t)(bits & 1 ? ~bits : bits);
        break;
    case 2:
        p->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_UINT64_PARAM;
        p->uint64_param = bits;
        break;
    case 3:
        p->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_DOUBLE_PARAM;
        p->double_param = sl_rng_unit(rng) * 1e6 - 5e5;
        break;
    default:
        p->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_STRING_PARAM;
        p->string_param = random_text(b, rng, 300);
    }
}

static void random_contents(struct infer_builder *b, struct sl_rng *rng, infer_input_tensor *in)
{
    Inference__InferTensorContents *c = infer_contents(b, in);
    c->n_int64_contents = (size_t)sl_rng_below(rng, 9);
    c->int64_contents = infer_room(b, c->n_int64_contents * sizeof(int64_t));
    for (size_t i = 0; i < c->n_int64_contents; i++)
        c->int64_contents[i] = (int64_t)sl_rng_u64(rng);
    c->n_fp32_contents = (size_t)sl_rng_below(rng, 3);
    c->fp32_contents = infer_room(b, c->n_fp32_contents * sizeof(float));
    memset(c->fp32_contents, 1, c->n_fp32_contents * sizeof(float));
}

static void random_input(struct infer_builder *b, struct sl_rng *rng)
{
    int64_t dims[SL_RANK_MAX];
    size_t rank = (size_t)sl_rng_below(rng, SL_RANK_MAX + 1);
    for (size_t i = 0; i < rank; i++)
        dims[i] = (int64_t)(sl_rng_u64(rng) >> sl_rng_below(rng, 64));
    infer_input_tensor *in =
        infer_input(b, random_text(b, rng, 40), random_text(b, rng, 8), rank, dims);
    if (sl_rng_below(rng, 4) == 0)
        random_contents(b, rng, in);
    if (sl_rng_below(rng, 4) == 0)
        infer_tensor_param(b, in, "binary_data");
}

static void random_request(struct infer_builder *b, struct sl_rng *rng)
{
    infer_begin(b, "");
    b->request.model_name = random_text(b, rng, GW_PEEK_NAME_MAX);
    b->request.model_version = random_text(b, rng, 4);
    b->request.id = random_text(b, rng, 60);
    for (uint64_t n = sl_rng_below(rng, 7); n > 0; n--)
        random_input(b, rng);
    for (uint64_t n = sl_rng_below(rng, 7); n > 0; n--)
        infer_output(b, random_text(b, rng, 10));
    for (uint64_t n = sl_rng_below(rng, 7); n > 0; n--)
        random_param(b, rng);
    for (uint64_t n = sl_rng_below(rng, 7); n > 0; n--) {
        size_t len = (size_t)sl_rng_below(rng, sl_rng_below(rng, 4) == 0 ? 2000 : 20);
        uint8_t *bytes = infer_room(b, len);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)sl_rng_u64(rng);
        infer_raw(b, bytes, len);
    }
}

static void a_random_request_is_seen_as_it_was_built(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 1);
    for (int round = 0; round < 1000; round++) {
        struct infer_builder b;
        struct peeked p;
        random_request(&b, &rng);
        struct sl_span m = infer_bytes(&b);
        assert_true(feed_whole(&p, m));
        check_peek(&b, m, &p.peek);
        end(&p);
        infer_end(&b);
    }
}

/* Each feed sees a fresh copy of only the bytes that have arrived: nothing may be kept by address,
 * and nothing be read that is not there. */
static void bytes_may_arrive_in_any_cut_and_move(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 2);
    for (int round = 0; round < 600; round++) {
        struct infer_builder b;
        struct peeked p;
        random_request(&b, &rng);
        struct sl_span m = infer_bytes(&b);
        size_t step = round < 200 ? 1 : 1 + (size_t)sl_rng_below(&rng, 200);
        begin(&p);
        for (size_t arrived = 0; arrived <= m.len;) {
            uint8_t *part = malloc(arrived > 0 ? arrived : 1);
            memcpy(part, m.data, arrived);
            assert_true(gw_peek_feed(&p.peek, part, arrived, m.len, &p.err));
            free(part);
            if (arrived == m.len)
                break;
            arrived = arrived + step < m.len ? arrived + step : m.len;
        }
        check_peek(&b, m, &p.peek);
        end(&p);
        infer_end(&b);
    }
}

/* Triton's clients send the raw bytes last: everything is known long before they are here. */
static void raw_bytes_need_not_be_there(void **state SL_UNUSED)
{
    enum { TENSOR = 1 << 20 };
    struct infer_builder b;
    struct peeked p;
    infer_begin(&b, "m");
    infer_input(&b, "A", "UINT8", 1, (const int64_t[]){TENSOR});
    infer_raw(&b, memset(infer_room(&b, TENSOR), 7, TENSOR), TENSOR);
    struct sl_span m = infer_bytes(&b);
    size_t head = m.len - TENSOR + 64;
    uint8_t *part = malloc(head);
    memcpy(part, m.data, head);
    begin(&p);
    assert_true(gw_peek_feed(&p.peek, part, head, m.len, &p.err));
    assert_int_equal(p.peek.raw_count, 1);
    assert_int_equal(p.peek.raws[0].length, TENSOR);
    assert_range(m, p.peek.model_name, "m");
    free(part);
    assert_true(gw_peek_feed(&p.peek, m.data, m.len, m.len, &p.err));
    check_peek(&b, m, &p.peek);
    end(&p);
    infer_end(&b);
}

/* ---- other encoders */

static struct sl_span join(struct infer_builder *b, const void *more, size_t len)
{
    struct sl_span m = infer_bytes(b);
    uint8_t *both = infer_room(b, m.len + len);
    memcpy(both, m.data, m.len);
    memcpy(both + m.len, more, len);
    return sl_span_of(both, m.len + len);
}

static void unknown_fields_are_passed_over(void **state SL_UNUSED)
{
    /* 1000: varint; 1001: bytes; 20: fixed32; 21: fixed64 */
    static const uint8_t later[] = {0xc0, 0x3e, 5,    0xca, 0x3e, 2, 'h', 'i', 0xa5, 1, 1, 2,
                                    3,    4,    0xa9, 1,    1,    2, 3,   4,   5,    6, 7, 8};
    struct infer_builder b;
    struct peeked p;
    infer_begin(&b, "m");
    assert_true(feed_whole(&p, join(&b, later, sizeof later)));
    assert_range(infer_bytes(&b), p.peek.model_name, "m");
    end(&p);
    infer_end(&b);
}

static void a_shape_may_be_unpacked_or_in_several_parts(void **state SL_UNUSED)
{
    /* inputs { shape: 3; shape: [4, 5]; shape: 6; name: "A" } */
    static const uint8_t input[] = {0x2a, 11, 0x18, 3, 0x1a, 2, 4, 5, 0x18, 6, 0x0a, 1, 'A'};
    struct infer_builder b;
    struct peeked p;
    infer_begin(&b, "m");
    assert_true(feed_whole(&p, join(&b, input, sizeof input)));
    assert_int_equal(p.peek.input_count, 1);
    const struct gw_peek_input *in = &p.peek.inputs[0];
    assert_int_equal(in->rank, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(in->dims[i], 3 + i);
    end(&p);
    infer_end(&b);
}

static void the_last_of_a_repeated_name_counts(void **state SL_UNUSED)
{
    static const uint8_t again[] = {0x0a, 5, 'o', 't', 'h', 'e', 'r'};
    struct infer_builder b;
    struct peeked p;
    infer_begin(&b, "m");
    struct sl_span m = join(&b, again, sizeof again);
    assert_true(feed_whole(&p, m));
    assert_range(m, p.peek.model_name, "other");
    end(&p);
    infer_end(&b);
}

static void a_parameter_without_a_value_is_left_out(void **state SL_UNUSED)
{
    /* parameters { key: "x" } parameters { key: "y" value { bool_param: true } } */
    static const uint8_t entries[] = {0x22, 3, 0x0a, 1, 'x', 0x22, 7, 0x0a, 1, 'y', 0x12, 2, 8, 1};
    /* The same without the second key: it does not get the name of the one that was left out. */
    static const uint8_t nameless[] = {0x22, 3, 0x0a, 1, 'x', 0x22, 4, 0x12, 2, 8, 1};
    struct infer_builder b;
    struct peeked p;
    infer_begin(&b, "m");
    struct sl_span m = join(&b, entries, sizeof entries);
    assert_true(feed_whole(&p, m));
    assert_int_equal(p.peek.param_count, 1);
    assert_range(m, p.peek.params[0].name, "y");
    assert_true(p.peek.params[0].kind == GW_PARAM_BOOL && p.peek.params[0].value.b);
    end(&p);
    assert_false(feed_whole(&p, join(&b, nameless, sizeof nameless)));
    assert_string_equal(p.err.text, "a parameter has no name");
    end(&p);
    infer_end(&b);
}

/* ---- limits */

static void lists_have_limits(void **state SL_UNUSED)
{
    struct infer_builder b;
    struct peeked p;
    for (int extra = 0; extra <= 1; extra++) {
        infer_begin(&b, "m");
        for (int i = 0; i < GW_PEEK_TENSORS_MAX + extra; i++)
            infer_input(&b, "A", "FP32", 0, NULL);
        if (extra)
            assert_refused(&b, "the request has more than 64 inputs");
        else
            assert_true(feed_whole(&p, infer_bytes(&b)) && p.peek.input_count == 64);
        infer_end(&b);
        if (!extra)
            end(&p);
    }
    infer_begin(&b, "m");
    for (int i = 0; i <= GW_PEEK_TENSORS_MAX; i++)
        infer_output(&b, "A");
    assert_refused(&b, "the request has more than 64 requested outputs");
    infer_end(&b);
    infer_begin(&b, "m");
    for (int i = 0; i <= GW_PEEK_TENSORS_MAX; i++)
        infer_raw(&b, "x", 1);
    assert_refused(&b, "the request has more than 64 raw_input_contents");
    infer_end(&b);
    infer_begin(&b, "m");
    for (int i = 0; i <= GW_PEEK_PARAMS_MAX; i++)
        infer_param_string(&b, "A", "b");
    assert_refused(&b, "the request has more than 64 parameters");
    infer_end(&b);
}

static void names_and_texts_have_limits(void **state SL_UNUSED)
{
    char name[257], text[GW_PEEK_TEXT_MAX + 2];
    struct infer_builder b;
    struct peeked p;
    memset(name, 'n', sizeof name);
    memset(text, 't', sizeof text);
    name[256] = text[GW_PEEK_TEXT_MAX + 1] = '\0';
    infer_begin(&b, name);
    assert_refused(&b, "model_name has 256 bytes, over the limit of 255");
    infer_end(&b);
    infer_begin(&b, name + 1);
    assert_true(feed_whole(&p, infer_bytes(&b)));
    end(&p);
    infer_input(&b, name, "FP32", 0, NULL);
    assert_refused(&b, "an input's name has 256 bytes, over the limit of 255");
    b.inputs[0]->name = name + 1;
    b.inputs[0]->datatype = name;
    assert_refused(&b, "an input's datatype has 256 bytes, over the limit of 255");
    b.request.n_inputs = 0;
    infer_output(&b, name);
    assert_refused(&b, "an output's name has 256 bytes, over the limit of 255");
    b.request.n_outputs = 0;
    b.request.id = text;
    assert_refused(&b, "id has 4097 bytes, over the limit of 4096");
    b.request.id = text + 1;
    assert_true(feed_whole(&p, infer_bytes(&b)));
    end(&p);
    infer_param_string(&b, "p", text);
    assert_refused(&b, "the value of parameter 'p' has 4097 bytes, over the limit of 4096");
    infer_end(&b);
}

static void parameters_have_names_and_a_limit_in_all(void **state SL_UNUSED)
{
    struct infer_builder b;
    infer_begin(&b, "m");
    infer_param_string(&b, "", "v");
    assert_refused(&b, "a parameter has no name");
    infer_end(&b);
    char text[GW_PEEK_TEXT_MAX + 1];
    memset(text, 'v', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    infer_begin(&b, "m");
    for (size_t i = 0; i < GW_PEEK_PARAMS_BYTES_MAX / (GW_PEEK_TEXT_MAX + 1) + 1; i++)
        infer_param_string(&b, "p", text);
    assert_refused(&b, "the request's parameters have more than 32768 bytes in all");
    infer_end(&b);
}

static void seventeen_dimensions_are_refused(void **state SL_UNUSED)
{
    static const int64_t dims[17] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct infer_builder b;
    infer_begin(&b, "m");
    infer_input(&b, "IN", "FP32", 17, dims);
    assert_refused(&b, "input 'IN' has more than 16 dimensions");
    infer_end(&b);
}

static void text_must_be_utf8_without_nul(void **state SL_UNUSED)
{
    static const char *const bad[] = {"\xff", "\xc3", "\xed\xa0\x80", "\xc0\xaf"};
    struct infer_builder b;
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++) {
        infer_begin(&b, bad[i]);
        assert_refused(&b, "model_name is not UTF-8 text without NUL bytes");
        infer_end(&b);
        infer_begin(&b, "m");
        infer_param_string(&b, bad[i], "v");
        assert_refused(&b, "a parameter's name is not UTF-8 text without NUL bytes");
        infer_end(&b);
    }
    /* protobuf-c writes no NUL into a string */
    static const uint8_t nul[] = {0x0a, 3, 'm', 0, 'x'};
    struct peeked p;
    assert_false(feed_whole(&p, sl_span_of(nul, sizeof nul)));
    assert_string_equal(p.err.text, "model_name is not UTF-8 text without NUL bytes");
    end(&p);
}

static void what_a_tensor_may_not_ask_for_is_named(void **state SL_UNUSED)
{
    static const char *const asks[][2] = {
        {"shared_memory_region",
         "tensor 'A' asks for a shared memory region; send its bytes instead"},
        {"classification", "tensor 'A' asks for classes; only the output itself is offered"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(asks); i++) {
        struct infer_builder b;
        infer_begin(&b, "m");
        infer_tensor_param(&b, infer_input(&b, "A", "FP32", 0, NULL), asks[i][0]);
        assert_refused(&b, asks[i][1]);
        infer_end(&b);
    }
}

static void no_memory_is_said(void **state SL_UNUSED)
{
    struct infer_builder b;
    struct peeked p = {0};
    infer_begin(&b, "m");
    infer_input(&b, "A", "FP32", 0, NULL);
    struct sl_span m = infer_bytes(&b);
    sl_arena_init(&p.arena, &sl_alloc_malloc, 16);
    gw_peek_init(&p.peek, &p.arena);
    assert_false(gw_peek_feed(&p.peek, m.data, m.len, m.len, &p.err));
    assert_int_equal(p.err.reason, SL_REASON_NO_CAPACITY);
    end(&p);
    infer_end(&b);
}

/* ---- garbage */

static void fields_of_a_wrong_type_are_refused(void **state SL_UNUSED)
{
    for (uint8_t number = 1; number <= 7; number++) {
        const uint8_t as_varint[] = {(uint8_t)(number << 3), 1};
        struct peeked p;
        assert_false(feed_whole(&p, sl_span_of(as_varint, sizeof as_varint)));
        assert_int_equal(p.err.reason, SL_REASON_BAD_INPUT);
        assert_non_null(strstr(p.err.text, "not a valid ModelInferRequest"));
        end(&p);
    }
}

/* Whatever the bytes: accepted or refused with a sentence, whole or in pieces alike, nothing
 * outside. */
static void mutated_requests_are_survived_alike_whole_and_in_pieces(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 3);
    for (int round = 0; round < 4000; round++) {
        struct infer_builder b;
        struct peeked whole, pieces;
        random_request(&b, &rng);
        struct sl_span m = infer_bytes(&b);
        uint8_t *bytes = malloc(m.len + 1);
        memcpy(bytes, m.data, m.len);
        for (uint64_t n = 1 + sl_rng_below(&rng, 4); n > 0 && m.len > 0; n--)
            bytes[sl_rng_below(&rng, m.len)] = (uint8_t)sl_rng_u64(&rng);
        size_t len = sl_rng_below(&rng, 4) == 0 ? (size_t)sl_rng_below(&rng, m.len + 1) : m.len;
        bool ok = feed_whole(&whole, sl_span_of(bytes, len));
        begin(&pieces);
        bool ok_pieces = true;
        for (size_t at = 0; at <= len && ok_pieces; at += 37)
            ok_pieces = gw_peek_feed(&pieces.peek, bytes, at, len, &pieces.err);
        ok_pieces = ok_pieces && gw_peek_feed(&pieces.peek, bytes, len, len, &pieces.err);
        assert_int_equal(ok, ok_pieces);
        assert_int_equal(ok, whole.err.reason == SL_REASON_OK);
        if (!ok)
            assert_string_equal(whole.err.text, pieces.err.text);
        assert_int_equal(whole.peek.input_count, pieces.peek.input_count);
        end(&whole);
        end(&pieces);
        free(bytes);
        infer_end(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_random_request_is_seen_as_it_was_built),
        cmocka_unit_test(bytes_may_arrive_in_any_cut_and_move),
        cmocka_unit_test(raw_bytes_need_not_be_there),
        cmocka_unit_test(unknown_fields_are_passed_over),
        cmocka_unit_test(a_shape_may_be_unpacked_or_in_several_parts),
        cmocka_unit_test(the_last_of_a_repeated_name_counts),
        cmocka_unit_test(a_parameter_without_a_value_is_left_out),
        cmocka_unit_test(lists_have_limits),
        cmocka_unit_test(names_and_texts_have_limits),
        cmocka_unit_test(parameters_have_names_and_a_limit_in_all),
        cmocka_unit_test(seventeen_dimensions_are_refused),
        cmocka_unit_test(text_must_be_utf8_without_nul),
        cmocka_unit_test(what_a_tensor_may_not_ask_for_is_named),
        cmocka_unit_test(no_memory_is_said),
        cmocka_unit_test(fields_of_a_wrong_type_are_refused),
        cmocka_unit_test(mutated_requests_are_survived_alike_whole_and_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
