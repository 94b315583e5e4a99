/* ex_jobs.c - the story of a job, told in the order in which it happens. */
/* The table has its memory from the jobs' allocator (every function that changes it has the jobs as j), and one
 * that cannot grow must be an answer to the gateway, not the end of the process. */
#define HASH_NONFATAL_OOM           1
#define uthash_nonfatal_oom(task)   ((task)->is_orphan = true)
#define uthash_malloc(bytes)        sl_alloc_get(j->alloc, bytes)
#define uthash_free(pointer, bytes) sl_alloc_free(j->alloc, pointer)

#include "ex_jobs_int.h"

#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "sl_text.h"

sl_status ex_jobs_create(const struct sl_alloc *alloc, const struct ex_jobs_conf *conf,
                         const struct ex_catalog *catalog, const struct ex_report_port *report,
                         const struct ex_worker_port *workers, struct ex_jobs **out)
{
    if (conf->jobs_max == 0 || conf->payload_max_bytes == 0 || conf->receive_patience_ns <= 0)
        return SL_EINVAL;
    struct ex_jobs *j = sl_alloc_zero(alloc, 1, sizeof(*j));
    if (!j)
        return SL_ENOMEM;
    const sl_status st = ex_lease_create(alloc, conf->parts, conf->slice_count, &j->leases);
    if (st != SL_OK) {
        sl_alloc_free(alloc, j);
        return st;
    }
    j->alloc = alloc;
    j->conf = *conf;
    j->catalog = catalog;
    j->report = report;
    j->workers = workers;
    while (j->wide_begin < conf->slice_count && conf->parts[j->wide_begin] == 0)
        j->wide_begin++;
    for (size_t i = 0; i < EX_ALL_SLICES_MAX; i++)
        j->lines[i].look_at = SL_MONO_NEVER;
    *out = j;
    return SL_OK;
}

/* ---- the ends of a job */

void ex_jobs_move(struct ex_jobs *j, struct ex_task *t, enum ex_job_state to)
{
    j->stats.broken += ex_job_move(&j->counts, &t->state, to) != SL_OK;
}

/* From now on nobody waits for it: a later call may use its lease number. */
static void make_orphan(struct ex_jobs *j, struct ex_task *t)
{
    if (t->is_orphan)
        return;
    t->is_orphan = true;
    j->stats.orphans++;
    HASH_DEL(j->by_lease, t);
}

void ex_jobs_end_task(struct ex_jobs *j, struct ex_task *t)
{
    ex_jobs_move(j, t, EX_JOB_ENDED);
    j->lines[t->slice].job_count--;
    if (!t->is_orphan)
        HASH_DEL(j->by_lease, t);
    if (t->posting.segment)
        j->workers->segment_close(j->workers->ctx, t->posting.segment);
    ex_task_destroy(j->alloc, t);
}

static void tell_result(struct ex_jobs *j, uint64_t lease, const struct ex_outcome *outcome)
{
    j->stats.results++;
    j->stats.failures += outcome->reason != SL_REASON_OK;
    j->report->result(j->report->ctx, lease, outcome);
}

const struct ex_held ex_not_held = {.started = false};

static void tell_failure(struct ex_jobs *j, uint64_t lease, const struct sl_error *why,
                         const struct ex_held *held)
{
    const struct ex_outcome outcome = {.reason = why->reason,
                                       .text = why->text,
                                       .started = held->started,
                                       .held_us = held->us,
                                       .record = held->record,
                                       .run_us = held->run_us,
                                       .run_calls = held->run_calls,
                                       .run_place = held->run_calls};
    tell_result(j, lease, &outcome);
}

static void tell_returned(struct ex_jobs *j, uint64_t lease, enum sl_reason reason,
                          const char *text)
{
    j->stats.returned++;
    j->report->returned(j->report->ctx, lease, reason, text);
}

void ex_jobs_fail_task(struct ex_jobs *j, struct ex_task *t, const struct sl_error *why,
                       const struct ex_held *held)
{
    if (!t->is_orphan)
        tell_failure(j, t->lease, why, held);
    ex_jobs_end_task(j, t);
}

/* A job that will not begin here. The gateway was told that it had started: then it is an end. */
static void give_back_task(struct ex_jobs *j, struct ex_task *t, enum sl_reason reason,
                           const char *text)
{
    if (t->is_announced && !t->is_orphan) {
        struct sl_error why;
        sl_error_set(&why, SL_REASON_EXECUTOR_LOST, "%s", text);
        tell_failure(j, t->lease, &why, &ex_not_held);
    } else if (!t->is_orphan) {
        tell_returned(j, t->lease, reason, text);
    }
    ex_jobs_end_task(j, t);
}

/* ---- a slice's line */

static struct ex_line *line_of(struct ex_jobs *j, const struct ex_task *t)
{
    return &j->lines[t->slice];
}

static bool is_stopping(const struct ex_line *line)
{
    return line->posted && line->posted->state == EX_JOB_STOPPING;
}

