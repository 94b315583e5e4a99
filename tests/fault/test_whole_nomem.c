/* test_whole_nomem.c - whole calls from a visitor's bytes to an executor and back, each played again and again
 * while the first, the second, the third ... allocation fails, alone or with all after it, in the gateway or in
 * the executor. Every time the visitor gets an answer, a typed error or the end of the connection; the next
 * visitor is served; nothing is left over. */
#include <string.h>

#include "sl_log.h"
#include "sl_test.h"
#include "whole_stage.h"

enum { LARGE_FLOATS = 50000, MIDDLE_FLOATS = 1000 };

/* ---- messages */

static struct sl_span floats(struct infer_builder *b, const char *model, size_t count)
{
    infer_begin(b, model);
    infer_input(b, "IN", "FP32", 1, (int64_t[]){(int64_t)count});
    void *raw = infer_room(b, count * 4);
    memset(raw, 0x3f, count * 4);
    infer_raw(b, raw, count * 4);
    return infer_bytes(b);
}

/* Typed contents that are converted, a parameter, an id, and outputs asked for by name. */
static struct sl_span typed_pair(struct infer_builder *b)
{
    static int64_t numbers[] = {1, -2, 3, -4};
    infer_begin(b, "pair");
    b->request.id = (char *)(uintptr_t) "an id";
    infer_param_string(b, "note", "to the model");
    Inference__InferTensorContents *texts =
        infer_contents(b, infer_input(b, "A", "BYTES", 1, (int64_t[]){2}));
    ProtobufCBinaryData *list = infer_room(b, 2 * sizeof *list);
    list[0] = (ProtobufCBinaryData){5, infer_copy(b, "first", 5)};
    list[1] = (ProtobufCBinaryData){6, infer_copy(b, "second", 6)};
    texts->bytes_contents = list;
    texts->n_bytes_contents = 2;
    Inference__InferTensorContents *ints =
        infer_contents(b, infer_input(b, "B", "INT64", 2, (int64_t[]){2, 2}));
    ints->int64_contents = numbers;
    ints->n_int64_contents = SL_ARRAY_LEN(numbers);
    infer_output(b, "Y");
    infer_output(b, "X");
    return infer_bytes(b);
}

static struct h2_call *call_floats(struct stage *s, const char *model, size_t count)
{
    struct infer_builder b;
    struct h2_call *c = stage_call(s, GW_METHOD_MODEL_INFER, floats(&b, model, count));
    infer_end(&b);
    return c;
}

/* ---- scenes */

static void play_small(struct stage *s)
{
    struct h2_call *c = call_floats(s, "echo", 3);
    stage_run(s);
    stage_expect(s, c, SL_GRPC_OK);
}

/* Room is asked for, and both ways go by bulk. */
static void play_large(struct stage *s)
{
    struct h2_call *c = call_floats(s, "echo", LARGE_FLOATS);
    stage_run(s);
    if (stage_expect(s, c, SL_GRPC_OK))
        assert_true(c->download.len > LARGE_FLOATS * 4);
}

static void play_typed(struct stage *s)
{
    struct infer_builder b;
    struct h2_call *c = stage_call(s, GW_METHOD_MODEL_INFER, typed_pair(&b));
    infer_end(&b);
    stage_run(s);
    stage_expect(s, c, SL_GRPC_OK);
}

static void play_zipped_of(struct stage *s, size_t count)
{
    struct infer_builder b;
    struct h2_call *c = stage_call_zipped(s, floats(&b, "echo", count));
    infer_end(&b);
    stage_run(s);
    stage_expect(s, c, SL_GRPC_OK);
}

static void play_zipped(struct stage *s)
{
    play_zipped_of(s, MIDDLE_FLOATS);
}

static void play_zipped_large(struct stage *s)
{
    play_zipped_of(s, LARGE_FLOATS);
}

static void play_refused(struct stage *s)
{
    struct h2_call *a = call_floats(s, "nobody", 3);
    struct infer_builder b;
    infer_begin(&b, "echo");
    infer_input(&b, "IN", "INT8", 1, (int64_t[]){1});
    infer_raw(&b, "1", 1);
    struct h2_call *c = stage_call(s, GW_METHOD_MODEL_INFER, infer_bytes(&b));
    infer_end(&b);
    struct h2_call *d = stage_call(s, GW_METHOD_MODEL_INFER, sl_span_str("\xff"));
    stage_run(s);
    stage_expect(s, a, SL_GRPC_NOT_FOUND);
    stage_expect(s, c, SL_GRPC_INVALID_ARGUMENT);
    stage_expect(s, d, SL_GRPC_INVALID_ARGUMENT);
}

