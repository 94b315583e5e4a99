/* gw_flow.h - the owner of all calls: takes what visitors and nodes say, decides, and answers.
 *
 *   exchange events -> gw_flow_on_exchange          (gw_call: the story of one call, top to bottom)
 *   node events     -> gw_flow_on_hello .. _lost
 *   end of a turn   -> gw_flow_turn: expire, place, dispatch
 *
 * Purity   No clock, no I/O: `now` is an argument, the world is behind gw_ports. sim/ runs the
 *          same code with fake ports and a virtual clock.
 * Threads  One: the flow thread.
 * Errors   Nothing is silent: each exchange gets exactly one reply, each call ends with one reason,
 *          which is counted.
 * Limits   gw_flow_conf; each refusal names the limit, its value and what was asked.
 */
#ifndef GW_FLOW_H
#define GW_FLOW_H

#include "gw_asks.h"
#include "gw_call_state.h"
#include "gw_eta.h"
#include "gw_ports.h"
#include "gw_receipt.h"
#include "gw_refusal.h"
#include "gw_sched.h"
#include "sl_metric.h"

enum { GW_FLOW_URL_MAX = 255 };

/* What came of an estimate of a wait. */
enum gw_eta_outcome { GW_ETA_WITHIN_P50, GW_ETA_WITHIN_P90, GW_ETA_LATER, GW_ETA_OUTCOMES };

/* What is kept for those who ask again. */
struct gw_results_conf {
    size_t max_entries; /* calls that can be asked for, running ones included */
    int64_t keep_ns;
    struct gw_idem_limits in_memory, on_disk;
};

struct gw_flow_conf {
    const char *version;
    const struct gw_tiers *tiers; /* changed in place, between turns */
    size_t max_accounts;
    bool logs_calls; /* a line for each that held something */
    const char *
        sign_in_url; /* told to those who have used up an address' time; copied; NULL or "": none */
    size_t max_calls;                        /* in all states */
    size_t max_watches, max_visitor_watches; /* open WatchCalls, in all and of one account */
    struct gw_sched_limits queue;
    uint64_t max_message_bytes;         /* of one request */
    uint64_t max_body_bytes;            /* of all requests together */
    uint64_t max_connection_body_bytes; /* of one connection's large ones; 0: all of them */
    uint64_t max_result_bytes;          /* of all results that have not left; 0: no limit */
    int64_t body_wait_ns;               /* how long a large message waits for room */
    struct gw_ask_limits asks;
    struct gw_results_conf results;
    int64_t background_grace_ns; /* how long a call waits before background work gives way to it */
    struct gw_fleet_conf fleet;
    struct sl_shm_pool *bodies; /* for large typed contents; borrowed; NULL: none */
    uint64_t seed;              /* of call ids; unpredictable in a real server */
    sl_mono_ns started_at;
    int64_t identity_wait_ns; /* how long a call waits for the keys of its token's issuer */
    int64_t models_wait_ns; /* after the start: a call for an unknown model waits for it so long */
};

/* What the flow counts; any may be NULL. */
struct gw_flow_metrics {
    struct sl_metric *calls[SL_REASON_COUNT]; /* ended, by reason */
    struct sl_metric *in_state[GW_CALL_STATE_COUNT];
    struct sl_metric *queue_seconds;
    struct sl_metric *exec_seconds;
    struct sl_metric *run_calls;          /* that shared a run of the engine */
    struct sl_metric *freed_after_cancel; /* how long a slice was still taken, for nobody */
    struct sl_metric *freed_after_limit;
    struct sl_metric *nodes;
    struct sl_metric *nodes_lost;
    struct sl_metric *nodes_drained;
    struct sl_metric *drains; /* how often one was */
    struct sl_metric *slices;
    struct sl_metric *slices_busy;
    struct sl_metric *body_bytes;
    struct sl_metric *result_bytes;
    struct sl_metric *refused[GW_REFUSAL_COUNT]; /* what nodes say about leases */
    struct sl_metric *requeued;
    struct sl_metric *leases; /* that ended with their call's result */
    struct sl_metric *lease_us;
    struct sl_metric *orphan_leases; /* that ended without */
    struct sl_metric *orphan_lease_us;
    struct sl_metric *repeated_leases; /* told again although they were accounted for */
    struct sl_metric *unclaimed;       /* calls that went on without their connection */
    struct sl_metric *background;      /* calls that were let in as such */
    struct sl_metric *repeated;        /* calls that were answered as an earlier one */
    struct sl_metric *kept, *kept_bytes[GW_IDEM_PLACES];
    struct sl_metric *watches;
    struct sl_metric *eta[GW_ETA_OUTCOMES]; /* estimates, by what came of them */
    struct sl_metric *eta_ratio;            /* of the wait to its p50 */
    struct sl_metric *accounts, *holds;
    struct sl_metric *charged_us;
};

