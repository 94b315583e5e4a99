/* test_gw_flow_room.c - large requests wait for room, in line, and not for ever. */
#include "flow_rig.h"

#include "gw_pb.h"
#include "infer_builder.h"
#include "sl_log.h"
#include "sl_test.h"

static void room_is_granted_in_the_order_of_asking(void **state SL_UNUSED)
{
    struct fake_world w;
    struct fake_exchange *e[5];
    struct gw_body *body = flow_request_of("m", LARGE), *small = flow_request_of("m", 20000);
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    for (int i = 0; i < 4; i++)
        e[i] = flow_open_large(&w, body);
    e[4] = flow_open_large(&w, small); /* would fit, but it is not its turn */
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
    flow_finish(&w);
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
    struct gw_body *body = flow_request_of("m", LARGE);
    flow_begin(&w);
    w.conf.max_connection_body_bytes = 500000;
    flow_start(&w);
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
    flow_finish(&w);
}

/* Far more than there is room for, all at once: who is granted has room for all of it, so each comes to its end
 * and makes room for the next. */
static void half_sent_messages_do_not_lock_each_other_out(void **state SL_UNUSED)
{
    enum { CALLS = 20 };
    struct fake_world w;
    struct fake_exchange *e[CALLS];
    struct gw_body *body = flow_request_of("m", LARGE);
    size_t done = 0;
    flow_begin(&w);
    w.conf.max_connection_body_bytes = 800000;
    w.conf.body_wait_ns = 3600 * SL_NS_PER_S;
    flow_start(&w);
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
        flow_assert_replied(e[i], SL_REASON_OK, NULL);
    gw_body_release(body);
    flow_finish(&w);
}

static void waiting_for_room_ends(void **state SL_UNUSED)
{
    struct fake_world w;
    struct fake_exchange *e[5];
    struct gw_body *body = flow_request_of("m", LARGE);
    flow_begin_with_node(&w);
    for (int i = 0; i < 5; i++) {
        e[i] = flow_open_large(&w, body);
        w.now += i == 2 ? SL_NS_PER_S : 0;
    }
    fake_event(&w, e[3], GW_EV_GONE);
    flow_assert_replied(e[3], SL_REASON_CANCELLED, NULL);
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
    flow_assert_replied(e[2], SL_REASON_NO_CAPACITY, wanted);
    assert_int_equal(e[4]->replies, 0); /* asked a second later */
    fake_advance(&w, SL_NS_PER_S);
    flow_assert_replied(e[4], SL_REASON_NO_CAPACITY, wanted);
    assert_int_equal(e[0]->replies + e[1]->replies, 0); /* granted: no limit but the deadline */
    gw_flow_end_all(w.flow, w.now);
    gw_body_release(body);
    flow_finish(&w);
}

static void the_first_window_is_enough_to_refuse(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_body *body = flow_request_of("nobody", LARGE);
    flow_begin_with_node(&w);
    struct fake_exchange *e = flow_open_large(&w, body);
    flow_assert_replied(e, SL_REASON_MODEL_NOT_FOUND, "no model is named 'nobody'");
    assert_int_equal(e->grants, 0);
    gw_body_release(body);
    flow_finish(&w);
}

static void a_small_message_without_room_is_refused(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    w.conf.max_body_bytes = 10;
    flow_start(&w);
    fake_join(&w, "n1", 1, "m");
    flow_assert_replied(fake_call(&w, flow_request()), SL_REASON_NO_CAPACITY,
                        "the gateway has no room for another message now");
    flow_finish(&w);
}

static void the_last_byte_of_room_can_be_used(void **state SL_UNUSED)
{
    struct gw_body *body = flow_request();
    for (size_t missing = 0; missing <= 1; missing++) {
        struct fake_world w;
        flow_begin(&w);
        w.conf.max_body_bytes = body->len - missing;
        flow_start(&w);
        fake_join(&w, "n1", 1, "m");
        struct fake_exchange *e = fake_call(&w, gw_body_share(body));
        assert_int_equal(e->replies, missing);
        gw_flow_end_all(w.flow, w.now);
        flow_finish(&w);
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
    flow_begin(&w);
    w.conf.max_body_bytes = 3000;
    flow_start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e = fake_call(&w, unpacked_request(350));
    flow_assert_replied(e, SL_REASON_NO_CAPACITY,
                        "the gateway has no room now for typed contents of 1400 bytes; "
                        "raw_input_contents need none");
    fake_call(&w, unpacked_request(300));
    assert_int_equal(w.sent[0].payload_bytes, 1200);
    e = fake_call(&w, unpacked_request(31)); /* 2720 of 3000 are taken */
    flow_assert_replied(e, SL_REASON_NO_CAPACITY, NULL);
    fake_result(&w, n, w.sent[0].lease, false);
    e = fake_call(&w, unpacked_request(16));
    assert_memory_equal(w.sent[1].payload, &one, sizeof one);
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(room_is_granted_in_the_order_of_asking),
        cmocka_unit_test(a_connection_has_its_share_of_room),
        cmocka_unit_test(half_sent_messages_do_not_lock_each_other_out),
        cmocka_unit_test(waiting_for_room_ends),
        cmocka_unit_test(the_first_window_is_enough_to_refuse),
        cmocka_unit_test(a_small_message_without_room_is_refused),
        cmocka_unit_test(the_last_byte_of_room_can_be_used),
        cmocka_unit_test(typed_contents_count_as_bodies_too),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
