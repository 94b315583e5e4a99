#include "gw_kept.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "sl_log.h"

enum { HEADS_MAX_BYTES = 4 << 20 };

/* ---- the table */

static void release_kept(void *ctx, void *result)
{
    gw_outcome_release(ctx, result);
}

static struct gw_idem_conf table_conf(struct gw_flow *f)
{
    return (struct gw_idem_conf){
        .max_entries = f->conf.results.max_entries,
        .keep_ns = f->conf.results.keep_ns,
        .limits = {[GW_IDEM_IN_MEMORY] = f->conf.results.in_memory,
                   [GW_IDEM_ON_DISK] = f->conf.results.on_disk},
        .release = release_kept,
        .ctx = f,
    };
}

sl_status gw_kept_create(struct gw_flow *f)
{
    struct gw_idem_conf conf = table_conf(f);
    struct sl_rng rng; /* of its own: visitors choose keys, and should not know where they fall */
    sl_rng_seed(&rng, f->conf.seed ^ UINT64_C(0x9e3779b97f4a7c15));
    conf.seed.low = sl_rng_u64(&rng);
    conf.seed.high = sl_rng_u64(&rng);
    return gw_idem_create(f->alloc, &conf, &f->idem);
}

void gw_kept_set_limits(struct gw_flow *f)
{
    const struct gw_idem_conf conf = table_conf(f);
    gw_idem_set_limits(f->idem, &conf);
}

/* Of two calls with one key, one of which was remembered no longer, the first one stands. */
sl_status gw_flow_note_outcome(struct gw_flow *f, const struct gw_receipt *r, sl_mono_ns ended_at)
{
    struct gw_idem_call call = {.visitor = r->accounts[0], .key = r->idempotency_key};
    const struct gw_idem_outcome outcome = {r->reason, r->charged_us, r->ended_at};
    if (call.key.len == 0)
        return SL_EINVAL;
    if (r->reason != SL_REASON_OK && r->charged_us == 0)
        return SL_OK; /* as if it had never been */
    memcpy(call.call_id, r->call_id, sizeof call.call_id);
    sl_status s = gw_idem_restore(f->idem, &call, &outcome, ended_at);
    return s == SL_EEXIST ? SL_OK : s;
}

/* ---- keys */

bool gw_kept_is_key(struct sl_span key, struct sl_error *err)
{
    bool is_visible = true;
    for (size_t i = 0; i < key.len; i++)
        is_visible = is_visible && key.data[i] > 0x20 && key.data[i] < 0x7f;
    if (key.len == 0 || key.len > GW_IDEM_KEY_MAX)
        sl_error_set(err, SL_REASON_BAD_INPUT, "idempotency-key has %zu bytes; it may have 1 to %d",
                     key.len, GW_IDEM_KEY_MAX);
    else if (!is_visible)
        sl_error_set(err, SL_REASON_BAD_INPUT,
                     "idempotency-key '%.*s' holds a byte that is not visible ASCII", (int)key.len,
                     (const char *)key.data);
    else
        return true;
    sl_error_set_field(err, "idempotency-key");
    return false;
}

/* Only who has the token fetches what an address asked for, because others may come from there, too. */
static bool make_token(struct gw_flow *f, struct gw_call *c, struct gw_idem_call *out)
{
    static const char digits[] = "0123456789abcdef";
    if (c->who.kind != GW_PRINCIPAL_ADDRESS)
        return true;
    if (f->ports.results.random(f->ports.results.ctx, out->token, sizeof out->token) != SL_OK)
        return false;
    out->has_token = true;
    for (size_t i = 0; i < sizeof out->token; i++) {
        c->fetch_token[2 * i] = digits[out->token[i] >> 4];
        c->fetch_token[2 * i + 1] = digits[out->token[i] & 15];
    }
    return true;
}

static void say_why_not(const struct gw_flow *f, const struct gw_call *c, sl_status why,
                        struct sl_error *err)
{
    if (why == SL_EEXIST) {
        sl_error_set(err, SL_REASON_ALREADY_EXISTS, "sluice-call-id %s is the name of another call",
                     c->call_id);
        sl_error_set_field(err, "sluice-call-id");
    } else if (why == SL_EFULL) {
        sl_error_set(err, SL_REASON_NO_CAPACITY,
                     "%zu calls whose results are to be kept are under way, which is the limit",
                     f->conf.results.max_entries);
    } else {
        sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory to keep the call's result");
    }
}

