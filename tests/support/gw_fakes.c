#include "gw_fakes.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "gw_ledger.h"
#include "gw_wire.h"
#include "gw_wire_admin.h"
#include "plain_results.h"

void fake_world_init(struct fake_world *w, const struct sl_alloc *alloc)
{
    *w = (struct fake_world){.alloc = alloc, .now = 1000 * SL_NS_PER_S, .version = "1"};
    w->conf = (struct gw_flow_conf){
        .version = "test",
        .tiers = &open_tiers,
        .max_accounts = 100,
        .max_calls = 32,
        .queue = {.max_queued = 16,
                  .max_queued_of_tier = 16,
                  .max_app_running = 4,
                  .patience_us = 30 * SL_US_PER_S},
        .max_watches = 8,
        .max_visitor_watches = 4,
        .max_message_bytes = 1 << 20,
        .max_body_bytes = 1 << 20,
        .body_wait_ns = 5 * SL_NS_PER_S,
        .identity_wait_ns = 10 * SL_NS_PER_S,
        .asks = {.max_duration_us = 300 * SL_US_PER_S,
                 .max_wait_default_ns = 60 * SL_NS_PER_S,
                 .max_wait_limit_ns = 600 * SL_NS_PER_S},
        .results = {.max_entries = 40,
                    .keep_ns = 600 * SL_NS_PER_S,
                    .in_memory = {16, 64, 128},
                    .on_disk = {100, 150, 200}},
        .fleet = {.max_nodes = 4,
                  .max_models = 8,
                  .max_leases = 64,
                  .feed_ahead_us = 2000,
                  .feed_ahead_max = 8},
        .seed = 1,
        .started_at = w->now,
    };
}

/* ---- the ports */

void fake_read(struct fake_exchange *e)
{
    struct gw_body *update = gw_exchange_take_update(&e->x);
    if (update == NULL)
        return;
    gw_body_release(e->update);
    e->update = update;
    e->updates++;
}

static void forget(struct fake_exchange *e)
{
    fake_read(e);
    gw_body_release(e->update);
    sl_arena_finish(&e->x.arena);
    free(e);
}

static void post(void *ctx, struct gw_exchange *x, unsigned events)
{
    struct fake_exchange *e = SL_CONTAINER_OF(x, struct fake_exchange, x);
    (void)ctx;
    e->grants += (events & GW_TO_NET_GRANT) != 0;
    e->replies += (events & GW_TO_NET_REPLY) != 0;
    e->heads += (events & GW_TO_NET_HEAD) != 0;
    if ((events & GW_TO_NET_UPDATE) != 0 && !e->reads_slowly)
        fake_read(e);
}

static uint64_t connections(void *ctx)
{
    (void)ctx;
    return 3;
}

static void copy_payload(const struct gw_dispatch *d, struct fake_sent *out)
{
    struct gw_range part = d->plan->message_part;
    size_t n = part.length < sizeof out->payload ? part.length : sizeof out->payload;
    memcpy(out->payload, d->message->data + part.offset, n);
    if (part.length + d->plan->converted_bytes <= sizeof out->payload && d->converted != NULL)
        memcpy(out->payload + part.length, d->converted->data, (size_t)d->plan->converted_bytes);
}

static sl_status dispatch(void *ctx, const struct gw_fleet_node *node, const struct gw_dispatch *d)
{
    struct fake_world *w = ctx;
    bool is_asked = w->answering_node == NULL || strcmp(w->answering_node, node->name) == 0;
    if (is_asked && w->dispatch_answer != SL_OK) {
        w->refused_count++;
        return w->dispatch_answer;
    }
    if (w->sent_count == FAKE_SENT_MAX)
        abort();
    struct fake_sent *s = &w->sent[w->sent_count++];
    *s = (struct fake_sent){.lease = d->lease,
                            .slice = d->slice->id,
                            .limit_us = d->limit_us,
                            .cpu_hint = d->cpu_hint,
                            .payload_bytes = gw_plan_payload_bytes(d->plan)};
    snprintf(s->node, sizeof s->node, "%s", node->name);
    snprintf(s->call_id, sizeof s->call_id, "%s", d->call_id);
    copy_payload(d, s);
    return SL_OK;
}

