/* test_gw_flow.c - the story of a call in a faked world: each way it can go, and end. Every
 * exchange gets one reply, every call one outcome, and nothing of it stays behind. */
#include "gw_flow.h"

#include <stdlib.h>

#include "fail_alloc.h"
#include "gw_fakes.h"
#include "gw_pb.h"
#include "infer_builder.h"
#include "sl_log.h"
#include "sl_test.h"
#include "sl_text.h"

static const float tensor[3] = {1.5f, -2.5f, 3.5f};

static void begin(struct fake_world *w)
{
    fake_world_init(w, &sl_alloc_malloc);
}

static void start(struct fake_world *w)
{
    assert_ok(fake_world_start(w));
}

static void finish(struct fake_world *w)
{
    const char *wrong = fake_world_finish(w);
    if (wrong != NULL)
        fail_msg("%s", wrong);
}

/* A request for model m that fits; extra bytes make it large. */
static struct gw_body *request_of(const char *model, size_t padding)
{
    struct infer_builder b;
    infer_begin(&b, model);
    b.request.id = (char *)(uintptr_t) "req-1";
    infer_input(&b, "IN", "FP32", 1, (const int64_t[]){(int64_t)(3 + padding)});
    float *raw = infer_room(&b, (3 + padding) * sizeof(float));
    memset(raw, 0, (3 + padding) * sizeof(float));
    memcpy(raw, tensor, sizeof tensor);
    infer_raw(&b, raw, (3 + padding) * sizeof(float));
    struct gw_body *body = infer_body(&b);
    infer_end(&b);
    return body;
}

static struct gw_body *request(void)
{
    return request_of("m", 0);
}

static void assert_replied(const struct fake_exchange *e, enum sl_reason reason, const char *text)
{
    assert_int_equal(e->replies, 1);
    if (e->x.reply.error.reason != reason)
        fail_msg("%s: %s", sl_reason_name(e->x.reply.error.reason), e->x.reply.error.text);
    if (text != NULL)
        assert_string_equal(e->x.reply.error.text, text);
}

static const char *trailer(const struct fake_exchange *e, const char *name)
{
    for (size_t i = 0; i < e->x.reply.trailer_count; i++)
        if (strcmp(e->x.reply.trailers[i].name, name) == 0)
            return e->x.reply.trailers[i].value;
    return NULL;
}

static void assert_good_reply(const struct fake_exchange *e)
{
    static const float wanted[4] = {1, 2, 3, 4};
    uint8_t all[512];
    size_t len = 0;
    assert_replied(e, SL_REASON_OK, NULL);
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

static uint64_t in_state(struct fake_world *w, enum gw_call_state s)
{
    return gw_flow_counts(w->flow)->in[s];
}

/* ---- the good way */

static void a_call_goes_from_open_to_its_reply(void **state SL_UNUSED)
{
    for (int by_reference = 0; by_reference <= 1; by_reference++) {
        struct fake_world w;
        begin(&w);
        start(&w);
        struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
        struct gw_body *body = request();
        struct fake_exchange *e = fake_call(&w, gw_body_share(body));
        assert_int_equal(in_state(&w, GW_CALL_DISPATCHED), 1);
        assert_int_equal(w.sent_count, 1);
        assert_int_equal(w.sent[0].limit_us, 60 * SL_US_PER_S);
        assert_int_equal(w.sent[0].payload_bytes, sizeof tensor);
        assert_memory_equal(w.sent[0].payload, tensor, sizeof tensor);
        assert_true(sl_text_is_uuid(sl_span_str(w.sent[0].call_id)));
        fake_advance(&w, 2 * SL_NS_PER_MS);
        fake_started(&w, n, w.sent[0].lease);
        assert_int_equal(in_state(&w, GW_CALL_RUNNING), 1);
        fake_advance(&w, 10 * SL_NS_PER_MS);
        assert_int_equal(e->replies, 0);
        fake_result(&w, n, w.sent[0].lease, by_reference);
        assert_good_reply(e);
        assert_string_equal(trailer(e, "sluice-call-id"), w.sent[0].call_id);
        assert_string_equal(trailer(e, "sluice-queue-ms"), "2.000");
        assert_string_equal(trailer(e, "sluice-exec-ms"), "12.345");
        assert_string_equal(trailer(e, "sluice-node"), "n1");
        assert_int_equal(w.releases, 0); /* not before it was sent */
        assert_int_equal(gw_flow_ended(w.flow, SL_REASON_OK), 1);
        assert_int_equal(gw_fleet_find(gw_flow_fleet(w.flow), sl_span_str("m"))->call_count, 1);
        assert_int_equal(atomic_load(&body->references), 1); /* the flow has let it go */
        gw_body_release(body);
        fake_leave(&w, e);
        assert_int_equal(w.releases, by_reference);
        assert_int_equal(gw_fleet_totals(gw_flow_fleet(w.flow)).leases, 0);
        finish(&w);
    }
}

static void a_result_may_come_without_started_before(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e = fake_call(&w, request());
    fake_result(&w, n, w.sent[0].lease, false);
    assert_good_reply(e);
    assert_non_null(trailer(e, "sluice-exec-ms"));
    finish(&w);
}

static void what_a_call_asks_for_reaches_the_node(void **state SL_UNUSED)
{
    static const char id[] = "01234567-89ab-4def-8123-456789abcdef";
    struct fake_world w;
    begin(&w);
    start(&w);
    fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e = fake_exchange(&w, GW_METHOD_MODEL_INFER);
    e->x.req.duration = sl_span_str("500ms");
    e->x.req.call_id = sl_span_str(id);
    fake_event(&w, e, GW_EV_OPEN);
    fake_message(&w, e, request());
    fake_turn(&w);
    assert_int_equal(w.sent[0].limit_us, 500000);
    assert_string_equal(w.sent[0].call_id, id);
    gw_flow_end_all(w.flow, w.now);
    finish(&w);
}

static void calls_are_placed_in_the_order_they_came(void **state SL_UNUSED)
{
    struct fake_world w;
    struct fake_exchange *e[4];
    begin(&w);
    start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    for (int i = 0; i < 4; i++)
        e[i] = fake_call(&w, request());
    assert_int_equal(w.sent_count, 1);
    assert_int_equal(in_state(&w, GW_CALL_QUEUED), 3);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(w.sent_count, i + 1);
        fake_started(&w, n, w.sent[i].lease);
        fake_result(&w, n, w.sent[i].lease, false);
        assert_good_reply(e[i]);
        fake_turn(&w);
    }
    finish(&w);
}

static void calls_wait_for_their_node(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    gw_flow_on_lost(w.flow, n, "test", w.now);
    struct fake_exchange *e = fake_call(&w, request());
    assert_int_equal(w.sent_count, 0);
    n = fake_join(&w, "n1", 1, "m");
    fake_turn(&w);
    assert_int_equal(w.sent_count, 1);
    fake_result(&w, n, w.sent[0].lease, false);
    assert_good_reply(e);
    finish(&w);
}

/* They were checked against what no node has any more. */
static void calls_that_wait_for_a_changed_model_end(void **state SL_UNUSED)
{
    for (int is_removed = 0; is_removed <= 1; is_removed++) {
        struct fake_world w;
        struct fake_exchange *e[3];
        begin(&w);
        start(&w);
        struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
        for (int i = 0; i < 3; i++) /* one was sent, but not started */
            e[i] = fake_call(&w, request());
        gw_flow_on_lost(w.flow, n, "test", w.now);
        fake_turn(&w);
        assert_int_equal(in_state(&w, GW_CALL_QUEUED), 3);
        w.version = "2";
        n = fake_join(&w, "n1", 1, is_removed ? "other" : "m");
        for (int i = 0; i < 3; i++)
            assert_replied(e[i], SL_REASON_NO_CAPACITY,
                           "model 'm' was changed or removed while the call waited for it; send it "
                           "again");
        struct fake_exchange *after = fake_call(&w, request());
        if (is_removed) {
            assert_replied(after, SL_REASON_MODEL_NOT_FOUND, NULL);
        } else {
            fake_result(&w, n, w.sent[w.sent_count - 1].lease, false);
            assert_good_reply(after);
        }
        finish(&w);
    }
}

