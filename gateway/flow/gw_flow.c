#include "gw_flow.h"

#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "gw_call_eta.h"
#include "gw_kept.h"
#include "gw_watch.h"
#include "sl_log.h"

/* Journals of nodes that have left are remembered, too. */
enum { TIMERS_PER_CALL = 1, MARKS_PER_NODE = 2, DRAINS_PER_NODE = 2, ACKS_PER_CALL = 4 };

static sl_status create_ledger(struct gw_flow *f)
{
    struct sl_rng rng; /* of its own: visitors choose names, and should not know where they fall */
    struct gw_ledger_conf conf = {.max_accounts = f->conf.max_accounts,
                                  .max_holds = f->conf.max_calls};
    sl_rng_seed(&rng, ~f->conf.seed);
    conf.seed.low = sl_rng_u64(&rng);
    conf.seed.high = sl_rng_u64(&rng);
    return gw_ledger_create(f->alloc, &conf, &f->ledger);
}

static sl_status create_names(struct gw_flow *f)
{
    struct sl_rng rng; /* of its own: visitors choose ids, and should not know where they fall */
    struct sl_hash_seed seed;
    sl_rng_seed(&rng, f->conf.seed ^ UINT64_C(0xc2b2ae3d27d4eb4f));
    seed.low = sl_rng_u64(&rng);
    seed.high = sl_rng_u64(&rng);
    return gw_names_init(&f->names, f->alloc, f->conf.max_calls, seed);
}

static sl_status create_acks(struct gw_flow *f)
{
    f->ack_max = ACKS_PER_CALL * f->conf.max_calls;
    f->acks = sl_alloc_zero(f->alloc, f->ack_max, sizeof *f->acks);
    return f->acks != NULL ? SL_OK : SL_ENOMEM;
}

static void set_sign_in_url(struct gw_flow *f, const char *url)
{
    snprintf(f->sign_in_url, sizeof f->sign_in_url, "%s", url != NULL ? url : "");
}

static sl_status create_parts(struct gw_flow *f)
{
    sl_status s = gw_inquiries_init(&f->inquiries, f->alloc);
    if (s == SL_OK)
        s = gw_fleet_create(f->alloc, &f->conf.fleet, &f->fleet);
    if (s == SL_OK)
        s = gw_sched_init(&f->sched, f->alloc, f->conf.tiers, &f->conf.queue, f->conf.max_calls,
                          f->conf.fleet.max_nodes);
    if (s == SL_OK)
        s = gw_marks_create(f->alloc, MARKS_PER_NODE * f->conf.fleet.max_nodes, &f->marks);
    if (s == SL_OK)
        s = gw_learned_create(f->alloc, f->conf.fleet.max_models, &f->learned);
    if (s == SL_OK)
        s = create_ledger(f);
    if (s == SL_OK)
        s = create_acks(f);
    if (s == SL_OK)
        s = gw_kept_create(f);
    if (s == SL_OK)
        s = create_names(f);
    if (s == SL_OK)
        s = gw_watches_init(f);
    if (s == SL_OK)
        s = gw_call_eta_create(f);
    if (s == SL_OK)
        s = gw_blocks_create(f->alloc, f->conf.max_accounts, &f->blocks);
    if (s == SL_OK)
        s = gw_drains_create(f->alloc, DRAINS_PER_NODE * f->conf.fleet.max_nodes, &f->drains);
    if (s == SL_OK)
        s = sl_slot_create(f->alloc, sizeof(struct gw_call), f->conf.max_calls, &f->calls);
    return s;
}

