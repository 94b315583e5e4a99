/* gw_store.h - what lasts: the log of receipts and its tables, behind a thread of their own.
 *
 *   flow: append ... flush --> the store's thread: one transaction for all that came meanwhile
 *   root: wake --> take --> flow: stored(ticket)
 *
 * The thread commits first; in between it builds tables behind the log, moves the WAL into the file, and
 * forgets what is older than `keep`, each in small pieces.
 *
 * Broken   What the file refuses (a full disk, an error, another program's lock) is tried again after a
 *          tenth of a second, then less and less often, up to 5 s. A failed sync: gw_store_mend.h. A damaged
 *          file is not written any more. gw_store_port.h says what that means for the flow.
 * Threads  Everything here: the flow's, or the root's before gw_store_start. conf.wake is called on the
 *          store's threads.
 */
#ifndef GW_STORE_H
#define GW_STORE_H

#include "gw_store_load.h"
#include "sl_clock.h"
#include "sl_metric.h"

/* Each may be NULL. */
struct gw_store_metrics {
    struct sl_metric *entries, *groups, *lost, *mended, *lag, *is_writable;
};

struct gw_store_conf {
    const char *path; /* borrowed, as vfs is */
    const char *vfs;  /* NULL: the system's */
    bool syncs_commits;
    bool serves_when_broken;
    size_t queue_max_bytes;
    int64_t lag_max;
    int64_t keep_us; /* 0: for ever */
    const struct sl_clock *clock;
    void (*wake)(void *ctx); /* there is something to take, or its state has changed */
    void *wake_ctx;
    struct gw_store_metrics metrics;
};

/* The thread that stores, as the system lists it: whoever waits for it may want to have it near. */
#define GW_STORE_THREAD_NAME "sluice-store"

enum gw_store_state { GW_STORE_WELL, GW_STORE_BEHIND, GW_STORE_BROKEN };

struct gw_store_health {
    enum gw_store_state state;
    char why[GW_STORE_WHY_MAX]; /* when BROKEN */
    int64_t last_n, built_n;
};

struct gw_store;

/* Opens the file. conf is copied, alloc borrowed. Errors: SL_EEXIST, SL_ENEVER, SL_EIO, SL_ENOMEM; with a
 * sentence. */
SL_MUST_CHECK sl_status gw_store_create(const struct sl_alloc *alloc,
                                        const struct gw_store_conf *conf, struct gw_store **out,
                                        struct sl_error *err);
/* Tells the past. Errors: SL_EIO with a sentence. */
SL_MUST_CHECK sl_status gw_store_restore(struct gw_store *s, sl_wall_us windows_since,
                                         uint64_t leases_span, const struct gw_store_loader *loader,
                                         struct sl_error *err);
/* From here on the threads have the file. Errors: SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_store_start(struct gw_store *s);
/* Stores what was appended, as far as that goes, and ends the threads; after it, take gives the last
 * answers. */
void gw_store_stop(struct gw_store *s);
void gw_store_destroy(struct gw_store *s); /* NULL is fine; stops it first */

struct gw_store_port gw_store_port(struct gw_store *s);
/* Hands over what was appended: at the end of a turn. false: there was nothing. */
bool gw_store_flush(struct gw_store *s);

/* Each function may be NULL. */
struct gw_store_listener {
    void *ctx;
    void (*on_stored)(void *ctx, uint64_t ticket, sl_status outcome); /* SL_OK or SL_EIO */
    void (*on_answer)(void *ctx, uint64_t ticket, const struct gw_store_answer *a);
};
/* Gives all answers that are there; they are borrowed for the call. */
void gw_store_take(struct gw_store *s, const struct gw_store_listener *l);

void gw_store_health(struct gw_store *s, struct gw_store_health *out);

#endif