/* Looks the call up by its key, and enters it where there is none before it. */
static bool look_up(struct gw_flow *f, struct gw_call *c, struct sl_span key, const uint8_t *digest,
                    sl_mono_ns now, struct gw_idem_found *out, struct sl_error *err)
{
    struct gw_idem_call call = {
        .visitor = sl_span_str(gw_principal_name(&c->who)), .key = key, .call = c->id};
    memcpy(call.call_id, c->name.id, sizeof call.call_id);
    if (digest != NULL)
        memcpy(call.digest, digest, sizeof call.digest);
    sl_status s = make_token(f, c, &call) ? gw_idem_open(f->idem, &call, now, out) : SL_ENOMEM;
    if (s != SL_OK)
        say_why_not(f, c, s, err);
    else if (out->verdict == GW_IDEM_NEW)
        c->entry = out->id;
    return s == SL_OK;
}

bool gw_kept_enter(struct gw_flow *f, struct gw_call *c, sl_mono_ns now, struct sl_error *err)
{
    struct gw_idem_found found;
    if (c->entry != 0 || c->asks.on_disconnect != GW_ASK_KEEP)
        return true;
    return look_up(f, c, sl_span_str(""), NULL, now, &found, err);
}

/* ---- an outcome becomes a reply */

static void fail(struct gw_flow *f, struct gw_call *c, enum sl_reason reason, const char *text)
{
    struct sl_error err;
    sl_error_set(&err, reason, "%s", text);
    gw_call_fail(f, c, &err);
}

/* It is told as the first one was. */
static void take_over(struct gw_call *c, const struct gw_outcome *o)
{
    memcpy(c->call_id, o->call_id, sizeof c->call_id);
    memcpy(c->fetch_token, o->fetch_token, sizeof c->fetch_token);
    c->charged_us = o->charged_us;
    gw_outcome_tell_times(o, c->exchange);
}

static void show(struct gw_flow *f, struct gw_call *c, struct gw_outcome *o)
{
    struct sl_error err;
    if (!gw_outcome_show(f, o, c->exchange, &err)) {
        gw_call_fail(f, c, &err);
        return;
    }
    take_over(c, o);
    gw_call_succeed(f, c);
}

static void on_read(struct gw_flow *f, uint64_t id, struct gw_outcome *read)
{
    struct gw_call *c = gw_call_find(f, id);
    if (c == NULL || !c->awaits_read)
        return;
    c->awaits_read = false;
    if (read != NULL)
        show(f, c, read);
    else
        fail(f, c, SL_REASON_NO_CAPACITY, "the result that was kept cannot be read now");
}

static void fetch(struct gw_flow *f, struct gw_call *c, struct gw_outcome *o)
{
    struct sl_error err;
    c->awaits_read = gw_outcome_fetch(f, o, (struct gw_reader){on_read, c->id}, &err);
    if (!c->awaits_read)
        gw_call_fail(f, c, &err);
}

static void answer(struct gw_flow *f, struct gw_call *c, struct gw_outcome *o)
{
    if (o == NULL) {
        fail(f, c, SL_REASON_NO_CAPACITY,
             "the first call with this idempotency-key has ended, and there was no memory for its "
             "outcome");
    } else if (o->error != NULL) {
        take_over(c, o);
        c->exchange->reply.retry_after_ms = o->retry_after_ms;
        gw_call_fail(f, c, o->error);
    } else if (gw_outcome_is_on_disk(o)) {
        fetch(f, c, o);
    } else {
        show(f, c, o);
    }
}

void gw_kept_say_gone(const struct gw_idem_found *found, struct sl_error *err)
{
    char id[SL_UUID_TEXT_LEN + 1], ended[SL_TEXT_INSTANT_LEN + 1], charged[32];
    const struct gw_idem_outcome *o = &found->outcome;
    sl_text_format_uuid(found->call_id, id);
    sl_text_format_instant(o->ended_at, ended);
    sl_text_format_ms(o->charged_us, charged);
    sl_error_set(err, SL_REASON_RESULT_GONE,
                 "call %s has run: it ended with %s at %s and was charged %s ms; its result is not "
                 "kept any more",
                 id, sl_reason_name(o->reason), ended, charged);
}

static void answer_gone(struct gw_flow *f, struct gw_call *c, const struct gw_idem_found *found)
{
    struct sl_error err;
    sl_text_format_uuid(found->call_id, c->call_id);
    c->fetch_token[0] = '\0';
    c->charged_us = found->outcome.charged_us;
    gw_kept_say_gone(found, &err);
    gw_call_fail(f, c, &err);
}

static void refuse_other(struct gw_flow *f, struct gw_call *c, const struct gw_idem_found *found)
{
    struct sl_error err;
    char first[SL_UUID_TEXT_LEN + 1];
    struct sl_span key = c->exchange->req.idempotency_key;
    sl_text_format_uuid(found->call_id, first);
    c->fetch_token[0] = '\0';
    sl_error_set(&err, SL_REASON_ALREADY_EXISTS,
                 "idempotency-key '%.*s' was used with another request, by call %s: a key stands "
                 "for one request",
                 (int)key.len, (const char *)key.data, first);
    sl_error_set_field(&err, "idempotency-key");
    gw_call_fail(f, c, &err);
}

