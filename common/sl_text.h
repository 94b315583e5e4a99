/* sl_text.h - reading and writing the small texts that configuration, metadata and tables use.
 * Pure; no locale. */
#ifndef SL_TEXT_H
#define SL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sl_span.h"
#include "sl_status.h"
#include "sl_time.h"

/* Well-formed UTF-8 (RFC 3629: no surrogates or overlong forms, <= U+10FFFF) without a NUL byte. */
bool sl_text_is_utf8(struct sl_span s);
/* Length of the character that s begins with, 0 when s is empty or does not begin with a
 * well-formed one. out_code, when not NULL, gets the code point (0 for a NUL byte). */
size_t sl_text_utf8_next(struct sl_span s, uint32_t *out_code);

/* The next item of a comma-separated list, without the spaces around it; *list moves past it.
 * false: the list has ended. "a,,b" has three items, "" has none, the end of "a," is none. */
bool sl_text_next_item(struct sl_span *list, struct sl_span *out);

/* A whole decimal integer with optional '-'. Errors: SL_EINVAL (not a number), SL_ERANGE. */
SL_MUST_CHECK sl_status sl_text_int(struct sl_span s, int64_t *out);

/* "90s", "500ms", "2m", "1h", "1d", "10us", "5ns", "1.5s" to nanoseconds; a bare number is seconds
 * only when bare_seconds. Never negative. Errors: SL_EINVAL (form, unit, or a fraction of a
 * nanosecond), SL_ERANGE. */
SL_MUST_CHECK sl_status sl_text_duration(struct sl_span s, bool bare_seconds, int64_t *out_ns);

/* "64MiB", "141GB", "100B", "4KiB", "1TiB", "1.5GiB" to bytes (KiB = 1024, KB = 1000). Errors as
 * above. */
SL_MUST_CHECK sl_status sl_text_bytes(struct sl_span s, uint64_t *out_bytes);

/* Writes the shortest exact form in whole numbers ("90s", "1500ms"; "64MiB", "141GB") that the
 * readers above take; a negative duration, which they do not take, gets a '-'. */
void sl_text_format_duration(int64_t ns, char out[32]);
void sl_text_format_bytes(uint64_t bytes, char out[32]);
/* Milliseconds with three decimals: 12345 is "12.345". Of every call twice, hence without printf.
 * Negative counts as 0. */
void sl_text_format_ms(int64_t us, char out[32]);

/* "2026-11-21T15:40:00Z": UTC, in whole seconds, rounded down; from 1970 to the end of 9999, and the nearer end
 * beyond that. */
enum { SL_TEXT_INSTANT_LEN = 20 };
void sl_text_format_instant(sl_wall_us at, char out[SL_TEXT_INSTANT_LEN + 1]);

/* Canonical lower-case UUID text (8-4-4-4-12). */
enum { SL_UUID_TEXT_LEN = 36 };
bool sl_text_is_uuid(struct sl_span s);
/* The text of 16 bytes. */
void sl_text_format_uuid(const uint8_t bytes[16], char out[SL_UUID_TEXT_LEN + 1]);
/* The 16 bytes of a UUID's text. false: it is none (sl_text_is_uuid), and out is unchanged. */
bool sl_text_read_uuid(struct sl_span s, uint8_t out[16]);
/* A UUID of version 4 by form (RFC 9562) out of 128 random bits, of which 122 are used. */
void sl_text_make_uuid(uint64_t high, uint64_t low, char out[SL_UUID_TEXT_LEN + 1]);

#endif
