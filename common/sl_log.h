/* sl_log.h - one line per event: time, level, component, message, key=value pairs.
 *
 *   2026-01-02T03:04:05.678Z info gateway node connected node=gpu1 slices=2
 *
 * or, with format json, one object per line:
 *
 *   {"time":"2026-01-02T03:04:05.678Z","level":"info","component":"gateway",
 *    "message":"node connected","node":"gpu1","slices":2}
 *
 * Values that come from outside are escaped, so a line stays one line and cannot steer a terminal:
 * quotes, backslashes, control and text-direction characters, bytes that are not UTF-8. In text a
 * value is quoted unless it is plain ASCII without spaces, quotes and '='. No secret is ever given
 * to it.
 *
 * Threads  Any; a line is one write(2) to standard error, or several lines of one thread are (sl_log_gather). Where that takes no more for a while, lines are lost rather than
 *          the program held up, and their number is told (sl_log_out.h).
 * Memory   Lines are built on the stack. One that would pass SL_LOG_LINE_MAX keeps the fields that
 *          fit (a long value ends in "...") and says cut=true at its end; JSON stays well-formed.
 */
#ifndef SL_LOG_H
#define SL_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "sl_base.h"

enum { SL_LOG_LINE_MAX = 4096 };

enum sl_log_level { SL_LOG_DEBUG, SL_LOG_INFO, SL_LOG_WARN, SL_LOG_ERROR };
enum sl_log_format { SL_LOG_TEXT, SL_LOG_JSON };

/* What configuration calls them, in the order of the enums, NULL-terminated. */
extern const char *const sl_log_level_names[];
extern const char *const sl_log_format_names[];

/* Once, before threads start. component is borrowed for the life of the process. */
void sl_log_setup(const char *component, enum sl_log_level level, enum sl_log_format format);
/* Any time, any thread (a reload). */
void sl_log_set_level(enum sl_log_level level);
/* Where lines go instead of standard error: tests. NULL: standard error again. */
void sl_log_set_sink(void (*sink)(void *ctx, const char *line, unsigned len), void *ctx);
bool sl_log_is_on(enum sl_log_level level);
/* From here on this thread's lines wait for each other, and go out at sl_log_release at the latest, or when there is
 * no room for more, or with a warning or an error: one write for many. Times are those at which they were made. */
void sl_log_gather(void);
void sl_log_release(void);
/* Lines that wait go out now; later ones wait again. */
void sl_log_flush(void);

enum sl_log_kind { SL_LOG_STR, SL_LOG_INT, SL_LOG_UINT, SL_LOG_END };
struct sl_log_field {
    enum sl_log_kind kind;
    const char *key;
    const char *str;
    int64_t i64;
    uint64_t u64;
};
#define SL_S(key, value) ((struct sl_log_field){SL_LOG_STR, (key), (value), 0, 0})
#define SL_I(key, value) ((struct sl_log_field){SL_LOG_INT, (key), 0, (int64_t)(value), 0})
#define SL_U(key, value) ((struct sl_log_field){SL_LOG_UINT, (key), 0, 0, (uint64_t)(value)})

/* sl_log(SL_LOG_INFO, "node connected", SL_S("node", name), SL_U("slices", n)); a NULL string
 * prints as "-". */
#define sl_log(level, ...)                                                                         \
    sl_log_line(level, __VA_ARGS__, (struct sl_log_field){.kind = SL_LOG_END})
void sl_log_line(enum sl_log_level level, const char *message, ...);

#endif
