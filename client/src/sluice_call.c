/* sluice_call.c - one call: connect, send, wait, judge. */
#include "sluice_call.h"

#include <inttypes.h>

#include "sl_clock.h"
#include "sluice_cancel.h"
#include "sluice_reply.h"
#include "sluice_status.h"

enum {
    ATTEMPTS_MAX = 3, /* a call that the server did not begin is sent again at most twice */
    FIXED_HEADERS = 9,
    METADATA_BYTES_MAX = 16 * 1024,
    PATH_BYTES_MAX = 512,
};

/* What stays the same over the attempts of one call. */
struct call {
    struct sluice_channel *channel;
    const char *method;
    const struct sluice_body *body;
    const struct sluice_reader *reader; /* NULL: a unary call */
    struct sluice_call_options options;
    sl_mono_ns deadline;
    int cancel_fd;
    struct sluice_status *status;
};

static int refuse(struct call *c, const char *what)
{
    return sluice_status_set(c->status, SLUICE_INVALID_ARGUMENT, "BAD_INPUT", "%s", what);
}

static int check_metadata(struct call *c)
{
    size_t total = 0;

    if (c->options.metadata_count > SLUICE_METADATA_MAX)
        return refuse(c, "more than 64 pairs of request metadata");
    for (size_t i = 0; i < c->options.metadata_count; i++) {
        const struct sluice_pair *p = &c->options.metadata[i];
        if (!sluice_is_metadata_name(sl_span_str(p->name)))
            return sluice_status_set(c->status, SLUICE_INVALID_ARGUMENT, "BAD_INPUT",
                                     "%.64s is not a possible name of request metadata", p->name);
        if (!sluice_is_header_value(sl_span_str(p->value)))
            return sluice_status_set(c->status, SLUICE_INVALID_ARGUMENT, "BAD_INPUT",
                                     "the value of the request metadata %.64s has characters that "
                                     "are not visible ASCII",
                                     p->name);
        total += strlen(p->name) + strlen(p->value);
    }
    return total <= METADATA_BYTES_MAX ? SLUICE_OK : refuse(c, "request metadata over 16 KiB");
}

static int check_call(struct call *c)
{
    size_t len = strnlen(c->method, PATH_BYTES_MAX + 1);
    if (c->method[0] != '/' || len > PATH_BYTES_MAX ||
        !sluice_is_header_value(sl_span_of(c->method, len)))
        return refuse(c, "the method must look like /package.Service/Method");
    if (c->options.timeout_ms < -1)
        return sluice_status_set(c->status, SLUICE_INVALID_ARGUMENT, "BAD_INPUT",
                                 "timeout_ms is %" PRId64 "; -1 means no limit",
                                 c->options.timeout_ms);
    return check_metadata(c);
}

static int deadline_status(struct call *c, const char *doing)
{
    return sluice_status_set(c->status, SLUICE_DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED",
                             "the timeout of %" PRId64 " ms passed while %s %s",
                             c->options.timeout_ms, doing, c->channel->address_text);
}

/* A connection that is fit for a call, new or kept. */
static int ensure_connection(struct call *c)
{
    struct sluice_channel *ch = c->channel;
    sl_mono_ns now = sl_clock_mono(&sl_clock_real);
    sl_mono_ns connect_by = sl_sat_add(now, ch->connect_timeout_ms * SL_NS_PER_MS);

    if (c->deadline <= now)
        return deadline_status(c, "connecting to");
    if (sluice_conn_is_fit(&ch->conn))
        return SLUICE_OK;
    sluice_conn_close(&ch->conn);
    if (c->deadline < connect_by)
        connect_by = c->deadline;
    int code =
        sluice_conn_open(&ch->conn, &ch->address, ch->tls, connect_by, c->cancel_fd, c->status);
    if (code == SLUICE_UNAVAILABLE && sl_clock_mono(&sl_clock_real) >= c->deadline)
        return deadline_status(c, "connecting to");
    return code;
}

static nghttp2_nv header(const char *name, const char *value, uint8_t flags)
{
    return (nghttp2_nv){.name = (uint8_t *)name,
                        .value = (uint8_t *)value,
                        .namelen = strlen(name),
                        .valuelen = strlen(value),
                        .flags = flags};
}

