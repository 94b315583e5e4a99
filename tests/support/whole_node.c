/* whole_node.c - the executor's parts put together as ex_server does it, without a loop. */
#include "whole_node.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

#include "ex_result_blob.h"
#include "ex_segment.h"

enum { ECHO, PAIR, FAILS, STALLS, DIES };
enum { INLINE_MAX_BYTES = 1024, BULK_WINDOW_BYTES = 1 << 20, BACKLOG = 4, LEASES_MAX = 256 };
enum { KEPT_MIN_BYTES = 4096, RESULTS_MAX_BYTES = 4 << 20, RESULTS_MAX_COUNT = 8 };

static const struct ex_tensor_spec in[] = {{"IN", SL_DTYPE_FP32, {-1}, 1}};
static const struct ex_tensor_spec out[] = {{"OUT", SL_DTYPE_FP32, {-1}, 1}};
static const struct ex_tensor_spec pair_in[] = {{"A", SL_DTYPE_BYTES, {-1}, 1},
                                                {"B", SL_DTYPE_INT64, {-1, 2}, 2}};
static const struct ex_tensor_spec pair_out[] = {{"X", SL_DTYPE_BYTES, {-1}, 1},
                                                 {"Y", SL_DTYPE_INT64, {-1, 2}, 2}};

#define MODEL(NAME, INPUTS, OUTPUTS, COUNT, DURATION)                                              \
    {                                                                                              \
        .name = (NAME), .version = "1", .engine = "fake", .inputs = (INPUTS),                      \
        .input_count = (COUNT), .outputs = (OUTPUTS), .output_count = (COUNT),                     \
        .duration_us = 1000000, .duration = (DURATION), .max_duration_us = 2000000                 \
    }

static const struct ex_model_spec models[WHOLE_MODELS] = {
    [ECHO] = MODEL("echo", in, out, 1, ""),
    [PAIR] = MODEL("pair", pair_in, pair_out, 2, "0.5 + math.min(inputs.B.shape[1], 100) / 100"),
    [FAILS] = MODEL("fails", in, out, 1, "auto"),
    [STALLS] = MODEL("stalls", in, out, 1, ""),
    [DIES] = MODEL("dies", in, out, 1, ""),
};

const char *whole_control(void)
{
    static char endpoint[64];
    if (endpoint[0] == '\0')
        snprintf(endpoint, sizeof endpoint, "ipc:///tmp/sluice-whole-%ld", (long)getpid());
    return endpoint;
}

static void *need(size_t bytes)
{
    void *p = calloc(1, bytes);
    if (p == NULL)
        abort();
    return p;
}

/* ---- workers */

struct tensor {
    struct ex_blob blob; /* first */
    int64_t dims[SL_RANK_MAX];
    size_t rank;
    uint8_t bytes[];
};

struct whole_job {
    struct whole_job *prev, *next;
    uint64_t seq;
    bool is_cancelled;
    size_t count;
    struct tensor *tensors[2]; /* by the place in the spec */
};

static void end_tensor(struct ex_blob *blob)
{
    free(SL_CONTAINER_OF(blob, struct tensor, blob));
}

static struct tensor *copy_input(const struct ex_posting *p, size_t i)
{
    const struct ex_record_tensor *from = &p->inputs[i];
    const uint8_t *segment = p->segment != NULL ? p->segment->map : NULL;
    const uint8_t *bytes = segment != NULL ? segment + from->offset : p->bytes[i].data;
    struct tensor *t = need(sizeof *t + (size_t)from->bytes);
    if (from->bytes > 0)
        memcpy(t->bytes, bytes, (size_t)from->bytes);
    memcpy(t->dims, from->dims, from->rank * sizeof t->dims[0]);
    t->rank = from->rank;
    ex_blob_init(&t->blob, sl_span_of(t->bytes, (size_t)from->bytes), end_tensor);
    return t;
}

static const uint64_t whole_parts = (UINT64_C(1) << (WHOLE_SLICES - 1)) - 1;

