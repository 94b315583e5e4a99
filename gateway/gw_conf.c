#include "gw_conf.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "gw_conf_issuers.h"
#include "gw_conf_tiers.h"
#include "gw_fleet.h"
#include "gw_identity.h"
#include "gw_sched.h"
#include "sl_conf_check.h"
#include "sl_text.h"

#define KEY(name_, type_, field, default_, ...)                                                    \
    {                                                                                              \
        .name = (name_), .type = (type_), .offset = offsetof(struct gw_conf, field),               \
        .default_text = (default_), __VA_ARGS__                                                    \
    }
/* What many rows say. */
#define ITEMS(table, type) .items = (table), .item_bytes = sizeof(type)
#define TIER(name_, field, default_, ...)                                                          \
    KEY(name_, SL_CONF_STRING, field, default_, .max = GW_TIER_NAME_MAX, .reloadable = true,       \
        .help = __VA_ARGS__)
#define RANGES(name_, field, ...)                                                                  \
    KEY(name_, SL_CONF_LIST, field, NULL, .max = GW_NETWORKS_MAX,                                  \
        ITEMS(gw_conf_range_table, const char *), .reloadable = true, .help = __VA_ARGS__)
#define S   SL_NS_PER_S
#define MS  SL_NS_PER_MS
#define MIB (INT64_C(1) << 20)

static const char *const policy_names[] = {
    [GW_SCHED_FAIR] = "fair", [GW_SCHED_STRICT] = "strict", [GW_SCHED_FIFO] = "fifo", NULL};
static const char *const client_auths[] = {"none", "optional", "required", NULL};
static const char *const tls_versions[] = {"1.2", "1.3", NULL};
static const char *const placement_names[] = {"never", "together", NULL};
static const char *const sync_names[] = {"normal", "full", NULL};
static const char *const when_broken_names[] = {"refuse", "serve", NULL};
static const char *const compression_names[] = {"never", "mirror", NULL};

/* Who is on this machine can read its memory and stop its daemons: a quota holds him off from nothing. */
#define DEFAULT_NETWORKS "{127.0.0.0/8: owner, '::1/128': owner}"

static const struct sl_conf_key allow_table[] = {
    {"", SL_CONF_STRING, offsetof(struct gw_conf_allow, key),
     .help = "40 characters of Z85 are a key, all else is a file."},
    {0},
};

