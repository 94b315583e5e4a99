#include "gw_metrics.h"

#include "gw_keep.h"

static const double wait_bounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                     0.25,   0.5,   1,      2.5,   5,    10,    30,   60};
static const double run_bounds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256};

static bool register_calls(struct gw_metrics *m)
{
    static const char *const labels[] = {
#define CALL_LABEL(name, grpc, http) [SL_REASON_##name] = "reason=\"" #name "\"",
        SL_REASON_MAP(CALL_LABEL)
#undef CALL_LABEL
    };
    bool ok = true;
    for (int r = 0; r < SL_REASON_COUNT; r++) {
        m->flow.calls[r] = sl_metric_counter(m->registry, "sluice_calls_total", labels[r],
                                             "ModelInfer calls that ended, by reason.");
        ok = ok && m->flow.calls[r] != NULL;
    }
    return ok;
}

static bool register_states(struct gw_metrics *m)
{
    static const char *const labels[] = {
#define STATE_LABEL(name, text) [GW_CALL_##name] = "state=\"" text "\"",
        GW_CALL_STATE_MAP(STATE_LABEL)
#undef STATE_LABEL
    };
    bool ok = true;
    for (int s = GW_CALL_RECEIVING; s < GW_CALL_STATE_COUNT; s++) {
        m->flow.in_state[s] = sl_metric_gauge(m->registry, "sluice_calls_in_state", labels[s],
                                              "ModelInfer calls now, by state.");
        ok = ok && m->flow.in_state[s] != NULL;
    }
    return ok;
}

static struct sl_metric *freed_histogram(struct gw_metrics *m, const char *label)
{
    static const double bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                    0.5,   0.75,   0.8,   0.9,  1,     1.25, 1.5, 2.5};
    return sl_metric_histogram_seconds(
        m->registry, "sluice_slice_freed_seconds", label,
        "How long a slice was still taken by a call that was cancelled, or over its limit.", bounds,
        SL_ARRAY_LEN(bounds));
}

static bool register_freeing(struct gw_metrics *m)
{
    m->flow.freed_after_cancel = freed_histogram(m, "after=\"cancel\"");
    m->flow.freed_after_limit = freed_histogram(m, "after=\"limit\"");
    return m->flow.freed_after_cancel != NULL && m->flow.freed_after_limit != NULL;
}

static bool register_eta(struct gw_metrics *m)
{
    static const double bounds[] = {0.1, 0.25, 0.5, 0.7, 0.85, 1, 1.15, 1.4, 2, 4, 10};
    static const char *const labels[] = {
        [GW_ETA_WITHIN_P50] = "within=\"p50\"",
        [GW_ETA_WITHIN_P90] = "within=\"p90\"",
        [GW_ETA_LATER] = "within=\"none\"",
    };
    bool ok = true;
    for (size_t i = 0; i < GW_ETA_OUTCOMES; i++) {
        m->flow.eta[i] =
            sl_metric_counter(m->registry, "sluice_eta_total", labels[i],
                              "Estimates of a wait, by the least of the two that held.");
        ok = ok && m->flow.eta[i] != NULL;
    }
    m->flow.eta_ratio = sl_metric_histogram_seconds(
        m->registry, "sluice_eta_ratio", "", "How long calls waited, over the p50 of the estimate.",
        bounds, SL_ARRAY_LEN(bounds));
    return ok && m->flow.eta_ratio != NULL;
}

static bool register_times(struct gw_metrics *m)
{
    size_t count = SL_ARRAY_LEN(wait_bounds);
    m->flow.queue_seconds = sl_metric_histogram_seconds(
        m->registry, "sluice_call_queue_seconds", "",
        "From a call's admission to its start on a slice.", wait_bounds, count);
    m->flow.exec_seconds = sl_metric_histogram_seconds(
        m->registry, "sluice_call_exec_seconds", "",
        "How long a call held its slice, alone or with others.", wait_bounds, count);
    m->flow.run_calls = sl_metric_histogram(m->registry, "sluice_run_calls", "",
                                            "Calls that shared a run of their model.", run_bounds,
                                            SL_ARRAY_LEN(run_bounds));
    return m->flow.queue_seconds != NULL && m->flow.exec_seconds != NULL &&
           m->flow.run_calls != NULL && register_freeing(m);
}