/* What a slice is made of: itself, or the parts of a wide one. */
static uint64_t parts_of(const struct ex_jobs *j, uint32_t slice)
{
    return slice < j->wide_begin ? UINT64_C(1) << slice : j->conf.parts[slice];
}

/* Where the journal has the lease that is open: a wide slice's at its first part, which has no other meanwhile. */
static uint32_t journal_place(const struct ex_jobs *j, uint32_t slice)
{
    return (uint32_t)__builtin_ctzll(parts_of(j, slice));
}

void ex_jobs_record_begin(struct ex_jobs *j, const struct ex_task *t, const char *call_id,
                          sl_mono_ns at)
{
    const struct ex_journal_start start = {.slice = journal_place(j, t->slice),
                                           .gateway_run = t->gateway_run,
                                           .lease = t->lease,
                                           .call_id = call_id,
                                           .model = ex_catalog_name(j->catalog, t->model),
                                           .at = at};
    if (j->conf.journal)
        ex_journal_began(j->conf.journal, &start);
}

uint64_t ex_jobs_record_end(struct ex_jobs *j, uint32_t slice, sl_gpu_us held, enum sl_reason cause)
{
    const uint32_t place = journal_place(j, slice);
    return j->conf.journal ? ex_journal_ended(j->conf.journal, place, held, cause) : 0;
}

void ex_jobs_forget_begin(struct ex_jobs *j, uint32_t slice)
{
    if (j->conf.journal)
        ex_journal_undone(j->conf.journal, journal_place(j, slice));
}

/* When a worker is killed whose slice is to be free at the end of the grace: to be gone takes it a while, too. */
static sl_mono_ns kill_time(const struct ex_jobs *j, sl_mono_ns now)
{
    return sl_sat_add(now, j->conf.cancel_grace_ns / 4 * 3);
}

void ex_jobs_announce(struct ex_jobs *j, struct ex_task *t, sl_mono_ns now)
{
    if (t->is_orphan) {
        t->kill_at = kill_time(j, now);
    } else if (!t->is_announced) {
        t->is_announced = true;
        j->report->started(j->report->ctx, t->lease);
    }
}

/* The first of the posted jobs holds the slice from here on. */
static void begin(struct ex_jobs *j, struct ex_line *line, sl_mono_ns now)
{
    struct ex_task *t = line->posted;
    const sl_gpu_us limit = t->joint ? t->joint->limit_us : t->limit_us;
    ex_jobs_move(j, t, EX_JOB_RUNNING);
    j->stats.broken += ex_lease_grant(j->leases, t->slice, t->lease) != SL_OK;
    j->stats.broken += ex_lease_start(j->leases, t->slice, t->lease, limit, now) != SL_OK;
    ex_jobs_record_begin(j, t, t->posting.job.call_id, now);
    ex_jobs_announce(j, t, now);
}

sl_gpu_us ex_jobs_release_slice(struct ex_jobs *j, struct ex_line *line, sl_mono_ns end)
{
    struct ex_task *t = line->posted;
    sl_gpu_us held = 0;
    j->stats.broken += ex_lease_end(j->leases, t->slice, t->lease, end, &held) != SL_OK;
    DL_DELETE(line->posted, t);
    line->posted_count--;
    return held;
}

void ex_jobs_to_posted(struct ex_jobs *j, struct ex_line *line, struct ex_task *t, sl_mono_ns now)
{
    DL_DELETE(line->waiting, t);
    DL_APPEND(line->posted, t);
    line->posted_count++;
    ex_jobs_move(j, t, EX_JOB_POSTED);
    if (line->posted == t)
        begin(j, line, now);
}

/* Offers a waiting job to its worker. Returns SL_EAGAIN when it has to wait on. */
static sl_status offer_alone(struct ex_jobs *j, struct ex_line *line, struct ex_task *t,
                             sl_mono_ns now)
{
    struct sl_error why = {.reason = SL_REASON_NO_CAPACITY, .text = "its input is too large"};
    const sl_status st = j->workers->post(j->workers->ctx, t->slice, t->model, &t->posting, &why);
    if (st == SL_EAGAIN)
        return st;
    if (st == SL_OK) {
        ex_jobs_to_posted(j, line, t, now);
        return SL_OK;
    }
    DL_DELETE(line->waiting, t);
    give_back_task(j, t, why.reason, why.text);
    return SL_OK;
}

/* The same, with those that may run together with it. */
static sl_status offer(struct ex_jobs *j, struct ex_line *line, struct ex_task *t, sl_mono_ns now)
{
    const sl_status st = t->items > 0 ? ex_jobs_offer_joint(j, line, t, now) : SL_ENOENT;
    return st == SL_ENOENT ? offer_alone(j, line, t, now) : st;
}

