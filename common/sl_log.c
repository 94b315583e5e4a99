/* sl_log.c - builds one line on the stack and writes it with one write(2), or with others of its thread. */
#include "sl_log.h"

#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sl_log_out.h"
#include "sl_text.h"

const char *const sl_log_level_names[] = {"debug", "info", "warn", "error", NULL};
const char *const sl_log_format_names[] = {"text", "json", NULL};

static const char *component = "sluice";
static enum sl_log_format format = SL_LOG_TEXT;
static _Atomic int least_level = SL_LOG_INFO;
static void (*sink)(void *ctx, const char *line, unsigned len);
static void *sink_ctx;

void sl_log_setup(const char *component_name, enum sl_log_level level, enum sl_log_format fmt)
{
    component = component_name;
    format = fmt;
    sl_log_set_level(level);
    sl_log_out_open();
}

void sl_log_set_level(enum sl_log_level level)
{
    atomic_store_explicit(&least_level, (int)level, memory_order_relaxed);
}

void sl_log_set_sink(void (*new_sink)(void *ctx, const char *line, unsigned len), void *ctx)
{
    sink = new_sink;
    sink_ctx = ctx;
}

bool sl_log_is_on(enum sl_log_level level)
{
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

/* ---------------------------------------------------------------------------- building the line */

/* What may follow the fields; room for the longest is kept in every line. */
#define END_OF_CUT_VALUE "...\""
#define CUT_MARK_TEXT    " cut=true"
#define CUT_MARK_JSON    ",\"cut\":true"
#define END_OF_LINE_JSON "}\n"
#define END_OF_LINE_TEXT "\n"
enum { PLAIN_BYTES_MAX = 256 };
enum { FIELDS_MAX = SL_LOG_LINE_MAX - sizeof(END_OF_CUT_VALUE CUT_MARK_JSON END_OF_LINE_JSON) };

struct line {
    char text[SL_LOG_LINE_MAX];
    size_t len;
    bool is_cut;        /* something did not fit: nothing is added any more but the end */
    bool is_quote_open; /* inside a quoted value */
};

static void put(struct line *l, const char *bytes, size_t len)
{
    if (l->is_cut || len > FIELDS_MAX - l->len) {
        l->is_cut = true;
        return;
    }
    memcpy(l->text + l->len, bytes, len);
    l->len += len;
}

static void put_str(struct line *l, const char *s)
{
    put(l, s, strlen(s));
}

/* Behind the fields, in the room kept for it. */
static void put_last(struct line *l, const char *s)
{
    size_t len = strlen(s);
    memcpy(l->text + l->len, s, len);
    l->len += len;
}

/* Characters that could end a line, move a terminal's cursor or reorder what is read. */
static bool is_unsafe(uint32_t code)
{
    bool is_control = code < 0x20 || (code >= 0x7f && code < 0xa0);
    bool is_separator = code == 0x2028 || code == 0x2029 || code == 0xfeff;
    bool is_direction = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    return is_control || is_separator || is_direction;
}

static const char *short_escape(uint32_t code)
{
    switch (code) {
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    default:
        return NULL;
    }
}

/* One character of s at *at, escaped so that it is safe between quotes. A byte that is not UTF-8 is
 * shown as \xNN in text and as U+FFFD in JSON, which has no bytes. */
static void put_char(struct line *l, struct sl_span s, size_t *at)
{
    uint32_t code = 0;
    const uint8_t *p = s.data + *at;
    size_t len = sl_text_utf8_next(sl_span_of(p, s.len - *at), &code);
    char escape[16];
    if (len == 0 && format == SL_LOG_TEXT)
        snprintf(escape, sizeof(escape), "\\x%02x", *p);
    else if (len == 0)
        snprintf(escape, sizeof(escape), "\\ufffd");
    else if (short_escape(code))
        snprintf(escape, sizeof(escape), "%s", short_escape(code));
    else if (is_unsafe(code))
        snprintf(escape, sizeof(escape), "\\u%04x", code);
    else
        escape[0] = '\0';
    *at += len > 0 ? len : 1;
    put(l, escape[0] ? escape : (const char *)p, escape[0] ? strlen(escape) : len);
}

static void put_escaped(struct line *l, const char *s)
{
    struct sl_span span = sl_span_str(s);
    for (size_t at = 0; at < span.len && !l->is_cut;)
        put_char(l, span, &at);
}

static void put_quoted(struct line *l, const char *s)
{
    put_str(l, "\"");
    l->is_quote_open = !l->is_cut;
    put_escaped(l, s);
    put_str(l, "\"");
    l->is_quote_open = l->is_quote_open && l->is_cut;
}

/* The length of s, when it may stand in a text line as it is, so that key=value can be split at spaces; else 0. A
 * long value is quoted too: only a quoted one can be cut. */
static size_t plain_len(const char *s)
{
    size_t len = 0;
    for (; s[len] != '\0'; len++) {
        char c = s[len];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=' || len == PLAIN_BYTES_MAX)
            return 0;
    }
    return len;
}

static void put_string_value(struct line *l, const char *value)
{
    size_t len = value && format == SL_LOG_TEXT ? plain_len(value) : 0;
    if (len > 0)
        put(l, value, len);
    else if (value)
        put_quoted(l, value);
    else
        put_str(l, format == SL_LOG_JSON ? "null" : "-");
}

/* As many lines have numbers as calls have ends: no format is read for them. */
static void put_number(struct line *l, uint64_t magnitude, bool is_negative)
{
    char digits[24];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude > 0);
    if (is_negative)
        digits[--at] = '-';
    put(l, digits + at, sizeof(digits) - at);
}

