/* cli_receipt.c - what a call cost and what is left, as text for people and as JSON. */
#include "cli_receipt.h"

#include <string.h>

#include "cli_text.h"
#include "cli_time.h"
#include "sl_text.h"

sl_status cli_receipt_money(const struct sluice_receipt *r, struct sl_buf *out)
{
    char charged[CLI_TIME_BYTES];
    char left[CLI_TIME_BYTES];
    char until[CLI_TIME_BYTES];
    char visitor[sizeof(r->visitor)];

    if (r->visitor[0] == '\0' || r->charged_us < 0)
        return SL_OK;
    cli_format_gpu(r->charged_us, charged);
    memcpy(visitor, r->visitor, sizeof(visitor));
    cli_text_make_safe(visitor);
    sl_status s = sl_buf_printf(out, "%s charged to %s (tier %s)", charged, visitor, r->tier);
    if (s != SL_OK || r->left_us < 0 || r->resets_at_s < 0)
        return s;
    cli_format_gpu(r->left_us, left);
    cli_format_instant(r->resets_at_s, until);
    return sl_buf_printf(out, "; %s left until %s", left, until);
}

static sl_status add_ms(struct sl_buf *out, const char *name, int64_t us)
{
    char ms[32];

    if (us < 0)
        return SL_OK;
    sl_text_format_ms(us, ms);
    return sl_buf_printf(out, "%s%s %s ms", out->len > 0 ? ", " : "", name, ms);
}

static sl_status add_text(struct sl_buf *out, const char *name, const char *text)
{
    if (text[0] == '\0')
        return SL_OK;
    return sl_buf_printf(out, "%s%s %s", out->len > 0 ? ", " : "", name, text);
}

sl_status cli_receipt_way(const struct sluice_receipt *r, struct sl_buf *out)
{
    sl_status s = add_ms(out, "queue", r->queue_us);
    if (s == SL_OK)
        s = add_ms(out, "execution", r->exec_us);
    if (s == SL_OK)
        s = add_text(out, "node", r->node);
    return s == SL_OK ? add_text(out, "call", r->call_id) : s;
}

static json_t *json_of_number(int64_t n)
{
    return n >= 0 ? json_integer(n) : json_null();
}

static json_t *json_of_text(const char *text)
{
    return text[0] != '\0' ? json_string(text) : json_null();
}

json_t *cli_receipt_json(const struct sluice_receipt *r)
{
    int64_t resets_at_us = r->resets_at_s >= 0 ? sl_sat_mul(r->resets_at_s, SL_US_PER_S) : -1;

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "call_id",
                     json_of_text(r->call_id), "visitor", json_of_text(r->visitor), "tier",
                     json_of_text(r->tier), "charged_us", json_of_number(r->charged_us), "left_us",
                     json_of_number(r->left_us), "resets_at_us", json_of_number(resets_at_us),
                     "queue_us", json_of_number(r->queue_us), "exec_us", json_of_number(r->exec_us),
                     "node", json_of_text(r->node));
}
