#include "ex_hold.h"

#include <unistd.h>

static const char zmq_io_threads[] = "ZMQbg/IO"; /* as libzmq names them */
static const int64_t idle_ns = SL_NS_PER_S;

static void let_go(struct ex_hold *h, struct ex_pool *pool)
{
    ex_pool_hold(pool, NULL);
    sl_hold_end(&h->own);
}

static void begin(struct ex_hold *h, struct ex_pool *pool)
{
    pid_t tids[SL_HOLD_THREADS_MAX] = {gettid()};
    size_t count = sl_hold_find_threads(zmq_io_threads, tids, 1, SL_HOLD_THREADS_MAX);
    if (sl_hold_begin(&h->own, getpid(), tids, count, (int)(h->cpu_hint - 1)) == SL_OK)
        ex_pool_hold(pool, &h->own);
}

void ex_hold_call(struct ex_hold *h, struct ex_pool *pool, uint32_t cpu_hint, sl_mono_ns now)
{
    h->asked_at = now;
    if (!h->is_on || h->cpu_hint == cpu_hint)
        return;
    h->cpu_hint = cpu_hint;
    let_go(h, pool);
    if (cpu_hint > 0 && cpu_hint <= CPU_SETSIZE)
        begin(h, pool);
}

void ex_hold_tick(struct ex_hold *h, struct ex_pool *pool, sl_mono_ns now)
{
    if (h->cpu_hint != 0 && now - h->asked_at > idle_ns)
        ex_hold_call(h, pool, 0, now);
}
