/* gw_call.h - one ModelInfer call, and the insides of the flow that gw_call*.c, gw_flow.c and
 * gw_methods.c share.
 *
 * Memory   A call lives in the flow's slot table from its OPEN to its SENT, and on until it owes nothing. What belongs to it
 *          (peek, plan, texts, reply head) lies in its exchange's arena; its message and converted
 *          contents are bodies that are counted by reference.
 */
#ifndef GW_CALL_H
#define GW_CALL_H

#include "gw_day.h"
#include "gw_eta.h"
#include "gw_flow.h"
#include "gw_idem.h"
#include "gw_inquiry.h"
#include "gw_learned.h"
#include "gw_ledger.h"
#include "gw_lines.h"
#include "gw_marks.h"
#include "gw_names.h"
#include "gw_room.h"
#include "gw_sched.h"
#include "gw_timers.h"
#include "sl_rng.h"
#include "sl_text.h"

struct gw_outcome;
struct gw_watch;

/* Of a call's place, what was told of it last. */
struct gw_call_told {
    size_t before, own_before;
    size_t nearest;         /* the least `before` that was told */
    size_t most_slices;     /* that there were */
    uint64_t requeued;      /* gw_flow.requeued then */
    const char *delayed_by; /* since it was nearest; NULL: nothing was told yet */
};

/* An estimate that is held against what comes of it. */
struct gw_call_probe {
    int64_t estimated_us; /* 0: none */
    struct gw_eta eta;    /* as it was told */
};

struct gw_call {
    sl_slot_id id;
    enum gw_call_state state;
    struct gw_exchange *exchange;
    char call_id[SL_UUID_TEXT_LEN + 1];
    struct gw_name name;      /* gw_flow.names */
    struct gw_watch *watches; /* oldest first */
    struct gw_call_told told;
    struct gw_call_probe probe;
    struct gw_principal who; /* once it is known */
    bool is_known;
    struct gw_asks asks;
    struct gw_peek peek;
    struct gw_plan plan;
    struct gw_fleet_model *model; /* held from its plan to its end */
    struct gw_body *message;
    struct gw_body *converted;
    uint64_t reserved_bytes;  /* of the room for messages */
    uint64_t room_connection; /* whose share of it; 0: a small message, nobody's */
    uint64_t result_bytes;    /* of the room for results */
    int64_t limit_us;
    size_t size;     /* index in the table; 0 until it is known */
    gw_hold_id hold; /* 0: not admitted, or settled */
    sl_gpu_us held_us;
    sl_gpu_us used_us, quota_us; /* of the purse that was used up most, before this call */
    uint32_t factor_thousandths;
    sl_wall_us started_wall; /* 0: it has not started */
    struct gw_usage usage;   /* as its end had it */
    sl_gpu_us charged_us;
    struct gw_settlement settled;
    sl_wall_us ended_wall;
    uint64_t lease_journal, lease_record; /* of the lease that was used; 0: none */
    bool awaits_store;                    /* its receipt is on its way, and its reply waits */
    bool awaits_room;                     /* its receipt found no room yet */
    bool owes;                            /* it has ended, and its slice is not free yet */
    bool is_sent;                         /* its exchange is gone */
    sl_mono_ns wait_until;
    sl_mono_ns queued_at, started_at;
    uint64_t arrival;
    struct gw_queue_item queue_item;
    struct gw_call *line_prev, *line_next; /* gw_line.waiting, while it is QUEUED */
    struct gw_timer timer; /* the earliest instant at which this call must be looked at */
    struct gw_call *room_prev,
        *room_next; /* gw_flow.identity_waiting, room_waiting, model_waiting, store_waiting,
                       receipts_waiting; or gw_call.joined */
    bool waits_for_identity;
    bool has_length; /* LENGTH came while it waited for that */
    bool waits_for_room;
    bool
        is_unclaimed; /* its caller is gone, and it goes on as it asked to, or for those who joined it */
    bool waits_for_model;
    bool waits_for_digest;
    bool outlives_deadline;
    gw_idem_id entry; /* it can be asked for again; 0: it cannot */
    bool is_concluded;
    bool is_background; /* pays nothing, and gives way */
    char fetch_token[2 * GW_IDEM_TOKEN_BYTES + 1];
    struct gw_outcome *outcome; /* until it is concluded */
    bool awaits_read;           /* of what was kept, from disk */
    struct gw_call *joined;     /* that wait for its outcome */
    unsigned joined_count;
    sl_slot_id first;    /* the call that it joined; 0: none */
    sl_slot_id lease;    /* 0: none */
    char node[64];       /* where it was sent last */
    bool is_called_back; /* from there: its node is drained */
    unsigned returns;    /* how often a node gave it back by itself */
};

