/* ex_fake_script.c - reads what engine `fake` is told to do. */
#include "ex_fake_script.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sl_base.h"
#include "sl_text.h"

enum value_kind { DURATION, SIZE, COUNT, CHOICE, FLAG, TEXT };

static const char *const hows[] = {"sleep", "busy", NULL};
static const char *const results[] = {"zeros", "copy", "hash", "params", "items", NULL};
static const char *const crashes[] = {"none", "segv", "abort", "exit", "kill", NULL};
static const char *const flags[] = {"false", "true", NULL};

struct key {
    const char *name;
    enum value_kind kind;
    size_t offset;
    const char *const *choices;
    bool is_for_calls;
};

#define AT(field) offsetof(struct ex_fake_script, field)
static const struct key keys[] = {
    {"run", DURATION, AT(run_ns), NULL, true},
    {"item", DURATION, AT(item_ns), NULL, true},
    {"how", CHOICE, AT(how), hows, true},
    {"result", CHOICE, AT(result), results, true},
    {"rows", COUNT, AT(rows), NULL, true},
    {"memory", SIZE, AT(memory_bytes), NULL, true},
    {"error", TEXT, AT(error), NULL, true},
    {"reason", TEXT, AT(reason), NULL, true},
    {"crash", CHOICE, AT(crash), crashes, true},
    {"hang", FLAG, AT(hang), flags, true},
    {"every", COUNT, AT(every), NULL, true},
    {"bad", COUNT, AT(bad), NULL, true},
    {"load_delay", DURATION, AT(load_delay_ns), NULL, false},
    {"load_error", TEXT, AT(load_error), NULL, false},
    {"load_memory", SIZE, AT(load_memory_bytes), NULL, false},
};
#undef AT

static const char *const kind_texts[] = {
    [DURATION] = "a duration such as 50ms",
    [SIZE] = "a size such as 64MiB",
    [COUNT] = "a count, 1 or more",
    [CHOICE] = "one of its choices",
    [FLAG] = "true or false",
    [TEXT] = "a text",
};

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(keys); i++) {
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    }
    return NULL;
}

static bool read_choice(const char *const *choices, const char *text, int *out)
{
    for (int i = 0; choices[i] != NULL; i++) {
        if (strcmp(choices[i], text) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool read_flag(const char *text, bool *out)
{
    int index;
    const bool ok = read_choice(flags, text, &index);
    if (ok)
        *out = index == 1;
    return ok;
}

/* Writes the value into its field. text must outlive the script. */
static bool set(struct ex_fake_script *script, const struct key *key, const char *text)
{
    void *field = (char *)script + key->offset;
    const struct sl_span span = sl_span_str(text);
    switch (key->kind) {
    case DURATION:
        return sl_text_duration(span, false, field) == SL_OK;
    case SIZE:
        return sl_text_bytes(span, field) == SL_OK;
    case COUNT:
        return sl_text_int(span, field) == SL_OK && *(int64_t *)field >= 1;
    case CHOICE:
        return read_choice(key->choices, text, field);
    case FLAG:
        return read_flag(text, field);
    case TEXT:
        *(const char **)field = text;
        return true;
    }
    return false;
}

static bool check_reason(const struct ex_fake_script *script, enum sl_reason reason,
                         struct sl_error *err)
{
    if (script->reason == NULL ||
        strcmp(sl_reason_name(sl_reason_from_name(script->reason)), script->reason) == 0)
        return true;
    sl_error_set(err, reason, "fake reason %s is not a reason's name", script->reason);
    return false;
}

bool ex_fake_script_read(const struct ex_model_spec *spec, struct ex_fake_script *out,
                         struct sl_error *err)
{
    *out = (struct ex_fake_script){.every = 1};
    for (size_t i = 0; i < spec->option_count; i++) {
        const struct ex_option *o = &spec->options[i];
        const struct key *key = find_key(o->name);
        if (key == NULL) {
            sl_error_set(err, SL_REASON_MODEL_ERROR, "fake.%s is not a key of engine fake",
                         o->name);
            return false;
        }
        if (!set(out, key, o->value)) {
            sl_error_set(err, SL_REASON_MODEL_ERROR, "fake.%s is %s; it must be %s", o->name,
                         o->value, kind_texts[key->kind]);
            return false;
        }
    }
    return check_reason(out, SL_REASON_MODEL_ERROR, err);
}

/* A number as the text that the key's reader takes: milliseconds, bytes, a count. */
static const char *number_text(const struct key *key, uint64_t n, char out[32])
{
    const char *unit = key->kind == DURATION ? "ms" : key->kind == SIZE ? "B" : "";
    snprintf(out, 32, "%" PRIu64 "%s", n, unit);
    return out;
}

/* room is for numbers, which set() reads at once and does not keep. */
static const char *param_text(const struct key *key, const struct ex_param *p, char room[32])
{
    switch (p->kind) {
    case EX_PARAM_STRING:
        return p->value.s;
    case EX_PARAM_BOOL:
        return flags[p->value.b];
    case EX_PARAM_UINT:
        return key->kind == TEXT ? NULL : number_text(key, p->value.u, room);
    case EX_PARAM_INT:
        return p->value.i < 0 || key->kind == TEXT ? NULL
                                                   : number_text(key, (uint64_t)p->value.i, room);
    case EX_PARAM_DOUBLE:
        return NULL;
    }
    return NULL;
}

static bool apply_one(struct ex_fake_script *script, const struct ex_param *p, const char *name,
                      struct sl_error *err)
{
    char room[32];
    const struct key *key = find_key(name);
    if (key == NULL || !key->is_for_calls) {
        sl_error_set(err, SL_REASON_BAD_INPUT, "%s is not a parameter of engine fake", p->name);
        return false;
    }
    const char *text = param_text(key, p, room);
    if (text != NULL && set(script, key, text))
        return true;
    sl_error_set(err, SL_REASON_BAD_INPUT, "parameter %s is %s; it must be %s", p->name,
                 text == NULL ? "of another kind" : text, kind_texts[key->kind]);
    return false;
}

bool ex_fake_script_apply(struct ex_fake_script *script, const struct ex_param *params,
                          size_t count, struct sl_error *err)
{
    static const char prefix[] = "fake_";
    const size_t prefix_len = sizeof(prefix) - 1;
    for (size_t i = 0; i < count; i++) {
        const char *name = params[i].name;
        if (strncmp(name, prefix, prefix_len) == 0 &&
            !apply_one(script, &params[i], name + prefix_len, err))
            return false;
    }
    return check_reason(script, SL_REASON_BAD_INPUT, err);
}

uint64_t ex_fake_seed(uint64_t seed, struct sl_span bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        seed = (seed ^ bytes.data[i]) * UINT64_C(0x100000001b3);
    return seed;
}

uint64_t ex_fake_hash(uint64_t seed, size_t output, size_t i)
{
    /* The mixing step of splitmix64. */
    uint64_t z = seed + UINT64_C(0x9e3779b97f4a7c15) * (output * UINT64_C(0x100000001) + i + 1);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}
