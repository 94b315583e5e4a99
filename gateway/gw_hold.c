#include "gw_hold.h"

#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include "gw_store.h"
#include "sl_log.h"

static const char zmq_io_threads[] = "ZMQbg/IO"; /* as libzmq names them */

void gw_hold_start(struct gw_hold *h, int64_t watch_ns, bool tells_nodes,
                   const struct gw_hold_metrics *metrics)
{
    h->is_on = true;
    h->tells_nodes = tells_nodes;
    h->call_spin.for_ns = h->store_spin.for_ns = watch_ns;
    h->metrics = *metrics;
    h->tids[0] = gettid();
    h->tid_count = sl_hold_find_threads(zmq_io_threads, h->tids, 1, SL_HOLD_THREADS_MAX);
    h->tid_count =
        sl_hold_find_threads(GW_STORE_THREAD_NAME, h->tids, h->tid_count, SL_HOLD_THREADS_MAX);
    gw_place_init(&h->place);
}

static void begin(struct gw_hold *h, struct gw_flow *flow)
{
    int cpu = sched_getcpu();
    sl_status s = sl_hold_begin(&h->threads, getpid(), h->tids, h->tid_count, cpu);
    if (s != SL_OK) { /* a machine without such calls: it will not come back */
        h->is_on = false;
        sl_log(SL_LOG_WARN, "threads cannot be held to a processor",
               SL_S("why", sl_status_text(s)));
        return;
    }
    if (h->tells_nodes)
        gw_flow_hint_cpu(flow, (uint32_t)cpu + 1);
}

void gw_hold_finish(struct gw_hold *h)
{
    sl_hold_end(&h->threads);
}

void gw_hold_turn(struct gw_hold *h, struct gw_flow *flow, sl_mono_ns now)
{
    if (!h->is_on)
        return;
    bool was_held = h->place.is_held;
    bool is_held = gw_place_see(&h->place, gw_flow_calls_ever(flow), gw_flow_calls_open(flow), now);
    if (is_held == was_held)
        return;
    if (is_held) {
        begin(h, flow);
    } else {
        sl_hold_end(&h->threads);
        gw_flow_hint_cpu(flow, 0);
    }
    sl_metric_set(h->metrics.held, h->threads.count > 0);
    sl_metric_add(h->metrics.switches, 1);
}

void gw_hold_watch(struct gw_hold *h, uv_loop_t *loop, const struct sl_clock *clock,
                   bool owes_reply)
{
    struct sl_spin *spin = owes_reply ? &h->store_spin : &h->call_spin;
    if (!h->is_on || !gw_place_is_between(&h->place) || uv_backend_timeout(loop) == 0 ||
        !sl_spin_may(spin))
        return;
    struct pollfd news = {.fd = uv_backend_fd(loop), .events = POLLIN};
    sl_mono_ns end = sl_sat_add(sl_clock_mono(clock), spin->for_ns);
    bool has_news;
    do {
        sched_yield();
        has_news = poll(&news, 1, 0) != 0;
    } while (!has_news && sl_clock_mono(clock) < end);
    sl_spin_tell(spin, has_news);
}
