#include "gw_conf_flow.h"

/* An executor has noticed after link.lost_after that it must look for another gateway; then it finds it. */
static const int64_t find_again_ns = 2 * SL_NS_PER_S;

void gw_conf_fill_flow(const struct gw_conf *conf, const struct gw_tiers *tiers,
                       struct gw_flow_conf *out)
{
    *out = (struct gw_flow_conf){
        .tiers = tiers,
        .max_accounts = (size_t)conf->accounts_max,
        .logs_calls = conf->log_calls,
        .sign_in_url = conf->auth.anonymous.sign_in_url,
        .max_calls = (size_t)conf->limits.calls,
        .queue = {.policy = (enum gw_sched_policy)conf->scheduler.policy,
                  .max_queued = (size_t)conf->limits.queue,
                  .max_queued_of_tier = (size_t)conf->limits.queue_of_tier,
                  .max_app_running = (size_t)conf->auth.apps.max_running,
                  .patience_us = conf->calls.max_wait_ns / SL_NS_PER_US / 2},
        .max_watches = (size_t)conf->limits.watches,
        .max_visitor_watches = (size_t)conf->limits.visitor_watches,
        .max_message_bytes = conf->limits.message_bytes,
        .max_body_bytes = conf->limits.body_total_bytes,
        .max_connection_body_bytes = conf->limits.body_connection_bytes,
        .max_result_bytes = conf->limits.result_total_bytes,
        .body_wait_ns = conf->limits.body_wait_ns,
        .identity_wait_ns = conf->auth.keys_wait_ns,
        .asks = {.max_duration_us = conf->calls.max_duration_ns / SL_NS_PER_US,
                 .max_wait_default_ns = conf->calls.max_wait_ns,
                 .max_wait_limit_ns = conf->calls.max_wait_limit_ns},
        .results = {.max_entries = (size_t)conf->results.entries_max,
                    .keep_ns = conf->results.keep_ns,
                    .in_memory = {.one_bytes = conf->results.one_bytes,
                                  .visitor_bytes = conf->results.visitor_bytes,
                                  .total_bytes = conf->results.total_bytes},
                    .on_disk = {.one_bytes = conf->results.disk_visitor_bytes,
                                .visitor_bytes = conf->results.disk_visitor_bytes,
                                .total_bytes = conf->results.disk_total_bytes}},
        .background_grace_ns = conf->calls.background_grace_ns,
        .fleet = {.max_nodes = (size_t)conf->limits.nodes,
                  .max_models = (size_t)conf->limits.models,
                  .max_leases = (size_t)conf->limits.calls,
                  .feed_ahead_us = conf->link.feed_ahead_ns / SL_NS_PER_US,
                  .feed_ahead_max = (uint32_t)conf->link.feed_ahead_calls},
        .models_wait_ns = sl_sat_add(conf->link.lost_after_ns, find_again_ns),
    };
}
