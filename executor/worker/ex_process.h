/* ex_process.h - child processes of the supervisor: started with few descriptors, killed with all
 * they started, reaped exactly once.
 *
 * A child leads its own process group. What leaves the group and outlives its parent comes to this
 * process (PR_SET_CHILD_SUBREAPER) and is ended by ex_process_end_strays.
 *
 * Threads  One: the one that forks must live as long as its children (they die with it).
 */
#ifndef EX_PROCESS_H
#define EX_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sl_hold.h"
#include "sl_status.h"

struct ex_process {
    pid_t pid;    /* 0: none */
    int pidfd;    /* readable when it is gone; -1 */
    int output;   /* what it writes to standard output and error; nonblocking; -1 */
    bool is_gone; /* reaped; status is known */
    int status;   /* of waitpid */
};

/* Once, at start: orphans of children come to this process. */
SL_MUST_CHECK sl_status ex_process_become_reaper(void);

/* argv[0] is the program's path. worker_fds: as ex_channel_place_worker_fds takes them. own: what this
 * thread is held to and the child is not; NULL: nothing. Errors: SL_ENOMEM (no process, no descriptor). A
 * program that cannot be run exits with 127. */
SL_MUST_CHECK sl_status ex_process_start(char *const argv[], const int worker_fds[],
                                         const struct sl_hold *own, struct ex_process *out);
/* SIGKILL for the whole group; gone is told by the pidfd. */
void ex_process_kill(const struct ex_process *p);
/* SIGURG for the process alone: something of it was cancelled. */
void ex_process_tell_cancelled(const struct ex_process *p);
/* Reaps it if it is gone, and ends what is left of its group. True: gone (then or before). */
bool ex_process_reap(struct ex_process *p);
/* Closes the descriptors; the process must be gone. */
void ex_process_close(struct ex_process *p);
/* "was killed by signal 9 (Killed)", "ended with exit code 3". Returns out. */
const char *ex_process_end_text(const struct ex_process *p, char *out, size_t out_bytes);

/* Ends and reaps children that is_known does not know: strays of workers. */
void ex_process_end_strays(bool (*is_known)(void *ctx, pid_t pid), void *ctx);

#endif