struct gw_flow;
struct gw_ledger;

/* conf, metrics and ports are copied; what they point to is borrowed. Errors: SL_EINVAL,
 * SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_flow_create(const struct sl_alloc *alloc,
                                       const struct gw_flow_conf *conf,
                                       const struct gw_flow_metrics *metrics,
                                       const struct gw_ports *ports, struct gw_flow **out);
/* No exchange may be open any more (gw_flow_is_empty), or they must be dropped unanswered by their
 * owner. */
void gw_flow_destroy(struct gw_flow *f);

/* The wall clock of this turn, before anything that the turn brings: windows and receipts are by it. */
void gw_flow_set_wall(struct gw_flow *f, sl_wall_us wall_now);

/* ---- visitors: GW_EV_* of one exchange */
void gw_flow_on_exchange(struct gw_flow *f, struct gw_exchange *x, unsigned events, sl_mono_ns now);
/* The keys came, or did not, for which identities were to be asked for again. */
void gw_flow_on_identities(struct gw_flow *f, sl_mono_ns now);

/* ---- nodes */

/* A node announces itself; one of the same name that is still listed is lost by that. false:
 * refused, with the sentence for the node. */
bool gw_flow_on_hello(struct gw_flow *f, const struct gw_hello *hello, sl_mono_ns now,
                      struct gw_fleet_node **out, struct sl_error *err);
void gw_flow_on_heard(struct gw_flow *f, struct gw_fleet_node *node, bool is_draining,
                      sl_mono_ns now);
void gw_flow_on_started(struct gw_flow *f, struct gw_fleet_node *node, sl_slot_id lease,
                        sl_mono_ns now);
/* A result of so many bytes is on its way: room for it is held from now to when it has left, or the lease has
 * ended without it. false: there is none, and gw_flow_no_result_room has the sentence. A result that was not
 * announced takes its room when it comes. */
SL_MUST_CHECK bool gw_flow_expect_result(struct gw_flow *f, sl_slot_id lease, uint64_t bytes);
void gw_flow_no_result_room(const struct gw_flow *f, uint64_t bytes, struct sl_error *err);
/* Takes over result->release when it is there. */
void gw_flow_on_result(struct gw_flow *f, struct gw_fleet_node *node,
                       const struct gw_result *result, sl_mono_ns now);
void gw_flow_on_returned(struct gw_flow *f, struct gw_fleet_node *node, sl_slot_id lease,
                         sl_mono_ns now);
/* A lease that ended and of which no result came in this session; accounted for once, however often it is
 * told. */
void gw_flow_on_ended(struct gw_flow *f, struct gw_fleet_node *node, const struct gw_ended *ended);
/* Silent for too long, or its connection broke: calls that it had not started are queued again. */
void gw_flow_on_lost(struct gw_flow *f, struct gw_fleet_node *node, const char *why,
                     sl_mono_ns now);

/* An operator's word about the node of that name, whoever connects under it: while it is drained nothing is placed
 * there; calls that had been sent and have not started are called back. Again is fine, for both. Errors: SL_ENOENT
 * (neither connected nor drained), SL_EFULL (so many are drained), SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_flow_drain_node(struct gw_flow *f, const struct gw_drain_row *row,
                                           uint32_t *out_called_back);
SL_MUST_CHECK sl_status gw_flow_undrain_node(struct gw_flow *f, const char *name, const char *by);

/* ---- what lasts */

