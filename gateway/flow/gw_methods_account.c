/* gw_methods_account.c - sluice.v1.Admin: tiers, accounts, what was used, time that is given, visitors who are blocked. */
#include <inttypes.h>
#include <stdio.h>

#include "gw_services.h"
#include "sl_log.h"

/* ---- ListTiers, GetAccount, ListAccounts */

void gw_admin_tiers(struct gw_flow *f, struct gw_inquiry *q)
{
    gw_inquiry_answer(f, q, f->ports.answers.tiers(&q->exchange->arena, f->conf.tiers));
}

/* What its user's tokens say; of other accounts nobody knows. */
static const char *tier_of(struct gw_flow *f, struct sl_span account)
{
    static const char kind[] = "user:";
    const size_t kind_len = sizeof kind - 1;
    char user[GW_ACCOUNT_NAME_MAX + 1];
    if (account.len <= kind_len || memcmp(account.data, kind, kind_len) != 0)
        return "";
    snprintf(user, sizeof user, "%.*s", (int)(account.len - kind_len),
             (const char *)account.data + kind_len);
    int tier = gw_admin_tier_of_user(f, user);
    return tier < 0 ? "" : f->conf.tiers->tiers[tier].name;
}

static sl_wall_us resets_at(const struct gw_account_view *v)
{
    sl_wall_us opened_at = v->row.window_opened_at;
    return opened_at == 0 ? 0 : sl_sat_add(opened_at, GW_WINDOW_US);
}

static struct gw_account_facts facts_of(struct gw_flow *f, const char *account)
{
    struct gw_account_facts facts = {.view = {.row = {.name = sl_span_str(account)}}};
    struct gw_account_view view;
    if (gw_ledger_find_account(f->ledger, sl_span_str(account), f->wall_now, &view))
        facts.view = view;
    facts.view.row.name = sl_span_str(account); /* the view's is the ledger's */
    facts.tier = tier_of(f, facts.view.row.name);
    facts.resets_at = resets_at(&facts.view);
    return facts;
}

void gw_admin_account(struct gw_flow *f, struct gw_inquiry *q)
{
    char account[GW_ACCOUNT_NAME_MAX + 1];
    if (!gw_services_account(f, q, account))
        return;
    const struct gw_account_facts facts = facts_of(f, account);
    gw_inquiry_answer(f, q, f->ports.answers.account(&q->exchange->arena, &facts));
}

static bool begins(struct sl_span name, const char *with)
{
    size_t len = strlen(with);
    return name.len >= len && memcmp(name.data, with, len) == 0;
}

/* Fills the page that begins at *cursor, and leaves the place of the next one there; 0: there is none. */
static size_t fill_page(struct gw_flow *f, const struct gw_form *form,
                        struct gw_account_facts *facts, size_t *cursor)
{
    size_t count = 0, at = *cursor;
    struct gw_account_view view;
    while (gw_ledger_next_account(f->ledger, cursor, &view)) {
        if (!begins(view.row.name, form->begins))
            continue;
        if (count == (size_t)form->page_rows) {
            *cursor = at; /* it is the first of the next page */
            return count;
        }
        facts[count++] =
            (struct gw_account_facts){view, tier_of(f, view.row.name), resets_at(&view)};
        at = *cursor;
    }
    *cursor = 0;
    return count;
}

/* Names are the ledger's: nothing changes there until they are in the message. */
void gw_admin_accounts(struct gw_flow *f, struct gw_inquiry *q)
{
    struct gw_account_facts facts[GW_FORM_PAGE_ROWS_MAX];
    size_t cursor = (size_t)q->form.page;
    size_t count = fill_page(f, &q->form, facts, &cursor);
    gw_inquiry_answer(
        f, q, f->ports.answers.accounts(&q->exchange->arena, facts, count, (int64_t)cursor));
}

/* ---- ExportUsage */

static void on_usage(struct gw_flow *f, struct gw_inquiry *q, const struct gw_store_answer *a)
{
    const struct gw_form *form = &q->form;
    gw_inquiry_answer(f, q,
                      f->ports.answers.usage(&q->exchange->arena, a, (enum gw_form_by)form->by,
                                             (enum gw_form_format)form->format, form->page == 0));
}

