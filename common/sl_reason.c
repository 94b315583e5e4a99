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

void sl_error_set(struct sl_error *e, enum sl_reason reason, const char *fmt, ...)
{
    char text[SL_ERROR_TEXT_MAX]; /* apart from e: e->text may be among the arguments */
    va_list args;
    va_start(args, fmt);
    int wanted = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (wanted < 0)
        text[0] = '\0';
    make_utf8(text, strlen(text), wanted >= (int)sizeof(text));
    e->reason = reason;
    memcpy(e->text, text, sizeof(text));
}