/* ---- refused when it opens */

static void assert_refused_at_open(struct gw_request *headers, enum sl_reason reason,
                                   const char *text)
{
    struct fake_world w;
    begin(&w);
    start(&w);
    fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e = fake_exchange(&w, GW_METHOD_MODEL_INFER);
    headers->method = e->x.req.method;
    headers->path = e->x.req.path;
    headers->deadline_at = e->x.req.deadline_at;
    e->x.req = *headers;
    fake_event(&w, e, GW_EV_OPEN);
    assert_replied(e, reason, text);
    assert_non_null(trailer(e, "sluice-call-id"));
    struct gw_body *body = request();
    fake_message(&w, e, gw_body_share(body)); /* it was under way */
    assert_int_equal(atomic_load(&body->references), 1);
    gw_body_release(body);
    fake_event(&w, e, GW_EV_GONE);
    fake_turn(&w);
    assert_replied(e, reason, text);
    assert_int_equal(w.sent_count, 0);
    assert_int_equal(gw_flow_ended(w.flow, reason), 1);
    finish(&w);
}

static void headers_that_cannot_be_served_are_refused_at_once(void **state SL_UNUSED)
{
    assert_refused_at_open(&(struct gw_request){.authorization = sl_span_str("Bearer x")},
                           SL_REASON_UNAUTHENTICATED,
                           "this gateway knows no tokens: leave the authorization header out");
    assert_refused_at_open(&(struct gw_request){.x_ip_token = sl_span_str("x")},
                           SL_REASON_NOT_TRUSTED,
                           "x-ip-token is only for trusted apps, and there are none");
    assert_refused_at_open(&(struct gw_request){.call_id = sl_span_str("ABC")}, SL_REASON_BAD_INPUT,
                           "sluice-call-id 'ABC' is not a UUID in lower case (8-4-4-4-12)");
    assert_refused_at_open(&(struct gw_request){.duration = sl_span_str("soon")},
                           SL_REASON_BAD_INPUT, NULL);
    assert_refused_at_open(&(struct gw_request){.size = sl_span_str("xlarge")},
                           SL_REASON_SIZE_UNAVAILABLE, NULL);
    assert_refused_at_open(&(struct gw_request){.max_wait = sl_span_str("601")},
                           SL_REASON_BAD_INPUT, NULL);
    assert_refused_at_open(&(struct gw_request){.on_disconnect = sl_span_str("perhaps")},
                           SL_REASON_BAD_INPUT,
                           "sluice-on-disconnect 'perhaps' is neither cancel nor keep");
}

static void calls_have_a_limit(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    w.conf.max_calls = 2;
    start(&w);
    fake_join(&w, "n1", 1, "m");
    struct fake_exchange *first = fake_call(&w, request());
    fake_call(&w, request());
    struct fake_exchange *e = fake_call(&w, request());
    assert_replied(e, SL_REASON_QUEUE_FULL, "the gateway has 2 calls, which is its limit");
    assert_int_equal(gw_flow_ended(w.flow, SL_REASON_QUEUE_FULL), 1);
    fake_event(&w, first, GW_EV_GONE);
    fake_leave(&w, first); /* an ended call keeps its place until it was sent */
    e = fake_call(&w, request());
    assert_int_equal(e->replies, 0);
    gw_flow_end_all(w.flow, w.now);
    finish(&w);
}

static void the_queue_has_a_limit(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    w.conf.max_queued = 2;
    start(&w);
    fake_join(&w, "n1", 1, "m");
    for (int i = 0; i < 3; i++) /* one runs, two wait */
        fake_call(&w, request());
    struct fake_exchange *e = fake_call(&w, request());
    assert_replied(e, SL_REASON_QUEUE_FULL, "2 calls are waiting, which is the queue's limit");
    assert_int_equal(in_state(&w, GW_CALL_QUEUED), 2);
    gw_flow_end_all(w.flow, w.now);
    finish(&w);
}

/* ---- large messages wait for room */

enum { LARGE = 100000 }; /* floats: 400 KB, so that two fit into the 1 MiB of all bodies */

static struct fake_exchange *open_large(struct fake_world *w, struct gw_body *body)
{
    struct fake_exchange *e = fake_exchange(w, GW_METHOD_MODEL_INFER);
    e->x.message_bytes = body->len;
    e->x.head = sl_span_of(body->data, 64);
    fake_event(w, e, GW_EV_OPEN | GW_EV_LENGTH);
    return e;
}

static void room_is_granted_in_the_order_of_asking(void **state SL_UNUSED)
{
    struct fake_world w;
    struct fake_exchange *e[5];
    struct gw_body *body = request_of("m", LARGE), *small = request_of("m", 20000);
    begin(&w);
    start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    for (int i = 0; i < 4; i++)
        e[i] = open_large(&w, body);
    e[4] = open_large(&w, small); /* would fit, but it is not its turn */
    for (int i = 0; i < 5; i++)
        assert_int_equal(e[i]->grants, i < 2);
    fake_message(&w, e[0], gw_body_share(body));
    fake_event(&w, e[1], GW_EV_GONE);
    fake_turn(&w);
    assert_true(e[2]->grants == 1 && e[3]->grants == 0 && e[4]->grants == 0);
    fake_result(&w, n, w.sent[0].lease, false);
    fake_turn(&w);
    assert_true(e[3]->grants == 1 && e[4]->grants == 1);
    gw_flow_end_all(w.flow, w.now);
    assert_int_equal(atomic_load(&body->references), 1);
    gw_body_release(body);
    gw_body_release(small);
    finish(&w);
}

static struct fake_exchange *open_large_from(struct fake_world *w, struct gw_body *body,
                                             uint64_t connection)
{
    struct fake_exchange *e = fake_exchange(w, GW_METHOD_MODEL_INFER);
    e->x.net_connection = connection;
    e->x.message_bytes = body->len;
    e->x.head = sl_span_of(body->data, 64);
    fake_event(w, e, GW_EV_OPEN | GW_EV_LENGTH);
    return e;
}

/* A connection that has its share waits, and nobody waits behind it. */
static void a_connection_has_its_share_of_room(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_body *body = request_of("m", LARGE);
    begin(&w);
    w.conf.max_connection_body_bytes = 500000;
    start(&w);
    fake_join(&w, "n1", 1, "m");
    struct fake_exchange *first = open_large_from(&w, body, 1);
    struct fake_exchange *second = open_large_from(&w, body, 1);
    struct fake_exchange *other = open_large_from(&w, body, 2);
    fake_turn(&w);
    assert_true(first->grants == 1 && second->grants == 0 && other->grants == 1);
    fake_event(&w, first, GW_EV_GONE);
    fake_turn(&w);
    assert_int_equal(second->grants, 1);
    gw_flow_end_all(w.flow, w.now);
    gw_body_release(body);
    finish(&w);
}

/* Far more than there is room for, all at once: who is granted has room for all of it, so each comes to its end
 * and makes room for the next. */
static void half_sent_messages_do_not_lock_each_other_out(void **state SL_UNUSED)
{
    enum { CALLS = 20 };
    struct fake_world w;
    struct fake_exchange *e[CALLS];
    struct gw_body *body = request_of("m", LARGE);
    size_t done = 0;
    begin(&w);
    w.conf.max_connection_body_bytes = 800000;
    w.conf.body_wait_ns = 3600 * SL_NS_PER_S;
    start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 2, "m");
    for (uint64_t i = 0; i < CALLS; i++)
        e[i] = open_large_from(&w, body, 1 + i / 2);
    for (int round = 0; round < CALLS && done < CALLS; round++) {
        for (int i = 0; i < CALLS; i++)
            if (e[i] != NULL && e[i]->grants == 1 && e[i]->replies == 0)
                fake_message(&w, e[i], gw_body_share(body));
        fake_turn(&w);
        for (; done < w.sent_count; done++)
            fake_result(&w, n, w.sent[done].lease, false);
        fake_turn(&w);
    }
    for (int i = 0; i < CALLS; i++)
        assert_replied(e[i], SL_REASON_OK, NULL);
    gw_body_release(body);
    finish(&w);
}

