#include "gw_lua_box.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sl_text.h"

/* Lua's names for places in the expression begin with it: "line:3: attempt to ...". */
#define CHUNK_NAME "line"

/* Keys of the registry: their addresses are theirs alone. */
static const char key_chunk, key_env, key_globals;

static struct gw_lua_box *box_of(lua_State *lua)
{
    struct gw_lua_box *b;
    memcpy(&b, lua_getextraspace(lua), sizeof b);
    return b;
}

const void *gw_lua_box_runner(lua_State *lua)
{
    return box_of(lua)->run_by;
}

/* ---- memory ---- */

static bool may_take(struct gw_lua_box *b, size_t more_bytes, size_t block_bytes)
{
    if (more_bytes > b->left_bytes || block_bytes > GW_LUA_BLOCK_MAX) {
        b->is_spent = true;
        return false;
    }
    return true;
}

/* Lua's lua_Alloc; without p, old_bytes is no size. A block that cannot be made smaller stays as
 * it is. */
static void *on_alloc(void *ctx, void *p, size_t old_bytes, size_t bytes)
{
    struct gw_lua_box *b = ctx;
    size_t had = p != NULL ? old_bytes : 0, more = bytes > had ? bytes - had : 0;
    if (bytes == 0) {
        sl_alloc_free(b->alloc, p);
        b->held_bytes -= had;
        return NULL;
    }
    if (more > 0 && !may_take(b, more, bytes))
        return NULL;
    void *q = p != NULL ? b->alloc->resize(b->alloc->ctx, p, bytes) : sl_alloc_get(b->alloc, bytes);
    if (q == NULL && more > 0) {
        b->is_out = true;
        return NULL;
    }
    b->left_bytes -= more;
    b->held_bytes += bytes;
    b->held_bytes -= had;
    return q != NULL ? q : p;
}

/* ---- faults ---- */

/* Copies what can be shown; the rest as \xNN. */
static void show(struct sl_span text, char out[GW_LUA_FAULT_MAX])
{
    size_t at = 0;
    while (text.len > 0) {
        uint32_t code = 0;
        size_t len = sl_text_utf8_next(text, &code);
        bool is_plain = len > 0 && code >= 0x20 && (code < 0x7f || code > 0x9f);
        char room[8];
        int n = is_plain ? (int)len : snprintf(room, sizeof room, "\\x%02x", text.data[0]);
        if (at + (size_t)n >= GW_LUA_FAULT_MAX)
            break;
        memcpy(out + at, is_plain ? (const char *)text.data : room, (size_t)n);
        at += (size_t)n;
        len = is_plain ? len : 1;
        text = sl_span_of(text.data + len, text.len - len);
    }
    out[at] = '\0';
}

/* "line:3: what" is 3 and "what". */
static void take_apart(const char *said, struct gw_lua_fault *fault)
{
    static const char prefix[] = CHUNK_NAME ":";
    const char *rest = said;
    if (strncmp(said, prefix, sizeof prefix - 1) == 0) {
        char *end;
        long line = strtol(said + sizeof prefix - 1, &end, 10);
        if (line > 0 && line <= INT32_MAX && end[0] == ':' && end[1] == ' ') {
            fault->line = (int)line;
            rest = end + 2;
        }
    }
    show(sl_span_str(rest), fault->text);
}

static void explain_memory(const struct gw_lua_box *b, struct gw_lua_fault *fault)
{
    bool was_spent = b->is_spent && !b->is_out;
    fault->kind = was_spent ? GW_LUA_FAULT_SPENT : GW_LUA_FAULT_OUT;
    if (was_spent)
        snprintf(fault->text, sizeof fault->text,
                 "more than %d KiB of memory, or %d KiB in one piece", GW_LUA_BYTES_MAX / 1024,
                 GW_LUA_BLOCK_MAX / 1024);
    else
        snprintf(fault->text, sizeof fault->text, "there is no memory");
}

