#include "gw_past.h"

#include <stdio.h>
#include <string.h>

#include "gw_blocks.h"
#include "gw_ledger.h"
#include "sl_log.h"

static void count(struct gw_past *p, const char *what, struct sl_span name, sl_status s)
{
    char text[64];
    p->told++;
    if (s == SL_OK)
        return;
    p->refused++;
    snprintf(text, sizeof text, "%.*s", (int)name.len, (const char *)name.data);
    sl_log(SL_LOG_WARN, "what was stored could not be taken up", SL_S("what", what),
           SL_S("name", text), SL_S("why", sl_status_text(s)));
}

/* false: longer than there is room for. */
static bool copy(struct sl_span from, char *to, size_t room)
{
    if (from.len >= room)
        return false;
    if (from.len > 0)
        memcpy(to, from.data, from.len);
    to[from.len] = '\0';
    return true;
}

static void on_account(void *ctx, const struct gw_record_account *a)
{
    struct gw_past *p = ctx;
    const struct gw_account_row row = {.name = a->account,
                                       .window_opened_at = a->window_opened_at,
                                       .spent_us = a->spent_us,
                                       .granted_us = a->granted_us};
    count(p, "account", a->account, gw_ledger_restore(gw_flow_ledger(p->flow), &row, p->now));
}

static void on_block(void *ctx, const struct gw_record_block *b)
{
    struct gw_past *p = ctx;
    struct gw_block_row row = {.at = b->at};
    bool fits = copy(b->account, row.account, sizeof row.account) &&
                copy(b->by, row.by, sizeof row.by) &&
                copy(b->reason, row.reason, sizeof row.reason);
    sl_status s = fits ? gw_blocks_set(gw_flow_blocks(p->flow), &row) : SL_EINVAL;
    if (s == SL_OK)
        s = gw_ledger_set_blocked(gw_flow_ledger(p->flow), b->account, true, p->now);
    count(p, "block", b->account, s);
}

static void on_learned(void *ctx, const struct gw_record_learned *r)
{
    struct gw_past *p = ctx;
    count(p, "learned durations", r->model, gw_flow_note_learned(p->flow, r));
}

static void on_lease(void *ctx, uint64_t journal, uint64_t record)
{
    struct gw_past *p = ctx;
    sl_status s = gw_flow_note_lease(p->flow, journal, record);
    if (s != SL_OK) /* for more journals than nodes may be there is no room, nor a need */
        p->refused++;
    p->told++;
}

static void on_key(void *ctx, const struct gw_receipt *r)
{
    struct gw_past *p = ctx;
    sl_mono_ns ended_at = sl_sat_add(p->mono, sl_sat_mul(r->ended_at - p->now, SL_NS_PER_US));
    sl_status s = gw_flow_note_outcome(p->flow, r, ended_at < p->mono ? ended_at : p->mono);
    count(p, "idempotency key", r->idempotency_key, s);
}

static void on_token(void *ctx, const struct gw_record_token *t)
{
    struct gw_past *p = ctx;
    struct gw_token_row row = {.is_admin = t->is_admin,
                               .is_revoked = t->revoked_at != 0,
                               .created_at = t->created_at,
                               .expires_at = t->expires_at};
    memcpy(row.hash, t->hash, sizeof row.hash);
    bool fits = copy(t->prefix, row.prefix, sizeof row.prefix) &&
                copy(t->user, row.user, sizeof row.user) &&
                copy(t->tier, row.tier, sizeof row.tier) && copy(t->app, row.app, sizeof row.app);
    sl_status s = fits ? gw_token_table_add(gw_auth_tokens(p->auth), &row) : SL_EINVAL;
    count(p, "token", t->prefix, s);
}

static void on_app(void *ctx, const struct gw_record_app *a)
{
    struct gw_past *p = ctx;
    struct gw_app_row row = {.is_paused = a->state == GW_APP_PAUSED, .registered_at = a->at};
    if (a->state == GW_APP_REMOVED)
        return;
    bool fits =
        copy(a->name, row.name, sizeof row.name) && copy(a->owner, row.owner, sizeof row.owner);
    count(p, "app", a->name, fits ? gw_apps_load(gw_auth_apps(p->auth), &row) : SL_EINVAL);
}

struct gw_store_loader gw_past_loader(struct gw_past *p)
{
    return (struct gw_store_loader){.ctx = p,
                                    .on_account = on_account,
                                    .on_token = on_token,
                                    .on_app = on_app,
                                    .on_block = on_block,
                                    .on_learned = on_learned,
                                    .on_lease = on_lease,
                                    .on_key = on_key,
                                    .keys_since =
                                        sl_sat_add(p->now, -p->results_keep_ns / SL_NS_PER_US)};
}