static void waiting_for_room_ends(void **state SL_UNUSED)
{
    struct fake_world w;
    struct fake_exchange *e[5];
    struct gw_body *body = request_of("m", LARGE);
    begin(&w);
    start(&w);
    fake_join(&w, "n1", 1, "m");
    for (int i = 0; i < 5; i++) {
        e[i] = open_large(&w, body);
        w.now += i == 2 ? SL_NS_PER_S : 0;
    }
    fake_event(&w, e[3], GW_EV_GONE);
    assert_replied(e[3], SL_REASON_CANCELLED, NULL);
    assert_int_equal(gw_flow_next_at(w.flow), w.now + 4 * SL_NS_PER_S);
    fake_advance(&w, 4 * SL_NS_PER_S - 1);
    assert_int_equal(e[2]->replies, 0);
    fake_advance(&w, 1);
    char wanted[200];
    snprintf(
        wanted, sizeof wanted,
        "no room for a message of %zu bytes within 5s; all messages together may have 1048576, "
        "those of one connection 1048576",
        body->len);
    assert_replied(e[2], SL_REASON_NO_CAPACITY, wanted);
    assert_int_equal(e[4]->replies, 0); /* asked a second later */
    fake_advance(&w, SL_NS_PER_S);
    assert_replied(e[4], SL_REASON_NO_CAPACITY, wanted);
    assert_int_equal(e[0]->replies + e[1]->replies, 0); /* granted: no limit but the deadline */
    gw_flow_end_all(w.flow, w.now);
    gw_body_release(body);
    finish(&w);
}

static void the_first_window_is_enough_to_refuse(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_body *body = request_of("nobody", LARGE);
    begin(&w);
    start(&w);
    fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e = open_large(&w, body);
    assert_replied(e, SL_REASON_MODEL_NOT_FOUND, "no model is named 'nobody'");
    assert_int_equal(e->grants, 0);
    gw_body_release(body);
    finish(&w);
}

static void a_small_message_without_room_is_refused(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    w.conf.max_body_bytes = 10;
    start(&w);
    fake_join(&w, "n1", 1, "m");
    assert_replied(fake_call(&w, request()), SL_REASON_NO_CAPACITY,
                   "the gateway has no room for another message now");
    finish(&w);
}

static void the_last_byte_of_room_can_be_used(void **state SL_UNUSED)
{
    struct gw_body *body = request();
    for (size_t missing = 0; missing <= 1; missing++) {
        struct fake_world w;
        begin(&w);
        w.conf.max_body_bytes = body->len - missing;
        start(&w);
        fake_join(&w, "n1", 1, "m");
        struct fake_exchange *e = fake_call(&w, gw_body_share(body));
        assert_int_equal(e->replies, missing);
        gw_flow_end_all(w.flow, w.now);
        finish(&w);
    }
    gw_body_release(body);
}

/* n floats as typed contents that are not packed, so that they must be converted: 5 n bytes and
 * then 4 n. */
static struct gw_body *unpacked_request(size_t n)
{
    static uint8_t contents[4096], input[4200], message[4300];
    uint8_t shape[GW_PB_VARINT_MAX], *p = contents, *q = input;
    for (size_t i = 0; i < n; i++, p += 5)
        memcpy(p, "\x35\0\0\x80\x3f", 5);
    size_t shape_len = (size_t)(gw_pb_put_varint(shape, n) - shape);
    q = gw_pb_put_bytes(q, 1, sl_span_str("IN"));
    q = gw_pb_put_bytes(q, 2, sl_span_str("FP32"));
    q = gw_pb_put_bytes(q, 3, sl_span_of(shape, shape_len));
    q = gw_pb_put_bytes(q, 5, sl_span_of(contents, (size_t)(p - contents)));
    p = gw_pb_put_bytes(message, 1, sl_span_str("m"));
    p = gw_pb_put_bytes(p, 5, sl_span_of(input, (size_t)(q - input)));
    return body_of(sl_span_of(message, (size_t)(p - message)));
}

static void typed_contents_count_as_bodies_too(void **state SL_UNUSED)
{
    static const float one = 1.0f;
    struct fake_world w;
    begin(&w);
    w.conf.max_body_bytes = 3000;
    start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e = fake_call(&w, unpacked_request(350));
    assert_replied(e, SL_REASON_NO_CAPACITY,
                   "the gateway has no room now for typed contents of 1400 bytes; "
                   "raw_input_contents need none");
    fake_call(&w, unpacked_request(300));
    assert_int_equal(w.sent[0].payload_bytes, 1200);
    e = fake_call(&w, unpacked_request(31)); /* 2720 of 3000 are taken */
    assert_replied(e, SL_REASON_NO_CAPACITY, NULL);
    fake_result(&w, n, w.sent[0].lease, false);
    e = fake_call(&w, unpacked_request(16));
    assert_memory_equal(w.sent[1].payload, &one, sizeof one);
    gw_flow_end_all(w.flow, w.now);
    finish(&w);
}

/* ---- calls whose connection is lost */

static void kept_calls_go_on_without_their_connection(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e[3];
    for (int i = 0; i < 3; i++) {
        e[i] = fake_exchange(&w, GW_METHOD_MODEL_INFER);
        e[i]->x.req.on_disconnect = sl_span_str("keep");
        fake_event(&w, e[i], GW_EV_OPEN);
        if (i < 2)
            fake_message(&w, e[i], request());
        fake_turn(&w);
        e[i]->x.is_disconnect = true;
        fake_event(&w, e[i], GW_EV_GONE);
    }
    assert_true(e[0]->replies == 0 && e[1]->replies == 0); /* one is sent, one is queued */
    assert_replied(e[2], SL_REASON_CANCELLED, NULL);       /* nothing to run it with */
    fake_result(&w, n, w.sent[0].lease, true);
    assert_replied(e[0], SL_REASON_OK, NULL);
    assert_int_equal(e[0]->x.reply.piece_count, 0);
    assert_int_equal(w.releases, 1); /* dropped at once */
    fake_turn(&w);
    fake_failure(&w, n, w.sent[1].lease, true, SL_REASON_MODEL_ERROR, "no");
    assert_replied(e[1], SL_REASON_MODEL_ERROR, "no");
    finish(&w);
}

static void a_reset_ends_a_kept_call(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    start(&w);
    fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e = fake_exchange(&w, GW_METHOD_MODEL_INFER);
    e->x.req.on_disconnect = sl_span_str("keep");
    fake_event(&w, e, GW_EV_OPEN);
    fake_message(&w, e, request());
    fake_event(&w, e, GW_EV_GONE);
    assert_replied(e, SL_REASON_CANCELLED, NULL);
    finish(&w);
}

/* Of what is known: 3 calls that are said to take 5 s each, on one slice. */
static void a_full_queue_tells_when_to_come_again(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    w.conf.max_queued = 3;
    start(&w);
    fake_join(&w, "n1", 1, "m");
    for (int i = 0; i < 4; i++)
        fake_call(&w, request());
    struct fake_exchange *e = fake_call(&w, request());
    assert_replied(e, SL_REASON_QUEUE_FULL, NULL);
    struct gw_fleet_model *m = gw_fleet_find(gw_flow_fleet(w.flow), sl_span_str("m"));
    assert_int_equal(gw_fleet_backlog_us(m), 3 * m->spec.duration_us);
    int64_t ms = 3 * m->spec.duration_us / 2000;
    assert_int_equal(e->x.reply.retry_after_ms, ms < 60000 ? ms : 60000);
    gw_flow_end_all(w.flow, w.now);
    finish(&w);
}

/* ---- results that nobody reads */

enum { RESULT = 4 * sizeof(float) }; /* what fake_result answers */

static void results_that_nobody_reads_hold_calls_back(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    w.conf.max_result_bytes = 3 * RESULT;
    start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e[4];
    for (int i = 0; i < 4; i++)
        e[i] = fake_call(&w, request());
    fake_result(&w, n, w.sent[0].lease, true);
    fake_turn(&w);
    assert_int_equal(w.sent_count, 2); /* one result of three: less than half */
    fake_result(&w, n, w.sent[1].lease, true);
    fake_turn(&w);
    assert_int_equal(w.sent_count, 2);
    assert_int_equal(in_state(&w, GW_CALL_QUEUED), 2);
    fake_leave(&w, e[0]);
    fake_turn(&w);
    assert_int_equal(w.sent_count, 3);
    gw_flow_end_all(w.flow, w.now);
    finish(&w);
}

