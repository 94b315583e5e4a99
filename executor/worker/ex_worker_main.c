/* ex_worker_main.c - sluice-worker: one model on one slice; options, start, exit codes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ex_model_file.h"
#include "ex_worker_options.h"
#include "ex_worker_process.h"
#include "ex_worker_proto.h"
#include "ex_worker_serve.h"
#include "sl_alloc.h"
#include "sl_log.h"
#include "sl_memfd.h"

/* Tells the supervisor why this ends, and the log. */
static int end_with(enum ex_worker_kind kind, const char *text)
{
    sl_log(SL_LOG_ERROR, kind == EX_WORKER_FAILED ? "model not loaded" : "worker broken",
           SL_S("text", text));
    if (ex_worker_send_text(EX_WORKER_FD_CONTROL, kind, text) != SL_OK)
        sl_log(SL_LOG_WARN, "the supervisor cannot be told");
    return kind == EX_WORKER_FAILED ? EX_WORKER_EXIT_FAILED : EX_WORKER_EXIT_FATAL;
}

/* Maps a ring that was inherited, whole. The descriptor is not needed after that. */
static sl_status map_ring(int fd, bool writable, void **out_map, size_t *out_bytes)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size <= 0)
        return SL_EPROTO;
    *out_bytes = (size_t)st.st_size;
    const sl_status s = sl_memfd_map(fd, *out_bytes, writable, out_map);
    close(fd);
    return s;
}

static sl_status attach_rings(struct ex_ring *ring)
{
    void *up;
    void *down;
    size_t up_bytes;
    size_t down_bytes;
    sl_status s = map_ring(EX_WORKER_FD_UP, true, &up, &up_bytes);
    if (s == SL_OK)
        s = map_ring(EX_WORKER_FD_DOWN, false, &down, &down_bytes);
    return s == SL_OK ? ex_ring_attach(ring, up, up_bytes, down, down_bytes) : s;
}

/* Loads and attaches the model. False: *err says why. */
static bool start_model(struct ex_worker *w, const struct ex_slice *slice, struct sl_error *err)
{
    w->engine = ex_engine_find(w->spec->engine); /* the file's reader knows the same names */
    if (!w->engine->load(w->spec, slice->cpu_threads, &w->model, err))
        return false;
    if (w->engine->attach(w->model, slice, err))
        return true;
    w->engine->unload(w->model);
    return false;
}

static void on_cancel(void *ctx)
{
    ex_worker_interrupt(ctx);
}

static int serve(struct ex_worker *w)
{
    struct sl_error err;
    if (ex_worker_process_on_cancel(on_cancel, w) != SL_OK)
        return end_with(EX_WORKER_FATAL, "the process cannot be set up");
    const struct ex_worker_message loaded = {
        .kind = EX_WORKER_LOADED, .bytes = ex_model_fingerprint(w->spec), .fd = -1};
    if (ex_worker_send(EX_WORKER_FD_CONTROL, &loaded) != SL_OK)
        return EX_WORKER_EXIT_OK; /* the supervisor is gone */
    const bool ok = ex_worker_serve(w, &err);
    w->engine->detach(w->model);
    w->engine->unload(w->model);
    ex_worker_sink_finish(&w->sink);
    sl_shm_peer_finish(&w->segments);
    return ok ? EX_WORKER_EXIT_OK : end_with(EX_WORKER_FATAL, err.text);
}

static int run(struct ex_worker *w, const struct ex_worker_options *o)
{
    struct sl_error err;
    if (!start_model(w, &o->slice, &err))
        return end_with(EX_WORKER_FAILED, err.text);
    sl_shm_peer_init(&w->segments, EX_SEGMENTS_MAX);
    ex_worker_sink_init(&w->sink, &w->ring, EX_WORKER_FD_CONTROL, w->spec->output_count,
                        o->slice.memory_bytes);
    return serve(w);
}

/* Without the last line's end. */
static const char *trim(char *text)
{
    const size_t len = strlen(text);
    if (len > 0 && text[len - 1] == '\n')
        text[len - 1] = '\0';
    return text;
}

/* With the process tied and the rings attached. */
static int load_and_run(struct ex_worker *w, const struct ex_worker_options *o)
{
    struct sl_buf errors;
    struct ex_model_file *file = NULL;
    sl_buf_init(&errors, &sl_alloc_malloc, EX_WORKER_TEXT_MAX);
    const sl_status s = ex_model_file_load(o->model_dir, &errors, &file);
    int code;
    if (s == SL_OK) {
        w->spec = ex_model_file_spec(file);
        code = run(w, o);
    } else {
        char text[EX_WORKER_TEXT_MAX + 1];
        snprintf(text, sizeof(text), "%.*s", (int)errors.len, (const char *)errors.data);
        code = end_with(EX_WORKER_FAILED, errors.len > 0 ? trim(text) : sl_status_text(s));
    }
    ex_model_file_destroy(file);
    sl_buf_finish(&errors);
    return code;
}

static int start(const struct ex_worker_options *o)
{
    const bool is_cpu = o->slice.kind == EX_SLICE_CPU;
    struct ex_worker *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return end_with(EX_WORKER_FATAL, "out of memory");
    int code = EX_WORKER_EXIT_FATAL;
    if (ex_worker_process_tie() != SL_OK ||
        ex_worker_process_limit_memory(is_cpu ? o->slice.memory_bytes : 0) != SL_OK)
        code = end_with(EX_WORKER_FATAL, "the process cannot be set up");
    else if (attach_rings(&w->ring) != SL_OK)
        code = end_with(EX_WORKER_FATAL, "the inherited rings cannot be used");
    else
        code = load_and_run(w, o);
    free(w);
    return code;
}

int main(int argc, char **argv)
{
    struct ex_worker_options options;
    switch (ex_worker_options_read(argc, argv, &options)) {
    case EX_WORKER_OPTIONS_HELP:
        return EX_WORKER_EXIT_OK;
    case EX_WORKER_OPTIONS_BAD:
        return EX_WORKER_EXIT_FATAL;
    case EX_WORKER_OPTIONS_OK:
        break;
    }
    sl_log_setup("worker", options.log_level, options.log_format);
    return start(&options);
}
