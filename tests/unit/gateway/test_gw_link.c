/* test_gw_link.c - sessions of nodes on the link: greeted, refused, lost, taken over, and nodes
 * that break the rules. */
#include "link_rig.h"

#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

#include "sl_log.h"
#include "sl_test.h"

/* ---- a peer */

/* Nothing more is heard: time goes by. */
static void rig_wait_for_nodes_in_time(struct rig *r, size_t count)
{
    for (int i = 0; i < ROUNDS_MAX && rig_nodes(r) != count; i++) {
        r->w.now += 10 * SL_NS_PER_MS;
        rig_turn(r);
        usleep(1000);
    }
    assert_int_equal(rig_nodes(r), count);
}

/* ---- sessions */

static void a_node_is_welcomed_and_hears_heartbeats(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    rig_begin_with(&r, &p, MIB);
    assert_int_equal(rig_nodes(&r), 1);
    r.w.now += SL_NS_PER_S;
    assert_true(gw_link_next_at(r.link) <= r.w.now);
    gateway_batch *b = peer_receive(&p);
    assert_non_null(b->heartbeat);
    batch_drop(b);
    rig_finish_with(&r, &p);
}

static void an_older_or_newer_protocol_is_refused(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    rig_begin(&r);
    rig_start(&r);
    peer_open(&r, &p, "n1", 7);
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__Hello h = SLUICE__NODE__V1__HELLO__INIT;
    m.hello = &h;
    h.node = TEXT("n1");
    h.protocol_min = 4;
    h.protocol_max = 5;
    peer_send(&p, &m);
    gateway_batch *b = peer_receive(&p);
    assert_string_equal(b->refuse->text,
                        "this gateway speaks node protocol 1 to 3, the executor 4 to 5: install "
                        "versions of both that have one in common");
    batch_drop(b);
    h.protocol_min = h.protocol_max = 0; /* older */
    peer_send(&p, &m);
    b = peer_receive(&p);
    assert_non_null(strstr(b->refuse->text, "node protocol 1 to 3, the executor 0 to 0"));
    batch_drop(b);
    h.protocol_max = 1; /* and without slices */
    peer_send(&p, &m);
    b = peer_receive(&p);
    assert_non_null(strstr(b->refuse->text, "node 'n1' announces 0 slices and 0 models"));
    batch_drop(b);
    assert_int_equal(rig_nodes(&r), 0);
    peer_say_hello(&p, "n1", MIB); /* the same session may try again */
    b = peer_receive(&p);
    assert_non_null(b->welcome);
    batch_drop(b);
    rig_finish_with(&r, &p);
}

static void nodes_have_a_limit(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p[3];
    rig_begin(&r);
    rig_start(&r);
    peer_join(&r, &p[0], "n1", 1, MIB);
    peer_join(&r, &p[1], "n2", 2, MIB);
    peer_open(&r, &p[2], "n3", 3);
    peer_say_hello(&p[2], "n3", MIB);
    gateway_batch *b = peer_receive(&p[2]);
    assert_string_equal(b->refuse->text, "the gateway has 2 nodes, which is its limit");
    batch_drop(b);
    for (int i = 0; i < 3; i++)
        peer_close(&p[i]);
    rig_finish(&r);
}

static void silence_loses_a_node_and_it_may_come_back(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    rig_begin(&r);
    rig_start(&r);
    peer_open(&r, &p, "n1", 7);
    peer_say_hello(&p, "n1", MIB);
    rig_wait_for_nodes(&r, 1);
    rig_listen_for(&r, r.conf.lost_after_ns);
    assert_int_equal(rig_nodes(&r), 1);
    rig_listen_for(&r, 1);
    assert_int_equal(rig_nodes(&r), 0);
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    peer_send(&p, &m); /* too late: nobody knows this session any more */
    rig_expect_refused(&r, GW_REFUSAL_SESSION, 0);
    p.session = 8;
    peer_say_hello(&p, "n1", MIB);
    rig_wait_for_nodes(&r, 1);
    rig_finish_with(&r, &p);
}

/* What the node said meanwhile lies unread: the first turn after that must not lose it, and not even when it comes
 * before anybody has looked at the sockets. */
