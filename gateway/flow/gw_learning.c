/* gw_learning.c - what the flow learns of how long a model's calls take, and how that outlives the gateway.
 *
 *   a result > [learn] > now and then: the samples as a whole go to the store ... the next gateway's start >
 *   [note] > the model is announced > [take up]
 *
 * Nobody waits for it: what is not stored in time, or finds no room, is learned again.
 */
#include "gw_call.h"
#include "gw_learn_code.h"
#include "sl_log.h"

/* While there is little to know each call counts; later they tell mostly what is known. */
static const int64_t keep_soon_ns = SL_NS_PER_S, keep_every_ns = 60 * SL_NS_PER_S;

static sl_status keep(struct gw_flow *f, const struct gw_fleet_model *m)
{
    uint8_t samples[GW_LEARN_BYTES_MAX], bytes[GW_RECORD_BYTES_MAX];
    size_t len;
    const struct gw_record r = {
        .kind = GW_RECORD_LEARNED,
        .learned = {.model = sl_span_str(m->spec.name),
                    .version = sl_span_str(m->spec.version),
                    .at = f->wall_now,
                    .samples = sl_span_of(samples, gw_learn_encode(&m->learn, samples))}};
    sl_status s = gw_record_encode(&r, bytes, &len);
    if (s != SL_OK)
        return s;
    return f->ports.store.append(f->ports.store.ctx, GW_RECORD_LEARNED, sl_span_of(bytes, len), 0);
}

static void keep_now(struct gw_flow *f, struct gw_fleet_model *m, sl_mono_ns now)
{
    bool is_full = m->learn.count == GW_LEARN_SAMPLES;
    m->keep_learned_at = sl_sat_add(now, is_full ? keep_every_ns : keep_soon_ns);
    m->has_learned = keep(f, m) != SL_OK;
}

static void add(struct gw_flow *f, struct gw_fleet_model *m, sl_gpu_us used_us, sl_mono_ns now)
{
    gw_learn_add(&m->learn, used_us);
    m->has_learned = true;
    if (f->ports.store.append != NULL && m->is_current && now >= m->keep_learned_at &&
        m->learn.count >= GW_LEARN_SAMPLES_MIN)
        keep_now(f, m, now);
}

/* One that was ended at a duration that had been learned would have taken longer: were only those counted that
 * ended well, what is learned could never grow. */
void gw_learning_on_result(struct gw_flow *f, struct gw_call *c, const struct gw_result *result,
                           sl_mono_ns now)
{
    if (result->reason == SL_REASON_OK)
        add(f, c->model, gw_result_run_us(result), now);
    else if (result->reason == SL_REASON_DURATION_EXCEEDED && c->asks.is_auto)
        add(f, c->model, sl_sat_mul(gw_result_run_us(result), 2), now);
}

void gw_learning_take_up(struct gw_flow *f, const struct gw_fleet_node *node)
{
    for (size_t i = 0; i < node->offer_count; i++) {
        struct gw_fleet_model *m = node->offers[i].model;
        if (m != NULL && m->learn.count == 0 &&
            gw_learned_take(f->learned, sl_span_str(m->spec.name), sl_span_str(m->spec.version),
                            &m->learn))
            sl_log(SL_LOG_DEBUG, "what calls took before is known", SL_S("model", m->spec.name),
                   SL_U("calls", m->learn.count));
    }
}

sl_status gw_flow_note_learned(struct gw_flow *f, const struct gw_record_learned *r)
{
    return gw_learned_note(f->learned, r->model, r->version, r->samples);
}

void gw_flow_keep_learned(struct gw_flow *f, sl_mono_ns now)
{
    size_t cursor = 0;
    struct gw_fleet_model *m;
    while (f->ports.store.append != NULL && (m = gw_fleet_next_model(f->fleet, &cursor)) != NULL)
        if (m->has_learned)
            keep_now(f, m, now);
}
