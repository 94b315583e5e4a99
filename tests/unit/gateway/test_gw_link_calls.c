/* test_gw_link_calls.c - calls over the link whose payloads travel inside the messages; and no
 * mail is slept over. */
#include "link_rig.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

#include "sl_log.h"
#include "sl_test.h"

/* ---- a server's loop: it sleeps until a descriptor signals, and ZeroMQ signals edges only */

/* What the server does whenever it wakes. */
static void wake(struct rig *r)
{
    do {
        gw_link_read(r->link, r->w.now);
        gw_link_tick(r->link, r->w.now);
        fake_turn(&r->w);
        gw_link_flush(r->link, r->w.now);
    } while (gw_link_has_mail(r->link));
}

static void sleep_and_wake(struct rig *r)
{
    int fds[GW_LINK_FDS];
    struct pollfd polls[GW_LINK_FDS];
    gw_link_fds(r->link, fds);
    for (size_t i = 0; i < GW_LINK_FDS; i++)
        polls[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    if (poll(polls, GW_LINK_FDS, 5000) <= 0)
        fail_msg("mail lies in a socket, but nothing signals it");
    for (size_t i = 0; i < GW_LINK_FDS; i++)
        if (polls[i].revents != 0)
            gw_link_stir(r->link, i);
    wake(r);
}

/* The gateway has been awake: its dispatch is on its way. */
static uint64_t next_lease(struct peer *p)
{
    zmq_msg_t m;
    for (;;) {
        uint64_t lease = 0;
        zmq_msg_init(&m);
        assert_true(zmq_msg_recv(&m, p->control, 0) >= 0);
        gateway_batch *b =
            sluice__node__v1__gateway_batch__unpack(NULL, zmq_msg_size(&m), zmq_msg_data(&m));
        zmq_msg_close(&m);
        assert_non_null(b);
        if (b->n_dispatches > 0)
            lease = b->dispatches[0]->lease;
        batch_drop(b);
        if (lease != 0)
            return lease;
    }
}

static void no_mail_is_slept_over(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    int patience_ms = 5000;
    rig_begin_with(&r, &p, MIB);
    assert_int_equal(zmq_setsockopt(p.control, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms), 0);
    uint8_t *bytes = rig_bytes(3000);
    for (int i = 0; i < 300; i++) {
        struct fake_exchange *e = rig_call(&r, 10);
        wake(&r);
        uint64_t lease = next_lease(&p);
        bool by_bulk = i % 3 == 0;
        if (by_bulk)
            peer_send_chunk(&p, &(struct gw_bulk_header){7, lease, 0, 3000, {0}}, bytes, 3000);
        peer_send_result(&p, lease, by_bulk ? 3000 : 10, by_bulk ? NULL : bytes,
                         by_bulk ? 3000 : 0);
        while (e->replies == 0)
            sleep_and_wake(&r);
        rig_check_reply(e, by_bulk ? 3000 : 10);
        fake_leave(&r.w, e);
    }
    free(bytes);
    rig_finish_with(&r, &p);
}

/* A node that is drained: its last result and the end of its connection come between a turn's reading and its
 * sending. */
static void what_a_node_sent_before_it_went_is_read(void **state SL_UNUSED)
{
    enum { N = 10, MS_MAX = 5000 };
    struct rig r;
    struct peer p;
    rig_begin_with(&r, &p, MIB);
    struct fake_exchange *e = rig_call(&r, N);
    wake(&r);
    uint64_t lease = next_lease(&p);
    uint8_t *bytes = rig_bytes(N);
    peer_send_result(&p, lease, N, bytes, 0);
    peer_close(&p);
    for (int i = 0; i < MS_MAX && rig_is_connected(&r, &p); i++)
        usleep(1000);       /* ZeroMQ sees it on a thread of its own */
    r.w.now += SL_NS_PER_S; /* a heartbeat is due */
    gw_link_tick(r.link, r.w.now);
    gw_link_flush(r.link, r.w.now); /* which cannot be sent */
    assert_int_equal(rig_nodes(&r), 1);
    while (gw_link_has_mail(r.link))
        wake(&r);
    rig_check_reply(e, N);
    assert_int_equal(rig_nodes(&r), 0);
    free(bytes);
    rig_finish(&r);
}

/* ---- calls with small payloads */

static void small_payloads_travel_inside(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    rig_begin_with(&r, &p, MIB);
    for (size_t n = 0; n <= INLINE_MAX; n += INLINE_MAX / 2) {
        struct fake_exchange *e = rig_call(&r, n);
        gateway_batch *b = peer_receive_dispatch(&p);
        const Sluice__Node__V1__Dispatch *d = b->dispatches[0];
        uint8_t *bytes = rig_bytes(n);
        assert_true(d->payload_bytes == 0 && d->payload.len == n);
        if (n > 0)
            assert_memory_equal(d->payload.data, bytes, n);
        peer_send_result(&p, d->lease, n, bytes, 0);
        rig_wait_for_reply(&r, e);
        rig_check_reply(e, n);
        free(bytes);
        batch_drop(b);
    }
    rig_finish_with(&r, &p);
}

static void calls_of_one_turn_share_a_batch(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    rig_begin_with(&r, &p, MIB);
    for (int i = 0; i < 5; i++)
        rig_call(&r, 10);
    gateway_batch *b = peer_receive_dispatch(&p);
    assert_int_equal(b->n_dispatches, 5);
    batch_drop(b);
    gw_flow_end_all(r.w.flow, r.w.now);
    b = peer_receive(&p);
    assert_int_equal(b->n_cancels, 5);
    batch_drop(b);
    rig_finish_with(&r, &p);
}

static void started_and_returned_reach_the_flow(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    rig_begin_with(&r, &p, MIB);
    struct fake_exchange *e = rig_call(&r, 10);
    gateway_batch *b = peer_receive_dispatch(&p);
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__Returned returned = SLUICE__NODE__V1__RETURNED__INIT, *list = &returned;
    Sluice__Node__V1__Started started = SLUICE__NODE__V1__STARTED__INIT, *starteds = &started;
    returned.lease = b->dispatches[0]->lease;
    m.n_returned = 1;
    m.returned = &list;
    peer_send(&p, &m);
    batch_drop(b);
    b = peer_receive_dispatch(&p); /* the same call once more */
    assert_int_not_equal(b->dispatches[0]->lease, returned.lease);
    m.n_returned = 0;
    m.n_started = 1;
    m.started = &starteds;
    started.lease = b->dispatches[0]->lease;
    peer_send(&p, &m);
    for (int i = 0; i < ROUNDS_MAX && gw_flow_counts(r.w.flow)->in[GW_CALL_RUNNING] == 0; i++) {
        rig_turn(&r);
        usleep(1000);
    }
    assert_int_equal(gw_flow_counts(r.w.flow)->in[GW_CALL_RUNNING], 1);
    fake_event(&r.w, e, GW_EV_GONE);
    batch_drop(b);
    b = peer_receive(&p);
    assert_int_equal(b->n_cancels, 1);
    assert_int_equal(b->cancels[0]->lease, started.lease);
    batch_drop(b);
    rig_finish_with(&r, &p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_mail_is_slept_over),
        cmocka_unit_test(what_a_node_sent_before_it_went_is_read),
        cmocka_unit_test(small_payloads_travel_inside),
        cmocka_unit_test(calls_of_one_turn_share_a_batch),
        cmocka_unit_test(started_and_returned_reach_the_flow),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