static sl_status post(void *ctx, uint32_t slice, uint32_t model, struct ex_posting *p,
                      struct sl_error *why)
{
    struct whole_node *n = ctx;
    struct whole_job *job, *any;
    size_t depth;
    (void)why;
    DL_COUNT(n->rings[slice][model], any, depth);
    if (depth == WHOLE_RING || n->is_dying[slice][model])
        return SL_EAGAIN;
    job = need(sizeof *job);
    job->seq = p->job.seq = ++n->last_seq;
    job->count = p->job.input_count;
    for (size_t i = 0; i < job->count; i++)
        job->tensors[p->inputs[i].index] = copy_input(p, i);
    DL_APPEND(n->rings[slice][model], job);
    return SL_OK;
}

static void cancel(void *ctx, uint32_t slice, uint32_t model, uint64_t seq)
{
    struct whole_node *n = ctx;
    struct whole_job *job;
    DL_FOREACH (n->rings[slice][model], job) {
        job->is_cancelled |= job->seq == seq;
    }
}

static void kill_worker(void *ctx, uint32_t slice, uint32_t model)
{
    struct whole_node *n = ctx;
    n->is_dying[slice][model] = true;
}

/* Of its own, so that what reads past it is seen. */
static struct ex_segment *segment_on_heap(uint64_t bytes)
{
    struct ex_segment *s = need(sizeof *s);
    s->fd = -1;
    s->map = need((size_t)bytes);
    s->bytes = bytes;
    return s;
}

static struct ex_segment *segment_open(void *ctx, uint32_t slice, uint32_t model, uint64_t bytes,
                                       uint8_t **out_map)
{
    struct whole_node *n = ctx;
    (void)slice, (void)model;
    struct ex_segment *s =
        n->shares_memory ? ex_segment_create(n->alloc, bytes) : segment_on_heap(bytes);
    if (s == NULL)
        return NULL;
    ex_segment_prepare(s, bytes);
    *out_map = s->map;
    n->segment_count++;
    return s;
}

static void segment_close(void *ctx, struct ex_segment *s)
{
    struct whole_node *n = ctx;
    n->segment_count--;
    if (s->fd >= 0) {
        ex_segment_destroy(s);
        return;
    }
    free(s->map);
    free(s);
}

/* Its outputs may still be on their way out. */
static void free_job(struct whole_node *n, uint32_t slice, uint32_t model, struct whole_job *job)
{
    DL_DELETE(n->rings[slice][model], job);
    for (size_t i = 0; i < job->count; i++)
        ex_blob_release(&job->tensors[i]->blob);
    free(job);
}

/* As ex_pool keeps what a worker wrote: all of it in one blob. false: there is no memory. */
static bool keep_outputs(struct whole_node *n, struct ex_output outputs[], size_t count,
                         struct ex_blob **out_kept)
{
    uint8_t *to;
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += outputs[i].bytes.len;
    *out_kept = NULL;
    if (!n->shares_memory || bytes < KEPT_MIN_BYTES)
        return true;
    *out_kept = ex_result_blob_create(n->alloc, n->results, bytes, &to);
    for (size_t i = 0; *out_kept != NULL && i < count; i++) {
        memcpy(to, outputs[i].bytes.data, outputs[i].bytes.len);
        outputs[i].bytes.data = to;
        outputs[i].blob = *out_kept;
        to += outputs[i].bytes.len;
    }
    return *out_kept != NULL;
}

static void complete(struct whole_node *n, uint32_t slice, uint32_t model)
{
    struct whole_job *job = n->rings[slice][model];
    struct ex_output outputs[2];
    struct ex_blob *kept;
    struct ex_outcome outcome = {.outputs = outputs, .output_count = job->count};
    for (size_t i = 0; i < job->count; i++) {
        const struct tensor *t = job->tensors[i];
        const struct ex_tensor_spec *spec = &models[model].outputs[i];
        outputs[i] = (struct ex_output){spec->name, spec->dtype,   t->dims,
                                        t->rank,    t->blob.bytes, &job->tensors[i]->blob};
    }
    if (!keep_outputs(n, outputs, job->count, &kept))
        outcome = (struct ex_outcome){.reason = SL_REASON_NO_CAPACITY, .text = "no memory"};
    if (job->is_cancelled)
        outcome = (struct ex_outcome){.reason = SL_REASON_CANCELLED, .text = "cancelled"};
    else if (model == FAILS)
        outcome = (struct ex_outcome){.reason = SL_REASON_MODEL_ERROR, .text = "as asked for"};
    ex_jobs_result(n->jobs, slice, model, job->seq, &outcome, 1000, n->now);
    ex_blob_release(kept);
    free_job(n, slice, model, job);
}

