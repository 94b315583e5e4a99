/* gw_fakes.h - the flow's world in a test: visitors that count their replies, nodes that note what
 * they are sent, a clock that stands still until it is moved. The wire is the real one.
 *
 *   struct fake_world w;
 *   fake_world_init(&w, &sl_alloc_malloc);       w.conf may be changed here
 *   fake_world_start(&w);
 *   struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
 *   struct fake_exchange *e = fake_call(&w, body);    OPEN and MESSAGE, then a turn
 *   fake_started(&w, n, w.sent[0].lease);  fake_result(...);
 *   ... look at e->x.reply ...
 *   fake_world_finish(&w);                       SENT for all that were replied to; NULL, or what
 *                                                is wrong
 *
 * Memory   The flow and the exchanges' arenas allocate from the allocator given; the fakes
 *          themselves from malloc, and abort without memory.
 */
#ifndef GW_FAKES_H
#define GW_FAKES_H

#include "gw_flow.h"
#include "open_door.h"

enum { FAKE_SENT_MAX = 256, FAKE_ARENA_MAX = 1 << 20, FAKE_ERRANDS_MAX = 32 };
enum { FAKE_WIDE = 100 }; /* a slice's number */

struct fake_exchange {
    struct gw_exchange x;
    unsigned grants, replies, heads;
    unsigned updates;                  /* that were read */
    struct gw_body *update;            /* the last of them; NULL: none was */
    bool reads_slowly;                 /* only by fake_read */
    struct fake_exchange *prev, *next; /* fake_world.open */
};

/* A dispatch as a node got it. */
struct fake_sent {
    sl_slot_id lease;
    char node[64];
    uint32_t slice;
    int64_t limit_us;
    uint32_t cpu_hint;
    char call_id[40];
    uint64_t payload_bytes;
    uint8_t payload[64]; /* its beginning */
};

/* What was asked of another thread, and not answered yet. */
struct fake_errand {
    enum { FAKE_DIGEST, FAKE_SPOOL, FAKE_FETCH } kind;
    uint64_t ticket;
    void *user;
    struct gw_spool_file *file;
    uint8_t digest[GW_IDEM_DIGEST_BYTES];
};

/* What was appended to the store. */
struct fake_entry {
    enum gw_record_kind kind;
    uint64_t ticket;
    size_t len;
    uint8_t bytes[512];
};

struct fake_world {
    const struct sl_alloc *alloc;
    struct gw_flow_conf conf;
    struct gw_flow_metrics metrics;
    struct gw_flow *flow;
    sl_mono_ns now;
    struct fake_exchange *open;
    struct open_door door;            /* the caller's tokens and apps */
    const struct gw_link_port *link;  /* NULL: the fake nodes below */
    enum gw_identity_answer identity; /* of who calls: KNOWN as who, or as open_door.h has it */
    const struct gw_principal *who;
    struct sl_error identity_error; /* when REFUSED */
    unsigned identity_count;        /* how often it was asked for */
    sl_status dispatch_answer;      /* of the nodes; SL_OK: taken */
    const char *answering_node;     /* that node alone answers so; NULL: all of them */
    struct fake_sent sent[FAKE_SENT_MAX];
    size_t sent_count; /* taken ones */
    size_t refused_count;
    sl_slot_id cancels[FAKE_SENT_MAX];
    size_t cancel_count;
    sl_slot_id called_back[FAKE_SENT_MAX];
    size_t called_back_count;
    uint64_t journal, record; /* of the next node that joins, and of the next result; 0: none */
    uint64_t acks[FAKE_SENT_MAX];
    size_t ack_count;
    bool has_store;
    bool store_refuses;      /* new work */
    bool store_is_passed_by; /* nobody waits for it */
    sl_status append_answer; /* SL_OK: taken */
    struct fake_entry entries[FAKE_SENT_MAX];
    size_t entry_count, answered_count;
    struct gw_store_question question; /* the last one */
    uint64_t question_ticket;
    sl_status ask_answer; /* SL_OK: taken */
    bool digests_later;
    bool has_disk;
    sl_status disk_answer; /* of writing and reading; SL_OK: done */
    size_t file_count;     /* that are not dropped */
    size_t file_max;       /* 0: no limit */
    struct fake_errand errands[FAKE_ERRANDS_MAX];
    size_t errand_count;
    unsigned releases; /* of payloads that were handed over */
    uint64_t sessions;
    const char *version;  /* of the models that nodes announce; "1" */
    const char *duration; /* likewise; NULL: 60 s */
    const char *size;     /* likewise; NULL: the first one */
    bool has_wide;        /* all slices of nodes that join are one, too: FAKE_WIDE */
    const struct gw_duration_port *durations;
};

void fake_world_init(struct fake_world *w, const struct sl_alloc *alloc);
SL_MUST_CHECK sl_status fake_world_start(struct fake_world *w);
/* Static text; the world is freed in any case. */
const char *fake_world_finish(struct fake_world *w);

/* A node with `slices` slices and one model, FP32 [-1] "IN" to FP32 [-1] "OUT"; NULL: refused. */
struct gw_fleet_node *fake_join(struct fake_world *w, const char *name, size_t slices,
                                const char *model);

/* NULL: no memory for its arena. */
struct fake_exchange *fake_exchange(struct fake_world *w, enum gw_method method);
void fake_event(struct fake_world *w, struct fake_exchange *e, unsigned events);
/* Takes the body's reference over to the flow, as the net side does. */
void fake_message(struct fake_world *w, struct fake_exchange *e, struct gw_body *give_body);
/* Takes the update that waits, if there is one. */
void fake_read(struct fake_exchange *e);
struct fake_exchange *fake_call(struct fake_world *w, struct gw_body *give_body);
/* The reply has left: its payload is released, the exchange is gone. It must have been replied
 * to. */
void fake_leave(struct fake_world *w, struct fake_exchange *e);

/* The store answers the last question. */
void fake_answer(struct fake_world *w, const struct gw_store_answer *a);
/* The store answers for the oldest entries that it has not answered for. */
void fake_stored(struct fake_world *w, size_t count, sl_status outcome);

/* Answers for all that was asked of another thread. */
void fake_errands(struct fake_world *w);

void fake_turn(struct fake_world *w);
void fake_advance(struct fake_world *w, int64_t ns); /* and a turn */

void fake_started(struct fake_world *w, struct gw_fleet_node *n, sl_slot_id lease);
void fake_returned(struct fake_world *w, struct gw_fleet_node *n, sl_slot_id lease);
/* A good result whose OUT is {1, 2, 3, 4}; by_reference: handed over, with a release. */
void fake_result(struct fake_world *w, struct gw_fleet_node *n, sl_slot_id lease,
                 bool by_reference);
void fake_failure(struct fake_world *w, struct gw_fleet_node *n, sl_slot_id lease, bool was_started,
                  enum sl_reason reason, const char *text);

#endif
