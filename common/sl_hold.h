/* sl_hold.h - threads of a process held to one processor for a while, and let go as they were.
 *
 * A thread that is woken on the processor of its waker runs in a tenth of the time that one needs on
 * another processor that sleeps. Whether it pays is for others to find out; here it is done and undone.
 *
 * Purity   System calls: sched_setaffinity, and /proc/PID/task to find threads.
 * Threads  Any one; a struct belongs to one.
 * Errors   What cannot be held is said, and nothing is held. Letting go does not fail: threads that have
 *          ended, and those whose processors somebody else has set meanwhile, are left alone.
 * Memory   The caller's.
 */
#ifndef SL_HOLD_H
#define SL_HOLD_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sl_status.h"

enum { SL_HOLD_THREADS_MAX = 8 };

/* Zeroed: holds nothing. */
struct sl_hold {
    pid_t pid;
    int cpu;
    size_t count; /* 0: nothing is held */
    struct {
        pid_t tid;
        cpu_set_t was;
    } threads[SL_HOLD_THREADS_MAX];
};

/* Holds threads of process pid to cpu. Errors: SL_EINVAL (a thread may not run there; too many of them;
 * some are held already), SL_ENOENT (there is no such thread), SL_EIO (the system refuses it). */
SL_MUST_CHECK sl_status sl_hold_begin(struct sl_hold *h, pid_t pid, const pid_t tids[],
                                      size_t count, int cpu);
/* Lets go, also of threads that the held ones have started meanwhile. */
void sl_hold_end(struct sl_hold *h);
/* The process has ended, and its number may come again. */
void sl_hold_forget(struct sl_hold *h);
/* In a child forked by a held thread: it is not held. h: NULL, or of the parent. Async-signal-safe. */
void sl_hold_free_child(const struct sl_hold *h);

/* Adds this process's threads whose names begin with prefix to tids. Returns the new count, at most max. */
size_t sl_hold_find_threads(const char *prefix, pid_t tids[], size_t count, size_t max);

#endif