/* Does a job that came before this one wait for a slice that has a part in common with its own? */
static bool is_behind_others(const struct ex_jobs *j, const struct ex_task *t)
{
    const uint64_t parts = parts_of(j, t->slice);
    const size_t first = t->slice < j->wide_begin ? j->wide_begin : 0;
    for (size_t i = first; i < j->conf.slice_count; i++) {
        const struct ex_task *head = j->lines[i].waiting;
        if (head && head->arrival < t->arrival && (parts_of(j, (uint32_t)i) & parts) != 0)
            return true;
    }
    return false;
}

static bool may_follow(const struct ex_jobs *j, const struct ex_line *line, const struct ex_task *t)
{
    if (line->posted)
        return !is_stopping(line) && line->posted_count < EX_POSTED_MAX &&
               line->posted->model == t->model;
    return ex_lease_may_grant(j->leases, t->slice);
}

/* Gives the slice's worker what it can take. While it works, only jobs of its own model that are next
 * in the line may follow; an idle slice takes the first job whose worker is ready. A job that the
 * gateway believes to be running, because its worker died before it began, lets nobody pass. Jobs that may run
 * together gather while the slice is busy. */
static void pump_line(struct ex_jobs *j, struct ex_line *line, sl_mono_ns now)
{
    struct ex_task *t, *next;
    DL_FOREACH_SAFE (line->waiting, t, next) {
        const bool is_announced = t->is_announced, gathers = t->items > 0;
        if (!may_follow(j, line, t) || is_behind_others(j, t))
            return;
        if (gathers && (line->posted || ex_jobs_awaits_company(j, line, t, now)))
            return;
        if (offer(j, line, t, now) == SL_EAGAIN && (line->posted || is_announced))
            return;
        if (gathers && line->posted)
            return; /* with others, who have left the list: next may be one */
    }
}

/* All parts of the wide slices that the slice is a part of, or of itself. */
static uint64_t parts_around(const struct ex_jobs *j, uint32_t slice)
{
    uint64_t parts = parts_of(j, slice);
    for (size_t i = j->wide_begin; i < j->conf.slice_count; i++) {
        if ((j->conf.parts[i] & parts_of(j, slice)) != 0)
            parts |= j->conf.parts[i];
    }
    return parts;
}

/* Something has changed at the slice: also for those that have a part in common with it, and for theirs. A job that
 * cannot be served ends while it is looked at, and whoever waited behind it is looked at again. */
static void pump(struct ex_jobs *j, uint32_t slice, sl_mono_ns now)
{
    uint64_t open;
    pump_line(j, &j->lines[slice], now);
    if (j->wide_begin == j->conf.slice_count)
        return;
    const uint64_t parts = parts_around(j, slice);
    do {
        open = ex_job_open_count(&j->counts);
        for (uint32_t i = 0; i < j->conf.slice_count; i++) {
            if ((parts_of(j, i) & parts) != 0)
                pump_line(j, &j->lines[i], now);
        }
    } while (ex_job_open_count(&j->counts) != open);
}

/* ---- from the gateway: accept, bulk, cancel */

/* A sentence why the call cannot even be looked at, or NULL. */
static enum sl_reason may_accept(const struct ex_jobs *j, const struct ex_call *call,
                                 uint32_t *out_model, struct sl_error *why)
{
    why->reason = SL_REASON_OK;
    *out_model = ex_catalog_find(j->catalog, call->model, call->version);
    if (j->refuses_new)
        sl_error_set(why, SL_REASON_DRAINING, "the node is stopping");
    else if (call->slice >= j->conf.slice_count)
        sl_error_set(why, SL_REASON_NO_CAPACITY, "the node has no slice %u", call->slice);
    else if (*out_model == ex_catalog_count(j->catalog))
        sl_error_set(why, SL_REASON_MODEL_NOT_FOUND, "the node has no model '%s' version '%s'",
                     call->model, call->version);
    else if (j->lines[call->slice].job_count > j->conf.backlog_max)
        sl_error_set(why, SL_REASON_NO_CAPACITY, "slice %u has %u calls in line already",
                     call->slice, j->conf.backlog_max);
    else if (ex_job_open_count(&j->counts) >= j->conf.jobs_max)
        sl_error_set(why, SL_REASON_NO_CAPACITY, "the node has %u calls already", j->conf.jobs_max);
    return why->reason;
}

/* A lease that could not be written down is not begun. */
static bool may_record(struct ex_jobs *j, struct sl_error *why)
{
    const uint64_t open = ex_job_open_count(&j->counts);
    /* Besides their own, any two open jobs may leave the record of a run that failed for both. */
    if (!j->conf.journal || ex_journal_has_room(j->conf.journal, open + open / 2))
        return true;
    j->stats.unrecorded++;
    sl_error_set(why, SL_REASON_NO_CAPACITY,
                 "the gateway has not acknowledged %u leases of this node, and %llu calls are open",
                 ex_journal_totals(j->conf.journal).unacknowledged, (unsigned long long)open);
    return false;
}