void gw_admin_usage(struct gw_flow *f, struct gw_inquiry *q)
{
    static const enum gw_store_usage_by by[] = {
        [GW_FORM_BY_APP] = GW_STORE_BY_APP,
        [GW_FORM_BY_OWNER] = GW_STORE_BY_OWNER,
        [GW_FORM_BY_VISITOR] = GW_STORE_BY_VISITOR,
    };
    const struct gw_form *form = &q->form;
    struct gw_store_question what = {.kind = GW_STORE_USAGE,
                                     .from = form->from,
                                     .until = form->until != 0 ? form->until : f->wall_now + 1,
                                     .after_n = form->page,
                                     .rows_max = (size_t)form->page_rows,
                                     .usage_by = by[form->by]};
    if (!gw_services_account(f, q, what.account))
        return;
    snprintf(what.app, sizeof what.app, "%s", form->app);
    gw_inquiry_ask(f, q, &what, on_usage);
}

/* ---- GrantTime, ListGrants */

static void refuse_account(struct gw_flow *f, struct gw_inquiry *q, sl_status s)
{
    gw_services_refuse(f, q, SL_REASON_NO_CAPACITY, "", "there is no room for another account: %s",
                       sl_status_text(s));
}

static bool put_grant(struct gw_flow *f, struct gw_inquiry *q, const struct gw_record_grant *g,
                      struct sl_error *err)
{
    const struct gw_record r = {.kind = GW_RECORD_GRANT, .grant = *g};
    return gw_inquiry_put(f, q, &r, err);
}

static void take_back(struct gw_flow *f, const struct gw_record_grant *g)
{
    sl_wall_us window;
    sl_status s = gw_ledger_grant(f->ledger, g->account, -g->amount_us, f->wall_now, &window);
    (void)s; /* the account is there */
}

void gw_admin_grant(struct gw_flow *f, struct gw_inquiry *q)
{
    char account[GW_ACCOUNT_NAME_MAX + 1];
    struct sl_error err;
    if (!gw_services_may_give(f, q) || !gw_services_account(f, q, account))
        return;
    if (q->form.amount_us == 0) {
        gw_services_refuse(f, q, SL_REASON_BAD_INPUT, "amount_us",
                           "amount_us is 0: below it time is taken, above it given");
        return;
    }
    struct gw_record_grant g = {.account = sl_span_str(account),
                                .by = sl_span_str(gw_principal_name(&q->who)),
                                .reason = sl_span_str(q->form.reason),
                                .at = f->wall_now,
                                .amount_us = q->form.amount_us};
    sl_status s =
        gw_ledger_grant(f->ledger, g.account, g.amount_us, f->wall_now, &g.window_opened_at);
    if (s != SL_OK) {
        refuse_account(f, q, s);
    } else if (!put_grant(f, q, &g, &err)) {
        take_back(f, &g);
        gw_inquiry_refuse(f, q, &err);
    } else {
        const struct gw_account_facts facts = facts_of(f, account);
        sl_log(SL_LOG_INFO, "time granted", SL_S("account", account),
               SL_I("amount_us", g.amount_us), SL_S("reason", q->form.reason), GW_BY(q));
        gw_inquiry_keep(f, q, f->ports.answers.grant(&q->exchange->arena, &g, &facts));
    }
}

static void on_grants(struct gw_flow *f, struct gw_inquiry *q, const struct gw_store_answer *a)
{
    gw_inquiry_answer(f, q, f->ports.answers.grants(&q->exchange->arena, a));
}

void gw_admin_grants(struct gw_flow *f, struct gw_inquiry *q)
{
    struct gw_store_question what = {
        .kind = GW_STORE_GRANTS, .after_n = q->form.page, .rows_max = (size_t)q->form.page_rows};
    if (gw_services_account(f, q, what.account))
        gw_inquiry_ask(f, q, &what, on_grants);
}

/* ---- BlockVisitor, UnblockVisitor, ListBlocks */

static bool put_block(struct gw_flow *f, struct gw_inquiry *q, const struct gw_block_row *row,
                      bool is_blocked, struct sl_error *err)
{
    const struct gw_record r = {.kind = GW_RECORD_BLOCK,
                                .block = {.account = sl_span_str(row->account),
                                          .by = sl_span_str(row->by),
                                          .reason = sl_span_str(row->reason),
                                          .at = row->at,
                                          .is_blocked = is_blocked}};
    return gw_inquiry_put(f, q, &r, err);
}