/* ---- joining */

static void join(struct gw_flow *f, struct gw_call *c, struct gw_call *first)
{
    struct sl_error err;
    if (first == NULL || first->joined_count == GW_JOINED_MAX) {
        sl_error_set(
            &err, SL_REASON_QUEUE_FULL,
            "%d calls with this idempotency-key wait for the first one, which is the limit",
            GW_JOINED_MAX);
        gw_call_fail(f, c, &err);
        return;
    }
    c->first = first->id;
    first->joined_count++;
    DL_APPEND2(first->joined, c, room_prev, room_next);
    gw_call_drop_message(f, c);
}

/* Nobody else waits for it any more. */
static void abandon(struct gw_flow *f, struct gw_call *c)
{
    bool is_kept = gw_call_outlives_connection(c) && c->exchange->is_disconnect;
    if (c->outlives_deadline)
        fail(f, c, SL_REASON_DEADLINE_EXCEEDED, "the caller's deadline has passed");
    else if (c->is_unclaimed && !is_kept)
        fail(f, c, SL_REASON_CANCELLED, "all who waited for the call have gone");
}

void gw_kept_leave(struct gw_flow *f, struct gw_call *c)
{
    struct gw_call *first = gw_call_find(f, c->first);
    c->waits_for_digest = false;
    c->awaits_read = false;
    c->first = 0;
    if (first == NULL)
        return;
    DL_DELETE2(first->joined, c, room_prev, room_next);
    if (--first->joined_count == 0 && first->state != GW_CALL_ENDED && !first->is_sent)
        abandon(f, first);
}

/* ---- meeting */

static bool meet(struct gw_flow *f, struct gw_call *c, const uint8_t *digest, sl_mono_ns now)
{
    struct gw_idem_found found;
    struct sl_error err;
    if (!look_up(f, c, c->exchange->req.idempotency_key, digest, now, &found, &err)) {
        gw_call_fail(f, c, &err);
        return false;
    }
    if (found.verdict == GW_IDEM_NEW)
        return true;
    sl_metric_add(f->metrics.repeated, 1);
    if (found.verdict == GW_IDEM_RUNNING)
        join(f, c, gw_call_find(f, found.call));
    else if (found.verdict == GW_IDEM_DONE)
        answer(f, c, found.result);
    else if (found.verdict == GW_IDEM_GONE)
        answer_gone(f, c, &found);
    else
        refuse_other(f, c, &found);
    return false;
}

bool gw_kept_meet(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    uint8_t digest[GW_IDEM_DIGEST_BYTES];
    const struct gw_results_port *p = &f->ports.results;
    if (c->exchange->req.idempotency_key.data == NULL)
        return true;
    const struct sl_span method = sl_span_str(gw_method_path(c->exchange->req.method));
    sl_status s = p->digest(p->ctx, method, c->message, c->id, digest);
    if (s == SL_OK)
        return meet(f, c, digest, now);
    c->waits_for_digest = s == SL_EAGAIN;
    if (s != SL_EAGAIN)
        fail(f, c, SL_REASON_NO_CAPACITY, "no memory for the request's digest");
    return false;
}

void gw_flow_on_digest(struct gw_flow *f, uint64_t ticket, sl_status outcome,
                       const uint8_t digest[GW_IDEM_DIGEST_BYTES], sl_mono_ns now)
{
    struct gw_call *c = gw_call_find(f, ticket);
    if (c == NULL || !c->waits_for_digest)
        return;
    c->waits_for_digest = false;
    if (outcome != SL_OK)
        fail(f, c, SL_REASON_NO_CAPACITY, "the request's digest could not be made");
    else if (meet(f, c, digest, now))
        gw_call_enter(f, c, now);
}

/* ---- its reply is kept */

static bool fits_memory(const struct gw_flow *f, uint64_t payload_bytes)
{
    return payload_bytes <= f->conf.results.in_memory.one_bytes;
}

struct sl_arena *gw_kept_arena(struct gw_flow *f, struct gw_call *c, uint64_t payload_bytes)
{
    if (c->entry != 0 && !fits_memory(f, payload_bytes))
        c->outcome = gw_outcome_create(f, HEADS_MAX_BYTES);
    return c->outcome != NULL ? &c->outcome->arena : &c->exchange->arena;
}

void gw_kept_take_reply(struct gw_flow *f, struct gw_call *c, uint64_t payload_bytes)
{
    if (c->outcome != NULL) {
        gw_outcome_take(c->outcome, c->exchange, c->result_bytes);
        c->result_bytes = 0;
    } else if (c->entry != 0 && fits_memory(f, payload_bytes)) {
        c->outcome = gw_outcome_copy(f, &c->exchange->reply);
    }
    if (c->outcome != NULL)
        c->outcome->payload_bytes = payload_bytes;
}