static void a_gateway_that_stood_still_loses_nobody(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    rig_begin_with(&r, &p, MIB);
    peer_send(&p, &m);
    rig_wait_for_word(&r);
    r.w.now += 100 * r.conf.lost_after_ns;
    gw_link_tick(r.link, r.w.now);
    gw_link_read(r.link, r.w.now);
    gw_link_tick(r.link, r.w.now);
    assert_int_equal(rig_nodes(&r), 1);
    assert_true(gw_link_next_at(r.link) <= r.w.now + r.conf.lost_after_ns / 3 + 1);
    rig_listen_for(&r, r.conf.lost_after_ns / 2);
    assert_int_equal(rig_nodes(&r), 1);
    rig_listen_for(&r, r.conf.lost_after_ns); /* but when it is silent, it goes as any other */
    assert_int_equal(rig_nodes(&r), 0);
    rig_finish_with(&r, &p);
}

/* Ends a call that the new node took over from the old one. */
static void check_takeover(struct rig *r, struct peer *old, struct peer *new,
                           const struct fake_exchange *e)
{
    gateway_batch *b = peer_receive_dispatch(new); /* the call that had not started comes along */
    assert_int_equal(rig_nodes(r), 1);
    uint8_t *bytes = rig_bytes(10);
    if (old != NULL) {
        peer_send_result(old, b->dispatches[0]->lease, 10, bytes,
                         0); /* of a session that is over */
        rig_expect_refused(r, GW_REFUSAL_SESSION, 0);
        assert_int_equal(e->replies, 0);
    }
    peer_send_result(new, b->dispatches[0]->lease, 10, bytes, 0);
    rig_wait_for_reply(r, e);
    rig_check_reply(e, 10);
    free(bytes);
    batch_drop(b);
}

/* A node with a call that it has not started. */
static struct fake_exchange *join_and_call(struct rig *r, struct peer *p)
{
    peer_join(r, p, "n1", 1, MIB);
    struct fake_exchange *e = rig_call(r, 10);
    batch_drop(peer_receive_dispatch(p));
    return e;
}

static void a_name_is_kept_as_long_as_its_node_answers(void **state SL_UNUSED)
{
    struct rig r;
    struct peer old, new;
    rig_begin(&r);
    rig_start(&r);
    struct fake_exchange *e = join_and_call(&r, &old);
    peer_open(&r, &new, "n1-again", 2);
    peer_say_hello(&new, "n1", MIB);
    gateway_batch *b = peer_receive(&new);
    assert_non_null(b->refuse);
    assert_non_null(strstr(b->refuse->text, "a node named 'n1' is connected already"));
    batch_drop(b);
    assert_int_equal(rig_nodes(&r), 1);
    assert_int_equal(sl_metric_value(r.w.metrics.nodes_lost), 0);
    rig_listen_for(&r, r.conf.lost_after_ns / 2 + 1); /* silent, but not long enough to be lost */
    peer_say_hello(&new, "n1", MIB);
    check_takeover(&r, &old, &new, e);
    peer_close(&old);
    peer_close(&new);
    rig_finish(&r);
}

static void a_run_may_replace_its_own_session(void **state SL_UNUSED)
{
    struct rig r;
    struct peer old, new;
    rig_begin(&r);
    rig_start(&r);
    struct fake_exchange *e = join_and_call(&r, &old);
    peer_open(&r, &new, "n1-again", 2);
    new.previous_session = 1;
    peer_say_hello(&new, "n1", MIB);
    check_takeover(&r, &old, &new, e);
    peer_close(&old);
    peer_close(&new);
    rig_finish(&r);
}

static void a_dead_connection_gives_its_name_up(void **state SL_UNUSED)
{
    struct rig r;
    struct peer old, new;
    rig_begin(&r);
    rig_start(&r);
    struct fake_exchange *e = join_and_call(&r, &old);
    peer_close(&old);
    for (int i = 0; i < ROUNDS_MAX && rig_is_connected(&r, &old); i++)
        usleep(1000); /* ZeroMQ sees it on a thread of its own */
    peer_open(&r, &new, "n1-again", 2);
    peer_say_hello(&new, "n1", MIB);
    check_takeover(&r, NULL, &new, e);
    peer_close(&new);
    rig_finish(&r);
}