/* clang-format off: one key a line, or one key a paragraph */
const struct sl_conf_key gw_conf_table[] = {
    KEY("listen.grpc", SL_CONF_STRING, listen_grpc, "127.0.0.1:8001", .max = 300,
        .help =
            "Address and port of gRPC (HTTP/2, with TLS when tls.certificate is set); port 0 takes "
            "any free one."),
    KEY("listen.http", SL_CONF_STRING, listen_http, "127.0.0.1:8000", .max = 300,
        .help = "Address and port of health and metrics (HTTP/1.1); port 0 takes any free one."),
    KEY("tls.certificate", SL_CONF_STRING, tls.certificate, "", .reloadable = true,
        .help =
            "PEM file of the gRPC port's certificate, followed by its chain; without it there is "
            "no TLS. The files are read again on SIGHUP; on and off need a restart."),
    KEY("tls.key", SL_CONF_STRING, tls.key, "", .reloadable = true,
        .help = "PEM file of the certificate's private key, without a passphrase."),
    KEY("tls.client_ca", SL_CONF_STRING, tls.client_ca, "", .reloadable = true,
        .help = "PEM file of the authorities whose client certificates are taken."),
    KEY("tls.client_auth", SL_CONF_CHOICE, tls.client_auth, "none", .choices = client_auths,
        .reloadable = true,
        .help = "Whether clients are asked for a certificate, and whether they must have one."),
    KEY("tls.min_version", SL_CONF_CHOICE, tls.min_version, "1.2", .choices = tls_versions,
        .reloadable = true, .help = "The oldest version of TLS that is spoken."),
    KEY("state", SL_CONF_STRING, state, "",
        .help = "Directory (mode 0700) of what the gateway keeps to itself: its keys, the token of "
                "its administrator. Made when it is not there; without it nothing is kept."),
    KEY("auth.allow_plaintext_tokens", SL_CONF_BOOL, auth.allow_plaintext_tokens, "false",
        .reloadable = true,
        .help = "Whether tokens are taken from connections without TLS that do not come from this "
                "machine: whoever is on the way can read them."),
    TIER("auth.tier", auth.tier, "free", "The tier of who signs in with a token that names none."),
    TIER("auth.admin_tier", auth.admin_tier, "enterprise",
         "The tier of the token in state/admin.token, which is made when it is not there. "
         "Remove the file and send SIGHUP, and the next one is made."),
    KEY("auth.keys_wait", SL_CONF_DURATION, auth.keys_wait_ns, "10s", .min = 1 * MS, .max = 60 * S,
        .reloadable = true,
        .help = "How long a call waits while the keys of its token's issuer are fetched."),
    KEY("auth.tokens_max", SL_CONF_INT, auth.tokens_max, "100000", .min = 1, .max = 10000000,
        .help = "API tokens that may be known, revoked ones included."),
    KEY("auth.cache", SL_CONF_INT, auth.cache_max, "4096", .min = 1, .max = 1000000,
        .help = "Signed tokens whose verification is remembered."),
    KEY("auth.cache_for", SL_CONF_DURATION, auth.cache_for_ns, "60s", .min = 1 * MS,
        .max = 3600 * S,
        .help = "For how long, and never beyond the token's own end: an issuer that takes a key "
                "back is heard after this time."),
    KEY("anonymous.allow", SL_CONF_BOOL, auth.anonymous.allow, "true", .reloadable = true,
        .help = "Whether callers without a token are served: by address (IPv4 /32, IPv6 /64 within "
                "its /56 and /48), or by a signed cookie (GET /visitor) within its address."),
    TIER("anonymous.tier", auth.anonymous.tier, "anonymous",
         "Their tier, where networks says nothing else."),
    KEY("anonymous.sign_in_url", SL_CONF_STRING, auth.anonymous.sign_in_url, "",
        .max = GW_AUTH_URL_MAX, .reloadable = true,
        .help = "Where callers who are refused are sent to sign in."),
    KEY("anonymous.cookie_cap", SL_CONF_INT, auth.anonymous.cookie_cap, "10", .min = 1,
        .max = GW_COOKIES_PER_ADDRESS_MAX, .reloadable = true,
        .help = "How many cookies' time all cookies of one address have together."),
    KEY("anonymous.cookie_rotate", SL_CONF_DURATION, auth.anonymous.cookie_rotate_ns, "30d",
        .min = 3600 * S, .max = 365 * 86400 * S, .reloadable = true,
        .help = "After which cookies are signed with a new key."),
    KEY("anonymous.cookie_lifetime", SL_CONF_DURATION, auth.anonymous.cookie_lifetime_ns, "90d",
        .min = 60 * S, .max = 1000 * 86400 * S, .reloadable = true,
        .help = "How long a cookie is good. GET /visitor signs it anew after half of that."),
    KEY("networks", SL_CONF_MAP, auth.networks, DEFAULT_NETWORKS, .max = GW_NETWORKS_MAX,
        ITEMS(gw_conf_network_table, struct gw_conf_tier_of), .reloadable = true,
        .help =
            "Ranges of addresses whose callers without a token have a tier of their own; the "
            "narrowest range counts. The default holds callers on this machine to be its owner."),
    RANGES("trusted_proxies", auth.trusted_proxies,
           "Ranges of addresses whose x-forwarded-for is believed: the visitor is its rightmost "
           "address that is not in them."),
    RANGES("proxy_protocol", auth.proxy_protocol,
           "Ranges of addresses from which every connection begins with a PROXY v2 header "
           "(before TLS); one without is closed."),
    KEY("apps.max", SL_CONF_INT, auth.apps.max, "10000", .min = 1, .max = 1000000,
        .help = "Apps that may be registered."),
    KEY("apps.max_running", SL_CONF_INT, auth.apps.max_running, "4", .min = 1, .max = 1000000,
        .reloadable = true,
        .help = "Calls of one app that have a slice at once; further ones wait in their place and "
                "hold up nobody."),
    TIER("apps.visitor_tier", auth.apps.visitor_tier, "anonymous",
         "The most that an app's visitor has whom the app alone knows."),
    KEY("apps.tiers", SL_CONF_MAP, auth.apps.tiers, NULL, .max = GW_AUTH_APP_TIERS_MAX,
        ITEMS(gw_conf_app_tier_table, struct gw_conf_tier_of), .reloadable = true,
        .help = "Apps whose visitors have another tier than that."),
    KEY("net_threads", SL_CONF_INT, net_threads, "0", .min = 0, .max = 64,
        .help = "Threads that serve connections; 0 serves them on the thread that decides, which "
                "is best on few cores."),
    KEY("limits.connections", SL_CONF_INT, limits.connections, "4096", .min = 1, .max = 1000000,
        .reloadable = true,
        .help = "Open connections in all; further ones wait in the listen queue."),
    KEY("limits.handshakes", SL_CONF_INT, limits.handshakes, "512", .min = 1, .max = 1000000,
        .reloadable = true,
        .help = "Connections that are not past their handshakes (TLS, HTTP/2 preface); further "
                "ones wait in the listen queue, and a silent peer then has a tenth of "
                "limits.handshake."),
    KEY("limits.streams", SL_CONF_INT, limits.streams, "256", .min = 1, .max = 65536,
        .reloadable = true, .help = "Open requests of one connection."),
    KEY("limits.calls", SL_CONF_INT, limits.calls, "16384", .min = 1, .max = 1000000,
        .help = "Calls in all states; one more is refused with QUEUE_FULL."),
    KEY("limits.queue", SL_CONF_INT, limits.queue, "4000", .min = 1, .max = 1000000,
        .reloadable = true,
        .help = "Calls that wait for a slice; one more is refused with QUEUE_FULL."),
    KEY("limits.queue_of_tier", SL_CONF_INT, limits.queue_of_tier, "1000", .min = 1, .max = 1000000,
        .reloadable = true,
        .help = "Those of one tier; one more is refused with QUEUE_FULL, so that a crowd in one "
                "tier leaves room for the others."),
    KEY("limits.watches", SL_CONF_INT, limits.watches, "2000", .min = 1, .max = 1000000,
        .help = "Calls that are watched (WatchCall); one more is refused with NO_CAPACITY."),
    KEY("limits.visitor_watches", SL_CONF_INT, limits.visitor_watches, "32", .min = 1,
        .max = 1000000, .reloadable = true,
        .help = "The same of one account; one more is refused with QUEUE_FULL."),
    KEY("limits.nodes", SL_CONF_INT, limits.nodes, "64", .min = 1, .max = 4096,
        .help = "Connected executors."),
    KEY("limits.models", SL_CONF_INT, limits.models, "1024", .min = 1, .max = 65536,
        .help = "Models of all executors, merged by name."),
    KEY("limits.message", SL_CONF_BYTES, limits.message_bytes, "64MiB", .min = 65536,
        .max = 1025 * MIB, .reloadable = true,
        .help = "The largest ModelInfer request: a tensor of 1 GiB and its head fit."),
    KEY("limits.body_total", SL_CONF_BYTES, limits.body_total_bytes, "1GiB", .min = 1 * MIB,
        .max = INT64_MAX, .reloadable = true,
        .help =
            "All requests in memory together; a large one waits for room before it is received."),
    KEY("limits.body_connection", SL_CONF_BYTES, limits.body_connection_bytes, "512MiB",
        .min = 65536, .max = INT64_MAX, .reloadable = true,
        .help = "The large requests of one connection in memory together; further ones wait as "
                "if there were no room."),
    KEY("limits.result_total", SL_CONF_BYTES, limits.result_total_bytes, "2GiB", .min = 1 * MIB,
        .max = INT64_MAX, .reloadable = true,
        .help = "All results in memory together, until their callers have read them. Above half "
                "of it no call is started; a result beyond it ends its call with NO_CAPACITY."),
    KEY("limits.body_early", SL_CONF_BYTES, limits.body_early_bytes, "256MiB", .min = 1 * MIB,
        .max = INT64_MAX, .reloadable = true,
        .help = "All requests or beginnings of requests that came before room was reserved for "
                "them, at most 64 KiB each."),
    KEY("limits.headers", SL_CONF_BYTES, limits.header_bytes, "16KiB", .min = 1024, .max = 1 * MIB,
        .reloadable = true, .help = "Decoded headers of one request, 32 bytes an entry included."),
    KEY("limits.outbound", SL_CONF_BYTES, limits.outbound_bytes, "4MiB", .min = 65536,
        .max = 1024 * MIB, .reloadable = true,
        .help = "Unsent frames of one connection, beyond which it is not read any more."),
    KEY("limits.handshake", SL_CONF_DURATION, limits.handshake_ns, "10s", .min = 1 * MS,
        .max = 3600 * S, .reloadable = true,
        .help = "From accepting a connection to its HTTP/2 preface and settings, a TLS handshake "
                "included."),
    KEY("limits.idle", SL_CONF_DURATION, limits.idle_ns, "300s", .min = 1 * MS, .max = 86400 * S,
        .reloadable = true,
        .help = "A connection without an open request is closed after this time."),
    KEY("limits.stall", SL_CONF_DURATION, limits.stall_ns, "30s", .min = 1 * MS, .max = 86400 * S,
        .reloadable = true,
        .help = "A request or a reply in whose middle the peer stands still ends after this time."),
    KEY("limits.min_rate", SL_CONF_BYTES, limits.min_rate_bytes, "1KiB", .min = 0,
        .max = 1024 * MIB, .reloadable = true,
        .help = "Bytes per second, on average over each limits.stall, that a request's message and "
                "a reply must move; slower ones end. 0B: any byte will do."),
    KEY("limits.connection_age", SL_CONF_DURATION, limits.connection_age_ns, "0s", .min = 0,
        .max = 365 * 86400 * S, .reloadable = true,
        .help = "A connection of this age (give or take a tenth) takes no more requests, so that "
                "its client connects anew, maybe elsewhere; 0s: never."),
    KEY("limits.connection_age_grace", SL_CONF_DURATION, limits.connection_age_grace_ns, "0s",
        .min = 0, .max = 365 * 86400 * S, .reloadable = true,
        .help = "How long the open requests of such a connection may go on; 0s: as long as they "
                "need."),
    KEY("limits.body_wait", SL_CONF_DURATION, limits.body_wait_ns, "5s", .min = 1 * MS,
        .max = 3600 * S, .reloadable = true,
        .help = "How long a large request waits for room in limits.body_total."),
    KEY("keepalive.time", SL_CONF_DURATION, keepalive.time_ns, "120s", .min = 0, .max = 86400 * S,
        .reloadable = true,
        .help = "A connection that has sent nothing for this time is pinged; 0s: never."),
    KEY("keepalive.timeout", SL_CONF_DURATION, keepalive.timeout_ns, "20s", .min = 1 * MS,
        .max = 3600 * S, .reloadable = true,
        .help = "A connection that does not answer a ping in this time is closed."),
    KEY("keepalive.min_time", SL_CONF_DURATION, keepalive.min_time_ns, "10s", .min = 0,
        .max = 86400 * S, .reloadable = true,
        .help = "How far apart a client's pings must be while it is sent nothing; the third that "
                "is too soon ends its connection with too_many_pings. 0s: no rule."),
    KEY("keepalive.without_calls", SL_CONF_BOOL, keepalive.without_calls, "true",
        .reloadable = true,
        .help = "Whether the same holds while the client has no open request; if not, pings must "
                "be two hours apart then."),
    KEY("scheduler.policy", SL_CONF_CHOICE, scheduler.policy, "fair", .choices = policy_names,
        .reloadable = true,
        .help = "Whose turn it is on a slice: fair shares the time between tiers by their weights; "
                "strict lets the heaviest tier go first, and may leave nothing for others; fifo "
                "goes by arrival. Within a tier the order is the same in all."),
    KEY("calls.max_duration", SL_CONF_DURATION, calls.max_duration_ns, "300s", .min = 1 * MS,
        .max = 86400 * S, .reloadable = true, .help = "The longest duration a call may declare."),
    KEY("calls.max_wait", SL_CONF_DURATION, calls.max_wait_ns, "60s", .min = 1 * MS,
        .max = 86400 * S, .reloadable = true,
        .help = "How long a call waits for a slice when it does not say."),
    KEY("calls.max_wait_limit", SL_CONF_DURATION, calls.max_wait_limit_ns, "600s", .min = 1 * MS,
        .max = 86400 * S, .reloadable = true,
        .help = "The longest wait a call may ask for by sluice-max-wait."),
    KEY("calls.background_grace", SL_CONF_DURATION, calls.background_grace_ns, "1s",
        .max = 86400 * S, .reloadable = true,
        .help =
            "How long a call waits for a slice before one that runs uncharged there (when_idle: "
            "run) is ended for it."),
    KEY("tiers", SL_CONF_MAP, rates.tiers, gw_conf_built_in_tiers, .max = GW_TIERS_MAX,
        ITEMS(gw_conf_tier_table, struct gw_conf_tier), .reloadable = true,
        .help = "What visitors get, by tier. A tier that is not named here stays as it is built "
                "in, and so "
                "does what is not said of a built-in one; a new one says daily at least."),
    KEY("sizes", SL_CONF_MAP, rates.sizes, gw_conf_built_in_sizes, .max = GW_SIZES_MAX,
        ITEMS(gw_conf_size_table, struct gw_conf_size), .reloadable = true,
        .help =
            "What a call may ask for by sluice-size; laid over the built-in ones in the same way."),
    KEY("accounts.max", SL_CONF_INT, accounts_max, "100000", .min = 100, .max = 10000000,
        .help = "Visitors whose spending is remembered: about 200 bytes for each. Beyond that "
                "those who "
                "never spent are forgotten first; a fifth is kept for who signed in."),
    KEY("results.keep", SL_CONF_DURATION, results.keep_ns, "10m", .min = 1 * S, .max = 86400 * S,
        .reloadable = true,
        .help =
            "How long the outcome of a call with an idempotency key, or of one that outlived its "
            "connection, can be asked for again."),
    KEY("results.one", SL_CONF_BYTES, results.one_bytes, "1MiB", .min = 0, .max = 1024 * MIB,
        .reloadable = true,
        .help = "The largest result that is kept in memory for that; larger ones are RESULT_GONE, "
                "but for calls that asked for sluice-on-disconnect: keep."),
    KEY("results.visitor", SL_CONF_BYTES, results.visitor_bytes, "16MiB", .min = 0,
        .max = 65536 * MIB, .reloadable = true,
        .help = "All kept results of one visitor; the oldest go first."),
    KEY("results.total", SL_CONF_BYTES, results.total_bytes, "256MiB", .min = 0,
        .max = 1024 * 1024 * MIB, .reloadable = true,
        .help = "All kept results together; the oldest go first."),
    KEY("results.disk_visitor", SL_CONF_BYTES, results.disk_visitor_bytes, "1GiB", .min = 0,
        .max = 65536 * MIB, .reloadable = true,
        .help = "Results of one visitor above results.one that were asked for by "
                "sluice-on-disconnect: keep: on disk, in the directory that state names, without a "
                "name; the oldest go first. Without that directory there are none."),
    KEY("results.disk_total", SL_CONF_BYTES, results.disk_total_bytes, "10GiB", .min = 0,
        .max = 1024 * 1024 * MIB, .reloadable = true,
        .help = "All of them together; the oldest go first."),
    KEY("results.calls", SL_CONF_INT, results.entries_max, "100000", .min = 100, .max = 10000000,
        .help =
            "Calls that can be asked for again, running ones included: up to 1 KiB for each beside "
            "its result. Beyond that the one that ended longest ago is forgotten."),
    KEY("link.control", SL_CONF_STRING, link.control, "tcp://127.0.0.1:5571", .max = 250,
        .help = "Where executors connect, control messages: ipc://PATH or tcp://HOST:PORT."),
    KEY("link.bulk", SL_CONF_STRING, link.bulk, "tcp://127.0.0.1:5572", .max = 250,
        .help = "Where executors connect, large tensors: ipc://PATH or tcp://HOST:PORT."),
    KEY("link.security", SL_CONF_CHOICE, link.security, "auto", .choices = sl_link_security_names,
        .help =
            "curve: executors are known by their keys, and the link is encrypted. none: whoever "
            "reaches the addresses can serve, and read every tensor. auto is none where both "
            "are ipc:// or loopback, and curve elsewhere."),
    KEY("link.bulk_security", SL_CONF_CHOICE, link.bulk_security, "auto",
        .choices = sl_link_security_names,
        .help = "The same for large tensors alone; auto is as link.security. none beside curve is "
                "several times as fast, and for a network on which everyone may read and change "
                "tensors."),
    KEY("link.secret_key", SL_CONF_STRING, link.secret_key, "",
        .help = "File with the gateway's secret key, made by 'sluice-gateway keygen', mode 0600."),
    KEY("link.allow", SL_CONF_MAP, link.allow, NULL, .max = 4096,
        ITEMS(allow_table, struct gw_conf_allow), .reloadable = true,
        .help = "The nodes that may connect with CURVE: the name of each, and its public key or "
                "the file that holds it. Read again on SIGHUP; who is gone from it loses its "
                "connection."),
    KEY("link.heartbeat", SL_CONF_DURATION, link.heartbeat_ns, "500ms", .min = 10 * MS,
        .max = 60 * S, .help = "How often both ends of the link say that they are there."),
    KEY("link.lost_after", SL_CONF_DURATION, link.lost_after_ns, "3s", .min = 50 * MS,
        .max = 600 * S,
        .help = "An executor that is silent for this time is lost; its unstarted calls are queued "
                "again."),
    KEY("link.bulk_window", SL_CONF_BYTES, link.bulk_window_bytes, "64MiB", .min = 1 * MIB,
        .max = 65536 * MIB,
        .help =
            "How far an executor may send result bytes ahead of the gateway's acknowledgement."),
    KEY("link.inline_max", SL_CONF_BYTES, link.inline_max_bytes, "32KiB", .min = 0, .max = 262144,
        .help = "Tensors of a call up to this size travel inside control messages."),
    KEY("link.shared_memory", SL_CONF_BYTES, link.shared_memory_bytes, "512MiB", .min = 0,
        .max = 1024 * 1024 * MIB,
        .help = "Memory in which large requests are kept, and which executors on this host may "
                "read when link.control is an ipc:// path; requests that have no room there are "
                "sent. 0B: none."),
    KEY("link.unsent_max", SL_CONF_BYTES, link.unsent_max_bytes, "256MiB", .min = 1 * MIB,
        .max = 65536 * MIB,
        .help = "Request bytes waiting to be sent to one executor, beyond which calls stay in the "
                "queue."),
    KEY("link.result_max", SL_CONF_BYTES, link.result_max_bytes, "1GiB", .min = 65536,
        .max = 65536 * MIB, .help = "The largest result that is taken from an executor."),
    KEY("link.feed_ahead", SL_CONF_DURATION, link.feed_ahead_ns, "2ms", .min = 0, .max = 1 * S,
        .help =
            "Expected work that is sent to a slice ahead of its turn, so that it is never idle."),
    KEY("link.feed_ahead_calls", SL_CONF_INT, link.feed_ahead_calls, "64", .min = 1, .max = 1024,
        .help = "The most calls at one slice, the running one included."),
    KEY("placement.short_calls", SL_CONF_CHOICE, placement.short_calls, "together",
        .choices = placement_names,
        .help = "together: while short calls come one by one, all that serves them on this host is "
                "held to one processor where that makes them faster, which is tried out; it is let "
                "go as soon as two calls overlap. never: wherever the kernel puts it."),
    KEY("placement.watch", SL_CONF_DURATION, placement.watch_ns, "60us", .min = 0, .max = 1 * MS,
        .help =
            "How long the gateway looks for the next call while it is held so, before it sleeps; "
            "0us: not at all. Others that want the processor get it meanwhile."),
    KEY("issuers", SL_CONF_MAP, issuers, NULL, .max = GW_ISSUERS_MAX,
        ITEMS(gw_conf_issuer_table, struct gw_issuer_conf), .reloadable = true,
        .help =
            "Whose tokens (JWT) are taken, by names of one's own, which become part of accounts."),
    KEY("auth.jwks.interval", SL_CONF_DURATION, jwks.interval_ns, "30s", .min = 1 * MS,
        .max = 3600 * S, .reloadable = true,
        .help = "The shortest time between two fetches of an issuer's keys, also when tokens name "
                "keys that it does not have."),
    KEY("auth.jwks.max_age", SL_CONF_DURATION, jwks.max_age_ns, "1h", .min = 1 * MS,
        .max = 7 * 86400 * S, .reloadable = true,
        .help = "After which an issuer's keys are fetched anew; sooner when its Cache-Control says "
                "so."),
    KEY("auth.jwks.keep", SL_CONF_DURATION, jwks.keep_ns, "24h", .min = 1 * MS,
        .max = 365 * 86400 * S, .reloadable = true,
        .help = "How long an issuer's keys serve after their last fetch while it does not answer."),
    KEY("auth.jwks.timeout", SL_CONF_DURATION, jwks.timeout_ns, "5s", .min = 1 * MS, .max = 60 * S,
        .reloadable = true, .help = "Of one fetch; calls whose tokens need its keys wait for it."),
    KEY("auth.issued.issuer", SL_CONF_STRING, issued.issuer, "sluice", .max = 255,
        .reloadable = true,
        .help = "The iss and aud of the tokens that this gateway issues for visitors of apps."),
    KEY("auth.issued.rotate", SL_CONF_DURATION, issued.rotate_ns, "24h", .min = 60 * S,
        .max = 365 * 86400 * S, .reloadable = true,
        .help = "After which they are signed with a new key; the old one verifies until its "
                "tokens are over."),
    KEY("auth.issued.lifetime", SL_CONF_DURATION, issued.lifetime_ns, "5m", .min = 1 * S,
        .max = 86400 * S, .reloadable = true, .help = "How long they are good."),
    KEY("store.path", SL_CONF_STRING, store.path, "",
        .help =
            "File in which receipts, accounts, tokens and apps are kept; without it they end with "
            "the process."),
    KEY("store.sync", SL_CONF_CHOICE, store.sync, "normal", .choices = sync_names,
        .help =
            "What a stored receipt survives: normal, the death of every process; full, a loss of "
            "power too, for the price of a sync of the disk for each group of receipts."),
    KEY("store.keep", SL_CONF_DURATION, store.keep_ns, "90d", .min = 0,
        .max = INT64_C(315360000) * S,
        .help = "How long receipts and who used what are kept; what apps used in each week is kept "
                "for ever. 0s: all is."),
    KEY("store.when_broken", SL_CONF_CHOICE, store.when_broken, "refuse",
        .choices = when_broken_names,
        .help = "While the file cannot be written: refuse new calls, or serve them and hope that "
                "their receipts can be stored before store.queue_max is full."),
    KEY("store.queue_max", SL_CONF_BYTES, store.queue_max_bytes, "16MiB", .min = 1 * MIB,
        .max = 4096 * MIB, .help = "Memory of receipts that wait to be stored."),
    KEY("store.lag_max", SL_CONF_INT, store.lag_max, "100000", .min = 1000, .max = 100000000,
        .help = "How many receipts the tables of the file may be behind its log before new calls "
                "are refused until they have caught up."),
    KEY("compression.responses", SL_CONF_CHOICE, compression_responses, "mirror",
        .choices = compression_names, .reloadable = true,
        .help = "Which replies are compressed: none, or those to requests with a grpc-encoding (up "
                "to 4 MiB, in the same encoding)."),
    KEY("drain.notice", SL_CONF_DURATION, drain_notice_ns, "0s", .min = 0, .max = 3600 * S,
        .reloadable = true,
        .help = "How long, after SIGTERM, health says NOT_SERVING while all is served as before: "
                "as long as a load balancer needs to see it; then the drain begins."),
    KEY("drain.timeout", SL_CONF_DURATION, drain_timeout_ns, "60s", .min = 0, .max = 86400 * S,
        .reloadable = true,
        .help = "How long SIGTERM lets accepted calls go on before they end with DRAINING."),
    KEY("log.level", SL_CONF_CHOICE, log_level, "info", .choices = sl_log_level_names,
        .reloadable = true, .help = "The least important lines that are logged."),
    KEY("log.calls", SL_CONF_BOOL, log_calls, "true", .reloadable = true,
        .help =
            "A line at level info for each call that held GPU time: who, what, how long, what it "
            "cost, what is left."),
    KEY("log.format", SL_CONF_CHOICE, log_format, "text", .choices = sl_log_format_names,
        .help = "One line of text, or one JSON object, for each event."),
    {0},
};
/* clang-format on */

