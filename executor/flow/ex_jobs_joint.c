/* ex_jobs_joint.c - the story of jobs that run together: whom the first one waits for, who joins, how a run's result and
 * its time are divided, and what happens when it fails. */
#include "ex_jobs_int.h"

#include <utlist.h>

static const struct ex_model_spec *spec_of(const struct ex_jobs *j, const struct ex_task *t)
{
    return ex_catalog_spec(j->catalog, t->model);
}

/* ---- habits */

static struct ex_habit *habit_of(struct ex_jobs *j, struct ex_line *line, const struct ex_task *t)
{
    struct ex_habit *h = &line->habit;
    if (h->items_max == 0 || h->model != t->model)
        *h = (struct ex_habit){.model = t->model, .items_max = spec_of(j, t)->max_batch};
    return h;
}

static bool may_join(const struct ex_task *t, const struct ex_task *other)
{
    return other->model == t->model && other->items > 0 &&
           ex_batch_is_alike(&t->posting.job, &other->posting.job);
}

/* Of those that wait at the line, how many might run with t, itself included. */
static size_t count_company(const struct ex_line *line, const struct ex_task *t, int64_t *items)
{
    const struct ex_task *other;
    size_t count = 0;
    *items = 0;
    DL_FOREACH (line->waiting, other) {
        if (!may_join(t, other))
            continue;
        count++;
        *items += other->items;
    }
    return count;
}

void ex_jobs_note_run(struct ex_jobs *j, struct ex_line *line, const struct ex_task *t,
                      size_t calls, bool is_good, sl_mono_ns now)
{
    int64_t items;
    struct ex_habit *h = habit_of(j, line, t);
    const int64_t most = spec_of(j, t)->max_batch;
    h->company = calls + count_company(line, t, &items);
    if (is_good)
        h->items_max = 2 * h->items_max < most ? 2 * h->items_max : most;
    h->free_since = now;
}

bool ex_jobs_awaits_company(struct ex_jobs *j, struct ex_line *line, const struct ex_task *t,
                            sl_mono_ns now)
{
    int64_t items;
    const struct ex_habit *h = habit_of(j, line, t);
    const sl_mono_ns since = t->came_at > h->free_since ? t->came_at : h->free_since;
    const sl_mono_ns until =
        sl_sat_add(since, sl_sat_mul(spec_of(j, t)->batch_delay_us, SL_NS_PER_US));
    if (h->company < 2 || now >= until)
        return false;
    if (count_company(line, t, &items) >= h->company || items >= h->items_max)
        return false;
    line->look_at = until;
    return true;
}

/* ---- joining */

static bool try_add(struct ex_batch *b, int64_t items_max, const struct ex_task *t)
{
    return ex_batch_add(b, items_max, t->items, ex_batch_bytes(&t->posting.job), t->limit_us);
}

/* t, and those behind it that may run with it, in their order. Nobody is passed by calls of another model. */
static size_t gather(struct ex_task *t, int64_t items_max, struct ex_task *found[EX_BATCH_MAX])
{
    struct ex_batch b = {.calls = 0};
    size_t count = 0;
    for (struct ex_task *o = t; o && o->model == t->model && count < EX_BATCH_MAX; o = o->next) {
        if (o == t || may_join(t, o))
            found[count] = o;
        else
            continue;
        count += try_add(&b, items_max, o);
    }
    return count;
}

/* Into the worker's ring, or a segment when it has no room for the inputs. */
static sl_status post(struct ex_jobs *j, const struct ex_task *t, struct ex_joint *g)
{
    uint8_t *map;
    struct sl_error why;
    const struct ex_worker_port *to = j->workers;
    const sl_status st = to->post(to->ctx, t->slice, t->model, &g->posting, &why);
    if (st != SL_ETOOBIG)
        return st;
    struct ex_segment *segment =
        to->segment_open(to->ctx, t->slice, t->model, ex_joint_segment_bytes(g), &map);
    if (!segment)
        return SL_ENOMEM;
    ex_joint_use_segment(g, segment, map);
    return to->post(to->ctx, t->slice, t->model, &g->posting, &why);
}

void ex_jobs_end_joint(struct ex_jobs *j, struct ex_joint *g)
{
    if (g && g->posting.segment)
        j->workers->segment_close(j->workers->ctx, g->posting.segment);
    ex_joint_destroy(j->alloc, g);
}