sl_status gw_flow_create(const struct sl_alloc *alloc, const struct gw_flow_conf *conf,
                         const struct gw_flow_metrics *metrics, const struct gw_ports *ports,
                         struct gw_flow **out)
{
    if (conf->tiers == NULL || conf->max_calls == 0 || conf->queue.max_queued == 0 ||
        conf->queue.max_queued_of_tier == 0 || conf->queue.max_app_running == 0 ||
        conf->max_watches == 0 || conf->max_message_bytes == 0)
        return SL_EINVAL;
    struct gw_flow *f = sl_alloc_zero(alloc, 1, sizeof *f);
    if (f == NULL)
        return SL_ENOMEM;
    f->alloc = alloc;
    f->conf = *conf;
    f->conf.asks.tiers = f->conf.fleet.tiers = conf->tiers;
    f->metrics = *metrics;
    f->ports = *ports;
    f->conf.fleet.durations = ports->durations;
    f->next_arrival = 1;
    f->turn_at = conf->started_at;
    set_sign_in_url(f, conf->sign_in_url);
    sl_rng_seed(&f->rng, conf->seed);
    f->give_way_at = SL_MONO_NEVER;
    gw_room_init(&f->room, alloc, conf->max_body_bytes, conf->max_connection_body_bytes);
    gw_timers_init(&f->timers, alloc, conf->max_calls * TIMERS_PER_CALL);
    sl_status s = create_parts(f);
    if (s != SL_OK) {
        gw_flow_destroy(f);
        return s;
    }
    *out = f;
    return SL_OK;
}

/* Calls that nobody will hear of any more still hold their messages, and results are kept. */
static void release_messages(struct gw_flow *f)
{
    size_t cursor = 0;
    struct gw_call *c;
    while (f->calls != NULL && (c = sl_slot_next(f->calls, &cursor, NULL)) != NULL) {
        gw_body_release(c->message);
        gw_body_release(c->converted);
    }
    gw_idem_destroy(f->idem);
    gw_outcome_release_all(f);
}

void gw_flow_destroy(struct gw_flow *f)
{
    if (f == NULL)
        return;
    release_messages(f);
    gw_room_finish(&f->room);
    gw_timers_finish(&f->timers);
    gw_inquiries_finish(&f->inquiries);
    gw_watches_finish(f);
    gw_call_eta_destroy(f);
    gw_names_finish(&f->names);
    sl_slot_destroy(f->calls);
    gw_fleet_destroy(f->fleet);
    gw_sched_finish(&f->sched);
    gw_marks_destroy(f->marks);
    gw_learned_destroy(f->learned);
    gw_ledger_destroy(f->ledger);
    gw_blocks_destroy(f->blocks);
    gw_drains_destroy(f->drains);
    sl_alloc_free(f->alloc, f->acks);
    sl_alloc_free(f->alloc, f);
}

/* ---- visitors */

static void on_open(struct gw_flow *f, struct gw_exchange *x, sl_mono_ns now)
{
    f->exchanges++;
    struct sl_error err;
    if (x->req.method == GW_METHOD_MODEL_INFER) {
        gw_call_open(f, x, now);
    } else if (x->req.method == GW_METHOD_UNKNOWN) {
        sl_error_set(&err, SL_REASON_UNIMPLEMENTED, "there is no method %.*s", (int)x->req.path.len,
                     (const char *)x->req.path.data);
        gw_exchange_refuse(f, x, &err);
    }
}

static void on_message(struct gw_flow *f, struct gw_exchange *x, struct gw_call *c, sl_mono_ns now)
{
    if (c != NULL) {
        gw_call_on_message(f, c, now);
        return;
    }
    if (!x->flow_replied)
        gw_methods_answer(f, x, now);
    gw_body_release(x->body);
    x->body = NULL;
}

static void on_gone(struct gw_flow *f, struct gw_exchange *x, struct gw_call *c)
{
    if (c != NULL) {
        gw_call_on_gone(f, c);
    } else if (!x->flow_replied) {
        struct sl_error err;
        sl_error_set(&err, SL_REASON_CANCELLED, "the caller has gone");
        gw_exchange_refuse(f, x, &err);
    }
}

void gw_flow_on_exchange(struct gw_flow *f, struct gw_exchange *x, unsigned events, sl_mono_ns now)
{
    f->turn_at = now;
    if (events & GW_EV_OPEN)
        on_open(f, x, now);
    struct gw_call *c = gw_call_find(f, x->flow_call);
    if (events & GW_EV_LENGTH && c != NULL)
        gw_call_on_length(f, c, now);
    if (events & GW_EV_MESSAGE)
        on_message(f, x, c, now);
    if (events & GW_EV_GONE)
        on_gone(f, x, c);
    if (events & GW_EV_SENT) {
        f->exchanges--;
        gw_outcome_hide(f, x);
        if (c != NULL)
            gw_call_on_sent(f, c);
    }
}

