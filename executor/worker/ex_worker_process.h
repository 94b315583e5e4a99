/* ex_worker_process.h - what a worker does to its own process before it touches a model. */
#ifndef EX_WORKER_PROCESS_H
#define EX_WORKER_PROCESS_H

#include <stdint.h>

#include "sl_status.h"

/* Dies with the thread that forked it; takes back what signal handling it inherited; ignores the
 * signals by which a terminal or a service manager ends the whole group, because the supervisor
 * decides when a worker ends. Errors: SL_EIO. */
SL_MUST_CHECK sl_status ex_worker_process_tie(void);

/* At most this much private memory (0: no limit): allocations beyond it fail, and the engine
 * answers OUT_OF_MEMORY. Rings, segments and read-only maps do not count. Errors: SL_EIO. */
SL_MUST_CHECK sl_status ex_worker_process_limit_memory(uint64_t bytes);

#endif
