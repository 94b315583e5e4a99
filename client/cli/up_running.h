/* up_running.h - where the `sluice up` of this user serves, for commands that are its operator's.
 *
 * It writes its address into its state directory and holds the lock there. A command that finds both
 * true may send the administrator's token to that address: nobody else listens at it.
 */
#ifndef UP_RUNNING_H
#define UP_RUNNING_H

#include <limits.h>
#include <stdbool.h>

#include "sl_reason.h"
#include "sl_status.h"

/* Makes known that `sluice up` with this state directory serves gRPC at address. Errors: SL_EIO with
 * a sentence. */
SL_MUST_CHECK sl_status up_running_announce(const char *state, const char *address,
                                            struct sl_error *why);
/* It does not any more, or not yet. */
void up_running_withdraw(const char *state);

/* The path of the token when a `sluice up` in this user's own state directory serves address now;
 * else false. */
bool up_running_admin_token(const char *address, char out_path[PATH_MAX]);

#endif
