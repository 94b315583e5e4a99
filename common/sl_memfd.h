/* sl_memfd.h - memory that processes share: sealed memfds, for rings, segments and message bodies.
 *
 * Sizes never change (SHRINK and GROW are sealed before anybody else sees the descriptor), so no
 * peer can make this process fault. Nothing has a name in the file system: a lost process leaves
 * nothing behind.
 *
 * Errors   SL_ENOMEM (no memory, no descriptor), SL_EINVAL (bytes is 0), SL_EPROTO
 *          (sl_memfd_check).
 * Memory   Descriptors are close-on-exec and the caller's; maps end with munmap.
 * Threads  Any.
 */
#ifndef SL_MEMFD_H
#define SL_MEMFD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sl_status.h"

/* A fresh memfd of exactly bytes, mapped read-write with its pages in place, not sealed yet. label
 * shows up in /proc/PID/maps. */
SL_MUST_CHECK sl_status sl_memfd_create(const char *label, uint64_t bytes, int *out_fd,
                                        void **out_map);

/* The same with pages that come when they are touched. */
SL_MUST_CHECK sl_status sl_memfd_create_lazy(const char *label, uint64_t bytes, int *out_fd,
                                             void **out_map);

/* After the last write: unmaps it and makes it immutable for ever. On failure it is unmapped too.
 */
SL_MUST_CHECK sl_status sl_memfd_freeze(int fd, void *map, uint64_t bytes);

/* Nobody but the holders of today's writable maps can ever write it; its size is fixed. */
SL_MUST_CHECK sl_status sl_memfd_guard(int fd);

/* A second descriptor that is open for reading only. */
SL_MUST_CHECK sl_status sl_memfd_reopen_read_only(int fd, int *out_fd);

/* Of a descriptor that a peer passed: is it a memfd of at least bytes whose size is sealed and
 * which, if immutable, nobody can write any more? Errors: SL_EPROTO. */
SL_MUST_CHECK sl_status sl_memfd_check(int fd, uint64_t bytes, bool immutable);

/* A shared map of the first bytes of fd. */
SL_MUST_CHECK sl_status sl_memfd_map(int fd, uint64_t bytes, bool writable, void **out_map);

#endif
