/* test_gw_link_keys.c - the link with CURVE: whose key lets whom in, and as whom. */
#include "link_rig.h"

#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

#include "sl_log.h"
#include "sl_test.h"

enum { ALLOWED = 2, PAIRS = 3 };

static void make_pair(struct pair *p)
{
    assert_int_equal(zmq_curve_keypair(p->public_key.text, p->secret_key.text), 0);
}

/* pairs[0] is that of n1, pairs[1] that of n2, pairs[2] nobody's. */
static void start_with_keys(struct rig *r, struct pair pairs[PAIRS])
{
    static const char *const whys[] = {
#define WHY_LABEL(name, text) [GW_NODE_REFUSAL_##name] = "why=\"" text "\"",
        GW_NODE_REFUSAL_MAP(WHY_LABEL)
#undef WHY_LABEL
    };
    struct pair gateway;
    make_pair(&gateway);
    r->public_key = gateway.public_key;
    r->secret_key = gateway.secret_key;
    r->conf.secret = &r->secret_key;
    r->conf.bulk_is_plain = r->bulk_is_plain;
    for (int k = 0; k < GW_NODE_REFUSAL_COUNT; k++)
        r->counts.refused_nodes[k] = sl_metric_counter(r->metrics, "nodes_refused", whys[k], "No.");
    rig_start(r);
    struct gw_link_allowed allowed[ALLOWED] = {{.node = "n1"}, {.node = "n2"}};
    for (int i = 0; i < PAIRS; i++)
        make_pair(&pairs[i]);
    for (int i = 0; i < ALLOWED; i++)
        allowed[i].key = pairs[i].public_key;
    assert_ok(gw_link_set_allowed(r->link, allowed, ALLOWED, r->w.now));
}

static void expect_refused_node(struct rig *r, enum gw_node_refusal why)
{
    for (int i = 0; i < ROUNDS_MAX && sl_metric_value(r->counts.refused_nodes[why]) == 0; i++) {
        rig_turn(r);
        usleep(1000);
    }
    assert_true(sl_metric_value(r->counts.refused_nodes[why]) > 0);
}

static void join_with_key(struct rig *r, struct peer *p, const char *name, uint64_t session,
                          const struct pair *keys)
{
    r->as = keys;
    peer_join(r, p, name, session, MIB);
}

static void an_allowed_key_lets_a_node_in(void **state SL_UNUSED)
{
    for (int plain = 0; plain <= 1; plain++) {
        struct rig r;
        struct peer p;
        struct pair pairs[PAIRS];
        rig_begin(&r);
        r.bulk_is_plain = plain == 1;
        start_with_keys(&r, pairs);
        join_with_key(&r, &p, "n1", 7, &pairs[0]);
        struct fake_exchange *e = rig_call(&r, 10);
        gateway_batch *b = peer_receive_dispatch(&p);
        uint8_t *bytes = rig_bytes(5000);
        peer_send_result(&p, b->dispatches[0]->lease, 5000, NULL, 5000);
        peer_send_payload(&p, b->dispatches[0]->lease, 5000, 2000, 5000);
        rig_wait_for_reply(&r, e);
        rig_check_reply(e, 5000);
        assert_int_equal(rig_refused_in_all(&r), 0);
        free(bytes);
        batch_drop(b);
        rig_finish_with(&r, &p);
    }
}

static void a_key_that_is_nobodys_stays_outside(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    struct pair pairs[PAIRS];
    rig_begin(&r);
    start_with_keys(&r, pairs);
    r.as = &pairs[2];
    peer_open(&r, &p, "n1", 7);
    peer_say_hello(&p, "n1", MIB);
    expect_refused_node(&r, GW_NODE_REFUSAL_KEY);
    r.as = NULL; /* and so does who shows none */
    struct peer plain;
    peer_open(&r, &plain, "n1", 8);
    peer_say_hello(&plain, "n1", MIB);
    for (int i = 0; i < 100; i++) {
        rig_turn(&r);
        usleep(1000);
    }
    assert_int_equal(rig_nodes(&r), 0);
    peer_close(&p);
    peer_close(&plain);
    rig_finish(&r);
}

