/* ex_model_file_keys.h - the table of model.yaml's keys. For ex_model_file.c, and for the page that
 * the program prints of it. */
#ifndef EX_MODEL_FILE_KEYS_H
#define EX_MODEL_FILE_KEYS_H

#include "sl_conf.h"

/* A value of an engine's own section. */
union ex_model_value {
    const char *text;
    int64_t number; /* also of a duration, ns */
    uint64_t bytes;
    int choice;
    bool flag;
};

enum { EX_MODEL_VALUES_MAX = 24 };

/* What a model.yaml says, as read. */
struct ex_model_conf {
    int engine;           /* index into ex_engine_names() */
    const char *duration; /* ex_model_duration.h */
    int64_t max_duration_ns;
    const char *size;
    int64_t max_batch;
    int64_t batch_delay_ns;
    struct sl_conf_seq inputs; /* struct ex_model_tensor_conf */
    struct sl_conf_seq outputs;
    union ex_model_value values[EX_MODEL_VALUES_MAX]; /* in the order of ex_model_options */
};

struct ex_model_tensor_conf {
    const char *name;
    int dtype;                /* enum sl_dtype - 1 */
    struct sl_conf_seq shape; /* int64_t */
};

/* The whole table, and the part of it that has the engines' own sections; both end with a NULL
 * name. An option's name is ENGINE.KEY. */
const struct sl_conf_key *ex_model_keys(void);
const struct sl_conf_key *ex_model_options(void);

#endif