static void a_result_without_room_ends_its_call(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    w.conf.max_result_bytes = RESULT + 1;
    start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 3, "m");
    struct fake_exchange *e[3];
    for (int i = 0; i < 3; i++)
        e[i] = fake_call(&w, request());
    for (int i = 0; i < 2; i++)
        fake_result(&w, n, w.sent[i].lease, i == 0);
    assert_replied(e[0], SL_REASON_OK, NULL);
    assert_replied(e[1], SL_REASON_NO_CAPACITY,
                   "no room for a result of 16 bytes: all results that their callers have not read "
                   "yet may have 17, and have 16");
    fake_leave(&w, e[0]);
    fake_result(&w, n, w.sent[2].lease, false);
    assert_replied(e[2], SL_REASON_OK, NULL);
    finish(&w);
}

/* Announced bytes hold their room from then on, and give it back however the lease ends. */
static void an_announced_result_has_its_room(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    w.conf.max_result_bytes = 2 * RESULT;
    start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 4, "m");
    struct fake_exchange *e[4];
    for (int i = 0; i < 4; i++)
        e[i] = fake_call(&w, request());
    assert_true(gw_flow_expect_result(w.flow, w.sent[0].lease, RESULT));
    assert_true(gw_flow_expect_result(w.flow, w.sent[1].lease, RESULT));
    assert_false(gw_flow_expect_result(w.flow, w.sent[2].lease, 1));
    fake_returned(&w, n, w.sent[1].lease);
    assert_true(gw_flow_expect_result(w.flow, w.sent[2].lease, RESULT));
    fake_event(&w, e[2], GW_EV_GONE); /* what is on its way still holds its room */
    assert_false(gw_flow_expect_result(w.flow, w.sent[3].lease, 1));
    fake_result(&w, n, w.sent[2].lease, true);
    assert_true(gw_flow_expect_result(w.flow, w.sent[3].lease, RESULT));
    gw_flow_on_lost(w.flow, n, "gone", w.now);
    assert_false(gw_flow_expect_result(w.flow, w.sent[0].lease, 0)); /* no lease is left */
    gw_flow_end_all(w.flow, w.now);
    finish(&w);
}

/* ---- messages that are refused */

static void assert_message_refused(struct gw_body *give_body, enum sl_reason reason,
                                   const char *text)
{
    struct fake_world w;
    begin(&w);
    start(&w);
    fake_join(&w, "n1", 1, "m");
    struct gw_body *body = gw_body_share(give_body);
    struct fake_exchange *e = fake_call(&w, give_body);
    assert_replied(e, reason, text);
    assert_int_equal(w.sent_count, 0);
    assert_int_equal(atomic_load(&body->references), 1);
    gw_body_release(body);
    finish(&w);
}

static struct gw_body *request_with(void (*change)(struct infer_builder *b))
{
    struct infer_builder b;
    infer_begin(&b, "m");
    infer_input(&b, "IN", "FP32", 1, (const int64_t[]){3});
    infer_raw(&b, tensor, sizeof tensor);
    change(&b);
    struct gw_body *body = infer_body(&b);
    infer_end(&b);
    return body;
}

static void other_version(struct infer_builder *b)
{
    b->request.model_version = (char *)(uintptr_t) "9";
}

static void other_input(struct infer_builder *b)
{
    b->inputs[0]->name = (char *)(uintptr_t) "INPUT";
}

static void long_duration(struct infer_builder *b)
{
    infer_param_string(b, "sluice_duration", "121s");
}

static void strange_wait(struct infer_builder *b)
{
    infer_param_string(b, "sluice_max_wait", "x");
}

static void messages_that_cannot_be_served_are_refused(void **state SL_UNUSED)
{
    assert_message_refused(body_of(sl_span_of("\x0a\xff", 2)), SL_REASON_BAD_INPUT, NULL);
    assert_message_refused(body_of(sl_span_of("", 0)), SL_REASON_MODEL_NOT_FOUND,
                           "no model is named ''");
    assert_message_refused(request_of("M", 0), SL_REASON_MODEL_NOT_FOUND, "no model is named 'M'");
    assert_message_refused(request_with(other_version), SL_REASON_MODEL_NOT_FOUND,
                           "model 'm' has no version '9'; it has '1'");
    assert_message_refused(request_with(other_input), SL_REASON_BAD_INPUT,
                           "model 'm' has no input 'INPUT'");
    assert_message_refused(request_with(long_duration), SL_REASON_DURATION_TOO_LONG,
                           "a duration of 121s is too long: model 'm' may run for at most 2m");
    assert_message_refused(request_with(strange_wait), SL_REASON_BAD_INPUT, NULL);
}

/* ---- an end in each state: by the deadline, by the caller, by the gateway */

/* Brings a new call into a state; *n is its node. */
static struct fake_exchange *bring_to(struct fake_world *w, enum gw_call_state s,
                                      sl_mono_ns deadline_at, struct gw_fleet_node **n)
{
    begin(w);
    start(w);
    *n = fake_join(w, "n1", 1, "m");
    if (s == GW_CALL_QUEUED)
        (*n)->is_draining = true;
    struct fake_exchange *e = fake_exchange(w, GW_METHOD_MODEL_INFER);
    e->x.req.deadline_at = deadline_at;
    fake_event(w, e, GW_EV_OPEN);
    if (s != GW_CALL_RECEIVING)
        fake_message(w, e, request());
    fake_turn(w);
    if (s == GW_CALL_RUNNING)
        fake_started(w, *n, w->sent[0].lease);
    fake_turn(w);
    assert_int_equal(in_state(w, s), 1);
    return e;
}

/* The call has ended; its lease is open until the node has said that it is over. */
static void check_lease_of_ended(struct fake_world *w, struct gw_fleet_node *n,
                                 enum gw_call_state was)
{
    struct gw_fleet *fleet = gw_flow_fleet(w->flow);
    bool was_out = was == GW_CALL_DISPATCHED || was == GW_CALL_RUNNING;
    assert_int_equal(w->cancel_count, was_out);
    assert_int_equal(gw_fleet_totals(fleet).leases, was_out);
    if (!was_out)
        return;
    assert_int_equal(w->cancels[0], w->sent[0].lease);
    fake_call(w, request()); /* the slice is not free yet */
    assert_int_equal(w->sent_count, 1);
    if (was == GW_CALL_DISPATCHED)
        fake_failure(w, n, w->sent[0].lease, false, SL_REASON_CANCELLED, "");
    else
        fake_result(w, n, w->sent[0].lease, true);
    assert_int_equal(w->releases, was == GW_CALL_RUNNING); /* nobody wants it any more */
    fake_turn(w);
    assert_int_equal(w->sent_count, 2);
    gw_flow_end_all(w->flow, w->now);
}

static const enum gw_call_state open_states[] = {GW_CALL_RECEIVING, GW_CALL_QUEUED,
                                                 GW_CALL_DISPATCHED, GW_CALL_RUNNING};

static void a_deadline_ends_a_call_in_any_state(void **state SL_UNUSED)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(open_states); i++) {
        struct fake_world w;
        struct gw_fleet_node *n;
        sl_mono_ns at = 1003 * SL_NS_PER_S;
        struct fake_exchange *e = bring_to(&w, open_states[i], at, &n);
        assert_int_equal(gw_flow_next_at(w.flow), at);
        fake_advance(&w, at - w.now - 1);
        assert_int_equal(e->replies, 0);
        fake_advance(&w, 1);
        assert_replied(e, SL_REASON_DEADLINE_EXCEEDED, "the caller's deadline has passed");
        check_lease_of_ended(&w, n, open_states[i]);
        finish(&w);
    }
}

