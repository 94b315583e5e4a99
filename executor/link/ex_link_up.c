/* ex_link_up.c - what is said to the gateway: reports of leases, heartbeats and acknowledgements in one batch a turn,
 * and the results that are too large for it. */
#include <zmq.h>

#include "ex_link_int.h"

static const int64_t start_patience_ns = 1 * SL_NS_PER_MS;
static const uint64_t ack_step_bytes = 4 << 20;

/* ---- the batch */

bool ex_link_up_open(struct ex_link *l)
{
    if (l->batch.len > 0)
        return true;
    sl_status st = ex_link_put_session(&l->batch, l->session);
    if (st == SL_OK && l->is_draining)
        st = ex_link_put_draining(&l->batch);
    if (st != SL_OK)
        l->broken = "there is no memory for messages";
    return st == SL_OK;
}

void ex_link_up_send(struct ex_link *l)
{
    if (l->batch.len == 0)
        return;
    l->touched |= EX_LINK_CONTROL;
    if (zmq_send(l->control.zmq, l->batch.data, l->batch.len, ZMQ_DONTWAIT) < 0)
        l->broken = "the gateway does not read";
    l->stats.messages_up++;
    sl_buf_clear(&l->batch);
}

/* After a put: true when the batch was full, has been sent, and the put should be tried again. */
static bool may_try_again(struct ex_link *l, sl_status put)
{
    if (put == SL_OK)
        return false;
    if (put == SL_ETOOBIG) {
        ex_link_up_send(l);
        return ex_link_up_open(l);
    }
    l->broken = "there is no memory for messages";
    return false;
}

static void give_up_if(struct ex_link *l, sl_status put)
{
    if (put != SL_OK)
        l->broken = "a message is larger than a batch";
}

/* ---- reports */

static bool may_report(struct ex_link *l)
{
    if (l->state != EX_LINK_UP || !ex_link_up_open(l))
        return false;
    l->batch_is_news = true;
    return true;
}

/* Does the gateway say which leases it has accounted for? */
static bool acknowledges(const struct ex_link *l)
{
    return l->welcome.protocol >= 2;
}

static void put_started(struct ex_link *l, uint64_t lease)
{
    if (may_report(l) && may_try_again(l, ex_link_put_started(&l->batch, lease)))
        give_up_if(l, ex_link_put_started(&l->batch, lease));
}

static void report_started(void *ctx, uint64_t lease)
{
    struct ex_link *l = ctx;
    if (l->state == EX_LINK_UP && !ex_starts_add(&l->starts, lease))
        put_started(l, lease);
}

static void remember_ended(struct ex_link *l, uint64_t lease)
{
    l->ended[l->ended_next++ % EX_LINK_ENDED_COUNT] = lease;
}

void ex_link_up_returned(void *ctx, uint64_t lease, enum sl_reason reason, const char *text)
{
    struct ex_link *l = ctx;
    ex_starts_drop(&l->starts, lease);
    remember_ended(l, lease);
    if (may_report(l) && may_try_again(l, ex_link_put_returned(&l->batch, lease, reason, text)))
        give_up_if(l, ex_link_put_returned(&l->batch, lease, reason, text));
}

static uint64_t outputs_bytes(const struct ex_outcome *outcome)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < outcome->output_count; i++)
        sum += outcome->outputs[i].bytes.len;
    return sum;
}

/* The outputs' bytes in a row: one output as it lies, several as a copy. */
static bool gather_payload(struct ex_link *l, const struct ex_outcome *outcome, struct sl_span *out)
{
    *out = sl_span_of(NULL, 0);
    if (outcome->output_count == 1)
        *out = outcome->outputs[0].bytes;
    if (outcome->output_count <= 1)
        return true;
    sl_buf_clear(&l->gathered);
    for (size_t i = 0; i < outcome->output_count; i++) {
        const struct sl_span bytes = outcome->outputs[i].bytes;
        if (sl_buf_append(&l->gathered, bytes.data, bytes.len) != SL_OK)
            return false;
    }
    *out = sl_buf_span(&l->gathered);
    return true;
}

/* A gateway of the first version acknowledges nothing: what it is told it has. */
static void note_told(struct ex_link *l, uint64_t record)
{
    if (acknowledges(l))
        ex_journal_told(l->conf.journal, record);
    else
        (void)ex_journal_acknowledge(l->conf.journal, record);
}

