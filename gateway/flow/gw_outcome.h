/* gw_outcome.h - how a call ended, in a form that outlives it: its error, or its reply's message in memory or in a file.
 *
 * A small message is copied, once, so that what a node lent goes back with the first reply. A large one is shown from where
 * it lies, by all who joined the call; what is written to disk leaves memory as soon as no reply shows it
 * any more, and is read into memory, as an outcome of its own, for each who asks again.
 *
 * Threads  The flow's; its writer reads the message on another one.
 * Memory   Counted by reference: who makes one has one. Messages that are shown count in the room for results, once.
 */
#ifndef GW_OUTCOME_H
#define GW_OUTCOME_H

#include "gw_call.h"

struct gw_outcome {
    unsigned references;
    unsigned shown; /* by replies that have not left, and by its writer */
    char call_id[SL_UUID_TEXT_LEN + 1];
    char node[64];
    char fetch_token[2 * GW_IDEM_TOKEN_BYTES + 1]; /* "": none */
    bool was_started;
    sl_gpu_us charged_us;
    int64_t queue_us, exec_us;
    struct sl_error *error; /* NULL: it went well */
    int64_t retry_after_ms;
    const struct sl_span *pieces; /* NULL: they are on disk alone */
    size_t piece_count;
    uint64_t message_bytes;
    uint64_t payload_bytes; /* of them tensors */
    uint64_t room_bytes;    /* of the room for results */
    struct sl_arena arena;
    void (*release)(void *ctx); /* what the pieces lie in; NULL: the arena */
    void *release_ctx;
    struct gw_spool_file *file;     /* NULL: none */
    gw_idem_id entry;               /* for which it was written there */
    struct gw_outcome *prev, *next; /* gw_flow.outcomes */
};

/* NULL: no memory. */
struct gw_outcome *gw_outcome_create(struct gw_flow *f, size_t arena_bytes);
struct gw_outcome *gw_outcome_of_error(struct gw_flow *f, const struct gw_reply *r);
struct gw_outcome *gw_outcome_copy(struct gw_flow *f, const struct gw_reply *r);
/* It owns what the reply's pieces lie in from now on, and so much of the room for results; heads lie in its arena. */
void gw_outcome_take(struct gw_outcome *o, struct gw_exchange *x, uint64_t room_bytes);
void gw_outcome_release(struct gw_flow *f, struct gw_outcome *o); /* NULL is fine */
/* The flow ends: all there are. */
void gw_outcome_release_all(struct gw_flow *f);

/* The reply shows the message: until gw_outcome_hide it stays as it is, in memory. false: there is no room, and *err
 * says so. */
SL_MUST_CHECK bool gw_outcome_show(struct gw_flow *f, struct gw_outcome *o, struct gw_exchange *x,
                                   struct sl_error *err);
/* The reply has left; one that shows none is fine. */
void gw_outcome_hide(struct gw_flow *f, struct gw_exchange *x);
/* Adds the trailers of its times. */
void gw_outcome_tell_times(const struct gw_outcome *o, struct gw_exchange *x);

bool gw_outcome_is_on_disk(const struct gw_outcome *o);
/* Writes it to disk for that entry, which loses it when that fails. Errors: as gw_results_port's spool. */
SL_MUST_CHECK sl_status gw_outcome_spool(struct gw_flow *f, struct gw_outcome *o, gw_idem_id entry);

/* For whom an outcome is read from disk. */
struct gw_reader {
    /* read: NULL when it could not be; borrowed. The reader may be gone. */
    void (*on_read)(struct gw_flow *f, uint64_t id, struct gw_outcome *read);
    uint64_t id;
};
/* false: it is not read, and *err says why. */
SL_MUST_CHECK bool gw_outcome_fetch(struct gw_flow *f, struct gw_outcome *o,
                                    struct gw_reader reader, struct sl_error *err);

#endif
