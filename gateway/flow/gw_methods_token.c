/* gw_methods_token.c - sluice.v1.Admin: API tokens are made, listed, revoked. */
#include <stdio.h>

#include "gw_identity.h"
#include "gw_services.h"
#include "sl_log.h"

enum { PREFIX_TRIES = 3 };

static struct gw_token_table *tokens_of(const struct gw_flow *f)
{
    return f->ports.auth.tokens;
}

/* ---- what there is */

static bool is_usable(struct gw_flow *f, const struct gw_token_row *row)
{
    if (gw_token_row_fault(row, f->wall_now) != NULL ||
        gw_tiers_index(f->conf.tiers, row->tier) < 0)
        return false;
    if (row->app[0] == '\0')
        return true;
    const struct gw_app_row *app = gw_apps_find(f->ports.auth.apps, sl_span_str(row->app));
    return app != NULL && !app->is_paused;
}

static struct gw_token_facts facts_of(struct gw_flow *f, const struct gw_token_row *row)
{
    return (struct gw_token_facts){row, is_usable(f, row)};
}

int gw_admin_tier_of_user(struct gw_flow *f, const char *user)
{
    int best = -1;
    const struct gw_token_row *r = NULL;
    while ((r = gw_token_table_next(tokens_of(f), r)) != NULL) {
        int tier = gw_tiers_index(f->conf.tiers, r->tier);
        bool is_his_own = strcmp(r->user, user) == 0 && r->app[0] == '\0';
        if (tier < 0 || !is_his_own || gw_token_row_fault(r, f->wall_now) != NULL)
            continue;
        if (best < 0 ||
            gw_tiers_lower(f->conf.tiers, (uint16_t)best, (uint16_t)tier) == (uint16_t)best)
            best = tier;
    }
    return best;
}

void gw_admin_tokens(struct gw_flow *f, struct gw_inquiry *q)
{
    const struct gw_form *form = &q->form;
    struct gw_token_facts facts[GW_FORM_PAGE_ROWS_MAX];
    size_t count = 0;
    int64_t place = 0, next_page = 0;
    const struct gw_token_row *r = NULL;
    while (next_page == 0 && (r = gw_token_table_next(tokens_of(f), r)) != NULL) {
        bool is_asked_for = form->user[0] == '\0' || strcmp(r->user, form->user) == 0;
        if (!is_asked_for || place++ < form->page)
            continue;
        if (count < (size_t)form->page_rows)
            facts[count++] = facts_of(f, r);
        else
            next_page = form->page + form->page_rows;
    }
    gw_inquiry_answer(f, q, f->ports.answers.tokens(&q->exchange->arena, facts, count, next_page));
}

/* ---- records */

static bool put(struct gw_flow *f, struct gw_inquiry *q, const struct gw_token_row *row,
                sl_wall_us revoked_at, struct sl_error *err)
{
    struct gw_record r = {.kind = GW_RECORD_TOKEN,
                          .token = {.prefix = sl_span_str(row->prefix),
                                    .user = sl_span_str(row->user),
                                    .tier = sl_span_str(row->tier),
                                    .app = sl_span_str(row->app),
                                    .created_at = row->created_at,
                                    .expires_at = row->expires_at,
                                    .revoked_at = revoked_at,
                                    .is_admin = row->is_admin}};
    memcpy(r.token.hash, row->hash, sizeof r.token.hash);
    return gw_inquiry_put(f, q, &r, err);
}

/* ---- CreateToken */

static bool check_app(struct gw_flow *f, struct gw_inquiry *q, const struct gw_app_row **out)
{
    const struct gw_form *form = &q->form;
    *out = NULL;
    if (form->app[0] == '\0')
        return true;
    *out = gw_apps_find(f->ports.auth.apps, sl_span_str(form->app));
    if (*out == NULL)
        gw_services_refuse(f, q, SL_REASON_NOT_FOUND, "app", "no app is named '%s'; register it",
                           form->app);
    else if (form->is_admin)
        gw_services_refuse(f, q, SL_REASON_BAD_INPUT, "admin",
                           "the token of an app cannot be an administrator's");
    return *out != NULL && !form->is_admin;
}

/* An app's token is its owner's, unless it says whose. */
static const char *user_of(const struct gw_form *form, const struct gw_app_row *app)
{
    static const char kind[] = "user:";
    if (form->user[0] != '\0' || app == NULL)
        return form->user;
    return app->owner + sizeof kind - 1;
}

static bool fill(struct gw_flow *f, struct gw_inquiry *q, struct gw_token_row *row)
{
    const struct gw_form *form = &q->form;
    const struct gw_app_row *app;
    if (gw_services_tier(f, q, form->tier) < 0 || !check_app(f, q, &app))
        return false;
    const char *user = user_of(form, app);
    if (user == form->user && !gw_user_name_is_good(sl_span_str(user))) {
        gw_services_refuse(f, q, SL_REASON_BAD_INPUT, "user",
                           "user '%s' is not 1 to %d bytes without blanks, '#', '/' and ':'", user,
                           GW_USER_NAME_MAX);
        return false;
    }
    *row = (struct gw_token_row){.is_admin = form->is_admin != 0, .created_at = f->wall_now};
    if (form->lifetime_s > 0)
        row->expires_at = sl_sat_add(f->wall_now, sl_sat_mul(form->lifetime_s, SL_US_PER_S));
    snprintf(row->user, sizeof row->user, "%s", user);
    snprintf(row->tier, sizeof row->tier, "%s", form->tier);
    snprintf(row->app, sizeof row->app, "%s", form->app);
    return true;
}

