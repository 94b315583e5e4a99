/* gw_net_metrics.h - what the net threads count.
 *
 * A front counts in plain numbers (struct gw_net_counts) and adds them to the metrics, which all fronts
 * share, once per loop turn.
 */
#ifndef GW_NET_METRICS_H
#define GW_NET_METRICS_H

#include <stdint.h>

#include "sl_metric.h"
#include "sl_status.h"

#define GW_NET_TIMEOUTS_HELP   "Connections that a timer ended."
#define GW_NET_TLS_ERRORS_HELP "TLS connections that ended because of an error."

/* X(field, counter or gauge, name, labels, help) */
#define GW_NET_METRIC_MAP(X)                                                                       \
    X(connections, gauge, "sluice_connections", "", "Connections of visitors that are open.")      \
    X(accepted, counter, "sluice_connections_accepted_total", "", "Connections accepted.")         \
    X(accept_pauses, counter, "sluice_accept_pauses_total", "limit=\"connections\"",               \
      "Times that a net thread stopped accepting connections because of a limit.")                 \
    X(handshake_pauses, counter, "sluice_accept_pauses_total", "limit=\"handshakes\"",             \
      "Times that a net thread stopped accepting connections because of a limit.")                 \
    X(timeouts_handshake, counter, "sluice_connection_timeouts_total", "kind=\"handshake\"",       \
      GW_NET_TIMEOUTS_HELP)                                                                        \
    X(timeouts_idle, counter, "sluice_connection_timeouts_total", "kind=\"idle\"",                 \
      GW_NET_TIMEOUTS_HELP)                                                                        \
    X(timeouts_stall, counter, "sluice_connection_timeouts_total", "kind=\"stall\"",               \
      GW_NET_TIMEOUTS_HELP)                                                                        \
    X(timeouts_slow, counter, "sluice_connection_timeouts_total", "kind=\"slow\"",                 \
      GW_NET_TIMEOUTS_HELP)                                                                        \
    X(timeouts_keepalive, counter, "sluice_connection_timeouts_total", "kind=\"keepalive\"",       \
      GW_NET_TIMEOUTS_HELP)                                                                        \
    X(timeouts_age, counter, "sluice_connection_timeouts_total", "kind=\"age\"",                   \
      GW_NET_TIMEOUTS_HELP)                                                                        \
    X(slow_requests, counter, "sluice_http2_slow_requests_total", "",                              \
      "Requests refused or reset because the peer moved less than limits.min_rate.")               \
    X(stalled_requests, counter, "sluice_http2_stalled_requests_total", "",                        \
      "Requests refused or reset because the peer stood still in the middle of them.")             \
    X(protocol_errors, counter, "sluice_http2_errors_total", "",                                   \
      "Connections ended because the peer broke HTTP/2 or passed a limit on abuse.")               \
    X(requests, counter, "sluice_http2_requests_total", "", "Requests with complete headers.")     \
    X(refused_early, counter, "sluice_http2_refused_total", "",                                    \
      "Requests answered by the net thread: headers, framing, length, memory, a stalled body.")    \
    X(resets_received, counter, "sluice_http2_resets_total", "by=\"peer\"", "RST_STREAM frames.")  \
    X(resets_sent, counter, "sluice_http2_resets_total", "by=\"gateway\"", "RST_STREAM frames.")   \
    X(tls_handshakes, counter, "sluice_tls_handshakes_total", "session=\"new\"",                   \
      "TLS handshakes that were completed.")                                                       \
    X(tls_resumed, counter, "sluice_tls_handshakes_total", "session=\"resumed\"",                  \
      "TLS handshakes that were completed.")                                                       \
    X(tls_no_h2, counter, "sluice_tls_errors_total", "kind=\"alpn\"", GW_NET_TLS_ERRORS_HELP)      \
    X(tls_bad_certificates, counter, "sluice_tls_errors_total", "kind=\"client_certificate\"",     \
      GW_NET_TLS_ERRORS_HELP)                                                                      \
    X(tls_not_tls, counter, "sluice_tls_errors_total", "kind=\"not_tls\"", GW_NET_TLS_ERRORS_HELP) \
    X(tls_alerts, counter, "sluice_tls_errors_total", "kind=\"alert_from_peer\"",                  \
      GW_NET_TLS_ERRORS_HELP)                                                                      \
    X(tls_protocol, counter, "sluice_tls_errors_total", "kind=\"protocol\"",                       \
      GW_NET_TLS_ERRORS_HELP)                                                                      \
    X(tls_unfinished, counter, "sluice_tls_errors_total", "kind=\"unfinished\"",                   \
      GW_NET_TLS_ERRORS_HELP)                                                                      \
    X(proxy_headers, counter, "sluice_proxy_headers_total", "kind=\"good\"",                       \
      "PROXY headers at the beginning of connections.")                                            \
    X(proxy_faults, counter, "sluice_proxy_headers_total", "kind=\"refused\"",                     \
      "PROXY headers at the beginning of connections.")                                            \
    X(read_pauses, counter, "sluice_read_pauses_total", "reason=\"outbound\"",                     \
      "Times that a connection was not read on because its peer did not take its replies.")        \
    X(received_bytes, counter, "sluice_received_bytes_total", "", "Bytes read from visitors.")     \
    X(sent_bytes, counter, "sluice_sent_bytes_total", "", "Bytes written to visitors.")

struct gw_net_counts {
#define GW_NET_COUNT_FIELD(field, kind, name, labels, help) int64_t field;
    GW_NET_METRIC_MAP(GW_NET_COUNT_FIELD)
#undef GW_NET_COUNT_FIELD
};

struct gw_net_metrics {
#define GW_NET_METRIC_FIELD(field, kind, name, labels, help) struct sl_metric *field;
    GW_NET_METRIC_MAP(GW_NET_METRIC_FIELD)
#undef GW_NET_METRIC_FIELD
};

/* Once at start. Errors: SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_net_metrics_register(struct sl_metric_registry *r,
                                                struct gw_net_metrics *out);
/* Adds the counts and sets them to 0. m may be NULL. */
void gw_net_metrics_add(const struct gw_net_metrics *m, struct gw_net_counts *counts);

#endif
