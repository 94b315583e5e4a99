/* test_gw_duration_lua.c - what an expression sees and gives, what is refused with which
 * sentence, and that neither a hostile expression nor missing memory does more than refuse a
 * call. */
#include "gw_duration_lua.h"

#include <math.h>
#include <stdlib.h>

#include "duration_rig.h"
#include "fail_alloc.h"
#include "gw_lua_box.h"
#include "sl_base.h"
#include "sl_test.h"

#define S SL_US_PER_S

enum { MAX_US = 300 * 1000000 };

static struct gw_duration *compiled(const char *text, const struct sl_alloc *alloc)
{
    struct gw_duration *d = NULL;
    struct sl_error err = {0};
    if (!gw_duration_compile(sl_span_str(text), alloc, &d, &err))
        fail_msg("%s: %s", text, err.text);
    return d;
}

static void assert_gives(const struct duration_rig *r, const char *text, sl_gpu_us wanted)
{
    struct gw_duration *d = compiled(text, &sl_alloc_malloc);
    for (int i = 0; i < 3; i++) {
        struct sl_error err = {0};
        sl_gpu_us us = -1;
        if (!gw_duration_evaluate(d, &r->facts, MAX_US, &us, &err))
            fail_msg("%s, time %d: %s", text, i + 1, err.text);
        if (us != wanted)
            fail_msg("%s, time %d: %lld, wanted %lld", text, i + 1, (long long)us,
                     (long long)wanted);
    }
    gw_duration_destroy(d);
}

/* The sentence after "the duration of model 'painter' (", three times the same. */
static void assert_refused(const struct duration_rig *r, const char *text, enum sl_reason reason,
                           const char *wanted)
{
    struct gw_duration *d = compiled(text, &sl_alloc_malloc);
    char sentence[SL_ERROR_TEXT_MAX];
    snprintf(sentence, sizeof sentence, "the duration of model 'painter' (%s", wanted);
    for (int i = 0; i < 3; i++) {
        struct sl_error err = {0};
        sl_gpu_us us = -1;
        if (gw_duration_evaluate(d, &r->facts, MAX_US, &us, &err))
            fail_msg("%s: gives %lld", text, (long long)us);
        assert_string_equal(err.text, sentence);
        assert_int_equal(err.reason, reason);
        assert_int_equal(us, -1);
    }
    gw_duration_destroy(d);
}

/* ---- what it sees and gives ---- */

static void expressions_see_the_call(void **state)
{
    static const struct {
        const char *text;
        sl_gpu_us us;
    } rows[] = {
        {"5", 5 * S},
        {"0.25", S / 4},
        {"1.1", 1100000},
        {"1e-9", 1}, /* nobody asks for nothing */
        {"0.0000014", 1},
        {"0.0000016", 2},
        {"300", MAX_US},
        {"\n  1 +\n  1 -- two\n", 2 * S},
        {"inputs.IMAGE.shape[1] + inputs.IMAGE.shape[2] + #inputs.IMAGE.shape", 115 * S},
        {"inputs.IMAGE.bytes / 1000", 9216000},
        {"inputs['IMAGE'].datatype == 'UINT8' and 3 or 4", 3 * S},
        {"inputs.IMAGE.value == nil and 3 or 4", 3 * S}, /* 9216 elements */
        {"inputs.STEPS.value * 2", 60 * S},
        {"inputs.HD.value == true and 8 or 9", 8 * S},
        {"#inputs.HD.shape + 1", 1 * S},
        {"#inputs.PROMPTS.value + #inputs.PROMPTS.value[2]", 9 * S},
        {"inputs.PROMPTS.value[1] == 'cat' and 6 or 7", 6 * S},
        {"parameters.safe and 1 or 2", 1 * S},
        {"-parameters.steps", 20 * S},
        {"parameters.guidance * 2", 15 * S},
        {"parameters.seed / 2^64", 1 * S},
        {"({low = 1, high = 4})[parameters.quality]", 4 * S},
        {"parameters.absent or 11", 11 * S},
        {"(function() local s = 'x' for i = 1, 13 do s = s .. s end return #s / 100 end)()",
         81920000},
        {"parameters.sluice_max_wait and 1 or 2", 2 * S},
        {"math.ceil(math.pi) + math.max(1, 2, 3) + math.tointeger(2.0)", 9 * S},
        {"math.type(1) == 'integer' and math.huge > 1 and 1 or 2", 1 * S},
        {"(function() local n = 0\n for i = 1, #inputs.IMAGE.shape do\n"
         " n = n + inputs.IMAGE.shape[i] end\n return n end)()",
         115 * S},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++)
        assert_gives(*state, rows[i].text, rows[i].us);
}