static bool check_size(const struct ex_jobs *j, const struct ex_call *call, struct sl_error *why)
{
    if (call->payload_bytes <= j->conf.payload_max_bytes)
        return true;
    char limit[32];
    sl_text_format_bytes(j->conf.payload_max_bytes, limit);
    sl_error_set(why, SL_REASON_TOO_LARGE, "inputs of %llu bytes are more than the node's %s",
                 (unsigned long long)call->payload_bytes, limit);
    return false;
}

static void wait_for_slice(struct ex_jobs *j, struct ex_task *t, sl_mono_ns now)
{
    struct ex_line *line = line_of(j, t);
    ex_jobs_move(j, t, EX_JOB_WAITING);
    DL_APPEND(line->waiting, t);
    t->came_at = now;
    if (t->items > 0)
        line->is_due = true;
    else
        pump(j, t->slice, now);
}

static void wait_for_bulk(struct ex_jobs *j, struct ex_task *t, sl_mono_ns now)
{
    uint8_t *map;
    ex_jobs_move(j, t, EX_JOB_RECEIVING);
    struct ex_segment *segment = j->workers->segment_open(j->workers->ctx, t->slice, t->model,
                                                          ex_task_segment_bytes(t), &map);
    if (!segment) {
        give_back_task(j, t, SL_REASON_NO_CAPACITY, "the node has no memory for the inputs");
        return;
    }
    ex_task_use_segment(t, segment, map);
    t->give_up_at = sl_sat_add(now, j->conf.receive_patience_ns);
    DL_APPEND(j->receiving, t);
}

/* Makes it a job of the node; without memory for that it is gone. */
static bool enter(struct ex_jobs *j, struct ex_task *t)
{
    HASH_ADD(hh, j->by_lease, lease, sizeof(t->lease), t);
    if (t->is_orphan) { /* uthash_nonfatal_oom */
        ex_task_destroy(j->alloc, t);
        return false;
    }
    j->lines[t->slice].job_count++;
    t->arrival = ++j->arrivals;
    return true;
}

void ex_jobs_accept(struct ex_jobs *j, const struct ex_call *call, sl_mono_ns now)
{
    struct ex_task *t;
    struct sl_error why;
    uint32_t model;
    HASH_FIND(hh, j->by_lease, &call->lease, sizeof(call->lease), t);
    if (call->lease == 0 || t) {
        j->stats.refused_messages++;
        return;
    }
    if (may_accept(j, call, &model, &why) != SL_REASON_OK || !may_record(j, &why)) {
        tell_returned(j, call->lease, why.reason, why.text);
        return;
    }
    if (!check_size(j, call, &why) ||
        !ex_task_create(j->alloc, call, model, ex_catalog_spec(j->catalog, model), &t, &why)) {
        tell_failure(j, call->lease, &why, &ex_not_held);
        return;
    }
    if (!enter(j, t)) {
        tell_returned(j, call->lease, SL_REASON_NO_CAPACITY, "the node has no memory for the call");
        return;
    }
    if (t->payload_bytes > 0)
        wait_for_bulk(j, t, now);
    else
        wait_for_slice(j, t, now);
}

sl_status ex_jobs_bulk(struct ex_jobs *j, uint64_t lease, uint64_t offset, uint64_t total,
                       struct sl_span bytes, sl_mono_ns now)
{
    struct ex_task *t;
    HASH_FIND(hh, j->by_lease, &lease, sizeof(lease), t);
    if (!t || t->state != EX_JOB_RECEIVING)
        return SL_ENOENT;
    if (total != t->payload_bytes || ex_task_receive(t, offset, bytes) != SL_OK) {
        j->stats.refused_messages++;
        return SL_EPROTO;
    }
    DL_DELETE(j->receiving, t);
    if (t->received_bytes == t->payload_bytes) {
        wait_for_slice(j, t, now);
        return SL_OK;
    }
    t->give_up_at = sl_sat_add(now, j->conf.receive_patience_ns);
    DL_APPEND(j->receiving, t);
    return SL_OK;
}

/* The number of the run that a posted job is in, alone or with others. */
static uint64_t seq_of(const struct ex_task *t)
{
    return t->joint ? t->joint->posting.job.seq : t->posting.job.seq;
}

void ex_jobs_worker_ready(struct ex_jobs *j, uint32_t slice, uint32_t model, sl_mono_ns now)
{
    (void)model;
    pump(j, slice, now);
}

/* Does nobody wait for the run of a posted job any more? */
static bool is_unwanted(const struct ex_task *t)
{
    return t->joint ? ex_joint_is_unwanted(t->joint) : t->is_cancelled;
}

/* Ends the worker of the running job t, the first of those that run together; they end for that reason when the
 * worker is gone. */