/* Its worker has it: from now on the first task stands for all. */
static void to_posted(struct ex_jobs *j, struct ex_line *line, struct ex_joint *g, sl_mono_ns now)
{
    for (size_t i = 0; i < g->count; i++)
        g->tasks[i]->joint = g;
    ex_jobs_to_posted(j, line, g->tasks[0], now);
    for (size_t i = 1; i < g->count; i++) {
        DL_DELETE(line->waiting, g->tasks[i]);
        ex_jobs_move(j, g->tasks[i], EX_JOB_POSTED);
        ex_jobs_move(j, g->tasks[i], EX_JOB_RUNNING);
        ex_jobs_announce(j, g->tasks[i], now);
    }
}

sl_status ex_jobs_offer_joint(struct ex_jobs *j, struct ex_line *line, struct ex_task *t,
                              sl_mono_ns now)
{
    struct ex_task *found[EX_BATCH_MAX];
    const size_t count = gather(t, habit_of(j, line, t)->items_max, found);
    struct ex_joint *g =
        count > 1 ? ex_joint_create(j->alloc, found, count, spec_of(j, t)->output_count) : NULL;
    if (!g)
        return SL_ENOENT;
    const sl_status st = post(j, t, g);
    if (st == SL_OK) {
        to_posted(j, line, g, now);
        return SL_OK;
    }
    ex_jobs_end_joint(j, g);
    return st == SL_EAGAIN ? SL_EAGAIN : SL_ENOENT;
}

/* ---- ends */

static sl_gpu_us share_of(const struct ex_joint *g, size_t i, sl_gpu_us whole)
{
    sl_gpu_us first = whole;
    if (i > 0)
        return ex_batch_share(whole, g->items[i], g->item_count);
    for (size_t k = 1; k < g->count; k++)
        first -= ex_batch_share(whole, g->items[k], g->item_count);
    return first;
}

/* The i-th task's time as a lease of its own: that of the first one is in the journal already. */
static struct ex_held record_share(struct ex_jobs *j, const struct ex_joint *g, size_t i,
                                   sl_gpu_us run, sl_mono_ns started_at, enum sl_reason cause)
{
    const struct ex_task *t = g->tasks[i];
    const sl_gpu_us share = share_of(g, i, run);
    if (i > 0)
        ex_jobs_record_begin(j, t, t->posting.job.call_id, started_at);
    return (struct ex_held){.started = true,
                            .us = share,
                            .record = ex_jobs_record_end(j, t->slice, share, cause),
                            .run_us = run,
                            .run_calls = (uint32_t)g->count};
}

/* place: among those that are told. */
static void tell_part(struct ex_jobs *j, const struct ex_joint *g, size_t i,
                      const struct ex_outcome *whole, const struct ex_held *held, uint32_t place)
{
    struct ex_output outputs[EX_TENSORS_MAX];
    int64_t dims[EX_TENSORS_MAX][SL_RANK_MAX];
    struct ex_outcome part = *whole;
    ex_joint_part(g, whole, i, outputs, dims);
    part.outputs = outputs;
    part.started = true;
    part.held_us = held->us;
    part.record = held->record;
    part.run_us = held->run_us;
    part.run_calls = held->run_calls;
    part.run_place = place;
    ex_jobs_tell_outcome(j, g->tasks[i], &part);
}

/* Each task gets its part of a run that ended well; who was cancelled meanwhile pays for it. */
static void share_out(struct ex_jobs *j, struct ex_joint *g, const struct ex_outcome *whole,
                      sl_gpu_us run, sl_mono_ns started_at)
{
    struct sl_error cancelled;
    uint32_t place = 0;
    ex_jobs_end_sentence(g->tasks[0], SL_REASON_CANCELLED, &cancelled);
    for (size_t i = 0; i < g->count; i++) {
        struct ex_task *t = g->tasks[i];
        const enum sl_reason cause = t->is_cancelled ? SL_REASON_CANCELLED : SL_REASON_OK;
        const struct ex_held held = record_share(j, g, i, run, started_at, cause);
        if (t->is_cancelled) {
            ex_jobs_fail_task(j, t, &cancelled, &held);
            continue;
        }
        if (!t->is_orphan)
            tell_part(j, g, i, whole, &held, place++);
        ex_jobs_end_task(j, t);
    }
}

