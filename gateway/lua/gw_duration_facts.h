/* gw_duration_facts.h - the tables `inputs` and `parameters` that an expression sees, filled as it
 * asks.
 *
 * Both are fresh in each run, so what an expression writes into them is gone with it.
 *
 * Errors   Raised as Lua's: to be called in a run of a gw_lua_box whose arg begins with the facts.
 */
#ifndef GW_DURATION_FACTS_H
#define GW_DURATION_FACTS_H

#include <lua.h>

#include "gw_duration_lua.h"

/* Makes them globals of the box that runs; what gw_lua_box_runner tells points to a struct
 * gw_duration_facts. */
void gw_duration_facts_set(lua_State *lua);
/* The `prepare` of such a box: what the tables of all its runs share. */
int gw_duration_facts_prepare(lua_State *lua);

#endif