/* The store has answered for an entry. */
void gw_flow_on_stored(struct gw_flow *f, uint64_t ticket, sl_status outcome);
/* The store has answered a question; a is borrowed. */
void gw_flow_on_answer(struct gw_flow *f, uint64_t ticket, const struct gw_store_answer *a);
/* At the start: a lease that has its receipt. Errors: SL_EFULL, SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_flow_note_lease(struct gw_flow *f, uint64_t journal, uint64_t record);
/* At the start: a call with an idempotency key that ended at that time (perhaps below 0). Errors: SL_EFULL,
 * SL_ENOMEM, SL_EINVAL (no key). */
SL_MUST_CHECK sl_status gw_flow_note_outcome(struct gw_flow *f, const struct gw_receipt *r,
                                             sl_mono_ns ended_at);

/* At the start: what a model's calls took. Errors: as gw_learned_note. */
SL_MUST_CHECK sl_status gw_flow_note_learned(struct gw_flow *f, const struct gw_record_learned *r);
/* At the end: what was learned and not stored yet is. */
void gw_flow_keep_learned(struct gw_flow *f, sl_mono_ns now);

/* ---- calls that are asked twice: answers of gw_results_port */

void gw_flow_on_digest(struct gw_flow *f, uint64_t ticket, sl_status outcome,
                       const uint8_t digest[GW_IDEM_DIGEST_BYTES], sl_mono_ns now);
void gw_flow_on_spooled(struct gw_flow *f, void *user, sl_status outcome);
void gw_flow_on_fetched(struct gw_flow *f, void *user, sl_status outcome);

/* ---- time */

/* The end of a loop turn: what is due expires, what can start is dispatched. */
void gw_flow_turn(struct gw_flow *f, sl_mono_ns now);
/* When gw_flow_turn must run again at the latest; SL_MONO_NEVER. */
sl_mono_ns gw_flow_next_at(const struct gw_flow *f);

/* Takes over the limits on the queue, messages, results, waits and asks; calls that are there stay. */
void gw_flow_set_limits(struct gw_flow *f, const struct gw_flow_conf *conf);
/* What gw_dispatch.cpu_hint says from now on. */
void gw_flow_hint_cpu(struct gw_flow *f, uint32_t cpu_hint);
/* Not ready any more. Calls go on, and so do those that callers sent before they knew: the fronts, which
 * tell them, see to it that there is a last one. */
void gw_flow_drain(struct gw_flow *f);
/* The second signal, or the end of patience: new calls are refused from now on (DRAINING), and all there
 * are end so. */
void gw_flow_refuse(struct gw_flow *f);
void gw_flow_end_all(struct gw_flow *f, sl_mono_ns now);
bool gw_flow_is_empty(const struct gw_flow *f);
/* All calls have paid, and their receipts are on their way. */
bool gw_flow_is_settled(const struct gw_flow *f);
uint64_t gw_flow_exchanges(const struct gw_flow *f);  /* open ones */
uint64_t gw_flow_calls_ever(const struct gw_flow *f); /* ever, whole or not */
uint64_t gw_flow_calls_open(const struct gw_flow *f); /* that have no outcome yet */

/* ---- looking in */
struct gw_fleet *gw_flow_fleet(struct gw_flow *f);
struct gw_sched *gw_flow_sched(struct gw_flow *f);
struct gw_ledger *gw_flow_ledger(struct gw_flow *f); /* at the start also to be filled */
struct gw_blocks *gw_flow_blocks(struct gw_flow *f); /* likewise */
bool gw_flow_is_ready(struct gw_flow *f);
const struct gw_call_counts *gw_flow_counts(const struct gw_flow *f);
uint64_t gw_flow_ended(const struct gw_flow *f, enum sl_reason reason);
/* SL_EBROKEN when the lists and counts of calls by tier (gw_lines.h) are not those of their states. O(calls that
 * wait): for tests and the simulator. */
SL_MUST_CHECK sl_status gw_flow_check_lines(const struct gw_flow *f);
/* When the call of an exchange is expected to start, as its caller would be told. false: it does not wait in the queue. */
bool gw_flow_eta(struct gw_flow *f, const struct gw_exchange *x, sl_mono_ns now,
                 struct gw_eta *out);

#endif
