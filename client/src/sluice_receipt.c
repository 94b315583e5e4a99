/* sluice_receipt.c - what a call cost and what is left, out of its trailers. */
#include "sl_text.h"
#include "sl_time.h"
#include "sluice_result.h"
#include "sluice_status.h"
#include "sluice_text.h"

#include <time.h>

/* "12.345" milliseconds, of which up to three decimals may be missing; -1: not that. */
static int64_t read_ms(const char *text)
{
    struct sl_span s = sl_span_str(text);
    const uint8_t *dot = s.len > 0 ? memchr(s.data, '.', s.len) : NULL;
    size_t whole_len = dot != NULL ? (size_t)(dot - s.data) : s.len;
    size_t decimals = dot != NULL ? s.len - whole_len - 1 : 0;
    int64_t whole;
    int64_t part = 0;

    if (sl_text_int(sl_span_of(s.data, whole_len), &whole) != SL_OK || text[0] == '-' ||
        decimals > 3 || whole > INT64_MAX / 1000 - 1)
        return -1;
    if (dot != NULL &&
        (sl_text_int(sl_span_of(dot + 1, decimals), &part) != SL_OK || dot[1] == '-'))
        return -1;
    for (size_t i = decimals; i < 3; i++)
        part *= 10;
    return whole * 1000 + part;
}

/* "2026-11-21T15:40:00Z"; -1: not that. */
static int64_t read_instant(const char *text)
{
    struct tm at = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &at);
    return end != NULL && *end == '\0' ? (int64_t)timegm(&at) : -1;
}

static int64_t ms_of(const struct sluice_result *r, const char *name)
{
    const char *text = sluice_result_metadata(r, name);
    return text != NULL ? read_ms(text) : -1;
}

static void copy_text(const struct sluice_result *r, const char *name, char *out, size_t out_bytes)
{
    const char *text = sluice_result_metadata(r, name);
    if (text != NULL)
        sluice_status_copy_text(out, out_bytes, sl_span_str(text));
}

/* "user:alice; tier=pro", whose name has %XX for what a header cannot hold. */
static void read_visitor(const struct sluice_result *r, struct sluice_receipt *out)
{
    static const char before_tier[] = "; tier=";
    char name[3 * SLUICE_RECEIPT_VISITOR_BYTES];
    const char *text = sluice_result_metadata(r, "sluice-visitor");

    if (text == NULL)
        return;
    const char *tier = strstr(text, before_tier);
    size_t len = tier != NULL ? (size_t)(tier - text) : strlen(text);
    len = len < sizeof(name) ? len : sizeof(name);
    memcpy(name, text, len);
    len = sluice_percent_decode(name, len);
    sluice_status_copy_text(out->visitor, sizeof(out->visitor), sl_span_of(name, len));
    if (tier != NULL)
        sluice_status_copy_text(out->tier, sizeof(out->tier),
                                sl_span_str(tier + sizeof(before_tier) - 1));
}

static void read_all(const struct sluice_result *r, struct sluice_receipt *out)
{
    const char *resets_at = sluice_result_metadata(r, "sluice-resets-at");

    out->charged_us = ms_of(r, "sluice-charged-ms");
    out->left_us = ms_of(r, "sluice-left-ms");
    out->resets_at_s = resets_at != NULL ? read_instant(resets_at) : -1;
    out->queue_us = ms_of(r, "sluice-queue-ms");
    out->exec_us = ms_of(r, "sluice-exec-ms");
    copy_text(r, "sluice-call-id", out->call_id, sizeof(out->call_id));
    copy_text(r, "sluice-node", out->node, sizeof(out->node));
    read_visitor(r, out);
}

bool sluice_result_receipt(const struct sluice_result *result, struct sluice_receipt *out)
{
    struct sluice_receipt receipt = SLUICE_RECEIPT_INIT;
    size_t bytes = out->struct_bytes < sizeof(receipt) ? out->struct_bytes : sizeof(receipt);

    if (result != NULL)
        read_all(result, &receipt);
    receipt.struct_bytes = out->struct_bytes;
    memcpy(out, &receipt, bytes); /* a caller of an older header has room for less */
    return receipt.visitor[0] != '\0';
}
