/* sl_log_out.h - where the log goes: standard error, without ever waiting long for who reads it.
 *
 * A pipe, a terminal or a socket may have a reader who is slow, stopped or asleep. He is waited for once, for
 * SL_LOG_PATIENCE_MS; while he takes nothing, lines are lost without a wait, and counted.
 *
 * A pipe and a terminal are opened anew for that, because O_NONBLOCK belongs to the open file, which other programs
 * have too.
 *
 * Threads  Any, after sl_log_out_open; a line is written whole, and lines of threads do not mix.
 */
#ifndef SL_LOG_OUT_H
#define SL_LOG_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "sl_base.h"

enum { SL_LOG_PATIENCE_MS = 200 };

/* Looks at what standard error is. Once, before threads start; without it writes wait. */
void sl_log_out_open(void);
/* So many whole lines; len at most PIPE_BUF. false: they were lost. */
bool sl_log_out_write(const char *text, size_t len, unsigned lines);
/* How many were lost since it was asked last. */
unsigned sl_log_out_take_lost(void);

#endif