/* Both the link and the flow find such messages: one set of counters. */
static bool register_refusals(struct gw_metrics *m)
{
    static const char *const messages[] = {
#define REFUSAL_LABEL(name, text) [GW_REFUSAL_##name] = "kind=\"" text "\"",
        GW_REFUSAL_MAP(REFUSAL_LABEL)
#undef REFUSAL_LABEL
    };
    static const char *const nodes[] = {
#define NODE_LABEL(name, text) [GW_NODE_REFUSAL_##name] = "why=\"" text "\"",
        GW_NODE_REFUSAL_MAP(NODE_LABEL)
#undef NODE_LABEL
    };
    bool ok = true;
    for (int k = 0; k < GW_REFUSAL_COUNT; k++) {
        m->link.refused[k] = m->flow.refused[k] =
            sl_metric_counter(m->registry, "sluice_node_messages_refused_total", messages[k],
                              "Messages of executors that were dropped, by kind.");
        ok = ok && m->link.refused[k] != NULL;
    }
    for (int k = 0; k < GW_NODE_REFUSAL_COUNT; k++) {
        m->link.refused_nodes[k] =
            sl_metric_counter(m->registry, "sluice_nodes_refused_total", nodes[k],
                              "Executors that were not let in, by cause.");
        ok = ok && m->link.refused_nodes[k] != NULL;
    }
    return ok;
}

static bool register_leases(struct gw_metrics *m)
{
    struct sl_metric_registry *r = m->registry;
    m->flow.leases = sl_metric_counter(r, "sluice_leases_total", "",
                                       "Leases that ended with the result of their call.");
    m->flow.lease_us = sl_metric_counter_us(r, "sluice_lease_seconds_total", "",
                                            "How long those leases held their slices.");
    m->flow.orphan_leases =
        sl_metric_counter(r, "sluice_orphan_leases_total", "",
                          "Leases that executors reported and whose call no result answered.");
    m->flow.orphan_lease_us = sl_metric_counter_us(r, "sluice_orphan_lease_seconds_total", "",
                                                   "How long those leases held their slices.");
    m->flow.repeated_leases =
        sl_metric_counter(r, "sluice_repeated_leases_total", "",
                          "Leases that executors told again although they were accounted for.");
    return m->flow.leases && m->flow.lease_us && m->flow.orphan_leases && m->flow.orphan_lease_us &&
           m->flow.repeated_leases;
}

static bool register_money(struct gw_metrics *m)
{
    struct sl_metric_registry *r = m->registry;
    m->flow.accounts = sl_metric_gauge(r, "sluice_accounts", "",
                                       "Visitors whose spending is remembered, or who have calls.");
    m->flow.holds =
        sl_metric_gauge(r, "sluice_holds", "", "Calls for which GPU time is put aside.");
    m->flow.charged_us = sl_metric_counter_us(r, "sluice_charged_seconds_total", "",
                                              "GPU time that visitors were charged.");
    return m->flow.accounts != NULL && m->flow.holds != NULL && m->flow.charged_us != NULL;
}

static bool register_kept(struct gw_metrics *m)
{
    static const char *const places[] = {
        [GW_IDEM_IN_MEMORY] = "place=\"memory\"",
        [GW_IDEM_ON_DISK] = "place=\"disk\"",
    };
    struct sl_metric_registry *r = m->registry;
    bool ok = true;
    m->flow.background = sl_metric_counter(r, "sluice_calls_background_total", "",
                                           "Calls over quota that were let in uncharged.");
    m->flow.repeated = sl_metric_counter(r, "sluice_calls_repeated_total", "",
                                         "Calls whose idempotency key an earlier one had.");
    m->flow.watches = sl_metric_gauge(r, "sluice_watches", "", "Calls of WatchCall that are open.");
    m->flow.kept =
        sl_metric_gauge(r, "sluice_kept_results", "", "Results that wait to be asked for again.");
    for (size_t p = 0; p < SL_ARRAY_LEN(places); p++) {
        m->flow.kept_bytes[p] =
            sl_metric_gauge(r, "sluice_kept_result_bytes", places[p], "Their tensors, by place.");
        ok = ok && m->flow.kept_bytes[p] != NULL;
    }
    return ok && m->flow.background != NULL && m->flow.repeated != NULL && m->flow.kept != NULL &&
           m->flow.watches != NULL;
}

static bool register_visits(struct gw_metrics *m)
{
    static const char *const labels[] = {
        [GW_VISIT_KEPT] = "cookie=\"kept\"",
        [GW_VISIT_RENEWED] = "cookie=\"renewed\"",
        [GW_VISIT_NEW] = "cookie=\"new\"",
    };
    bool ok = true;
    for (size_t k = 0; k < SL_ARRAY_LEN(labels); k++) {
        m->auth.visits.answered[k] =
            sl_metric_counter(m->registry, "sluice_visitor_cookies_total", labels[k],
                              "Answers of /visitor, by what became of the cookie.");
        ok = ok && m->auth.visits.answered[k] != NULL;
    }
    return ok;
}