static void stop(struct ex_jobs *j, struct ex_task *t, enum sl_reason reason)
{
    ex_jobs_move(j, t, EX_JOB_STOPPING);
    for (size_t i = 1; t->joint && i < t->joint->count; i++)
        ex_jobs_move(j, t->joint->tasks[i], EX_JOB_STOPPING);
    t->stop_reason = reason;
    t->kill_at = SL_MONO_NEVER;
    j->stats.broken += ex_lease_take_back(j->leases, t->slice, t->lease) != SL_OK;
    j->workers->kill(j->workers->ctx, t->slice, t->model);
}

static void ask_to_stop(struct ex_jobs *j, const struct ex_task *t)
{
    j->workers->cancel(j->workers->ctx, t->slice, t->model, seq_of(t));
}

/* A posted job lies in the ring behind another one. The worker skips it, and if it had just begun it
 * after all, it has its grace once it is the first. */
static void disown_posted(struct ex_jobs *j, struct ex_task *t)
{
    ask_to_stop(j, t);
    make_orphan(j, t);
}

/* It is still told how it ended. The run goes on for others whose it is. */
static void cancel_running(struct ex_jobs *j, struct ex_task *t, sl_mono_ns now)
{
    if (t->is_cancelled)
        return;
    t->is_cancelled = true;
    if (!is_unwanted(t))
        return;
    struct ex_task *first = t->joint ? t->joint->tasks[0] : t;
    if (j->conf.cancel_grace_ns == 0) {
        stop(j, first, SL_REASON_CANCELLED);
        return;
    }
    first->kill_at = kill_time(j, now);
    ask_to_stop(j, first);
}

void ex_jobs_cancel(struct ex_jobs *j, uint64_t lease, sl_mono_ns now)
{
    static const struct sl_error why = {.reason = SL_REASON_CANCELLED,
                                        .text = "cancelled before its start"};
    struct ex_task *t;
    HASH_FIND(hh, j->by_lease, &lease, sizeof(lease), t);
    if (!t)
        return; /* its result is on the way */
    const uint32_t slice = t->slice;
    if (t->state == EX_JOB_RUNNING) {
        cancel_running(j, t, now);
    } else if (t->state == EX_JOB_POSTED) {
        tell_failure(j, lease, &why, &ex_not_held);
        disown_posted(j, t);
    } else if (t->state == EX_JOB_WAITING) {
        DL_DELETE(line_of(j, t)->waiting, t);
        ex_jobs_fail_task(j, t, &why, &ex_not_held);
        pump(j, slice, now); /* others may have waited behind it */
    } else if (t->state == EX_JOB_RECEIVING) {
        DL_DELETE(j->receiving, t);
        ex_jobs_fail_task(j, t, &why, &ex_not_held);
    }
}

void ex_jobs_call_back(struct ex_jobs *j, uint64_t lease, sl_mono_ns now)
{
    static const char wanted[] = "the gateway wants it elsewhere";
    struct ex_task *t;
    HASH_FIND(hh, j->by_lease, &lease, sizeof(lease), t);
    if (!t || t->is_announced)
        return;
    const uint32_t slice = t->slice;
    if (t->state == EX_JOB_POSTED) {
        tell_returned(j, lease, SL_REASON_DRAINING, wanted);
        disown_posted(j, t);
    } else if (t->state == EX_JOB_WAITING) {
        DL_DELETE(line_of(j, t)->waiting, t);
        give_back_task(j, t, SL_REASON_DRAINING, wanted);
        pump(j, slice, now); /* others may have waited behind it */
    } else if (t->state == EX_JOB_RECEIVING) {
        DL_DELETE(j->receiving, t);
        give_back_task(j, t, SL_REASON_DRAINING, wanted);
    }
}

static void drop_line(struct ex_jobs *j, struct ex_line *line, sl_mono_ns now)
{
    struct ex_task *t, *next;
    DL_FOREACH_SAFE (line->waiting, t, next) {
        DL_DELETE(line->waiting, t);
        make_orphan(j, t);
        ex_jobs_end_task(j, t);
    }
    DL_FOREACH (line->posted, t) {
        if (t->state == EX_JOB_POSTED && !t->is_orphan)
            disown_posted(j, t);
        if (t->state == EX_JOB_RUNNING && !t->is_orphan)
            cancel_running(j, t, now);
        make_orphan(j, t);
        for (size_t i = 1; t->joint && i < t->joint->count; i++) {
            cancel_running(j, t->joint->tasks[i], now);
            make_orphan(j, t->joint->tasks[i]);
        }
    }
}

void ex_jobs_drop_all(struct ex_jobs *j, sl_mono_ns now)
{
    struct ex_task *t, *next;
    DL_FOREACH_SAFE (j->receiving, t, next) {
        DL_DELETE(j->receiving, t);
        make_orphan(j, t);
        ex_jobs_end_task(j, t);
    }
    for (size_t i = 0; i < j->conf.slice_count; i++)
        drop_line(j, &j->lines[i], now);
}

/* ---- from the workers: results, deaths */

