/* test_gw_link_leases.c - leases that ended reach the flow, and acknowledgements go with what goes anyway. */
#include <stdlib.h>

#include "link_rig.h"
#include "sl_log.h"
#include "sl_test.h"

enum { JOURNAL = 5 };

static void begin(struct rig *r, struct peer *p, uint64_t journal)
{
    rig_begin(r);
    r->journal = journal;
    rig_start(r);
    peer_join(r, p, "n1", 7, MIB);
}

/* A call is answered with that record; *out is its dispatch. */
static void answer(struct rig *r, struct peer *p, uint64_t record, gateway_batch **out)
{
    uint8_t *bytes = rig_bytes(10);
    struct fake_exchange *e = rig_call(r, 10);
    *out = peer_receive_dispatch(p);
    r->record = record;
    peer_send_result(p, (*out)->dispatches[0]->lease, 10, bytes, 0);
    rig_wait_for_reply(r, e);
    rig_check_reply(e, 10);
    free(bytes);
}

static void tell_ended(struct peer *p, uint64_t first_serial, size_t count)
{
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__Ended ended[200], *list[200];
    m.n_ended = count;
    m.ended = list;
    for (size_t i = 0; i < count; i++) {
        sluice__node__v1__ended__init(&ended[i]);
        ended[i].record = (first_serial + i) << 16;
        ended[i].held_us = 5;
        list[i] = &ended[i];
    }
    peer_send(p, &m);
}

static void a_lease_is_acknowledged_with_the_next_dispatch(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    gateway_batch *b;
    begin(&r, &p, JOURNAL);
    answer(&r, &p, 1 << 16, &b);
    assert_int_equal(b->n_acknowledged, 0);
    batch_drop(b);
    answer(&r, &p, 2 << 16, &b);
    assert_int_equal(b->n_acknowledged, 1);
    assert_int_equal(b->acknowledged[0], 1 << 16);
    batch_drop(b);
    rig_finish_with(&r, &p);
}

static void many_acknowledgements_go_by_themselves(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    begin(&r, &p, JOURNAL);
    tell_ended(&p, 1, GW_LINK_ACKS_MAX + 2);
    gateway_batch *b = peer_receive(&p);
    /* All that waited goes along with the batch that had to be begun. */
    assert_int_equal(b->n_acknowledged, GW_LINK_ACKS_MAX + 2);
    for (uint64_t i = 0; i < b->n_acknowledged; i++)
        assert_int_equal(b->acknowledged[i], (i + 1) << 16);
    batch_drop(b);
    rig_finish_with(&r, &p);
}

static void a_heartbeat_takes_them_along(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    begin(&r, &p, JOURNAL);
    tell_ended(&p, 9, 1);
    rig_turn(&r);
    r.w.now += r.conf.heartbeat_every_ns + 1;
    gateway_batch *b = peer_receive(&p);
    while (b->n_acknowledged == 0) { /* the heartbeat may have left before the news came */
        assert_non_null(b->heartbeat);
        batch_drop(b);
        r.w.now += r.conf.heartbeat_every_ns + 1;
        b = peer_receive(&p);
    }
    assert_int_equal(b->acknowledged[0], 9 << 16);
    batch_drop(b);
    rig_finish_with(&r, &p);
}

static void version_one_hears_of_no_acknowledgement(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    gateway_batch *b;
    begin(&r, &p, 0);
    for (int i = 0; i < 2; i++) {
        answer(&r, &p, 1 << 16, &b);
        assert_int_equal(b->n_acknowledged, 0);
        batch_drop(b);
    }
    rig_finish_with(&r, &p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_is_acknowledged_with_the_next_dispatch),
        cmocka_unit_test(many_acknowledgements_go_by_themselves),
        cmocka_unit_test(a_heartbeat_takes_them_along),
        cmocka_unit_test(version_one_hears_of_no_acknowledgement),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
