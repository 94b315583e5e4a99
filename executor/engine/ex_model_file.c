/* ex_model_file.c - a model's directory into its spec. */
#include "ex_model_file.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ex_engine.h"
#include "ex_model_duration.h"
#include "ex_model_file_keys.h"
#include "sl_alloc.h"
#include "sl_arena.h"
#include "sl_base.h"
#include "sl_text.h"

enum { ARENA_BYTES_MAX = 1 << 20, VERSION_DIGITS_MAX = 18, PLACE_BYTES = 64 };

struct ex_model_file {
    struct sl_arena arena;
    struct sl_conf *conf; /* owns the texts that the spec borrows */
    struct ex_model_conf values;
    struct ex_model_spec spec;
    char *path; /* of model.yaml */
    struct sl_buf *errors;
    bool has_errors;
};

/* One sentence about the value at `place` of the file ("inputs[0].name"; "": the whole file). */
static void complain(struct ex_model_file *f, const char *place, const char *fmt, ...)
    SL_PRINTF(3, 4);
static void complain(struct ex_model_file *f, const char *place, const char *fmt, ...)
{
    char text[SL_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    const unsigned line = f->conf == NULL ? 0 : sl_conf_line(f->conf, place);
    char at[PLACE_BYTES] = "";
    if (line > 0)
        snprintf(at, sizeof(at), ":%u", line);
    f->has_errors = true;
    /* A full buffer has enough errors already. */
    (void)!sl_buf_printf(f->errors, "%s%s: %s\n", f->path, at, text);
}

/* ---- tensors */

static bool is_name_taken(const struct ex_tensor_spec *specs, size_t count, const char *name)
{
    return ex_tensor_find(specs, count, sl_span_str(name)) < count;
}

static void check_shape(struct ex_model_file *f, const char *list, size_t i,
                        const struct ex_tensor_spec *spec)
{
    char place[PLACE_BYTES];
    char item[PLACE_BYTES]; /* where a shape that is missing would stand */
    int64_t dims[SL_RANK_MAX];
    int64_t count;
    snprintf(place, sizeof(place), "%s[%zu].shape", list, i);
    snprintf(item, sizeof(item), "%s[%zu].name", list, i);
    if (sl_conf_line(f->conf, place) == 0)
        complain(f, item, "%s is missing; write [] for a single value", place);
    for (size_t k = 0; k < spec->rank; k++)
        dims[k] = spec->dims[k] == -1 ? 1 : spec->dims[k];
    if (sl_shape_elements(dims, spec->rank, &count) != SL_OK)
        complain(f, place, "%s has more elements than can be counted", place);
}

/* The i-th of specs, of which those before it are checked. */
static void check_tensor(struct ex_model_file *f, const char *list, size_t i,
                         const struct ex_tensor_spec *specs)
{
    char place[PLACE_BYTES];
    const char *name = specs[i].name;
    snprintf(place, sizeof(place), "%s[%zu].name", list, i);
    if (name[0] == '\0')
        complain(f, place, "%s is empty", place);
    if (is_name_taken(specs, i, name))
        complain(f, place, "%s is %s, like one before it", place, name);
    check_shape(f, list, i, &specs[i]);
}

static const struct ex_tensor_spec *read_tensors(struct ex_model_file *f, const char *list,
                                                 const struct sl_conf_seq *seq)
{
    const struct ex_model_tensor_conf *confs = seq->items;
    struct ex_tensor_spec *specs = sl_arena_zero(&f->arena, seq->count + 1, sizeof(*specs));
    if (specs == NULL)
        return NULL;
    if (seq->count == 0)
        complain(f, list, "%s is empty; a model has at least one", list);
    for (size_t i = 0; i < seq->count; i++) {
        specs[i].name = confs[i].name;
        specs[i].dtype = (enum sl_dtype)(confs[i].dtype + 1);
        specs[i].rank = confs[i].shape.count;
        if (specs[i].rank > 0)
            memcpy(specs[i].dims, confs[i].shape.items, specs[i].rank * sizeof(int64_t));
        check_tensor(f, list, i, specs);
    }
    return specs;
}

/* Items of several calls can be told apart in a tensor that is free along its first dimension. */
static void check_batch(struct ex_model_file *f, const char *list,
                        const struct ex_tensor_spec *specs, size_t count)
{
    char place[PLACE_BYTES];
    for (size_t i = 0; f->spec.max_batch > 1 && i < count; i++) {
        if (specs[i].rank > 0 && specs[i].dims[0] == -1)
            continue;
        snprintf(place, sizeof(place), "%s[%zu].shape", list, i);
        complain(f, place, "%s must begin with -1, because max_batch is %" PRId64, place,
                 f->spec.max_batch);
    }
}

/* ---- the engine's own section */

static const char *value_text(const struct sl_conf_key *key, const union ex_model_value *v,
                              char room[32])
{
    switch (key->type) {
    case SL_CONF_BOOL:
        return v->flag ? "true" : "false";
    case SL_CONF_INT:
        snprintf(room, 32, "%" PRId64, v->number);
        return room;
    case SL_CONF_DURATION:
        sl_text_format_duration(v->number, room);
        return room;
    case SL_CONF_BYTES:
        sl_text_format_bytes(v->bytes, room);
        return room;
    case SL_CONF_CHOICE:
        return key->choices[v->choice];
    default:
        return v->text;
    }
}

/* Keeps what is written in the file; what is left out is the engine's own default. */
static sl_status add_option(struct ex_model_file *f, const struct sl_conf_key *key,
                            struct ex_option *options)
{
    char room[32];
    const char *dot = strchr(key->name, '.');
    const size_t section = (size_t)(dot - key->name);
    if (sl_conf_line(f->conf, key->name) == 0)
        return SL_OK;
    if (strlen(f->spec.engine) != section || memcmp(f->spec.engine, key->name, section) != 0) {
        complain(f, key->name, "%s is of no use: the model's engine is %s", key->name,
                 f->spec.engine);
        return SL_OK;
    }
    const char *text =
        value_text(key, (const void *)((const char *)&f->values + key->offset), room);
    char *copy = sl_arena_str(&f->arena, sl_span_str(text));
    if (copy == NULL)
        return SL_ENOMEM;
    options[f->spec.option_count++] = (struct ex_option){dot + 1, copy};
    return SL_OK;
}

static sl_status read_options(struct ex_model_file *f)
{
    struct ex_option *options = sl_arena_zero(&f->arena, EX_MODEL_VALUES_MAX, sizeof(*options));
    if (options == NULL)
        return SL_ENOMEM;
    for (const struct sl_conf_key *key = ex_model_options(); key->name != NULL; key++) {
        const sl_status s = add_option(f, key, options);
        if (s != SL_OK)
            return s;
    }
    f->spec.options = options;
    return SL_OK;
}

/* ---- names and versions */

/* The number that a version directory's name is; 0 for another name. */
static uint64_t version_number(const char *name)
{
    const size_t len = strlen(name);
    if (len == 0 || len > VERSION_DIGITS_MAX || name[0] == '0' || strspn(name, "0123456789") != len)
        return 0;
    return strtoull(name, NULL, 10);
}

static bool is_directory(const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    const int len = snprintf(path, sizeof(path), "%s/%s", dir, name);
    return len > 0 && (size_t)len < sizeof(path) && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* 0: there is no version directory. */
static uint64_t newest_version(const char *dir)
{
    uint64_t newest = 0;
    DIR *d = opendir(dir);
    if (d == NULL)
        return 0;
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        const uint64_t n = version_number(e->d_name);
        if (n > newest && is_directory(dir, e->d_name))
            newest = n;
    }
    closedir(d);
    return newest;
}

static char *format(struct ex_model_file *f, const char *fmt, ...) SL_PRINTF(2, 3);
static char *format(struct ex_model_file *f, const char *fmt, ...)
{
    char text[PATH_MAX];
    va_list args;
    va_start(args, fmt);
    const int len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return len >= 0 && (size_t)len < sizeof(text)
               ? sl_arena_str(&f->arena, sl_span_of(text, (size_t)len))
               : NULL;
}

/* dir without slashes at its end; its last part is the model's name. */
static sl_status read_place(struct ex_model_file *f, const char *dir)
{
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/')
        len--;
    char *own = sl_arena_str(&f->arena, sl_span_of(dir, len));
    if (own == NULL)
        return SL_ENOMEM;
    const char *slash = strrchr(own, '/');
    const uint64_t version = newest_version(own);
    f->path = format(f, "%s/model.yaml", own);
    f->spec.dir = own;
    f->spec.name = slash == NULL ? own : slash + 1;
    f->spec.version = version == 0 ? "1" : format(f, "%" PRIu64, version);
    f->spec.version_dir = version == 0 ? own : format(f, "%s/%" PRIu64, own, version);
    return f->path && f->spec.version && f->spec.version_dir ? SL_OK : SL_ENOMEM;
}

static void check_name(struct ex_model_file *f)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    const size_t len = strlen(f->spec.name);
    if (len == 0 || len > EX_NAME_MAX || strspn(f->spec.name, allowed) != len)
        complain(f, "", "the model's name, %.*s, must be 1 to %d of A-Z a-z 0-9 . _ -", EX_NAME_MAX,
                 f->spec.name, EX_NAME_MAX);
}