bool gw_conf_split_address(const char *text, char *host, size_t host_bytes, uint16_t *out_port)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text)
        return false;
    const char *begin = text;
    size_t len = (size_t)(colon - text);
    if (text[0] == '[' && colon[-1] == ']') {
        begin++;
        len -= 2;
    }
    int64_t port;
    if (len == 0 || len >= host_bytes || sl_text_int(sl_span_str(colon + 1), &port) != SL_OK ||
        port < 0 || port > UINT16_MAX)
        return false;
    memcpy(host, begin, len);
    host[len] = '\0';
    *out_port = (uint16_t)port;
    return true;
}

/* ---- checks across keys; each adds its sentence and answers false */

static void check_address(struct sl_conf_check *c, const char *key, const char *value)
{
    char host[256];
    uint16_t port;
    struct in6_addr ignored;
    if (!gw_conf_split_address(value, host, sizeof host, &port))
        sl_conf_complain(c, key, value, "is not HOST:PORT with a port of 0 to 65535");
    else if (inet_pton(AF_INET, host, &ignored) != 1 && inet_pton(AF_INET6, host, &ignored) != 1)
        sl_conf_complain(c, key, value,
                         "has no IPv4 or IPv6 address before its port; names are not looked up");
}

static void check_order(struct sl_conf_check *c, const char *key, int64_t value_ns,
                        int64_t least_ns, const char *why)
{
    char text[32];
    sl_text_format_duration(value_ns, text);
    if (value_ns < least_ns)
        sl_conf_complain(c, key, text, why);
}

