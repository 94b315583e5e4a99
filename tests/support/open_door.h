/* open_door.h - an identity port that knows everybody: where a test is not about who calls. */
#ifndef OPEN_DOOR_H
#define OPEN_DOOR_H

#include "gw_ports.h"

/* Everybody is "ip:192.0.2.1", of the first tier. */
extern const struct gw_auth_port open_door;

/* Tiers in which nobody runs out of anything: tier 0 is his whom it knows. */
extern const struct gw_tiers open_tiers;

#endif
