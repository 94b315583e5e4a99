/* sluice_reply.c - what an exchange that is over means. */
#include "sluice_reply.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#include "sl_text.h"
#include "sluice_status.h"
#include "sluice_text.h"
#include "sluice_wire.h"

enum { DETAILS_BYTES_MAX = 64 * 1024 };

static int reset_status(const struct sluice_exchange *x, struct sluice_status *s)
{
    return sluice_status_set(s, sluice_status_of_reset(x->reset_code), "",
                             "the server reset the call (HTTP/2 error %s)",
                             nghttp2_http2_strerror(x->reset_code));
}

static int no_grpc_status(const struct sluice_exchange *x, struct sluice_status *s)
{
    return sluice_status_set(s, sluice_status_of_http(x->http_status), "BAD_REPLY",
                             "the server answered with HTTP status %d and without a gRPC status; "
                             "is this a gRPC port?",
                             x->http_status);
}

/* grpc-message, decoded; "" becomes a sentence. */
static void read_message(const struct sluice_result *r, struct sluice_status *s)
{
    const char *text = sluice_result_metadata(r, "grpc-message");
    char *copy = strdup(text != NULL ? text : "");

    if (copy == NULL)
        return;
    size_t len = sluice_percent_decode(copy, strlen(copy));
    sluice_status_copy_text(s->message, sizeof(s->message), sl_span_of(copy, len));
    free(copy);
    if (s->message[0] == '\0')
        sluice_status_copy_text(s->message, sizeof(s->message),
                                sl_span_str("the server gave no message"));
}

static void read_details(struct sluice_result *r, struct sluice_status *s)
{
    const char *text = sluice_result_metadata(r, "grpc-status-details-bin");
    const char *reason = sluice_result_metadata(r, "sluice-reason");
    struct sl_buf bytes;

    if (reason != NULL)
        sluice_status_copy_text(s->reason, sizeof(s->reason), sl_span_str(reason));
    if (text == NULL)
        return;
    sl_buf_init(&bytes, &sl_alloc_malloc, DETAILS_BYTES_MAX);
    if (sluice_base64_decode(sl_span_str(text), &bytes) == SL_OK)
        sluice_wire_get_details(sl_buf_span(&bytes), s, &r->pairs[SLUICE_DETAILS]);
    sl_buf_finish(&bytes);
}

/* OK needs its message; of a stream no part of one. */
static int check_message(const struct sluice_exchange *x, struct sluice_status *s)
{
    const struct sluice_result *r = x->result;
    if (x->reader != NULL && x->prefix_len == 0)
        return SLUICE_OK;
    if (x->reader == NULL && x->prefix_len == SLUICE_GRPC_PREFIX_BYTES &&
        x->received == r->message_len)
        return SLUICE_OK;
    return sluice_status_set(s, SLUICE_INTERNAL, "BAD_REPLY",
                             "the server said OK but sent %zu bytes of a message of %zu",
                             x->received, r->message_len);
}

int sluice_reply_status(const struct sluice_exchange *x, struct sluice_status *s)
{
    int64_t code;

    sluice_status_clear(s);
    if (x->failure.code != SLUICE_OK) {
        *s = x->failure;
        return s->code;
    }
    if (x->is_stopped)
        return SLUICE_OK;
    if (!x->has_end_stream)
        return reset_status(x, s);
    const char *text = sluice_result_metadata(x->result, "grpc-status");
    if (text == NULL)
        return no_grpc_status(x, s);
    s->from_server = true;
    if (sl_text_int(sl_span_str(text), &code) != SL_OK || code < 0 || code > SLUICE_UNAUTHENTICATED)
        code = SLUICE_UNKNOWN;
    if (code == SLUICE_OK)
        return check_message(x, s);
    s->code = (int)code;
    read_message(x->result, s);
    read_details(x->result, s);
    return s->code;
}
