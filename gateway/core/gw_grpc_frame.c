/* gw_grpc_frame.c - prefix, message, end: one small function for each. */
#include "gw_grpc_frame.h"

#include <inttypes.h>
#include <string.h>

void gw_grpc_frame_init(struct gw_grpc_frame *f, uint64_t limit_bytes)
{
    *f = (struct gw_grpc_frame){.state = GW_GRPC_FRAME_PREFIX, .limit_bytes = limit_bytes};
}

static enum gw_grpc_frame_state failed(struct gw_grpc_frame *f)
{
    f->state = GW_GRPC_FRAME_FAILED;
    return f->state;
}

static enum gw_grpc_frame_state check_prefix(struct gw_grpc_frame *f, struct sl_error *error)
{
    uint8_t flag = f->prefix[0];
    if (flag == 1 && !f->may_be_compressed) {
        sl_error_set(error, SL_REASON_INTERNAL,
                     "The message says that it is compressed, but no header grpc-encoding says "
                     "how.");
        return failed(f);
    }
    if (flag > 1) {
        sl_error_set(error, SL_REASON_BAD_INPUT,
                     "The message's prefix begins with byte %u; only 0 (plain) and 1 (compressed) "
                     "exist.",
                     flag);
        return failed(f);
    }
    f->message_bytes = (uint32_t)f->prefix[1] << 24 | (uint32_t)f->prefix[2] << 16 |
                       (uint32_t)f->prefix[3] << 8 | f->prefix[4];
    if (f->message_bytes > f->limit_bytes) {
        sl_error_set(error, SL_REASON_TOO_LARGE,
                     "The message has %" PRIu32 " bytes; this method takes at most %" PRIu64 ".",
                     f->message_bytes, f->limit_bytes);
        return failed(f);
    }
    f->is_compressed = flag == 1;
    f->state = GW_GRPC_FRAME_WAITING;
    return f->state;
}

static void copy(uint8_t *to, struct sl_span *chunk, size_t n)
{
    if (n == 0)
        return;
    memcpy(to, chunk->data, n);
    chunk->data += n;
    chunk->len -= n;
}

static size_t at_most(size_t a, size_t b)
{
    return a < b ? a : b;
}

static enum gw_grpc_frame_state take_prefix(struct gw_grpc_frame *f, struct sl_span *chunk,
                                            struct sl_error *error)
{
    size_t n = at_most(chunk->len, (size_t)(GW_GRPC_PREFIX_BYTES - f->prefix_len));
    copy(f->prefix + f->prefix_len, chunk, n);
    f->prefix_len = (uint8_t)(f->prefix_len + n);
    return f->prefix_len == GW_GRPC_PREFIX_BYTES ? check_prefix(f, error) : f->state;
}

static enum gw_grpc_frame_state surplus(struct gw_grpc_frame *f, struct sl_error *error)
{
    sl_error_set(error, SL_REASON_UNIMPLEMENTED,
                 "The request goes on after its message of %" PRIu32
                 " bytes; this method takes exactly one message.",
                 f->message_bytes);
    return failed(f);
}

enum gw_grpc_frame_state gw_grpc_frame_take(struct gw_grpc_frame *f, struct sl_span *chunk,
                                            struct sl_error *error)
{
    if (f->state == GW_GRPC_FRAME_PREFIX)
        return take_prefix(f, chunk, error);
    if (f->state == GW_GRPC_FRAME_MESSAGE) {
        size_t n = at_most(chunk->len, f->message_bytes - f->filled_bytes);
        copy(f->memory + f->filled_bytes, chunk, n);
        f->filled_bytes += (uint32_t)n;
        if (f->filled_bytes == f->message_bytes)
            f->state = GW_GRPC_FRAME_COMPLETE;
    }
    if (f->state == GW_GRPC_FRAME_COMPLETE && chunk->len > 0)
        return surplus(f, error);
    return f->state;
}

void gw_grpc_frame_lend(struct gw_grpc_frame *f, void *memory)
{
    f->memory = memory;
    f->state = f->message_bytes == 0 ? GW_GRPC_FRAME_COMPLETE : GW_GRPC_FRAME_MESSAGE;
}

enum gw_grpc_frame_state gw_grpc_frame_end(struct gw_grpc_frame *f, struct sl_error *error)
{
    if (f->state == GW_GRPC_FRAME_COMPLETE || f->state == GW_GRPC_FRAME_FAILED)
        return f->state;
    if (f->state != GW_GRPC_FRAME_PREFIX)
        sl_error_set(error, SL_REASON_BAD_INPUT,
                     "The request ended after %" PRIu32 " of the message's %" PRIu32 " bytes.",
                     f->filled_bytes, f->message_bytes);
    else if (f->prefix_len > 0)
        sl_error_set(error, SL_REASON_BAD_INPUT,
                     "The request ended after %u of the %d bytes of the message's prefix.",
                     f->prefix_len, GW_GRPC_PREFIX_BYTES);
    else
        sl_error_set(error, SL_REASON_UNIMPLEMENTED,
                     "The request carries no message; this method takes exactly one.");
    return failed(f);
}

void gw_grpc_frame_prefix(bool is_compressed, uint32_t message_bytes,
                          uint8_t out[GW_GRPC_PREFIX_BYTES])
{
    out[0] = is_compressed;
    out[1] = (uint8_t)(message_bytes >> 24);
    out[2] = (uint8_t)(message_bytes >> 16);
    out[3] = (uint8_t)(message_bytes >> 8);
    out[4] = (uint8_t)message_bytes;
}
