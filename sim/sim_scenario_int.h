/* sim_scenario_int.h - what the files of sim_scenario share. */
#ifndef SIM_SCENARIO_INT_H
#define SIM_SCENARIO_INT_H

#include "gw_fleet.h"
#include "sim_scenario.h"

enum { SIM_KEYS_MAX = 64 };

/* The table of a scenario's file: its own keys, then the gateway's. Returns how many. */
size_t sim_scenario_table(struct sl_conf_key out[SIM_KEYS_MAX]);

/* Looks names up, reads laws, counts. What is wrong is told to c. */
void sim_scenario_resolve(struct sim_scenario *s, struct sl_conf_check *c);

#endif
