/* fake_world.c - the two ports, and the rules that every report has to keep. */
#include "fake_world.h"

#include <stdlib.h>

#include "sl_test.h"

static const struct ex_tensor_spec tensors[] = {
    {.name = "X", .dtype = SL_DTYPE_FP32, .dims = {-1, 4}, .rank = 2}};
static const struct ex_model_spec specs[WORLD_MODELS] = {{.name = "m0",
                                                          .version = "1",
                                                          .inputs = tensors,
                                                          .input_count = 1,
                                                          .outputs = tensors,
                                                          .output_count = 1},
                                                         {.name = "m1",
                                                          .version = "1",
                                                          .inputs = tensors,
                                                          .input_count = 1,
                                                          .outputs = tensors,
                                                          .output_count = 1}};

enum { ROW_BYTES = 16, CALL_ROWS = 3, CALL_BYTES = ROW_BYTES * CALL_ROWS };

struct ex_segment {
    uint8_t bytes[1024];
};

/* ---- up */

static struct fake_lease *open_lease(struct world *w, uint64_t lease)
{
    assert_in_range(lease, 1, WORLD_LEASES - 1);
    assert_true(w->leases[lease].is_open);
    return &w->leases[lease];
}

static void on_started(void *ctx, uint64_t lease)
{
    struct world *w = ctx;
    struct fake_lease *l = open_lease(w, lease);
    assert_false(l->was_started);
    assert_true(w->running[l->slice] == 0 || w->specs[0].max_batch > 1);
    l->was_started = true;
    w->running[l->slice]++;
}

static void end_lease(struct world *w, uint64_t lease, enum sl_reason reason, const char *text)
{
    struct fake_lease *l = open_lease(w, lease);
    l->is_open = false;
    l->ends++;
    l->reason = reason;
    snprintf(l->text, sizeof(l->text), "%s", text ? text : "");
    if (l->was_started) /* else the slice may be none */
        w->running[l->slice]--;
}

static int64_t rows_of(const struct world *w, uint64_t lease)
{
    return w->specs[0].max_batch > 1 ? 1 + (int64_t)(lease % CALL_ROWS) : CALL_ROWS;
}

static void fill(uint64_t lease, uint8_t bytes[CALL_BYTES])
{
    for (size_t i = 0; i < CALL_BYTES; i++)
        bytes[i] = (uint8_t)(7 * lease + i);
    for (size_t i = 0; i < CALL_BYTES; i += ROW_BYTES) {
        bytes[i] = (uint8_t)lease;
        bytes[i + 1] = (uint8_t)(lease >> 8);
    }
}

static void check_output(const struct world *w, uint64_t lease, const struct ex_output *output)
{
    uint8_t bytes[CALL_BYTES];
    fill(lease, bytes);
    assert_int_equal(output->rank, 2);
    assert_int_equal(output->dims[0], rows_of(w, lease));
    assert_int_equal(output->bytes.len, ROW_BYTES * (size_t)rows_of(w, lease));
    assert_memory_equal(output->bytes.data, bytes, output->bytes.len);
}

static void on_result(void *ctx, uint64_t lease, const struct ex_outcome *outcome)
{
    struct world *w = ctx;
    struct fake_lease *l = open_lease(w, lease);
    assert_true(l->was_started || !outcome->started);
    assert_true(outcome->started || outcome->held_us == 0);
    assert_true(outcome->held_us >= 0);
    assert_int_equal(outcome->started, outcome->record != 0);
    ex_journal_told(w->journal, outcome->record);
    w->told_us += outcome->held_us;
    assert_true((outcome->reason == SL_REASON_OK) == (outcome->output_count == 1));
    l->result_started = outcome->started;
    l->held_us = outcome->held_us;
    l->run_us = outcome->run_us;
    l->run_calls = outcome->run_calls;
    if (outcome->run_calls > w->run_calls)
        w->run_calls = outcome->run_calls;
    l->run_place = outcome->run_place;
    if (outcome->reason == SL_REASON_OK)
        check_output(w, lease, &outcome->outputs[0]);
    end_lease(w, lease, outcome->reason, outcome->text);
}

