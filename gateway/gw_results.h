/* gw_results.h - the flow's port for calls that are asked twice, at work: digests and random bytes by OpenSSL, files
 * of results in the gateway's state directory. What takes long is done by libuv's pool.
 *
 *   gw_results_port: digest, spool, fetch > pool > [take] in a later turn > gw_results_listener
 *
 * Files     Without a name from their beginning, mode 0600: they are gone with the process, however it ends. Where the file
 *           system has no such files they lose their name as soon as they are open; what a crash left in
 *           between is removed at the next start.
 * Threads   The loop's; the pool's threads read and write what an errand names, and nothing else.
 * Limits    GW_RESULTS_FILES_MAX files; how much they hold is the flow's to say.
 */
#ifndef GW_RESULTS_H
#define GW_RESULTS_H

#include <uv.h>

#include "gw_digest.h"
#include "gw_results_port.h"
#include "sl_reason.h"

enum { GW_RESULTS_FILES_MAX = 1024, GW_RESULTS_DIGEST_AT_ONCE_BYTES = 64 << 10 };

struct gw_errand;

/* Who is told what is done. */
struct gw_results_listener {
    void *ctx;
    void (*on_digest)(void *ctx, uint64_t ticket, sl_status outcome,
                      const uint8_t digest[GW_IDEM_DIGEST_BYTES]);
    void (*on_spooled)(void *ctx, void *user, sl_status outcome);
    void (*on_fetched)(void *ctx, void *user, sl_status outcome);
};

/* Zeroed: nothing is open. */
struct gw_results {
    uv_loop_t *loop;
    struct gw_digest *digest;
    char *dir; /* NULL: nothing goes to disk */
    size_t file_count;
    size_t under_way;
    struct gw_errand *done; /* oldest first */
};

/* state: the gateway's directory; "": none. r stays where it is, loop outlives it. Errors: SL_EIO, SL_ENOMEM, with a
 * sentence. */
SL_MUST_CHECK sl_status gw_results_open(struct gw_results *r, uv_loop_t *loop, const char *state,
                                        struct sl_error *err);
/* The loop has ended, and the flow is gone. */
void gw_results_close(struct gw_results *r);
struct gw_results_port gw_results_port(struct gw_results *r);
/* In each turn: tells what is done. */
void gw_results_take(struct gw_results *r, const struct gw_results_listener *l);
/* Nothing is under way. */
bool gw_results_is_idle(const struct gw_results *r);

#endif