/* One that is of no use any more goes, for a newcomer. false: all are good. */
static bool make_room(struct gw_flow *f)
{
    const struct gw_token_row *r = NULL;
    while ((r = gw_token_table_next(tokens_of(f), r)) != NULL) {
        if (r->is_from_file || gw_token_row_fault(r, f->wall_now) == NULL)
            continue;
        return gw_token_table_remove(tokens_of(f), sl_span_str(r->prefix)) == SL_OK;
    }
    return false;
}

/* The text of a new token in the table; its prefix may be another's. */
static sl_status make(struct gw_flow *f, char secret[GW_TOKEN_LEN + 1], struct gw_token_row *row)
{
    sl_status s = SL_EEXIST;
    for (int i = 0; i < PREFIX_TRIES && s == SL_EEXIST; i++) {
        s = f->ports.auth.make_token(f->ports.auth.ctx, secret, row);
        if (s == SL_OK)
            s = gw_token_table_add(tokens_of(f), row);
        if (s == SL_EFULL && make_room(f))
            s = gw_token_table_add(tokens_of(f), row);
    }
    return s;
}

static void refuse_making(struct gw_flow *f, struct gw_inquiry *q, sl_status s)
{
    if (s == SL_EFULL)
        gw_services_refuse(f, q, SL_REASON_NO_CAPACITY, "",
                           "there are %zu tokens, which is the limit (auth.tokens_max)",
                           gw_token_table_count(tokens_of(f)));
    else
        gw_services_refuse(f, q, SL_REASON_NO_CAPACITY, "", "no token can be made now: %s",
                           sl_status_text(s));
}

static void take_back(struct gw_flow *f, const struct gw_token_row *row)
{
    sl_status s = gw_token_table_remove(tokens_of(f), sl_span_str(row->prefix));
    (void)s; /* it was put there just now */
}

void gw_admin_create_token(struct gw_flow *f, struct gw_inquiry *q)
{
    char secret[GW_TOKEN_LEN + 1];
    struct gw_token_row row;
    struct sl_error err;
    if (!gw_services_may_give(f, q) || !fill(f, q, &row))
        return;
    sl_status s = make(f, secret, &row);
    if (s != SL_OK) {
        refuse_making(f, q, s);
        return;
    }
    const struct gw_token_facts facts = facts_of(f, &row);
    struct sl_span message = f->ports.answers.new_token(&q->exchange->arena, secret, &facts);
    explicit_bzero(secret, sizeof secret);
    if (message.data == NULL) {
        take_back(f, &row);
        gw_inquiry_answer(f, q, message);
    } else if (!put(f, q, &row, 0, &err)) {
        take_back(f, &row);
        gw_inquiry_refuse(f, q, &err);
    } else {
        sl_log(SL_LOG_INFO, "token made", SL_S("prefix", row.prefix), SL_S("user", row.user),
               SL_S("tier", row.tier), SL_S("app", row.app), GW_BY(q));
        gw_inquiry_keep(f, q, message);
    }
}

/* ---- RevokeToken */

static bool revoke(struct gw_flow *f, struct gw_inquiry *q, const struct gw_token_row *row,
                   struct sl_error *err)
{
    if (!put(f, q, row, f->wall_now, err))
        return false;
    sl_status s = gw_token_table_revoke(tokens_of(f), sl_span_str(row->prefix));
    (void)s; /* it is there */
    sl_log(SL_LOG_INFO, "token revoked", SL_S("prefix", row->prefix), SL_S("user", row->user),
           GW_BY(q));
    return true;
}

bool gw_admin_revoke_tokens_of(struct gw_flow *f, struct gw_inquiry *q, const char *app,
                               struct sl_error *err)
{
    const struct gw_token_row *r = NULL;
    while ((r = gw_token_table_next(tokens_of(f), r)) != NULL)
        if (strcmp(r->app, app) == 0 && !r->is_revoked && !revoke(f, q, r, err))
            return false;
    return true;
}

void gw_admin_revoke_token(struct gw_flow *f, struct gw_inquiry *q)
{
    const char *prefix = q->form.prefix;
    const struct gw_token_row *row = gw_token_table_find_prefix(tokens_of(f), sl_span_str(prefix));
    struct sl_error err;
    if (row == NULL) {
        gw_services_refuse(f, q, SL_REASON_NOT_FOUND, "prefix",
                           "no token begins with '%s'; sl_ and 6 digits are told when it is made, "
                           "and listed",
                           prefix);
    } else if (row->is_from_file) {
        gw_services_refuse(f, q, SL_REASON_BAD_INPUT, "prefix",
                           "%s is the administrator's of the state directory: remove the file "
                           "admin.token there and send SIGHUP, and there is another",
                           prefix);
    } else if (!revoke(f, q, row, &err)) {
        gw_inquiry_refuse(f, q, &err);
    } else {
        const struct gw_token_facts facts = facts_of(f, row);
        gw_inquiry_keep(f, q, f->ports.answers.token(&q->exchange->arena, &facts));
    }
}