static bool register_callers(struct gw_metrics *m)
{
    static const char *const kinds[] = {
        [GW_PRINCIPAL_ADDRESS] = "kind=\"address\"",
        [GW_PRINCIPAL_COOKIE] = "kind=\"cookie\"",
        [GW_PRINCIPAL_USER] = "kind=\"user\"",
        [GW_PRINCIPAL_VISITOR] = "kind=\"visitor\"",
    };
    bool ok = true;
    for (size_t k = 0; k < SL_ARRAY_LEN(kinds); k++) {
        m->auth.known[k] = sl_metric_counter(m->registry, "sluice_callers_known_total", kinds[k],
                                             "Calls whose caller was known, by what.");
        ok = ok && m->auth.known[k] != NULL;
    }
    m->auth.refused = sl_metric_counter(m->registry, "sluice_callers_refused_total", "",
                                        "Calls refused for who called; the log says why.");
    m->auth.later = sl_metric_counter(m->registry, "sluice_callers_waited_total", "",
                                      "Times that a call waited for the keys of an issuer.");
    m->auth.cached = sl_metric_counter(m->registry, "sluice_tokens_remembered_total", "",
                                       "Signed tokens that were not verified anew.");
    return ok && m->auth.refused != NULL && m->auth.later != NULL && m->auth.cached != NULL;
}

static bool register_rest(struct gw_metrics *m)
{
    struct sl_metric_registry *r = m->registry;
    m->flow.nodes = sl_metric_gauge(r, "sluice_nodes", "", "Connected executors.");
    m->flow.nodes_lost = sl_metric_counter(r, "sluice_nodes_lost_total", "", "Executors lost.");
    m->flow.nodes_drained =
        sl_metric_gauge(r, "sluice_nodes_drained", "",
                        "Connected executors where nothing is placed, by an operator's word.");
    m->flow.drains =
        sl_metric_counter(r, "sluice_drains_total", "", "How often an executor was drained.");
    m->flow.slices = sl_metric_gauge(r, "sluice_slices", "", "Slices of connected executors.");
    m->flow.slices_busy = sl_metric_gauge(r, "sluice_slices_busy", "", "Slices with a lease.");
    m->flow.body_bytes =
        sl_metric_gauge(r, "sluice_request_bytes", "", "Memory reserved for requests.");
    m->flow.result_bytes = sl_metric_gauge(r, "sluice_result_bytes", "",
                                           "Memory of results that callers have not read yet.");
    m->certificate_expires =
        sl_metric_gauge(r, "sluice_tls_certificate_expires_timestamp_seconds", "",
                        "When the certificate of the gRPC port expires; 0 without TLS.");
    m->flow.requeued = sl_metric_counter(r, "sluice_calls_requeued_total", "",
                                         "Calls given back unstarted and queued again.");
    m->flow.unclaimed = sl_metric_counter(
        r, "sluice_calls_unclaimed_total", "",
        "Calls that went on after their connection was lost (sluice-on-disconnect: keep).");
    m->link.sent_bulk_bytes =
        sl_metric_counter(r, "sluice_node_bulk_sent_bytes_total", "", "Payload sent to executors.");
    m->link.sent_shared_bytes =
        sl_metric_counter(r, "sluice_node_shared_sent_bytes_total", "",
                          "Payload that executors of this host read from shared memory.");
    m->link.received_shared_bytes =
        sl_metric_counter(r, "sluice_node_shared_received_bytes_total", "",
                          "Payload of executors of this host that left from shared memory.");
    m->link.bad_segments =
        sl_metric_counter(r, "sluice_node_segments_bad_total", "",
                          "Shared memory and connections for it that broke the rules.");
    m->link.received_bulk_bytes = sl_metric_counter(r, "sluice_node_bulk_received_bytes_total", "",
                                                    "Payload received from executors.");
    m->hold.held = sl_metric_gauge(r, "sluice_placement_held", "",
                                   "1 while single short calls are served on one processor.");
    m->hold.switches = sl_metric_counter(r, "sluice_placement_switches_total", "",
                                         "How often that began or ended, trials included.");
    return m->hold.switches != NULL && m->certificate_expires != NULL &&
           m->link.received_bulk_bytes != NULL && m->flow.nodes != NULL;
}

sl_status gw_metrics_init(struct gw_metrics *m)
{
    *m = (struct gw_metrics){0};
    sl_status s = sl_metric_registry_create(&sl_alloc_malloc, &m->registry);
    if (s != SL_OK)
        return s;
    if (register_calls(m) && register_callers(m) && register_visits(m) && register_states(m) &&
        register_times(m) && register_eta(m) && register_refusals(m) && register_leases(m) &&
        register_money(m) && register_kept(m) && register_rest(m) &&
        gw_keep_register(m->registry, &m->store) == SL_OK &&
        gw_net_metrics_register(m->registry, &m->net) == SL_OK)
        return SL_OK;
    gw_metrics_finish(m);
    return SL_ENOMEM;
}

void gw_metrics_finish(struct gw_metrics *m)
{
    sl_metric_registry_destroy(m->registry);
    m->registry = NULL;
}
