/* ex_conf.c - every key of the executor's configuration, and the checks between them. */
#include "ex_conf.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ex_journal.h"
#include "ex_ring.h"
#include "ex_slice_cpu.h"
#include "sl_conf_check.h"
#include "sl_time.h"

#define KEY(name_, type_, field, default_, ...)                                                    \
    {                                                                                              \
        .name = (name_), .type = (type_), .offset = offsetof(struct ex_conf, field),               \
        .default_text = (default_), __VA_ARGS__                                                    \
    }
#define S   SL_NS_PER_S
#define MS  SL_NS_PER_MS
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)

static const char *const placement_names[] = {"never", "together", NULL};

/* clang-format off: one key a paragraph */
const struct sl_conf_key ex_conf_table[] = {
    KEY("node", SL_CONF_STRING, node, "", .max = EX_NODE_NAME_MAX,
        .help = "This node's name, 1 to 63 of A-Z a-z 0-9 . _ -; empty takes the host's name."),
    KEY("models", SL_CONF_STRING, models, NULL,
        .help = "The model repository: a directory with one subdirectory for each model."),
    KEY("state", SL_CONF_STRING, state, "", .max = 3800,
        .help =
            "Directory, of this executor alone, for the journal of leases: what held a slice and "
            "is not accounted for by a gateway yet outlives the process there. Empty: in memory "
            "only."),
    KEY("link.control", SL_CONF_STRING, link.control, "tcp://127.0.0.1:5571", .max = 250,
        .help = "The gateway's address for control messages: ipc://PATH or tcp://HOST:PORT."),
    KEY("link.bulk", SL_CONF_STRING, link.bulk, "tcp://127.0.0.1:5572", .max = 250,
        .help = "The gateway's address for large tensors: ipc://PATH or tcp://HOST:PORT."),
    KEY("link.security", SL_CONF_CHOICE, link.security, "auto", .choices = sl_link_security_names,
        .help =
            "As at the gateway: curve knows both ends by their keys and encrypts the link, none "
            "does not; auto is none where both addresses are ipc:// or loopback, and curve "
            "elsewhere."),
    KEY("link.bulk_security", SL_CONF_CHOICE, link.bulk_security, "auto",
        .choices = sl_link_security_names,
        .help = "The same for large tensors alone, as at the gateway; auto is as link.security."),
    KEY("link.secret_key", SL_CONF_STRING, link.secret_key, "",
        .help = "File with this node's secret key, made by 'sluice-gateway keygen', mode 0600."),
    KEY("link.gateway_public_key", SL_CONF_STRING, link.gateway_public_key, "",
        .help = "The gateway's public key, 40 characters of Z85, or the file that holds it."),
    KEY("link.shared_memory", SL_CONF_BYTES, link.shared_memory_bytes, "512MiB", .min = 0,
        .max = 1024 * 1024 * MIB,
        .help = "Memory in which large results are kept, and which a gateway on this host may "
                "read; what has no room there is sent. 0B: none."),
    KEY("slices.cpu", SL_CONF_INT, slices.cpu, "2", .min = 1, .max = EX_SLICES_MAX,
        .help = "Into how many equal slices the processors are divided; one call runs on each."),
    KEY("slices.per_device", SL_CONF_INT, slices.per_device, "2", .min = 1, .max = EX_SLICES_MAX,
        .help = "Of how many slices a device consists; a call of size xlarge has all of one "
                "device. 1: each "
                "slice is a device of its own."),
    KEY("slices.cpu_threads", SL_CONF_INT, slices.cpu_threads, "0", .min = 0, .max = EX_THREADS_MAX,
        .help = "Threads of an engine on a slice; 0 shares the processors out. A call that has all "
                "slices of "
                "a device has the threads of all."),
    KEY("slices.memory", SL_CONF_BYTES, slices.memory_bytes, "0B", .max = INT64_MAX,
        .help = "Memory that a worker may allocate, of each of its slices; 0B does not limit it."),
    KEY("worker.program", SL_CONF_STRING, worker.program, "",
        .help = "The worker's program; empty takes sluice-worker from this program's directory."),
    KEY("worker.ring", SL_CONF_BYTES, worker.ring_bytes, "2MiB", .min = 2 * MIB, .max = 1024 * MIB,
        .help = "Shared memory of each of a worker's two rings, a power of two; tensors of up to a "
                "quarter of it travel without a segment of their own."),
    KEY("worker.load_timeout", SL_CONF_DURATION, worker.load_timeout_ns, "120s", .min = 100 * MS,
        .max = 86400 * S, .help = "How long a worker may take to load its model."),
    KEY("worker.loading", SL_CONF_INT, worker.loading, "0", .min = 0, .max = 1024,
        .help = "How many workers load at the same time; 0: as many as there are processors."),
    KEY("worker.hello_wait", SL_CONF_DURATION, worker.hello_wait_ns, "120s", .min = 0,
        .max = 86400 * S,
        .help = "How long the node waits for models that still load before it goes to the gateway "
                "without them."),
    KEY("worker.wide_idle", SL_CONF_DURATION, worker.wide_idle_ns, "10m", .min = 0,
        .max = 86400 * S,
        .help =
            "A worker that has all slices of a device is made when a call of that size comes, and "
            "ended when it had none for this long, or up to twice; 0s: it stays."),
    KEY("worker.watch", SL_CONF_DURATION, worker.watch_ns, "20us", .min = 0, .max = 1 * MS,
        .help =
            "How long the node looks for the result of a single call before it sleeps until the "
            "worker wakes it; 0us: not at all. Others that want the processor get it meanwhile."),
    KEY("lease.cancel_grace", SL_CONF_DURATION, lease.cancel_grace_ns, "1s", .min = 0,
        .max = 600 * S,
        .help =
            "How soon a slice is free of a call that nobody waits for any more: its engine is "
            "asked to stop, and after three quarters of this its worker is ended; 0s: at once."),
    KEY("lease.receive_timeout", SL_CONF_DURATION, lease.receive_timeout_ns, "30s", .min = 10 * MS,
        .max = 3600 * S, .help = "How long the next bytes of a call's inputs may take."),
    KEY("lease.backlog", SL_CONF_INT, lease.backlog, "64", .min = 1, .max = 4096,
        .help = "Calls that may wait at a slice beyond the running one."),
    KEY("lease.unacknowledged_max", SL_CONF_INT, lease.unacknowledged_max, "16384", .min = 256,
        .max = EX_JOURNAL_MAX,
        .help = "Leases that have ended, or may, and that no gateway has accounted for yet; one "
                "more call is returned to the gateway."),
    KEY("limits.jobs", SL_CONF_INT, limits.jobs, "4096", .min = 1, .max = 1000000,
        .help = "Calls on this node in all states; one more is returned to the gateway."),
    KEY("limits.payload", SL_CONF_BYTES, limits.payload_bytes, "1GiB", .min = 64 * KIB,
        .max = 1025 * MIB, .help = "The largest inputs, or outputs, of one call."),
    KEY("limits.payload_total", SL_CONF_BYTES, limits.payload_total_bytes, "4GiB", .min = 1 * MIB,
        .max = INT64_MAX,
        .help = "Inputs that came by bulk in memory together; a call beyond that is returned to "
                "the gateway."),
    KEY("placement.short_calls", SL_CONF_CHOICE, placement, "together", .choices = placement_names,
        .help =
            "together: while a gateway on this host (link.control is an ipc:// path) asks for "
            "it, the node's threads and the worker that serves are held to one processor. never: "
            "wherever the kernel puts them."),
    KEY("drain.timeout", SL_CONF_DURATION, drain_timeout_ns, "60s", .min = 0, .max = 86400 * S,
        .help = "How long SIGTERM lets accepted calls go on before they end with EXECUTOR_LOST."),
    KEY("log.level", SL_CONF_CHOICE, log_level, "info", .choices = sl_log_level_names,
        .reloadable = true, .help = "The least important lines that are logged."),
    KEY("log.format", SL_CONF_CHOICE, log_format, "text", .choices = sl_log_format_names,
        .help = "One line of text, or one JSON object, for each event."),
    {0},
};
/* clang-format on */

