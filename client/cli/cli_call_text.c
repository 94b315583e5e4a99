#include "cli_call_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "cli_text.h"
#include "cli_time.h"

typedef Sluice__V1__CallStatus pb_call;

struct line {
    char *out;
    size_t len;
};

static void add(struct line *l, const char *fmt, ...) SL_PRINTF(2, 3);

static void add(struct line *l, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(l->out + l->len, CLI_CALL_TEXT_BYTES - l->len, fmt, args);
    va_end(args);
    size_t room = CLI_CALL_TEXT_BYTES - l->len - 1;
    l->len += n > 0 && (size_t)n < room ? (size_t)n : n > 0 ? room : 0;
}

static const char *span(int64_t us, char out[CLI_TIME_BYTES])
{
    cli_format_ms(us / (SL_US_PER_S / 1000), out);
    return out;
}

static void add_eta(struct line *l, const pb_call *c)
{
    char p50[CLI_TIME_BYTES], p90[CLI_TIME_BYTES];
    if (c->eta_p50_us < 0)
        add(l, "; no executor has slices for it now");
    else if (c->eta_p90_us > 0)
        add(l, "; starts in about %s, in nine of ten cases within %s", span(c->eta_p50_us, p50),
            span(c->eta_p90_us, p90));
    if (c->delayed_by[0] != '\0')
        add(l, "; %s", c->delayed_by);
}

static void add_running(struct line *l, const pb_call *c)
{
    char ran[CLI_TIME_BYTES], most[CLI_TIME_BYTES], waited[CLI_TIME_BYTES];
    add(l, "running on %s for %s, at most %s; waited %s", c->node, span(c->run_us, ran),
        span(c->limit_us, most), span(c->queue_us, waited));
}

static void add_end(struct line *l, const pb_call *c)
{
    char waited[CLI_TIME_BYTES], ran[CLI_TIME_BYTES], charged[CLI_TIME_BYTES];
    add(l, "ended with %s", c->reason);
    if (c->node[0] != '\0')
        add(l, " on %s", c->node);
    cli_format_gpu(c->charged_us, charged);
    add(l, "; waited %s, ran %s, %s charged", span(c->queue_us, waited), span(c->run_us, ran),
        charged);
    if (c->text[0] != '\0')
        add(l, "; %s", c->text);
}

void cli_call_text(const pb_call *c, char out[CLI_CALL_TEXT_BYTES])
{
    struct line l = {out, 0};
    out[0] = '\0';
    switch (c->state) {
    case SLUICE__V1__CALL_STATUS__STATE__STATE_QUEUED:
        add(&l, "%" PRId64 " of %" PRId64 " in the queue", c->position, c->waiting);
        add_eta(&l, c);
        break;
    case SLUICE__V1__CALL_STATUS__STATE__STATE_DISPATCHED:
        add(&l, "sent to %s", c->node);
        add_eta(&l, c);
        break;
    case SLUICE__V1__CALL_STATUS__STATE__STATE_RUNNING:
        add_running(&l, c);
        break;
    case SLUICE__V1__CALL_STATUS__STATE__STATE_ENDED:
        add_end(&l, c);
        break;
    default:
        add(&l, "not in the queue yet");
    }
    cli_text_make_safe(out);
}