static void on_returned(void *ctx, uint64_t lease, enum sl_reason reason, const char *text)
{
    struct world *w = ctx;
    assert_false(open_lease(w, lease)->was_started);
    assert_int_not_equal(reason, SL_REASON_OK);
    assert_true(text[0] != '\0');
    w->leases[lease].is_returned = true;
    end_lease(w, lease, reason, text);
}

/* ---- down */

static bool is_at_work(const struct world *w, uint32_t slice)
{
    size_t jobs = 0;
    for (size_t i = 0; i < WORLD_MODELS; i++)
        jobs += w->workers[slice][i].ring_count;
    return jobs > 0;
}

static void take_job(struct fake_job *job, const struct ex_posting *p)
{
    const struct ex_record_tensor *in = &p->inputs[0];
    *job = (struct fake_job){.seq = p->job.seq, .rows = in->dims[0], .len = in->bytes};
    assert_in_range(job->len, 1, WORLD_JOB_BYTES);
    if (p->segment)
        memcpy(job->bytes, p->segment->bytes + in->offset, job->len);
    size_t at = 0;
    for (size_t k = 0; !p->segment && k < p->part_count; at += p->bytes[k++].len)
        memcpy(job->bytes + at, p->bytes[k].data, p->bytes[k].len);
    assert_int_equal(p->segment ? job->len : at, job->len);
    assert_int_equal(job->len, ROW_BYTES * (size_t)job->rows);
}

static sl_status post(void *ctx, uint32_t slice, uint32_t model, struct ex_posting *p,
                      struct sl_error *why)
{
    struct world *w = ctx;
    struct fake_worker *k = &w->workers[slice][model];
    for (uint32_t other = 0; other < WORLD_MODELS; other++)
        assert_true(other == model || w->workers[slice][other].ring_count == 0);
    for (uint32_t other = 0; other < WORLD_SLICES; other++)
        assert_true((other == WORLD_WIDE) == (slice == WORLD_WIDE) || !is_at_work(w, other));
    if (k->is_failed) {
        sl_error_set(why, SL_REASON_NO_CAPACITY, "failed for ever");
        return SL_ENEVER;
    }
    if (!k->is_ready || k->ring_count == WORLD_RING)
        return SL_EAGAIN;
    assert_false(k->is_dying);
    assert_int_equal(p->job.input_count, 1);
    if (!p->segment && p->inputs[0].bytes > w->ring_bytes)
        return SL_ETOOBIG;
    p->job.seq = ++k->last_seq;
    take_job(&k->ring[k->ring_count++], p);
    return SL_OK;
}

static void cancel(void *ctx, uint32_t slice, uint32_t model, uint64_t seq)
{
    struct world *w = ctx;
    struct fake_worker *k = &w->workers[slice][model];
    assert_true(k->cancelled_count < WORLD_RING);
    k->cancelled[k->cancelled_count++] = seq;
}

static void kill_worker(void *ctx, uint32_t slice, uint32_t model)
{
    struct world *w = ctx;
    struct fake_worker *k = &w->workers[slice][model];
    assert_true(k->ring_count > 0);
    assert_false(k->is_dying);
    k->is_dying = true;
    k->is_ready = false;
}

static struct ex_segment *segment_open(void *ctx, uint32_t slice, uint32_t model, uint64_t bytes,
                                       uint8_t **out_map)
{
    struct world *w = ctx;
    assert_true(slice < WORLD_SLICES && model < WORLD_MODELS);
    if (w->has_no_memory || bytes > sizeof(struct ex_segment))
        return NULL;
    struct ex_segment *s = calloc(1, sizeof(*s));
    w->segments += s != NULL;
    if (s)
        *out_map = s->bytes;
    return s;
}

static void segment_close(void *ctx, struct ex_segment *s)
{
    struct world *w = ctx;
    w->segments--;
    free(s);
}

/* ---- the world */

enum { LEASES_MAX = 2 * WORLD_LEASES };

