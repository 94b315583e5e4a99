/* gw_inquiry.h - a method beside ModelInfer whose caller must be known: from its message to its reply, with what it
 * may wait for on its way. Insides of the flow.
 *
 *   message > [begin] > identified > is it for him? > its form > gw_methods_serve > [answer | refuse]
 *                          |                                        |-- [ask] the store ... > on_answer
 *                          `-- keys are fetched ... > again         `-- [keep] records ... stored > answered
 *
 * Bound    GW_INQUIRIES_MAX at once, of which visitors leave some to administrators and some to each other; each ends
 *          with its exchange, its deadline, or after GW_INQUIRY_WAIT_NS.
 * Memory   An inquiry is a place in a table; what it needs besides lies in its exchange's arena.
 * Gone     Whose caller has gone is forgotten: the store's answer finds nothing, and what was changed stays so.
 */
#ifndef GW_INQUIRY_H
#define GW_INQUIRY_H

#include "gw_form.h"
#include "gw_ports.h"
#include "gw_timers.h"

struct gw_flow;
struct gw_inquiry;

enum {
    GW_INQUIRIES_MAX = 256,
    GW_INQUIRIES_OPEN_MAX =
        192, /* that wait and are of no administrator, or nobody knows yet of whom */
    GW_INQUIRIES_ASKING_MAX = 48, /* of them, that wait for the store's answer or a result */
    GW_INQUIRIES_OF_ONE_MAX = 8,  /* of one account */
};
#define GW_INQUIRY_WAIT_NS (30 * SL_NS_PER_S)

/* Of entries for which an inquiry waits: no call has such an id. */
#define GW_TICKET_INQUIRY (UINT64_C(1) << 31)

typedef void (*gw_inquiry_on_answer)(struct gw_flow *f, struct gw_inquiry *q,
                                     const struct gw_store_answer *a);

enum gw_inquiry_wait {
    GW_INQUIRY_NOTHING,
    GW_INQUIRY_IDENTITY,
    GW_INQUIRY_ANSWER,
    GW_INQUIRY_STORED,
    GW_INQUIRY_RESULT, /* is read from disk */
};

struct gw_inquiry {
    sl_slot_id id;
    struct gw_exchange *exchange;
    struct gw_principal who;
    struct gw_form form;
    enum gw_inquiry_wait waits_for;
    sl_mono_ns now; /* of the turn that serves it */
    struct gw_timer timer;
    struct gw_inquiry *prev, *next; /* gw_inquiries.unidentified */
    struct sl_span message;         /* what it brought; when STORED: what it will be answered */
    unsigned unstored_count;        /* records on their way */
    gw_inquiry_on_answer on_answer; /* when ANSWER */
};

struct gw_inquiries {
    struct sl_slot_table *table;
    struct gw_timers timers;
    struct gw_inquiry *unidentified; /* oldest first */
};

/* Errors: SL_ENOMEM; it is to be finished then, too. */
SL_MUST_CHECK sl_status gw_inquiries_init(struct gw_inquiries *i, const struct sl_alloc *alloc);
void gw_inquiries_finish(struct gw_inquiries *i);

/* ---- for gw_flow */
/* Its message is here. */
void gw_inquiry_begin(struct gw_flow *f, struct gw_exchange *x, sl_mono_ns now);
/* Its exchange is being answered; without one it does nothing. */
void gw_inquiry_drop(struct gw_flow *f, struct gw_exchange *x);
void gw_inquiries_on_identities(struct gw_flow *f, sl_mono_ns now);
void gw_inquiries_on_stored(struct gw_flow *f, uint64_t ticket, sl_status outcome);
void gw_inquiries_on_answer(struct gw_flow *f, uint64_t ticket, const struct gw_store_answer *a);
void gw_inquiries_expire(struct gw_flow *f, sl_mono_ns now);
/* The gateway stops: all but those whose records are on their way, which the store still answers for. */
void gw_inquiries_end_all(struct gw_flow *f, const struct sl_error *err);

/* ---- for those who serve it: each serves it with one of these, once */
/* A message without data is one for which there was no memory. */
void gw_inquiry_answer(struct gw_flow *f, struct gw_inquiry *q, struct sl_span message);
void gw_inquiry_refuse(struct gw_flow *f, struct gw_inquiry *q, const struct sl_error *err);
void gw_inquiry_ask(struct gw_flow *f, struct gw_inquiry *q, const struct gw_store_question *what,
                    gw_inquiry_on_answer on_answer);
/* It waits for a result that is being read. false: it was refused. */
SL_MUST_CHECK bool gw_inquiry_await_result(struct gw_flow *f, struct gw_inquiry *q);
/* The one that waited for it, and does no longer; NULL: it is gone. */
struct gw_inquiry *gw_inquiry_of_result(struct gw_flow *f, uint64_t id);
/* Answers with the pieces that its exchange's reply has. */
void gw_inquiry_answer_pieces(struct gw_flow *f, struct gw_inquiry *q);
/* Answers message when the records that were put for it are stored, at once when there is no store. */
void gw_inquiry_keep(struct gw_flow *f, struct gw_inquiry *q, struct sl_span message);

/* Hands a record to the store, where there is one. false: it is not kept, and *err says why. */
SL_MUST_CHECK bool gw_inquiry_put(struct gw_flow *f, struct gw_inquiry *q,
                                  const struct gw_record *r, struct sl_error *err);

#endif
