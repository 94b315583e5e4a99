/* ex_worker_process.h - what a worker does to its own process before it touches a model. */
#ifndef EX_WORKER_PROCESS_H
#define EX_WORKER_PROCESS_H

#include <stdint.h>

#include "sl_status.h"

/* The process dies with the thread that forked it and leaves no core file, which would hold callers'
 * data. It takes back what signal handling it inherited and ignores the signals by which a terminal
 * or a service manager ends a whole group: the supervisor decides when a worker ends.
 * Errors: SL_EIO. */
SL_MUST_CHECK sl_status ex_worker_process_tie(void);

/* What the supervisor's SIGURG does from now on: deed, in the signal's handler. Once. Errors: SL_EIO. */
SL_MUST_CHECK sl_status ex_worker_process_on_cancel(void (*deed)(void *ctx), void *ctx);

/* At most this much private memory (0: no limit): allocations beyond it fail, and the engine
 * answers OUT_OF_MEMORY. Rings, segments and read-only maps do not count. Errors: SL_EIO. */
SL_MUST_CHECK sl_status ex_worker_process_limit_memory(uint64_t bytes);

#endif