/* All of them end for that reason, each with its share of the time. */
static void fail_all(struct ex_jobs *j, struct ex_joint *g, enum sl_reason reason, sl_gpu_us run,
                     sl_mono_ns started_at)
{
    struct sl_error why;
    ex_jobs_end_sentence(g->tasks[0], reason, &why);
    for (size_t i = 0; i < g->count; i++) {
        const struct ex_held held = record_share(j, g, i, run, started_at, reason);
        ex_jobs_fail_task(j, g->tasks[i], &why, &held);
    }
}

/* The time of a run that failed is in the journal as nobody's. */
static void record_failure(struct ex_jobs *j, const struct ex_task *first, sl_gpu_us run,
                           sl_mono_ns started_at, enum sl_reason cause)
{
    ex_jobs_forget_begin(j, first->slice);
    ex_jobs_record_begin(j, first, "", started_at);
    (void)ex_jobs_record_end(j, first->slice, run, cause);
}

/* They go to *back; who was cancelled meanwhile ends. */
static void part(struct ex_jobs *j, struct ex_joint *g, struct ex_task **back)
{
    struct sl_error cancelled;
    ex_jobs_end_sentence(g->tasks[0], SL_REASON_CANCELLED, &cancelled);
    for (size_t i = 0; i < g->count; i++) {
        struct ex_task *t = g->tasks[i];
        t->joint = NULL;
        if (t->is_cancelled)
            ex_jobs_fail_task(j, t, &cancelled, &ex_not_held);
        else
            DL_APPEND(*back, t);
    }
}

/* A run that failed is tried again, each of its calls alone; for a while fewer run together. */
static void part_after_failure(struct ex_jobs *j, struct ex_line *line, struct ex_joint *g,
                               struct ex_task **back)
{
    j->stats.joints_failed++;
    habit_of(j, line, g->tasks[0])->items_max = 1;
    for (size_t i = 0; i < g->count; i++)
        g->tasks[i]->items = 0;
    part(j, g, back);
}

void ex_jobs_joint_result(struct ex_jobs *j, struct ex_line *line, const struct ex_outcome *outcome,
                          sl_mono_ns end)
{
    struct ex_task *first = line->posted, *back = NULL;
    struct ex_joint *g = first->joint;
    struct sl_error why = {.reason = outcome->reason};
    const sl_mono_ns started_at = ex_lease_look(j->leases, first->slice).started_at;
    const sl_gpu_us run = ex_jobs_release_slice(j, line, end);
    if (ex_joint_is_unwanted(g)) {
        fail_all(j, g, SL_REASON_CANCELLED, run, started_at);
    } else if (outcome->reason == SL_REASON_OK && ex_joint_cut(g, outcome, &why)) {
        ex_jobs_note_run(j, line, first, g->count, true, end);
        share_out(j, g, outcome, run, started_at);
    } else {
        record_failure(j, first, run, started_at, why.reason);
        part_after_failure(j, line, g, &back);
        ex_jobs_back_to_waiting(j, line, back, "");
    }
    j->stats.joints++;
    ex_jobs_end_joint(j, g);
}

void ex_jobs_joint_lost(struct ex_jobs *j, struct ex_line *line, bool has_begun, sl_mono_ns now,
                        struct ex_task **back)
{
    struct ex_task *first = line->posted;
    struct ex_joint *g = first->joint;
    const bool was_stopped = first->state == EX_JOB_STOPPING;
    const sl_mono_ns started_at = ex_lease_look(j->leases, first->slice).started_at;
    const sl_gpu_us run = ex_jobs_release_slice(j, line, now);
    const enum sl_reason reason = was_stopped ? first->stop_reason : SL_REASON_MODEL_ERROR;
    if (ex_joint_is_unwanted(g)) {
        fail_all(j, g, SL_REASON_CANCELLED, run, started_at);
    } else if (was_stopped && reason != SL_REASON_DURATION_EXCEEDED) {
        fail_all(j, g, reason, run, started_at);
    } else if (was_stopped || has_begun) {
        record_failure(j, first, run, started_at, reason);
        part_after_failure(j, line, g, back);
    } else {
        ex_jobs_forget_begin(j, first->slice);
        for (size_t i = 0; i < g->count; i++)
            g->tasks[i]->death_count++;
        part(j, g, back);
    }
    ex_jobs_end_joint(j, g);
}