static void die(struct whole_node *n, uint32_t slice, uint32_t model)
{
    struct whole_job *job = n->rings[slice][model];
    uint64_t started = job != NULL ? job->seq : n->last_seq;
    while ((job = n->rings[slice][model]) != NULL)
        free_job(n, slice, model, job);
    n->is_dying[slice][model] = false;
    ex_jobs_worker_lost(n->jobs, slice, model, started, "it was ended by signal 9", n->now);
    ex_jobs_worker_ready(n->jobs, slice, model, n->now);
}

static void work(struct whole_node *n, uint32_t slice, uint32_t model)
{
    const struct whole_job *job = n->rings[slice][model];
    bool is_stuck = job != NULL && model == STALLS && !job->is_cancelled;
    if (n->is_dying[slice][model] || (job != NULL && model == DIES))
        die(n, slice, model);
    else if (job != NULL && !is_stuck)
        complete(n, slice, model);
}

/* ---- what the gateway says */

static void on_call(void *ctx, const struct ex_call *call)
{
    struct whole_node *n = ctx;
    ex_jobs_accept(n->jobs, call, n->now);
}

static void on_cancel(void *ctx, uint64_t lease)
{
    struct whole_node *n = ctx;
    ex_jobs_cancel(n->jobs, lease, n->now);
}

static void on_call_back(void *ctx, uint64_t lease)
{
    struct whole_node *n = ctx;
    ex_jobs_call_back(n->jobs, lease, n->now);
}

static sl_status on_bulk(void *ctx, uint64_t lease, uint64_t offset, uint64_t total,
                         struct sl_span bytes)
{
    struct whole_node *n = ctx;
    return ex_jobs_bulk(n->jobs, lease, offset, total, bytes, n->now);
}

static void on_lost(void *ctx)
{
    struct whole_node *n = ctx;
    n->lost_count++;
    ex_jobs_drop_all(n->jobs, n->now);
}

/* ---- its life */

static sl_status fill_catalog(struct whole_node *n, const struct sl_alloc *alloc)
{
    sl_status s = ex_catalog_create(alloc, &n->catalog);
    for (size_t i = 0; s == SL_OK && i < WHOLE_MODELS; i++)
        s = ex_catalog_add(n->catalog, models[i].name, &models[i], "");
    return s;
}

static sl_status make_results(struct whole_node *n)
{
    const struct sl_shm_pool_conf conf = {.alloc = n->alloc,
                                          .label = "whole-result",
                                          .bytes_max = RESULTS_MAX_BYTES,
                                          .count_max = RESULTS_MAX_COUNT,
                                          .idle_ns = 10 * SL_NS_PER_S};
    return n->shares_memory ? sl_shm_pool_create(&conf, &n->results) : SL_OK;
}

static sl_status make_journal(struct whole_node *n, const struct sl_alloc *alloc)
{
    const struct ex_journal_conf conf = {.max = LEASES_MAX, .fresh_id = 1, .boot = 1};
    if (n->journal_map == NULL)
        n->journal_map = need(ex_journal_bytes(LEASES_MAX));
    return ex_journal_create(alloc, n->journal_map, ex_journal_bytes(LEASES_MAX), &conf,
                             &n->journal);
}

static void tell_time(struct whole_node *n, sl_mono_ns now)
{
    n->now = now;
    ex_journal_tick(n->journal, now, now / SL_NS_PER_US);
}

