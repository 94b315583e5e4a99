/* ex_server.h - the executor put together: one thread, one loop, the clock read once a turn.
 *
 * A turn   what the gateway said -> what workers said -> whose time is over -> what is due -> jobs
 *          become visible to workers -> one batch to the gateway -> wait.
 * Signals  SIGTERM, SIGINT: drain; the second one stops at once. SIGHUP: log.level is read again.
 *          The caller blocks nothing: the server does, for the thread that creates it.
 * Threads  One, from create to destroy; ZeroMQ has its own.
 */
#ifndef EX_SERVER_H
#define EX_SERVER_H

#include "ex_conf.h"
#include "sl_clock.h"
#include "sl_reason.h"

struct ex_server;

/* conf and config_path are borrowed for the server's life. Errors: SL_EIO, SL_ENOMEM, SL_ENOENT (no
 * model repository), with a sentence. */
SL_MUST_CHECK sl_status ex_server_create(const struct ex_conf *conf, const char *config_path,
                                         const struct sl_clock *clock, struct ex_server **out,
                                         struct sl_error *err);
/* Returns when it has drained or was told to stop at once. */
void ex_server_run(struct ex_server *s);
void ex_server_destroy(struct ex_server *s); /* NULL is fine */

#endif
