/* conf_sample.h - a configuration with a key of every type, for the tests of sl_conf. */
#ifndef CONF_SAMPLE_H
#define CONF_SAMPLE_H

#include "sl_conf.h"

struct sample_tier {
    const char *key;
    int64_t daily_ns;
    int64_t weight;
};

struct sample_input {
    const char *name;
    int datatype;
    struct sl_conf_seq shape; /* of int64_t */
};

struct sample {
    const char *grpc;
    bool is_tls;
    const char *http;
    int64_t max_calls;
    int64_t timeout_ns;
    uint64_t memory_bytes;
    int level;
    uint64_t cache_bytes;
    struct sl_conf_seq hosts;  /* of const char * */
    struct sl_conf_seq tiers;  /* of struct sample_tier */
    struct sl_conf_seq inputs; /* of struct sample_input */
    struct sl_conf_seq limits; /* of struct sample_limit */
};

struct sample_limit {
    const char *key;
    int64_t value;
};

enum { SAMPLE_DEBUG, SAMPLE_INFO, SAMPLE_WARN };

extern const struct sl_conf_key sample_table[];

#endif
