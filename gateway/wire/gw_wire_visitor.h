/* gw_wire_visitor.h - the answers of sluice.v1.Visitor as messages: parts of gw_wire_answers, which says what they
 * are. The only user of visitor.pb-c.h in the gateway. */
#ifndef GW_WIRE_VISITOR_H
#define GW_WIRE_VISITOR_H

#include "gw_answer_port.h"

struct sl_span gw_wire_quota(struct sl_arena *arena, const struct gw_quota_facts *facts);
struct sl_span gw_wire_receipts(struct sl_arena *arena, const struct gw_store_answer *a,
                                bool keys_are_told);
struct sl_span gw_wire_call(struct sl_arena *arena, const struct gw_call_facts *facts);
struct sl_span gw_wire_visitor_token(struct sl_arena *arena,
                                     const struct gw_visitor_token_facts *facts);

#endif