/* A message must fit into the room of all of them, or it waits for nothing. */
static void check_room(struct sl_conf_check *c, const char *key, uint64_t bytes,
                       uint64_t total_bytes, const char *why)
{
    char text[32];
    sl_text_format_bytes(bytes, text);
    if (bytes > total_bytes)
        sl_conf_complain(c, key, text, why);
}

static void check_tls(struct sl_conf_check *c, const struct gw_tls_conf *t)
{
    bool has_certificate = t->certificate[0] != '\0', has_key = t->key[0] != '\0';
    bool has_ca = t->client_ca[0] != '\0';
    if (has_certificate && !has_key)
        sl_conf_complain(c, "tls.certificate", t->certificate,
                         "stands without tls.key; give both or none");
    if (has_key && !has_certificate)
        sl_conf_complain(c, "tls.key", t->key, "stands without tls.certificate; give both or none");
    if (has_ca && !has_certificate)
        sl_conf_complain(c, "tls.client_ca", t->client_ca,
                         "stands without tls.certificate and tls.key");
    if (has_ca && t->client_auth == GW_TLS_CLIENT_NONE)
        sl_conf_complain(c, "tls.client_ca", t->client_ca,
                         "is of no use while tls.client_auth is none; say optional or required");
    if (!has_ca && t->client_auth != GW_TLS_CLIENT_NONE)
        sl_conf_complain(c, "tls.client_auth", client_auths[t->client_auth],
                         "needs tls.client_ca: whose certificates are taken");
}

