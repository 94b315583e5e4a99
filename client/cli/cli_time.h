/* cli_time.h - times as people write and read them on a command line. Pure: now is an argument.
 *
 * Spans     "2h 5m", "13.0s", "120ms": two units at most. GPU time is finer: "0.055 ms", "12.345 s",
 *           then the same.
 * Instants  "2026-11-21 15:40:00 UTC" for people, "2026-11-21T15:40:00Z" for programs.
 */
#ifndef CLI_TIME_H
#define CLI_TIME_H

#include "sl_base.h"
#include "sl_status.h"
#include "sl_time.h"

enum { CLI_TIME_BYTES = 32 };

void cli_format_ms(int64_t ms, char out[CLI_TIME_BYTES]);
/* The first whole second that is not before at_us: when time is there again, as the trailers tell it. */
int64_t cli_next_second_us(int64_t at_us);
/* "nothing" for 0; below 0, as what a grant takes back may be, with a '-'. */
void cli_format_gpu(int64_t us, char out[CLI_TIME_BYTES]);
void cli_format_instant(int64_t at_s, char out[CLI_TIME_BYTES]);
void cli_format_rfc3339(int64_t at_s, char out[CLI_TIME_BYTES]);

/* Seconds since 1970 from "2026-11-21", "2026-11-21T15:40:00Z" or "2026-11-21 15:40".
 * Errors: SL_EINVAL. */
SL_MUST_CHECK sl_status cli_parse_date(const char *text, int64_t *out_s);
/* The same, or a span: "7d" is direction times so long from now. */
SL_MUST_CHECK sl_status cli_parse_when(const char *text, int64_t now_s, int direction,
                                       int64_t *out_s);

#endif
