/* gw_link_memory.c - who of the nodes shares memory with the gateway, and results that lie there. */
#include "gw_link_int.h"
#include "sl_log.h"

void gw_link_count_bad_segment(struct gw_link *l, const char *what)
{
    sl_metric_add(l->metrics.bad_segments, 1);
    sl_log(SL_LOG_DEBUG, "shared memory refused", SL_S("why", what));
}

/* ---- seats */

static void seat(struct gw_link *l, uint64_t session, int take_fd)
{
    struct gw_peer *p = gw_link_peer_of(l, session);
    const bool is_awaited = p != NULL && p->wants_shared && p->shared == NULL;
    struct gw_shared *s = gw_shared_create(l->alloc, l->conf.bodies, take_fd);
    if (is_awaited) {
        p->shared = s; /* NULL without memory: then payloads go by bulk */
        return;
    }
    gw_shared_destroy(s);
    gw_link_count_bad_segment(l, "a connection of no session that waits for one");
}

void gw_link_seat(struct gw_link *l)
{
    uint64_t session;
    int fd;
    unsigned bad = 0;
    while (gw_shared_gate_next(&l->gate, &session, &fd, &bad))
        seat(l, session, fd);
    while (bad-- > 0)
        gw_link_count_bad_segment(l, "a connection that did not say its session");
}

/* A node that was offered shared memory comes as soon as it is welcome. */
struct gw_shared *gw_link_shared_of(struct gw_link *l, struct gw_peer *p)
{
    if (p->wants_shared && p->shared == NULL)
        gw_link_seat(l);
    return p->shared;
}

/* ---- results */

static void deliver(struct gw_link *l, struct gw_peer *p, const struct gw_node_result *r,
                    const struct sl_span *bytes, void *release_ctx, sl_mono_ns now)
{
    struct gw_result result = r->result;
    result.payload = (struct gw_result_payload){bytes, 1, bytes->len};
    result.release = gw_shared_release;
    result.release_ctx = release_ctx;
    sl_metric_add(l->metrics.received_shared_bytes, (int64_t)bytes->len);
    gw_flow_on_result(l->flow, p->node, &result, now);
}

/* Why the payload is not wanted; the node is not at fault. */
static enum sl_reason judge(struct gw_link *l, const struct gw_peer *p,
                            const struct gw_node_result *r)
{
    const struct gw_fleet_lease *lease = gw_link_open_lease(l, p, r->result.lease);
    if (lease == NULL || lease->call == 0)
        return SL_REASON_CANCELLED;
    return r->shared.length_bytes > l->conf.max_result_bytes ? SL_REASON_TOO_LARGE : SL_REASON_OK;
}

bool gw_link_on_shared_result(struct gw_link *l, struct gw_peer *p, const struct gw_node_result *r,
                              sl_mono_ns now)
{
    struct sl_span *bytes;
    void *release_ctx;
    struct gw_shared *s = gw_link_shared_of(l, p);
    const enum sl_reason why = judge(l, p, r);
    const sl_status st =
        s != NULL ? gw_shared_take(s, &r->shared, &bytes, &release_ctx) : SL_EPROTO;
    if (st == SL_EPROTO || st == SL_ENOENT) {
        gw_link_count_bad_segment(l, "a result does not lie where its node says");
        return false;
    }
    if (st == SL_OK && why == SL_REASON_OK) {
        deliver(l, p, r, bytes, release_ctx, now);
        return true;
    }
    if (st == SL_OK)
        gw_shared_release(release_ctx);
    gw_link_refuse_payload(l, p, &r->result, r->shared.length_bytes,
                           why != SL_REASON_OK ? why : SL_REASON_NO_CAPACITY, now);
    return true;
}