/* An allowed node that knows another's session, token and lease gets nowhere with them. */
static void a_node_cannot_speak_for_another(void **state SL_UNUSED)
{
    struct rig r;
    struct peer n1, thief;
    struct pair pairs[PAIRS];
    rig_begin(&r);
    start_with_keys(&r, pairs);
    r.as = &pairs[0];
    peer_open(&r, &n1, "n1", 7);
    peer_say_hello(&n1, "n1", MIB);
    gateway_batch *b = peer_receive(&n1);
    r.as = &pairs[1];
    peer_open(&r, &thief, "thief", 9);
    peer_say_hello(&thief, "n1", MIB); /* its name */
    gateway_batch *no = peer_receive(&thief);
    assert_string_equal(no->refuse->text, "the executor calls itself 'n1', but its key is that of "
                                          "'n2' in link.allow");
    batch_drop(no);
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    m.session = 7;
    m.draining = true;
    peer_send(&thief, &m); /* its session */
    rig_expect_refused(&r, GW_REFUSAL_FORGED, 0);
    thief.session = 7;
    peer_introduce(&thief, b->welcome->bulk_token.data, b->welcome->bulk_token.len); /* its token */
    rig_expect_refused(&r, GW_REFUSAL_FORGED, 1);
    struct fake_exchange *e = rig_call(&r, 10);
    gateway_batch *d = peer_receive_dispatch(&n1);
    uint64_t lease = d->dispatches[0]->lease;
    thief.session = 9;
    peer_say_hello(&thief, "n2", MIB);
    batch_drop(peer_receive(&thief));
    uint8_t *bytes = rig_bytes(10);
    peer_send_result(&thief, lease, 10, bytes, 0); /* its lease, as a node of its own */
    rig_expect_refused(&r, GW_REFUSAL_FORGED, 2);
    assert_int_equal(e->replies, 0);
    peer_send_result(&n1, lease + (UINT64_C(1) << 32), 10, bytes, 0); /* of another generation */
    rig_expect_refused(&r, GW_REFUSAL_STALE, 0);
    peer_send_result(&n1, lease, 10, bytes, 0);
    rig_wait_for_reply(&r, e);
    rig_check_reply(e, 10);
    peer_send_result(&n1, lease, 10, bytes, 0); /* once more */
    rig_expect_refused(&r, GW_REFUSAL_STALE, 1);
    free(bytes);
    batch_drop(b);
    batch_drop(d);
    peer_close(&n1);
    peer_close(&thief);
    rig_finish(&r);
}

static void a_key_that_is_taken_off_the_list_loses_its_node(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    struct pair pairs[PAIRS];
    rig_begin(&r);
    start_with_keys(&r, pairs);
    join_with_key(&r, &p, "n1", 7, &pairs[0]);
    struct gw_link_allowed only = {.node = "n2", .key = pairs[1].public_key};
    assert_ok(gw_link_set_allowed(r.link, &only, 1, r.w.now));
    assert_int_equal(rig_nodes(&r), 0);
    gateway_batch *b = peer_receive(&p);
    assert_string_equal(b->refuse->text, "its key is no longer in link.allow");
    batch_drop(b);
    peer_say_hello(&p, "n1", MIB); /* over the connection that still stands */
    b = peer_receive(&p);
    assert_string_equal(b->refuse->text, "its key is no longer in link.allow");
    batch_drop(b);
    struct gw_link_allowed renamed = {.node = "n3", .key = pairs[0].public_key};
    assert_ok(gw_link_set_allowed(r.link, &renamed, 1, r.w.now));
    peer_say_hello(&p, "n3", MIB);
    b = peer_receive(&p);
    assert_non_null(b->welcome);
    batch_drop(b);
    rig_finish_with(&r, &p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allowed_key_lets_a_node_in),
        cmocka_unit_test(a_key_that_is_nobodys_stays_outside),
        cmocka_unit_test(a_node_cannot_speak_for_another),
        cmocka_unit_test(a_key_that_is_taken_off_the_list_loses_its_node),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
