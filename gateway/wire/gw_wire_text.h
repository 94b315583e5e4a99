/* gw_wire_text.h - texts for protobuf-c's structs. */
#ifndef GW_WIRE_TEXT_H
#define GW_WIRE_TEXT_H

#include "sl_arena.h"

#define GW_WIRE_NOTHING sl_span_of(NULL, 0)

/* protobuf-c's structs hold char *, though packing only reads. */
static inline char *gw_wire_text(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* NULL: no memory. */
static inline char *gw_wire_copy(struct sl_arena *arena, struct sl_span s)
{
    return s.len > 0 ? sl_arena_str(arena, s) : gw_wire_text("");
}

#endif