/* ---- checks across keys; each adds its sentence */

static bool is_node_name(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789._-";
    return name[0] != '\0' && strlen(name) <= EX_NODE_NAME_MAX &&
           name[strspn(name, allowed)] == '\0';
}

static void check_node(struct sl_conf_check *c, struct ex_conf *conf)
{
    if (conf->node[0] == '\0' && gethostname(conf->own_node, EX_NODE_NAME_MAX) == 0)
        conf->node = conf->own_node;
    if (!is_node_name(conf->node))
        sl_conf_complain(c, "node", conf->node, "is not 1 to 63 of A-Z a-z 0-9 . _ -");
}

static void check_link(struct sl_conf_check *c, struct ex_conf *conf)
{
    struct sl_link_conf link = {conf->link.control, conf->link.bulk, conf->link.security,
                                conf->link.bulk_security, conf->link.secret_key};
    sl_link_conf_check(c, &link);
    conf->link.security = link.security;
    conf->link.bulk_security = link.bulk_security;
    if (link.security == SL_LINK_CURVE && conf->link.gateway_public_key[0] == '\0')
        sl_conf_complain(c, "link.gateway_public_key", "",
                         "is missing: the link is encrypted, and the executor must know whom it "
                         "talks to");
}

static void check_program(struct sl_conf_check *c, struct ex_conf *conf)
{
    static const char name[] = "sluice-worker";
    if (conf->worker.program[0] == '\0') {
        const size_t room = sizeof(conf->own_program) - sizeof(name);
        const ssize_t len = readlink("/proc/self/exe", conf->own_program, room);
        char *slash = len > 0 ? strrchr(conf->own_program, '/') : NULL;
        if (slash)
            memcpy(slash + 1, name, sizeof(name));
        conf->worker.program = conf->own_program;
    }
    if (access(conf->worker.program, X_OK) != 0)
        sl_conf_complain(c, "worker.program", conf->worker.program,
                         "is not a program that can be run");
}

static void check_ring(struct sl_conf_check *c, const struct ex_conf *conf)
{
    char value[32];
    snprintf(value, sizeof(value), "%llu", (unsigned long long)conf->worker.ring_bytes);
    if (!ex_ring_is_data_bytes(conf->worker.ring_bytes))
        sl_conf_complain(c, "worker.ring", value, "is not a power of two");
}

sl_status ex_conf_load(const char *path, struct ex_conf *out, struct sl_buf *errors,
                       struct sl_conf **out_owner)
{
    memset(out, 0, sizeof(*out));
    const sl_status st = sl_conf_load(path, ex_conf_table, out, errors, out_owner);
    if (st != SL_OK)
        return st;
    struct sl_conf_check c = {path, *out_owner, errors, true};
    check_link(&c, out);
    check_node(&c, out);
    check_program(&c, out);
    check_ring(&c, out);
    if (out->worker.loading == 0)
        out->worker.loading = ex_slice_cpu_processors();
    if (c.ok)
        return SL_OK;
    sl_conf_destroy(*out_owner);
    return SL_EINVAL;
}
