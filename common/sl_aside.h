/* sl_aside.h - deeds that take long and that nobody waits for, beside a loop that must not stand still:
 * giving 1 GiB back to the system takes a quarter of a second, and seconds on a busy machine.
 *
 * Each deed has a thread of its own, which ends with it; what cannot have one is done at once. Large memory goes
 * back in pieces, so that the other threads' maps never wait long for it.
 *
 * Threads  Any.
 * Memory   What is given belongs to the deed from the call on.
 */
#ifndef SL_ASIDE_H
#define SL_ASIDE_H

#include <stddef.h>

#include "sl_alloc.h"

/* Calls deed(give_ctx) on another thread. */
void sl_aside_do(void (*deed)(void *ctx), void *give_ctx);
/* munmap; less than 4 MiB at once. */
void sl_aside_unmap(void *give_map, size_t bytes);
/* sl_alloc_free of a block of so many bytes; what the heap keeps (up to 32 MiB) at once. */
void sl_aside_free(const struct sl_alloc *alloc, void *give_block, size_t bytes);

#endif
