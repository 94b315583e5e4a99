/* worker_rig.h - a real sluice-worker in a test: the supervisor's side in its smallest form.
 *
 * Every wait has an end (RIG_WAIT_MS) and fails the test when it comes.
 */
#ifndef WORKER_RIG_H
#define WORKER_RIG_H

#include <stdbool.h>
#include <sys/types.h>

#include "ex_channel.h"
#include "ex_record.h"

enum { RIG_WAIT_MS = 20000, RIG_RING_BYTES = 256 << 10 };

struct rig {
    struct ex_channel channel;
    pid_t pid; /* 0: gone */
    char dir[64];
    uint64_t last_seq;
    struct ex_record_scratch *scratch;
    struct ex_ring_record record; /* of the last result */
};

/* A model directory with this model.yaml, the rings, and a worker on it with more arguments
 * (NULL-terminated; NULL: none), which says its first message. */
void rig_start(struct rig *r, const char *yaml, const char *const *arguments,
               struct ex_worker_message *first);
/* The same, and the first message is LOADED. */
void rig_start_loaded(struct rig *r, const char *yaml);
/* Closes the control socket, checks that the worker then ends with 0, removes everything. */
void rig_finish(struct rig *r);

/* One job of one input, its bytes in the ring; its sequence. Visible with rig_publish. */
uint64_t rig_put(struct rig *r, const void *bytes, size_t len, const struct ex_param *params,
                 size_t param_count);
/* A whole job; inputs of segments must have been passed. bytes of inputs in the ring: as given. */
uint64_t rig_put_job(struct rig *r, struct ex_job *job, struct ex_record_tensor *inputs,
                     const struct sl_span *bytes);
void rig_publish(struct rig *r);

/* The next result, decoded; its record is released with the next call. False: the worker died
 * before it came. */
bool rig_next(struct rig *r, struct ex_result *out);
/* Bytes of an output in the record. */
struct sl_span rig_output(const struct rig *r, const struct ex_record_tensor *output);
/* The next control message. */
void rig_message(struct rig *r, struct ex_worker_message *out);
/* Waits for the worker's end; its wait status. */
int rig_wait_end(struct rig *r);

#endif
