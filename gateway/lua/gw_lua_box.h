/* gw_lua_box.h - a Lua 5.4 state of its own for one expression: what it may use, and where it is
 * stopped.
 *
 * One state per expression, not one for all: what one model's expression has, breaks or leaves
 * behind is then no other's by construction, its memory is counted for it alone, and collecting its
 * garbage costs nobody else. A state at rest takes about 9 KiB.
 *
 * What a text can reach is `math` without random numbers, and what a run gives it: no load,
 * require, metatables, coroutines, files or texts' functions. Globals and `math` cannot be set, and
 * `_ENV` is put back before each run, so no run sees what an earlier one did, and the same facts
 * give the same answer.
 *
 * Limits   GW_LUA_STEPS_MAX instructions, GW_LUA_BYTES_MAX asked for in a run (what is given back
 *          in it counts, too), GW_LUA_BLOCK_MAX in one table, text or stack. Nothing is collected
 *          during a run; a state in which a run took GW_LUA_LIGHT_BYTES is given up, and the next
 *          run begins in a new one, so the same run meets the limit at the same place each time.
 *          After lighter ones it may find short texts of theirs, and take less, never more.
 *          Functions are given numbers or refuse: a text is not read as a number again and again.
 * Errors   What fails in Lua is caught (lua_pcall) and comes back as a fault; nothing outside a
 *          protected call can raise one, so there is no panic. No memory, at any allocation, is a
 *          fault like others.
 * Memory   By the allocator given, at most the text, the state at rest and twice GW_LUA_BYTES_MAX.
 * Threads  None: a box belongs to one thread.
 */
#ifndef GW_LUA_BOX_H
#define GW_LUA_BOX_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "sl_alloc.h"
#include "sl_span.h"
#include "sl_status.h"

enum {
    GW_LUA_STEPS_MAX = 10000,
    GW_LUA_BYTES_MAX = 64 * 1024,
    GW_LUA_BLOCK_MAX = 16 * 1024,
    GW_LUA_LIGHT_BYTES = 16 * 1024,
    GW_LUA_FAULT_MAX = 256
};

struct gw_lua_box {
    const struct sl_alloc *alloc;
    char *text; /* of the expression */
    size_t text_bytes;
    lua_CFunction prepare;
    lua_State *lua; /* NULL: the next run makes a new one */
    size_t held_bytes;
    size_t rest_bytes; /* held when nothing runs and nothing is garbage */
    size_t left_bytes; /* what the run may still ask for */
    bool is_spent;     /* it asked for more */
    bool is_out;       /* the allocator had nothing */
    const void *run_by;
};

enum gw_lua_fault_kind {
    GW_LUA_FAULT_SAID,  /* by Lua: line and text */
    GW_LUA_FAULT_SPENT, /* GW_LUA_BYTES_MAX or GW_LUA_BLOCK_MAX reached */
    GW_LUA_FAULT_OUT    /* the allocator has no memory */
};

/* Why a run ended before its end. */
struct gw_lua_fault {
    enum gw_lua_fault_kind kind;
    int line; /* 0: not known */
    /* UTF-8 without control characters, cut at a character when too long. */
    char text[GW_LUA_FAULT_MAX];
};

/* Compiles text, which must be one expression (or several with commas); prepare, called before in
 * each new state, is a deed that may put things into the registry and set globals. false: *fault
 * says why, and there is nothing to finish. alloc is borrowed, and *b must stay where it is. */
bool gw_lua_box_init(struct gw_lua_box *b, struct sl_span text, lua_CFunction prepare,
                     const struct sl_alloc *alloc, struct gw_lua_fault *fault);
void gw_lua_box_finish(struct gw_lua_box *b);

/* Runs deed (which may raise errors, and finds arg as a light userdata at index 1) under the
 * limits. arg is also what gw_lua_box_runner tells while it runs. */
bool gw_lua_box_run(struct gw_lua_box *b, lua_CFunction deed, void *arg,
                    struct gw_lua_fault *fault);

/* In a deed: calls the expression; all that it gives, none included, is then on top of the
 * stack. */
void gw_lua_box_call(lua_State *lua);
/* In a deed: the value on top of the stack, which it takes off, is the global of that name from
 * now on. */
void gw_lua_box_set_global(lua_State *lua, const char *name);
/* In a deed, and in functions that the expression calls: the arg of the run. */
const void *gw_lua_box_runner(lua_State *lua);

#endif
