/* test_gw_link_shared.c - payloads in memory that gateway and node share, and nodes that lie
 * about theirs. */
#include "link_rig.h"

#include <sys/mman.h>
#include <unistd.h>

#include "shm_peer.h"
#include "sl_log.h"
#include "sl_test.h"

static struct sl_shm_pool *start_sharing(struct rig *r)
{
    const struct sl_shm_pool_conf conf = {.alloc = &sl_alloc_malloc,
                                          .label = "test",
                                          .bytes_max = 64 * MIB,
                                          .count_max = 16,
                                          .idle_ns = 1};
    rig_begin(r);
    assert_ok(sl_shm_pool_create(&conf, &r->conf.bodies));
    r->counts.bad_segments = sl_metric_counter(r->metrics, "bad_total", "", "Bad.");
    rig_start(r);
    return r->conf.bodies;
}

static void finish_sharing(struct rig *r, struct peer *p, struct sl_shm_pool *pool)
{
    close(p->shared);
    peer_close(p);
    rig_finish(r);
    sl_shm_pool_destroy(pool);
}

static void send_shared_done(struct peer *p, const Sluice__Node__V1__Shared *of)
{
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__SharedUse use = SLUICE__NODE__V1__SHARED_USE__INIT, *one = &use;
    use.segment = of->segment;
    use.generation = of->generation;
    m.shared_done = &one;
    m.n_shared_done = 1;
    peer_send(p, &m);
}

static void check_lent(const Sluice__Node__V1__Shared *s, int fd, size_t n)
{
    void *map;
    const size_t all = (size_t)s->offset_bytes + n;
    assert_int_equal(s->length_bytes, n);
    assert_ok(sl_memfd_map(fd, all, false, &map));
    for (size_t i = 0; i < n; i++)
        if (((const uint8_t *)map)[s->offset_bytes + i] != rig_byte_at(i))
            fail_msg("byte %zu is wrong", i);
    munmap(map, all);
    close(fd);
}

static void a_large_request_is_lent_to_its_node(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    struct sl_shm_pool *pool = start_sharing(&r);
    peer_join(&r, &p, "n1", 7, MIB);
    for (uint64_t use = 1; use <= 3; use++) {
        struct fake_exchange *e = rig_call(&r, MIB);
        gateway_batch *b = peer_receive_dispatch(&p);
        const Sluice__Node__V1__Dispatch *d = b->dispatches[0];
        assert_true(d->payload_bytes == 0 && d->payload.len == 0 && d->shared != NULL);
        assert_true(d->shared->segment == 1 && d->shared->generation == use);
        if (use == 1)
            check_lent(d->shared, shm_peer_take(p.shared, 1), MIB);
        shm_peer_expect_silence(p.shared); /* it is shown once */
        send_shared_done(&p, d->shared);
        peer_send_result(&p, d->lease, 3, "abc", 0);
        rig_wait_for_reply(&r, e);
        batch_drop(b);
    }
    assert_int_equal(sl_metric_value(r.counts.sent_bulk_bytes), 0);
    assert_int_equal(sl_metric_value(r.counts.bad_segments), 0);
    finish_sharing(&r, &p, pool);
}

static void a_reply_leaves_from_the_nodes_memory(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    void *map;
    struct sl_shm_pool *pool = start_sharing(&r);
    peer_join(&r, &p, "n1", 7, MIB);
    struct fake_exchange *e = rig_call(&r, 10);
    gateway_batch *b = peer_receive_dispatch(&p);
    const int fd = shm_peer_memory(0);
    assert_ok(sl_memfd_map(fd, SHM_PEER_BYTES, true, &map));
    for (size_t i = 0; i < MIB - 64; i++)
        ((uint8_t *)map)[64 + i] = rig_byte_at(i);
    munmap(map, SHM_PEER_BYTES);
    shm_peer_show(p.shared, 5, fd);
    Sluice__Node__V1__Shared s = SLUICE__NODE__V1__SHARED__INIT;
    s.segment = 5;
    s.generation = 9;
    s.offset_bytes = 64;
    s.length_bytes = MIB - 64;
    peer_send_result_from(&p, b->dispatches[0]->lease, MIB - 64, NULL, 0, &s);
    rig_wait_for_reply(&r, e);
    rig_listen_for(&r, r.conf.lost_after_ns + 1); /* the reply outlives its node */
    rig_check_reply(e, MIB - 64);
    batch_drop(b);
    finish_sharing(&r, &p, pool);
}

/* A node that names what it did not show, or what is not there, is lost. */
static void lose_by(uint32_t segment, uint64_t generation, uint64_t offset, uint64_t length,
                    bool is_sealed)
{
    struct rig r;
    struct peer p;
    struct sl_shm_pool *pool = start_sharing(&r);
    peer_join(&r, &p, "n1", 7, MIB);
    struct fake_exchange *e = rig_call(&r, MIB);
    gateway_batch *b = peer_receive_dispatch(&p);
    close(shm_peer_take(p.shared, 1));
    shm_peer_show(p.shared, 5, is_sealed ? shm_peer_memory(0) : shm_peer_unsealed());
    Sluice__Node__V1__Shared s = SLUICE__NODE__V1__SHARED__INIT;
    s.segment = segment;
    s.generation = generation;
    s.offset_bytes = offset;
    s.length_bytes = length;
    peer_send_result_from(&p, b->dispatches[0]->lease, (size_t)length, NULL, 0, &s);
    rig_wait_for_nodes(&r, 0);
    assert_int_equal(sl_metric_value(r.counts.bad_segments), 1);
    fake_event(&r.w, e, GW_EV_GONE);
    assert_false(sl_shm_pool_has(pool, 1)); /* what it was lent is never used again */
    batch_drop(b);
    finish_sharing(&r, &p, pool);
}

static void a_node_that_lies_about_its_memory_is_lost(void **state SL_UNUSED)
{
    lose_by(5, 1, 1, SHM_PEER_BYTES, true);
    lose_by(5, 1, UINT64_MAX - 1, 4, true);
    lose_by(5, 0, 0, 4, true);
    lose_by(6, 1, 0, 4, true);
    lose_by(5, 1, 0, 0, true);
    lose_by(5, 1, 0, 4, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_request_is_lent_to_its_node),
        cmocka_unit_test(a_reply_leaves_from_the_nodes_memory),
        cmocka_unit_test(a_node_that_lies_about_its_memory_is_lost),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