/* Whoever says a session that is not his gets nowhere by it, whatever he knows. */
static void a_routing_id_cannot_be_taken_over(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    rig_begin_with(&r, &p, MIB);
    void *thief = rig_dial(&r, r.control, "n1"); /* the same routing id */
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    m.draining = true;
    struct peer as_if = {.r = &r, .control = thief, .session = 7};
    peer_send(&as_if, &m);
    r.w.now += SL_NS_PER_S;
    gateway_batch *b = peer_receive(&p); /* the heartbeat still finds its way */
    assert_non_null(b->heartbeat);
    batch_drop(b);
    size_t cursor = 0;
    assert_false(gw_fleet_next_node(gw_flow_fleet(r.w.flow), &cursor)->is_draining);
    zmq_close(thief);
    rig_finish_with(&r, &p);
}

static void garbage_and_strangers_are_counted_by_kind_and_dropped(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p, stranger;
    rig_begin_with(&r, &p, MIB);
    peer_open(&r, &stranger, "x", 7);
    zmq_send(stranger.control, "\xff\xff", 2, 0); /* no message */
    rig_expect_refused(&r, GW_REFUSAL_GARBLED, 0);
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    m.draining = true;
    peer_send(&stranger, &m); /* another's session */
    rig_expect_refused(&r, GW_REFUSAL_FORGED, 0);
    zmq_send(stranger.control, "\x08\x07", 2, ZMQ_SNDMORE);
    zmq_send(stranger.control, "more", 4, 0); /* too many frames */
    rig_expect_refused(&r, GW_REFUSAL_GARBLED, 1);
    zmq_send(stranger.bulk, "\xff", 1, 0);
    rig_expect_refused(&r, GW_REFUSAL_GARBLED, 2);
    peer_send_chunk(&stranger, &(struct gw_bulk_header){9, 1, 0, 10, {0}}, "x",
                    1); /* unknown session */
    rig_expect_refused(&r, GW_REFUSAL_SESSION, 0);
    peer_send_chunk(&stranger, &(struct gw_bulk_header){7, 1, 0, 10, {0}}, "x", 1); /* another's */
    rig_expect_refused(&r, GW_REFUSAL_FORGED, 1);
    peer_say_hello(&p, "n1", MIB);
    rig_expect_refused(&r, GW_REFUSAL_REPLAYED, 0);
    assert_int_equal(rig_nodes(&r), 1);
    assert_int_equal(rig_refused_in_all(&r), 7);
    size_t cursor = 0;
    assert_false(gw_fleet_next_node(gw_flow_fleet(r.w.flow), &cursor)->is_draining);
    peer_close(&p);
    peer_close(&stranger);
    rig_finish(&r);
}

static void what_is_over_its_limit_is_not_read(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    uint8_t *bytes = test_calloc(2 * MIB, 1);
    rig_begin_with(&r, &p, MIB);
    zmq_send(p.control, bytes, MIB + 1, 0);
    rig_expect_refused(&r, GW_REFUSAL_OVERSIZED, 0);
    peer_send_chunk(&p, &(struct gw_bulk_header){7, 1, 0, 2 * MIB, {0}}, bytes, MIB + 1);
    rig_expect_refused(&r, GW_REFUSAL_OVERSIZED, 1);
    assert_int_equal(rig_nodes(&r), 1);
    zmq_send(p.control, bytes, 2 * MIB, 0); /* ZeroMQ itself ends such a connection: unread */
    rig_wait_for_nodes_in_time(&r, 0);
    assert_int_equal(rig_refused(&r, GW_REFUSAL_OVERSIZED), 2);
    test_free(bytes);
    rig_finish_with(&r, &p);
}

