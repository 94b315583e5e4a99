/* gw_methods_visitor.c - sluice.v1.Visitor: what is left, what was charged, results that were kept, and tokens for the
 * visitors of trusted apps. */
#include <stdio.h>

#include "gw_identity.h"
#include "gw_receipt_code.h"
#include "gw_services.h"

/* ---- GetQuota */

static bool may_sign_in(const struct gw_principal *who)
{
    return who->kind == GW_PRINCIPAL_ADDRESS || who->kind == GW_PRINCIPAL_COOKIE;
}

void gw_visitor_quota(struct gw_flow *f, struct gw_inquiry *q)
{
    const struct gw_tiers *tiers = f->conf.tiers;
    struct gw_quota_facts facts = {.who = &q->who,
                                   .tier = tiers->tiers[q->who.tier].name,
                                   .sign_in_url = may_sign_in(&q->who) ? f->sign_in_url : "",
                                   .now = f->wall_now};
    gw_ledger_quota(f->ledger, &q->who, tiers, f->wall_now, &facts.least);
    for (size_t i = 0; i < q->who.purse_count; i++)
        gw_ledger_purse(f->ledger, &q->who, tiers, i, f->wall_now, &facts.purses[i]);
    gw_inquiry_answer(f, q, f->ports.answers.quota(&q->exchange->arena, &facts));
}

/* ---- ListReceipts */

/* Of an address others may be behind it: what they called their calls is not told. */
static bool may_see_keys(const struct gw_inquiry *q)
{
    return q->who.kind != GW_PRINCIPAL_ADDRESS;
}

static void on_receipts(struct gw_flow *f, struct gw_inquiry *q, const struct gw_store_answer *a)
{
    gw_inquiry_answer(f, q, f->ports.answers.receipts(&q->exchange->arena, a, may_see_keys(q)));
}

static bool is_of(const struct gw_inquiry *q, const struct gw_store_answer *a)
{
    struct gw_receipt r;
    return a->row_count == 1 && gw_receipt_decode(a->rows[0].receipt, &r) == SL_OK &&
           r.account_count > 0 && sl_span_eq_str(r.accounts[0], gw_principal_name(&q->who));
}

/* Another's call is as one that never was. */
static void on_one_receipt(struct gw_flow *f, struct gw_inquiry *q, const struct gw_store_answer *a)
{
    static const struct gw_store_answer none;
    on_receipts(f, q, q->form.is_of_everybody || is_of(q, a) ? a : &none);
}

static bool may_see(struct gw_flow *f, struct gw_inquiry *q)
{
    bool is_own = q->form.account[0] == '\0' && !q->form.is_of_everybody;
    if (is_own || q->who.is_admin)
        return true;
    gw_services_refuse(f, q, SL_REASON_NOT_TRUSTED, "",
                       "receipts of others than %s are for administrators",
                       gw_principal_name(&q->who));
    return false;
}

/* Whose receipts: "" is everybody's. */
static void choose_account(const struct gw_inquiry *q, struct gw_store_question *out)
{
    if (out->account[0] == '\0' && !q->form.is_of_everybody)
        snprintf(out->account, sizeof out->account, "%s", gw_principal_name(&q->who));
}

void gw_visitor_receipts(struct gw_flow *f, struct gw_inquiry *q)
{
    const struct gw_form *form = &q->form;
    struct gw_store_question what = {.kind = GW_STORE_RECEIPTS,
                                     .from = form->from,
                                     .until = form->until,
                                     .after_n = form->page,
                                     .rows_max = (size_t)form->page_rows};
    bool is_one = form->call_id[0] != '\0';
    if (!may_see(f, q) || !gw_services_account(f, q, what.account) ||
        (is_one && !gw_services_call_id(f, q, what.call_id)))
        return;
    if (is_one) {
        what.kind = GW_STORE_RECEIPT;
        gw_inquiry_ask(f, q, &what, on_one_receipt);
        return;
    }
    choose_account(q, &what);
    snprintf(what.app, sizeof what.app, "%s", form->app);
    gw_inquiry_ask(f, q, &what, on_receipts);
}

/* ---- GetResult */

static void say_unknown(struct gw_flow *f, struct gw_inquiry *q)
{
    gw_services_refuse(f, q, SL_REASON_RESULT_GONE, "", "%s has no call %s",
                       gw_principal_name(&q->who), q->form.call_id);
}

