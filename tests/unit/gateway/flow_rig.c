/* flow_rig.c - what the tests of gw_flow are made of, over the faked world of gw_fakes. */
#include "flow_rig.h"

#include "gw_tier.h"
#include "infer_builder.h"
#include "sl_test.h"

const float flow_tensor[3] = {1.5f, -2.5f, 3.5f};

const struct gw_principal flow_admin = {.kind = GW_PRINCIPAL_USER,
                                        .is_admin = true,
                                        .is_signed_in = true,
                                        .purse_count = 1,
                                        .purses = {{"user:admin", GW_FACTOR_ONE}}};

const struct gw_principal flow_member = {.kind = GW_PRINCIPAL_VISITOR,
                                         .is_signed_in = true,
                                         .purse_count = 1,
                                         .purses = {{"user:idp#7", GW_FACTOR_ONE}},
                                         .app = "demo",
                                         .organisation = "Example Ltd."};

void flow_begin(struct fake_world *w)
{
    fake_world_init(w, &sl_alloc_malloc);
}

void flow_start(struct fake_world *w)
{
    assert_ok(fake_world_start(w));
}

void flow_finish(struct fake_world *w)
{
    const char *wrong = fake_world_finish(w);
    if (wrong != NULL)
        fail_msg("%s", wrong);
}

struct gw_body *flow_request_of(const char *model, size_t padding)
{
    struct infer_builder b;
    infer_begin(&b, model);
    b.request.id = (char *)(uintptr_t) "req-1";
    infer_input(&b, "IN", "FP32", 1, (const int64_t[]){(int64_t)(3 + padding)});
    float *raw = infer_room(&b, (3 + padding) * sizeof(float));
    memset(raw, 0, (3 + padding) * sizeof(float));
    memcpy(raw, flow_tensor, sizeof flow_tensor);
    infer_raw(&b, raw, (3 + padding) * sizeof(float));
    struct gw_body *body = infer_body(&b);
    infer_end(&b);
    return body;
}

struct gw_body *flow_request(void)
{
    return flow_request_of("m", 0);
}

void flow_assert_replied(const struct fake_exchange *e, enum sl_reason reason, const char *text)
{
    assert_int_equal(e->replies, 1);
    if (e->x.reply.error.reason != reason)
        fail_msg("%s: %s", sl_reason_name(e->x.reply.error.reason), e->x.reply.error.text);
    if (text != NULL)
        assert_string_equal(e->x.reply.error.text, text);
}

const char *flow_trailer(const struct fake_exchange *e, const char *name)
{
    for (size_t i = 0; i < e->x.reply.trailer_count; i++)
        if (strcmp(e->x.reply.trailers[i].name, name) == 0)
            return e->x.reply.trailers[i].value;
    return NULL;
}

void flow_assert_good_reply(const struct fake_exchange *e)
{
    static const float wanted[4] = {1, 2, 3, 4};
    uint8_t all[512];
    size_t len = 0;
    flow_assert_replied(e, SL_REASON_OK, NULL);
    for (size_t i = 0; i < e->x.reply.piece_count; i++) {
        assert_true(len + e->x.reply.pieces[i].len <= sizeof all);
        memcpy(all + len, e->x.reply.pieces[i].data, e->x.reply.pieces[i].len);
        len += e->x.reply.pieces[i].len;
    }
    assert_int_equal(len, e->x.reply.message_bytes);
    Inference__ModelInferResponse *m = inference__model_infer_response__unpack(NULL, len, all);
    assert_non_null(m);
    assert_string_equal(m->model_name, "m");
    assert_string_equal(m->id, "req-1");
    assert_int_equal(m->n_raw_output_contents, 1);
    assert_int_equal(m->raw_output_contents[0].len, sizeof wanted);
    assert_memory_equal(m->raw_output_contents[0].data, wanted, sizeof wanted);
    inference__model_infer_response__free_unpacked(m, NULL);
}

uint64_t flow_in_state(struct fake_world *w, enum gw_call_state s)
{
    return gw_flow_counts(w->flow)->in[s];
}

struct fake_exchange *flow_open_large(struct fake_world *w, struct gw_body *body)
{
    struct fake_exchange *e = fake_exchange(w, GW_METHOD_MODEL_INFER);
    e->x.message_bytes = body->len;
    e->x.head = sl_span_of(body->data, 64);
    fake_event(w, e, GW_EV_OPEN | GW_EV_LENGTH);
    return e;
}

struct fake_exchange *flow_bring_to(struct fake_world *w, enum gw_call_state s,
                                    sl_mono_ns deadline_at, struct gw_fleet_node **n)
{
    *n = flow_begin_with_node(w);
    if (s == GW_CALL_QUEUED)
        (*n)->is_draining = true;
    struct fake_exchange *e = fake_exchange(w, GW_METHOD_MODEL_INFER);
    e->x.req.deadline_at = deadline_at;
    fake_event(w, e, GW_EV_OPEN);
    if (s != GW_CALL_RECEIVING)
        fake_message(w, e, flow_request());
    fake_turn(w);
    if (s == GW_CALL_RUNNING)
        fake_started(w, *n, w->sent[0].lease);
    fake_turn(w);
    assert_int_equal(flow_in_state(w, s), 1);
    return e;
}

struct fake_exchange *flow_ask(struct fake_world *w, enum gw_method method, struct sl_span m)
{
    struct fake_exchange *e = fake_exchange(w, method);
    fake_event(w, e, GW_EV_OPEN);
    fake_message(w, e, body_of(m));
    return e;
}

struct gw_fleet_node *flow_begin_with_node(struct fake_world *w)
{
    flow_begin(w);
    flow_start(w);
    return fake_join(w, "n1", 1, "m");
}