/* Fills headers[FIXED_HEADERS + SLUICE_METADATA_MAX]; timeout holds grpc-timeout's text. */
static size_t make_headers(const struct call *c, char *timeout, nghttp2_nv *headers)
{
    size_t n = 0;

    headers[n++] = header(":method", "POST", NGHTTP2_NV_FLAG_NONE);
    headers[n++] =
        header(":scheme", c->channel->tls != NULL ? "https" : "http", NGHTTP2_NV_FLAG_NONE);
    headers[n++] = header(":path", c->method, NGHTTP2_NV_FLAG_NONE);
    headers[n++] = header(":authority", c->channel->address_text, NGHTTP2_NV_FLAG_NONE);
    headers[n++] = header("te", "trailers", NGHTTP2_NV_FLAG_NONE);
    headers[n++] = header("content-type", "application/grpc", NGHTTP2_NV_FLAG_NONE);
    headers[n++] = header("user-agent", c->channel->user_agent, NGHTTP2_NV_FLAG_NONE);
    if (c->deadline != SL_MONO_NEVER) {
        sluice_grpc_timeout(c->deadline - sl_clock_mono(&sl_clock_real), timeout);
        headers[n++] = header("grpc-timeout", timeout, NGHTTP2_NV_FLAG_NO_INDEX);
    }
    if (c->channel->authorization != NULL)
        headers[n++] = header("authorization", c->channel->authorization, NGHTTP2_NV_FLAG_NO_INDEX);
    for (size_t i = 0; i < c->options.metadata_count; i++)
        headers[n++] =
            header(c->options.metadata[i].name, c->options.metadata[i].value, NGHTTP2_NV_FLAG_NONE);
    return n;
}

static int lost_status(struct call *c, enum sluice_turn turn)
{
    const char *address = c->channel->address_text;

    switch (turn) {
    case SLUICE_TURN_DEADLINE:
        return deadline_status(c, "waiting for the answer of");
    case SLUICE_TURN_CANCELLED:
        return sluice_status_set(c->status, SLUICE_CANCELLED, "CANCELLED",
                                 "cancelled by the caller");
    case SLUICE_TURN_PROTOCOL:
        return sluice_status_set(c->status, SLUICE_UNAVAILABLE, "BAD_REPLY",
                                 "%s does not speak HTTP/2 as gRPC does; is this a gRPC port?",
                                 address);
    case SLUICE_TURN_MEMORY:
        return sluice_status_set(c->status, SLUICE_RESOURCE_EXHAUSTED, "OUT_OF_MEMORY",
                                 "no memory for the call");
    default:
        return sluice_status_set(
            c->status, SLUICE_UNAVAILABLE, "CONNECTION_LOST",
            "the connection to %s was lost during the call, which may have run", address);
    }
}

/* TLS itself was the reason: for example, the server wants a client certificate, which TLS 1.3 tells late. */
static int tls_status(struct call *c, const char *problem)
{
    return sluice_status_set(
        c->status, SLUICE_UNAVAILABLE, "TLS_FAILED",
        "the TLS connection to %s was lost during the call, which may have run: "
        "%s",
        c->channel->address_text, problem);
}

/* Ends the exchange on our side. What could not be written refers to the caller's memory, so the
 * connection goes with it; for the server a lost connection means cancel as well. */
