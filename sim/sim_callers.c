/* sim_callers.c - visitors: calls that come, sometimes leave, and take their reply. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_day_int.h"
#include "sim_replay.h"
#include "sl_hash.h"
#include "sl_text.h"

enum { ARENA_BYTES_MAX = 1 << 20, LARGE_VALUES = 64 * 1024 };

/* From the first window's end to the whole of a large message. */
static const int64_t rest_ns = SL_NS_PER_MS;

/* ---- a call's fate, drawn when it comes */

static uint32_t draw_model(struct sim *s, struct sim_group *g)
{
    const struct sim_weight_row *w = g->row->models.items;
    if (g->row->models.count == 0)
        return (uint32_t)sl_rng_below(&g->rng, s->scenario->models.count);
    int64_t left = (int64_t)sl_rng_below(&g->rng, (uint64_t)g->row->weight_total);
    while (left >= w->weight)
        left -= (w++)->weight;
    return (uint32_t)w->model;
}

static void say_duration(struct sim_call *c, int64_t us)
{
    int64_t ms = (us + 999) / 1000;
    snprintf(c->duration, sizeof c->duration, "%" PRId64 "ms", ms);
    c->declared_us = ms * 1000;
}

static void declare(struct sim *s, struct sim_group *g, struct sim_call *c)
{
    c->declared_us = sim_scenario_models(s->scenario)[c->model].declared_ns / SL_NS_PER_US;
    switch (g->row->says) {
    case SIM_SAYS_NOTHING:
        break;
    case SIM_SAYS_AUTO:
        snprintf(c->duration, sizeof c->duration, "auto");
        break;
    case SIM_SAYS_RUN:
        say_duration(c, (int64_t)((double)c->run_us * g->row->says_times));
        break;
    case SIM_SAYS_LAW:
        say_duration(c, sim_law_draw(&g->row->says_law, &g->rng));
        break;
    }
    if (g->row->max_wait_ns > 0)
        sl_text_format_duration(g->row->max_wait_ns, c->max_wait);
}

static bool is_measured(const struct sim *s)
{
    return s->now >= s->scenario->measure_from_ns && s->now < s->scenario->measure_until_ns;
}

static bool falls(struct sim_group *g, int64_t percent)
{
    return percent > 0 && sl_rng_below(&g->rng, 100) < (uint64_t)percent;
}

static void draw(struct sim *s, struct sim_group *g, struct sim_call *c)
{
    c->group = g->index;
    c->visitor = sl_rng_below(&g->rng, (uint64_t)g->row->visitors);
    c->model = draw_model(s, g);
    const struct sim_law *law =
        g->row->has_run ? &g->row->run_law : &sim_scenario_models(s->scenario)[c->model].law;
    c->run_us = sim_law_draw(law, &g->rng);
    c->arrived_at = s->now;
    c->is_measured = is_measured(s);
    c->size = g->row->size;
    declare(s, g, c);
    c->is_bad = falls(g, g->row->bad_percent);
    c->is_large = falls(g, g->row->large_percent);
}

/* ---- who they are */

/* Visitors of the tier "anonymous" are addresses, all others have signed in. */
static void fill_principal(const struct sim *s, const struct sim_call *c, struct gw_principal *out)
{
    const struct sim_group *g = &s->groups[c->group];
    uint64_t n = g->first_visitor + c->visitor;
    bool is_address = strcmp(g->row->tier, "anonymous") == 0;
    *out = (struct gw_principal){.kind = is_address ? GW_PRINCIPAL_ADDRESS : GW_PRINCIPAL_USER,
                                 .tier = g->row->tier_index,
                                 .is_signed_in = !is_address,
                                 .purse_count = 1};
    out->purses[0].limit_thousandths = GW_FACTOR_ONE;
    snprintf(out->purses[0].account, sizeof out->purses[0].account,
             is_address ? "ip:10.%u.%u.%u" : "user:v%u-%u-%u", (unsigned)(n >> 16 & 255),
             (unsigned)(n >> 8 & 255), (unsigned)(n & 255));
}