/* The executor may forget the lease when so many receipts are stored. */
struct gw_pending_ack {
    uint64_t after;
    uint64_t session;
    uint64_t record;
};

/* Of a receipt that no call waits for; no call has this id. */
#define GW_TICKET_ORPHAN UINT64_MAX

/* gw_watch.h */
struct gw_watches {
    struct sl_slot_table *table;
    struct gw_timers timers;
    struct sl_arena scratch; /* of a message while it is made */
};

/* gw_call_eta.h */
struct gw_flow_eta {
    struct gw_eta_errors *errors;
    struct gw_eta_slices slices; /* of that model and size, at that time */
    sl_slot_id model;
    const struct gw_size *size;
    sl_mono_ns looked_at;
    uint64_t changes; /* of the fleet, then */
    size_t parts;     /* of which each of the slices is made */
    sl_mono_ns next_probe_at;
};

struct gw_flow {
    const struct sl_alloc *alloc;
    struct gw_flow_conf conf;
    struct gw_flow_metrics metrics;
    struct gw_ports ports;
    struct gw_fleet *fleet;
    struct gw_marks *marks;     /* which leases are accounted for */
    struct gw_learned *learned; /* of models that were not announced since the start */
    struct gw_ledger *ledger;
    struct gw_idem *idem;        /* calls that can be asked for again */
    struct gw_outcome *outcomes; /* all that there are in memory */
    sl_mono_ns turn_at;          /* of the last turn, or of an exchange's event after it */
    struct gw_blocks *blocks;    /* whom the ledger blocks, and why */
    struct gw_drains *drains;    /* nodes where nothing is placed */
    struct gw_line lines[GW_LINES];
    struct gw_day today;
    char sign_in_url[GW_FLOW_URL_MAX + 1];
    sl_wall_us wall_now;           /* of this turn */
    struct gw_call *store_waiting; /* ENDED calls whose reply waits for the store, oldest first */
    struct gw_call *receipts_waiting; /* ENDED calls whose receipt found no room, oldest first */
    uint64_t receipts_made, receipts_stored;
    size_t owing;                /* ended calls whose slices are not free yet */
    bool receipts_lost;          /* the store gave one up: it will not take others either */
    struct gw_pending_ack *acks; /* a ring */
    size_t ack_first, ack_count, ack_max;
    struct sl_slot_table *calls;
    struct gw_names names; /* of the calls */
    struct gw_watches watches;
    struct gw_flow_eta eta;
    uint64_t requeued; /* calls that came back from a node, ever */
    struct gw_call_counts counts;
    struct gw_sched sched;
    sl_mono_ns give_way_at; /* when somebody may have waited too long for those; SL_MONO_NEVER */
    uint64_t give_way_round;
    struct gw_timers timers;
    struct gw_inquiries inquiries; /* other methods than ModelInfer */
    struct gw_call
        *identity_waiting; /* RECEIVING calls whose issuers' keys are being fetched, oldest first */
    struct gw_call
        *room_waiting; /* RECEIVING calls whose message found no room yet, oldest first */
    struct gw_call
        *model_waiting;    /* RECEIVING calls for a model that may still come, oldest first */
    struct gw_room room;   /* for messages */
    bool has_new_room;     /* since those who wait for some were looked at */
    uint64_t result_bytes; /* of results that have not left, or are on their way from nodes */
    uint64_t next_arrival;
    uint64_t opened; /* calls, ever */
    uint32_t cpu_hint;
    uint64_t exchanges; /* open, small methods included */
    uint64_t ended[SL_REASON_COUNT];
    struct sl_rng rng;
    bool is_draining;
    bool refuses_new;
    bool is_stuck; /* nothing has changed since the last attempt to place a call */
};

/* ---- gw_call_open.c: its headers are in */
void gw_call_open(struct gw_flow *f, struct gw_exchange *x, sl_mono_ns now);
/* There is news about whom it may be from. */
void gw_call_identify(struct gw_flow *f, struct gw_call *c, sl_mono_ns now);

