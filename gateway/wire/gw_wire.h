/* gw_wire.h - the public messages that are small enough to be unpacked, by protobuf-c. The only
 * user of inference.pb-c.h and admin.pb-c.h in the gateway; ModelInfer goes by core/gw_infer_peek
 * and core/gw_infer_reply instead, because its tensors must not be copied. */
#ifndef GW_WIRE_H
#define GW_WIRE_H

#include "gw_ports.h"

extern const struct gw_wire_port gw_wire_port;

#endif
