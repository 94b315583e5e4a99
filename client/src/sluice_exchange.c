/* sluice_exchange.c - the two sides of one call as HTTP/2 sees them. */
#include "sluice_exchange.h"

#include <inttypes.h>
#include <stdlib.h>

#include "sl_text.h"
#include "sluice_status.h"
#include "sluice_wire.h"

void sluice_exchange_init(struct sluice_exchange *x, const struct sluice_body *body,
                          struct sluice_result *result, const struct sluice_reader *reader,
                          uint64_t max_message_bytes)
{
    *x = (struct sluice_exchange){.body = body,
                                  .unsent_bytes = body->total_bytes,
                                  .result = result,
                                  .reader = reader,
                                  .max_message_bytes = max_message_bytes};
    sluice_status_clear(&x->failure);
}

bool sluice_exchange_is_over(const struct sluice_exchange *x)
{
    return x->has_end_stream || x->is_closed || x->is_stopped || x->failure.code != SLUICE_OK;
}

size_t sluice_exchange_count_pieces(const struct sluice_exchange *x, size_t n)
{
    size_t count = 0;
    size_t offset = x->offset;

    for (size_t i = x->part; n > 0; i++) {
        size_t here = x->body->parts[i].len - offset;
        n -= here < n ? here : n;
        offset = 0;
        count++;
    }
    return count;
}

struct sl_span sluice_exchange_take_piece(struct sluice_exchange *x, size_t n)
{
    const struct sl_span *part = &x->body->parts[x->part];
    size_t here = part->len - x->offset;
    struct sl_span piece = sl_span_of(part->data + x->offset, here < n ? here : n);

    x->offset += piece.len;
    if (x->offset == part->len) {
        x->part++;
        x->offset = 0;
    }
    return piece;
}

void sluice_exchange_on_header(struct sluice_exchange *x, struct sl_span name, struct sl_span value)
{
    if (sl_span_eq_str(name, ":status")) {
        int64_t number;
        if (sl_text_int(value, &number) == SL_OK && number >= 100 && number <= 999)
            x->http_status = (int)number;
        return;
    }
    enum sluice_pairs where = x->has_headers ? SLUICE_TRAILERS : SLUICE_HEADERS;
    sl_status s = sluice_pairs_add(&x->result->pairs[where], name, value);
    if (s == SL_EFULL)
        sluice_status_set(&x->failure, SLUICE_INTERNAL, "BAD_REPLY",
                          "the server's metadata is larger than %d bytes or more than %d pairs",
                          SLUICE_PAIRS_BYTES_MAX, SLUICE_PAIRS_MAX);
    else if (s != SL_OK)
        sluice_status_set(&x->failure, SLUICE_RESOURCE_EXHAUSTED, "OUT_OF_MEMORY",
                          "no memory for the server's metadata");
}

void sluice_exchange_on_headers_end(struct sluice_exchange *x, bool end_stream)
{
    struct sluice_pairs_list *pairs = x->result->pairs;

    if (!x->has_headers && x->http_status < 200) {
        sluice_pairs_finish(&pairs[SLUICE_HEADERS]); /* 1xx: the real headers are still to come */
    } else if (!x->has_headers && end_stream) {
        /* A reply of trailers only. */
        struct sluice_pairs_list none = pairs[SLUICE_TRAILERS];
        pairs[SLUICE_TRAILERS] = pairs[SLUICE_HEADERS];
        pairs[SLUICE_HEADERS] = none;
        x->has_headers = true;
    } else {
        x->has_headers = true;
    }
}

static void fail_too_large(struct sluice_exchange *x, uint64_t bytes)
{
    sluice_status_set(&x->failure, SLUICE_RESOURCE_EXHAUSTED, "TOO_LARGE",
                      "the answer has %" PRIu64 " bytes, and the channel accepts at most %" PRIu64
                      " (max_message_bytes)",
                      bytes, x->max_message_bytes);
}