static sl_status make_link(struct whole_node *n, const struct sl_alloc *alloc, const char *name)
{
    const struct ex_link_conf conf = {.control = whole_control(),
                                      .bulk = WHOLE_BULK,
                                      .results = n->results,
                                      .hello = {.node = name,
                                                .host = "memory",
                                                .slices = n->slices,
                                                .slice_count = WHOLE_SLICES,
                                                .catalog = n->catalog,
                                                .bulk_window_bytes = BULK_WINDOW_BYTES,
                                                .inline_max_bytes = INLINE_MAX_BYTES,
                                                .slice_backlog_max = BACKLOG,
                                                .wants_shared_memory = n->shares_memory,
                                                .journal = ex_journal_totals(n->journal).id},
                                      .journal = n->journal};
    const struct ex_link_events events = {n, on_call, on_cancel, on_call_back, on_bulk, on_lost};
    return ex_link_create(alloc, &conf, &events, &n->link);
}

static sl_status make_jobs(struct whole_node *n, const struct sl_alloc *alloc)
{
    const struct ex_jobs_conf conf = {.slice_count = WHOLE_SLICES,
                                      .parts = {[WHOLE_SLICES - 1] = whole_parts},
                                      .backlog_max = BACKLOG,
                                      .jobs_max = 64,
                                      .payload_max_bytes = 1 << 20,
                                      .cancel_grace_ns = SL_NS_PER_S,
                                      .receive_patience_ns = 5 * SL_NS_PER_S,
                                      .journal = n->journal};
    n->report = ex_link_report_port(n->link);
    n->workers = (struct ex_worker_port){n, post, cancel, kill_worker, segment_open, segment_close};
    return ex_jobs_create(alloc, &conf, n->catalog, &n->report, &n->workers, &n->jobs);
}

sl_status whole_node_start(struct whole_node *n, const struct sl_alloc *alloc, const char *name,
                           bool shares_memory, sl_mono_ns now)
{
    *n = (struct whole_node){
        .alloc = alloc, .shares_memory = shares_memory, .journal_map = n->journal_map, .now = now};
    for (uint32_t i = 0; i < WHOLE_SLICES; i++)
        n->slices[i] = (struct ex_slice){.id = i, .device = "cpu0", .share_thousandths = 500};
    n->slices[WHOLE_SLICES - 1].parts = whole_parts;
    n->slices[WHOLE_SLICES - 1].share_thousandths = 1000;
    sl_status s = fill_catalog(n, alloc);
    if (s == SL_OK)
        s = make_results(n);
    if (s == SL_OK)
        s = make_journal(n, alloc);
    if (s == SL_OK)
        s = make_link(n, alloc, name);
    if (s == SL_OK)
        s = make_jobs(n, alloc);
    if (s != SL_OK) {
        whole_node_finish(n);
        return s;
    }
    tell_time(n, now);
    ex_link_start(n->link, now);
    return SL_OK;
}

void whole_node_turn(struct whole_node *n, sl_mono_ns now)
{
    tell_time(n, now);
    ex_link_receive(n->link, true, now);
    ex_jobs_tick(n->jobs, now);
    sl_shm_pool_trim(n->results, now);
    for (uint32_t i = 0; i < WHOLE_SLICES; i++)
        for (uint32_t k = 0; k < WHOLE_MODELS; k++)
            work(n, i, k);
    (void)ex_link_flush(n->link, now);
}

void whole_node_finish(struct whole_node *n)
{
    ex_jobs_destroy(n->jobs);
    ex_link_destroy(n->link, 0);
    ex_journal_destroy(n->journal);
    ex_catalog_destroy(n->catalog);
    for (uint32_t i = 0; i < WHOLE_SLICES; i++)
        for (uint32_t k = 0; k < WHOLE_MODELS; k++)
            while (n->rings[i][k] != NULL)
                free_job(n, i, k, n->rings[i][k]);
    if (n->segment_count != 0)
        abort();
    sl_shm_pool_destroy(n->results);
    n->results = NULL;
    n->jobs = NULL;
    n->link = NULL;
    n->journal = NULL;
    n->catalog = NULL;
}

void whole_node_forget(struct whole_node *n)
{
    free(n->journal_map);
    n->journal_map = NULL;
}