static void a_caller_who_leaves_ends_a_call_in_any_state(void **state SL_UNUSED)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(open_states); i++) {
        struct fake_world w;
        struct gw_fleet_node *n;
        struct fake_exchange *e = bring_to(&w, open_states[i], SL_MONO_NEVER, &n);
        fake_event(&w, e, GW_EV_GONE);
        assert_replied(e, SL_REASON_CANCELLED, NULL);
        fake_event(&w, e, GW_EV_GONE); /* once more changes nothing */
        assert_replied(e, SL_REASON_CANCELLED, NULL);
        check_lease_of_ended(&w, n, open_states[i]);
        finish(&w);
    }
}

static void the_gateways_end_ends_a_call_in_any_state(void **state SL_UNUSED)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(open_states); i++) {
        struct fake_world w;
        struct gw_fleet_node *n;
        struct fake_exchange *e = bring_to(&w, open_states[i], SL_MONO_NEVER, &n);
        gw_flow_end_all(w.flow, w.now);
        assert_replied(e, SL_REASON_DRAINING, "the gateway stopped before the call was over");
        check_lease_of_ended(&w, n, open_states[i]);
        finish(&w);
    }
}

static void an_event_of_every_kind_at_once_is_survived(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    start(&w);
    fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e = fake_exchange(&w, GW_METHOD_MODEL_INFER);
    e->x.body = request();
    e->x.message_bytes = e->x.body->len;
    fake_event(&w, e, GW_EV_OPEN | GW_EV_LENGTH | GW_EV_MESSAGE | GW_EV_GONE);
    assert_replied(e, SL_REASON_CANCELLED, NULL);
    fake_turn(&w);
    assert_int_equal(w.sent_count, 0);
    finish(&w);
}

/* ---- waiting for a slice */

static void a_call_waits_as_long_as_it_asked(void **state SL_UNUSED)
{
    static const struct {
        const char *asked;
        int64_t s;
        const char *text;
    } cases[] = {{NULL, 60, "GPU allocation timed out after 60s"},
                 {"7", 7, "GPU allocation timed out after 7s"}};
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++)
        for (int is_dispatched = 0; is_dispatched <= 1; is_dispatched++) {
            struct fake_world w;
            begin(&w);
            start(&w);
            struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
            n->is_draining = !is_dispatched;
            struct fake_exchange *e = fake_exchange(&w, GW_METHOD_MODEL_INFER);
            if (cases[i].asked != NULL)
                e->x.req.max_wait = sl_span_str(cases[i].asked);
            fake_event(&w, e, GW_EV_OPEN);
            w.now += SL_NS_PER_S; /* receiving is not waiting */
            fake_message(&w, e, request());
            fake_turn(&w);
            fake_advance(&w, cases[i].s * SL_NS_PER_S - 1);
            assert_int_equal(e->replies, 0);
            fake_advance(&w, 1);
            assert_replied(e, SL_REASON_ALLOCATION_TIMEOUT, cases[i].text);
            assert_int_equal(w.cancel_count, is_dispatched);
            finish(&w);
        }
}

static void a_running_call_waits_no_more(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n;
    struct fake_exchange *e = bring_to(&w, GW_CALL_RUNNING, SL_MONO_NEVER, &n);
    assert_int_equal(gw_flow_next_at(w.flow), SL_MONO_NEVER);
    fake_advance(&w, 1000 * SL_NS_PER_S);
    assert_int_equal(e->replies, 0);
    fake_result(&w, n, w.sent[0].lease, false);
    assert_good_reply(e);
    finish(&w);
}

/* ---- what nodes do */

static void a_returned_call_takes_its_old_place(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    struct fake_exchange *first = fake_call(&w, request());
    fake_call(&w, request());
    char id[40];
    snprintf(id, sizeof id, "%s", w.sent[0].call_id);
    for (size_t i = 0; i < 3; i++) {
        fake_returned(&w, n, w.sent[i].lease);
        assert_int_equal(in_state(&w, GW_CALL_QUEUED), 2);
        fake_turn(&w);
        assert_int_equal(w.sent_count, i + 2);
        assert_string_equal(w.sent[i + 1].call_id, id); /* before the one that came later */
    }
    assert_int_equal(gw_fleet_find(gw_flow_fleet(w.flow), sl_span_str("m"))->call_count, 0);
    fake_returned(&w, n, w.sent[3].lease);
    assert_replied(first, SL_REASON_NO_CAPACITY, "executors gave the call back more than 3 times");
    gw_flow_end_all(w.flow, w.now);
    finish(&w);
}

static void a_lost_node_costs_only_what_it_had_started(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    start(&w);
    struct gw_fleet_node *n1 = fake_join(&w, "n1", 2, "m");
    struct fake_exchange *running = fake_call(&w, request()), *sent = fake_call(&w, request());
    fake_started(&w, n1, w.sent[0].lease);
    struct gw_fleet_node *n2 = fake_join(&w, "n2", 1, "m");
    gw_flow_on_lost(w.flow, n1, "test", w.now);
    assert_replied(running, SL_REASON_EXECUTOR_LOST, "the executor was lost while it ran the call");
    assert_int_equal(sent->replies, 0);
    assert_int_equal(w.cancel_count, 0); /* nobody is there to hear it */
    fake_turn(&w);
    assert_int_equal(w.sent_count, 3);
    assert_string_equal(w.sent[2].node, "n2");
    fake_result(&w, n2, w.sent[2].lease, false);
    assert_good_reply(sent);
    assert_string_equal(trailer(sent, "sluice-node"), "n2");
    finish(&w);
}

static void a_node_that_starts_again_is_lost_first(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e = fake_call(&w, request());
    fake_started(&w, n, w.sent[0].lease);
    n = fake_join(&w, "n1", 1, "m");
    assert_non_null(n);
    assert_replied(e, SL_REASON_EXECUTOR_LOST, NULL);
    assert_int_equal(gw_fleet_totals(gw_flow_fleet(w.flow)).nodes, 1);
    finish(&w);
}

static void a_failed_run_is_told_as_the_node_said_it(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e = fake_call(&w, request());
    fake_started(&w, n, w.sent[0].lease);
    fake_failure(&w, n, w.sent[0].lease, true, SL_REASON_DURATION_EXCEEDED, "over 60s");
    assert_replied(e, SL_REASON_DURATION_EXCEEDED, "over 60s");
    assert_string_equal(trailer(e, "sluice-exec-ms"), "0.777");
    e = fake_call(&w, request());
    fake_failure(&w, n, w.sent[1].lease, false, SL_REASON_DEVICE_FAULT, "ECC");
    assert_replied(e, SL_REASON_DEVICE_FAULT, "ECC");
    assert_null(trailer(e, "sluice-exec-ms"));
    assert_int_equal(gw_fleet_find(gw_flow_fleet(w.flow), sl_span_str("m"))->samples, 0);
    finish(&w);
}

static void count_one(void *ctx)
{
    ++*(unsigned *)ctx;
}

/* A result that does not fit its model ends the call, and its payload is given back once. */
static void a_wrong_result_is_the_models_error(void **state SL_UNUSED)
{
    struct fake_world w;
    unsigned releases = 0;
    begin(&w);
    start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e = fake_call(&w, request());
    const struct sl_span piece = sl_span_of("12345678", 8);
    struct gw_result r = {.lease = w.sent[0].lease,
                          .was_started = true,
                          .payload = {&piece, 1, 8},
                          .release = count_one,
                          .release_ctx = &releases};
    gw_flow_on_result(w.flow, n, &r, w.now);
    assert_replied(e, SL_REASON_MODEL_ERROR, "model 'm' did not give output 'OUT'");
    assert_int_equal(releases, 1);
    assert_null(e->x.reply.release);
    finish(&w);
}

static void an_inline_result_that_has_no_room_is_said(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e = fake_call(&w, request());
    uint8_t *huge = calloc(1, 2 * FAKE_ARENA_MAX);
    const struct sl_span piece = sl_span_of(huge, 2 * FAKE_ARENA_MAX);
    struct gw_result r = {
        .lease = w.sent[0].lease, .was_started = true, .payload = {&piece, 1, 2 * FAKE_ARENA_MAX}};
    gw_flow_on_result(w.flow, n, &r, w.now);
    assert_replied(e, SL_REASON_NO_CAPACITY, "no memory for a result of 2097152 bytes");
    free(huge);
    finish(&w);
}

