/* cli_waiting.h - while a call of sluice infer goes on: its place in the queue and when it is expected to start, in one
 * line of the terminal of stderr that is written again and again, and gone at the end.
 *
 * A thread of its own watches the call by a connection of its own, once the call has taken a moment. What goes wrong
 * there is not told: it is the call that counts.
 */
#ifndef CLI_WAITING_H
#define CLI_WAITING_H

#include "cli.h"

struct cli_waiting;

/* Would anybody see it? */
bool cli_waiting_is_wanted(const struct cli_common *c);
/* call_id is borrowed until the end. NULL: it is not shown. */
struct cli_waiting *cli_waiting_begin(const struct cli_common *c, const char *call_id);
void cli_waiting_end(struct cli_waiting *w); /* NULL is fine */

#endif
