/* up_child.h - one daemon that `sluice up` keeps alive.
 *
 * A daemon that ends unasked is started again at once; when it keeps ending soon after its start, with
 * growing pauses. Time is an argument.
 */
#ifndef UP_CHILD_H
#define UP_CHILD_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "sl_status.h"
#include "sl_time.h"

struct up_child {
    const char *name; /* "gateway" */
    char program[PATH_MAX];
    const char *conf_path;
    int announce_fd;     /* handed to the daemon; -1: none */
    pid_t pid;           /* 0: not running */
    sl_mono_ns start_at; /* of the run going on, or of the next one; SL_MONO_NEVER: not again */
    int quick_ends;      /* runs in a row that ended soon */
};

/* The pause before the next start after that many quick ends in a row. */
int64_t up_child_pause_ns(int quick_ends);

/* Starts it now. Its stdout goes to our stderr; it dies with us. Errors: SL_EIO (no process), after
 * which it is due again later. */
SL_MUST_CHECK sl_status up_child_start(struct up_child *c, sl_mono_ns now);
bool up_child_is_due(const struct up_child *c, sl_mono_ns now);
/* It ended: plans the next start. */
void up_child_ended(struct up_child *c, sl_mono_ns now);
/* Asks it to end (it will not be started again). */
void up_child_stop(struct up_child *c, int signal_number);

#endif