static void late_and_false_messages_change_nothing(void **state SL_UNUSED)
{
    struct sl_metric_registry *metrics;
    struct fake_world w;
    assert_ok(sl_metric_registry_create(&sl_alloc_malloc, &metrics));
    begin(&w);
    struct sl_metric **refused = w.metrics.refused;
    refused[GW_REFUSAL_STALE] = sl_metric_counter(metrics, "stale_total", "", "Stale.");
    refused[GW_REFUSAL_FORGED] = sl_metric_counter(metrics, "forged_total", "", "Forged.");
    refused[GW_REFUSAL_REPLAYED] = sl_metric_counter(metrics, "replayed_total", "", "Replayed.");
    start(&w);
    struct gw_fleet_node *n1 = fake_join(&w, "n1", 1, "m"), *n2 = fake_join(&w, "n2", 1, "m");
    struct fake_exchange *e = fake_call(&w, request());
    sl_slot_id lease = w.sent[0].lease;
    struct gw_fleet_node *its = strcmp(w.sent[0].node, "n1") == 0 ? n1 : n2;
    struct gw_fleet_node *other = its == n1 ? n2 : n1;
    fake_result(&w, other, lease, true); /* of a node that has not got it */
    fake_started(&w, other, lease);
    fake_returned(&w, other, lease);
    fake_result(&w, its, lease + 1, true); /* of a lease that never was */
    fake_started(&w, its, 0);
    assert_int_equal(in_state(&w, GW_CALL_DISPATCHED), 1);
    assert_int_equal(w.releases, 2);
    fake_started(&w, its, lease);
    fake_started(&w, its, lease); /* twice */
    assert_int_equal(in_state(&w, GW_CALL_RUNNING), 1);
    fake_result(&w, its, lease, true);
    assert_good_reply(e);
    fake_result(&w, its, lease, true); /* twice: the lease is over */
    fake_returned(&w, its, lease);
    fake_started(&w, its, lease);
    assert_int_equal(w.releases, 3);
    assert_int_equal(sl_metric_value(refused[GW_REFUSAL_STALE]), 5);
    assert_int_equal(sl_metric_value(refused[GW_REFUSAL_FORGED]), 3);
    assert_int_equal(sl_metric_value(refused[GW_REFUSAL_REPLAYED]), 1);
    assert_int_equal(gw_flow_ended(w.flow, SL_REASON_OK), 1);
    finish(&w);
    sl_metric_registry_destroy(metrics);
}

/* ---- what is counted */

static void metrics_follow_a_call(void **state SL_UNUSED)
{
    struct sl_metric_registry *reg;
    struct fake_world w;
    static const double bounds[] = {1};
    assert_ok(sl_metric_registry_create(&sl_alloc_malloc, &reg));
    begin(&w);
    w.conf.max_calls = 2;
    struct gw_flow_metrics *m = &w.metrics;
    m->calls[SL_REASON_OK] = sl_metric_counter(reg, "ok_total", "", "Ok.");
    m->calls[SL_REASON_QUEUE_FULL] = sl_metric_counter(reg, "full_total", "", "Full.");
    m->in_state[GW_CALL_RUNNING] = sl_metric_gauge(reg, "running", "", "Running.");
    m->nodes = sl_metric_gauge(reg, "nodes", "", "Nodes.");
    m->slices = sl_metric_gauge(reg, "slices", "", "Slices.");
    m->slices_busy = sl_metric_gauge(reg, "busy", "", "Busy.");
    m->body_bytes = sl_metric_gauge(reg, "bodies", "", "Bodies.");
    m->requeued = sl_metric_counter(reg, "requeued_total", "", "Requeued.");
    m->queue_seconds = sl_metric_histogram_seconds(reg, "queue", "", "Queue.", bounds, 1);
    m->exec_seconds = sl_metric_histogram_seconds(reg, "exec", "", "Exec.", bounds, 1);
    start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 2, "m");
    struct gw_body *body = request();
    fake_call(&w, gw_body_share(body));
    fake_call(&w, gw_body_share(body));
    fake_call(&w, gw_body_share(body)); /* one too many */
    assert_int_equal(sl_metric_value(m->body_bytes), 2 * (int64_t)body->len);
    fake_returned(&w, n, w.sent[1].lease);
    fake_started(&w, n, w.sent[0].lease);
    fake_turn(&w);
    assert_int_equal(sl_metric_value(m->in_state[GW_CALL_RUNNING]), 1);
    assert_int_equal(sl_metric_value(m->nodes), 1);
    assert_int_equal(sl_metric_value(m->slices), 2);
    assert_int_equal(sl_metric_value(m->slices_busy), 2);
    assert_int_equal(sl_metric_value(m->requeued), 1);
    fake_result(&w, n, w.sent[0].lease, false);
    fake_result(&w, n, w.sent[2].lease, false);
    fake_turn(&w);
    assert_int_equal(sl_metric_value(m->calls[SL_REASON_OK]), 2);
    assert_int_equal(sl_metric_value(m->calls[SL_REASON_QUEUE_FULL]), 1);
    assert_int_equal(sl_metric_value(m->in_state[GW_CALL_RUNNING]), 0);
    assert_int_equal(sl_metric_value(m->slices_busy), 0);
    assert_int_equal(sl_metric_value(m->body_bytes), 0);
    assert_int_equal(sl_metric_value(m->queue_seconds), 2);
    assert_int_equal(sl_metric_value(m->exec_seconds), 2);
    gw_body_release(body);
    finish(&w);
    sl_metric_registry_destroy(reg);
}

/* A node may say that a running call is returned only by mistake: it was started, so it cannot
 * start again. */
static void a_running_call_is_not_started_twice(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n;
    struct fake_exchange *e = bring_to(&w, GW_CALL_RUNNING, SL_MONO_NEVER, &n);
    fake_returned(&w, n, w.sent[0].lease);
    assert_int_equal(e->replies, 1);
    assert_int_not_equal(e->x.reply.error.reason, SL_REASON_OK);
    fake_turn(&w);
    assert_int_equal(w.sent_count, 1);
    finish(&w);
}

/* ---- nodes that cannot take a call now, or at all */

static void a_full_node_blocks_nobody_else(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    start(&w);
    struct gw_fleet_node *n1 = fake_join(&w, "n1", 2, "m"), *n2 = fake_join(&w, "n2", 1, "x");
    w.dispatch_answer = SL_EFULL;
    w.answering_node = "n1";
    fake_call(&w, request());
    struct fake_exchange *e = fake_call(&w, request_of("x", 0));
    assert_int_equal(w.sent_count, 1);
    assert_string_equal(w.sent[0].node, "n2");
    assert_int_equal(in_state(&w, GW_CALL_QUEUED), 1);
    assert_int_equal(gw_fleet_totals(gw_flow_fleet(w.flow)).leases, 1);
    fake_failure(&w, n2, w.sent[0].lease, false, SL_REASON_INTERNAL, "");
    assert_int_equal(e->replies, 1);
    w.dispatch_answer = SL_OK;
    gw_flow_on_heard(w.flow, n1, false, w.now); /* it has taken something in */
    fake_turn(&w);
    assert_int_equal(w.sent_count, 2);
    gw_flow_end_all(w.flow, w.now);
    finish(&w);
}

static void a_node_that_cannot_be_reached_is_lost(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    start(&w);
    fake_join(&w, "n1", 1, "m");
    struct gw_fleet_node *n2 = fake_join(&w, "n2", 1, "m");
    w.dispatch_answer = SL_ENOENT;
    w.answering_node = "n1";
    struct fake_exchange *e = fake_call(&w, request());
    assert_int_equal(w.sent_count, 1);
    assert_string_equal(w.sent[0].node, "n2");
    assert_int_equal(gw_fleet_totals(gw_flow_fleet(w.flow)).nodes, 1);
    fake_result(&w, n2, w.sent[0].lease, false);
    assert_good_reply(e);
    finish(&w);
}