static void nothing_else_is_there(void **state)
{
    static const char *const names[] = {
        "_G",       "_VERSION",     "assert",          "collectgarbage", "coroutine",
        "debug",    "dofile",       "error",           "getmetatable",   "io",
        "ipairs",   "load",         "loadfile",        "loadstring",     "next",
        "os",       "package",      "pairs",           "pcall",          "print",
        "rawequal", "rawget",       "rawlen",          "rawset",         "require",
        "select",   "setmetatable", "string",          "table",          "tonumber",
        "tostring", "type",         "unpack",          "utf8",           "warn",
        "xpcall",   "math.random",  "math.randomseed", "math.pow"};
    for (size_t i = 0; i < SL_ARRAY_LEN(names); i++) {
        char text[64];
        snprintf(text, sizeof text, "%s == nil and 1 or 2", names[i]);
        assert_gives(*state, text, 1 * S);
    }
}

/* ---- tensors of each type ---- */

struct typed {
    const char *name;
    enum sl_dtype dtype;
    const char *bytes; /* two elements */
    size_t byte_count;
    const char *holds; /* of v, the array */
};

#define RAW(text) (text), sizeof(text) - 1

static const struct typed typed[] = {
    {"BOOL", SL_DTYPE_BOOL, RAW("\0\1"), "v[1] == false and v[2] == true"},
    {"UINT8", SL_DTYPE_UINT8, RAW("\0\xff"), "v[1] == 0 and v[2] == 255"},
    {"UINT16", SL_DTYPE_UINT16, RAW("\1\0\xff\xff"), "v[1] == 1 and v[2] == 65535"},
    {"UINT32", SL_DTYPE_UINT32, RAW("\1\0\0\0\xff\xff\xff\xff"), "v[2] == 4294967295"},
    {"UINT64", SL_DTYPE_UINT64, RAW("\0\0\0\0\0\0\0\x80\xff\0\0\0\0\0\0\0"),
     "v[1] == 2^63 and v[2] == 255 and math.type(v[2]) == 'integer'"},
    {"INT8", SL_DTYPE_INT8, RAW("\x80\x7f"), "v[1] == -128 and v[2] == 127"},
    {"INT16", SL_DTYPE_INT16, RAW("\0\x80\xff\xff"), "v[1] == -32768 and v[2] == -1"},
    {"INT32", SL_DTYPE_INT32, RAW("\xfe\xff\xff\xff\0\0\0\x80"), "v[1] == -2 and v[2] == -2^31"},
    {"INT64", SL_DTYPE_INT64, RAW("\0\0\0\0\0\0\0\x80\5\0\0\0\0\0\0\0"),
     "v[1] == math.mininteger and v[2] == 5"},
    {"FP16", SL_DTYPE_FP16, RAW("\0\xc5\1\0"), "v[1] == -5.0 and v[2] == 2^-24"},
    {"FP16", SL_DTYPE_FP16, RAW("\0\x7c\1\x7c"), "v[1] == math.huge and v[2] ~= v[2]"},
    {"BF16", SL_DTYPE_BF16, RAW("\x40\x40\x80\xbf"), "v[1] == 3.0 and v[2] == -1.0"},
    {"FP32", SL_DTYPE_FP32, RAW("\0\0\x40\x40\0\0\x80\xbf"), "v[1] == 3.0 and v[2] == -1.0"},
    {"FP64", SL_DTYPE_FP64, RAW("\0\0\0\0\0\0\xe0\x3f\0\0\0\0\0\0\xf0\xff"),
     "v[1] == 0.5 and v[2] == -math.huge"},
    {"BYTES", SL_DTYPE_BYTES, RAW("\0\0\0\0\2\0\0\0ab"), "v[1] == '' and v[2] == 'ab'"},
};

