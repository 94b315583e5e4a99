#include "gw_duration_lua.h"

#include <math.h>
#include <stdio.h>

#include "gw_duration_facts.h"
#include "gw_lua_box.h"
#include "sl_text.h"

struct gw_duration {
    const struct sl_alloc *alloc;
    unsigned line_count; /* of the expression */
    struct gw_lua_box box;
};

/* ---- compiling ---- */

/* The line that the byte at `at` is in. */
static unsigned line_at(struct sl_span text, size_t at)
{
    unsigned line = 1;
    for (size_t i = 0; i < at; i++)
        line += text.data[i] == '\n';
    return line;
}

static unsigned lines_of(struct sl_span text)
{
    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == ' '))
        text.len--;
    return line_at(text, text.len);
}

/* Escapes would make texts with NUL, which Lua compares piece by piece, a function call for
 * each. */
static bool is_acceptable(struct sl_span text, struct sl_error *err)
{
    const uint8_t *backslash = text.len > 0 ? memchr(text.data, '\\', text.len) : NULL;
    if (text.len > GW_DURATION_TEXT_MAX)
        sl_error_set(err, SL_REASON_BAD_INPUT,
                     "a duration of %zu bytes is too long: an expression has at most %d", text.len,
                     GW_DURATION_TEXT_MAX);
    else if (!sl_text_is_utf8(text))
        sl_error_set(err, SL_REASON_BAD_INPUT, "a duration is UTF-8 without NUL, and this is not");
    else if (backslash != NULL)
        sl_error_set(err, SL_REASON_BAD_INPUT,
                     "duration, line %u: a backslash; texts of a duration have no escapes",
                     line_at(text, (size_t)(backslash - text.data)));
    else
        return true;
    return false;
}

/* "line 1", or where Lua does not tell, "lines 1 to 3". */
static void locate(unsigned line_count, int line, char out[40])
{
    if (line > 0 || line_count == 1)
        snprintf(out, 40, "line %d", line > 0 ? line : 1);
    else
        snprintf(out, 40, "lines 1 to %u", line_count);
}

static bool refuse_text(struct sl_span text, const struct gw_lua_fault *fault, struct sl_error *err)
{
    char where[40];
    locate(lines_of(text), fault->line, where);
    if (fault->kind == GW_LUA_FAULT_OUT)
        sl_error_set(err, SL_REASON_NO_CAPACITY, "there is no memory for a duration");
    else
        sl_error_set(err, SL_REASON_BAD_INPUT, "duration, %s: %s", where, fault->text);
    return false;
}

bool gw_duration_compile(struct sl_span text, const struct sl_alloc *alloc,
                         struct gw_duration **out, struct sl_error *err)
{
    struct gw_lua_fault fault = {.kind = GW_LUA_FAULT_OUT};
    if (!is_acceptable(text, err))
        return false;
    struct gw_duration *d = sl_alloc_zero(alloc, 1, sizeof *d);
    if (d == NULL)
        return refuse_text(text, &fault, err);
    d->alloc = alloc;
    d->line_count = lines_of(text);
    if (!gw_lua_box_init(&d->box, text, gw_duration_facts_prepare, alloc, &fault)) {
        sl_alloc_free(alloc, d);
        return refuse_text(text, &fault, err);
    }
    *out = d;
    return true;
}

void gw_duration_destroy(struct gw_duration *d)
{
    if (d == NULL)
        return;
    gw_lua_box_finish(&d->box);
    sl_alloc_free(d->alloc, d);
}

/* ---- evaluating ---- */

/* A run: the facts first, where gw_duration_facts looks for them; then what came out. */
struct run {
    struct gw_duration_facts facts;
    int value_count;
    bool is_number; /* the first, and of what type it is */
    const char *type_name;
    double seconds;
};

static int evaluate(lua_State *lua)
{
    struct run *r = lua_touserdata(lua, 1);
    gw_duration_facts_set(lua);
    int before = lua_gettop(lua);
    gw_lua_box_call(lua);
    r->value_count = lua_gettop(lua) - before;
    r->is_number = lua_type(lua, before + 1) == LUA_TNUMBER;
    r->type_name = lua_typename(lua, lua_type(lua, before + 1));
    if (r->is_number)
        r->seconds = lua_tonumber(lua, before + 1);
    return 0;
}

/* The sentence's end for what is no duration; "" for what is one. */
static void describe(const struct run *r, char out[64])
{
    out[0] = '\0';
    if (r->value_count != 1)
        snprintf(out, 64, "%d values", r->value_count); /* 0, too */
    else if (!r->is_number)
        snprintf(out, 64, "a value of type %s", r->type_name);
    else if (isnan(r->seconds))
        snprintf(out, 64, "nan"); /* which may have a sign */
    else if (r->seconds <= 0 || isinf(r->seconds))
        snprintf(out, 64, "%.9g", r->seconds);
}

static bool refuse_call(const struct gw_duration *d, const struct run *r, int line,
                        const char *what, struct sl_error *err)
{
    char where[40];
    locate(d->line_count, line, where);
    sl_error_set(err, SL_REASON_BAD_INPUT,
                 "the duration of model '%s' (%s) cannot be told for this call: %s; "
                 "sluice-duration asks for one",
                 r->facts.plan->model->name, where, what);
    return false;
}

static bool refuse_fault(const struct gw_duration *d, const struct run *r,
                         const struct gw_lua_fault *fault, struct sl_error *err)
{
    if (fault->kind != GW_LUA_FAULT_OUT)
        return refuse_call(d, r, fault->line, fault->text, err);
    sl_error_set(err, SL_REASON_NO_CAPACITY, "there is no memory for the duration of model '%s'",
                 r->facts.plan->model->name);
    return false;
}

static bool refuse_long(const struct gw_duration *d, const struct run *r, sl_gpu_us max_us,
                        struct sl_error *err)
{
    char where[40], most[32];
    locate(d->line_count, 0, where);
    sl_text_format_duration(sl_sat_mul(max_us, SL_NS_PER_US), most);
    sl_error_set(err, SL_REASON_DURATION_TOO_LONG,
                 "the duration of model '%s' (%s) comes to %.9gs for this call: it may run for at "
                 "most %s",
                 r->facts.plan->model->name, where, r->seconds, most);
    return false;
}

bool gw_duration_evaluate(struct gw_duration *d, const struct gw_duration_facts *facts,
                          sl_gpu_us max_us, sl_gpu_us *out_us, struct sl_error *err)
{
    struct run r = {.facts = *facts};
    struct gw_lua_fault fault;
    char given[64], what[128];
    if (!gw_lua_box_run(&d->box, evaluate, &r, &fault))
        return refuse_fault(d, &r, &fault, err);
    describe(&r, given);
    if (given[0] != '\0') {
        snprintf(what, sizeof what, "it gives %s, not one number of seconds above 0", given);
        return refuse_call(d, &r, 0, what, err);
    }
    double us = rint(r.seconds * (double)SL_US_PER_S);
    if (us > (double)max_us || us >= 0x1p63) /* which no sl_gpu_us holds */
        return refuse_long(d, &r, max_us, err);
    *out_us = us < 1 ? 1 : (sl_gpu_us)us;
    return true;
}

const struct gw_duration_port gw_duration_lua = {.compile = gw_duration_compile,
                                                 .evaluate = gw_duration_evaluate,
                                                 .destroy = gw_duration_destroy};
