/* ex_engine_fake.c - a model that does what it is told: takes time and memory, fails, crashes,
 * hangs. What it can be told stands in ex_fake_script.h. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ex_engine.h"
#include "ex_fake_params.h"
#include "ex_fake_script.h"
#include "ex_model.h"
#include "sl_clock.h"
#include "sl_text.h"
#include "sl_time.h"

enum { PAGE_BYTES = 4096, CRASH_EXIT_CODE = 3 };
static const int64_t nap_ns = 10 * SL_NS_PER_MS; /* how soon a run notices that it was cancelled */

struct fake_model {
    const struct ex_model_spec *spec;
    struct ex_fake_script script;
    uint64_t run_count;
    void *memory; /* script.load_memory_bytes, or NULL */
};

/* ---- time, memory, mishaps */

static void sleep_for(int64_t ns)
{
    struct timespec left = {ns / SL_NS_PER_S, ns % SL_NS_PER_S};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

static bool is_cancelled(const struct ex_run *call)
{
    return call != NULL && call->is_cancelled != NULL && call->is_cancelled(call);
}

/* Of a call, or of nobody's (NULL). False: it was cancelled meanwhile. */
static bool pass_time(const struct ex_fake_script *s, int64_t ns, const struct ex_run *call)
{
    const sl_mono_ns end = sl_sat_add(sl_clock_mono(&sl_clock_real), ns);
    int64_t left = ns;
    while (left > 0) {
        if (is_cancelled(call))
            return false;
        if (s->how != EX_FAKE_BUSY)
            sleep_for(left < nap_ns ? left : nap_ns);
        left = end - sl_clock_mono(&sl_clock_real);
    }
    return true;
}

/* bytes of memory, each page written to; NULL with *err set when there is none. */
static void *take_memory(uint64_t bytes, struct sl_error *err)
{
    char text[32];
    volatile uint8_t *p = bytes <= SIZE_MAX ? malloc((size_t)bytes) : NULL;
    if (p == NULL) {
        sl_text_format_bytes(bytes, text);
        sl_error_set(err, SL_REASON_OUT_OF_MEMORY, "out of memory: %s asked for", text);
        return NULL;
    }
    for (uint64_t at = 0; at < bytes; at += PAGE_BYTES)
        p[at] = 1;
    return (void *)p;
}

/* Ends the process as the script says; returns only when it says nothing. */
static void crash(int how)
{
    switch ((enum ex_fake_crash)how) {
    case EX_FAKE_NO_CRASH:
        return;
    case EX_FAKE_SEGV:
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
        return;
    case EX_FAKE_ABORT:
        abort();
    case EX_FAKE_EXIT:
        _exit(CRASH_EXIT_CODE);
    case EX_FAKE_KILL:
        raise(SIGKILL);
        return;
    }
}

/* Whatever is asked of it. */
static void hang(const struct ex_fake_script *s)
{
    for (;;)
        pass_time(s, SL_NS_PER_S, NULL);
}

/* What the script has in store for this run. False: it fails. */
static bool meet_mishaps(const struct ex_fake_script *s, struct sl_error *err)
{
    if (s->hang)
        hang(s);
    crash(s->crash);
    if (s->error == NULL)
        return true;
    const enum sl_reason reason =
        s->reason == NULL ? SL_REASON_MODEL_ERROR : sl_reason_from_name(s->reason);
    sl_error_set(err, reason, "%s", s->error);
    return false;
}

/* ---- items */

/* Rows of the first input. */
static int64_t count_items(const struct ex_run *call)
{
    return call->input_count > 0 && call->inputs[0].rank > 0 ? call->inputs[0].dims[0] : 1;
}

/* Is there one that mishaps are kept for? */
static bool has_bad_item(const struct ex_fake_script *s, const struct ex_run *call)
{
    if (s->bad == 0 || call->input_count == 0)
        return s->bad == 0;
    const struct sl_span raw = call->inputs[0].raw;
    const int64_t items = count_items(call);
    const size_t step = items > 0 ? raw.len / (size_t)items : 0;
    for (size_t at = 0; step > 0 && at < raw.len; at += step) {
        if (raw.data[at] == s->bad)
            return true;
    }
    return false;
}

/* ---- results */

/* The output's shape: the spec's, with its free dimensions filled in. */
static void choose_dims(const struct fake_model *m, const struct ex_fake_script *s,
                        const struct ex_run *call, size_t index, int64_t *out)
{
    const struct ex_tensor_spec *spec = &m->spec->outputs[index];
    int64_t rows = s->rows;
    if (rows == 0)
        rows = count_items(call);
    for (size_t i = 0; i < spec->rank; i++) {
        out[i] = spec->dims[i];
        if (out[i] == -1) {
            out[i] = rows;
            rows = 1;
        }
    }
}

static void fill_copy(uint8_t *out, size_t bytes, struct sl_span in)
{
    if (in.len == 0) {
        memset(out, 0, bytes);
        return;
    }
    for (size_t at = 0; at < bytes; at += in.len)
        memcpy(out + at, in.data, in.len < bytes - at ? in.len : bytes - at);
}

static void fill_hash(uint8_t *out, size_t bytes, const struct ex_run *call, size_t index)
{
    uint64_t seed = EX_FAKE_SEED;
    for (size_t i = 0; i < call->input_count; i++)
        seed = ex_fake_seed(seed, call->inputs[i].raw);
    for (size_t at = 0; at < bytes; at += sizeof(uint64_t)) {
        const uint64_t word = ex_fake_hash(seed, index, at / sizeof(uint64_t));
        memcpy(out + at, &word, sizeof(word) < bytes - at ? sizeof(word) : bytes - at);
    }
}

static void fill_words(uint8_t *out, size_t bytes, uint64_t word)
{
    for (size_t at = 0; at < bytes; at += sizeof(word))
        memcpy(out + at, &word, sizeof(word) < bytes - at ? sizeof(word) : bytes - at);
}

static void fill(const struct ex_fake_script *s, const struct ex_run *call, size_t index,
                 uint8_t *out, size_t bytes)
{
    if (s->result == EX_FAKE_HASH)
        fill_hash(out, bytes, call, index);
    else if (s->result == EX_FAKE_ITEMS)
        fill_words(out, bytes, (uint64_t)count_items(call));
    else if (s->result == EX_FAKE_COPY && call->input_count > 0)
        fill_copy(out, bytes, call->inputs[index % call->input_count].raw);
    else
        memset(out, 0, bytes);
}

/* A BYTES output of one dimension: the call's parameters. */
static bool answer_params(const struct fake_model *m, const struct ex_run *call, size_t index,
                          struct ex_sink *sink, struct sl_error *err)
{
    const int64_t dims[1] = {(int64_t)call->param_count};
    const uint64_t bytes = ex_fake_params_bytes(call->params, call->param_count);
    char *text = malloc(bytes + 1);
    if (text == NULL) {
        sl_error_set(err, SL_REASON_OUT_OF_MEMORY, "out of memory");
        return false;
    }
    uint8_t *out = ex_sink_take(sink, m->spec, index, dims, 1, bytes, err);
    ex_fake_params_write(call->params, call->param_count, text);
    if (out != NULL)
        memcpy(out, text, bytes);
    free(text);
    return out != NULL;
}

static bool answer(const struct fake_model *m, const struct ex_fake_script *s,
                   const struct ex_run *call, size_t index, struct ex_sink *sink,
                   struct sl_error *err)
{
    const struct ex_tensor_spec *spec = &m->spec->outputs[index];
    const bool is_text = spec->dtype == SL_DTYPE_BYTES;
    int64_t dims[SL_RANK_MAX];
    uint64_t bytes;
    if (is_text && spec->rank == 1 && s->result == EX_FAKE_PARAMS)
        return answer_params(m, call, index, sink, err);
    choose_dims(m, s, call, index, dims);
    /* An empty text is its 4-byte length, all zeros. */
    if (sl_shape_bytes(is_text ? SL_DTYPE_UINT32 : spec->dtype, dims, spec->rank, &bytes) !=
        SL_OK) {
        sl_error_set(err, SL_REASON_MODEL_ERROR, "output %s would be too large", spec->name);
        return false;
    }
    uint8_t *out = ex_sink_take(sink, m->spec, index, dims, spec->rank, bytes, err);
    if (out == NULL)
        return false;
    if (is_text)
        memset(out, 0, bytes);
    else
        fill(s, call, index, out, bytes);
    return true;
}

/* ---- the five deeds */

static bool load(const struct ex_model_spec *spec, uint32_t cpu_threads, void **out_model,
                 struct sl_error *err)
{
    (void)cpu_threads;
    struct ex_fake_script script;
    if (!ex_fake_script_read(spec, &script, err))
        return false;
    pass_time(&script, script.load_delay_ns, NULL);
    if (script.load_error != NULL) {
        sl_error_set(err, SL_REASON_MODEL_ERROR, "%s", script.load_error);
        return false;
    }
    struct fake_model *m = calloc(1, sizeof(*m));
    if (m == NULL) {
        sl_error_set(err, SL_REASON_OUT_OF_MEMORY, "out of memory");
        return false;
    }
    m->spec = spec;
    m->script = script;
    if (script.load_memory_bytes > 0) {
        m->memory = take_memory(script.load_memory_bytes, err);
        if (m->memory == NULL) {
            free(m);
            return false;
        }
    }
    *out_model = m;
    return true;
}

static bool attach(void *model, const struct ex_slice *slice, struct sl_error *err)
{
    (void)model;
    (void)slice;
    (void)err;
    return true;
}

static bool run(void *model, const struct ex_run *call, struct ex_sink *sink, struct sl_error *err)
{
    struct fake_model *m = model;
    struct ex_fake_script s = m->script;
    if (!ex_fake_script_apply(&s, call->params, call->param_count, err))
        return false;
    m->run_count++;
    void *memory = s.memory_bytes > 0 ? take_memory(s.memory_bytes, err) : NULL;
    if (s.memory_bytes > 0 && memory == NULL)
        return false;
    const int64_t run_ns = sl_sat_add(s.run_ns, sl_sat_mul(s.item_ns, count_items(call)));
    const bool is_over = pass_time(&s, run_ns, call);
    free(memory);
    if (!is_over) {
        sl_error_set(err, SL_REASON_CANCELLED, "cancelled in the middle of its run");
        return false;
    }
    if (m->run_count % (uint64_t)s.every == 0 && has_bad_item(&s, call) && !meet_mishaps(&s, err))
        return false;
    for (size_t i = 0; i < m->spec->output_count; i++) {
        if (call->wanted[i] && !answer(m, &s, call, i, sink, err))
            return false;
    }
    return true;
}

static void detach(void *model)
{
    (void)model;
}

static void unload(void *model)
{
    struct fake_model *m = model;
    if (m != NULL)
        free(m->memory);
    free(m);
}

const struct ex_engine ex_engine_fake = {
    .name = "fake",
    .load = load,
    .attach = attach,
    .run = run,
    .detach = detach,
    .unload = unload,
};