/* Those that are put off again stand at the end again. */
void gw_flow_on_identities(struct gw_flow *f, sl_mono_ns now)
{
    struct gw_call *last = f->identity_waiting != NULL ? f->identity_waiting->room_prev : NULL;
    for (struct gw_call *c = NULL; c != last;) {
        c = f->identity_waiting;
        gw_call_identify(f, c, now);
    }
    gw_inquiries_on_identities(f, now);
}

void gw_flow_on_answer(struct gw_flow *f, uint64_t ticket, const struct gw_store_answer *a)
{
    gw_inquiries_on_answer(f, ticket, a);
}

void gw_exchange_refuse(struct gw_flow *f, struct gw_exchange *x, const struct sl_error *err)
{
    gw_inquiry_drop(f, x);
    gw_watch_drop(f, x);
    x->reply.error = *err;
    gw_exchange_tell_name(f, x);
    x->flow_replied = true;
    f->ports.net.post(f->ports.net.ctx, x, GW_TO_NET_REPLY);
}

/* ---- results that have not left */

bool gw_flow_take_result(struct gw_flow *f, uint64_t bytes)
{
    uint64_t max = f->conf.max_result_bytes;
    if (max > 0 && (f->result_bytes > max || bytes > max - f->result_bytes))
        return false;
    f->result_bytes += bytes;
    sl_metric_set(f->metrics.result_bytes, (int64_t)f->result_bytes);
    return true;
}

void gw_flow_give_result(struct gw_flow *f, uint64_t bytes)
{
    if (bytes == 0)
        return;
    f->result_bytes -= bytes;
    f->is_stuck = false;
    sl_metric_set(f->metrics.result_bytes, (int64_t)f->result_bytes);
}

bool gw_flow_expect_result(struct gw_flow *f, sl_slot_id id, uint64_t bytes)
{
    struct gw_fleet_lease *lease = gw_fleet_find_lease(f->fleet, id);
    if (lease == NULL || !gw_flow_take_result(f, bytes))
        return false;
    lease->result_bytes += bytes;
    return true;
}

void gw_flow_no_result_room(const struct gw_flow *f, uint64_t bytes, struct sl_error *err)
{
    sl_error_set(err, SL_REASON_NO_CAPACITY,
                 "no room for a result of %" PRIu64 " bytes: all results that their callers have "
                 "not read yet may have %" PRIu64 ", and have %" PRIu64,
                 bytes, f->conf.max_result_bytes, f->result_bytes);
}

/* Above half of the room nothing new is started: what runs already can still leave its result. */
static bool is_full_of_results(const struct gw_flow *f)
{
    return f->conf.max_result_bytes > 0 && f->result_bytes > f->conf.max_result_bytes / 2;
}

/* ---- nodes */

/* Ends the calls that wait for a model as it was: no node will ever have that again. The model goes
 * with the last of them. */
static void end_calls_of(struct gw_flow *f, const struct gw_fleet_model *m,
                         const struct gw_queue_model *waiting)
{
    struct sl_error err;
    sl_error_set(&err, SL_REASON_NO_CAPACITY,
                 "model '%s' was changed or removed while the call waited for it; send it again",
                 m->spec.name);
    for (size_t left = waiting->count; left > 0; left--)
        gw_call_fail(f, SL_CONTAINER_OF(waiting->head, struct gw_call, queue_item), &err);
}

static void end_orphans(struct gw_flow *f)
{
    struct gw_queue_model *waiting, *next;
    DL_FOREACH_SAFE (f->sched.queue.models[0], waiting, next) {
        struct gw_fleet_model *m = SL_CONTAINER_OF(waiting, struct gw_fleet_model, waiting);
        if (!m->is_current)
            end_calls_of(f, m, waiting);
    }
    DL_FOREACH_SAFE (f->sched.queue.models[1], waiting, next) {
        struct gw_fleet_model *m = SL_CONTAINER_OF(waiting, struct gw_fleet_model, background);
        if (!m->is_current)
            end_calls_of(f, m, waiting);
    }
}

