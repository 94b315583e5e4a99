/* gw_store_port.h - what the flow asks of the store: that things last, and what has lasted. A table of
 * functions and the data that goes through it.
 *
 *   settle, grant, revoke > [append] > flush at the end of the turn > committed, many at once > stored(ticket)
 *
 * Order    Entries are stored in the order in which they were appended. What is stored is so for ever: a
 *          ticket that was told SL_OK survives the death of every process, and with `store.sync: full` a
 *          loss of power.
 * Broken   While the file cannot be written, entries wait in their order and are tried again; no ticket is
 *          answered until they are stored, or given up at the end of the process (SL_EIO: such an entry may
 *          or may not be there later). Meanwhile `may_admit` says why no new paid work should begin, or,
 *          with `store.when_broken: serve`, it may, and `must_wait` says that nobody should wait for a ticket.
 * Behind   Tables that answer questions are built behind the log. When they fall back by `store.lag_max`
 *          entries, `may_admit` says so, too, until they have caught up.
 * Threads  The flow's. Answers come while the root takes them, never from within these functions.
 */
#ifndef GW_STORE_PORT_H
#define GW_STORE_PORT_H

#include "gw_principal.h"
#include "gw_record.h"
#include "sl_reason.h"

enum { GW_STORE_ENTRY_MAX_BYTES = 16384, GW_STORE_ROWS_MAX = 1000 };

enum gw_store_question_kind {
    GW_STORE_RECEIPTS, /* newest first; by account, app and time, each where given */
    GW_STORE_RECEIPT,  /* of one call */
    GW_STORE_USAGE,    /* sums by week, oldest first */
    GW_STORE_GRANTS,   /* newest first; by account where given */
};

enum gw_store_usage_by { GW_STORE_BY_APP, GW_STORE_BY_OWNER, GW_STORE_BY_VISITOR };

struct gw_store_question {
    enum gw_store_question_kind kind;
    char account[GW_ACCOUNT_NAME_MAX + 1]; /* "": of all */
    char app[GW_APP_NAME_MAX + 1];         /* "": of all */
    uint8_t call_id[16];
    sl_wall_us from, until; /* until 0: no end */
    /* The page after that of which next_n came; 0: the first. */
    int64_t after_n;
    size_t rows_max; /* 1 to GW_STORE_ROWS_MAX */
    enum gw_store_usage_by usage_by;
};

struct gw_store_usage_row {
    sl_wall_us week_at; /* Monday, 00:00 UTC */
    struct sl_span key; /* the app, its owner, or the visitor; "" when there is none (any more) */
    int64_t calls;
    sl_gpu_us used_us, charged_us;
};

struct gw_store_row {
    int64_t n; /* in the log; of usage: the row's number */
    union {
        struct sl_span receipt; /* as it was appended */
        struct gw_store_usage_row usage;
        struct gw_record_grant grant;
    };
};

struct gw_store_answer {
    sl_status status; /* SL_OK, SL_EIO, SL_ENOMEM; why names the cause */
    char why[256];
    size_t row_count;
    struct gw_store_row *rows;
    int64_t next_n; /* 0: there is nothing more */
};

struct gw_store_port {
    void *ctx;
    /* Puts an entry into the queue; bytes are copied. ticket comes back when it is stored. Errors: SL_EFULL
     * (`store.queue_max` bytes wait already: not now), SL_ENOMEM, SL_ETOOBIG (never). */
    sl_status (*append)(void *ctx, enum gw_record_kind kind, struct sl_span bytes, uint64_t ticket);
    /* May new paid work begin? false: *why has the sentence. */
    bool (*may_admit)(void *ctx, struct sl_error *why);
    /* Must who was told a ticket wait for its answer? */
    bool (*must_wait)(void *ctx);
    /* Asks; the answer comes with ticket. Errors: SL_EFULL (too many questions wait), SL_ENOMEM. */
    sl_status (*ask)(void *ctx, const struct gw_store_question *q, uint64_t ticket);
};

#endif