static void make_journal(struct world *w)
{
    const struct ex_journal_conf conf = {.max = LEASES_MAX, .fresh_id = 1, .boot = 1};
    const size_t bytes = ex_journal_bytes(LEASES_MAX);
    w->journal_map = calloc(1, bytes);
    assert_non_null(w->journal_map);
    assert_ok(ex_journal_create(&sl_alloc_malloc, w->journal_map, bytes, &conf, &w->journal));
}

void world_check_journal(struct world *w)
{
    const struct ex_journal_entry *e;
    sl_gpu_us sum = w->told_us;
    assert_ok(ex_journal_check(w->journal));
    while ((e = ex_journal_next_untold(w->journal)) != NULL) {
        sum += e->held_us;
        ex_journal_told(w->journal, e->record);
    }
    assert_int_equal(sum, ex_journal_totals(w->journal).held_us);
}

sl_status world_try_init(struct world *w, const struct sl_alloc *alloc)
{
    memset(w, 0, sizeof(*w));
    make_journal(w);
    const struct ex_jobs_conf conf = {.slice_count = WORLD_SLICES,
                                      .parts = {[WORLD_WIDE] = 3},
                                      .backlog_max = 12,
                                      .jobs_max = 20,
                                      .payload_max_bytes = 1000,
                                      .cancel_grace_ns = 100,
                                      .receive_patience_ns = 1000,
                                      .journal = w->journal};
    memcpy(w->specs, specs, sizeof(specs));
    w->ring_bytes = WORLD_JOB_BYTES;
    w->report = (struct ex_report_port){w, on_started, on_result, on_returned};
    w->port = (struct ex_worker_port){w, post, cancel, kill_worker, segment_open, segment_close};
    assert_ok(ex_catalog_create(&sl_alloc_malloc, &w->catalog));
    for (size_t i = 0; i < WORLD_MODELS; i++)
        assert_ok(ex_catalog_add(w->catalog, specs[i].name, &w->specs[i], ""));
    for (size_t i = 0; i < WORLD_SLICES * WORLD_MODELS; i++)
        w->workers[i / WORLD_MODELS][i % WORLD_MODELS].is_ready = true;
    return ex_jobs_create(alloc, &conf, w->catalog, &w->report, &w->port, &w->jobs);
}

void world_init(struct world *w, const struct sl_alloc *alloc)
{
    assert_ok(world_try_init(w, alloc));
}

void world_set_batch(struct world *w, int64_t max_batch, int64_t delay_us)
{
    for (size_t i = 0; i < WORLD_MODELS; i++) {
        w->specs[i].max_batch = max_batch;
        w->specs[i].batch_delay_us = delay_us;
    }
}

void world_finish(struct world *w)
{
    ex_jobs_destroy(w->jobs);
    ex_journal_destroy(w->journal);
    free(w->journal_map);
    ex_catalog_destroy(w->catalog);
    assert_int_equal(w->segments, 0);
}

void world_call(struct world *w, uint64_t lease, uint32_t slice, uint32_t model, bool bulk,
                uint64_t limit_us)
{
    const int64_t dims[] = {rows_of(w, lease), 4};
    const size_t len = ROW_BYTES * (size_t)dims[0];
    static const char *const names[] = {"m0", "m1", "m2"};
    const struct ex_input input = {"X", SL_DTYPE_FP32, dims, 2, 0, len};
    uint8_t bytes[CALL_BYTES];
    fill(lease, bytes);
    const struct ex_call call = {.lease = lease,
                                 .slice = slice,
                                 .model = names[model],
                                 .version = "",
                                 .limit_us = limit_us,
                                 .inputs = &input,
                                 .input_count = 1,
                                 .payload = sl_span_of(bytes, bulk ? 0 : len),
                                 .payload_bytes = bulk ? len : 0,
                                 .call_id = "call"};
    const bool is_bad = w->leases[lease].is_bad; /* as the test has said before */
    w->leases[lease] = (struct fake_lease){.is_open = true, .is_bad = is_bad, .slice = slice};
    ex_jobs_accept(w->jobs, &call, w->now);
}