void gw_kept_take_error(struct gw_flow *f, struct gw_call *c)
{
    if (c->entry == 0)
        return;
    gw_outcome_release(f, c->outcome); /* of a reply that could not be written */
    c->outcome = gw_outcome_of_error(f, &c->exchange->reply);
}

/* ---- concluded */

static void note_facts(struct gw_call *c, struct gw_outcome *o)
{
    memcpy(o->call_id, c->call_id, sizeof o->call_id);
    memcpy(o->node, c->node, sizeof o->node);
    memcpy(o->fetch_token, c->fetch_token, sizeof o->fetch_token);
    o->was_started = c->usage.was_started && c->started_at != 0;
    o->charged_us = c->charged_us;
    o->queue_us = (c->started_at - c->queued_at) / SL_NS_PER_US;
    o->exec_us = c->usage.used_us;
}

static void answer_joined(struct gw_flow *f, struct gw_call *c)
{
    for (struct gw_call *j; (j = c->joined) != NULL;) {
        DL_DELETE2(c->joined, j, room_prev, room_next);
        j->first = 0;
        c->joined_count--;
        answer(f, j, c->outcome);
    }
}

/* Large ones are for those alone who asked for it. */
static bool is_for_disk(const struct gw_flow *f, const struct gw_call *c)
{
    return c->outcome != NULL && !fits_memory(f, c->outcome->payload_bytes);
}

static bool may_go_to_disk(const struct gw_flow *f, const struct gw_call *c)
{
    return c->asks.on_disconnect == GW_ASK_KEEP && f->ports.results.spool != NULL &&
           c->outcome->payload_bytes <= f->conf.results.on_disk.one_bytes;
}

/* Where there are as many files as there may be, the oldest make room; those that are being read go later. */
static sl_status spool_somehow(struct gw_flow *f, struct gw_outcome *o, gw_idem_id entry)
{
    enum { EVICTED_MAX = 8 };
    sl_status s = gw_outcome_spool(f, o, entry);
    for (int i = 0; i < EVICTED_MAX && s == SL_EFULL; i++) {
        if (!gw_idem_evict(f->idem, GW_IDEM_ON_DISK, entry))
            break;
        s = gw_outcome_spool(f, o, entry);
    }
    return s;
}

static void spool(struct gw_flow *f, struct gw_outcome *o, gw_idem_id entry)
{
    sl_status s = spool_somehow(f, o, entry);
    if (s == SL_OK)
        return;
    sl_log(SL_LOG_WARN, "a result was not kept: there is no file for it", SL_S("call", o->call_id),
           SL_U("bytes", o->message_bytes), SL_S("why", sl_status_text(s)));
    gw_idem_lose(f->idem, entry);
}

static void keep(struct gw_flow *f, struct gw_call *c)
{
    struct gw_outcome *o = c->outcome;
    bool is_large = is_for_disk(f, c);
    bool is_kept = o != NULL && (!is_large || may_go_to_disk(f, c));
    const struct gw_idem_outcome outcome = {c->usage.reason, c->charged_us, c->ended_wall};
    const struct gw_idem_result result = {
        .take = is_kept ? o : NULL,
        .bytes = o != NULL ? o->payload_bytes : 0,
        .place = is_large ? GW_IDEM_ON_DISK : GW_IDEM_IN_MEMORY,
    };
    if (is_kept)
        o->references++;
    sl_status s = gw_idem_end(f->idem, c->entry, &outcome, &result, f->turn_at);
    if (s == SL_OK && is_kept && is_large)
        spool(f, o, c->entry);
}

/* What cost nothing and brought nothing is as if it had never been asked. */
static bool counts(const struct gw_call *c)
{
    return c->usage.reason == SL_REASON_OK || c->charged_us > 0;
}

void gw_kept_tell(struct gw_call *c)
{
    if (c->fetch_token[0] != '\0' && counts(c))
        gw_exchange_add_trailer(c->exchange, "sluice-fetch-token", c->fetch_token);
}

bool gw_kept_is_open(const struct gw_call *c)
{
    return c->entry != 0 && !c->is_concluded;
}

void gw_kept_conclude(struct gw_flow *f, struct gw_call *c)
{
    if (!gw_kept_is_open(c) || c->owes || gw_receipts_hold_reply(f, c))
        return;
    c->is_concluded = true;
    if (c->outcome != NULL)
        note_facts(c, c->outcome);
    answer_joined(f, c);
    if (counts(c)) {
        keep(f, c);
    } else {
        sl_status s = gw_idem_forget(f->idem, c->entry);
        (void)s; /* it was running until now */
    }
    gw_outcome_release(f, c->outcome);
    c->outcome = NULL;
}
