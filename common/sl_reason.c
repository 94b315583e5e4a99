/* sl_reason.c - the table of reasons and the sentence that goes with one. */
#include "sl_reason.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "sl_text.h"

struct reason_row {
    const char *name;
    enum sl_grpc_code grpc;
    int http;
};

static const struct reason_row *row_of(enum sl_reason r)
{
    static const struct reason_row rows[] = {
#define REASON_ROW(name, grpc, http) [SL_REASON_##name] = {#name, SL_GRPC_##grpc, http},
        SL_REASON_MAP(REASON_ROW)
#undef REASON_ROW
    };
    return &rows[(unsigned)r < SL_REASON_COUNT ? r : SL_REASON_INTERNAL];
}

const char *sl_reason_name(enum sl_reason r)
{
    return row_of(r)->name;
}

enum sl_grpc_code sl_reason_grpc(enum sl_reason r)
{
    return row_of(r)->grpc;
}

int sl_reason_http(enum sl_reason r)
{
    return row_of(r)->http;
}

enum sl_reason sl_reason_from_name(const char *name)
{
    for (int r = 0; r < SL_REASON_COUNT; r++) {
        if (strcmp(row_of((enum sl_reason)r)->name, name) == 0)
            return (enum sl_reason)r;
    }
    return SL_REASON_INTERNAL;
}

int64_t sl_reason_retry_after_ms(enum sl_reason r)
{
    switch (r) {
    case SL_REASON_QUEUE_FULL:
    case SL_REASON_NO_CAPACITY:
    case SL_REASON_EXECUTOR_LOST:
    case SL_REASON_DEVICE_FAULT:
        return 1000;
    case SL_REASON_DRAINING: /* another server, or this one once it is started again */
    case SL_REASON_PREEMPTED:
        return 2000;
    case SL_REASON_ALLOCATION_TIMEOUT: /* a whole wait was not enough */
        return 10000;
    default:
        return -1;
    }
}

bool sl_reason_forbids_retry(enum sl_reason r)
{
    return r == SL_REASON_ALLOCATION_TIMEOUT || r == SL_REASON_DURATION_EXCEEDED;
}

/* Replaces what is not UTF-8 by '?' in place; a character that was cut off at the end goes. */
static void make_utf8(char *text, size_t len, bool was_cut)
{
    size_t at = 0;
    while (at < len) {
        size_t char_len = sl_text_utf8_next(sl_span_of(text + at, len - at), NULL);
        if (char_len == 0 && was_cut && len - at < 4) {
            text[at] = '\0';
            return;
        }
        if (char_len == 0)
            text[at] = '?';
        at += char_len > 0 ? char_len : 1;
    }
}

static void format(char *out, size_t out_bytes, const char *fmt, va_list args)
{
    int wanted = vsnprintf(out, out_bytes, fmt, args);
    if (wanted < 0)
        out[0] = '\0';
    make_utf8(out, strlen(out), wanted >= (int)out_bytes);
}

void sl_error_set(struct sl_error *e, enum sl_reason reason, const char *fmt, ...)
{
    char text[SL_ERROR_TEXT_MAX]; /* apart from e: e->text may be among the arguments */
    va_list args;
    va_start(args, fmt);
    format(text, sizeof text, fmt, args);
    va_end(args);
    e->reason = reason;
    memcpy(e->text, text, sizeof text);
    e->field[0] = '\0';
}

void sl_error_set_field(struct sl_error *e, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    format(e->field, sizeof e->field, fmt, args);
    va_end(args);
}