/* NULL without a journal. */
static bool find_mark(struct gw_flow *f, const struct gw_hello *hello, struct gw_mark **out,
                      struct sl_error *err)
{
    *out = NULL;
    sl_status s = hello->journal == 0 ? SL_OK : gw_marks_join(f->marks, hello->journal, out);
    if (s == SL_EEXIST)
        sl_error_set(err, SL_REASON_BAD_INPUT,
                     "another executor is connected with the same journal of leases: each needs a "
                     "state directory of its own, and not a copy of one");
    else if (s != SL_OK)
        sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory for the node's leases");
    return s == SL_OK;
}

static bool join(struct gw_flow *f, const struct gw_hello *hello, sl_mono_ns now,
                 struct gw_fleet_node **out, struct sl_error *err)
{
    struct gw_mark *mark;
    if (!find_mark(f, hello, &mark, err))
        return false;
    if (gw_fleet_join(f->fleet, hello, now, out, err) == SL_OK) {
        (*out)->mark = mark;
        gw_fleet_set_drained(f->fleet, *out, gw_drains_find(f->drains, hello->name) != NULL);
        if (gw_sched_join(&f->sched, *out) == SL_OK)
            return true;
        gw_fleet_leave(f->fleet, *out, NULL, NULL); /* it has no leases yet */
        sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory for node '%s'", hello->name);
    }
    gw_marks_leave(f->marks, mark);
    return false;
}

bool gw_flow_on_hello(struct gw_flow *f, const struct gw_hello *hello, sl_mono_ns now,
                      struct gw_fleet_node **out, struct sl_error *err)
{
    struct gw_fleet_node *old = gw_fleet_node_by_name(f->fleet, hello->name);
    if (old != NULL)
        gw_flow_on_lost(f, old, "it was started again", now);
    if (!join(f, hello, now, out, err))
        return false;
    f->is_stuck = false;
    gw_learning_take_up(f, *out);
    end_orphans(f);
    gw_call_enter_waiting(f, now);
    sl_log(SL_LOG_INFO, "node connected", SL_S("node", hello->name),
           SL_U("slices", hello->slice_count), SL_U("models", hello->model_count));
    if ((*out)->is_drained)
        sl_log(SL_LOG_WARN, "the node is drained: nothing is placed there",
               SL_S("node", hello->name));
    for (size_t i = 0; i < (*out)->offer_count; i++)
        if ((*out)->offers[i].model == NULL)
            sl_log(SL_LOG_WARN, "model not usable", SL_S("node", hello->name),
                   SL_S("model", (*out)->offers[i].name), SL_S("why", (*out)->offers[i].problem));
    return true;
}

void gw_flow_on_heard(struct gw_flow *f, struct gw_fleet_node *node, bool is_draining,
                      sl_mono_ns now)
{
    node->heard_at = now;
    f->is_stuck = false; /* it may have taken in what filled its way */
    if (is_draining && !node->is_draining)
        sl_log(SL_LOG_INFO, "node is draining", SL_S("node", node->name));
    node->is_draining = node->is_draining || is_draining;
}

/* The lease, if it is open and of this node; what speaks of any other is counted and dropped. */
static struct gw_fleet_lease *lease_of(struct gw_flow *f, const struct gw_fleet_node *node,
                                       sl_slot_id id)
{
    struct gw_fleet_lease *lease = gw_fleet_find_lease(f->fleet, id);
    if (lease != NULL && lease->slice->node == node)
        return lease;
    sl_metric_add(f->metrics.refused[lease == NULL ? GW_REFUSAL_STALE : GW_REFUSAL_FORGED], 1);
    return NULL;
}

void gw_flow_on_started(struct gw_flow *f, struct gw_fleet_node *node, sl_slot_id id,
                        sl_mono_ns now)
{
    struct gw_fleet_lease *lease = lease_of(f, node, id);
    if (lease == NULL)
        return;
    if (lease->is_started) {
        sl_metric_add(f->metrics.refused[GW_REFUSAL_REPLAYED], 1);
        return;
    }
    lease->is_started = true;
    lease->started_at = now;
    struct gw_call *c = gw_call_find(f, lease->call);
    if (c != NULL && !c->owes)
        gw_call_on_started(f, c, now);
}

static void drop_result(struct gw_flow *f, const struct gw_result *result, uint64_t expected_bytes)
{
    gw_flow_give_result(f, expected_bytes);
    if (result->release != NULL)
        result->release(result->release_ctx);
}