/* What the failed call left on the stack. Here nothing may raise an error: a text is asked for
 * only of a text. */
static void explain(const struct gw_lua_box *b, int status, struct gw_lua_fault *fault)
{
    *fault = (struct gw_lua_fault){.kind = GW_LUA_FAULT_SAID};
    if (status == LUA_ERRMEM)
        explain_memory(b, fault);
    else if (lua_type(b->lua, -1) == LUA_TSTRING)
        take_apart(lua_tostring(b->lua, -1), fault);
    else
        snprintf(fault->text, sizeof fault->text, "an error without a text");
}

/* ---- running ---- */

static void on_steps(lua_State *lua, lua_Debug *at)
{
    lua_getinfo(lua, "l", at);
    lua_pushfstring(lua, CHUNK_NAME ":%d: more than %d instructions", at->currentline,
                    GW_LUA_STEPS_MAX);
    lua_error(lua);
}

static void allow(struct gw_lua_box *b)
{
    b->left_bytes = GW_LUA_BYTES_MAX;
    b->is_spent = b->is_out = false;
}

static bool run_protected(struct gw_lua_box *b, lua_CFunction deed, void *arg,
                          struct gw_lua_fault *fault)
{
    allow(b);
    b->run_by = arg;
    lua_sethook(b->lua, on_steps, LUA_MASKCOUNT, GW_LUA_STEPS_MAX);
    lua_pushcfunction(b->lua, deed);
    lua_pushlightuserdata(b->lua, arg);
    int status = lua_pcall(b->lua, 1, 0, 0);
    if (status != LUA_OK)
        explain(b, status, fault);
    b->run_by = NULL;
    lua_settop(b->lua, 0);
    return status == LUA_OK;
}

void gw_lua_box_call(lua_State *lua)
{
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &key_chunk);
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &key_env);
    lua_setupvalue(lua, -2, 1); /* an earlier run may have set _ENV */
    lua_call(lua, 0, LUA_MULTRET);
}

void gw_lua_box_set_global(lua_State *lua, const char *name)
{
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &key_globals);
    lua_insert(lua, -2);
    lua_setfield(lua, -2, name);
    lua_pop(lua, 1);
}

/* ---- what can be reached ---- */

static int refuse_to_set(lua_State *lua)
{
    const char *name = lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : "this";
    return luaL_error(lua, "'%s' cannot be set: only locals can", name);
}

/* Replaces the table on top by an empty one that shows it and cannot be set. */
static void push_guarded(lua_State *lua)
{
    lua_newtable(lua);
    lua_createtable(lua, 0, 2);
    lua_pushvalue(lua, -3);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, refuse_to_set);
    lua_setfield(lua, -2, "__newindex");
    lua_setmetatable(lua, -2);
    lua_remove(lua, -2);
}

/* A function of math whose arguments are numbers, and not texts that would be read as one at
 * each call. */
static int call_with_numbers(lua_State *lua)
{
    for (int i = lua_gettop(lua); i > 0; i--)
        luaL_checktype(lua, i, LUA_TNUMBER);
    return lua_tocfunction(lua, lua_upvalueindex(1))(lua);
}

/* Lua 5.4's own, by name: a build of it may have those of older versions besides. */
static void push_math(lua_State *lua)
{
    static const char *const functions[] = {
        "abs", "acos", "asin", "atan", "ceil", "cos", "deg",  "exp",       "floor", "fmod",
        "log", "max",  "min",  "modf", "rad",  "sin", "sqrt", "tointeger", "tan",   "ult"};
    static const char *const others[] = {"huge", "maxinteger", "mininteger", "pi", "type"};
    lua_newtable(lua);
    luaopen_math(lua);
    for (size_t i = 0; i < SL_ARRAY_LEN(functions); i++) {
        lua_getfield(lua, -1, functions[i]);
        lua_pushcclosure(lua, call_with_numbers, 1);
        lua_setfield(lua, -3, functions[i]);
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(others); i++) {
        lua_getfield(lua, -1, others[i]);
        lua_setfield(lua, -3, others[i]);
    }
    lua_pop(lua, 1);
    push_guarded(lua);
}

