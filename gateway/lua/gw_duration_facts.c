#include "gw_duration_facts.h"

#include <lauxlib.h>
#include <math.h>

#include "gw_asks.h"
#include "gw_infer_contents.h"
#include "gw_lua_box.h"

/* Keys of the registry: the metatables of both. */
static const char key_inputs, key_parameters;

static struct sl_span name_at(lua_State *lua, int index)
{
    size_t len = 0;
    const char *name = luaL_checklstring(lua, index, &len);
    return sl_span_of(name, len);
}

static void push_text(lua_State *lua, struct sl_span text)
{
    lua_pushlstring(lua, (const char *)text.data, text.len);
}

/* Beyond Lua's integers it is the nearest float. */
static void push_unsigned(lua_State *lua, uint64_t v)
{
    if (v <= INT64_MAX)
        lua_pushinteger(lua, (lua_Integer)v);
    else
        lua_pushnumber(lua, (lua_Number)v);
}

/* ---- elements ---- */

static double half_of(uint64_t bits)
{
    int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 1023);
    double v;
    if (exponent == 31)
        v = fraction == 0 ? HUGE_VAL : NAN;
    else if (exponent == 0)
        v = ldexp(fraction, -24);
    else
        v = ldexp(fraction + 1024, exponent - 25);
    return (bits >> 15 & 1) != 0 ? -v : v;
}

static double float_of(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float v;
    memcpy(&v, &low, sizeof v);
    return (double)v;
}