/* Its lease is over without a result. */
static void unplace(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    if (c != NULL && c->owes)
        gw_call_on_late_end(f, c, false, 0);
    else if (c != NULL)
        gw_call_on_unplaced(f, c, now);
}

/* Whoever the lease was given to hears of it, or nobody does. What result points to goes, the result itself stays. */
static void hand_over(struct gw_flow *f, struct gw_call *c, const struct gw_result *result,
                      uint64_t expected_bytes, sl_mono_ns now)
{
    if (c != NULL && !c->owes) {
        c->result_bytes = expected_bytes;
        gw_call_on_result(f, c, result, now);
        return;
    }
    drop_result(f, result, expected_bytes);
    if (c != NULL)
        gw_call_on_late_end(f, c, result->was_started, result->held_us);
}

/* From the moment that nobody wanted the call, or that it should have ended, to its slice being free. A run that others
 * shared was wanted. */
static void measure_freeing(struct gw_flow *f, const struct gw_fleet_lease *lease,
                            const struct gw_call *c, const struct gw_result *result, sl_mono_ns now)
{
    if (result->run_us > 0)
        return;
    if (lease->is_recalled && result->was_started)
        sl_metric_observe_ns(f->metrics.freed_after_cancel, now - lease->recalled_at);
    else if (c != NULL && result->reason == SL_REASON_DURATION_EXCEEDED)
        sl_metric_observe_ns(f->metrics.freed_after_limit,
                             sl_sat_mul(result->held_us - c->limit_us, SL_NS_PER_US));
}

/* Calls that came before anything was known of their model were taken for as long as they declared. */
static void tell_time(struct gw_flow *f, const struct gw_fleet_model *m)
{
    struct gw_queue_item *item;
    if (m->waiting.guess_count == 0 || !gw_fleet_knows_time(m))
        return;
    DL_FOREACH (m->waiting.head, item) {
        struct gw_call *c = SL_CONTAINER_OF(item, struct gw_call, queue_item);
        gw_queue_set_expected(&f->sched.queue, item, gw_fleet_expected_us(m, c->limit_us));
    }
}

/* The slice is free of it. */
static void end_lease(struct gw_flow *f, struct gw_fleet_lease *lease,
                      const struct gw_result *result, sl_mono_ns now)
{
    struct gw_fleet_model *m = lease->model;
    bool teaches = result->was_started && result->reason == SL_REASON_OK;
    gw_fleet_hold(m);
    gw_call_end_lease(f, lease, result->was_started ? result->held_us : 0, teaches, now);
    tell_time(f, m);
    gw_fleet_unhold(f->fleet, m);
    f->is_stuck = false;
}

void gw_flow_on_result(struct gw_flow *f, struct gw_fleet_node *node,
                       const struct gw_result *result, sl_mono_ns now)
{
    const struct gw_result said = *result; /* it goes with the bytes that it brought */
    struct gw_fleet_lease *lease = lease_of(f, node, result->lease);
    struct gw_call *c = lease == NULL ? NULL : gw_call_find(f, lease->call);
    uint64_t expected_bytes = lease == NULL ? 0 : lease->result_bytes;
    if (lease != NULL) {
        measure_freeing(f, lease, c, result, now);
        end_lease(f, lease, result, now);
    }
    if (c != NULL && result->was_started && node->mark != NULL) {
        c->lease_journal = gw_mark_journal(node->mark);
        c->lease_record = result->record;
    }
    hand_over(f, c, &said, expected_bytes, now);
    gw_leases_on_result(f, node, &said, lease != NULL);
}

void gw_flow_on_returned(struct gw_flow *f, struct gw_fleet_node *node, sl_slot_id id,
                         sl_mono_ns now)
{
    struct gw_fleet_lease *lease = lease_of(f, node, id);
    if (lease == NULL)
        return;
    struct gw_call *c = gw_call_find(f, lease->call);
    gw_flow_give_result(f, lease->result_bytes);
    gw_call_end_lease(f, lease, 0, false, now);
    f->is_stuck = false;
    unplace(f, c, now);
}

struct losing {
    struct gw_flow *f;
    sl_mono_ns now;
};