/* Fields 1, 2 and 3 of a message, as texts. */
#define ONE(len, text)   "\x0a" len text
#define TWO(len, text)   "\x12" len text
#define THREE(len, text) "\x1a" len text

#define CALL_ID   "01234567-89ab-cdef-0123-456789abcdef"
#define THIS_CALL ONE("\x24", CALL_ID)

static const struct question {
    const char *message; /* NULL: an empty one */
    enum sl_grpc_code answer;
} questions[GW_METHOD_COUNT] = {
    [GW_METHOD_MODEL_READY] = {ONE("\x04", "echo"), SL_GRPC_OK},
    [GW_METHOD_MODEL_METADATA] = {ONE("\x04", "echo"), SL_GRPC_OK},
    [GW_METHOD_GET_RESULT] = {THIS_CALL, SL_GRPC_NOT_FOUND},
    [GW_METHOD_GET_CALL] = {THIS_CALL, SL_GRPC_NOT_FOUND},
    [GW_METHOD_WATCH_CALL] = {THIS_CALL, SL_GRPC_NOT_FOUND},
    [GW_METHOD_CANCEL_CALL] = {THIS_CALL, SL_GRPC_NOT_FOUND},
    [GW_METHOD_ISSUE_VISITOR_TOKEN] = {NULL, SL_GRPC_PERMISSION_DENIED},
    [GW_METHOD_DRAIN_NODE] = {ONE("\x02", "n9"), SL_GRPC_NOT_FOUND},
    [GW_METHOD_UNDRAIN_NODE] = {ONE("\x02", "n1"), SL_GRPC_OK},
    [GW_METHOD_CREATE_TOKEN] = {ONE("\x03", "ana") TWO("\x03", "all"), SL_GRPC_OK},
    [GW_METHOD_REVOKE_TOKEN] = {ONE("\x09", "sl_nobody"), SL_GRPC_NOT_FOUND},
    [GW_METHOD_GET_ACCOUNT] = {ONE("\x0a", "ip:1.2.3.4"), SL_GRPC_OK},
    [GW_METHOD_REGISTER_APP] = {ONE("\x04", "demo") TWO("\x08", "user:ana") THREE("\x03", "all"),
                                SL_GRPC_OK},
    [GW_METHOD_REMOVE_APP] = {ONE("\x05", "other"), SL_GRPC_NOT_FOUND},
    [GW_METHOD_PAUSE_APP] = {ONE("\x05", "other"), SL_GRPC_NOT_FOUND},
    [GW_METHOD_RESUME_APP] = {ONE("\x05", "other"), SL_GRPC_NOT_FOUND},
    [GW_METHOD_GRANT_TIME] = {ONE("\x08", "user:ana") "\x10\x05" THREE("\x04", "gift"), SL_GRPC_OK},
    [GW_METHOD_BLOCK_VISITOR] = {ONE("\x08", "user:bob") TWO("\x04", "rude"), SL_GRPC_OK},
    [GW_METHOD_UNBLOCK_VISITOR] = {ONE("\x08", "user:eve") TWO("\x04", "calm"), SL_GRPC_OK},
};

static void play_questions(struct stage *s)
{
    struct h2_call *calls[GW_METHOD_COUNT] = {0};
    s->other_status = SL_GRPC_NOT_FOUND; /* a node that is not there yet */
    for (int m = GW_METHOD_UNKNOWN + 1; m < GW_METHOD_COUNT; m++) {
        const char *message = questions[m].message != NULL ? questions[m].message : "";
        if (m != GW_METHOD_MODEL_INFER)
            calls[m] = stage_call(s, (enum gw_method)m, sl_span_str(message));
    }
    stage_run(s);
    for (int m = GW_METHOD_UNKNOWN + 1; m < GW_METHOD_COUNT; m++)
        if (calls[m] != NULL)
            stage_expect(s, calls[m], questions[m].answer);
}

static struct h2_call *call_again(struct stage *s, size_t count)
{
    struct infer_builder b;
    struct h2_call *c = stage_call_by_key(s, "k", floats(&b, "echo", count));
    infer_end(&b);
    return c;
}

/* Two at once and one later; without memory for what is to be kept it is gone. */
static void play_twice(struct stage *s)
{
    s->other_status = SL_GRPC_NOT_FOUND;
    struct h2_call *a = call_again(s, 3), *b = call_again(s, 3);
    stage_run(s);
    stage_expect(s, a, SL_GRPC_OK);
    stage_expect(s, b, SL_GRPC_OK);
    struct h2_call *c = call_again(s, 3);
    stage_run(s);
    if (stage_expect(s, c, SL_GRPC_OK))
        assert_true(c->download.len > 12);
}

