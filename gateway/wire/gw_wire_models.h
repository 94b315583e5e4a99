/* gw_wire_models.h - what clients of Triton and health checkers ask of a server, as messages: statistics, the
 * repository's index, health. Parts of gw_wire_port, which says what they answer. */
#ifndef GW_WIRE_MODELS_H
#define GW_WIRE_MODELS_H

#include "gw_ports.h"

struct sl_span gw_wire_statistics(struct sl_arena *arena, struct gw_fleet *fleet,
                                  const struct gw_fleet_model *one);
bool gw_wire_decode_index(struct sl_span message, bool *out_only_ready);
struct sl_span gw_wire_repository_index(struct sl_arena *arena, struct gw_fleet *fleet,
                                        bool only_ready);
struct sl_span gw_wire_health(struct sl_arena *arena, bool is_serving);

#endif