static void on_lost_lease(void *ctx, struct gw_fleet_lease *lease)
{
    struct losing *l = ctx;
    gw_sched_end(&l->f->sched, lease,
                 lease->is_started ? (l->now - lease->started_at) / SL_NS_PER_US : 0);
    struct gw_call *c = gw_call_find(l->f, lease->call);
    gw_flow_give_result(l->f, lease->result_bytes);
    unplace(l->f, c, l->now);
}

void gw_flow_on_lost(struct gw_flow *f, struct gw_fleet_node *node, const char *why, sl_mono_ns now)
{
    struct losing l = {f, now};
    if (!gw_fleet_node_takes(node) && gw_fleet_lease_count(node) == 0) {
        sl_log(SL_LOG_INFO, "node has left", SL_S("node", node->name));
    } else {
        sl_log(SL_LOG_WARN, "node lost", SL_S("node", node->name), SL_S("why", why));
        sl_metric_add(f->metrics.nodes_lost, 1);
    }
    gw_marks_leave(f->marks, node->mark);
    gw_sched_leave(&f->sched, node);
    gw_fleet_leave(f->fleet, node, on_lost_lease, &l);
}

/* ---- time */

static void expire(struct gw_flow *f, sl_mono_ns now)
{
    struct gw_timer *t;
    while ((t = gw_timers_pop(&f->timers, now)) != NULL)
        gw_call_on_timer(f, SL_CONTAINER_OF(t, struct gw_call, timer), now);
    gw_inquiries_expire(f, now);
}

static void place(struct gw_flow *f, sl_mono_ns now)
{
    struct gw_queue_item *item;
    struct gw_fleet_slice *slice;
    gw_sched_new_round(&f->sched, f->fleet, now);
    while (!f->is_stuck && !is_full_of_results(f) &&
           gw_sched_next(&f->sched, f->fleet, &item, &slice))
        gw_call_dispatch(f, SL_CONTAINER_OF(item, struct gw_call, queue_item), slice, now);
    if (!is_full_of_results(f))
        gw_background_place(f, now);
    f->is_stuck = true; /* nothing more can start before something changes */
}

static void publish(struct gw_flow *f)
{
    for (int s = GW_CALL_RECEIVING; s < GW_CALL_STATE_COUNT; s++)
        sl_metric_set(f->metrics.in_state[s], (int64_t)f->counts.in[s]);
    struct gw_fleet_totals t = gw_fleet_totals(f->fleet);
    sl_metric_set(f->metrics.nodes, (int64_t)t.nodes);
    sl_metric_set(f->metrics.nodes_drained, (int64_t)t.drained);
    sl_metric_set(f->metrics.slices, (int64_t)t.slices);
    sl_metric_set(f->metrics.slices_busy, (int64_t)t.slices_busy);
    struct gw_ledger_totals l = gw_ledger_totals(f->ledger);
    sl_metric_set(f->metrics.accounts, (int64_t)l.accounts);
    sl_metric_set(f->metrics.holds, (int64_t)l.holds);
    struct gw_idem_totals kept = gw_idem_totals(f->idem);
    sl_metric_set(f->metrics.kept, (int64_t)kept.results);
    for (int p = 0; p < GW_IDEM_PLACES; p++)
        sl_metric_set(f->metrics.kept_bytes[p], (int64_t)kept.result_bytes[p]);
}

void gw_flow_turn(struct gw_flow *f, sl_mono_ns now)
{
    f->turn_at = now;
    expire(f, now);
    gw_idem_expire(f->idem, now);
    gw_call_grant_waiting(f);
    if (!f->is_stuck)
        place(f, now);
    gw_background_turn(f, now);
    gw_receipts_turn(f);
    gw_watches_turn(f, now);
    publish(f);
}

sl_mono_ns gw_flow_next_at(const struct gw_flow *f)
{
    const sl_mono_ns at[] = {gw_timers_next(&f->timers), gw_timers_next(&f->inquiries.timers),
                             gw_timers_next(&f->watches.timers), gw_idem_next_expiry(f->idem),
                             f->give_way_at};
    sl_mono_ns next = at[0];
    for (size_t i = 1; i < SL_ARRAY_LEN(at); i++)
        next = at[i] < next ? at[i] : next;
    return next;
}