/* ---- gw_call_enter.c: its message, until it stands in the queue */
void gw_call_on_length(struct gw_flow *f, struct gw_call *c, sl_mono_ns now);
void gw_call_on_message(struct gw_flow *f, struct gw_call *c, sl_mono_ns now);
/* All of its message is here, and who it is from is known. */
void gw_call_peek_and_enter(struct gw_flow *f, struct gw_call *c, sl_mono_ns now);
/* It is new, and all of its message is here. */
void gw_call_enter(struct gw_flow *f, struct gw_call *c, sl_mono_ns now);
/* There may be room for messages that wait for some. */
void gw_call_grant_waiting(struct gw_flow *f);
/* A node has brought models. */
void gw_call_enter_waiting(struct gw_flow *f, sl_mono_ns now);
/* Adds when it may be worth to try again. */
void gw_call_tell_retry(struct gw_call *c);

/* ---- gw_call_run.c: at its executor */
void gw_call_dispatch(struct gw_flow *f, struct gw_call *c, struct gw_fleet_slice *slice,
                      sl_mono_ns now);
void gw_call_on_started(struct gw_flow *f, struct gw_call *c, sl_mono_ns now);
void gw_call_on_result(struct gw_flow *f, struct gw_call *c, const struct gw_result *result,
                       sl_mono_ns now);
/* Its lease is over; used_us of the slice, 0: it never began. */
void gw_call_end_lease(struct gw_flow *f, struct gw_fleet_lease *lease, int64_t used_us,
                       bool teaches, sl_mono_ns now);
/* Its node gave it back or is gone: to its old place in the queue, or to its end. */
void gw_call_on_unplaced(struct gw_flow *f, struct gw_call *c, sl_mono_ns now);

/* ---- gw_call_end.c */
/* Ends it with an error; a lease that is out is recalled. */
void gw_call_fail(struct gw_flow *f, struct gw_call *c, const struct sl_error *err);
/* The same with a plain sentence. */
void gw_call_fail_with(struct gw_flow *f, struct gw_call *c, enum sl_reason reason,
                       const char *text);
/* Ends it with the reply that it has. */
void gw_call_succeed(struct gw_flow *f, struct gw_call *c);
/* What was waited for is there: its exchange gets the reply. */
void gw_call_reply(struct gw_flow *f, struct gw_call *c);
void gw_call_on_sent(struct gw_flow *f, struct gw_call *c);
/* The lease of a call that owes is over; held_us is 0 when nobody knows it. */
void gw_call_on_late_end(struct gw_flow *f, struct gw_call *c, bool was_started, int64_t held_us);
/* Its place is free when nobody has to do with it any more. */
void gw_call_let_go(struct gw_flow *f, struct gw_call *c);
/* Gives back its message, and the room that its result has. */
void gw_call_drop_message(struct gw_flow *f, struct gw_call *c);
void gw_call_free_result(struct gw_flow *f, struct gw_call *c);

/* ---- gw_call.c: in any state */
/* In seconds when they are whole: "60s". */
void gw_call_format_wait(int64_t ns, char out[32]);
struct gw_call *gw_call_find(struct gw_flow *f, uint64_t id);
int64_t gw_call_queue_us(const struct gw_call *c); /* 0: it has not started */
void gw_call_set_state(struct gw_flow *f, struct gw_call *c, enum gw_call_state to);
/* Sets its timer to the earliest instant at which it must be looked at in its state. false: no
 * memory for that. */
SL_MUST_CHECK bool gw_call_arm(struct gw_flow *f, struct gw_call *c);
void gw_call_on_timer(struct gw_flow *f, struct gw_call *c, sl_mono_ns now);
void gw_call_on_gone(struct gw_flow *f, struct gw_call *c);
/* Does it go on when its connection is lost? Who sends a key means to come back. */
bool gw_call_outlives_connection(const struct gw_call *c);
/* Each leaves one list; nothing happens when it is not in it. */
void gw_call_stop_waiting_for_identity(struct gw_flow *f, struct gw_call *c);
void gw_call_stop_waiting_for_room(struct gw_flow *f, struct gw_call *c);
void gw_call_stop_waiting_for_model(struct gw_flow *f, struct gw_call *c);

/* ---- gw_flow.c: the room for results. false: there is not so much. */
bool gw_flow_take_result(struct gw_flow *f, uint64_t bytes);
void gw_flow_give_result(struct gw_flow *f, uint64_t bytes);

