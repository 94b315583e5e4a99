/* gw_store_load.h - what a gateway has to know of its past when it starts. */
#ifndef GW_STORE_LOAD_H
#define GW_STORE_LOAD_H

#include "gw_receipt.h"
#include "gw_store_db.h"

/* Called once for each thing; texts are borrowed for the call. Those that are NULL are left out. */
struct gw_store_loader {
    void *ctx;
    void (*on_account)(void *ctx, const struct gw_record_account *a);
    void (*on_token)(void *ctx, const struct gw_record_token *t);
    void (*on_app)(void *ctx, const struct gw_record_app *a);
    void (*on_block)(void *ctx, const struct gw_record_block *b);
    /* Newest first. */
    void (*on_learned)(void *ctx, const struct gw_record_learned *r);
    /* A lease that has its receipt: at least the newest leases_span numbers of each journal, oldest first. */
    void (*on_lease)(void *ctx, uint64_t journal, uint64_t record);
    /* Receipts of calls with an idempotency key that ended since then, oldest first. */
    sl_wall_us keys_since;
    void (*on_key)(void *ctx, const struct gw_receipt *r);
};

/* Builds what is left of the log into the tables, then loads from them: accounts whose window opened after
 * `windows_since`, or that were given time and have none; tokens that hold at `now`; all apps, blocks and learned durations.
 * Errors: SL_EIO. */
SL_MUST_CHECK sl_status gw_store_load(struct gw_store_db *db, sl_wall_us windows_since,
                                      sl_wall_us now, uint64_t leases_span,
                                      const struct gw_store_loader *loader);

#endif