static void cancel(void *ctx, const struct gw_fleet_node *node, sl_slot_id lease)
{
    struct fake_world *w = ctx;
    (void)node;
    if (w->cancel_count == FAKE_SENT_MAX)
        abort();
    w->cancels[w->cancel_count++] = lease;
}

static void call_back(void *ctx, const struct gw_fleet_node *node, sl_slot_id lease)
{
    struct fake_world *w = ctx;
    (void)node;
    if (w->called_back_count == FAKE_SENT_MAX)
        abort();
    w->called_back[w->called_back_count++] = lease;
}

static void acknowledge(void *ctx, const struct gw_fleet_node *node, uint64_t record)
{
    struct fake_world *w = ctx;
    (void)node;
    if (w->ack_count == FAKE_SENT_MAX)
        abort();
    w->acks[w->ack_count++] = record;
}

static enum gw_identity_answer identify(void *ctx, const struct gw_credentials *c,
                                        struct gw_principal *out, struct sl_error *err)
{
    struct fake_world *w = SL_CONTAINER_OF((struct open_door *)ctx, struct fake_world, door);
    w->identity_count++;
    if (w->identity == GW_IDENTITY_REFUSED)
        *err = w->identity_error;
    if (w->identity != GW_IDENTITY_KNOWN)
        return w->identity;
    if (w->who == NULL)
        return open_door.identify(NULL, c, out, err);
    *out = *w->who;
    return GW_IDENTITY_KNOWN;
}

static sl_status append(void *ctx, enum gw_record_kind kind, struct sl_span bytes, uint64_t ticket)
{
    struct fake_world *w = ctx;
    if (w->append_answer != SL_OK)
        return w->append_answer;
    if (w->entry_count == FAKE_SENT_MAX || bytes.len > sizeof w->entries[0].bytes)
        abort();
    struct fake_entry *e = &w->entries[w->entry_count++];
    *e = (struct fake_entry){.kind = kind, .ticket = ticket, .len = bytes.len};
    memcpy(e->bytes, bytes.data, bytes.len);
    return SL_OK;
}

static sl_status ask(void *ctx, const struct gw_store_question *q, uint64_t ticket)
{
    struct fake_world *w = ctx;
    w->question = *q;
    w->question_ticket = ticket;
    return w->ask_answer;
}

void fake_answer(struct fake_world *w, const struct gw_store_answer *a)
{
    gw_flow_on_answer(w->flow, w->question_ticket, a);
}

static bool may_admit(void *ctx, struct sl_error *why)
{
    struct fake_world *w = ctx;
    if (w->store_refuses)
        sl_error_set(why, SL_REASON_NO_CAPACITY, "nothing can be recorded now");
    return !w->store_refuses;
}

static bool must_wait(void *ctx)
{
    const struct fake_world *w = ctx;
    return !w->store_is_passed_by;
}

void fake_stored(struct fake_world *w, size_t count, sl_status outcome)
{
    for (; count > 0 && w->answered_count < w->entry_count; count--)
        gw_flow_on_stored(w->flow, w->entries[w->answered_count++].ticket, outcome);
}

/* ---- digests and files, asked of another thread */

struct gw_spool_file {
    const struct sl_span *pieces; /* until they have been written */
    size_t piece_count;
    uint8_t *bytes;
    size_t len;
};

static struct fake_errand *errand(struct fake_world *w)
{
    if (w->errand_count == FAKE_ERRANDS_MAX)
        abort();
    return &w->errands[w->errand_count++];
}

static sl_status digest(void *ctx, struct sl_span text, struct gw_body *body, uint64_t ticket,
                        uint8_t out[GW_IDEM_DIGEST_BYTES])
{
    struct fake_world *w = ctx;
    sl_status s = plain_results.digest(NULL, text, body, ticket, out);
    if (s != SL_OK || !w->digests_later)
        return s;
    struct fake_errand *e = errand(w);
    *e = (struct fake_errand){.kind = FAKE_DIGEST, .ticket = ticket};
    memcpy(e->digest, out, sizeof e->digest);
    return SL_EAGAIN;
}

static sl_status random_bytes(void *ctx, uint8_t *out, size_t bytes)
{
    (void)ctx;
    return plain_results.random(NULL, out, bytes);
}