static void on_receipt_of_result(struct gw_flow *f, struct gw_inquiry *q,
                                 const struct gw_store_answer *a)
{
    struct gw_receipt r;
    char ended[SL_TEXT_INSTANT_LEN + 1], charged[32];
    if (!is_of(q, a) || gw_receipt_decode(a->rows[0].receipt, &r) != SL_OK) {
        say_unknown(f, q);
        return;
    }
    sl_text_format_instant(r.ended_at, ended);
    sl_text_format_ms(r.charged_us, charged);
    gw_services_refuse(f, q, SL_REASON_RESULT_GONE, "",
                       "the result of call %s is not kept; it ended %s at %s and was charged %sms",
                       q->form.call_id, sl_reason_name(r.reason), ended, charged);
}

void gw_visitor_result(struct gw_flow *f, struct gw_inquiry *q)
{
    struct gw_store_question what = {.kind = GW_STORE_RECEIPT, .rows_max = 1};
    if (!gw_services_call_id(f, q, what.call_id) || gw_visitor_kept_result(f, q, what.call_id))
        return;
    if (f->ports.store.append == NULL)
        say_unknown(f, q);
    else
        gw_inquiry_ask(f, q, &what, on_receipt_of_result);
}

/* ---- IssueVisitorToken */

static bool is_app(struct gw_flow *f, struct gw_inquiry *q)
{
    if (q->who.app[0] != '\0' && q->who.kind == GW_PRINCIPAL_USER)
        return true;
    gw_services_refuse(f, q, SL_REASON_NOT_TRUSTED, "",
                       "IssueVisitorToken is for registered apps, each by its own token and "
                       "without x-ip-token; %s is none",
                       gw_principal_name(&q->who));
    return false;
}

/* The account of who is named, or comes from the address. false: refused. */
static bool choose_visitor(struct gw_flow *f, struct gw_inquiry *q,
                           char out[GW_ACCOUNT_NAME_MAX + 1])
{
    const struct gw_form *form = &q->form;
    struct gw_principal visitor;
    struct gw_address address;
    bool has_name = form->visitor[0] != '\0', has_address = form->address[0] != '\0';
    if (has_name == has_address) {
        gw_services_refuse(f, q, SL_REASON_BAD_INPUT, "visitor",
                           "give one of visitor and address, not %s", has_name ? "both" : "none");
        return false;
    }
    if (has_name) {
        snprintf(out, GW_ACCOUNT_NAME_MAX + 1, "app:%s/%s", q->who.app, form->visitor);
        return true;
    }
    if (!gw_address_parse(sl_span_str(form->address), &address)) {
        gw_services_refuse(f, q, SL_REASON_BAD_INPUT, "address",
                           "'%s' is no address of IPv4 or IPv6", form->address);
        return false;
    }
    gw_identity_of_address(&address, 0, &visitor);
    snprintf(out, GW_ACCOUNT_NAME_MAX + 1, "%s", gw_principal_name(&visitor));
    return true;
}

/* At most what the configuration maps. -1: refused. */
static int choose_tier(struct gw_flow *f, struct gw_inquiry *q)
{
    int most = f->ports.auth.visitor_tier(f->ports.auth.ctx, q->who.app);
    if (q->form.tier[0] == '\0')
        return most;
    int wanted = gw_services_tier(f, q, q->form.tier);
    return wanted < 0 ? -1 : gw_tiers_lower(f->conf.tiers, (uint16_t)wanted, (uint16_t)most);
}

void gw_visitor_issue(struct gw_flow *f, struct gw_inquiry *q)
{
    char account[GW_ACCOUNT_NAME_MAX + 1], token[GW_VISITOR_TOKEN_MAX];
    struct gw_visitor_token_facts facts = {.token = token, .account = account};
    int tier;
    if (!is_app(f, q) || !choose_visitor(f, q, account) || (tier = choose_tier(f, q)) < 0)
        return;
    facts.tier = f->conf.tiers->tiers[tier].name;
    sl_status s = f->ports.auth.issue_visitor_token(
        f->ports.auth.ctx, account, q->who.app, facts.tier, f->wall_now, token, &facts.expires_at);
    if (s == SL_OK)
        gw_inquiry_answer(f, q, f->ports.answers.visitor_token(&q->exchange->arena, &facts));
    else
        gw_services_refuse(f, q, SL_REASON_NO_CAPACITY, "", "no token can be made now: %s",
                           sl_status_text(s));
}