static void let_go(struct call *c, struct sluice_exchange *x, enum sluice_turn turn)
{
    struct sluice_conn *conn = &c->channel->conn;

    bool is_done = turn == SLUICE_TURN_OK && !x->is_stopped;

    sluice_h2_stop(conn->h2, x, is_done ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
    bool is_alive =
        turn == SLUICE_TURN_OK || turn == SLUICE_TURN_DEADLINE || turn == SLUICE_TURN_CANCELLED;
    if (!is_alive || sluice_conn_flush(conn) != SLUICE_TURN_OK || conn->is_write_broken ||
        sluice_h2_has_output(conn->h2))
        sluice_conn_close(conn);
}

/* One attempt. *out_again: the server did not begin the call. */
static int attempt(struct call *c, struct sluice_result *result, bool *out_answered,
                   bool *out_again)
{
    struct sluice_conn *conn = &c->channel->conn;
    nghttp2_nv headers[FIXED_HEADERS + SLUICE_METADATA_MAX];
    char timeout[SLUICE_GRPC_TIMEOUT_BYTES];
    enum sluice_turn turn = SLUICE_TURN_OK;
    struct sluice_exchange x;

    sluice_exchange_init(&x, c->body, result, c->reader, c->channel->max_message_bytes);
    size_t count = make_headers(c, timeout, headers);
    if (sluice_h2_start(conn->h2, &x, headers, count) != SL_OK)
        return lost_status(c, SLUICE_TURN_MEMORY);
    while (turn == SLUICE_TURN_OK && !sluice_exchange_is_over(&x))
        turn = sluice_conn_turn(conn, c->deadline, c->cancel_fd);
    if (sluice_exchange_is_over(&x))
        turn = SLUICE_TURN_OK; /* the answer came before the connection went */
    if (turn == SLUICE_TURN_LOST && !sluice_h2_has_begun(conn->h2))
        turn = SLUICE_TURN_PROTOCOL; /* hung up on our preface */
    const char *tls_problem = sluice_tls_problem(conn->tls);
    let_go(c, &x, turn);
    if (turn != SLUICE_TURN_OK)
        return *tls_problem != '\0' ? tls_status(c, tls_problem) : lost_status(c, turn);
    *out_again = !x.has_headers && x.is_closed && x.reset_code == NGHTTP2_REFUSED_STREAM;
    *out_answered = x.has_end_stream;
    return sluice_reply_status(&x, c->status);
}

/* A token goes unencrypted over a wire that others may read only by the caller's word. */
static int check_token(struct call *c)
{
    const struct sluice_channel *ch = c->channel;
    if (ch->authorization == NULL || ch->tls != NULL || ch->conn.is_loopback ||
        ch->allow_plaintext_token)
        return SLUICE_OK;
    return sluice_status_set(c->status, SLUICE_FAILED_PRECONDITION, "PLAINTEXT_TOKEN",
                             "%s is not on this machine, and the token would travel unencrypted; "
                             "allow_plaintext_token sends it all the same",
                             ch->address_text);
}

static int run_attempts(struct call *c, struct sluice_result **out)
{
    for (int i = 0;; i++) {
        bool answered = false;
        bool again = false;
        int code = ensure_connection(c);
        if (code == SLUICE_OK)
            code = check_token(c);
        if (code != SLUICE_OK)
            return code;
        struct sluice_result *result = sluice_result_create();
        if (result == NULL)
            return lost_status(c, SLUICE_TURN_MEMORY);
        code = attempt(c, result, &answered, &again);
        if (answered) {
            *out = result;
            return code;
        }
        sluice_result_destroy(result);
        if (!again || i + 1 == ATTEMPTS_MAX)
            return code;
    }
}

static void read_options(const struct sluice_call_options *given, struct sluice_call_options *out)
{
    *out = (struct sluice_call_options)SLUICE_CALL_OPTIONS_INIT;
    if (given != NULL)
        memcpy(out, given, given->struct_bytes < sizeof(*out) ? given->struct_bytes : sizeof(*out));
}

int sluice_call_run(struct sluice_channel *channel, const char *method,
                    const struct sluice_body *body, const struct sluice_reader *reader,
                    const struct sluice_call_options *options, struct sluice_result **out,
                    struct sluice_status *status)
{
    struct call c = {.channel = channel,
                     .method = method,
                     .body = body,
                     .reader = reader,
                     .deadline = SL_MONO_NEVER,
                     .status = status};

    *out = NULL;
    sluice_status_clear(status);
    read_options(options, &c.options);
    c.cancel_fd = sluice_cancel_fd(c.options.cancel);
    int code = check_call(&c);
    if (code != SLUICE_OK)
        return code;
    if (c.options.timeout_ms >= 0)
        c.deadline = sl_sat_add(sl_clock_mono(&sl_clock_real),
                                sl_sat_mul(c.options.timeout_ms, SL_NS_PER_MS));
    if (atomic_flag_test_and_set(&channel->is_busy))
        return sluice_status_set(status, SLUICE_FAILED_PRECONDITION, "CHANNEL_BUSY",
                                 "another thread runs a call on this channel");
    code = run_attempts(&c, out);
    atomic_flag_clear(&channel->is_busy);
    return code;
}
