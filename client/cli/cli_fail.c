/* cli_fail.c - telling that something failed: a sentence for people, an object for programs. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "cli_receipt.h"
#include "cli_text.h"
#include "cli_time.h"
#include "sl_clock.h"

enum { RECEIPT_TEXT_MAX = 1024 };

/* What there is to tell beside the sentence. */
struct failure {
    const char *reason, *code;
    int64_t retry_after_ms;               /* -1: not told */
    const struct sluice_receipt *receipt; /* NULL: none */
};

static int64_t now_s(void)
{
    return sl_clock_wall(&sl_clock_real) / SL_US_PER_S;
}

static json_t *failure_json(const char *message, const struct failure *f)
{
    json_t *o =
        json_pack("{s:s, s:s, s:s}", "error", message, "reason", f->reason, "code", f->code);

    if (f->retry_after_ms >= 0)
        json_object_set_new(o, "retry_after_ms", json_integer(f->retry_after_ms));
    if (f->receipt != NULL)
        json_object_set_new(o, "receipt", cli_receipt_json(f->receipt));
    return o;
}

static void print_retry(int64_t ms)
{
    char wait[CLI_TIME_BYTES];
    char at[CLI_TIME_BYTES];

    if (ms < 0)
        return;
    cli_format_ms(ms, wait);
    cli_format_instant(now_s() + (ms + 999) / 1000, at);
    fprintf(stderr, ms < 60000 ? "sluice: try again in %s\n" : "sluice: try again in %s, at %s\n",
            wait, at);
}

static void print_money(const struct sluice_receipt *receipt)
{
    struct sl_buf text;

    sl_buf_init(&text, &sl_alloc_malloc, RECEIPT_TEXT_MAX);
    if (cli_receipt_money(receipt, &text) == SL_OK && text.len > 0)
        fprintf(stderr, "sluice: %.*s\n", (int)text.len, (const char *)text.data);
    sl_buf_finish(&text);
}

static void tell(const struct cli_common *c, char *message, const struct failure *f)
{
    if (c->json) {
        cli_print_json(failure_json(message, f));
        return;
    }
    cli_text_make_safe(message);
    if (f->reason[0] != '\0')
        fprintf(stderr, "sluice: %s (%s)\n", message, f->reason);
    else
        fprintf(stderr, "sluice: %s\n", message);
    print_retry(f->retry_after_ms);
    if (f->receipt != NULL)
        print_money(f->receipt);
}

/* Who was not let in learns how operators are. */
static void hint_at_token(const struct cli_common *c, const struct sluice_status *s)
{
    bool is_about_token = s->code == SLUICE_UNAUTHENTICATED || s->code == SLUICE_PERMISSION_DENIED;
    if (is_about_token && c->as_operator && c->sent_no_token && !c->json)
        fputs("sluice: an operator's token is given by --token-file FILE or SLUICE_TOKEN\n",
              stderr);
}

int cli_fail_result(const struct cli_common *c, const struct sluice_status *s,
                    const struct sluice_result *result)
{
    struct sluice_receipt receipt = SLUICE_RECEIPT_INIT;
    struct sluice_status copy = *s;
    struct failure f = {.reason = s->reason,
                        .code = sluice_code_name(s->code),
                        .retry_after_ms = s->retry_after_ms};

    if (sluice_result_receipt(result, &receipt))
        f.receipt = &receipt;
    tell(c, copy.message, &f);
    hint_at_token(c, s);
    bool is_unreachable = s->code == SLUICE_UNAVAILABLE && !s->from_server;
    return is_unreachable ? CLI_UNREACHABLE : CLI_FAILED;
}

int cli_fail_status(const struct cli_common *c, const struct sluice_status *s)
{
    return cli_fail_result(c, s, NULL);
}

int cli_fail(const struct cli_common *c, int code, const char *fmt, ...)
{
    char text[2048];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    const struct failure f = {.reason = "",
                              .code = code == CLI_USAGE ? "INVALID_ARGUMENT" : "FAILED",
                              .retry_after_ms = -1};
    tell(c, text, &f);
    return code;
}

int cli_print_json(json_t *document)
{
    if (document == NULL) {
        fputs("sluice: no memory for the JSON document\n", stderr);
        return CLI_FAILED;
    }
    json_dumpf(document, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(17));
    putchar('\n');
    json_decref(document);
    return CLI_OK;
}