sl_status world_bulk(struct world *w, uint64_t lease)
{
    sl_status st = SL_OK;
    const size_t len = ROW_BYTES * (size_t)rows_of(w, lease);
    uint8_t bytes[CALL_BYTES];
    fill(lease, bytes);
    for (uint64_t at = 0; st == SL_OK && at < len; at += 20) {
        const size_t n = len - at < 20 ? (size_t)(len - at) : 20;
        st = ex_jobs_bulk(w->jobs, lease, at, len, sl_span_of(bytes + at, n), w->now);
    }
    return st;
}

static bool is_cancelled(const struct fake_worker *k, uint64_t seq)
{
    for (size_t i = 0; i < k->cancelled_count; i++) {
        if (k->cancelled[i] == seq)
            return true;
    }
    return false;
}

static void forget_cancelled(struct fake_worker *k)
{
    size_t kept = 0;
    for (size_t i = 0; i < k->cancelled_count; i++) {
        if (k->ring_count > 0 && k->cancelled[i] >= k->ring[0].seq)
            k->cancelled[kept++] = k->cancelled[i];
    }
    k->cancelled_count = kept;
}

/* Each row begins with the number of its lease. */
static bool has_bad_part(const struct world *w, const struct fake_job *job)
{
    for (size_t at = 0; at < job->len; at += ROW_BYTES) {
        if (w->leases[job->bytes[at] | job->bytes[at + 1] << 8].is_bad)
            return true;
    }
    return false;
}

void world_end(struct world *w, uint32_t slice, uint32_t model, struct ex_outcome *outcome,
               sl_gpu_us run)
{
    struct fake_worker *k = &w->workers[slice][model];
    const uint64_t seq = k->ring[0].seq;
    k->ring_count--;
    memmove(k->ring, k->ring + 1, k->ring_count * sizeof(k->ring[0]));
    k->has_begun = false;
    forget_cancelled(k);
    ex_jobs_result(w->jobs, slice, model, seq, outcome, run, w->now);
}

void world_complete(struct world *w, uint32_t slice, uint32_t model, sl_gpu_us run)
{
    struct fake_worker *k = &w->workers[slice][model];
    assert_true(k->ring_count > 0);
    const struct fake_job job = k->ring[0];
    const int64_t dims[] = {job.rows, 4};
    const struct ex_output output = {"X", SL_DTYPE_FP32, dims, 2, sl_span_of(job.bytes, job.len),
                                     NULL};
    struct ex_outcome outcome = {.reason = SL_REASON_OK, .outputs = &output, .output_count = 1};
    if (has_bad_part(w, &job))
        outcome = (struct ex_outcome){.reason = SL_REASON_MODEL_ERROR, .text = "a bad item"};
    const bool is_passed_over = !k->has_begun && is_cancelled(k, job.seq);
    if (is_passed_over)
        outcome = (struct ex_outcome){.reason = SL_REASON_CANCELLED, .text = "cancelled"};
    world_end(w, slice, model, &outcome, is_passed_over ? 0 : run);
}

void world_die(struct world *w, uint32_t slice, uint32_t model, const char *text)
{
    struct fake_worker *k = &w->workers[slice][model];
    const uint64_t done = k->ring_count > 0 ? k->ring[0].seq - 1 : k->last_seq;
    const uint64_t started = k->ring_count > 0 && k->has_begun ? k->ring[0].seq : done;
    *k = (struct fake_worker){.is_failed = k->is_failed};
    ex_jobs_worker_lost(w->jobs, slice, model, started, text, w->now);
}

void world_ready(struct world *w, uint32_t slice, uint32_t model)
{
    w->workers[slice][model].is_ready = true;
    ex_jobs_worker_ready(w->jobs, slice, model, w->now);
}

void world_lose_gateway(struct world *w)
{
    for (size_t i = 0; i < WORLD_LEASES; i++)
        w->leases[i].is_open = false;
    memset(w->running, 0, sizeof(w->running));
    ex_jobs_drop_all(w->jobs, w->now);
}

void world_check(const struct world *w)
{
    uint64_t open = 0;
    for (size_t i = 0; i < WORLD_LEASES; i++) {
        open += w->leases[i].is_open;
        assert_true(w->leases[i].ends <= 1);
    }
    assert_ok(ex_jobs_check(w->jobs));
    assert_true(open <= ex_jobs_open_count(w->jobs));
}
