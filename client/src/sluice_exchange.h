/* sluice_exchange.h - the two sides of one call as HTTP/2 sees them: a body going out, metadata and one
 * message coming in, or a stream of them. Pure.
 *
 * Memory   Body, result and reader are borrowed until the exchange is over. The received message
 *          becomes the result's; of a stream each is the reader's until it returns.
 */
#ifndef SLUICE_EXCHANGE_H
#define SLUICE_EXCHANGE_H

#include "sluice_body.h"
#include "sluice_result.h"

/* Who reads a stream's messages. */
struct sluice_reader {
    sluice_message_fn on_message;
    void *user;
};

struct sluice_exchange {
    /* going out */
    const struct sluice_body *body;
    size_t part; /* next byte: parts[part].data[offset] */
    size_t offset;
    uint64_t unsent_bytes; /* not handed to HTTP/2 yet */
    /* coming in */
    struct sluice_result *result;
    const struct sluice_reader *reader; /* NULL: a unary call */
    uint64_t max_message_bytes;
    int http_status; /* 0: no headers yet */
    bool has_headers;
    uint8_t prefix[SLUICE_GRPC_PREFIX_BYTES];
    size_t prefix_len;
    size_t received; /* bytes of the message; its length is result->message_len */
    /* how it ended */
    bool is_stopped;              /* its reader wants no more */
    bool has_end_stream;          /* the server said all it had to say */
    bool is_closed;               /* nothing more comes */
    uint32_t reset_code;          /* HTTP/2 error code the stream was closed with */
    struct sluice_status failure; /* code != SLUICE_OK: the answer cannot be taken */
    int32_t stream_id;
};

void sluice_exchange_init(struct sluice_exchange *x, const struct sluice_body *body,
                          struct sluice_result *result, const struct sluice_reader *reader,
                          uint64_t max_message_bytes);

/* Nothing more is awaited: it ended, was reset, or failed. */
bool sluice_exchange_is_over(const struct sluice_exchange *x);

/* How many pieces the next n bytes of the body lie in, n <= the bytes left. */
size_t sluice_exchange_count_pieces(const struct sluice_exchange *x, size_t n);
/* The next piece of at most n bytes, n > 0; moves on. */
struct sl_span sluice_exchange_take_piece(struct sluice_exchange *x, size_t n);

/* One header or trailer. Too many of them are a failure. */
void sluice_exchange_on_header(struct sluice_exchange *x, struct sl_span name,
                               struct sl_span value);
/* The end of a block of headers. */
void sluice_exchange_on_headers_end(struct sluice_exchange *x, bool end_stream);
/* Bytes of the body, cut anywhere. */
void sluice_exchange_on_data(struct sluice_exchange *x, struct sl_span bytes);

#endif