static void put_value(struct line *l, const struct sl_log_field *f)
{
    bool is_negative = f->kind == SL_LOG_INT && f->i64 < 0;
    if (f->kind == SL_LOG_STR)
        put_string_value(l, f->str);
    else if (f->kind == SL_LOG_INT)
        put_number(l, is_negative ? 0 - (uint64_t)f->i64 : (uint64_t)f->i64, is_negative);
    else
        put_number(l, f->u64, false);
}

/* A field is there whole, or as a quoted value that ends in "...", or not at all. */
static void put_field(struct line *l, const struct sl_log_field *f)
{
    size_t start = l->len;
    if (l->is_cut)
        return;
    put_str(l, format == SL_LOG_JSON ? ",\"" : " ");
    put_str(l, f->key);
    put_str(l, format == SL_LOG_JSON ? "\":" : "=");
    put_value(l, f);
    if (l->is_cut && !l->is_quote_open)
        l->len = start;
}

/* RFC 3339 in UTC with milliseconds. The log reads the clock itself: a line tells when it was
 * written, and nothing is decided by it. */
static void format_now(char out[32])
{
    static _Thread_local struct {
        time_t second;
        char text[24];
        size_t len;
    } last;
    struct timespec now;
    struct tm t;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != last.second || last.len == 0) {
        gmtime_r(&now.tv_sec, &t);
        last.len = strftime(last.text, sizeof(last.text), "%Y-%m-%dT%H:%M:%S", &t);
        last.second = now.tv_sec;
    }
    int ms = (int)(now.tv_nsec / 1000000);
    const char tail[] = {
        '.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10), 'Z', '\0'};
    memcpy(out, last.text, last.len);
    memcpy(out + last.len, tail, sizeof(tail));
}

static void put_head(struct line *l, enum sl_log_level level, const char *message)
{
    char now[32];
    format_now(now);
    if (format == SL_LOG_TEXT) {
        put_str(l, now);
        put_str(l, " ");
        put_str(l, sl_log_level_names[level]);
        put_str(l, " ");
        put_str(l, component);
        put_str(l, " ");
        put_escaped(l, message);
        return;
    }
    put_str(l, "{\"time\":");
    put_quoted(l, now);
    put_str(l, ",\"level\":");
    put_quoted(l, sl_log_level_names[level]);
    put_str(l, ",\"component\":");
    put_quoted(l, component);
    put_str(l, ",\"message\":");
    put_quoted(l, message);
}

static void put_tail(struct line *l)
{
    bool is_json = format == SL_LOG_JSON;
    if (l->is_quote_open)
        put_last(l, END_OF_CUT_VALUE);
    if (l->is_cut)
        put_last(l, is_json ? CUT_MARK_JSON : CUT_MARK_TEXT);
    put_last(l, is_json ? END_OF_LINE_JSON : END_OF_LINE_TEXT);
}

/* ------------------------------------------------------------------------------------ writing it */

static _Thread_local struct {
    bool is_on;
    unsigned lines;
    size_t len;
    char text[PIPE_BUF]; /* no more, so that a pipe keeps it whole */
} gathered;

static_assert(SL_LOG_LINE_MAX <= PIPE_BUF, "a line fits");

static void write_out(const char *text, size_t len, unsigned lines)
{
    if (!sl_log_out_write(text, len, lines))
        return;
    unsigned lost = sl_log_out_take_lost();
    if (lost > 0)
        sl_log(SL_LOG_WARN, "lines were lost before the last one: nobody took them",
               SL_U("lines", lost));
}

static void write_gathered(void)
{
    char text[PIPE_BUF];
    size_t len = gathered.len;
    unsigned lines = gathered.lines;
    if (len == 0)
        return;
    memcpy(text, gathered.text, len); /* writing may log */
    gathered.len = 0;
    gathered.lines = 0;
    write_out(text, len, lines);
}

static void gather(const struct line *l)
{
    if (l->len > sizeof(gathered.text) - gathered.len)
        write_gathered();
    memcpy(gathered.text + gathered.len, l->text, l->len);
    gathered.len += l->len;
    gathered.lines++;
}

void sl_log_gather(void)
{
    gathered.is_on = true;
}

void sl_log_release(void)
{
    gathered.is_on = false;
    write_gathered();
}

void sl_log_flush(void)
{
    write_gathered();
}

static void emit(const struct line *l, enum sl_log_level level)
{
    if (sink) {
        sink(sink_ctx, l->text, (unsigned)l->len);
    } else if (gathered.is_on) {
        gather(l);
        if (level >= SL_LOG_WARN)
            write_gathered();
    } else {
        write_out(l->text, l->len, 1);
    }
}

void sl_log_line(enum sl_log_level level, const char *message, ...)
{
    if (!sl_log_is_on(level))
        return;
    struct line l;
    l.len = 0;
    l.is_cut = false;
    l.is_quote_open = false;
    put_head(&l, level, message);
    va_list args;
    va_start(args, message);
    for (;;) {
        struct sl_log_field f = va_arg(args, struct sl_log_field);
        if (f.kind == SL_LOG_END)
            break;
        put_field(&l, &f);
    }
    va_end(args);
    put_tail(&l);
    emit(&l, level);
}
