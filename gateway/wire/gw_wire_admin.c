#include "gw_wire_admin.h"

#include "gw_answer_facts.h"
#include "gw_wire_text.h"
#include "gw_wire_usage.h"
#include "gw_wire_visitor.h"
#include "sl_pack.h"
#include "sluice/v1/admin.pb-c.h"

typedef Sluice__V1__Token pb_token;
typedef Sluice__V1__Account pb_account;
typedef Sluice__V1__App pb_app;
typedef Sluice__V1__Grant pb_grant;
typedef Sluice__V1__Block pb_block;
typedef Sluice__V1__ListTiersResponse__Tier pb_tier;
typedef Sluice__V1__ListTiersResponse__Size pb_size;

/* ---- tokens */

static void fill_token(const struct gw_token_facts *facts, pb_token *out)
{
    const struct gw_token_row *row = facts->row;
    sluice__v1__token__init(out);
    out->prefix = gw_wire_text(row->prefix);
    out->user = gw_wire_text(row->user);
    out->tier = gw_wire_text(row->tier);
    out->app = gw_wire_text(row->app);
    out->admin = row->is_admin;
    out->created_at_us = row->created_at;
    out->expires_at_us = row->expires_at;
    out->revoked = row->is_revoked;
    out->usable = facts->is_usable;
    out->from_file = row->is_from_file;
}

static struct sl_span token(struct sl_arena *arena, const struct gw_token_facts *facts)
{
    pb_token m;
    fill_token(facts, &m);
    return sl_pack(arena, &m.base);
}

static struct sl_span new_token(struct sl_arena *arena, const char *secret,
                                const struct gw_token_facts *facts)
{
    Sluice__V1__CreateTokenResponse m = SLUICE__V1__CREATE_TOKEN_RESPONSE__INIT;
    pb_token item;
    fill_token(facts, &item);
    m.secret = gw_wire_text(secret);
    m.token = &item;
    return sl_pack(arena, &m.base);
}

static struct sl_span tokens(struct sl_arena *arena, const struct gw_token_facts *facts,
                             size_t count, int64_t next_page)
{
    Sluice__V1__ListTokensResponse m = SLUICE__V1__LIST_TOKENS_RESPONSE__INIT;
    pb_token *items = sl_arena_zero(arena, count + 1, sizeof *items);
    m.tokens = sl_arena_zero(arena, count + 1, sizeof *m.tokens);
    if (items == NULL || m.tokens == NULL)
        return GW_WIRE_NOTHING;
    for (; m.n_tokens < count; m.n_tokens++) {
        fill_token(&facts[m.n_tokens], &items[m.n_tokens]);
        m.tokens[m.n_tokens] = &items[m.n_tokens];
    }
    m.next_page = next_page;
    return sl_pack(arena, &m.base);
}

/* ---- tiers, accounts */

static void fill_tier(const struct gw_tier *t, pb_tier *out)
{
    sluice__v1__list_tiers_response__tier__init(out);
    out->name = gw_wire_text(t->name);
    out->daily_us = t->daily_us;
    out->weight = t->weight;
    out->in_flight = t->in_flight;
    out->apps = t->apps;
    out->runs_when_idle = t->runs_when_idle;
}

static void fill_size(const struct gw_size *s, pb_size *out)
{
    sluice__v1__list_tiers_response__size__init(out);
    out->name = gw_wire_text(s->name);
    out->share_thousandths = s->share_thousandths;
    out->memory_bytes = s->memory_bytes;
    out->factor_thousandths = s->factor_thousandths;
}

static struct sl_span tiers(struct sl_arena *arena, const struct gw_tiers *t)
{
    Sluice__V1__ListTiersResponse m = SLUICE__V1__LIST_TIERS_RESPONSE__INIT;
    pb_tier tier_items[GW_TIERS_MAX], *tier_list[GW_TIERS_MAX];
    pb_size size_items[GW_SIZES_MAX], *size_list[GW_SIZES_MAX];
    for (size_t i = 0; i < t->tier_count; i++) {
        fill_tier(&t->tiers[i], &tier_items[i]);
        tier_list[i] = &tier_items[i];
    }
    for (size_t i = 0; i < t->size_count; i++) {
        fill_size(&t->sizes[i], &size_items[i]);
        size_list[i] = &size_items[i];
    }
    m.n_tiers = t->tier_count;
    m.tiers = tier_list;
    m.n_sizes = t->size_count;
    m.sizes = size_list;
    return sl_pack(arena, &m.base);
}

/* false: no memory. */
static bool fill_account(struct sl_arena *arena, const struct gw_account_facts *facts,
                         pb_account *out)
{
    const struct gw_account_view *v = &facts->view;
    sluice__v1__account__init(out);
    out->account = gw_wire_copy(arena, v->row.name);
    out->tier = gw_wire_text(facts->tier);
    out->blocked = v->is_blocked;
    out->window_opened_at_us = v->row.window_opened_at;
    out->resets_at_us = facts->resets_at;
    out->spent_us = v->row.spent_us;
    out->granted_us = v->row.granted_us;
    out->held_us = v->held_us;
    out->in_flight = v->in_flight;
    return out->account != NULL;
}

static struct sl_span account(struct sl_arena *arena, const struct gw_account_facts *facts)
{
    pb_account m;
    return fill_account(arena, facts, &m) ? sl_pack(arena, &m.base) : GW_WIRE_NOTHING;
}

