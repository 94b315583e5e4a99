/* gw_receipt.h - what one call cost and whom: the record that every ended call leaves, once. Data only.
 *
 * Spans are borrowed from whoever made the receipt. GPU times are microseconds of one slice; charged_us
 * has the size's factor in it, used_us has not.
 */
#ifndef GW_RECEIPT_H
#define GW_RECEIPT_H

#include "gw_principal.h"
#include "sl_reason.h"
#include "sl_span.h"
#include "sl_time.h"

/* Why a call ended, as money sees it: a reason, or one of these. */
enum gw_cause {
    GW_CAUSE_REASON, /* as `reason` says; OK included */
    GW_CAUSE_ORPHAN, /* a lease that no answered call owns: the gateway died meanwhile; charged nothing */
};

struct gw_receipt {
    uint8_t call_id[16]; /* UUID */
    sl_wall_us ended_at;
    struct sl_span accounts[GW_PURSES_MAX];      /* that were charged, the visitor's own first */
    sl_wall_us windows_opened_at[GW_PURSES_MAX]; /* of each, the window that was charged; 0: none */
    size_t account_count;
    struct sl_span tier, app, model, size, node; /* names; empty when there is none */
    struct sl_span organisation;                 /* of who pays; empty when there is none */
    struct sl_span idempotency_key;              /* so that not even a restart runs it twice */
    sl_gpu_us declared_us;                       /* of the slice, before the factor */
    sl_gpu_us held_us;                           /* declared x factor, or what `auto` made of it */
    sl_gpu_us used_us;                           /* how long the slice was really held */
    sl_gpu_us charged_us;
    int64_t queue_us;
    uint64_t lease_journal; /* the lease that was used, by its executor's journal and */
    uint64_t
        lease_record; /* its number there; both 0 when none had begun. One lease, one receipt. */
    enum gw_cause cause;
    enum sl_reason reason;
};

#endif
