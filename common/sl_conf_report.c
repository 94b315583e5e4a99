/* sl_conf_report.c - what is wrong with a file, one line each: FILE:LINE:COLUMN: sentence. */
#include <stdarg.h>
#include <stdio.h>

#include "sl_conf_internal.h"
#include "sl_text.h"

enum { SENTENCE_MAX = 4096 };

/* Keys are text from outside: a line of the report stays one line. */
static void hide_controls(char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            *s = '?';
    }
}

/* The text that a place is in; at becomes the place there. */
static const char *name_at(const struct sl_conf_report *r, struct sl_conf_place *at)
{
    size_t number = at->line / SL_CONF_OVER_LINES;
    at->line %= SL_CONF_OVER_LINES;
    return number > 0 && number <= r->over_count ? r->over[number - 1].name : r->file_name;
}

void sl_conf_report_add(struct sl_conf_report *r, struct sl_conf_place at, const char *fmt, ...)
{
    char sentence[SENTENCE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(sentence, sizeof(sentence), fmt, args);
    va_end(args);
    hide_controls(sentence);

    char place[64] = "";
    const char *name = name_at(r, &at);
    if (at.line > 0)
        snprintf(place, sizeof(place), ":%zu:%zu", at.line, at.column);
    if (r->status == SL_OK)
        r->status = SL_EINVAL;
    if (sl_buf_printf(r->errors, "%s%s: %s\n", name, place, sentence) == SL_ENOMEM)
        r->status = SL_ENOMEM;
}

void sl_conf_report_no_memory(struct sl_conf_report *r)
{
    r->status = SL_ENOMEM;
}

const char *sl_conf_quote(struct sl_span text, char out[SL_CONF_QUOTE_MAX])
{
    const size_t room = SL_CONF_QUOTE_MAX - sizeof("\"\"...");
    size_t keep = 0;
    while (keep < text.len) {
        size_t len = sl_text_utf8_next(sl_span_of(text.data + keep, text.len - keep), NULL);
        if (len == 0 || keep + len > room)
            break;
        keep += len;
    }
    snprintf(out, SL_CONF_QUOTE_MAX, "\"%.*s\"%s", (int)keep, (const char *)text.data,
             keep < text.len ? "..." : "");
    return out;
}
