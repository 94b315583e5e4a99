/* ex_ort.c - opens ONNX Runtime and fills the table of its functions. */
#include "ex_ort.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "sl_base.h"
#include "sl_log.h"

/* What the loader finds by itself; the versioned name first, as distributions install it. */
static const char *const common_names[] = {"libonnxruntime.so.1", "libonnxruntime.so"};

static void on_log(void *ctx, int level, const char *category, const char *log_id,
                   const char *code_location, const char *message)
{
    (void)ctx;
    (void)category;
    (void)log_id;
    sl_log(level >= ORT_LOG_FATAL ? SL_LOG_ERROR : SL_LOG_DEBUG, "onnxruntime",
           SL_S("text", message), SL_S("at", code_location));
}

static void *open_named(const char *library, struct sl_error *err)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        sl_error_set(err, SL_REASON_MODEL_ERROR, "cannot open ONNX Runtime: %s", dlerror());
    return handle;
}

static void *open_common(struct sl_error *err)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(common_names); i++) {
        void *handle = dlopen(common_names[i], RTLD_NOW | RTLD_LOCAL);
        if (handle != NULL)
            return handle;
    }
    sl_error_set(
        err, SL_REASON_MODEL_ERROR,
        "ONNX Runtime is not installed (%s is not found); install it, or name its library in "
        "onnx.library of model.yaml or in SLUICE_ONNXRUNTIME",
        common_names[0]);
    return NULL;
}

static void *open_library(const char *library, struct sl_error *err)
{
    if (library == NULL)
        library = getenv("SLUICE_ONNXRUNTIME");
    if (library != NULL && library[0] != '\0')
        return open_named(library, err);
    return open_common(err);
}

/* The table of version EX_ORT_API_VERSION, or NULL. */
static const void *get_table(void *handle, struct ex_ort *out, struct sl_error *err)
{
    const struct ort_api_base *(*get_base)(void);
    void *symbol = dlsym(handle, "OrtGetApiBase");
    if (symbol == NULL) {
        sl_error_set(err, SL_REASON_MODEL_ERROR, "this is not ONNX Runtime: %s", dlerror());
        return NULL;
    }
    memcpy(&get_base, &symbol, sizeof(get_base));
    const struct ort_api_base *base = get_base();
    out->version = base->GetVersionString();
    const void *table = base->GetApi(EX_ORT_API_VERSION);
    if (table == NULL)
        sl_error_set(err, SL_REASON_MODEL_ERROR,
                     "ONNX Runtime %s is too old: 1.%d or newer is needed", out->version,
                     EX_ORT_API_VERSION);
    return table;
}

static void fill_api(const void *table, struct ort_api *out)
{
    const char *slots = table;
#define EX_ORT_FILL(name, slot, returned, params)                                                  \
    memcpy(&out->name, slots + (slot) * sizeof(out->name), sizeof(out->name));
    EX_ORT_SLOT_MAP(EX_ORT_FILL)
#undef EX_ORT_FILL
}

static bool make_env(struct ex_ort *o, struct sl_error *err)
{
    const struct ort_api *api = &o->api;
    /* What it logs as an error it also returns, and a caller's bad input is no news for the log. */
    const int level = sl_log_is_on(SL_LOG_DEBUG) ? ORT_LOG_WARNING : ORT_LOG_FATAL;
    return ex_ort_is_ok(o, api->CreateEnvWithCustomLogger(on_log, NULL, level, "sluice", &o->env),
                        "cannot start ONNX Runtime", err) &&
           ex_ort_is_ok(o, api->GetAllocatorWithDefaultOptions(&o->allocator),
                        "cannot start ONNX Runtime", err) &&
           ex_ort_is_ok(o,
                        api->CreateCpuMemoryInfo(ORT_ALLOCATOR_ARENA, ORT_MEMORY_DEFAULT, &o->cpu),
                        "cannot start ONNX Runtime", err);
}

bool ex_ort_open(const char *library, struct ex_ort *out, struct sl_error *err)
{
    memset(out, 0, sizeof(*out));
    void *handle = open_library(library, err); /* never closed: it may have started threads */
    const void *table = handle == NULL ? NULL : get_table(handle, out, err);
    if (table == NULL)
        return false;
    fill_api(table, &out->api);
    if (make_env(out, err))
        return true;
    ex_ort_close(out);
    return false;
}

void ex_ort_close(struct ex_ort *o)
{
    if (o->cpu != NULL)
        o->api.ReleaseMemoryInfo(o->cpu);
    if (o->env != NULL)
        o->api.ReleaseEnv(o->env);
    o->cpu = NULL;
    o->env = NULL;
}

/* ONNX Runtime has no code of its own for "no memory". */
static bool is_about_memory(const char *message)
{
    return strstr(message, "Failed to allocate memory") != NULL ||
           strstr(message, "bad_alloc") != NULL;
}

bool ex_ort_is_ok(const struct ex_ort *o, struct ort_status *status, const char *what,
                  struct sl_error *err)
{
    if (status == NULL)
        return true;
    const char *message = o->api.GetErrorMessage(status);
    if (is_about_memory(message))
        sl_error_set(err, SL_REASON_OUT_OF_MEMORY, "out of memory: %s", message);
    else
        sl_error_set(err, SL_REASON_MODEL_ERROR, "%s: %s", what, message);
    o->api.ReleaseStatus(status);
    return false;
}