static void push_env(lua_State *lua)
{
    lua_newtable(lua);
    lua_pushvalue(lua, -1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &key_globals);
    push_math(lua);
    lua_setfield(lua, -2, "math");
    push_guarded(lua);
}

/* ---- compiling ---- */

struct source {
    struct sl_span parts[2];
    size_t next;
};

static const char *on_read(lua_State *lua SL_UNUSED, void *ctx, size_t *out_len)
{
    struct source *s = ctx;
    if (s->next == SL_ARRAY_LEN(s->parts))
        return NULL;
    const struct sl_span *part = &s->parts[s->next++];
    *out_len = part->len;
    return (const char *)part->data;
}

/* Text only: what is compiled already is not checked by Lua. */
static int compile(lua_State *lua)
{
    struct gw_lua_box *b = box_of(lua);
    struct source s = {{sl_span_str("return "), sl_span_of(b->text, b->text_bytes)}, 0};
    push_env(lua);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &key_env);
    b->prepare(lua);
    if (lua_load(lua, on_read, &s, "=" CHUNK_NAME, "t") != LUA_OK)
        return lua_error(lua);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &key_chunk);
    return 0;
}

/* ---- a box and its state ---- */

static void close_state(struct gw_lua_box *b)
{
    if (b->lua != NULL)
        lua_close(b->lua);
    b->lua = NULL;
}

static bool open_state(struct gw_lua_box *b, struct gw_lua_fault *fault)
{
    allow(b);
    b->lua = lua_newstate(on_alloc, b);
    if (b->lua == NULL) {
        explain(b, LUA_ERRMEM, fault);
        return false;
    }
    memcpy(lua_getextraspace(b->lua), &b, sizeof b);
    lua_gc(b->lua, LUA_GCSTOP);
    if (!run_protected(b, compile, NULL, fault)) {
        close_state(b);
        return false;
    }
    lua_gc(b->lua, LUA_GCCOLLECT);
    b->rest_bytes = b->held_bytes;
    return true;
}

bool gw_lua_box_init(struct gw_lua_box *b, struct sl_span text, lua_CFunction prepare,
                     const struct sl_alloc *alloc, struct gw_lua_fault *fault)
{
    *b = (struct gw_lua_box){.alloc = alloc, .text_bytes = text.len, .prepare = prepare};
    b->text = sl_alloc_copy(alloc, text.data, text.len);
    if (b->text == NULL) {
        b->is_out = true;
        explain(b, LUA_ERRMEM, fault);
        return false;
    }
    if (!open_state(b, fault)) {
        gw_lua_box_finish(b);
        return false;
    }
    return true;
}

void gw_lua_box_finish(struct gw_lua_box *b)
{
    close_state(b);
    sl_alloc_free(b->alloc, b->text);
    b->text = NULL;
}

/* Lua keeps some of its tables as large as a run has made them, and a collection costs as much as a
 * small state: so one that a run has filled is given up. */
static void tidy(struct gw_lua_box *b)
{
    if (GW_LUA_BYTES_MAX - b->left_bytes >= GW_LUA_LIGHT_BYTES)
        close_state(b);
    else if (b->held_bytes > b->rest_bytes + GW_LUA_BYTES_MAX)
        lua_gc(b->lua, LUA_GCCOLLECT);
}

bool gw_lua_box_run(struct gw_lua_box *b, lua_CFunction deed, void *arg, struct gw_lua_fault *fault)
{
    if (b->lua == NULL && !open_state(b, fault))
        return false;
    bool ok = run_protected(b, deed, arg, fault);
    tidy(b);
    return ok;
}