/* ---- gw_money.c */
/* Of the slice that it wants. */
const struct gw_size *gw_money_size(const struct gw_flow *f, const struct gw_call *c);
/* Puts aside what an admitted call may use. false: refused, with the sentence. */
bool gw_money_hold(struct gw_flow *f, struct gw_call *c, struct sl_error *err);
/* It began on a slice so long ago. */
void gw_money_start(struct gw_flow *f, struct gw_call *c, int64_t ago_us);
/* It ended as c->usage says: closes its hold; one without a hold costs nothing. */
void gw_money_settle(struct gw_flow *f, struct gw_call *c);
/* It ends while its lease is out: gw_money_pay when that is over. */
void gw_money_owe(struct gw_flow *f, struct gw_call *c);
void gw_money_pay(struct gw_flow *f, struct gw_call *c, bool was_started, int64_t held_us);
/* Adds the trailers about it, of a call whose caller is known. */
void gw_money_tell(struct gw_flow *f, struct gw_call *c);

/* ---- gw_money_log.c: the line that tells what a call cost */
void gw_money_log(struct gw_flow *f, const struct gw_call *c);

/* ---- gw_background.c: calls over quota, in a tier that lets them run while nobody else wants the slice */
/* May a call that was refused so be let in as one of them? */
bool gw_background_takes(const struct gw_flow *f, const struct gw_call *c,
                         const struct gw_hold_refusal *refusal);
/* Nothing else can start: they may. */
void gw_background_place(struct gw_flow *f, sl_mono_ns now);
/* The end of a turn: those for whom others have waited too long are ended. */
void gw_background_turn(struct gw_flow *f, sl_mono_ns now);

/* ---- gw_receipts.c */
bool gw_receipts_may_admit(struct gw_flow *f, struct sl_error *err);
/* Of a call that has been settled. */
void gw_receipts_leave(struct gw_flow *f, struct gw_call *c);
/* Must its reply wait for that? It comes by itself then. */
bool gw_receipts_hold_reply(const struct gw_flow *f, const struct gw_call *c);
/* Of a lease that no call owns. false: not now. */
SL_MUST_CHECK bool gw_receipts_leave_orphan(struct gw_flow *f, const struct gw_fleet_node *node,
                                            uint64_t journal, const struct gw_ended *ended);
/* The node may forget the lease, once the receipts made until now are stored. */
void gw_receipts_acknowledge(struct gw_flow *f, const struct gw_fleet_node *node, uint64_t record);
/* The end of a turn. */
void gw_receipts_turn(struct gw_flow *f);

/* ---- gw_learning.c */
/* How long it took teaches its model. */
void gw_learning_on_result(struct gw_flow *f, struct gw_call *c, const struct gw_result *result,
                           sl_mono_ns now);
/* A node has come with models of which something may be known from before the start. */
void gw_learning_take_up(struct gw_flow *f, const struct gw_fleet_node *node);

/* ---- gw_leases.c */
/* After its call has been answered. has_owner: the lease is one that this gateway had given. */
void gw_leases_on_result(struct gw_flow *f, const struct gw_fleet_node *node,
                         const struct gw_result *result, bool has_owner);

/* ---- gw_methods.c: all methods but ModelInfer */
void gw_methods_answer(struct gw_flow *f, struct gw_exchange *x, sl_mono_ns now);
/* Who asks is known, may ask, and his form is filled in. */
void gw_methods_serve(struct gw_flow *f, struct gw_inquiry *q);
void gw_services_serve(struct gw_flow *f, struct gw_inquiry *q); /* sluice.v1's, about money */
/* A message without data: there was no memory for it. */
void gw_exchange_answer(struct gw_flow *f, struct gw_exchange *x, struct sl_span message);
enum gw_identity_answer gw_exchange_identify(struct gw_flow *f, const struct gw_exchange *x,
                                             struct gw_principal *out, struct sl_error *err);
void gw_exchange_refuse(struct gw_flow *f, struct gw_exchange *x, const struct sl_error *err);
/* value NULL: none for want of memory, or of room for more of them. */
void gw_exchange_add_trailer(struct gw_exchange *x, const char *name, const char *value);
const char *gw_exchange_ms_text(struct gw_exchange *x, int64_t us);
/* Adds sluice-call-id to the reply of an exchange that is no call. */
void gw_exchange_tell_name(struct gw_flow *f, struct gw_exchange *x);

#endif
