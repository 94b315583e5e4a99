/* gw_wire_usage.h - sums of usage as a message: in rows, as CSV (RFC 4180), as lines of JSON (RFC 8259). A part of
 * gw_wire_answers. */
#ifndef GW_WIRE_USAGE_H
#define GW_WIRE_USAGE_H

#include "gw_answer_port.h"

struct sl_span gw_wire_usage(struct sl_arena *arena, const struct gw_store_answer *a,
                             enum gw_form_by by, enum gw_form_format format, bool is_first);

#endif
