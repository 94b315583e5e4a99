/* gw_money.c - a call's GPU time: held when it is admitted, its windows opened when it starts, settled once when its
 * slice is free, and told to its caller.
 *
 *   gw_call admit > [hold] > dispatched > [start] > result > [settle] > [tell] > reply
 *
 * A call that ends while its lease is still out (cancelled, its caller's deadline, the gateway stops) is answered at
 * once, and told what it has used until then. What it costs is known when its slice is free: until then it owes, keeps
 * its place in the table of calls, and counts as one of its visitor's calls in flight.
 */
#include "gw_call.h"
#include "gw_quota_text.h"

/* ---- admit > hold */

const struct gw_size *gw_money_size(const struct gw_flow *f, const struct gw_call *c)
{
    return &f->conf.tiers->sizes[c->size];
}

static void refuse(struct gw_flow *f, struct gw_call *c, const struct gw_hold_refusal *r,
                   struct sl_error *err)
{
    int64_t retry_ms = gw_quota_retry_after_ms(r, f->wall_now);
    gw_quota_text(r, &c->who, f->conf.tiers, f->sign_in_url, f->wall_now, err);
    if (retry_ms > 0)
        c->exchange->reply.retry_after_ms = retry_ms;
}

/* What a call that asks for `auto` declares: what the model's calls take, no more than is left nor than what it would
 * declare without; where the model itself says `auto`, than the most that it may. */
static int64_t learned_us(struct gw_flow *f, const struct gw_call *c)
{
    struct gw_quota q;
    gw_ledger_quota(f->ledger, &c->who, f->conf.tiers, f->wall_now, &q);
    int64_t left_us = gw_charge_time_within(q.left_us, gw_money_size(f, c)->factor_thousandths);
    int64_t wanted_us = gw_learn_duration(&c->model->learn, c->limit_us, left_us);
    int64_t most_us = gw_model_is_auto(&c->model->spec)
                          ? gw_asks_most_us(&c->model->spec, &f->conf.asks)
                          : c->limit_us;
    return wanted_us < most_us ? wanted_us : most_us;
}

static sl_status hold_time(struct gw_flow *f, const struct gw_call *c, struct gw_hold *out,
                           struct gw_hold_refusal *refusal)
{
    const struct gw_hold_ask ask = {.who = &c->who,
                                    .tiers = f->conf.tiers,
                                    .duration_us = c->limit_us,
                                    .factor_thousandths = c->factor_thousandths,
                                    .is_background = c->is_background};
    return gw_ledger_hold(f->ledger, &ask, f->wall_now, out, refusal);
}

bool gw_money_hold(struct gw_flow *f, struct gw_call *c, struct sl_error *err)
{
    struct gw_hold hold;
    struct gw_hold_refusal refusal;
    int64_t declared_us = c->limit_us;
    if (c->asks.is_auto)
        c->limit_us = learned_us(f, c);
    c->factor_thousandths = gw_money_size(f, c)->factor_thousandths;
    sl_status s = hold_time(f, c, &hold, &refusal);
    if (s != SL_OK && gw_background_takes(f, c, &refusal)) {
        c->is_background = true;
        c->limit_us = declared_us; /* no time is put aside that could be too little */
        s = hold_time(f, c, &hold, &refusal);
    }
    if (s == SL_OK) {
        c->hold = hold.id;
        c->held_us = hold.held_us;
        c->used_us = hold.used_us;
        c->quota_us = hold.limit_us;
        return true;
    }
    c->is_background = false;
    if (s == SL_EAGAIN || s == SL_ENEVER)
        refuse(f, c, &refusal, err);
    else
        sl_error_set(err, SL_REASON_INTERNAL, "the caller's account cannot be charged");
    return false;
}

/* ---- started */

void gw_money_start(struct gw_flow *f, struct gw_call *c, int64_t ago_us)
{
    c->started_wall = sl_sat_add(f->wall_now, -ago_us);
    sl_status s = gw_ledger_start(f->ledger, c->hold, c->started_wall);
    (void)s; /* a hold is open from its call's admission to its end */
}

/* ---- ended > settle */

void gw_money_settle(struct gw_flow *f, struct gw_call *c)
{
    if (c->hold == 0)
        return;
    sl_status s = gw_ledger_settle(f->ledger, c->hold, &c->usage, f->wall_now, &c->settled);
    c->hold = 0;
    if (s != SL_OK)
        return; /* never: each hold is settled here, and no longer known then */
    c->charged_us = c->settled.charged_us;
    c->ended_wall = f->wall_now;
    sl_metric_add(f->metrics.charged_us, c->charged_us);
    gw_day_add(&f->today, f->wall_now, 0, c->charged_us);
    gw_money_log(f, c);
    gw_receipts_leave(f, c);
}

/* So far; what it costs is known when its slice is free. */
void gw_money_owe(struct gw_flow *f, struct gw_call *c)
{
    bool was_started = c->started_wall != 0;
    int64_t used_us = was_started ? f->wall_now - c->started_wall : 0;
    c->owes = true;
    f->owing++;
    c->charged_us =
        gw_charge(c->usage.reason, was_started, used_us, c->held_us, c->factor_thousandths);
}

void gw_money_pay(struct gw_flow *f, struct gw_call *c, bool was_started, int64_t held_us)
{
    c->owes = false;
    f->owing--;
    c->usage.was_started = was_started;
    c->usage.used_us = held_us;
    gw_money_settle(f, c);
}

/* ---- told */

/* A name as a header can have it: what is not printable ASCII, and '%', as %XX. */
static const char *header_text(struct gw_exchange *x, const char *name, const char *tier)
{
    static const char hex[] = "0123456789ABCDEF";
    static const char between[] = "; tier=";
    char *out = sl_arena_get(&x->arena, 3 * strlen(name) + sizeof between + strlen(tier));
    char *p = out;
    if (out == NULL)
        return NULL;
    for (; *name != '\0'; name++) {
        uint8_t b = (uint8_t)*name;
        if (b > 0x20 && b < 0x7f && b != '%' && b != ';') {
            *p++ = (char)b;
        } else {
            *p++ = '%';
            *p++ = hex[b >> 4];
            *p++ = hex[b & 15];
        }
    }
    memcpy(p, between, sizeof between - 1);
    memcpy(p + sizeof between - 1, tier, strlen(tier) + 1);
    return out;
}

static const char *instant_text(struct gw_exchange *x, sl_wall_us at)
{
    char text[SL_TEXT_INSTANT_LEN + 1];
    sl_text_format_instant(sl_sat_add(at, SL_US_PER_S - 1), text); /* not before it is so */
    return sl_arena_str(&x->arena, sl_span_str(text));
}

void gw_money_tell(struct gw_flow *f, struct gw_call *c)
{
    struct gw_exchange *x = c->exchange;
    struct gw_quota q;
    if (!c->is_known)
        return;
    gw_ledger_quota(f->ledger, &c->who, f->conf.tiers, f->wall_now, &q);
    gw_exchange_add_trailer(x, "sluice-charged-ms", gw_exchange_ms_text(x, c->charged_us));
    gw_exchange_add_trailer(x, "sluice-left-ms", gw_exchange_ms_text(x, q.left_us));
    gw_exchange_add_trailer(x, "sluice-resets-at", instant_text(x, q.resets_at));
    gw_exchange_add_trailer(
        x, "sluice-visitor",
        header_text(x, gw_principal_name(&c->who), f->conf.tiers->tiers[c->who.tier].name));
}
