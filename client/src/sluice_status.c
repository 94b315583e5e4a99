/* sluice_status.c - filling the public status struct; names and maps of codes. */
#include "sluice_status.h"

#include <nghttp2/nghttp2.h>
#include <stdarg.h>
#include <stdio.h>

const char *sluice_version(void)
{
    return SLUICE_VERSION;
}

const char *sluice_code_name(int code)
{
    static const char *const names[] = {
        [SLUICE_OK] = "OK",
        [SLUICE_CANCELLED] = "CANCELLED",
        [SLUICE_UNKNOWN] = "UNKNOWN",
        [SLUICE_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
        [SLUICE_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
        [SLUICE_NOT_FOUND] = "NOT_FOUND",
        [SLUICE_ALREADY_EXISTS] = "ALREADY_EXISTS",
        [SLUICE_PERMISSION_DENIED] = "PERMISSION_DENIED",
        [SLUICE_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
        [SLUICE_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
        [SLUICE_ABORTED] = "ABORTED",
        [SLUICE_OUT_OF_RANGE] = "OUT_OF_RANGE",
        [SLUICE_UNIMPLEMENTED] = "UNIMPLEMENTED",
        [SLUICE_INTERNAL] = "INTERNAL",
        [SLUICE_UNAVAILABLE] = "UNAVAILABLE",
        [SLUICE_DATA_LOSS] = "DATA_LOSS",
        [SLUICE_UNAUTHENTICATED] = "UNAUTHENTICATED",
    };
    if (code < 0 || (size_t)code >= SL_ARRAY_LEN(names))
        return "UNKNOWN";
    return names[code];
}

void sluice_status_clear(struct sluice_status *s)
{
    *s = (struct sluice_status){.code = SLUICE_OK, .retry_after_ms = -1};
}

void sluice_status_copy_text(char *out, size_t out_bytes, struct sl_span text)
{
    const uint8_t *nul = text.len > 0 ? memchr(text.data, 0, text.len) : NULL;
    size_t len = nul != NULL ? (size_t)(nul - text.data) : text.len;

    if (len >= out_bytes) {
        len = out_bytes - 1;
        while (len > 0 && (text.data[len] & 0xC0) == 0x80)
            len--; /* not in the middle of a character */
    }
    if (len > 0)
        memcpy(out, text.data, len);
    out[len] = '\0';
}

int sluice_status_set(struct sluice_status *s, enum sluice_code code, const char *reason,
                      const char *fmt, ...)
{
    char text[SLUICE_MESSAGE_BYTES + 8];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    sluice_status_clear(s);
    s->code = (int)code;
    sluice_status_copy_text(s->reason, sizeof(s->reason), sl_span_str(reason));
    sluice_status_copy_text(s->message, sizeof(s->message), sl_span_str(text));
    return (int)code;
}

enum sluice_code sluice_status_of_http(int http_status)
{
    switch (http_status) {
    case 400:
        return SLUICE_INTERNAL;
    case 401:
        return SLUICE_UNAUTHENTICATED;
    case 403:
        return SLUICE_PERMISSION_DENIED;
    case 404:
        return SLUICE_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return SLUICE_UNAVAILABLE;
    default:
        return SLUICE_UNKNOWN;
    }
}

enum sluice_code sluice_status_of_reset(uint32_t error_code)
{
    switch (error_code) {
    case NGHTTP2_REFUSED_STREAM:
        return SLUICE_UNAVAILABLE;
    case NGHTTP2_CANCEL:
        return SLUICE_CANCELLED;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return SLUICE_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY:
        return SLUICE_PERMISSION_DENIED;
    default:
        return SLUICE_INTERNAL;
    }
}