static sl_status spool(void *ctx, const struct sl_span *pieces, size_t piece_count, void *user,
                       struct gw_spool_file **out)
{
    struct fake_world *w = ctx;
    if (w->file_max > 0 && w->file_count == w->file_max)
        return SL_EFULL;
    struct gw_spool_file *file = calloc(1, sizeof *file);
    if (file == NULL)
        abort();
    file->pieces = pieces;
    file->piece_count = piece_count;
    w->file_count++;
    *errand(w) = (struct fake_errand){.kind = FAKE_SPOOL, .user = user, .file = file};
    *out = file;
    return SL_OK;
}

/* Late, as a real one: pieces that had gone meanwhile would show. */
static void write_file(struct gw_spool_file *file)
{
    for (size_t i = 0; i < file->piece_count; i++) {
        const struct sl_span *piece = &file->pieces[i];
        file->bytes = realloc(file->bytes, file->len + piece->len + 1);
        if (file->bytes == NULL)
            abort();
        memcpy(file->bytes + file->len, piece->data, piece->len);
        file->len += piece->len;
    }
}

static sl_status fetch(void *ctx, struct gw_spool_file *file, uint8_t *into, size_t bytes,
                       void *user)
{
    struct fake_world *w = ctx;
    if (bytes > file->len)
        abort();
    memcpy(into, file->bytes, bytes);
    *errand(w) = (struct fake_errand){.kind = FAKE_FETCH, .user = user};
    return SL_OK;
}

static void drop(void *ctx, struct gw_spool_file *file)
{
    struct fake_world *w = ctx;
    w->file_count--;
    free(file->bytes);
    free(file);
}

static void answer(struct fake_world *w, const struct fake_errand *e)
{
    if (e->kind == FAKE_SPOOL)
        write_file(e->file);
    if (e->kind == FAKE_DIGEST)
        gw_flow_on_digest(w->flow, e->ticket, w->disk_answer, e->digest, w->now);
    else if (e->kind == FAKE_SPOOL)
        gw_flow_on_spooled(w->flow, e->user, w->disk_answer);
    else
        gw_flow_on_fetched(w->flow, e->user, w->disk_answer);
}

void fake_errands(struct fake_world *w)
{
    struct fake_errand all[FAKE_ERRANDS_MAX];
    size_t count = w->errand_count;
    memcpy(all, w->errands, sizeof all);
    w->errand_count = 0;
    for (size_t i = 0; i < count; i++)
        answer(w, &all[i]);
}

static struct gw_results_port results_port(struct fake_world *w)
{
    return (struct gw_results_port){.ctx = w,
                                    .digest = digest,
                                    .random = random_bytes,
                                    .spool = w->has_disk ? spool : NULL,
                                    .fetch = fetch,
                                    .drop = drop};
}

sl_status fake_world_start(struct fake_world *w)
{
    const struct gw_link_port nodes = {w, dispatch, cancel, call_back, acknowledge};
    if (open_door_init(&w->door, &sl_alloc_malloc) != SL_OK)
        abort();
    struct gw_auth_port door = open_door_port(&w->door);
    door.identify = identify;
    const struct gw_ports ports = {.net = {w, post, connections},
                                   .auth = door,
                                   .link = w->link != NULL ? *w->link : nodes,
                                   .wire = gw_wire_port,
                                   .answers = gw_wire_answers,
                                   .store = {.ctx = w,
                                             .append = w->has_store ? append : NULL,
                                             .may_admit = may_admit,
                                             .must_wait = must_wait,
                                             .ask = ask},
                                   .results = results_port(w),
                                   .durations = w->durations};
    sl_status s = gw_flow_create(w->alloc, &w->conf, &w->metrics, &ports, &w->flow);
    if (s != SL_OK)
        open_door_finish(&w->door);
    return s;
}

/* Leases may still be out, of calls that ended before and owe; nothing else holds a model without calls. */
static bool holds_are_leases(struct gw_flow *flow)
{
    struct gw_fleet *fleet = gw_flow_fleet(flow);
    size_t cursor = 0, holders = 0;
    const struct gw_fleet_model *m;
    while ((m = gw_fleet_next_model(fleet, &cursor)) != NULL)
        holders += m->holders;
    return holders == gw_fleet_totals(fleet).leases + gw_ledger_totals(gw_flow_ledger(flow)).holds;
}

