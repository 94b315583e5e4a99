/* sl_pack.h - protobuf-c messages into and out of an arena: no allocation of their own. */
#ifndef SL_PACK_H
#define SL_PACK_H

#include <protobuf-c/protobuf-c.h>

#include "sl_arena.h"
#include "sl_span.h"

/* data is NULL when there is no memory, and not for an empty message. */
struct sl_span sl_pack(struct sl_arena *arena, const ProtobufCMessage *message);
/* An allocator for protobuf_c_message_unpack whose memory goes with the arena: nothing is to be freed. */
ProtobufCAllocator sl_pack_allocator(struct sl_arena *arena);

#endif
