/* fuzz_gw_link_wire.c - any bytes as a NodeBatch and as a bulk header: what is read keeps to its
 * bounds, an announcement joins a fleet or is refused with a sentence, and a header comes back as
 * it was. */
#include <stdlib.h>

#include "gw_link_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void nobody_waits(void *ctx, struct gw_fleet_lease *lease)
{
    (void)ctx;
    (void)lease;
    abort();
}

static void try_join(const struct gw_hello *hello)
{
    static const struct gw_fleet_conf conf = {
        .max_nodes = 1, .max_models = 4, .max_leases = 1, .feed_ahead_us = 1, .feed_ahead_max = 1};
    struct gw_fleet *fleet;
    struct gw_fleet_node *node;
    struct sl_error err = {0};
    require(gw_fleet_create(&sl_alloc_malloc, &conf, &fleet) == SL_OK);
    if (gw_fleet_join(fleet, hello, 1, &node, &err) == SL_OK) {
        require(gw_fleet_check(fleet) == SL_OK);
        require(node->offer_count == hello->model_count);
        gw_fleet_leave(fleet, node, nobody_waits, NULL);
    } else {
        require(err.text[0] != '\0');
    }
    require(gw_fleet_check(fleet) == SL_OK);
    gw_fleet_destroy(fleet);
}

static uint64_t sum; /* so that no read is left out */

static void touch(struct sl_span s)
{
    for (size_t i = 0; i < s.len; i++)
        sum += s.data[i];
}

static void check_results(const struct gw_node_batch *b)
{
    for (size_t i = 0; i < b->result_count; i++) {
        const struct gw_node_result *r = &b->results[i];
        require(r->result.held_us >= 0 && (unsigned)r->result.reason < SL_REASON_COUNT);
        touch(r->inline_payload);
        touch(r->result.text);
        for (size_t k = 0; k < r->result.output_count; k++) {
            const struct gw_result_output *o = &r->result.outputs[k];
            require(o->rank <= SL_RANK_MAX);
            touch(o->name);
            for (size_t d = 0; d < o->rank; d++)
                sum += (uint64_t)o->dims[d];
        }
    }
}

static void check_ended(const struct gw_node_batch *b)
{
    for (size_t i = 0; i < b->ended_count; i++) {
        const struct gw_ended *e = &b->ended[i];
        require(e->record != 0 && e->held_us >= 0 && e->started_at >= 0 && e->ended_at >= 0);
        require((unsigned)e->reason < SL_REASON_COUNT);
        touch(e->model);
        touch(sl_span_of(e->call_id, sizeof e->call_id));
    }
}

static void try_bulk(struct sl_span bytes)
{
    struct gw_bulk_header h, back;
    uint8_t again[GW_BULK_HEADER_MAX];
    if (!gw_link_read_bulk(bytes, &h))
        return;
    require(h.session != 0);
    touch(h.token);
    h.token = (struct sl_span){0}; /* it is read only */
    require(gw_link_read_bulk(sl_span_of(again, gw_link_write_bulk(&h, again)), &back));
    require(memcmp(&h, &back, sizeof h) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_arena arena;
    struct gw_node_batch b;
    sl_arena_init(&arena, &sl_alloc_malloc, 8 << 20);
    if (gw_link_read_batch(sl_span_of(data, size), &arena, &b)) {
        require(b.session != 0);
        for (size_t i = 0; i < b.started_count; i++)
            sum += b.started[i];
        for (size_t i = 0; i < b.returned_count; i++)
            sum += b.returned[i];
        check_results(&b);
        check_ended(&b);
        if (b.has_hello)
            try_join(&b.hello);
    }
    try_bulk(sl_span_of(data, size));
    sl_arena_finish(&arena);
    return 0;
}