/* ---- its exchange */

static struct sim_call *make_call(struct sim *s)
{
    struct sim_call *c = calloc(1, sizeof *c);
    if (c == NULL)
        abort();
    sl_arena_init(&c->x.arena, &sl_alloc_malloc, ARENA_BYTES_MAX);
    c->next_made = s->calls;
    s->calls = c;
    return c;
}

static struct sim_call *take_call(struct sim *s)
{
    struct sim_call *c = s->unused_calls;
    if (c == NULL)
        return make_call(s);
    s->unused_calls = c->next;
    sl_arena_reset(&c->x.arena);
    *c = (struct sim_call){.x = {.arena = c->x.arena}, .next_made = c->next_made};
    return c;
}

static struct gw_body *copy_of(const struct gw_body *template)
{
    struct gw_body *b = gw_body_create(&sl_alloc_malloc, template->len);
    if (b != NULL)
        memcpy(b->data, template->data, template->len);
    return b;
}

static struct gw_body *message_of(const struct sim *s, struct sim_call *c)
{
    const char *model =
        c->is_bad ? "there-is-none" : sim_scenario_models(s->scenario)[c->model].name;
    struct gw_body *b = c->is_bad || c->is_large
                            ? sim_message_make(model, c->is_large ? LARGE_VALUES : 1)
                            : copy_of(s->messages[c->model]);
    if (b == NULL)
        abort();
    memcpy(b->data + b->len - sizeof c, &c, sizeof c); /* the tensor says whose it is */
    return b;
}

struct sim_call *sim_callers_find(const struct gw_body *message)
{
    struct sim_call *c;
    memcpy(&c, message->data + message->len - sizeof c, sizeof c);
    return c;
}

static struct sl_span text_or_none(const char *text)
{
    return text[0] == '\0' ? sl_span_of(NULL, 0) : sl_span_str(text);
}

static void on_leaving(struct sim *s, struct sim_event *e)
{
    struct sim_call *c = SL_CONTAINER_OF(e, struct sim_call, leaving);
    gw_flow_on_exchange(s->flow, &c->x, GW_EV_GONE, s->now);
}

static void show(struct sim *s, struct sim_call *c)
{
    struct gw_principal who;
    if (s->options.watch == NULL)
        return;
    fill_principal(s, c, &who);
    sim_watch_came(s, c, &who);
}

static void on_whole(struct sim *s, struct sim_event *e)
{
    struct sim_call *c = SL_CONTAINER_OF(e, struct sim_call, moving);
    gw_flow_on_exchange(s->flow, &c->x, GW_EV_MESSAGE, s->now);
}

/* A large message says its length first, and comes when there is room for it. */
static unsigned first_events(struct sim_call *c)
{
    if (!c->is_large)
        return GW_EV_OPEN | GW_EV_MESSAGE;
    c->x.message_bytes = c->x.body->len;
    return GW_EV_OPEN | GW_EV_LENGTH;
}

static sl_mono_ns deadline_of(const struct sim *s, struct sim_group *g)
{
    if (!g->row->has_deadline)
        return SL_MONO_NEVER;
    return s->now + sim_law_draw(&g->row->deadline_law, &g->rng) * SL_NS_PER_US;
}

static void open_exchange(struct sim *s, struct sim_group *g, struct sim_call *c)
{
    c->x.req = (struct gw_request){.method = GW_METHOD_MODEL_INFER,
                                   .path = sl_span_str(gw_method_path(GW_METHOD_MODEL_INFER)),
                                   .arrived_at = s->now,
                                   .deadline_at = deadline_of(s, g),
                                   .duration = text_or_none(c->duration),
                                   .max_wait = text_or_none(c->max_wait),
                                   .size = text_or_none(c->size)};
    c->x.body = message_of(s, c);
    c->leaving.fire = on_leaving;
    if (g->row->has_leaves)
        sim_at(s, &c->leaving, s->now + sim_law_draw(&g->row->leaves_law, &g->rng) * SL_NS_PER_US);
    c->eta.p50_us = GW_ETA_NEVER_US; /* it may start at once */
    s->open_count++;
    s->opening = c;
    show(s, c);
    gw_flow_on_exchange(s->flow, &c->x, first_events(c), s->now);
    s->opening = NULL;
    s->newcomer = c;
}