static struct sl_span accounts(struct sl_arena *arena, const struct gw_account_facts *facts,
                               size_t count, int64_t next_page)
{
    Sluice__V1__ListAccountsResponse m = SLUICE__V1__LIST_ACCOUNTS_RESPONSE__INIT;
    pb_account *items = sl_arena_zero(arena, count + 1, sizeof *items);
    m.accounts = sl_arena_zero(arena, count + 1, sizeof *m.accounts);
    if (items == NULL || m.accounts == NULL)
        return GW_WIRE_NOTHING;
    for (; m.n_accounts < count; m.n_accounts++) {
        if (!fill_account(arena, &facts[m.n_accounts], &items[m.n_accounts]))
            return GW_WIRE_NOTHING;
        m.accounts[m.n_accounts] = &items[m.n_accounts];
    }
    m.next_page = next_page;
    return sl_pack(arena, &m.base);
}

/* ---- apps */

static void fill_app(const struct gw_app_row *row, pb_app *out)
{
    sluice__v1__app__init(out);
    out->name = gw_wire_text(row->name);
    out->owner = gw_wire_text(row->owner);
    out->paused = row->is_paused;
    out->registered_at_us = row->registered_at;
}

static struct sl_span app(struct sl_arena *arena, const struct gw_app_row *row)
{
    pb_app m;
    fill_app(row, &m);
    return sl_pack(arena, &m.base);
}

static struct sl_span apps(struct sl_arena *arena, const struct gw_app_row *const *rows,
                           size_t count, int64_t next_page)
{
    Sluice__V1__ListAppsResponse m = SLUICE__V1__LIST_APPS_RESPONSE__INIT;
    pb_app *items = sl_arena_zero(arena, count + 1, sizeof *items);
    m.apps = sl_arena_zero(arena, count + 1, sizeof *m.apps);
    if (items == NULL || m.apps == NULL)
        return GW_WIRE_NOTHING;
    for (; m.n_apps < count; m.n_apps++) {
        fill_app(rows[m.n_apps], &items[m.n_apps]);
        m.apps[m.n_apps] = &items[m.n_apps];
    }
    m.next_page = next_page;
    return sl_pack(arena, &m.base);
}

/* ---- grants */

static bool fill_grant(struct sl_arena *arena, const struct gw_record_grant *g, pb_grant *out)
{
    sluice__v1__grant__init(out);
    out->account = gw_wire_copy(arena, g->account);
    out->by = gw_wire_copy(arena, g->by);
    out->reason = gw_wire_copy(arena, g->reason);
    out->at_us = g->at;
    out->amount_us = g->amount_us;
    out->window_opened_at_us = g->window_opened_at;
    return out->account != NULL && out->by != NULL && out->reason != NULL;
}

static struct sl_span grant(struct sl_arena *arena, const struct gw_record_grant *g,
                            const struct gw_account_facts *facts)
{
    Sluice__V1__GrantTimeResponse m = SLUICE__V1__GRANT_TIME_RESPONSE__INIT;
    pb_grant item;
    pb_account of;
    if (!fill_grant(arena, g, &item) || !fill_account(arena, facts, &of))
        return GW_WIRE_NOTHING;
    m.grant = &item;
    m.account = &of;
    return sl_pack(arena, &m.base);
}

static struct sl_span grants(struct sl_arena *arena, const struct gw_store_answer *a)
{
    Sluice__V1__ListGrantsResponse m = SLUICE__V1__LIST_GRANTS_RESPONSE__INIT;
    pb_grant *items = sl_arena_zero(arena, a->row_count + 1, sizeof *items);
    m.grants = sl_arena_zero(arena, a->row_count + 1, sizeof *m.grants);
    if (items == NULL || m.grants == NULL)
        return GW_WIRE_NOTHING;
    for (; m.n_grants < a->row_count; m.n_grants++) {
        if (!fill_grant(arena, &a->rows[m.n_grants].grant, &items[m.n_grants]))
            return GW_WIRE_NOTHING;
        m.grants[m.n_grants] = &items[m.n_grants];
    }
    m.next_page = a->next_n;
    return sl_pack(arena, &m.base);
}

/* ---- blocks */

static void fill_block(const struct gw_block_row *row, bool is_blocked, pb_block *out)
{
    sluice__v1__block__init(out);
    out->account = gw_wire_text(row->account);
    out->by = gw_wire_text(row->by);
    out->reason = gw_wire_text(row->reason);
    out->at_us = row->at;
    out->blocked = is_blocked;
}

static struct sl_span block(struct sl_arena *arena, const struct gw_block_row *row, bool is_blocked)
{
    pb_block m;
    fill_block(row, is_blocked, &m);
    return sl_pack(arena, &m.base);
}

static struct sl_span blocks(struct sl_arena *arena, const struct gw_block_row *const *rows,
                             size_t count, int64_t next_page)
{
    Sluice__V1__ListBlocksResponse m = SLUICE__V1__LIST_BLOCKS_RESPONSE__INIT;
    pb_block *items = sl_arena_zero(arena, count + 1, sizeof *items);
    m.blocks = sl_arena_zero(arena, count + 1, sizeof *m.blocks);
    if (items == NULL || m.blocks == NULL)
        return GW_WIRE_NOTHING;
    for (; m.n_blocks < count; m.n_blocks++) {
        fill_block(rows[m.n_blocks], true, &items[m.n_blocks]);
        m.blocks[m.n_blocks] = &items[m.n_blocks];
    }
    m.next_page = next_page;
    return sl_pack(arena, &m.base);
}

const struct gw_answer_port gw_wire_answers = {
    .quota = gw_wire_quota,
    .receipts = gw_wire_receipts,
    .call = gw_wire_call,
    .visitor_token = gw_wire_visitor_token,
    .new_token = new_token,
    .token = token,
    .tokens = tokens,
    .tiers = tiers,
    .account = account,
    .accounts = accounts,
    .app = app,
    .apps = apps,
    .usage = gw_wire_usage,
    .grant = grant,
    .grants = grants,
    .block = block,
    .blocks = blocks,
};