static const char *what_is_wrong(struct fake_world *w)
{
    const struct gw_call_counts *counts = gw_flow_counts(w->flow);
    if (w->open != NULL)
        return "an exchange was not replied to";
    if (!gw_flow_is_empty(w->flow))
        return "the flow still has exchanges";
    for (int s = GW_CALL_RECEIVING; s < GW_CALL_STATE_COUNT; s++)
        if (counts->in[s] != 0)
            return "calls are counted that are gone";
    if (gw_fleet_check(gw_flow_fleet(w->flow)) != SL_OK)
        return "the fleet's invariants are broken";
    if (gw_ledger_check(gw_flow_ledger(w->flow)) != SL_OK)
        return "the ledger's invariants are broken";
    if (gw_ledger_totals(gw_flow_ledger(w->flow)).holds >
        gw_fleet_totals(gw_flow_fleet(w->flow)).leases)
        return "a hold is open that no lease owes for";
    return holds_are_leases(w->flow) ? NULL : "a model is held by a call that is gone";
}

const char *fake_world_finish(struct fake_world *w)
{
    struct fake_exchange *e, *next;
    fake_errands(w);
    DL_FOREACH_SAFE (w->open, e, next) {
        if (e->replies == 1)
            fake_leave(w, e);
    }
    const char *wrong = what_is_wrong(w);
    gw_flow_destroy(w->flow);
    if (wrong == NULL && w->file_count > 0)
        wrong = "a file was not dropped";
    open_door_finish(&w->door);
    DL_FOREACH_SAFE (w->open, e, next)
        forget(e);
    return wrong;
}

/* ---- visitors */

struct fake_exchange *fake_exchange(struct fake_world *w, enum gw_method method)
{
    struct fake_exchange *e = calloc(1, sizeof *e);
    if (e == NULL)
        abort();
    sl_arena_init(&e->x.arena, w->alloc, FAKE_ARENA_MAX);
    e->x.req = (struct gw_request){.method = method,
                                   .path = sl_span_str(gw_method_path(method)),
                                   .arrived_at = w->now,
                                   .deadline_at = SL_MONO_NEVER};
    DL_APPEND(w->open, e);
    return e;
}

void fake_event(struct fake_world *w, struct fake_exchange *e, unsigned events)
{
    gw_flow_on_exchange(w->flow, &e->x, events, w->now);
}

void fake_message(struct fake_world *w, struct fake_exchange *e, struct gw_body *give_body)
{
    e->x.body = give_body;
    fake_event(w, e, GW_EV_MESSAGE);
}

struct fake_exchange *fake_call(struct fake_world *w, struct gw_body *give_body)
{
    struct fake_exchange *e = fake_exchange(w, GW_METHOD_MODEL_INFER);
    fake_event(w, e, GW_EV_OPEN);
    fake_message(w, e, give_body);
    fake_turn(w);
    return e;
}

void fake_leave(struct fake_world *w, struct fake_exchange *e)
{
    if (e->replies != 1)
        abort();
    if (e->x.reply.release != NULL)
        e->x.reply.release(e->x.reply.release_ctx);
    fake_event(w, e, GW_EV_SENT);
    DL_DELETE(w->open, e);
    forget(e);
}

/* ---- time */

void fake_turn(struct fake_world *w)
{
    gw_flow_turn(w->flow, w->now);
}

void fake_advance(struct fake_world *w, int64_t ns)
{
    w->now += ns;
    fake_turn(w);
}

/* ---- nodes */