static bool is_enough(const struct sim *s)
{
    return s->options.max_calls > 0 && s->result->calls >= s->options.max_calls;
}

static void plan_next(struct sim *s, struct sim_group *g)
{
    int64_t us = sim_arrivals_next(&g->row->arrivals, s->now / SL_NS_PER_US,
                                   sim_law_exponential(&g->rng), s->ends_at / SL_NS_PER_US);
    if (us != SIM_NEVER_US && !is_enough(s))
        sim_at(s, &g->arrival, us * SL_NS_PER_US);
}

static void on_arrival(struct sim *s, struct sim_event *e)
{
    struct sim_group *g = SL_CONTAINER_OF(e, struct sim_group, arrival);
    struct sim_call *c = take_call(s);
    draw(s, g, c);
    sim_count_arrival(s, c);
    plan_next(s, g);
    open_exchange(s, g, c);
}

/* ---- calls that were */

static void plan_replayed(struct sim *s)
{
    size_t count;
    const struct sim_past_call *calls = sim_replay_calls(s->scenario->replay, &count);
    if (s->replayed_count < count && !is_enough(s))
        sim_at(s, &s->replayed, calls[s->replayed_count].at_us * SL_NS_PER_US);
}

static void on_replayed(struct sim *s, struct sim_event *e)
{
    size_t count;
    const struct sim_past_call *past =
        &sim_replay_calls(s->scenario->replay, &count)[s->replayed_count++];
    struct sim_call *c = take_call(s);
    (void)e;
    c->group = past->group;
    c->visitor = past->visitor;
    c->model = past->model;
    c->run_us = past->run_us;
    c->size = past->size;
    c->arrived_at = s->now;
    c->is_measured = is_measured(s);
    say_duration(c, past->declared_us);
    sim_count_arrival(s, c);
    plan_replayed(s);
    open_exchange(s, &s->groups[c->group], c);
}

/* ---- its end */

static void let_go(struct sim *s, struct sim_call *c)
{
    gw_timers_clear(&s->events, &c->leaving.timer);
    gw_timers_clear(&s->events, &c->moving.timer);
    gw_body_release(c->x.body); /* one that never was asked for */
    if (c->x.reply.release != NULL)
        c->x.reply.release(c->x.reply.release_ctx);
    gw_flow_on_exchange(s->flow, &c->x, GW_EV_SENT, s->now);
    s->open_count--;
    c->next = s->unused_calls;
    s->unused_calls = c;
}

static void on_sent(struct sim *s, struct sim_event *e)
{
    let_go(s, SL_CONTAINER_OF(e, struct sim_call, moving));
}

static void ask_for_eta(struct sim *s, struct sim_call *c)
{
    if (!c->is_measured || !gw_flow_eta(s->flow, &c->x, s->now, &c->eta))
        c->eta.p50_us = GW_ETA_NEVER_US;
}

void sim_callers_settle(struct sim *s)
{
    if (s->newcomer != NULL)
        ask_for_eta(s, s->newcomer);
    s->newcomer = NULL;
    for (struct sim_call *c; (c = s->replied) != NULL;) {
        s->replied = c->next;
        sim_count_end(s, c);
        c->moving.fire = on_sent;
        if (s->scenario->reply_ns > 0)
            sim_at(s, &c->moving, s->now + s->scenario->reply_ns);
        else
            let_go(s, c);
    }
}

static bool was_in_vain(const struct sim_call *c)
{
    return c->is_measured && c->x.reply.error.reason == SL_REASON_ALLOCATION_TIMEOUT;
}