static struct gw_tensor_spec one_input = {"IN", SL_DTYPE_INVALID, {-1}, 1};
static const struct gw_tensor_spec one_output = {"OUT", SL_DTYPE_UINT8, {-1}, 1};
static const struct gw_model_spec one_model = {.name = "painter",
                                               .version = "1",
                                               .inputs = &one_input,
                                               .input_count = 1,
                                               .outputs = &one_output,
                                               .output_count = 1};

static void values_are_those_of_the_tensor(void **state SL_UNUSED)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(typed); i++) {
        const struct typed *t = &typed[i];
        struct duration_rig r;
        char text[256];
        one_input.dtype = t->dtype;
        duration_rig_begin(&r);
        infer_input(&r.builder, "IN", t->name, 1, (const int64_t[]){2});
        infer_raw(&r.builder, t->bytes, t->byte_count);
        duration_rig_check(&r, &one_model);
        snprintf(text, sizeof text,
                 "(function() local v = inputs.IN.value; return #v == 2 and %s and 1 or 2 end)()",
                 t->holds);
        assert_gives(&r, text, 1 * S);
        duration_rig_finish(&r);
    }
}

static void typed_contents_are_values_too(void **state SL_UNUSED)
{
    struct duration_rig r;
    duration_rig_begin(&r);
    Inference__InferTensorContents *t =
        infer_contents(&r.builder, infer_input(&r.builder, "IN", "INT16", 1, (const int64_t[]){2}));
    t->n_int_contents = 2;
    t->int_contents = infer_copy(&r.builder, (const int32_t[]){-3, 9}, 2 * sizeof(int32_t));
    one_input.dtype = SL_DTYPE_INT16;
    duration_rig_check(&r, &one_model);
    assert_gives(&r, "inputs.IN.value[1] + inputs.IN.value[2]", 6 * S);
    duration_rig_finish(&r);
    duration_rig_begin(&r);
    t = infer_contents(&r.builder, infer_input(&r.builder, "IN", "FP32", 1, (const int64_t[]){2}));
    t->n_fp32_contents = 2;
    t->fp32_contents = infer_copy(&r.builder, (const float[]){0.5f, 2.5f}, 2 * sizeof(float));
    one_input.dtype = SL_DTYPE_FP32;
    duration_rig_check(&r, &one_model);
    assert_gives(&r, "inputs.IN.value[1] + inputs.IN.value[2]", 3 * S);
    duration_rig_finish(&r);
}

static void assert_texts(size_t text_bytes, int fill, const char *expression)
{
    struct duration_rig r;
    uint8_t raw[GW_DURATION_TEXTS_BYTES_MAX + 1];
    memset(raw, fill, sizeof raw);
    memcpy(raw, (const uint8_t[]){(uint8_t)text_bytes, (uint8_t)(text_bytes >> 8), 0, 0}, 4);
    one_input.dtype = SL_DTYPE_BYTES;
    duration_rig_begin(&r);
    infer_input(&r.builder, "IN", "BYTES", 1, (const int64_t[]){1});
    infer_raw(&r.builder, raw, 4 + text_bytes);
    duration_rig_check(&r, &one_model);
    assert_gives(&r, expression, 1 * S);
    duration_rig_finish(&r);
}

static void large_values_are_not_there(void **state SL_UNUSED)
{
    assert_texts(GW_DURATION_TEXTS_BYTES_MAX - 4, 'x', "#inputs.IN.value[1] / 4092");
    assert_texts(GW_DURATION_TEXTS_BYTES_MAX - 3, 'x', "inputs.IN.value == nil and 1 or 2");
    assert_texts(3, 0, "inputs.IN.value == nil and 1 or 2"); /* NUL */
    for (int64_t n = GW_DURATION_VALUES_MAX; n <= GW_DURATION_VALUES_MAX + 1; n++) {
        struct duration_rig r;
        const uint8_t zeros[GW_DURATION_VALUES_MAX + 1] = {0};
        one_input.dtype = SL_DTYPE_UINT8;
        duration_rig_begin(&r);
        infer_input(&r.builder, "IN", "UINT8", 1, &n);
        infer_raw(&r.builder, zeros, (size_t)n);
        duration_rig_check(&r, &one_model);
        assert_gives(&r, "inputs.IN.value and #inputs.IN.value or 1",
                     n == GW_DURATION_VALUES_MAX ? 64 * S : 1 * S);
        duration_rig_finish(&r);
    }
}

