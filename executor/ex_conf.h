/* ex_conf.h - the executor's configuration: one struct, read by one table, with the checks that go
 * across keys. */
#ifndef EX_CONF_H
#define EX_CONF_H

#include "sl_conf.h"
#include "sl_link_conf.h"
#include "sl_log.h"

enum { EX_NODE_NAME_MAX = 63 };

/* Where calls are served that the gateway wants on one processor. */
enum ex_placement { EX_PLACEMENT_NEVER, EX_PLACEMENT_TOGETHER };

struct ex_conf {
    const char *node; /* never "" after ex_conf_load */
    const char *models;
    const char *state; /* "": nothing outlives the process */
    struct {
        const char *control;
        const char *bulk;
        int security, bulk_security; /* enum sl_link_security, not AUTO after ex_conf_load */
        const char *secret_key;      /* files; "" without CURVE */
        const char *gateway_public_key;
        uint64_t shared_memory_bytes;
    } link;
    struct {
        int64_t cpu;
        int64_t per_device;
        int64_t cpu_threads;
        uint64_t memory_bytes;
    } slices;
    struct {
        const char *program; /* never "" after ex_conf_load */
        uint64_t ring_bytes;
        int64_t load_timeout_ns;
        int64_t loading; /* never 0 after ex_conf_load */
        int64_t hello_wait_ns;
        int64_t wide_idle_ns;
        int64_t watch_ns;
    } worker;
    struct {
        int64_t cancel_grace_ns;
        int64_t receive_timeout_ns;
        int64_t backlog;
        int64_t unacknowledged_max;
    } lease;
    struct {
        int64_t jobs;
        uint64_t payload_bytes;
        uint64_t payload_total_bytes;
    } limits;
    int placement; /* enum ex_placement */
    int64_t drain_timeout_ns;
    int log_level;  /* enum sl_log_level */
    int log_format; /* enum sl_log_format */

    /* What takes the place of an empty node and program. */
    char own_node[EX_NODE_NAME_MAX + 1];
    char own_program[4096];
};

extern const struct sl_conf_key ex_conf_table[];

/* Reads path and checks it; sentences of all errors go to errors. *out must stay where it is. */
SL_MUST_CHECK sl_status ex_conf_load(const char *path, struct ex_conf *out, struct sl_buf *errors,
                                     struct sl_conf **out_owner);

#endif