/* When the first posted job ended: now, or earlier when others that followed it end now too. */
static sl_mono_ns end_of_first(const struct ex_jobs *j, const struct ex_line *line, sl_gpu_us run,
                               sl_mono_ns now)
{
    if (line->posted->done_at != 0)
        now = line->posted->done_at;
    if (line->posted_count < 2 || run < 0)
        return now;
    const sl_mono_ns started_at = ex_lease_look(j->leases, line->posted->slice).started_at;
    const sl_mono_ns end = sl_sat_add(started_at, sl_sat_mul(run, SL_NS_PER_US));
    return end < now ? end : now;
}

static uint64_t payload_bytes(const struct ex_outcome *outcome)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < outcome->output_count; i++)
        sum += outcome->outputs[i].bytes.len;
    return sum;
}

void ex_jobs_end_sentence(const struct ex_task *t, enum sl_reason reason, struct sl_error *out)
{
    char limit[32];
    sl_text_format_duration(t->limit_us * SL_NS_PER_US, limit);
    if (reason == SL_REASON_DURATION_EXCEEDED)
        sl_error_set(out, reason, "Duration exceeded: the call used its %s", limit);
    else if (reason == SL_REASON_EXECUTOR_LOST)
        sl_error_set(out, reason, "the node stopped before the call was done");
    else
        sl_error_set(out, reason, "cancelled after its start");
}

static void tell_cancelled(struct ex_jobs *j, const struct ex_task *t,
                           const struct ex_outcome *outcome)
{
    struct sl_error why;
    ex_jobs_end_sentence(t, SL_REASON_CANCELLED, &why);
    tell_failure(j, t->lease, &why,
                 &(struct ex_held){outcome->started, outcome->held_us, outcome->record,
                                   outcome->run_us, outcome->run_calls});
}

void ex_jobs_tell_outcome(struct ex_jobs *j, struct ex_task *t, struct ex_outcome *outcome)
{
    const uint64_t bytes = payload_bytes(outcome);
    if (t->is_cancelled) {
        tell_cancelled(j, t, outcome);
        return;
    }
    if (bytes <= j->conf.payload_max_bytes) {
        tell_result(j, t->lease, outcome);
        return;
    }
    char limit[32];
    struct sl_error why;
    sl_text_format_bytes(j->conf.payload_max_bytes, limit);
    sl_error_set(&why, SL_REASON_TOO_LARGE, "outputs of %llu bytes are more than the node's %s",
                 (unsigned long long)bytes, limit);
    tell_failure(j, t->lease, &why,
                 &(struct ex_held){outcome->started, outcome->held_us, outcome->record,
                                   outcome->run_us, outcome->run_calls});
}

void ex_jobs_result_came(struct ex_jobs *j, uint32_t slice, uint32_t model, uint64_t seq,
                         sl_mono_ns now)
{
    struct ex_task *t = j->lines[slice].posted;
    if (!t || t->model != model || seq_of(t) != seq || t->state != EX_JOB_RUNNING ||
        t->done_at != 0)
        return;
    t->done_at = now;
    j->stats.broken += ex_lease_stop_clock(j->leases, slice, t->lease) != SL_OK;
}

void ex_jobs_result(struct ex_jobs *j, uint32_t slice, uint32_t model, uint64_t seq,
                    struct ex_outcome *outcome, sl_gpu_us run, sl_mono_ns now)
{
    struct ex_line *line = &j->lines[slice];
    struct ex_task *t = line->posted;
    if (!t || t->model != model || seq_of(t) != seq) {
        j->stats.refused_messages++;
        return;
    }
    if (t->state == EX_JOB_STOPPING)
        return; /* too late: its worker is being ended, and what follows it runs again */
    const sl_mono_ns end = end_of_first(j, line, run, now);
    if (t->joint) {
        ex_jobs_joint_result(j, line, outcome, end);
        pump(j, slice, now);
        return;
    }
    outcome->started = true;
    outcome->held_us = ex_jobs_release_slice(j, line, end);
    if (t->is_orphan && !t->is_cancelled && outcome->reason == SL_REASON_CANCELLED && run == 0)
        ex_jobs_forget_begin(j, slice); /* its worker passed it over */
    else
        outcome->record = ex_jobs_record_end(
            j, slice, outcome->held_us, t->is_cancelled ? SL_REASON_CANCELLED : outcome->reason);
    if (t->items > 0)
        ex_jobs_note_run(j, line, t, 1, outcome->reason == SL_REASON_OK, now);
    if (!t->is_orphan)
        ex_jobs_tell_outcome(j, t, outcome);
    ex_jobs_end_task(j, t);
    if (line->posted)
        begin(j, line, end);
    pump(j, slice, now);
}

