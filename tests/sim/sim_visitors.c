/* sim_visitors.c - calls that arrive, send their message, sometimes leave, and take their reply. */
#include <stdlib.h>
#include <utlist.h>

#include "gw_pb.h"
#include "sim_world.h"

enum { SMALL_TENSOR = 16, LARGE_TENSOR = 512 * 1024, ARENA_MAX = 1 << 20, PEER_DELAY_US = 200 };

/* A ModelInferRequest for model m0..m2 with one raw FP32 input; is_bad asks for a model that is not there. */
static struct gw_body *make_message(unsigned model, size_t tensor_bytes, bool is_bad)
{
    char name[] = "m0";
    uint8_t input[64], shape[GW_PB_VARINT_MAX], *p = input;
    name[1] = is_bad ? 'x' : (char)('0' + model);
    size_t shape_len = (size_t)(gw_pb_put_varint(shape, tensor_bytes / 4) - shape);
    p = gw_pb_put_bytes(p, 1, sl_span_str("IN"));
    p = gw_pb_put_bytes(p, 2, sl_span_str("FP32"));
    p = gw_pb_put_bytes(p, 3, sl_span_of(shape, shape_len));
    struct gw_body *b = gw_body_create(&sl_alloc_malloc, 128 + tensor_bytes);
    if (b == NULL)
        abort();
    uint8_t *q = gw_pb_put_bytes(b->data, 1, sl_span_str(name));
    q = gw_pb_put_bytes(q, 5, sl_span_of(input, (size_t)(p - input)));
    q = gw_pb_put_head(q, 7, tensor_bytes);
    memset(q, 0, tensor_bytes);
    b->len = (size_t)(q - b->data) + tensor_bytes;
    return b;
}

static void open_exchange(struct sim *s)
{
    struct sim_exchange *e = calloc(1, sizeof *e);
    if (e == NULL)
        abort();
    e->number = ++s->totals.arrived;
    e->message = (struct sim_event){.kind = SIM_MESSAGE, .exchange = e};
    e->gone = (struct sim_event){.kind = SIM_GONE, .exchange = e};
    e->sent = (struct sim_event){.kind = SIM_SENT, .exchange = e};
    e->is_bad = sim_chance(s, s->plan.bad_percent);
    e->is_large = sim_chance(s, s->plan.large_percent);
    sl_arena_init(&e->x.arena, &sl_alloc_malloc, ARENA_MAX);
    e->x.req = (struct gw_request){.method = GW_METHOD_MODEL_INFER,
                                   .path = sl_span_str(gw_method_path(GW_METHOD_MODEL_INFER)),
                                   .arrived_at = s->now,
                                   .deadline_at = SL_MONO_NEVER};
    if (sim_chance(s, s->plan.xlarge_percent))
        e->x.req.size = sl_span_str("xlarge");
    if (sim_chance(s, s->plan.deadline_percent))
        e->x.req.deadline_at =
            s->now + sim_exponential_us(s, 2 * s->plan.mean_exec_us) * SL_NS_PER_US;
    if (sim_chance(s, s->plan.gone_percent))
        sim_at(s, &e->gone, sim_exponential_us(s, 2 * s->plan.mean_exec_us));
    DL_APPEND(s->open, e);
    unsigned events = GW_EV_OPEN;
    if (e->is_large) {
        e->x.message_bytes = LARGE_TENSOR + 128;
        events |= GW_EV_LENGTH;
    } else {
        sim_at(s, &e->message, sim_exponential_us(s, PEER_DELAY_US));
    }
    gw_flow_on_exchange(s->flow, &e->x, events, s->now);
}

static void arrive(struct sim *s)
{
    open_exchange(s);
    if (s->totals.arrived < s->plan.calls)
        sim_at(s, &s->arrival, sim_exponential_us(s, s->plan.mean_gap_us));
}

static void send_message(struct sim *s, struct sim_exchange *e)
{
    unsigned model = (unsigned)sl_rng_below(&s->rng, SIM_MODELS);
    e->x.body = make_message(model, e->is_large ? LARGE_TENSOR : SMALL_TENSOR, e->is_bad);
    gw_flow_on_exchange(s->flow, &e->x, GW_EV_MESSAGE, s->now);
}

static void finish(struct sim *s, struct sim_exchange *e)
{
    e->has_ended = true;
    gw_timers_clear(&s->events, &e->message.timer);
    gw_timers_clear(&s->events, &e->gone.timer);
    if (e->x.reply.release != NULL)
        e->x.reply.release(e->x.reply.release_ctx);
    gw_flow_on_exchange(s->flow, &e->x, GW_EV_SENT, s->now);
    DL_DELETE(s->open, e);
    sl_arena_finish(&e->x.arena);
    free(e);
}

void sim_visitors_on(struct sim *s, struct sim_event *event)
{
    struct sim_exchange *e = event->exchange;
    if (event->kind == SIM_ARRIVE)
        arrive(s);
    else if (event->kind == SIM_MESSAGE)
        send_message(s, e);
    else if (event->kind == SIM_GONE)
        gw_flow_on_exchange(s->flow, &e->x, GW_EV_GONE, s->now);
    else
        finish(s, e);
}

static void post(void *ctx, struct gw_exchange *x, unsigned events)
{
    struct sim *s = ctx;
    struct sim_exchange *e = SL_CONTAINER_OF(x, struct sim_exchange, x);
    if (events & GW_TO_NET_GRANT) {
        s->totals.granted++;
        sim_at(s, &e->message, sim_exponential_us(s, PEER_DELAY_US));
    }
    if (!(events & GW_TO_NET_REPLY))
        return;
    if (e->has_replied)
        sim_complain("exchange %llu got two replies", (unsigned long long)e->number);
    e->has_replied = true;
    s->totals.replied++;
    s->totals.digest = s->totals.digest * 1099511628211u + e->number * 64 + x->reply.error.reason;
    sim_at(s, &e->sent, sim_exponential_us(s, PEER_DELAY_US));
}

static uint64_t connections(void *ctx)
{
    (void)ctx;
    return 1;
}

struct gw_net_port sim_visitors_port(struct sim *s)
{
    return (struct gw_net_port){.ctx = s, .post = post, .connections = connections};
}

void sim_visitors_start(struct sim *s)
{
    s->arrival = (struct sim_event){.kind = SIM_ARRIVE};
    sim_at(s, &s->arrival, 1);
}