/* false: refused. */
static bool fill_block(struct gw_flow *f, struct gw_inquiry *q, struct gw_block_row *out)
{
    *out = (struct gw_block_row){.at = f->wall_now};
    snprintf(out->by, sizeof out->by, "%s", gw_principal_name(&q->who));
    snprintf(out->reason, sizeof out->reason, "%s", q->form.reason);
    return gw_services_account(f, q, out->account);
}

static void keep_block(struct gw_flow *f, struct gw_inquiry *q, const struct gw_block_row *row,
                       bool is_blocked)
{
    sl_log(SL_LOG_INFO, is_blocked ? "visitor blocked" : "visitor unblocked",
           SL_S("account", row->account), SL_S("reason", row->reason), GW_BY(q));
    gw_inquiry_keep(f, q, f->ports.answers.block(&q->exchange->arena, row, is_blocked));
}

static void unblock(struct gw_flow *f, struct sl_span account)
{
    sl_status s = gw_ledger_set_blocked(f->ledger, account, false, f->wall_now);
    (void)s; /* without an account there is nothing to unblock */
    gw_blocks_remove(f->blocks, account);
}

/* In the list, and in the ledger, which refuses its calls. Errors: nothing has changed. */
static sl_status block(struct gw_flow *f, const struct gw_block_row *row)
{
    struct sl_span account = sl_span_str(row->account);
    bool was_blocked = gw_blocks_find(f->blocks, account) != NULL;
    sl_status s = gw_blocks_set(f->blocks, row);
    if (s != SL_OK || was_blocked)
        return s;
    s = gw_ledger_set_blocked(f->ledger, account, true, f->wall_now);
    if (s != SL_OK)
        gw_blocks_remove(f->blocks, account);
    return s;
}

/* As it was before: blocked with another reason, or not at all. */
static void take_block_back(struct gw_flow *f, const struct gw_block_row *row,
                            const struct gw_block_row *before)
{
    if (before->account[0] == '\0') {
        unblock(f, sl_span_str(row->account));
        return;
    }
    sl_status s = gw_blocks_set(f->blocks, before);
    (void)s; /* it has its place */
}

void gw_admin_block(struct gw_flow *f, struct gw_inquiry *q)
{
    struct gw_block_row row, before = {.at = 0};
    struct sl_error err;
    if (!fill_block(f, q, &row))
        return;
    const struct gw_block_row *was = gw_blocks_find(f->blocks, sl_span_str(row.account));
    if (was != NULL)
        before = *was;
    sl_status s = block(f, &row);
    if (s != SL_OK) {
        refuse_account(f, q, s);
    } else if (!put_block(f, q, &row, true, &err)) {
        take_block_back(f, &row, &before);
        gw_inquiry_refuse(f, q, &err);
    } else {
        keep_block(f, q, &row, true);
    }
}

void gw_admin_unblock(struct gw_flow *f, struct gw_inquiry *q)
{
    struct gw_block_row row;
    struct sl_error err;
    if (!gw_services_may_give(f, q) || !fill_block(f, q, &row))
        return;
    if (!put_block(f, q, &row, false, &err)) {
        gw_inquiry_refuse(f, q, &err);
        return;
    }
    unblock(f, sl_span_str(row.account));
    keep_block(f, q, &row, false);
}

void gw_admin_blocks(struct gw_flow *f, struct gw_inquiry *q)
{
    const struct gw_block_row *rows[GW_FORM_PAGE_ROWS_MAX], *r = NULL;
    size_t count = 0;
    int64_t place = 0, next_page = 0;
    while (next_page == 0 && (r = gw_blocks_next(f->blocks, r)) != NULL) {
        if (place++ < q->form.page)
            continue;
        if (count < (size_t)q->form.page_rows)
            rows[count++] = r;
        else
            next_page = q->form.page + q->form.page_rows;
    }
    gw_inquiry_answer(f, q, f->ports.answers.blocks(&q->exchange->arena, rows, count, next_page));
}