/* ---- what is refused ---- */

#define FAILS(line, what)                                                                          \
    line ") cannot be told for this call: " what "; sluice-duration asks for one"
#define IS_NO_DURATION(line, what)                                                                 \
    FAILS(line, "it gives " what ", not one number of seconds above 0")

static void what_is_no_duration_is_refused(void **state)
{
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {"0", IS_NO_DURATION("line 1", "0")},
        {"-0.0", IS_NO_DURATION("line 1", "-0")},
        {"-2.5", IS_NO_DURATION("line 1", "-2.5")},
        {"math.mininteger", IS_NO_DURATION("line 1", "-9.22337204e+18")},
        {"0/0", IS_NO_DURATION("line 1", "nan")},
        {"1e308 *\n 10", IS_NO_DURATION("lines 1 to 2", "inf")},
        {"-math.huge", IS_NO_DURATION("line 1", "-inf")},
        {"nil", IS_NO_DURATION("line 1", "a value of type nil")},
        {"true", IS_NO_DURATION("line 1", "a value of type boolean")},
        {"'5'", IS_NO_DURATION("line 1", "a value of type string")},
        {"{5}", IS_NO_DURATION("line 1", "a value of type table")},
        {"math.floor", IS_NO_DURATION("line 1", "a value of type function")},
        {"inputs", IS_NO_DURATION("line 1", "a value of type table")},
        {"1, 2", IS_NO_DURATION("line 1", "2 values")},
        {"(function() end)()", IS_NO_DURATION("line 1", "0 values")},
        {"", IS_NO_DURATION("line 1", "0 values")},
        {"1\n+ {}\n", FAILS("line 2", "attempt to perform arithmetic on a table value")},
        {"1\n+ parameters.x", FAILS("line 2", "attempt to perform arithmetic on a nil value "
                                              "(field 'x')")},
        {"1 % 0", FAILS("line 1", "attempt to perform 'n%0'")},
        {"1 < 'x'", FAILS("line 1", "attempt to compare number with string")},
        {"('x'):rep(1000)", FAILS("line 1", "attempt to index a string value (constant 'x')")},
        {"string.rep('x', 1000)",
         FAILS("line 1", "attempt to index a nil value (global 'string')")},
        {"'3' + 4", FAILS("line 1", "attempt to perform arithmetic on a string value "
                                    "(constant '3')")},
        {"inputs.IMGE.bytes", FAILS("line 1", "the model has no input 'IMGE'")},
        {"inputs[{}]", FAILS("line 1", "bad argument #2 to 'index' (string expected, got table)")},
        {"math.floor('7')",
         FAILS("line 1", "bad argument #1 to 'floor' (number expected, got string)")},
        {"math.max()", FAILS("line 1", "bad argument #1 to 'max' (value expected)")},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++)
        assert_refused(*state, rows[i].text, SL_REASON_BAD_INPUT, rows[i].sentence);
}

static void more_than_the_call_may_take_is_too_long(void **state)
{
    assert_refused(*state, "300.000001", SL_REASON_DURATION_TOO_LONG,
                   "line 1) comes to 300.000001s for this call: it may run for at most 5m");
    assert_refused(*state, "2^1023", SL_REASON_DURATION_TOO_LONG,
                   "line 1) comes to 8.98846567e+307s for this call: it may run for at most 5m");
    assert_refused(*state, "math.maxinteger", SL_REASON_DURATION_TOO_LONG,
                   "line 1) comes to 9.22337204e+18s for this call: it may run for at most 5m");
}