static void on_reply(struct sim *s, struct sim_call *c)
{
    if (c->has_replied) {
        sim_complain(s, "a call of visitor %" PRIu64 " got two replies", c->visitor);
        return;
    }
    c->has_replied = true;
    if (was_in_vain(c))
        sim_count_eta(s, c->group, &c->eta, c->arrived_at);
    gw_timers_clear(&s->events, &c->moving.timer);
    sim_watch_ended(s, c);
    c->next = s->replied;
    s->replied = c;
}

static void post(void *ctx, struct gw_exchange *x, unsigned events)
{
    struct sim *s = ctx;
    struct sim_call *c = SL_CONTAINER_OF(x, struct sim_call, x);
    if (events & GW_TO_NET_GRANT) {
        c->moving.fire = on_whole;
        sim_at(s, &c->moving, s->now + rest_ns);
    }
    if (events & GW_TO_NET_REPLY)
        on_reply(s, c);
}

static uint64_t connections(void *ctx)
{
    const struct sim *s = ctx;
    return s->open_count;
}

struct gw_net_port sim_callers_port(struct sim *s)
{
    return (struct gw_net_port){.ctx = s, .post = post, .connections = connections};
}

static enum gw_identity_answer identify(void *ctx, const struct gw_credentials *credentials,
                                        struct gw_principal *out, struct sl_error *err)
{
    struct sim *s = ctx;
    (void)credentials, (void)err;
    fill_principal(s, s->opening, out);
    return GW_IDENTITY_KNOWN;
}

struct gw_auth_port sim_callers_auth(struct sim *s)
{
    return (struct gw_auth_port){.ctx = s, .identify = identify};
}

/* ---- all of them */

static sl_status start_group(struct sim *s, uint32_t index, uint64_t first_visitor)
{
    struct sim_group *g = &s->groups[index];
    const struct sl_hash_seed seed = {s->options.seed, index};
    *g = (struct sim_group){.row = &sim_scenario_groups(s->scenario)[index],
                            .index = index,
                            .first_visitor = first_visitor,
                            .arrival = {.fire = on_arrival}};
    sl_rng_seed(&g->rng, sl_hash_bytes(seed, sl_span_str(g->row->name)));
    g->asked_ms = calloc((size_t)g->row->visitors, sizeof *g->asked_ms);
    g->got_ms = calloc((size_t)g->row->visitors, sizeof *g->got_ms);
    if (g->asked_ms == NULL || g->got_ms == NULL)
        return SL_ENOMEM;
    plan_next(s, g);
    return SL_OK;
}

static sl_status make_messages(struct sim *s)
{
    s->messages = calloc(s->scenario->models.count, sizeof(struct gw_body *));
    if (s->messages == NULL)
        return SL_ENOMEM;
    for (size_t i = 0; i < s->scenario->models.count; i++) {
        s->messages[i] = sim_message_make(sim_scenario_models(s->scenario)[i].name, 1);
        if (s->messages[i] == NULL)
            return SL_ENOMEM;
    }
    return SL_OK;
}

sl_status sim_callers_start(struct sim *s)
{
    uint64_t visitors = 1;
    sl_status status = make_messages(s);
    s->groups = calloc(s->scenario->visitors.count, sizeof *s->groups);
    if (s->groups == NULL)
        return SL_ENOMEM;
    for (uint32_t i = 0; status == SL_OK && i < s->scenario->visitors.count; i++) {
        status = start_group(s, i, visitors);
        visitors += (uint64_t)s->groups[i].row->visitors;
    }
    s->replayed.fire = on_replayed;
    if (s->scenario->replay != NULL)
        plan_replayed(s);
    return status;
}

void sim_callers_finish(struct sim *s)
{
    for (size_t i = 0; s->messages != NULL && i < s->scenario->models.count; i++)
        gw_body_release(s->messages[i]);
    free(s->messages);
    for (size_t i = 0; s->groups != NULL && i < s->scenario->visitors.count; i++) {
        free(s->groups[i].asked_ms);
        free(s->groups[i].got_ms);
    }
    free(s->groups);
    for (struct sim_call *c; (c = s->calls) != NULL;) {
        s->calls = c->next_made;
        sl_arena_finish(&c->x.arena);
        free(c);
    }
}
