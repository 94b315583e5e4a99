/* ex_output_log.c - bytes to lines to log. */
#include "ex_output_log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sl_log.h"

void ex_output_log_init(struct ex_output_log *o, const char *model, uint32_t slice)
{
    memset(o, 0, sizeof(*o));
    o->model = model;
    o->slice = slice;
}

static void tell_dropped(struct ex_output_log *o)
{
    if (o->dropped == 0)
        return;
    sl_log(SL_LOG_WARN, "worker prints too much", SL_S("model", o->model), SL_U("slice", o->slice),
           SL_U("lines_dropped", o->dropped));
    o->dropped = 0;
}

static bool may_log(struct ex_output_log *o, sl_mono_ns now)
{
    if (now - o->second_at >= SL_NS_PER_S) {
        tell_dropped(o);
        o->second_at = now;
        o->lines = 0;
    }
    o->lines++;
    o->dropped += o->lines > EX_OUTPUT_LINES_PER_SECOND;
    return o->lines <= EX_OUTPUT_LINES_PER_SECOND;
}

static void end_line(struct ex_output_log *o, sl_mono_ns now)
{
    o->line[o->len] = '\0';
    if (o->len > 0 && may_log(o, now))
        sl_log(SL_LOG_INFO, "worker prints", SL_S("model", o->model), SL_U("slice", o->slice),
               SL_S("line", o->line));
    o->len = 0;
}

static void add(struct ex_output_log *o, const char *bytes, size_t len, sl_mono_ns now)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n')
            end_line(o, now);
        else if (o->len < EX_OUTPUT_LINE_MAX && bytes[i] != '\0') /* else it is cut */
            o->line[o->len++] = bytes[i];
    }
}

bool ex_output_log_read(struct ex_output_log *o, int pipe, sl_mono_ns now)
{
    char bytes[4096];
    for (int i = 0; i < 16; i++) {
        const ssize_t n = read(pipe, bytes, sizeof(bytes));
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0)
            return false;
        add(o, bytes, (size_t)n, now);
    }
    return true;
}

void ex_output_log_flush(struct ex_output_log *o, sl_mono_ns now)
{
    end_line(o, now);
    tell_dropped(o);
}
