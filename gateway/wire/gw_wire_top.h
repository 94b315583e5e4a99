/* gw_wire_top.h - GetStatus and GetTop of sluice.v1.Admin as messages, by protobuf-c. */
#ifndef GW_WIRE_TOP_H
#define GW_WIRE_TOP_H

#include "gw_ports.h"

struct sl_span gw_wire_status(struct sl_arena *arena, const struct gw_status_facts *facts);
struct sl_span gw_wire_top(struct sl_arena *arena, const struct gw_top_facts *facts);

#endif