void gw_flow_set_limits(struct gw_flow *f, const struct gw_flow_conf *conf)
{
    f->conf.queue = conf->queue;
    gw_sched_set_limits(&f->sched, &conf->queue);
    gw_sched_set_tiers(&f->sched, f->fleet);
    f->conf.background_grace_ns = conf->background_grace_ns;
    f->conf.max_visitor_watches = conf->max_visitor_watches;
    f->conf.max_message_bytes = conf->max_message_bytes;
    f->conf.max_body_bytes = conf->max_body_bytes;
    f->conf.max_connection_body_bytes = conf->max_connection_body_bytes;
    f->conf.max_result_bytes = conf->max_result_bytes;
    f->conf.body_wait_ns = conf->body_wait_ns;
    f->conf.identity_wait_ns = conf->identity_wait_ns;
    f->conf.asks = conf->asks;
    f->conf.asks.tiers = f->conf.tiers;
    f->conf.logs_calls = conf->logs_calls;
    f->conf.results = conf->results;
    gw_kept_set_limits(f);
    set_sign_in_url(f, conf->sign_in_url);
    gw_room_resize(&f->room, conf->max_body_bytes, conf->max_connection_body_bytes);
    f->has_new_room = true;
    f->is_stuck = false;
}

void gw_flow_hint_cpu(struct gw_flow *f, uint32_t cpu_hint)
{
    f->cpu_hint = cpu_hint;
}

void gw_flow_drain(struct gw_flow *f)
{
    f->is_draining = true;
}

void gw_flow_refuse(struct gw_flow *f)
{
    f->is_draining = f->refuses_new = true;
}

void gw_flow_end_all(struct gw_flow *f, sl_mono_ns now)
{
    (void)now;
    struct sl_error err;
    sl_error_set(&err, SL_REASON_DRAINING, "the gateway stopped before the call was over");
    size_t cursor = 0;
    struct gw_call *c;
    while ((c = sl_slot_next(f->calls, &cursor, NULL)) != NULL)
        gw_call_fail(f, c, &err);
    gw_inquiries_end_all(f, &err);
}

bool gw_flow_is_empty(const struct gw_flow *f)
{
    return f->exchanges == 0;
}

bool gw_flow_is_settled(const struct gw_flow *f)
{
    return f->owing == 0 && f->receipts_waiting == NULL;
}

uint64_t gw_flow_exchanges(const struct gw_flow *f)
{
    return f->exchanges;
}

uint64_t gw_flow_calls_ever(const struct gw_flow *f)
{
    return f->opened;
}

uint64_t gw_flow_calls_open(const struct gw_flow *f)
{
    const uint64_t *in = f->counts.in;
    return in[GW_CALL_RECEIVING] + in[GW_CALL_QUEUED] + in[GW_CALL_DISPATCHED] +
           in[GW_CALL_RUNNING];
}

void gw_flow_set_wall(struct gw_flow *f, sl_wall_us wall_now)
{
    f->wall_now = wall_now;
}

sl_status gw_flow_note_lease(struct gw_flow *f, uint64_t journal, uint64_t record)
{
    return gw_marks_note(f->marks, journal, record);
}

struct gw_ledger *gw_flow_ledger(struct gw_flow *f)
{
    return f->ledger;
}

struct gw_blocks *gw_flow_blocks(struct gw_flow *f)
{
    return f->blocks;
}

struct gw_fleet *gw_flow_fleet(struct gw_flow *f)
{
    return f->fleet;
}

struct gw_sched *gw_flow_sched(struct gw_flow *f)
{
    return &f->sched;
}

bool gw_flow_is_ready(struct gw_flow *f)
{
    return !f->is_draining && gw_fleet_is_ready(f->fleet);
}

const struct gw_call_counts *gw_flow_counts(const struct gw_flow *f)
{
    return &f->counts;
}

uint64_t gw_flow_ended(const struct gw_flow *f, enum sl_reason reason)
{
    return f->ended[reason];
}

bool gw_flow_eta(struct gw_flow *f, const struct gw_exchange *x, sl_mono_ns now, struct gw_eta *out)
{
    struct gw_call *c = gw_call_find(f, x->flow_call);
    if (c == NULL || c->state != GW_CALL_QUEUED)
        return false;
    *out = gw_call_wait_of(f, c, now).eta;
    return out->p50_us != GW_ETA_NEVER_US;
}
