/* up_paths.h - where `sluice up` keeps its files: the state directory, its lock, the sockets, and the
 * built-in models.
 *
 * Errors   A sentence in *why (SL_REASON_BAD_INPUT or SL_REASON_INTERNAL) and SL_EINVAL or SL_EIO.
 */
#ifndef UP_PATHS_H
#define UP_PATHS_H

#include <limits.h>
#include <stdbool.h>

#include "sl_reason.h"
#include "sl_status.h"

enum { UP_STATE_BYTES = PATH_MAX / 2 };

struct up_paths {
    char state[UP_STATE_BYTES];
    char models[PATH_MAX];
    char store[PATH_MAX];
    char admin_token[PATH_MAX]; /* which the gateway makes */
    char gateway_conf[PATH_MAX];
    char executor_conf[PATH_MAX];
    char control[128]; /* ipc://... */
    char bulk[128];
    int lock_fd; /* -1: not held */
};

/* Makes the directories (mode 0700), takes the lock and fills *out. state and models are the options'
 * values or NULL: then $XDG_STATE_HOME/sluice, and a repository with the model `identity` in the state
 * directory. End with up_paths_finish, on error too. */
SL_MUST_CHECK sl_status up_paths_init(const char *state, const char *models, struct up_paths *out,
                                      struct sl_error *why);
void up_paths_finish(struct up_paths *p);

/* $XDG_STATE_HOME/sluice, else ~/.local/state/sluice. false: neither is set, or it is too long. */
bool up_default_state(char out[UP_STATE_BYTES]);

/* The program beside this one, else its bare name for PATH. out holds PATH_MAX bytes. */
void up_find_program(const char *name, char *out);

#endif