static void check_link(struct sl_conf_check *c, struct gw_conf *conf)
{
    struct sl_link_conf link = {conf->link.control, conf->link.bulk, conf->link.security,
                                conf->link.bulk_security, conf->link.secret_key};
    const struct gw_conf_allow *allow = conf->link.allow.items;
    sl_link_conf_check(c, &link);
    conf->link.security = link.security;
    conf->link.bulk_security = link.bulk_security;
    for (size_t i = 0; i < conf->link.allow.count; i++)
        if (strlen(allow[i].node) > GW_FLEET_NODE_NAME_MAX)
            sl_conf_complain(c, "link.allow", allow[i].node, "is longer than 63 bytes");
}

static void check_tokens(struct sl_conf_check *c, const struct gw_conf *conf,
                         const struct gw_tiers *tiers)
{
    if (conf->issued.issuer[0] == '\0')
        sl_conf_complain(c, "auth.issued.issuer", "", "is empty");
    gw_conf_check_issuers(c, &conf->issuers, conf->issued.issuer, tiers);
    check_order(c, "auth.jwks.max_age", conf->jwks.max_age_ns, conf->jwks.interval_ns,
                "is less than auth.jwks.interval");
    check_order(c, "auth.jwks.keep", conf->jwks.keep_ns, conf->jwks.max_age_ns,
                "is less than auth.jwks.max_age");
    check_order(c, "auth.issued.rotate", conf->issued.rotate_ns, conf->issued.lifetime_ns,
                "is less than auth.issued.lifetime");
}

