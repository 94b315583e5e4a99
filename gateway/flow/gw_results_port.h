/* gw_results_port.h - what the flow asks so that a call can be asked for again: digests of requests, random bytes,
 * and a place on disk for results that are too large for memory. A table of functions.
 *
 * Threads  The flow's. What takes long is done on another thread, and answered while the root takes answers, never
 *          from within these functions; until then what was handed over must stay.
 */
#ifndef GW_RESULTS_PORT_H
#define GW_RESULTS_PORT_H

#include <stdint.h>

#include "gw_exchange.h"
#include "gw_idem.h"
#include "sl_span.h"
#include "sl_status.h"

struct gw_spool_file;

struct gw_results_port {
    void *ctx;
    /* SHA-256 of the text and then the body. SL_OK: *out has it; SL_EAGAIN: gw_flow_on_digest tells it, with ticket,
     * and the body is held until then. Errors: SL_ENOMEM, SL_EIO. */
    sl_status (*digest)(void *ctx, struct sl_span text, struct gw_body *body, uint64_t ticket,
                        uint8_t out[GW_IDEM_DIGEST_BYTES]);
    /* Bytes that nobody can guess. Errors: SL_EIO. */
    sl_status (*random)(void *ctx, uint8_t *out, size_t bytes);
    /* Writes the pieces to a file of its own; gw_flow_on_spooled tells how it went, with user. NULL: there is no
     * such place. Errors: SL_EFULL (as many files as there may be), SL_ENOMEM, SL_EIO. */
    sl_status (*spool)(void *ctx, const struct sl_span *pieces, size_t piece_count, void *user,
                       struct gw_spool_file **out);
    /* Reads bytes from the file's beginning; gw_flow_on_fetched tells how it went. Errors: SL_ENOMEM. */
    sl_status (*fetch)(void *ctx, struct gw_spool_file *file, uint8_t *into, size_t bytes,
                       void *user);
    /* Its bytes go back to the disk; nothing may be under way with it. */
    void (*drop)(void *ctx, struct gw_spool_file *file);
};

#endif