static void report_result(void *ctx, uint64_t lease, const struct ex_outcome *outcome)
{
    struct ex_link *l = ctx;
    struct ex_link_payload payload = {.bulk_bytes = 0};
    ex_starts_drop(&l->starts, lease);
    if (!outcome->started)
        remember_ended(l, lease);
    if (!may_report(l))
        return;
    const uint64_t bytes = outputs_bytes(outcome);
    if (bytes > l->welcome.inline_max_bytes) {
        if (ex_link_shared_give(&l->shared, outcome, &payload.shared))
            l->stats.shared_bytes_up += bytes;
        else if (ex_bulk_out_add(&l->out, lease, outcome) != SL_OK)
            l->broken = "there is no memory for a result";
        payload.bulk_bytes = bytes;
    } else if (!gather_payload(l, outcome, &payload.inside)) {
        l->broken = "there is no memory for a result";
    }
    if (!l->broken && may_try_again(l, ex_link_put_result(&l->batch, lease, outcome, &payload)))
        give_up_if(l, ex_link_put_result(&l->batch, lease, outcome, &payload));
    if (!l->broken && outcome->record != 0)
        note_told(l, outcome->record);
}

struct ex_report_port ex_link_report_port(struct ex_link *l)
{
    return (struct ex_report_port){l, report_started, report_result, ex_link_up_returned};
}

/* ---- what leaves with whatever is said */

static void put_heartbeat(struct ex_link *l, sl_mono_ns now)
{
    l->wake_at = sl_sat_add(now, (int64_t)l->welcome.heartbeat_every_ms * SL_NS_PER_MS);
    l->heartbeat_count++;
    ex_link_shared_tick(&l->shared);
    if (ex_link_up_open(l) &&
        may_try_again(l, ex_link_put_heartbeat(&l->batch, l->heartbeat_count)))
        give_up_if(l, ex_link_put_heartbeat(&l->batch, l->heartbeat_count));
}

/* With whatever leaves anyway, and without it when a good part of the window waits to be known. */
static void put_taken(struct ex_link *l)
{
    const uint64_t news = l->taken_bytes - l->told_bytes;
    if (news == 0 || (l->batch.len == 0 && news < ack_step_bytes))
        return;
    l->told_bytes = l->taken_bytes;
    if (ex_link_up_open(l) && may_try_again(l, ex_link_put_bulk_taken(&l->batch, l->taken_bytes)))
        give_up_if(l, ex_link_put_bulk_taken(&l->batch, l->taken_bytes));
}

/* With whatever leaves anyway, and without it when they have waited long enough. */
static void put_starts(struct ex_link *l, sl_mono_ns now)
{
    if (!ex_starts_are_due(&l->starts, now, start_patience_ns) && l->batch.len == 0)
        return;
    for (size_t i = 0; i < l->starts.count; i++)
        put_started(l, l->starts.leases[i]);
    ex_starts_init(&l->starts);
}

/* Leases whose results nobody has heard of, or nobody of this session. */
static void put_ended(struct ex_link *l)
{
    const struct ex_journal_entry *e;
    while (!l->broken && (e = ex_journal_next_untold(l->conf.journal)) != NULL) {
        l->stats.untold_leases += !acknowledges(l);
        if (acknowledges(l) && may_report(l) && may_try_again(l, ex_link_put_ended(&l->batch, e)))
            give_up_if(l, ex_link_put_ended(&l->batch, e));
        note_told(l, e->record);
    }
}

static void send_bulk(struct ex_link *l)
{
    const uint64_t before = l->out.sent_bytes;
    if (!l->out.items)
        return;
    l->touched |= EX_LINK_BULK;
    ex_bulk_out_send(&l->out, l->bulk.zmq, l->session);
    l->stats.bulk_bytes_up += l->out.sent_bytes - before;
}

void ex_link_up_flush(struct ex_link *l, sl_mono_ns now)
{
    if (now >= l->wake_at)
        put_heartbeat(l, now);
    put_taken(l);
    put_starts(l, now);
    if (l->conf.journal)
        put_ended(l);
    if (l->batch_is_news)
        l->news_at = now;
    l->batch_is_news = false;
    ex_link_up_send(l);
    send_bulk(l);
}

void ex_link_up_shared_done(struct ex_link *l, const struct sl_shm_ref *use)
{
    if (ex_link_up_open(l) && may_try_again(l, ex_link_put_shared_done(&l->batch, use)))
        give_up_if(l, ex_link_put_shared_done(&l->batch, use));
}

void ex_link_set_draining(struct ex_link *l)
{
    l->is_draining = true;
    if (l->state == EX_LINK_UP && ex_link_up_open(l) &&
        may_try_again(l, ex_link_put_draining(&l->batch)))
        give_up_if(l, ex_link_put_draining(&l->batch));
}
