/* cli_time.c - times as people write and read them on a command line. */
#include "cli_time.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "sl_text.h"

void cli_format_ms(int64_t ms, char out[CLI_TIME_BYTES])
{
    int64_t s = ms / 1000;

    if (ms < 1000)
        snprintf(out, CLI_TIME_BYTES, "%" PRId64 "ms", ms);
    else if (s < 60)
        snprintf(out, CLI_TIME_BYTES, "%" PRId64 ".%" PRId64 "s", s, ms % 1000 / 100);
    else if (s < 3600)
        snprintf(out, CLI_TIME_BYTES, "%" PRId64 "m %" PRId64 "s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, CLI_TIME_BYTES, "%" PRId64 "h %" PRId64 "m", s / 3600, s % 3600 / 60);
    else
        snprintf(out, CLI_TIME_BYTES, "%" PRId64 "d %" PRId64 "h", s / 86400, s % 86400 / 3600);
}

void cli_format_gpu(int64_t us, char out[CLI_TIME_BYTES])
{
    int64_t ms = us / 1000;

    if (us < 0 && us > INT64_MIN) {
        *out = '-';
        char positive[CLI_TIME_BYTES];
        cli_format_gpu(-us, positive);
        snprintf(out + 1, CLI_TIME_BYTES - 1, "%.*s", CLI_TIME_BYTES - 2, positive);
    } else if (us == 0) {
        snprintf(out, CLI_TIME_BYTES, "nothing");
    } else if (ms < 1000) {
        snprintf(out, CLI_TIME_BYTES, "%" PRId64 ".%03" PRId64 " ms", ms, us % 1000);
    } else if (ms < 60000) {
        snprintf(out, CLI_TIME_BYTES, "%" PRId64 ".%03" PRId64 " s", ms / 1000, ms % 1000);
    } else {
        cli_format_ms(ms, out);
    }
}

static void format_with(const char *form, int64_t at_s, char out[CLI_TIME_BYTES])
{
    time_t at = (time_t)at_s;
    struct tm parts;

    if (gmtime_r(&at, &parts) == NULL || strftime(out, CLI_TIME_BYTES, form, &parts) == 0)
        snprintf(out, CLI_TIME_BYTES, "?");
}

int64_t cli_next_second_us(int64_t at_us)
{
    int64_t beyond = at_us % SL_US_PER_S;
    return beyond > 0 ? sl_sat_add(at_us, SL_US_PER_S - beyond) : at_us;
}

void cli_format_instant(int64_t at_s, char out[CLI_TIME_BYTES])
{
    format_with("%Y-%m-%d %H:%M:%S UTC", at_s, out);
}

void cli_format_rfc3339(int64_t at_s, char out[CLI_TIME_BYTES])
{
    format_with("%Y-%m-%dT%H:%M:%SZ", at_s, out);
}

/* timegm takes 31 February for 3 March: what comes back must be what was written. */
static bool is_a_day(const struct tm *written, int64_t at_s)
{
    time_t at = (time_t)at_s;
    struct tm real;
    return gmtime_r(&at, &real) != NULL && real.tm_mday == written->tm_mday &&
           real.tm_mon == written->tm_mon;
}

sl_status cli_parse_date(const char *text, int64_t *out_s)
{
    static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M",
                                        "%Y-%m-%d %H:%M:%S"};

    for (size_t i = 0; i < SL_ARRAY_LEN(forms); i++) {
        struct tm at = {0};
        const char *end = strptime(text, forms[i], &at);
        if (end == NULL || *end != '\0')
            continue;
        struct tm written = at;
        *out_s = (int64_t)timegm(&at);
        return *out_s >= 0 && is_a_day(&written, *out_s) ? SL_OK : SL_EINVAL;
    }
    return SL_EINVAL;
}

sl_status cli_parse_when(const char *text, int64_t now_s, int direction, int64_t *out_s)
{
    int64_t ns;

    if (sl_text_duration(sl_span_str(text), false, &ns) != SL_OK)
        return cli_parse_date(text, out_s);
    *out_s = now_s + direction * (ns / SL_NS_PER_S);
    return SL_OK;
}
