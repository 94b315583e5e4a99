/* conf_sample.c - the table of the sample configuration. */
#include "conf_sample.h"

#include "sl_time.h"

#define AT(type, field) offsetof(struct type, field)

static const char *const levels[] = {"debug", "info", "warn", NULL};
static const char *const datatypes[] = {"FP32", "INT64", NULL};

static const struct sl_conf_key tier_table[] = {
    {"daily", SL_CONF_DURATION, AT(sample_tier, daily_ns), .help = "GPU time of a day."},
    {"weight", SL_CONF_INT, AT(sample_tier, weight), "1", 1, 100, .help = "Share of the queue."},
    {0},
};

static const struct sl_conf_key dimension_table[] = {
    {"", SL_CONF_INT, 0, .min = -1, .max = INT64_MAX, .help = "A dimension, -1: free."},
    {0},
};

static const struct sl_conf_key input_table[] = {
    {"name", SL_CONF_STRING, AT(sample_input, name), .max = 16, .help = "The input's name."},
    {"type.data", SL_CONF_CHOICE, AT(sample_input, datatype), "FP32", .choices = datatypes,
     .help = "The datatype."},
    {"type.shape", SL_CONF_LIST, AT(sample_input, shape), "[-1, 4]", .max = 4,
     .items = dimension_table, .item_bytes = sizeof(int64_t), .help = "The shape."},
    {0},
};

static const struct sl_conf_key host_table[] = {
    {"", SL_CONF_STRING, 0, .max = 8},
    {0},
};

static const struct sl_conf_key limit_table[] = {
    {"", SL_CONF_INT, AT(sample_limit, value), .max = 10, .help = "The limit."},
    {0},
};

/* The keys of listen stand apart from each other on purpose. */
const struct sl_conf_key sample_table[] = {
    {"listen.grpc", SL_CONF_STRING, AT(sample, grpc), "127.0.0.1:8001",
     .help = "Where gRPC | HTTP/2 is served."},
    {"queue.max_calls", SL_CONF_INT, AT(sample, max_calls), "1000", 1, 65536,
     .help = "Most calls that wait.", .reloadable = true},
    {"listen.tls.use", SL_CONF_BOOL, AT(sample, is_tls), "false", .help = "Serve TLS."},
    {"listen.http", SL_CONF_STRING, AT(sample, http), "", .help = "Where HTTP is served."},
    {"timeout", SL_CONF_DURATION, AT(sample, timeout_ns), "60s", SL_NS_PER_MS, 3600 * SL_NS_PER_S,
     .help = "A duration."},
    {"memory", SL_CONF_BYTES, AT(sample, memory_bytes), "64MiB", .min = 4096, .help = "A size."},
    {"log.level", SL_CONF_CHOICE, AT(sample, level), "info", .choices = levels,
     .help = "Least level.", .reloadable = true},
    {"cache", SL_CONF_BYTES, AT(sample, cache_bytes), "0B", .help = "A size from nothing on."},
    {"hosts", SL_CONF_LIST, AT(sample, hosts), "[a, 'b c']", .max = 3, .items = host_table,
     .item_bytes = sizeof(const char *), .help = "Names of hosts."},
    {"tiers", SL_CONF_MAP, AT(sample, tiers), .max = 4, .items = tier_table,
     .item_bytes = sizeof(struct sample_tier), .help = "Tiers by name."},
    {"inputs", SL_CONF_LIST, AT(sample, inputs), .max = 8, .items = input_table,
     .item_bytes = sizeof(struct sample_input), .help = "Inputs."},
    {"limits", SL_CONF_MAP, AT(sample, limits), .items = limit_table,
     .item_bytes = sizeof(struct sample_limit)},
    {0},
};
