/* fail_calls.h - system calls of shared memory and its sockets that fail where a test wants them to.
 *
 * A program that links fail_calls.c by sluice_wrap_calls() has memfd_create, ftruncate, fcntl, mmap, munmap, open,
 * socket, connect, accept4, sendmsg and recvmsg of our code come here first; calls inside of libraries do not.
 * Each counts as one allocation of the allocator in use, and fails when that one would.
 *
 * Threads  One.
 */
#ifndef FAIL_CALLS_H
#define FAIL_CALLS_H

#include "fail_alloc.h"

/* NULL: none fails. */
void fail_calls_use(struct fail_alloc *memory);
/* Maps that our code has made and not ended. */
long fail_calls_maps(void);
/* Open descriptors of this process. */
long fail_calls_descriptors(void);

#endif