/* The job that held the slice of a worker that is gone. True: it had not begun and was put to `back`. */
static void settle_first(struct ex_jobs *j, struct ex_line *line, uint64_t started_seq,
                         const char *text, sl_mono_ns now, struct ex_task **back)
{
    struct ex_task *t = line->posted;
    struct sl_error why;
    const bool has_begun = seq_of(t) <= started_seq;
    const bool was_stopped = t->state == EX_JOB_STOPPING;
    if (t->joint) {
        ex_jobs_joint_lost(j, line, has_begun, now, back);
        return;
    }
    struct ex_held held = {.started = true, .us = ex_jobs_release_slice(j, line, now)};
    if (!was_stopped && !has_begun && !t->is_orphan && !t->is_cancelled) {
        ex_jobs_forget_begin(j, t->slice);
        t->death_count++;
        DL_APPEND(*back, t);
        return;
    }
    if (was_stopped)
        ex_jobs_end_sentence(t, t->stop_reason, &why);
    else if (t->is_cancelled)
        ex_jobs_end_sentence(t, SL_REASON_CANCELLED, &why);
    else
        sl_error_set(&why, SL_REASON_MODEL_ERROR, "the model's process %s", text);
    held.record = ex_jobs_record_end(j, t->slice, held.us, why.reason);
    ex_jobs_fail_task(j, t, &why, &held);
}

/* Jobs behind it have not begun, or nobody knows of their beginning: they run again. */
static void settle_others(struct ex_line *line, bool was_stopped, struct ex_task **back)
{
    struct ex_task *t, *next;
    DL_FOREACH_SAFE (line->posted, t, next) {
        DL_DELETE(line->posted, t);
        line->posted_count--;
        t->death_count += !was_stopped;
        DL_APPEND(*back, t);
    }
}

void ex_jobs_back_to_waiting(struct ex_jobs *j, struct ex_line *line, struct ex_task *back,
                             const char *text)
{
    struct ex_task *keep = NULL, *t, *next;
    char sentence[SL_ERROR_TEXT_MAX];
    snprintf(sentence, sizeof(sentence),
             "%d processes of the model ended before the call began: "
             "the last one %.300s",
             EX_DEATHS_MAX, text);
    DL_FOREACH_SAFE (back, t, next) {
        DL_DELETE(back, t);
        if (t->is_orphan || t->death_count >= EX_DEATHS_MAX) {
            give_back_task(j, t, SL_REASON_NO_CAPACITY, sentence);
        } else {
            ex_jobs_move(j, t, EX_JOB_WAITING);
            DL_APPEND(keep, t);
        }
    }
    DL_CONCAT(keep, line->waiting);
    line->waiting = keep;
}

void ex_jobs_worker_lost(struct ex_jobs *j, uint32_t slice, uint32_t model, uint64_t started_seq,
                         const char *text, sl_mono_ns now)
{
    struct ex_line *line = &j->lines[slice];
    struct ex_task *back = NULL;
    if (!line->posted || line->posted->model != model)
        return;
    const bool was_stopped = is_stopping(line);
    settle_first(j, line, started_seq, text, now, &back);
    settle_others(line, was_stopped, &back);
    ex_jobs_back_to_waiting(j, line, back, text);
    pump(j, slice, now);
}

void ex_jobs_worker_failed(struct ex_jobs *j, uint32_t slice, uint32_t model, const char *text,
                           sl_mono_ns now)
{
    struct ex_line *line = &j->lines[slice];
    struct ex_task *t, *next;
    DL_FOREACH_SAFE (line->waiting, t, next) {
        if (t->model != model)
            continue;
        DL_DELETE(line->waiting, t);
        give_back_task(j, t, SL_REASON_NO_CAPACITY, text);
    }
    pump(j, slice, now);
}

/* ---- time and ends */

static void give_up_receiving(struct ex_jobs *j, sl_mono_ns now)
{
    while (j->receiving && j->receiving->give_up_at <= now) {
        struct ex_task *t = j->receiving;
        DL_DELETE(j->receiving, t);
        give_back_task(j, t, SL_REASON_NO_CAPACITY, "the inputs' bytes stopped coming");
    }
}

static void pump_if_due(struct ex_jobs *j, uint32_t slice, sl_mono_ns now)
{
    struct ex_line *line = &j->lines[slice];
    if (!line->is_due && now < line->look_at)
        return;
    line->is_due = false;
    line->look_at = SL_MONO_NEVER;
    pump(j, slice, now);
}

void ex_jobs_tick(struct ex_jobs *j, sl_mono_ns now)
{
    give_up_receiving(j, now);
    for (uint32_t i = 0; i < j->conf.slice_count; i++) {
        pump_if_due(j, i, now);
        struct ex_task *t = j->lines[i].posted;
        if (!t || t->state != EX_JOB_RUNNING)
            continue;
        if (ex_lease_is_expired(j->leases, i, now))
            stop(j, t, is_unwanted(t) ? SL_REASON_CANCELLED : SL_REASON_DURATION_EXCEEDED);
        else if (t->kill_at <= now)
            stop(j, t, SL_REASON_CANCELLED);
    }
}

