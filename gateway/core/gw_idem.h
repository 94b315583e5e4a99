/* gw_idem.h - idempotency keys, and results that wait to be fetched: what has been asked already, and what became of
 * it. Book-keeping only: results are opaque and given back by a callback.
 *
 *   (none) --gw_idem_open--> RUNNING --gw_idem_end--> DONE --no room--> GONE --keep_ns after its end--> (none)
 *                               `--ended for nothing--> (none)
 *
 * A call is entered when it has an idempotency key or may outlive its connection. The same key of the same visitor:
 *   another request     refused
 *   it runs             the second call waits for the first one's outcome, and gets the same
 *   it has ended        its first outcome, charged once; GONE when the result was not kept: never a second run
 *   it ended for nothing (not OK, not charged)   as if it had never been: the retry runs
 * A result is fetched by its call's id, only by the visitor who paid; by who has the call's token, where it has one,
 * because an address is not a person. An entry outlives its result: what is too large for its place, and the oldest
 * where there is too much for the visitor or for all, are GONE at once; what became of the call is still told.
 *
 * Purity   No I/O, no clock, no threads.
 * Memory   max_entries of some 250 bytes each when in use, and 65 to 129 for each from the beginning; beyond
 *          that the one that ended longest ago is forgotten. A result is the table's from gw_idem_end
 *          until `release` takes it back.
 * Cost     O(1).
 * Errors   All-or-nothing, except that entries that have ended may have made room.
 */
#ifndef GW_IDEM_H
#define GW_IDEM_H

#include <stdbool.h>

#include "sl_alloc.h"
#include "sl_hash.h"
#include "sl_reason.h"
#include "sl_slot.h"
#include "sl_span.h"
#include "sl_status.h"
#include "sl_time.h"

enum { GW_IDEM_KEY_MAX = 255, GW_IDEM_DIGEST_BYTES = 32, GW_IDEM_TOKEN_BYTES = 16 };

struct gw_idem;
typedef sl_slot_id gw_idem_id;

/* Where a result lies. */
enum gw_idem_place { GW_IDEM_IN_MEMORY, GW_IDEM_ON_DISK, GW_IDEM_PLACES };

struct gw_idem_limits {
    uint64_t one_bytes; /* of one result */
    uint64_t visitor_bytes, total_bytes;
};

struct gw_idem_conf {
    size_t max_entries;
    int64_t keep_ns; /* after a call's end */
    struct gw_idem_limits limits[GW_IDEM_PLACES];
    struct sl_hash_seed seed;
    void (*release)(void *ctx, void *result); /* drops the table's hold on it */
    void *ctx;
};

/* Errors: SL_EINVAL (no entries, or 2^30 and more), SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_idem_create(const struct sl_alloc *alloc,
                                       const struct gw_idem_conf *conf, struct gw_idem **out);
void gw_idem_destroy(struct gw_idem *t); /* NULL is fine; results are released */
/* Other limits from now on; max_entries and seed stay. */
void gw_idem_set_limits(struct gw_idem *t, const struct gw_idem_conf *conf);

/* ---- a call comes */

struct gw_idem_call {
    struct sl_span visitor;               /* the account that pays */
    struct sl_span key;                   /* "": none */
    uint8_t digest[GW_IDEM_DIGEST_BYTES]; /* of the request */
    uint8_t call_id[16];
    uint64_t call; /* the flow's own number of it */
    bool has_token;
    uint8_t token[GW_IDEM_TOKEN_BYTES];
};

/* What became of a call, whether its result is kept or not. */
struct gw_idem_outcome {
    enum sl_reason reason;
    sl_gpu_us charged_us;
    sl_wall_us ended_at;
};

enum gw_idem_verdict {
    GW_IDEM_NEW,     /* entered: it runs */
    GW_IDEM_RUNNING, /* wait for `call` */
    GW_IDEM_DONE,    /* answer with `result` */
    GW_IDEM_GONE,    /* RESULT_GONE, with `outcome` */
    GW_IDEM_OTHER,   /* ALREADY_EXISTS: the key belongs to another request */
};

struct gw_idem_found {
    enum gw_idem_verdict verdict;
    gw_idem_id id;
    uint64_t call;                  /* RUNNING */
    void *result;                   /* DONE: borrowed until the next call of this table */
    struct gw_idem_outcome outcome; /* DONE, GONE */
    uint8_t call_id[16];            /* of the first call */
};

/* Errors: SL_EINVAL (the key is too long), SL_EEXIST (another call has that id), SL_EFULL (all entries run),
 * SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_idem_open(struct gw_idem *t, const struct gw_idem_call *call,
                                     sl_mono_ns now, struct gw_idem_found *out);

/* ---- it ends */

struct gw_idem_result {
    void *take; /* NULL: there is none to keep */
    uint64_t bytes;
    enum gw_idem_place place;
};

/* It was OK or was charged: later ones get this outcome. Takes the result, and releases it at once when it is too
 * large. Errors: SL_ESTALE (not running; the result is released too). */
SL_MUST_CHECK sl_status gw_idem_end(struct gw_idem *t, gw_idem_id id,
                                    const struct gw_idem_outcome *outcome,
                                    const struct gw_idem_result *result, sl_mono_ns now);
/* Its result cannot be kept after all; one that has gone already is no matter. */
void gw_idem_lose(struct gw_idem *t, gw_idem_id id);
/* The oldest result of the place goes, unless it is the one of `but`. false: there is none. */
bool gw_idem_evict(struct gw_idem *t, enum gw_idem_place place, gw_idem_id but);
/* "" without one, or when there is no such call; borrowed until the next call of this table. */
struct sl_span gw_idem_key(const struct gw_idem *t, gw_idem_id id);
/* It ended for nothing: as if it had never been. Errors: SL_ESTALE (not running). */
SL_MUST_CHECK sl_status gw_idem_forget(struct gw_idem *t, gw_idem_id id);

/* ---- it is fetched */

/* false: no such call, or not for this visitor. token: NULL when none was sent. Never NEW nor OTHER. */
bool gw_idem_fetch(struct gw_idem *t, const uint8_t call_id[16], struct sl_span visitor,
                   const uint8_t *token, sl_mono_ns now, struct gw_idem_found *out);

/* ---- time passes */

void gw_idem_expire(struct gw_idem *t, sl_mono_ns now);
sl_mono_ns gw_idem_next_expiry(const struct gw_idem *t); /* SL_MONO_NEVER: nothing to expire */

/* At the start, in the order of their ends: a call of the last run had that key, and ended at that time (which may
 * be below 0). Its result is GONE. Errors: SL_EEXIST (the key or the id is there), SL_EINVAL, SL_EFULL, SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_idem_restore(struct gw_idem *t, const struct gw_idem_call *call,
                                        const struct gw_idem_outcome *outcome, sl_mono_ns ended_at);

struct gw_idem_totals {
    size_t entries, running, results;
    uint64_t result_bytes[GW_IDEM_PLACES];
};
struct gw_idem_totals gw_idem_totals(const struct gw_idem *t);

/* SL_OK, or SL_EBROKEN when limits, sums or lists do not agree. For tests. */
SL_MUST_CHECK sl_status gw_idem_check(const struct gw_idem *t);

#endif
