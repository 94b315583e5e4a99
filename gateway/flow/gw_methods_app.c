/* gw_methods_app.c - sluice.v1.Admin: apps are registered, listed, paused, removed. */
#include <stdio.h>

#include "gw_account_name.h"
#include "gw_identity.h"
#include "gw_services.h"
#include "sl_log.h"

static const char user_kind[] = "user:";
enum { USER_KIND_LEN = sizeof user_kind - 1 };

static struct gw_apps *apps_of(const struct gw_flow *f)
{
    return f->ports.auth.apps;
}

static bool put(struct gw_flow *f, struct gw_inquiry *q, const struct gw_app_row *row,
                enum gw_app_state state, struct sl_error *err)
{
    const struct gw_record r = {.kind = GW_RECORD_APP,
                                .app = {.name = sl_span_str(row->name),
                                        .owner = sl_span_str(row->owner),
                                        .state = state,
                                        .at = row->registered_at}};
    return gw_inquiry_put(f, q, &r, err);
}

static void keep(struct gw_flow *f, struct gw_inquiry *q, const struct gw_app_row *row,
                 const char *what)
{
    sl_log(SL_LOG_INFO, what, SL_S("app", row->name), SL_S("owner", row->owner), GW_BY(q));
    gw_inquiry_keep(f, q, f->ports.answers.app(&q->exchange->arena, row));
}

/* ---- RegisterApp */

/* An account of somebody who signs in. false: refused. */
static bool read_owner(struct gw_flow *f, struct gw_inquiry *q, struct gw_app_row *row)
{
    const char *owner = q->form.owner;
    if (strncmp(owner, user_kind, USER_KIND_LEN) == 0 &&
        gw_owner_name_is_good(sl_span_str(owner + USER_KIND_LEN))) {
        snprintf(row->owner, sizeof row->owner, "%s", owner);
        return true;
    }
    gw_services_refuse(f, q, SL_REASON_BAD_INPUT, "owner",
                       "owner '%s' is no account of a user: user:NAME, or user:ISSUER#SUB, "
                       "without control characters and of at most %d bytes",
                       owner, GW_ACCOUNT_NAME_MAX);
    return false;
}

/* -1: refused. */
static int tier_of_owner(struct gw_flow *f, struct gw_inquiry *q, const char *owner)
{
    if (q->form.tier[0] != '\0')
        return gw_services_tier(f, q, q->form.tier);
    int tier = gw_admin_tier_of_user(f, owner + USER_KIND_LEN);
    if (tier < 0)
        gw_services_refuse(f, q, SL_REASON_BAD_INPUT, "owner_tier",
                           "%s has no token here that says its tier: give owner_tier", owner);
    return tier;
}

void gw_admin_register_app(struct gw_flow *f, struct gw_inquiry *q)
{
    struct gw_app_row row = {.registered_at = f->wall_now};
    struct sl_error err;
    int tier;
    if (!gw_services_may_give(f, q) || !read_owner(f, q, &row) ||
        (tier = tier_of_owner(f, q, row.owner)) < 0)
        return;
    snprintf(row.name, sizeof row.name, "%s", q->form.app);
    if (gw_apps_register(apps_of(f), &row, &f->conf.tiers->tiers[tier], &err) != SL_OK) {
        gw_inquiry_refuse(f, q, &err);
    } else if (!put(f, q, &row, GW_APP_ACTIVE, &err)) {
        sl_status s = gw_apps_remove(apps_of(f), sl_span_str(row.name));
        (void)s; /* it was put there just now */
        gw_inquiry_refuse(f, q, &err);
    } else {
        keep(f, q, &row, "app registered");
    }
}

/* ---- ListApps */

void gw_admin_apps(struct gw_flow *f, struct gw_inquiry *q)
{
    const struct gw_form *form = &q->form;
    const struct gw_app_row *rows[GW_FORM_PAGE_ROWS_MAX], *r = NULL;
    size_t count = 0;
    int64_t place = 0, next_page = 0;
    while (next_page == 0 && (r = gw_apps_next(apps_of(f), r)) != NULL) {
        bool is_asked_for = form->owner[0] == '\0' || strcmp(r->owner, form->owner) == 0;
        if (!is_asked_for || place++ < form->page)
            continue;
        if (count < (size_t)form->page_rows)
            rows[count++] = r;
        else
            next_page = form->page + form->page_rows;
    }
    gw_inquiry_answer(f, q, f->ports.answers.apps(&q->exchange->arena, rows, count, next_page));
}

/* ---- RemoveApp, PauseApp, ResumeApp */

/* false: refused. */
static bool find(struct gw_flow *f, struct gw_inquiry *q, struct gw_app_row *out)
{
    const struct gw_app_row *row = gw_apps_find(apps_of(f), sl_span_str(q->form.app));
    if (row != NULL)
        *out = *row;
    else
        gw_services_refuse(f, q, SL_REASON_NOT_FOUND, "name", "no app is named '%s'", q->form.app);
    return row != NULL;
}

/* Its tokens first: with them an app that is registered under this name later would be trusted in its place. */
void gw_admin_remove_app(struct gw_flow *f, struct gw_inquiry *q)
{
    struct gw_app_row row;
    struct sl_error err;
    if (!find(f, q, &row))
        return;
    if (!gw_admin_revoke_tokens_of(f, q, row.name, &err) ||
        !put(f, q, &row, GW_APP_REMOVED, &err)) {
        gw_inquiry_refuse(f, q, &err);
        return;
    }
    sl_status s = gw_apps_remove(apps_of(f), sl_span_str(row.name));
    (void)s; /* it is there */
    keep(f, q, &row, "app removed");
}

static void set_paused(struct gw_flow *f, struct gw_inquiry *q, bool is_paused)
{
    struct gw_app_row row;
    struct sl_error err;
    if (!find(f, q, &row))
        return;
    if (!put(f, q, &row, is_paused ? GW_APP_PAUSED : GW_APP_ACTIVE, &err)) {
        gw_inquiry_refuse(f, q, &err);
        return;
    }
    sl_status s = gw_apps_set_paused(apps_of(f), sl_span_str(row.name), is_paused);
    (void)s; /* it is there */
    row.is_paused = is_paused;
    keep(f, q, &row, is_paused ? "app paused" : "app resumed");
}

void gw_admin_pause_app(struct gw_flow *f, struct gw_inquiry *q)
{
    set_paused(f, q, true);
}

void gw_admin_resume_app(struct gw_flow *f, struct gw_inquiry *q)
{
    if (gw_services_may_give(f, q))
        set_paused(f, q, false);
}
