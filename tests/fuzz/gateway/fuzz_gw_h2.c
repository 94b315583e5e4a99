/* fuzz_gw_h2.c - bytes into a gw_h2 with a flow that echoes: whatever comes, each exchange gets one reply and
 * comes home, and what is pending stays bounded.
 *
 * Input: one byte of options (1: the preface is sent first, 2: flow refuses, 4: flow is slow, 8: the peer takes
 * half of what we send), one byte of chunk size, then the bytes of the client. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gw_h2.h"

static const struct gw_h2_peer peer = {.text = "fuzz"};

enum { MAILS_MAX = 1 << 16, VECTORS_MAX = 64, REPLIED = 1 };
enum { OPT_PREFACE = 1, OPT_REFUSES = 2, OPT_SLOW = 4, OPT_HALF = 8 };

struct mail {
    struct gw_exchange *x;
    unsigned events;
};

struct world {
    struct gw_h2 *h2;
    struct gw_stream_pool pool;
    struct gw_net_counts counts;
    struct gw_h2_port port;
    struct mail mails[MAILS_MAX];
    size_t first, end;
    unsigned options;
    size_t opened, sent;
};

static struct world w;

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void post(void *ctx, struct gw_exchange *x, unsigned events)
{
    (void)ctx;
    check(w.end < MAILS_MAX);
    w.mails[w.end++] = (struct mail){x, events};
}

static void release(void *body)
{
    gw_body_release(body);
}

static void reply(struct gw_exchange *x)
{
    struct sl_span *piece = sl_arena_get(&x->arena, sizeof *piece);
    x->flow_call = REPLIED;
    x->reply.release = release;
    x->reply.release_ctx = x->body;
    if (x->body != NULL && piece != NULL) {
        *piece = sl_span_of(x->body->data, x->body->len);
        x->reply.pieces = piece;
        x->reply.piece_count = 1;
        x->reply.message_bytes = piece->len;
    } else {
        sl_error_set(&x->reply.error, SL_REASON_CANCELLED, "100%% gone");
    }
    x->body = NULL;
    gw_h2_reply(gw_stream_of(x), &w.port);
}

static void take(struct mail m)
{
    w.opened += (m.events & GW_EV_OPEN) != 0;
    if ((m.events & GW_EV_LENGTH) != 0)
        gw_h2_grant(gw_stream_of(m.x));
    if (m.x->flow_call == REPLIED) {
        gw_body_release(m.x->body);
        m.x->body = NULL;
    } else if ((m.events & (GW_EV_MESSAGE | GW_EV_GONE)) != 0 || (w.options & OPT_REFUSES) != 0) {
        reply(m.x);
    }
    if ((m.events & GW_EV_SENT) != 0) {
        w.sent++;
        check(m.x->flow_call == REPLIED);
        gw_stream_give(&w.pool, gw_stream_of(m.x));
    }
}

static void run_flow(void)
{
    while (w.first < w.end)
        take(w.mails[w.first++]);
    w.first = w.end = 0;
}

static void run_output(const struct gw_h2_conf *conf)
{
    struct iovec v[VECTORS_MAX];
    size_t total = 0;
    size_t n = gw_h2_output(w.h2, v, VECTORS_MAX, 0);
    for (size_t i = 0; i < n; i++)
        total += v[i].iov_len;
    check(total < conf->outbound_max_bytes + 300 * 1024);
    gw_h2_sent(w.h2, (w.options & OPT_HALF) != 0 ? total / 2 : total);
}

static void input(const uint8_t *bytes, size_t len)
{
    (void)!gw_h2_input(w.h2, sl_span_of(bytes, len), 0);
}

static void run_client(const struct gw_h2_conf *conf, const uint8_t *data, size_t size, size_t step)
{
    static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    if ((w.options & OPT_PREFACE) != 0)
        input(preface, sizeof preface);
    for (size_t at = 0; at < size; at += step) {
        input(data + at, size - at < step ? size - at : step);
        if ((w.options & OPT_SLOW) == 0)
            run_flow();
        run_output(conf);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct gw_h2_conf conf = {
        .max_streams = 10,
        .max_message_bytes = 1 << 20,
        .header_bytes_max = 4096,
        .held_bytes_max = 256 * 1024,
        .outbound_max_bytes = 16 * 1024,
        .pace = {.interval_ns = SL_NS_PER_S},
    };
    if (size < 2)
        return 0;
    memset(&w, 0, offsetof(struct world, mails));
    w.first = w.end = w.opened = w.sent = 0;
    w.options = data[0];
    gw_stream_pool_init(&w.pool, &sl_alloc_malloc, 4, NULL);
    w.port = (struct gw_h2_port){post, NULL, &w.pool, &w.counts};
    if (gw_h2_create(&conf, &w.port, &peer, NULL, 0, &w.h2) != SL_OK)
        return 0;
    run_client(&conf, data + 2, size - 2, 1u + data[1] * 16u);
    (void)!gw_h2_tick(w.h2, 10 * SL_NS_PER_S);
    run_output(&conf);
    gw_h2_destroy(w.h2);
    run_flow();
    check(w.opened == w.sent && w.pool.taken_count == 0 && w.pool.held_bytes == 0);
    gw_stream_pool_finish(&w.pool);
    return 0;
}