static void a_call_that_cannot_be_sent_ends(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    start(&w);
    fake_join(&w, "n1", 1, "m");
    w.dispatch_answer = SL_ETOOBIG;
    assert_replied(fake_call(&w, request()), SL_REASON_TOO_LARGE,
                   "the request's names and parameters are over 1 MiB");
    w.dispatch_answer = SL_ENOMEM;
    assert_replied(fake_call(&w, request()), SL_REASON_NO_CAPACITY,
                   "no memory to send the call to its executor");
    assert_int_equal(gw_fleet_totals(gw_flow_fleet(w.flow)).leases, 0);
    finish(&w);
}

static void leases_have_a_limit(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    w.conf.fleet.max_leases = 1;
    start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 2, "m");
    fake_call(&w, request());
    struct fake_exchange *e = fake_call(&w, request());
    assert_int_equal(w.sent_count, 1);
    fake_result(&w, n, w.sent[0].lease, false);
    fake_turn(&w);
    assert_int_equal(w.sent_count, 2);
    fake_result(&w, n, w.sent[1].lease, false);
    assert_good_reply(e);
    finish(&w);
}

/* ---- just started */

static void a_call_waits_for_a_model_that_may_still_come(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    w.conf.started_at = w.now;
    w.conf.models_wait_ns = 3 * SL_NS_PER_S;
    start(&w);
    struct fake_exchange *e = fake_call(&w, request());
    struct fake_exchange *e2 = fake_call(&w, request());
    fake_join(&w, "n1", 1, "other");
    assert_int_equal(e->replies + e2->replies, 0);
    struct fake_exchange *left = fake_call(&w, request());
    fake_event(&w, left, GW_EV_GONE);
    assert_replied(left, SL_REASON_CANCELLED, NULL);
    struct gw_fleet_node *n = fake_join(&w, "n2", 1, "m");
    fake_turn(&w);
    assert_int_equal(w.sent_count, 1);
    fake_result(&w, n, w.sent[0].lease, false);
    assert_good_reply(e); /* first come, first served */
    fake_turn(&w);
    fake_result(&w, n, w.sent[1].lease, false);
    assert_good_reply(e2);
    finish(&w);
}

static void a_model_that_does_not_come_in_time_is_not_found(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    w.conf.started_at = w.now;
    w.conf.models_wait_ns = 3 * SL_NS_PER_S;
    start(&w);
    struct fake_exchange *e = fake_call(&w, request());
    assert_int_equal(gw_flow_next_at(w.flow), w.now + 3 * SL_NS_PER_S);
    fake_advance(&w, 3 * SL_NS_PER_S - 1);
    assert_int_equal(e->replies, 0);
    fake_advance(&w, 1);
    assert_replied(e, SL_REASON_MODEL_NOT_FOUND, "no model is named 'm'");
    assert_replied(fake_call(&w, request()), SL_REASON_MODEL_NOT_FOUND, NULL);
    finish(&w);
}

/* ---- draining */

static void a_draining_gateway_finishes_what_it_has(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e = fake_call(&w, request());
    assert_true(gw_flow_is_ready(w.flow));
    gw_flow_drain(w.flow);
    assert_false(gw_flow_is_ready(w.flow));
    struct fake_exchange *late = fake_call(&w, request()); /* sent before its caller knew */
    fake_result(&w, n, w.sent[0].lease, false);
    assert_good_reply(e);
    fake_turn(&w);
    fake_result(&w, n, w.sent[1].lease, false);
    assert_good_reply(late);
    assert_false(gw_flow_is_empty(w.flow));
    finish(&w);
}

static void a_stopping_gateway_ends_what_it_has_and_refuses_more(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    start(&w);
    fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e = fake_call(&w, request());
    gw_flow_refuse(w.flow);
    gw_flow_end_all(w.flow, w.now);
    assert_replied(e, SL_REASON_DRAINING, "the gateway stopped before the call was over");
    assert_replied(fake_call(&w, request()), SL_REASON_DRAINING,
                   "the gateway is stopping and takes no new calls");
    finish(&w);
}

static void a_flow_that_goes_with_open_calls_lets_their_messages_go(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_body *body = request();
    begin(&w);
    start(&w);
    fake_join(&w, "n1", 1, "m");
    fake_call(&w, gw_body_share(body));
    assert_string_equal(fake_world_finish(&w), "an exchange was not replied to");
    assert_int_equal(atomic_load(&body->references), 1);
    gw_body_release(body);
}

/* ---- the other methods */

static struct fake_exchange *ask(struct fake_world *w, enum gw_method method, struct sl_span m)
{
    struct fake_exchange *e = fake_exchange(w, method);
    fake_event(w, e, GW_EV_OPEN);
    fake_message(w, e, body_of(m));
    return e;
}

static struct sl_span only_piece(const struct fake_exchange *e)
{
    assert_replied(e, SL_REASON_OK, NULL);
    assert_true(e->x.reply.piece_count <= 1);
    return e->x.reply.piece_count == 0 ? sl_span_of("", 0) : e->x.reply.pieces[0];
}

static void ready_and_live_are_answered(void **state SL_UNUSED)
{
    static const struct sl_span yes = {(const uint8_t *)"\x08\x01", 2};
    static const uint8_t named[] = {0x0a, 1, 'm'};
    struct fake_world w;
    begin(&w);
    start(&w);
    struct sl_span none = sl_span_of("", 0);
    assert_true(sl_span_eq(only_piece(ask(&w, GW_METHOD_SERVER_LIVE, none)), yes));
    assert_int_equal(only_piece(ask(&w, GW_METHOD_SERVER_READY, none)).len, 0);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    assert_true(sl_span_eq(only_piece(ask(&w, GW_METHOD_SERVER_READY, none)), yes));
    struct sl_span m = sl_span_of(named, sizeof named);
    assert_true(sl_span_eq(only_piece(ask(&w, GW_METHOD_MODEL_READY, m)), yes));
    gw_flow_on_lost(w.flow, n, "test", w.now);
    assert_int_equal(only_piece(ask(&w, GW_METHOD_MODEL_READY, m)).len, 0);
    finish(&w);
}

static void metadata_is_what_the_node_announced(void **state SL_UNUSED)
{
    static const uint8_t named[] = {0x0a, 1, 'm'};
    struct fake_world w;
    begin(&w);
    start(&w);
    fake_join(&w, "n1", 1, "m");
    struct sl_span got =
        only_piece(ask(&w, GW_METHOD_MODEL_METADATA, sl_span_of(named, sizeof named)));
    Inference__ModelMetadataResponse *m =
        inference__model_metadata_response__unpack(NULL, got.len, got.data);
    assert_non_null(m);
    assert_string_equal(m->name, "m");
    assert_string_equal(m->versions[0], "1");
    assert_string_equal(m->inputs[0]->name, "IN");
    assert_string_equal(m->inputs[0]->datatype, "FP32");
    assert_int_equal(m->inputs[0]->shape[0], -1);
    assert_string_equal(m->outputs[0]->name, "OUT");
    inference__model_metadata_response__free_unpacked(m, NULL);
    assert_true(only_piece(ask(&w, GW_METHOD_SERVER_METADATA, sl_span_of("", 0))).len > 0);
    assert_true(only_piece(ask(&w, GW_METHOD_GET_STATUS, sl_span_of("", 0))).len > 0);
    assert_true(only_piece(ask(&w, GW_METHOD_LIST_NODES, sl_span_of("", 0))).len > 0);
    assert_true(only_piece(ask(&w, GW_METHOD_LIST_MODELS, sl_span_of("", 0))).len > 0);
    assert_true(only_piece(ask(&w, GW_METHOD_MODEL_STATISTICS, sl_span_of("", 0))).len > 0);
    assert_true(only_piece(ask(&w, GW_METHOD_REPOSITORY_INDEX, sl_span_of("", 0))).len > 0);
    finish(&w);
}