sl_mono_ns ex_jobs_next_at(const struct ex_jobs *j)
{
    sl_mono_ns next = ex_lease_next_expiry(j->leases);
    if (j->receiving && j->receiving->give_up_at < next)
        next = j->receiving->give_up_at;
    for (size_t i = 0; i < j->conf.slice_count; i++) {
        const struct ex_task *t = j->lines[i].posted;
        if (t && t->kill_at < next)
            next = t->kill_at;
        if (j->lines[i].look_at < next)
            next = j->lines[i].look_at;
    }
    return next;
}

void ex_jobs_refuse_new(struct ex_jobs *j)
{
    j->refuses_new = true;
}

static void abandon_line(struct ex_jobs *j, struct ex_line *line)
{
    static const char stopped[] = "the node stopped before the call began";
    struct ex_task *t, *next;
    DL_FOREACH_SAFE (line->waiting, t, next) {
        DL_DELETE(line->waiting, t);
        give_back_task(j, t, SL_REASON_DRAINING, stopped);
    }
    DL_FOREACH (line->posted, t) {
        if (t->state == EX_JOB_POSTED && !t->is_orphan) {
            tell_returned(j, t->lease, SL_REASON_DRAINING, stopped);
            disown_posted(j, t);
        } else if (t->state == EX_JOB_RUNNING) {
            stop(j, t, SL_REASON_EXECUTOR_LOST);
        }
    }
}

void ex_jobs_abandon(struct ex_jobs *j, sl_mono_ns now)
{
    struct ex_task *t, *next;
    (void)now;
    j->refuses_new = true;
    DL_FOREACH_SAFE (j->receiving, t, next) {
        DL_DELETE(j->receiving, t);
        give_back_task(j, t, SL_REASON_DRAINING, "the node stopped before the call began");
    }
    for (size_t i = 0; i < j->conf.slice_count; i++)
        abandon_line(j, &j->lines[i]);
}

static void end_posted(struct ex_jobs *j, struct ex_task *t)
{
    struct ex_joint *g = t->joint;
    for (size_t i = 1; g && i < g->count; i++)
        ex_jobs_end_task(j, g->tasks[i]);
    ex_jobs_end_task(j, t);
    ex_jobs_end_joint(j, g);
}

void ex_jobs_destroy(struct ex_jobs *j)
{
    if (!j)
        return;
    ex_jobs_drop_all(j, 0);
    for (size_t i = 0; i < j->conf.slice_count; i++) {
        struct ex_task *t, *next;
        DL_FOREACH_SAFE (j->lines[i].posted, t, next) {
            DL_DELETE(j->lines[i].posted, t);
            end_posted(j, t);
        }
    }
    ex_lease_destroy(j->leases);
    sl_alloc_free(j->alloc, j);
}

/* ---- looking */

uint64_t ex_jobs_open_count(const struct ex_jobs *j)
{
    return ex_job_open_count(&j->counts);
}

struct ex_jobs_stats ex_jobs_stats(const struct ex_jobs *j)
{
    return j->stats;
}

/* The slice's lease and its first posted job say the same, and the others wait behind it. */
static bool is_line_sound(const struct ex_jobs *j, uint32_t slice, uint64_t seen[])
{
    const struct ex_line *line = &j->lines[slice];
    const struct ex_lease_view view = ex_lease_look(j->leases, slice);
    const struct ex_task *t;
    uint32_t count = 0;
    DL_FOREACH (line->waiting, t) {
        seen[t->state]++;
        if (t->state != EX_JOB_WAITING || t->slice != slice || t->is_orphan)
            return false;
    }
    DL_FOREACH (line->posted, t) {
        const bool is_first = t == line->posted;
        seen[t->state]++;
        count++;
        if (t->slice != slice || t->model != line->posted->model)
            return false;
        if (is_first != (t->state == EX_JOB_RUNNING || t->state == EX_JOB_STOPPING))
            return false;
        for (size_t i = 1; t->joint && i < t->joint->count; i++)
            seen[t->joint->tasks[i]->state]++;
    }
    if (!line->posted)
        return count == line->posted_count && view.state == EX_LEASE_FREE;
    return count == line->posted_count && view.lease == line->posted->lease &&
           view.state == (is_stopping(line) ? EX_LEASE_RESETTING : EX_LEASE_RUNNING);
}

sl_status ex_jobs_check(const struct ex_jobs *j)
{
    uint64_t seen[EX_JOB_STATE_COUNT] = {0};
    const struct ex_task *t;
    if (j->stats.broken > 0)
        return SL_EBROKEN;
    for (uint32_t i = 0; i < j->conf.slice_count; i++) {
        if (!is_line_sound(j, i, seen))
            return SL_EBROKEN;
    }
    DL_FOREACH (j->receiving, t) {
        seen[t->state]++;
    }
    for (int s = EX_JOB_NEW; s < EX_JOB_ENDED; s++) {
        if (seen[s] != j->counts.in[s])
            return SL_EBROKEN;
    }
    return SL_OK;
}