static void check_auth(struct sl_conf_check *c, const struct gw_conf *conf)
{
    struct gw_tiers tiers;
    gw_conf_make_tiers(&conf->rates, &tiers);
    gw_conf_check_auth(c, &conf->auth, &tiers);
    check_tokens(c, conf, &tiers);
}

static void check_limits(struct sl_conf_check *c, const struct gw_conf *conf)
{
    check_room(c, "results.one", conf->results.one_bytes, conf->results.visitor_bytes,
               "is more than results.visitor");
    check_room(c, "results.visitor", conf->results.visitor_bytes, conf->results.total_bytes,
               "is more than results.total");
    check_room(c, "results.disk_visitor", conf->results.disk_visitor_bytes,
               conf->results.disk_total_bytes, "is more than results.disk_total");
    check_order(c, "link.lost_after", conf->link.lost_after_ns, 2 * conf->link.heartbeat_ns,
                "is less than two heartbeats");
    check_order(c, "calls.max_wait_limit", conf->calls.max_wait_limit_ns, conf->calls.max_wait_ns,
                "is less than calls.max_wait");
    check_room(c, "limits.message", conf->limits.message_bytes, conf->limits.body_total_bytes,
               "is more than limits.body_total");
    check_room(c, "limits.message", conf->limits.message_bytes, conf->limits.body_connection_bytes,
               "is more than limits.body_connection");
    check_room(c, "link.result_max", conf->link.result_max_bytes, conf->limits.result_total_bytes,
               "is more than limits.result_total");
}

sl_status gw_conf_load(const char *path, struct gw_conf *out, struct sl_buf *errors,
                       struct sl_conf **out_owner)
{
    *out = (struct gw_conf){0};
    sl_status s = sl_conf_load(path, gw_conf_table, out, errors, out_owner);
    if (s != SL_OK)
        return s;
    struct sl_conf_check c = {path == NULL || path[0] == '\0' ? "defaults" : path, *out_owner,
                              errors, true};
    check_address(&c, "listen.grpc", out->listen_grpc);
    check_address(&c, "listen.http", out->listen_http);
    check_tls(&c, &out->tls);
    check_link(&c, out);
    gw_conf_check_rates(&c, &out->rates);
    if (c.ok) /* else there are no tiers to look names up in */
        check_auth(&c, out);
    check_limits(&c, out);
    if (c.ok)
        return SL_OK;
    sl_conf_destroy(*out_owner);
    *out_owner = NULL;
    return SL_EINVAL;
}
