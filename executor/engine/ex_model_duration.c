#include "ex_model_duration.h"

#include <string.h>

#include "sl_text.h"

static const int64_t least_ns = SL_NS_PER_MS, most_ns = INT64_C(86400) * SL_NS_PER_S;
/* Of a call of which the gateway must find out how long it takes, and cannot (yet). */
static const int64_t usual_us = 60 * SL_US_PER_S;

/* Written like a time: digits and a point, then letters at most. */
static bool looks_like_time(const char *text)
{
    static const char digits[] = "0123456789.";
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    size_t number = strspn(text, digits);
    return number > 0 && text[number + strspn(text + number, letters)] == '\0';
}

static bool read_time(const char *text, struct ex_model_spec *spec, struct sl_error *err)
{
    int64_t ns;
    char longest[32];
    if (sl_text_duration(sl_span_str(text), true, &ns) != SL_OK || ns < least_ns || ns > most_ns) {
        sl_error_set(
            err, SL_REASON_BAD_INPUT,
            "duration is %.64s; it must be a time from 1ms to 1d (ms, s, m, h, d), auto, or "
            "an expression",
            text);
        return false;
    }
    spec->duration = "";
    spec->duration_us = ns / SL_NS_PER_US;
    if (spec->duration_us <= spec->max_duration_us)
        return true;
    sl_text_format_duration(spec->max_duration_us * SL_NS_PER_US, longest);
    sl_error_set(err, SL_REASON_BAD_INPUT, "duration is longer than max_duration, %s", longest);
    return false;
}

bool ex_model_duration_read(const char *text, struct ex_model_spec *spec, struct sl_error *err)
{
    if (looks_like_time(text))
        return read_time(text, spec, err);
    if (text[0] == '\0') {
        sl_error_set(err, SL_REASON_BAD_INPUT, "duration is empty");
        return false;
    }
    spec->duration = text;
    spec->duration_us = usual_us < spec->max_duration_us ? usual_us : spec->max_duration_us;
    return true;
}
