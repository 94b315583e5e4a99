#include "gw_keep.h"

#include "gw_marks.h"
#include "sl_log.h"

static const int64_t window_us = INT64_C(86400) * SL_US_PER_S;

sl_status gw_keep_register(struct sl_metric_registry *r, struct gw_store_metrics *m)
{
    m->entries = sl_metric_counter(r, "sluice_store_entries_total", "",
                                   "Receipts and other entries that were stored.");
    m->groups = sl_metric_counter(r, "sluice_store_groups_total", "",
                                  "Transactions in which they were stored.");
    m->lost = sl_metric_counter(r, "sluice_store_lost_total", "",
                                "Entries that had been stored and were not there at the start.");
    m->mended = sl_metric_counter(r, "sluice_store_mended_total", "",
                                  "Times the file was replaced by a copy after a failed sync.");
    m->lag = sl_metric_gauge(r, "sluice_store_lag", "",
                             "Stored entries that are not in the store's tables yet.");
    m->is_writable = sl_metric_gauge(r, "sluice_store_writable", "",
                                     "1 while the store can be written; 0 without one, too.");
    return m->entries != NULL && m->groups != NULL && m->lost != NULL && m->mended != NULL &&
                   m->lag != NULL && m->is_writable != NULL
               ? SL_OK
               : SL_ENOMEM;
}

/* On the store's threads. */
static void wake(void *ctx)
{
    struct gw_keep *k = ctx;
    uv_async_send(&k->woken);
}

/* Only wakes the loop: its turn does the rest. */
static void on_woken(uv_async_t *a)
{
    (void)a;
}

static struct gw_store_conf conf_of(struct gw_keep *k, const struct gw_conf *conf,
                                    const struct sl_clock *clock,
                                    const struct gw_store_metrics *metrics)
{
    return (struct gw_store_conf){
        .path = conf->store.path,
        .syncs_commits = conf->store.sync == GW_STORE_SYNC_FULL,
        .serves_when_broken = conf->store.when_broken == GW_STORE_SERVE,
        .queue_max_bytes = (size_t)conf->store.queue_max_bytes,
        .lag_max = conf->store.lag_max,
        .keep_us = conf->store.keep_ns / SL_NS_PER_US,
        .clock = clock,
        .wake = wake,
        .wake_ctx = k,
        .metrics = *metrics,
    };
}

/* A day and a little: whether a window is over is for the ledger to say. */
static sl_wall_us windows_since(const struct sl_clock *clock)
{
    return sl_clock_wall(clock) - 2 * window_us;
}

static void tell_open(const struct gw_keep *k)
{
    struct gw_store_health h;
    gw_store_health(k->store, &h);
    sl_log(SL_LOG_INFO, "the store is open", SL_I("entries", h.last_n));
}

sl_status gw_keep_open(struct gw_keep *k, const struct gw_conf *conf, const struct sl_clock *clock,
                       const struct gw_store_metrics *metrics, uv_loop_t *loop,
                       const struct gw_store_loader *loader, struct sl_error *err)
{
    if (conf->store.path[0] == '\0') {
        sl_log(SL_LOG_WARN, "store.path is empty: receipts and accounts end with this process");
        return SL_OK;
    }
    const struct gw_store_conf c = conf_of(k, conf, clock, metrics);
    sl_status s = gw_store_create(&sl_alloc_malloc, &c, &k->store, err);
    if (s == SL_OK)
        s = gw_store_restore(k->store, windows_since(clock),
                             (uint64_t)GW_MARKS_SPAN << GW_MARKS_PLACE_BITS, loader, err);
    if (s != SL_OK)
        return s;
    if (uv_async_init(loop, &k->woken, on_woken) != 0 || gw_store_start(k->store) != SL_OK) {
        sl_error_set(err, SL_REASON_INTERNAL, "no thread for the store");
        return SL_ENOMEM;
    }
    tell_open(k);
    return SL_OK;
}

/* ---- the flow's port, which outlives the store at both ends */

static sl_status append(void *ctx, enum gw_record_kind kind, struct sl_span bytes, uint64_t ticket)
{
    struct gw_keep *k = ctx;
    if (k->store == NULL)
        return SL_EIO;
    const struct gw_store_port p = gw_store_port(k->store);
    return p.append(p.ctx, kind, bytes, ticket);
}

static bool may_admit(void *ctx, struct sl_error *why)
{
    struct gw_keep *k = ctx;
    if (k->store == NULL) {
        sl_error_set(why, SL_REASON_DRAINING, "the gateway is stopping and takes no new calls");
        return false;
    }
    const struct gw_store_port p = gw_store_port(k->store);
    return p.may_admit(p.ctx, why);
}

static bool must_wait(void *ctx)
{
    struct gw_keep *k = ctx;
    if (k->store == NULL)
        return true;
    const struct gw_store_port p = gw_store_port(k->store);
    return p.must_wait(p.ctx);
}

static sl_status ask(void *ctx, const struct gw_store_question *q, uint64_t ticket)
{
    struct gw_keep *k = ctx;
    if (k->store == NULL)
        return SL_EIO;
    const struct gw_store_port p = gw_store_port(k->store);
    return p.ask(p.ctx, q, ticket);
}

struct gw_store_port gw_keep_port(struct gw_keep *k, const struct gw_conf *conf)
{
    if (conf->store.path[0] == '\0')
        return (struct gw_store_port){.ctx = NULL};
    return (struct gw_store_port){
        .ctx = k, .append = append, .may_admit = may_admit, .must_wait = must_wait, .ask = ask};
}

/* ---- a turn */

void gw_keep_take(struct gw_keep *k)
{
    if (k->store != NULL)
        gw_store_take(k->store, &k->listener);
}

bool gw_keep_flush(struct gw_keep *k)
{
    return k->store != NULL && gw_store_flush(k->store);
}

void gw_keep_close(struct gw_keep *k)
{
    if (k->store == NULL)
        return;
    gw_store_stop(k->store);
    gw_keep_take(k);
    gw_store_destroy(k->store);
    k->store = NULL;
}
