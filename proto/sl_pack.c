#include "sl_pack.h"

struct sl_span sl_pack(struct sl_arena *arena, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = sl_arena_get(arena, len > 0 ? len : 1);
    if (bytes == NULL)
        return sl_span_of(NULL, 0);
    return sl_span_of(bytes, protobuf_c_message_pack(message, bytes));
}

static void *arena_alloc(void *ctx, size_t bytes)
{
    return sl_arena_get(ctx, bytes);
}

static void arena_free(void *ctx, void *p)
{
    (void)ctx; /* all of it is freed with the arena */
    (void)p;
}

ProtobufCAllocator sl_pack_allocator(struct sl_arena *arena)
{
    return (ProtobufCAllocator){arena_alloc, arena_free, arena};
}