/* Only who was handed the token on the control connection may bring payloads. */
static void a_bulk_connection_shows_its_token_first(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p, thief;
    uint8_t token[GW_LINK_TOKEN_BYTES + 1] = {0};
    rig_begin(&r);
    rig_start(&r);
    peer_open(&r, &p, "n1", 7);
    peer_open(&r, &thief, "thief", 7);
    peer_say_hello(&p, "n1", MIB);
    gateway_batch *b = peer_receive(&p);
    peer_send_chunk(&thief, &(struct gw_bulk_header){7, 1, 0, 10, {0}}, "x", 1); /* without */
    rig_expect_refused(&r, GW_REFUSAL_FORGED, 0);
    peer_introduce(&thief, "", 0);
    rig_expect_refused(&r, GW_REFUSAL_FORGED, 1);
    peer_introduce(&thief, token, GW_LINK_TOKEN_BYTES); /* of noughts */
    rig_expect_refused(&r, GW_REFUSAL_FORGED, 2);
    memcpy(token, b->welcome->bulk_token.data, GW_LINK_TOKEN_BYTES);
    peer_introduce(&thief, token, GW_LINK_TOKEN_BYTES - 1);
    rig_expect_refused(&r, GW_REFUSAL_FORGED, 3);
    peer_introduce(&thief, token, GW_LINK_TOKEN_BYTES + 1);
    rig_expect_refused(&r, GW_REFUSAL_FORGED, 4);
    peer_introduce(&p, token, GW_LINK_TOKEN_BYTES);
    peer_introduce(&p, token, GW_LINK_TOKEN_BYTES);
    rig_expect_refused(&r, GW_REFUSAL_REPLAYED, 0);
    peer_introduce(&thief, token, GW_LINK_TOKEN_BYTES); /* right, and too late: it is bound */
    rig_expect_refused(&r, GW_REFUSAL_FORGED, 5);
    assert_int_equal(rig_nodes(&r), 1);
    batch_drop(b);
    peer_close(&p);
    peer_close(&thief);
    rig_finish(&r);
}

/* ---- keys */

static void an_endpoint_that_cannot_be_bound_is_named(void **state SL_UNUSED)
{
    struct rig r;
    struct sl_error err;
    struct gw_link *link = NULL;
    rig_begin(&r);
    rig_start(&r);
    struct gw_link_conf conf = r.conf;
    conf.control = "ipc:///no/such/folder/socket";
    assert_status(gw_link_create(&sl_alloc_malloc, &conf, &r.counts, &link, &err), SL_EIO);
    assert_non_null(
        strstr(err.text, "cannot listen for executors at ipc:///no/such/folder/socket"));
    assert_null(link);
    rig_finish(&r);
}

static void endpoints_are_told_with_their_port_and_as_they_are_written(void **state SL_UNUSED)
{
    static const char *const hosts[] = {"tcp://127.0.0.1:", "tcp://0.0.0.0:", "tcp://[::1]:"};
    struct rig r;
    struct sl_error err;
    rig_begin(&r);
    rig_start(&r);
    for (size_t i = 0; i < SL_ARRAY_LEN(hosts); i++) {
        char any[64];
        struct gw_link *link;
        struct gw_link_conf conf = r.conf;
        snprintf(any, sizeof any, "%s*", hosts[i]);
        conf.control = conf.bulk = any;
        assert_ok(gw_link_create(&sl_alloc_malloc, &conf, &r.counts, &link, &err));
        const char *control = gw_link_control_endpoint(link);
        if (strncmp(control, hosts[i], strlen(hosts[i])) != 0)
            fail_msg("%s is told as %s", any, control);
        assert_true(strtol(control + strlen(hosts[i]), NULL, 10) > 0);
        assert_string_not_equal(control, gw_link_bulk_endpoint(link));
        gw_link_destroy(link);
    }
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_is_welcomed_and_hears_heartbeats),
        cmocka_unit_test(an_older_or_newer_protocol_is_refused),
        cmocka_unit_test(nodes_have_a_limit),
        cmocka_unit_test(silence_loses_a_node_and_it_may_come_back),
        cmocka_unit_test(a_gateway_that_stood_still_loses_nobody),
        cmocka_unit_test(a_name_is_kept_as_long_as_its_node_answers),
        cmocka_unit_test(a_run_may_replace_its_own_session),
        cmocka_unit_test(a_dead_connection_gives_its_name_up),
        cmocka_unit_test(a_routing_id_cannot_be_taken_over),
        cmocka_unit_test(garbage_and_strangers_are_counted_by_kind_and_dropped),
        cmocka_unit_test(what_is_over_its_limit_is_not_read),
        cmocka_unit_test(a_bulk_connection_shows_its_token_first),
        cmocka_unit_test(an_endpoint_that_cannot_be_bound_is_named),
        cmocka_unit_test(endpoints_are_told_with_their_port_and_as_they_are_written),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