/* What is too large to be kept is shown to both, from where it lies, and then gone; where the first one failed, the
 * third runs. */
static void play_twice_large(struct stage *s)
{
    s->other_status = SL_GRPC_NOT_FOUND;
    struct h2_call *a = call_again(s, LARGE_FLOATS), *b = call_again(s, LARGE_FLOATS);
    stage_run(s);
    bool is_good = stage_expect(s, a, SL_GRPC_OK);
    if (stage_expect(s, b, SL_GRPC_OK) && is_good)
        assert_int_equal(a->download.len, b->download.len);
    struct h2_call *c = call_again(s, LARGE_FLOATS);
    stage_run(s);
    stage_expect(s, c, is_good ? SL_GRPC_NOT_FOUND : SL_GRPC_OK);
}

static void play_failed(struct stage *s)
{
    struct h2_call *a = call_floats(s, "fails", 3);
    struct h2_call *b = call_floats(s, "dies", 3);
    stage_run(s);
    stage_expect(s, a, SL_GRPC_INTERNAL);
    stage_expect(s, b, SL_GRPC_INTERNAL);
}

/* One that runs is cancelled, one beside it is not. */
static void play_cancelled(struct stage *s)
{
    struct h2_call *a = call_floats(s, "stalls", 3);
    stage_run(s);
    if (s->is_connected && !a->is_closed)
        h2_call_reset(&s->visitor, a);
    struct h2_call *b = call_floats(s, "echo", 3);
    stage_run(s);
    stage_expect(s, b, SL_GRPC_OK);
}

/* One that runs is watched, and then cancelled, by its name. */
static void play_watched(struct stage *s)
{
    struct infer_builder b;
    s->other_status = SL_GRPC_NOT_FOUND; /* the call has failed before it is asked for */
    struct h2_call *a = stage_call_named(s, CALL_ID, floats(&b, "stalls", 3));
    infer_end(&b);
    stage_run(s);
    struct h2_call *w = stage_call(s, GW_METHOD_WATCH_CALL, sl_span_str(THIS_CALL));
    stage_run(s);
    struct h2_call *c = stage_call(s, GW_METHOD_CANCEL_CALL, sl_span_str(THIS_CALL));
    stage_run(s);
    bool is_cancelled = stage_expect(s, c, SL_GRPC_OK);
    stage_wait(s, 3 * SL_NS_PER_S);
    stage_expect(s, w, SL_GRPC_OK);
    stage_expect(s, a, is_cancelled ? SL_GRPC_CANCELLED : SL_GRPC_DEADLINE_EXCEEDED);
}

static void play_too_long(struct stage *s)
{
    struct h2_call *c = call_floats(s, "stalls", 3);
    stage_run(s);
    stage_wait(s, 3 * SL_NS_PER_S);
    stage_expect(s, c, SL_GRPC_DEADLINE_EXCEEDED);
}

/* Two run and one waits when their executor is lost; the one that waited is run by the next. Without memory
 * the two may not have begun, and then run there to their limit. */
static void play_lost_node(struct stage *s)
{
    s->other_status = SL_GRPC_DEADLINE_EXCEEDED;
    struct h2_call *a = call_floats(s, "stalls", 3);
    struct h2_call *b = call_floats(s, "stalls", 3);
    stage_run(s);
    struct h2_call *c = call_floats(s, "echo", 3);
    stage_run(s);
    stage_lose_node(s);
    stage_start_node(s);
    stage_run(s);
    for (int i = 0; i < 10; i++)
        stage_wait(s, SL_NS_PER_S);
    stage_expect(s, a, SL_GRPC_UNAVAILABLE);
    stage_expect(s, b, SL_GRPC_UNAVAILABLE);
    stage_expect(s, c, SL_GRPC_OK);
}

/* Two large ones at a time, one of which is given up while it runs. */
static void play_shared_cancelled(struct stage *s)
{
    struct h2_call *a = call_floats(s, "stalls", LARGE_FLOATS);
    stage_run(s);
    if (s->is_connected && !a->is_closed)
        h2_call_reset(&s->visitor, a);
    struct h2_call *b = call_floats(s, "echo", LARGE_FLOATS);
    stage_run(s);
    stage_expect(s, b, SL_GRPC_OK);
}

/* What nobody uses goes back to the system, and both sides hear of it; then it is made anew. */
static void play_shared_trimmed(struct stage *s)
{
    play_large(s);
    for (int i = 0; i < 25; i++)
        stage_wait(s, SL_NS_PER_S);
    if (s->is_connected)
        play_large(s);
}