static void what_is_no_expression_is_refused(void **state SL_UNUSED)
{
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {"1 +", "duration, line 1: unexpected symbol near <eof>"},
        {"1 +\n\n* 2", "duration, line 3: unexpected symbol near '*'"},
        {"1; 2", "duration, line 1: <eof> expected near '2'"},
        {"local x = 1", "duration, line 1: unexpected symbol near 'local'"},
        {"(function() goto x end)()",
         "duration, line 1: no visible label 'x' for <goto> at line 1"},
        {"5 end", "duration, line 1: <eof> expected near 'end'"},
        {"'a\nb'", "duration, line 1: unfinished string near ''a'"},
        {"1 \x1b", "duration, line 1: <eof> expected near '<\\27>'"},
        {"\xc3\xa4", "duration, line 1: unexpected symbol near '<\\195>'"},
        {"1 +\n'\\0'", "duration, line 2: a backslash; texts of a duration have no escapes"},
        {"\xff", "a duration is UTF-8 without NUL, and this is not"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        struct gw_duration *d = NULL;
        struct sl_error err = {0};
        assert_false(gw_duration_compile(sl_span_str(rows[i].text), &sl_alloc_malloc, &d, &err));
        assert_string_equal(err.text, rows[i].sentence);
        assert_int_equal(err.reason, SL_REASON_BAD_INPUT);
        assert_null(d);
    }
}