static void health_is_told_of_the_server_and_its_services(void **state SL_UNUSED)
{
    static const struct sl_span serving = {(const uint8_t *)"\x08\x01", 2};
    static const struct sl_span not_serving = {(const uint8_t *)"\x08\x02", 2};
    static const char inference[] = "\x0a\x1einference.GRPCInferenceService";
    struct sl_span service = sl_span_of(inference, sizeof inference - 1);
    struct sl_span all = sl_span_of("", 0);
    struct fake_world w;
    begin(&w);
    start(&w);
    assert_true(sl_span_eq(only_piece(ask(&w, GW_METHOD_HEALTH_CHECK, all)), serving));
    assert_true(sl_span_eq(only_piece(ask(&w, GW_METHOD_HEALTH_CHECK, service)), not_serving));
    fake_join(&w, "n1", 1, "m");
    assert_true(sl_span_eq(only_piece(ask(&w, GW_METHOD_HEALTH_CHECK, service)), serving));
    assert_replied(ask(&w, GW_METHOD_HEALTH_CHECK, sl_span_of("\x0a\x01y", 3)),
                   SL_REASON_SERVICE_NOT_FOUND,
                   "there is no service 'y'; there are inference.GRPCInferenceService and "
                   "sluice.v1.Admin, and '' is the server");
    gw_flow_drain(w.flow);
    assert_true(sl_span_eq(only_piece(ask(&w, GW_METHOD_HEALTH_CHECK, all)), not_serving));
    assert_true(sl_span_eq(only_piece(ask(&w, GW_METHOD_HEALTH_CHECK, service)), not_serving));
    finish(&w);
}

static void unknown_things_are_named(void **state SL_UNUSED)
{
    static const uint8_t other[] = {0x0a, 1, 'x'}, version[] = {0x0a, 1, 'm', 0x12, 1, '2'};
    static const uint8_t nul[] = {0x0a, 2, 'm', 0};
    struct fake_world w;
    begin(&w);
    start(&w);
    fake_join(&w, "n1", 1, "m");
    assert_replied(ask(&w, GW_METHOD_MODEL_READY, sl_span_of(other, sizeof other)),
                   SL_REASON_MODEL_NOT_FOUND, "no model is named 'x'");
    assert_replied(ask(&w, GW_METHOD_MODEL_METADATA, sl_span_of(version, sizeof version)),
                   SL_REASON_MODEL_NOT_FOUND, "no model is named 'm' with version '2'");
    assert_replied(ask(&w, GW_METHOD_MODEL_READY, sl_span_of(nul, sizeof nul)), SL_REASON_BAD_INPUT,
                   "the message of 4 bytes is not a valid request");
    struct fake_exchange *e = fake_exchange(&w, GW_METHOD_UNKNOWN);
    e->x.req.path = sl_span_str("/a.B/C");
    fake_event(&w, e, GW_EV_OPEN);
    assert_replied(e, SL_REASON_UNIMPLEMENTED, "there is no method /a.B/C");
    fake_message(&w, e, request());
    fake_event(&w, e, GW_EV_GONE);
    e = fake_exchange(&w, GW_METHOD_SERVER_LIVE);
    fake_event(&w, e, GW_EV_OPEN);
    fake_event(&w, e, GW_EV_GONE);
    assert_replied(e, SL_REASON_CANCELLED, NULL);
    fake_message(&w, e, body_of(sl_span_of("", 0)));
    assert_int_equal(e->replies, 1);
    finish(&w);
}

/* ---- without memory */

/* One call with all that can happen to it; any step may meet a failed allocation. */
static void whole_story(const struct sl_alloc *alloc)
{
    struct fake_world w;
    fake_world_init(&w, alloc);
    if (fake_world_start(&w) != SL_OK)
        return;
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    struct fake_exchange *small = fake_call(&w, request());
    struct gw_body *body = request_of("m", LARGE);
    struct fake_exchange *large = open_large(&w, body);
    if (large->grants > 0)
        fake_message(&w, large, gw_body_share(body));
    gw_body_release(body);
    fake_turn(&w);
    for (size_t i = 0; n != NULL && i < w.sent_count; i++) {
        fake_started(&w, n, w.sent[i].lease);
        fake_result(&w, n, w.sent[i].lease, i > 0);
        fake_turn(&w);
    }
    ask(&w, GW_METHOD_LIST_MODELS, sl_span_of("", 0));
    gw_flow_end_all(w.flow, w.now);
    assert_int_equal(small->replies, 1);
    assert_int_equal(large->replies, 1);
    finish(&w);
}

static void each_allocation_may_fail(void **state SL_UNUSED)
{
    struct fail_alloc f;
    size_t at = 1;
    for (; fail_alloc_start(&f, at); at++) {
        whole_story(&f.alloc);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
    assert_true(at > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_goes_from_open_to_its_reply),
        cmocka_unit_test(a_result_may_come_without_started_before),
        cmocka_unit_test(what_a_call_asks_for_reaches_the_node),
        cmocka_unit_test(calls_are_placed_in_the_order_they_came),
        cmocka_unit_test(calls_wait_for_their_node),
        cmocka_unit_test(calls_that_wait_for_a_changed_model_end),
        cmocka_unit_test(headers_that_cannot_be_served_are_refused_at_once),
        cmocka_unit_test(calls_have_a_limit),
        cmocka_unit_test(the_queue_has_a_limit),
        cmocka_unit_test(room_is_granted_in_the_order_of_asking),
        cmocka_unit_test(a_connection_has_its_share_of_room),
        cmocka_unit_test(half_sent_messages_do_not_lock_each_other_out),
        cmocka_unit_test(waiting_for_room_ends),
        cmocka_unit_test(kept_calls_go_on_without_their_connection),
        cmocka_unit_test(a_reset_ends_a_kept_call),
        cmocka_unit_test(a_full_queue_tells_when_to_come_again),
        cmocka_unit_test(results_that_nobody_reads_hold_calls_back),
        cmocka_unit_test(a_result_without_room_ends_its_call),
        cmocka_unit_test(an_announced_result_has_its_room),
        cmocka_unit_test(the_first_window_is_enough_to_refuse),
        cmocka_unit_test(a_small_message_without_room_is_refused),
        cmocka_unit_test(the_last_byte_of_room_can_be_used),
        cmocka_unit_test(typed_contents_count_as_bodies_too),
        cmocka_unit_test(messages_that_cannot_be_served_are_refused),
        cmocka_unit_test(a_deadline_ends_a_call_in_any_state),
        cmocka_unit_test(a_caller_who_leaves_ends_a_call_in_any_state),
        cmocka_unit_test(the_gateways_end_ends_a_call_in_any_state),
        cmocka_unit_test(an_event_of_every_kind_at_once_is_survived),
        cmocka_unit_test(a_call_waits_as_long_as_it_asked),
        cmocka_unit_test(a_running_call_waits_no_more),
        cmocka_unit_test(a_returned_call_takes_its_old_place),
        cmocka_unit_test(a_lost_node_costs_only_what_it_had_started),
        cmocka_unit_test(a_node_that_starts_again_is_lost_first),
        cmocka_unit_test(a_failed_run_is_told_as_the_node_said_it),
        cmocka_unit_test(a_wrong_result_is_the_models_error),
        cmocka_unit_test(an_inline_result_that_has_no_room_is_said),
        cmocka_unit_test(late_and_false_messages_change_nothing),
        cmocka_unit_test(metrics_follow_a_call),
        cmocka_unit_test(a_running_call_is_not_started_twice),
        cmocka_unit_test(a_full_node_blocks_nobody_else),
        cmocka_unit_test(a_node_that_cannot_be_reached_is_lost),
        cmocka_unit_test(a_call_that_cannot_be_sent_ends),
        cmocka_unit_test(leases_have_a_limit),
        cmocka_unit_test(a_call_waits_for_a_model_that_may_still_come),
        cmocka_unit_test(a_model_that_does_not_come_in_time_is_not_found),
        cmocka_unit_test(a_draining_gateway_finishes_what_it_has),
        cmocka_unit_test(a_stopping_gateway_ends_what_it_has_and_refuses_more),
        cmocka_unit_test(a_flow_that_goes_with_open_calls_lets_their_messages_go),
        cmocka_unit_test(ready_and_live_are_answered),
        cmocka_unit_test(metadata_is_what_the_node_announced),
        cmocka_unit_test(health_is_told_of_the_server_and_its_services),
        cmocka_unit_test(unknown_things_are_named),
        cmocka_unit_test(each_allocation_may_fail),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