/* An executor is lost while it has what it was lent. */
static void play_shared_lost_node(struct stage *s)
{
    s->other_status = SL_GRPC_DEADLINE_EXCEEDED;
    struct h2_call *a = call_floats(s, "stalls", LARGE_FLOATS);
    stage_run(s);
    stage_lose_node(s);
    stage_start_node(s);
    for (int i = 0; i < 10; i++)
        stage_wait(s, SL_NS_PER_S);
    stage_expect(s, a, SL_GRPC_UNAVAILABLE);
    if (s->is_connected)
        play_large(s);
}

/* ---- the sweep */

typedef void (*scene)(struct stage *s);

static struct stage stage;

/* Once with allocation i failing; false: it was not reached. */
static bool play(scene play_it, unsigned options, enum stage_side side, size_t i,
                 bool keeps_failing)
{
    stage_open(&stage, options);
    stage_arm(&stage, side, i, keeps_failing);
    play_it(&stage);
    bool was_reached = stage_disarm(&stage);
    stage_expect_service(&stage);
    stage_close(&stage);
    return was_reached;
}

static void sweep(const char *name, scene play_it, unsigned options, size_t at_least[STAGE_SIDES])
{
    for (int side = 0; side < STAGE_SIDES; side++) {
        size_t i = 0;
        (void)play(play_it, options, side, 0, false); /* as it is with memory */
        do {
            i++;
            (void)play(play_it, options, side, i, true);
        } while (play(play_it, options, side, i, false));
        print_message("%s: %zu allocations of the %s\n", name, i - 1,
                      side == STAGE_GATEWAY ? "gateway" : "executor");
        assert_true(i - 1 >= at_least[side]);
    }
}

#define SCENES(X)                                                                                  \
    X(small, 10, 2)                                                                                \
    X(large, 15, 4)                                                                                \
    X(typed, 10, 3)                                                                                \
    X(zipped, 15, 3)                                                                               \
    X(zipped_large, 15, 3)                                                                         \
    X(watched, 20, 2)                                                                              \
    X(twice, 20, 2)                                                                                \
    X(twice_large, 20, 4)                                                                          \
    X(refused, 10, 0)                                                                              \
    X(questions, 20, 0)                                                                            \
    X(failed, 10, 2)                                                                               \
    X(cancelled, 10, 2)                                                                            \
    X(too_long, 10, 2)                                                                             \
    X(lost_node, 20, 10)

#define SCENE_TEST(NAME, GATEWAY, NODE)                                                            \
    static void test_##NAME(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        sweep(#NAME, play_##NAME, 0, (size_t[]){GATEWAY, NODE});                                   \
    }
SCENES(SCENE_TEST)

static void test_by_tls(void **state)
{
    (void)state;
    sweep("small by TLS", play_small, STAGE_TLS, (size_t[]){10, 2});
    sweep("large by TLS", play_large, STAGE_TLS, (size_t[]){15, 4});
}

/* That it is taken at all when nothing fails. */
static void expect_sharing(void)
{
    stage_open(&stage, STAGE_SHARED);
    play_large(&stage);
    const struct ex_link_stats stats = ex_link_stats(stage.node.link);
    assert_true(stats.shared_bytes_down >= LARGE_FLOATS * 4);
    assert_true(stats.shared_bytes_up >= LARGE_FLOATS * 4);
    stage_close(&stage);
}

/* What cannot be shown, mapped, sealed or passed on goes by bulk, or ends its call. */
static void test_in_shared_memory(void **state)
{
    (void)state;
    expect_sharing();
    sweep("large in shared memory", play_large, STAGE_SHARED, (size_t[]){40, 40});
    sweep("zipped_large in shared memory", play_zipped_large, STAGE_SHARED, (size_t[]){40, 40});
    sweep("twice_large in shared memory", play_twice_large, STAGE_SHARED, (size_t[]){40, 40});
    sweep("shared_cancelled", play_shared_cancelled, STAGE_SHARED, (size_t[]){40, 40});
    sweep("shared_trimmed", play_shared_trimmed, STAGE_SHARED, (size_t[]){40, 40});
    sweep("shared_lost_node", play_shared_lost_node, STAGE_SHARED, (size_t[]){40, 40});
}

/* That nodes come and go is the scenes' business. */
static void drop_line(void *ctx, const char *line, unsigned len)
{
    (void)ctx, (void)line, (void)len;
}

int main(void)
{
#define SCENE_ROW(NAME, GATEWAY, NODE) cmocka_unit_test(test_##NAME),
    const struct CMUnitTest tests[] = {SCENES(SCENE_ROW) cmocka_unit_test(test_by_tls),
                                       cmocka_unit_test(test_in_shared_memory)};
    sl_log_set_sink(drop_line, NULL);
    return cmocka_run_group_tests(tests, tls_files_set_up, tls_files_tear_down);
}