/* ---- the file */

static sl_status read_spec(struct ex_model_file *f)
{
    const struct ex_model_conf *v = &f->values;
    struct ex_model_spec *spec = &f->spec;
    spec->engine = ex_engine_names()[v->engine];
    spec->max_duration_us = v->max_duration_ns / SL_NS_PER_US;
    spec->size = v->size;
    spec->input_count = v->inputs.count;
    spec->output_count = v->outputs.count;
    spec->max_batch = v->max_batch;
    spec->batch_delay_us = v->batch_delay_ns / SL_NS_PER_US;
    check_name(f);
    struct sl_error err;
    if (!ex_model_duration_read(v->duration, spec, &err))
        complain(f, "duration", "%s", err.text);
    spec->inputs = read_tensors(f, "inputs", &v->inputs);
    spec->outputs = read_tensors(f, "outputs", &v->outputs);
    if (spec->inputs == NULL || spec->outputs == NULL)
        return SL_ENOMEM;
    check_batch(f, "inputs", spec->inputs, spec->input_count);
    check_batch(f, "outputs", spec->outputs, spec->output_count);
    const sl_status s = read_options(f);
    return s == SL_OK && f->has_errors ? SL_EINVAL : s;
}

static sl_status load(struct ex_model_file *f, const char *dir)
{
    sl_status s = read_place(f, dir);
    if (s != SL_OK)
        return s;
    if (access(f->path, F_OK) != 0 && errno == ENOENT) {
        complain(f, "", "there is no such file");
        return SL_ENOENT;
    }
    s = sl_conf_load(f->path, ex_model_keys(), &f->values, f->errors, &f->conf);
    return s == SL_OK ? read_spec(f) : s;
}

sl_status ex_model_file_load(const char *dir, struct sl_buf *errors, struct ex_model_file **out)
{
    struct ex_model_file *f = sl_alloc_zero(errors->alloc, 1, sizeof(*f));
    if (f == NULL)
        return SL_ENOMEM;
    sl_arena_init(&f->arena, errors->alloc, ARENA_BYTES_MAX);
    f->errors = errors;
    const sl_status s = load(f, dir);
    if (s != SL_OK) {
        ex_model_file_destroy(f);
        return s;
    }
    f->errors = NULL; /* was borrowed */
    *out = f;
    return SL_OK;
}

const struct ex_model_spec *ex_model_file_spec(const struct ex_model_file *f)
{
    return &f->spec;
}

void ex_model_file_destroy(struct ex_model_file *f)
{
    if (f == NULL)
        return;
    const struct sl_alloc *alloc = f->arena.alloc;
    sl_conf_destroy(f->conf);
    sl_arena_finish(&f->arena);
    sl_alloc_free(alloc, f);
}

sl_status ex_model_file_reference(struct sl_buf *out)
{
    return sl_conf_reference(ex_model_keys(), out);
}