static double double_of(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static int64_t signed_of(uint64_t bits, size_t bytes)
{
    unsigned unused = (unsigned)(64 - 8 * bytes);
    return (int64_t)(bits << unused) >> unused;
}

/* An element of a fixed size, little-endian. */
static void push_element(lua_State *lua, enum sl_dtype t, const uint8_t *from)
{
    uint64_t bits = 0;
    size_t bytes = sl_dtype_bytes(t);
    for (size_t i = 0; i < bytes; i++)
        bits |= (uint64_t)from[i] << (8 * i);
    switch (t) {
    case SL_DTYPE_BOOL:
        lua_pushboolean(lua, bits != 0);
        return;
    case SL_DTYPE_INT8:
    case SL_DTYPE_INT16:
    case SL_DTYPE_INT32:
    case SL_DTYPE_INT64:
        lua_pushinteger(lua, signed_of(bits, bytes));
        return;
    case SL_DTYPE_FP16:
        lua_pushnumber(lua, half_of(bits));
        return;
    case SL_DTYPE_BF16:
        lua_pushnumber(lua, float_of(bits << 16));
        return;
    case SL_DTYPE_FP32:
        lua_pushnumber(lua, float_of(bits));
        return;
    case SL_DTYPE_FP64:
        lua_pushnumber(lua, double_of(bits));
        return;
    default:
        push_unsigned(lua, bits);
    }
}

/* The element that raw begins with, a length before it; *raw moves past it. false: there is
 * none. */
static bool next_text(struct sl_span *raw, struct sl_span *out)
{
    if (raw->len < 4)
        return false;
    const uint8_t *p = raw->data;
    size_t len = p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    if (len > raw->len - 4)
        return false;
    *out = sl_span_of(p + 4, len);
    *raw = sl_span_of(p + 4 + len, raw->len - 4 - len);
    return true;
}

static bool has_nul(struct sl_span raw)
{
    struct sl_span text;
    while (next_text(&raw, &text))
        if (memchr(text.data, '\0', text.len) != NULL)
            return true;
    return false;
}

/* ---- the value of an input ---- */

/* By the model's word, so that it does not depend on the call whether `value` is an array. */
static bool is_single(const struct gw_tensor_spec *spec)
{
    for (size_t i = 0; i < spec->rank; i++)
        if (spec->dims[i] != 1)
            return false;
    return true;
}

static bool is_small(const struct gw_plan_input *in, int64_t *out_elements)
{
    if (sl_shape_elements(in->said->dims, in->said->rank, out_elements) != SL_OK ||
        *out_elements > GW_DURATION_VALUES_MAX)
        return false;
    return in->dtype != SL_DTYPE_BYTES || in->bytes <= GW_DURATION_TEXTS_BYTES_MAX;
}

/* The tensor's bytes: in the message, or written into room from its typed contents. */
static struct sl_span raw_of(lua_State *lua, const struct gw_duration_facts *facts,
                             const struct gw_plan_input *in, uint8_t *room)
{
    struct sl_span source = gw_range_span(facts->message, in->source);
    struct sl_error err = {0};
    if (!in->is_converted)
        return source;
    if (!gw_contents_write(source, in->dtype, gw_range_span(facts->message, in->said->name), room,
                           &err))
        luaL_error(lua, "%s", err.text);
    return sl_span_of(room, (size_t)in->bytes);
}

static bool push_next(lua_State *lua, enum sl_dtype t, struct sl_span *raw)
{
    struct sl_span text;
    size_t bytes = sl_dtype_bytes(t);
    if (t == SL_DTYPE_BYTES) {
        if (!next_text(raw, &text))
            return false;
        push_text(lua, text);
        return true;
    }
    if (raw->len < bytes)
        return false;
    push_element(lua, t, raw->data);
    *raw = sl_span_of(raw->data + bytes, raw->len - bytes);
    return true;
}

static void push_array(lua_State *lua, enum sl_dtype t, struct sl_span raw, int64_t elements)
{
    lua_createtable(lua, (int)elements, 0);
    for (lua_Integer i = 1; push_next(lua, t, &raw); i++)
        lua_rawseti(lua, -2, i);
}

/* Sets it in the table on top. */
static void set_value(lua_State *lua, const struct gw_duration_facts *facts,
                      const struct gw_tensor_spec *spec, const struct gw_plan_input *in)
{
    uint8_t room[GW_DURATION_TEXTS_BYTES_MAX];
    int64_t elements;
    if (!is_small(in, &elements))
        return;
    struct sl_span raw = raw_of(lua, facts, in, room);
    if (in->dtype == SL_DTYPE_BYTES && has_nul(raw))
        return;
    if (!is_single(spec))
        push_array(lua, in->dtype, raw, elements);
    else if (!push_next(lua, in->dtype, &raw))
        return;
    lua_setfield(lua, -2, "value");
}

/* ---- inputs ---- */

static void set_shape(lua_State *lua, const struct gw_peek_input *said)
{
    lua_createtable(lua, (int)said->rank, 0);
    for (size_t i = 0; i < said->rank; i++) {
        lua_pushinteger(lua, said->dims[i]);
        lua_rawseti(lua, -2, (lua_Integer)i + 1);
    }
    lua_setfield(lua, -2, "shape");
}

/* inputs.NAME for the first time: it is made and stays there. */
static int find_input(lua_State *lua)
{
    const struct gw_duration_facts *facts = gw_lua_box_runner(lua);
    const struct gw_model_spec *model = facts->plan->model;
    size_t i = gw_tensor_find(model->inputs, model->input_count, name_at(lua, 2));
    if (i == model->input_count)
        return luaL_error(lua, "the model has no input '%s'", lua_tostring(lua, 2));
    const struct gw_plan_input *in = &facts->plan->inputs[i];
    lua_createtable(lua, 0, 4);
    set_shape(lua, in->said);
    lua_pushstring(lua, sl_dtype_name(in->dtype));
    lua_setfield(lua, -2, "datatype");
    push_unsigned(lua, in->bytes);
    lua_setfield(lua, -2, "bytes");
    set_value(lua, facts, &model->inputs[i], in);
    lua_pushvalue(lua, 2);
    lua_pushvalue(lua, -2);
    lua_rawset(lua, 1);
    return 1;
}

/* ---- parameters ---- */

static void push_parameter(lua_State *lua, const struct gw_peek_param *p, const uint8_t *message)
{
    switch (p->kind) {
    case GW_PARAM_BOOL:
        lua_pushboolean(lua, p->value.b);
        return;
    case GW_PARAM_INT:
        lua_pushinteger(lua, p->value.i);
        return;
    case GW_PARAM_UINT:
        push_unsigned(lua, p->value.u);
        return;
    case GW_PARAM_DOUBLE:
        lua_pushnumber(lua, p->value.d);
        return;
    case GW_PARAM_STRING:
        push_text(lua, gw_range_span(message, p->value.s));
        return;
    case GW_PARAM_NONE:
        lua_pushnil(lua);
    }
}

/* Of a name that is there twice the last, as in any protobuf map. */
static int find_parameter(lua_State *lua)
{
    const struct gw_duration_facts *facts = gw_lua_box_runner(lua);
    struct sl_span name = name_at(lua, 2);
    size_t i = facts->peek->param_count;
    while (i > 0 &&
           !sl_span_eq(name, gw_range_span(facts->message, facts->peek->params[i - 1].name)))
        i--;
    if (i == 0 || gw_ask_is_ours(name))
        return 0;
    push_parameter(lua, &facts->peek->params[i - 1], facts->message);
    lua_pushvalue(lua, 2);
    lua_pushvalue(lua, -2);
    lua_rawset(lua, 1);
    return 1;
}

/* ---- both ---- */

static void keep_metatable(lua_State *lua, const void *key, lua_CFunction find)
{
    lua_createtable(lua, 0, 1);
    lua_pushcfunction(lua, find);
    lua_setfield(lua, -2, "__index");
    lua_rawsetp(lua, LUA_REGISTRYINDEX, key);
}

static void set_table(lua_State *lua, const char *name, const void *metatable)
{
    lua_newtable(lua);
    lua_rawgetp(lua, LUA_REGISTRYINDEX, metatable);
    lua_setmetatable(lua, -2);
    gw_lua_box_set_global(lua, name);
}

void gw_duration_facts_set(lua_State *lua)
{
    set_table(lua, "inputs", &key_inputs);
    set_table(lua, "parameters", &key_parameters);
}

int gw_duration_facts_prepare(lua_State *lua)
{
    keep_metatable(lua, &key_inputs, find_input);
    keep_metatable(lua, &key_parameters, find_parameter);
    gw_duration_facts_set(lua); /* so that the table of globals grows here, and in no run */
    return 0;
}