struct gw_fleet_node *fake_join(struct fake_world *w, const char *name, size_t slices,
                                const char *model)
{
    static const struct gw_tensor_spec in = {"IN", SL_DTYPE_FP32, {-1}, 1};
    static const struct gw_tensor_spec out = {"OUT", SL_DTYPE_FP32, {-1}, 1};
    struct gw_model_spec spec = {.name = model,
                                 .version = w->version,
                                 .engine = "fake",
                                 .inputs = &in,
                                 .input_count = 1,
                                 .outputs = &out,
                                 .output_count = 1,
                                 .duration_us = 60 * SL_US_PER_S,
                                 .duration = w->duration,
                                 .max_duration_us = 120 * SL_US_PER_S,
                                 .size = w->size,
                                 .problem = ""};
    struct gw_hello_slice list[9] = {{.id = 0}};
    for (uint32_t i = 0; i < 8; i++)
        list[i] = (struct gw_hello_slice){i, "cpu0", "cpu", 0, 500, 0};
    if (w->has_wide)
        list[slices] =
            (struct gw_hello_slice){FAKE_WIDE, "cpu0", "cpu", 0, 1000, (UINT64_C(1) << slices) - 1};
    struct gw_hello hello = {.session = ++w->sessions,
                             .journal = w->journal,
                             .name = name,
                             .version = "test",
                             .slice_backlog_max = 8,
                             .slices = list,
                             .slice_count = slices,
                             .wide_count = w->has_wide,
                             .models = &spec,
                             .model_count = 1};
    struct gw_fleet_node *node = NULL;
    struct sl_error err;
    return gw_flow_on_hello(w->flow, &hello, w->now, &node, &err) ? node : NULL;
}

void fake_started(struct fake_world *w, struct gw_fleet_node *n, sl_slot_id lease)
{
    gw_flow_on_started(w->flow, n, lease, w->now);
}

void fake_returned(struct fake_world *w, struct gw_fleet_node *n, sl_slot_id lease)
{
    gw_flow_on_returned(w->flow, n, lease, w->now);
}

static const float answer_floats[4] = {1, 2, 3, 4};

/* A result as a link hands it over: it lies, with all that belongs to it, in what its release gives back. */
struct handed {
    struct fake_world *w;
    struct gw_result result;
    struct sl_span piece;
    float answer[4];
};

static void give_back(void *ctx)
{
    struct handed *h = ctx;
    h->w->releases++;
    memset(h, 0xee, sizeof *h);
    free(h);
}

static struct gw_result good_result(const struct fake_world *w, sl_slot_id lease,
                                    const struct sl_span *piece)
{
    static const int64_t dims[1] = {4};
    static const struct gw_result_output output = {
        {(const uint8_t *)"OUT", 3}, SL_DTYPE_FP32, dims, 1, 0, sizeof answer_floats};
    return (struct gw_result){.lease = lease,
                              .reason = SL_REASON_OK,
                              .was_started = true,
                              .held_us = 12345,
                              .record = w->record,
                              .outputs = &output,
                              .output_count = 1,
                              .payload = {piece, 1, sizeof answer_floats}};
}

static void hand_over(struct fake_world *w, struct gw_fleet_node *n, sl_slot_id lease)
{
    struct handed *h = calloc(1, sizeof *h);
    if (h == NULL)
        abort();
    h->w = w;
    memcpy(h->answer, answer_floats, sizeof h->answer);
    h->piece = sl_span_of(h->answer, sizeof h->answer);
    h->result = good_result(w, lease, &h->piece);
    h->result.release = give_back;
    h->result.release_ctx = h;
    gw_flow_on_result(w->flow, n, &h->result, w->now);
}

void fake_result(struct fake_world *w, struct gw_fleet_node *n, sl_slot_id lease, bool by_reference)
{
    uint8_t borrowed[sizeof answer_floats];
    if (by_reference) {
        hand_over(w, n, lease);
        return;
    }
    memcpy(borrowed, answer_floats, sizeof borrowed);
    const struct sl_span piece = sl_span_of(borrowed, sizeof borrowed);
    const struct gw_result r = good_result(w, lease, &piece);
    gw_flow_on_result(w->flow, n, &r, w->now);
    memset(borrowed, 0xee, sizeof borrowed); /* a reply that still pointed there would show it */
}

void fake_failure(struct fake_world *w, struct gw_fleet_node *n, sl_slot_id lease, bool was_started,
                  enum sl_reason reason, const char *text)
{
    struct gw_result r = {.lease = lease,
                          .reason = reason,
                          .text = sl_span_str(text),
                          .was_started = was_started,
                          .held_us = was_started ? 777 : 0,
                          .record = was_started ? w->record : 0};
    gw_flow_on_result(w->flow, n, &r, w->now);
}
