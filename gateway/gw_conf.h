/* gw_conf.h - the gateway's configuration: one struct, read by one table, with the checks that go across keys. */
#ifndef GW_CONF_H
#define GW_CONF_H

#include "gw_conf_auth.h"
#include "gw_conf_tiers.h"
#include "gw_issuer_conf.h"
#include "gw_tls_server.h"
#include "sl_conf.h"
#include "sl_link_conf.h"
#include "sl_log.h"

/* What a stored receipt survives, and what is done while none can be stored. */
enum gw_store_sync { GW_STORE_SYNC_NORMAL, GW_STORE_SYNC_FULL };
enum gw_store_when_broken { GW_STORE_REFUSE, GW_STORE_SERVE };

/* Which replies are compressed. */
enum gw_compression { GW_COMPRESS_NEVER, GW_COMPRESS_MIRROR };

/* Where short calls that come one by one are served. */
enum gw_placement { GW_PLACEMENT_NEVER, GW_PLACEMENT_TOGETHER };

/* A node that may connect: its name, and its public key or the file that holds it. */
struct gw_conf_allow {
    const char *node;
    const char *key;
};

struct gw_conf {
    const char *listen_grpc;
    const char *listen_http;
    struct gw_tls_conf tls; /* certificate "": no TLS */
    const char *state;      /* directory; "": none */
    struct gw_conf_auth auth;
    struct gw_conf_rates rates;
    int64_t accounts_max;
    struct {
        int64_t keep_ns, entries_max;
        uint64_t one_bytes, visitor_bytes, total_bytes;
        uint64_t disk_visitor_bytes, disk_total_bytes;
    } results; /* of calls that ended, for those who ask again */
    int64_t net_threads;
    struct {
        int64_t connections, handshakes, streams, calls, queue, queue_of_tier, nodes, models;
        int64_t watches, visitor_watches;
        uint64_t message_bytes, body_total_bytes, body_early_bytes, header_bytes, outbound_bytes;
        uint64_t body_connection_bytes, result_total_bytes;
        uint64_t min_rate_bytes; /* per second */
        int64_t handshake_ns, idle_ns, stall_ns, body_wait_ns;
        int64_t connection_age_ns, connection_age_grace_ns; /* 0: without end */
    } limits;
    struct {
        int64_t time_ns, timeout_ns; /* of our pings; time_ns 0: none */
        int64_t min_time_ns;         /* of those of clients */
        bool without_calls;
    } keepalive;
    struct {
        int policy; /* enum gw_sched_policy */
    } scheduler;
    struct {
        int64_t max_duration_ns, max_wait_ns, max_wait_limit_ns, background_grace_ns;
    } calls;
    struct {
        const char *control;
        const char *bulk;
        int security, bulk_security; /* enum sl_link_security, not AUTO after gw_conf_load */
        const char *secret_key;      /* "" without CURVE */
        struct sl_conf_seq allow;    /* of struct gw_conf_allow */
        int64_t heartbeat_ns, lost_after_ns, feed_ahead_ns;
        uint64_t bulk_window_bytes, inline_max_bytes, unsent_max_bytes, result_max_bytes;
        int64_t feed_ahead_calls;
        uint64_t shared_memory_bytes;
    } link;
    struct {
        int short_calls; /* enum gw_placement */
        int64_t watch_ns;
    } placement;
    struct sl_conf_seq issuers; /* of struct gw_issuer_conf */
    struct gw_jwks_conf jwks;
    struct {
        const char *issuer;
        int64_t rotate_ns, lifetime_ns;
    } issued;
    struct {
        const char *path; /* "": nothing is kept */
        int sync;         /* enum gw_store_sync */
        int when_broken;  /* enum gw_store_when_broken */
        int64_t keep_ns;  /* 0: for ever */
        int64_t lag_max;
        uint64_t queue_max_bytes;
    } store;
    int compression_responses; /* enum gw_compression */
    int64_t drain_notice_ns, drain_timeout_ns;
    int log_level;  /* enum sl_log_level */
    int log_format; /* enum sl_log_format */
    bool log_calls;
};

extern const struct sl_conf_key gw_conf_table[];

/* Reads path ("" or NULL: all defaults) and checks it; sentences of all errors go to errors. */
SL_MUST_CHECK sl_status gw_conf_load(const char *path, struct gw_conf *out, struct sl_buf *errors,
                                     struct sl_conf **out_owner);

/* "HOST:PORT" or "[HOST]:PORT" apart; host has room for host_bytes. false: not of that form. */
bool gw_conf_split_address(const char *text, char *host, size_t host_bytes, uint16_t *out_port);

#endif
