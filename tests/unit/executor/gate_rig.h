/* gate_rig.h - a gateway in its smallest form, and a real sluice-executor that is connected to it.
 *
 * Sockets, configuration and models lie in a directory of their own; every wait has an end
 * (GATE_WAIT_MS) and fails the test when it comes. While the rig waits it keeps up its heartbeats,
 * unless it is told to be silent.
 */
#ifndef GATE_RIG_H
#define GATE_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sluice/node/v1/node.pb-c.h"

enum {
    GATE_WAIT_MS = 20000,
    GATE_INLINE_MAX = 32 << 10,
    GATE_WINDOW = 8 << 20,
    GATE_TOLD_MAX = 4096
};

struct gate_identity {
    uint8_t bytes[256];
    size_t len;
};

enum gate_kind { GATE_NOTHING, GATE_HELLO, GATE_STARTED, GATE_RESULT, GATE_RETURNED };

/* Something that the executor said. */
struct gate_event {
    enum gate_kind kind;
    uint64_t lease;
    char reason[64]; /* "" : success */
    char text[600];
    bool started;
    uint64_t held_us;
    uint8_t *payload; /* complete, also when it came by bulk; freed with the next event */
    size_t payload_bytes;
    size_t output_count;
    int64_t first_dim; /* of the first output */
};

struct gate {
    char dir[64];
    pid_t pid; /* 0: gone */
    int log;   /* where the executor's standard error goes */
    void *context, *control, *bulk;
    struct gate_identity control_peer, bulk_peer;
    uint64_t session;
    uint64_t bulk_sent, bulk_acked, bulk_taken;
    uint64_t heartbeat_ms, lost_after_ms;
    int64_t heartbeat_at;
    uint64_t heard_heartbeats;
    bool is_silent;
    bool is_draining; /* the executor said so */
    /* of the last hello */
    uint32_t slice_count;
    size_t model_count;
    char model_names[16][64];
    char model_problems[16][1200];
    /* events of a batch that were not handed out yet, and results whose bulk is not complete */
    struct gate_event queue[4096];
    size_t queued, taken;
    struct gate_event last;
    uint64_t started[1024]; /* leases, the newest ones */
    size_t started_count;
    uint64_t told[GATE_TOLD_MAX]; /* the same, handed out or not */
    size_t told_count;
    struct {
        uint64_t lease;
        uint64_t total;
        uint64_t got;
        uint8_t *bytes;
        bool has_result;
        struct gate_event result;
    } gathering[16];
};

struct gate_call {
    uint64_t lease;
    uint32_t slice;
    const char *model; /* one input INPUT0 of FP32 [rows, 4] */
    uint64_t limit_us; /* 0: 10 s */
    uint32_t cpu_hint; /* 1 + a processor; 0: none */
    const void *bytes;
    size_t len; /* a multiple of 16 */
    /* parameters of the fake engine; NULL or 0: not given */
    const char *run; /* "50ms" */
    bool hang;
    const char *crash;
};

/* A model of this yaml. The models are written before the executor starts. */
struct gate_model {
    const char *name;
    const char *yaml;
};
#define GATE_TENSORS                                                                               \
    "inputs:  [{name: INPUT0, datatype: FP32, shape: [-1, 4]}]\n"                                  \
    "outputs: [{name: OUTPUT0, datatype: FP32, shape: [-1, 4]}]\n"
extern const char gate_echo_yaml[]; /* identity, FP32 [-1,4] */
extern const char gate_fake_yaml[]; /* fake, the same; copies its input */

/* extra: more lines for the configuration, or "". models end with a NULL name. */
void gate_start(struct gate *g, const struct gate_model *models, const char *extra);
/* SIGTERM; checks that it ends with 0 and leaves no process; removes everything. */
void gate_finish(struct gate *g);
/* Waits for the executor's end; its wait status. */
int gate_wait_end(struct gate *g);

/* The next event; GATE_NOTHING after wait_ms without one (< 0: GATE_WAIT_MS, then the test fails). */
const struct gate_event *gate_next(struct gate *g, int wait_ms);
/* The next event must be this one of this lease. Started goes by itself: a batch does not say what of
 * it came before a result, so it is remembered and may be expected later. A result that says that its
 * lease had started counts as that, too: the executor may leave the message out. */
const struct gate_event *gate_expect(struct gate *g, enum gate_kind kind, uint64_t lease);
/* Hello, then Welcome; and it says its bulk name. */
void gate_greet(struct gate *g);

void gate_dispatch(struct gate *g, const struct gate_call *call);
/* A batch of many calls in one message: what a busy gateway does. */
void gate_dispatch_many(struct gate *g, const struct gate_call *calls, size_t count);
void gate_cancel(struct gate *g, uint64_t lease);
/* Raw bytes on the control connection, and on the bulk connection as one message of two frames. */
void gate_send_raw(struct gate *g, const void *bytes, size_t len);
void gate_send_chunk(struct gate *g, uint64_t lease, uint64_t offset, uint64_t total,
                     const void *bytes, size_t len);

/* Process ids of the executor's living workers; their number. */
size_t gate_workers(const struct gate *g, pid_t pids[], size_t room);
/* Is that process still a worker of this rig? Numbers are used again. */
bool gate_is_alive(const struct gate *g, pid_t pid);
int64_t gate_now_ms(void);

#endif