/* The prefix is complete: makes room for the message. */
static void begin_message(struct sluice_exchange *x)
{
    uint64_t bytes = 0;

    for (size_t i = 1; i < SLUICE_GRPC_PREFIX_BYTES; i++)
        bytes = bytes << 8 | x->prefix[i];
    if (x->prefix[0] != 0) {
        sluice_status_set(&x->failure, SLUICE_INTERNAL, "BAD_REPLY",
                          "the server compressed its answer though no compression was offered");
        return;
    }
    if (bytes > x->max_message_bytes) {
        fail_too_large(x, bytes);
        return;
    }
    x->result->block = malloc((size_t)bytes + SLUICE_DATA_ALIGN);
    if (x->result->block == NULL) {
        sluice_status_set(&x->failure, SLUICE_RESOURCE_EXHAUSTED, "OUT_OF_MEMORY",
                          "no memory for an answer of %" PRIu64 " bytes", bytes);
        return;
    }
    x->result->message = x->result->block;
    x->result->message_len = (size_t)bytes;
}

/* Moves the message's first bytes so that the first raw output will lie aligned and need no copy. */
static void align_first_output(struct sluice_exchange *x)
{
    struct sluice_result *r = x->result;
    size_t offset = sluice_wire_raw_offset(sl_span_of(r->message, x->received));
    size_t slip = ((uintptr_t)r->block + offset) % SLUICE_DATA_ALIGN;

    if (offset == 0 || slip == 0)
        return;
    r->message = r->block + (SLUICE_DATA_ALIGN - slip);
    memmove(r->message, r->block, x->received);
}

/* The bytes belong to the message that begin_message made room for. */
static void on_message_bytes(struct sluice_exchange *x, struct sl_span bytes)
{
    struct sluice_result *r = x->result;
    bool is_first = x->received == 0;

    if (bytes.len > r->message_len - x->received) {
        sluice_status_set(&x->failure, SLUICE_INTERNAL, "BAD_REPLY",
                          "the server sent more than one message to a unary call");
        return;
    }
    if (bytes.len == 0)
        return;
    memcpy(r->message + x->received, bytes.data, bytes.len);
    x->received += bytes.len;
    if (is_first)
        align_first_output(x);
}

/* A message of a stream is whole: its reader has it, and the next one begins. */
static void hand_over(struct sluice_exchange *x)
{
    struct sluice_result *r = x->result;
    const struct sluice_bytes message = {r->message, r->message_len};

    x->is_stopped = !x->reader->on_message(x->reader->user, message);
    sluice_result_drop_message(r);
    x->prefix_len = 0;
    x->received = 0;
}

/* Both answer what is left of bytes. */
static struct sl_span take_prefix(struct sluice_exchange *x, struct sl_span bytes)
{
    while (bytes.len > 0 && x->prefix_len < SLUICE_GRPC_PREFIX_BYTES) {
        x->prefix[x->prefix_len++] = bytes.data[0];
        bytes = sl_span_of(bytes.data + 1, bytes.len - 1);
        if (x->prefix_len == SLUICE_GRPC_PREFIX_BYTES)
            begin_message(x);
    }
    return bytes;
}

/* What comes behind the message of a unary call is refused with it. */
static struct sl_span take_message(struct sluice_exchange *x, struct sl_span bytes)
{
    size_t left = x->result->message_len - x->received;
    size_t n = x->reader != NULL && left < bytes.len ? left : bytes.len;

    on_message_bytes(x, sl_span_of(bytes.data, n));
    if (x->reader != NULL && x->received == x->result->message_len)
        hand_over(x);
    return sl_span_of(bytes.data + n, bytes.len - n);
}

void sluice_exchange_on_data(struct sluice_exchange *x, struct sl_span bytes)
{
    while (bytes.len > 0 && x->failure.code == SLUICE_OK && !x->is_stopped) {
        bytes = take_prefix(x, bytes);
        if (x->failure.code == SLUICE_OK && x->prefix_len == SLUICE_GRPC_PREFIX_BYTES)
            bytes = take_message(x, bytes);
    }
}
