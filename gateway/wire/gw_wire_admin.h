/* gw_wire_admin.h - the answers of sluice.v1 about money as messages, by protobuf-c. */
#ifndef GW_WIRE_ADMIN_H
#define GW_WIRE_ADMIN_H

#include "gw_answer_port.h"

extern const struct gw_answer_port gw_wire_answers;

#endif