/* An expression of a bracket, its inside and a bracket, all `times` over. */
static bool compiles(size_t times, const char *open, const char *inside, const char *close,
                     struct sl_error *err)
{
    static char text[3 * GW_DURATION_TEXT_MAX];
    struct gw_duration *d = NULL;
    size_t at = 0;
    *err = (struct sl_error){0};
    for (size_t i = 0; i < times; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s", open);
    at += (size_t)snprintf(text + at, sizeof text - at, "%s", inside);
    for (size_t i = 0; i < times; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s", close);
    bool ok = gw_duration_compile(sl_span_str(text), &sl_alloc_malloc, &d, err);
    gw_duration_destroy(d);
    return ok;
}

static void length_and_nesting_are_bounded(void **state SL_UNUSED)
{
    struct sl_error err;
    assert_true(compiles(100, "(", "1", ")", &err));
    assert_false(compiles(300, "(", "1", ")", &err));
    assert_string_equal(err.text, "duration, line 1: C stack overflow");
    assert_false(compiles(300, "{", "", "}", &err));
    assert_true(compiles((GW_DURATION_TEXT_MAX - 1) / 2, "1+", "1", "", &err));
    assert_false(compiles(GW_DURATION_TEXT_MAX / 2, "1+", "1", "", &err));
    assert_string_equal(err.text,
                        "a duration of 4097 bytes is too long: an expression has at most 4096");
}

static void no_limit_is_beyond_what_a_duration_holds(void **state)
{
    const struct duration_rig *r = *state;
    struct gw_duration *d = compiled("2^63 / 1e6", &sl_alloc_malloc);
    struct sl_error err = {0};
    sl_gpu_us us;
    assert_false(gw_duration_evaluate(d, &r->facts, INT64_MAX, &us, &err));
    assert_int_equal(err.reason, SL_REASON_DURATION_TOO_LONG);
    gw_duration_destroy(d);
}

/* ---- hostile ones ---- */

#define TOO_LONG_A_RUN "more than 10000 instructions"
#define TOO_MUCH       "more than 64 KiB of memory, or 16 KiB in one piece"
#define FUNCTION(body) "(function() " body " end)()"

static void hostile_expressions_are_stopped(void **state)
{
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {FUNCTION("while true do end"), FAILS("line 1", TOO_LONG_A_RUN)},
        {"1 +\n" FUNCTION("\nlocal i = 0\nrepeat i = i + 1 until false"),
         FAILS("line 4", TOO_LONG_A_RUN)},
        {FUNCTION("for i = 1, 5000 do local x = i * i end return 1"),
         FAILS("line 1", TOO_LONG_A_RUN)},
        {FUNCTION("local function f() return 1 + f() end return f()"), FAILS("line 1", TOO_MUCH)},
        {FUNCTION("local function f() return f() end return f()"), FAILS("line 1", TOO_LONG_A_RUN)},
        {FUNCTION("local t = {} for i = 1, 9000 do t[i] = i end"), FAILS("line 1", TOO_MUCH)},
        {FUNCTION("local t for i = 1, 9000 do t = {t} end"), FAILS("line 1", TOO_MUCH)},
        {FUNCTION("for i = 1, 9000 do local t = {} end"), FAILS("line 1", TOO_MUCH)},
        {FUNCTION("local s = 'x' while true do s = s .. s end"), FAILS("line 1", TOO_MUCH)},
        {FUNCTION("local s = 'x' for i = 1, 14 do s = s .. s end return #s"),
         FAILS("line 1", TOO_MUCH)}, /* 32 KiB in all, but 16 KiB and its head in one piece */
        {FUNCTION("local s = 0 while true do s = s .. 'x' end"), FAILS("line 1", TOO_MUCH)},
        {FUNCTION("n = 1"), FAILS("line 1", "'n' cannot be set: only locals can")},
        {FUNCTION("math.pi = 3"), FAILS("line 1", "'pi' cannot be set: only locals can")},
        {FUNCTION("math.floor = nil"), FAILS("line 1", "'floor' cannot be set: only locals can")},
        {FUNCTION("math = nil"), FAILS("line 1", "'math' cannot be set: only locals can")},
        {FUNCTION("_ENV[{}] = 1"), FAILS("line 1", "'this' cannot be set: only locals can")},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++)
        assert_refused(*state, rows[i].text, SL_REASON_BAD_INPUT, rows[i].sentence);
}

static void what_is_written_is_gone_with_the_run(void **state)
{
    static const char *const texts[] = {
        FUNCTION("local p = parameters p.n = (p.n or 0) + 1 return p.n"),
        FUNCTION("local i = inputs.STEPS i.n = (i.n or 0) + 1 return i.n"),
        FUNCTION("local s = inputs.STEPS.shape s[1] = s[1] + 1 return s[1] - 1"),
        FUNCTION("local v = inputs.PROMPTS.value v[1] = v[1] .. 'x' return #v[1] - 3"),
        FUNCTION("local e = _ENV _ENV = {e = e, n = (e.n or 0) + 1} return n"),
        FUNCTION("_ENV = nil return 1"),
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++)
        assert_gives(*state, texts[i], 1 * S);
}

/* What one expression does to its own state, another does not notice. */
static void expressions_do_not_disturb_each_other(void **state)
{
    const struct duration_rig *r = *state;
    struct gw_duration *good = compiled("math.floor(inputs.STEPS.value)", &sl_alloc_malloc);
    struct gw_duration *bad = compiled(FUNCTION("_ENV = {} while true do end"), &sl_alloc_malloc);
    for (int i = 0; i < 10; i++) {
        struct sl_error err = {0};
        sl_gpu_us us;
        assert_false(gw_duration_evaluate(bad, &r->facts, MAX_US, &us, &err));
        assert_true(gw_duration_evaluate(good, &r->facts, MAX_US, &us, &err));
        assert_int_equal(us, 30 * S);
    }
    gw_duration_destroy(bad);
    gw_duration_destroy(good);
}

/* What strangers write into names is shown, not sent on. */
static void sentences_are_printable(void **state)
{
    const struct duration_rig *r = *state;
    struct gw_duration *d = compiled("inputs['a\x1b[31m\xc2\x85\xc3\xa4']", &sl_alloc_malloc);
    struct sl_error err = {0};
    sl_gpu_us us;
    assert_false(gw_duration_evaluate(d, &r->facts, MAX_US, &us, &err));
    assert_non_null(strstr(err.text, "no input 'a\\x1b[31m\\xc2\\x85\xc3\xa4'"));
    gw_duration_destroy(d);
}

/* ---- memory ---- */

static void memory_is_bounded(void **state)
{
    static const char *const texts[] = {
        "inputs.IMAGE.shape[1] + #inputs.PROMPTS.value",
        FUNCTION("local t = {} for i = 1, 500 do t[i] = {} end return #t"),
        FUNCTION("local s = 'x' for i = 1, 12 do s = s .. s end return #s"),
        FUNCTION("while true do local t = {} end"),
    };
    const struct duration_rig *r = *state;
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++) {
        struct fail_alloc f;
        size_t most = 0;
        fail_alloc_init(&f);
        struct gw_duration *d = compiled(texts[i], &f.alloc);
        size_t rest = f.live_bytes;
        assert_true(rest < 20 * 1024);
        for (int n = 0; n < 300; n++) {
            struct sl_error err = {0};
            sl_gpu_us us;
            (void)gw_duration_evaluate(d, &r->facts, INT64_MAX, &us, &err);
            most = f.live_bytes > most ? f.live_bytes : most;
        }
        assert_true(most <= rest + 2 * (size_t)GW_LUA_BYTES_MAX);
        gw_duration_destroy(d);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

/* Short texts are kept by Lua under their content, so a run could have for nothing what the one
 * before it left: none that comes near the limit. */
static void the_limit_is_met_at_the_same_place(void **state)
{
    const struct duration_rig *r = *state;
    size_t given = 0, refused = 0;
    for (int n = 700; n < 1400; n += 7) {
        char text[128];
        bool is_given = false;
        snprintf(text, sizeof text, FUNCTION("for i = 1, %d do local s = i .. 'x' end return 1"),
                 n);
        struct gw_duration *d = compiled(text, &sl_alloc_malloc);
        for (int i = 0; i < 4; i++) {
            struct sl_error err = {0};
            sl_gpu_us us;
            bool ok = gw_duration_evaluate(d, &r->facts, MAX_US, &us, &err);
            assert_true(i == 0 || ok == is_given);
            is_given = ok;
        }
        given += is_given;
        refused += !is_given;
        gw_duration_destroy(d);
    }
    assert_true(given > 0 && refused > 0);
}

#define BUSY                                                                                       \
    FUNCTION("local t = {} for i = 1, 40 do t[i] = parameters.quality .. i .. inputs.STEPS.value " \
             "end return #t + inputs.PROMPTS.shape[1]")

/* true: the duration came out, which must be the right one; false: there was no memory for it. */
static bool try_with(struct fail_alloc *f, const struct gw_duration_facts *facts)
{
    struct gw_duration *d;
    struct sl_error err = {0};
    sl_gpu_us us;
    if (!gw_duration_compile(sl_span_str(BUSY), &f->alloc, &d, &err)) {
        assert_int_equal(err.reason, SL_REASON_NO_CAPACITY);
        return false;
    }
    bool ok = gw_duration_evaluate(d, facts, MAX_US, &us, &err);
    assert_true(ok ? us == 42 * S : err.reason == SL_REASON_NO_CAPACITY);
    f->fail_at = 0; /* and it is as good as before */
    assert_true(gw_duration_evaluate(d, facts, MAX_US, &us, &err));
    assert_int_equal(us, 42 * S);
    gw_duration_destroy(d);
    return ok;
}

static void sweep(const struct duration_rig *r, bool keeps_failing)
{
    struct fail_alloc f;
    size_t i, refused = 0;
    for (i = 1; fail_alloc_start(&f, i); i++) {
        f.keeps_failing = keeps_failing;
        refused += !try_with(&f, &r->facts);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
    assert_true(i > 150); /* it has gone through the run, too */
    assert_true(refused > 0 && refused < i);
}

static void no_memory_is_a_refusal(void **state)
{
    sweep(*state, false);
    sweep(*state, true);
}

static int set_up(void **state)
{
    static struct duration_rig r;
    duration_rig_init(&r);
    *state = &r;
    return 0;
}

static int tear_down(void **state)
{
    duration_rig_finish(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_see_the_call),
        cmocka_unit_test(nothing_else_is_there),
        cmocka_unit_test(values_are_those_of_the_tensor),
        cmocka_unit_test(typed_contents_are_values_too),
        cmocka_unit_test(large_values_are_not_there),
        cmocka_unit_test(what_is_no_duration_is_refused),
        cmocka_unit_test(more_than_the_call_may_take_is_too_long),
        cmocka_unit_test(no_limit_is_beyond_what_a_duration_holds),
        cmocka_unit_test(what_is_no_expression_is_refused),
        cmocka_unit_test(length_and_nesting_are_bounded),
        cmocka_unit_test(hostile_expressions_are_stopped),
        cmocka_unit_test(what_is_written_is_gone_with_the_run),
        cmocka_unit_test(expressions_do_not_disturb_each_other),
        cmocka_unit_test(sentences_are_printable),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(the_limit_is_met_at_the_same_place),
        cmocka_unit_test(no_memory_is_a_refusal),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
