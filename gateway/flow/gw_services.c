/* gw_services.c - the methods of sluice.v1 by name, and what they share. */
#include "gw_services.h"

#include <stdarg.h>
#include <stdio.h>

#include "gw_account_name.h"
#include "gw_identity.h"
#include "sl_text.h"

static void (*const served_by[GW_METHOD_COUNT])(struct gw_flow *, struct gw_inquiry *) = {
    [GW_METHOD_GET_QUOTA] = gw_visitor_quota,
    [GW_METHOD_LIST_RECEIPTS] = gw_visitor_receipts,
    [GW_METHOD_GET_RESULT] = gw_visitor_result,
    [GW_METHOD_GET_CALL] = gw_visitor_call,
    [GW_METHOD_WATCH_CALL] = gw_visitor_watch,
    [GW_METHOD_CANCEL_CALL] = gw_visitor_cancel,
    [GW_METHOD_ISSUE_VISITOR_TOKEN] = gw_visitor_issue,
    [GW_METHOD_GET_STATUS] = gw_admin_status,
    [GW_METHOD_GET_TOP] = gw_admin_top,
    [GW_METHOD_DRAIN_NODE] = gw_admin_drain,
    [GW_METHOD_UNDRAIN_NODE] = gw_admin_undrain,
    [GW_METHOD_CREATE_TOKEN] = gw_admin_create_token,
    [GW_METHOD_LIST_TOKENS] = gw_admin_tokens,
    [GW_METHOD_REVOKE_TOKEN] = gw_admin_revoke_token,
    [GW_METHOD_LIST_TIERS] = gw_admin_tiers,
    [GW_METHOD_GET_ACCOUNT] = gw_admin_account,
    [GW_METHOD_LIST_ACCOUNTS] = gw_admin_accounts,
    [GW_METHOD_REGISTER_APP] = gw_admin_register_app,
    [GW_METHOD_LIST_APPS] = gw_admin_apps,
    [GW_METHOD_REMOVE_APP] = gw_admin_remove_app,
    [GW_METHOD_PAUSE_APP] = gw_admin_pause_app,
    [GW_METHOD_RESUME_APP] = gw_admin_resume_app,
    [GW_METHOD_EXPORT_USAGE] = gw_admin_usage,
    [GW_METHOD_GRANT_TIME] = gw_admin_grant,
    [GW_METHOD_LIST_GRANTS] = gw_admin_grants,
    [GW_METHOD_BLOCK_VISITOR] = gw_admin_block,
    [GW_METHOD_UNBLOCK_VISITOR] = gw_admin_unblock,
    [GW_METHOD_LIST_BLOCKS] = gw_admin_blocks,
};

void gw_services_serve(struct gw_flow *f, struct gw_inquiry *q)
{
    served_by[q->exchange->req.method](f, q);
}

void gw_services_refuse(struct gw_flow *f, struct gw_inquiry *q, enum sl_reason reason,
                        const char *field, const char *fmt, ...)
{
    struct sl_error err;
    char text[4 * SL_ERROR_TEXT_MAX]; /* sl_error_set cuts it between characters */
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    sl_error_set(&err, reason, "%s", text);
    sl_error_set_field(&err, "%s", field);
    gw_inquiry_refuse(f, q, &err);
}

bool gw_services_may_give(struct gw_flow *f, struct gw_inquiry *q)
{
    struct sl_error err;
    if (gw_receipts_may_admit(f, &err))
        return true;
    gw_inquiry_refuse(f, q, &err);
    return false;
}

bool gw_services_account(struct gw_flow *f, struct gw_inquiry *q, char out[GW_ACCOUNT_NAME_MAX + 1])
{
    struct sl_error err;
    out[0] = '\0';
    if (q->form.account[0] == '\0' || gw_account_name_read(sl_span_str(q->form.account), out, &err))
        return true;
    gw_inquiry_refuse(f, q, &err);
    return false;
}

static void list_tiers(const struct gw_tiers *t, char *out, size_t room)
{
    size_t len = 0;
    for (size_t i = 0; i < t->tier_count && len < room; i++)
        len += (size_t)snprintf(out + len, room - len, "%s%s", i > 0 ? ", " : "", t->tiers[i].name);
}

int gw_services_tier(struct gw_flow *f, struct gw_inquiry *q, const char *name)
{
    char names[GW_TIERS_MAX * (GW_TIER_NAME_MAX + 2) + 1] = "";
    int tier = gw_tiers_index(f->conf.tiers, name);
    if (tier >= 0)
        return tier;
    list_tiers(f->conf.tiers, names, sizeof names);
    gw_services_refuse(f, q, SL_REASON_BAD_INPUT, "tier", "there is no tier '%s'; there are %s",
                       name, names);
    return -1;
}

bool gw_services_call_id(struct gw_flow *f, struct gw_inquiry *q, uint8_t out[16])
{
    if (sl_text_read_uuid(sl_span_str(q->form.call_id), out))
        return true;
    gw_services_refuse(f, q, SL_REASON_BAD_INPUT, "call_id",
                       "call_id '%s' is not a UUID in lower case (8-4-4-4-12)", q->form.call_id);
    return false;
}

/* ---- a token's text */

static bool read_digit(char c, uint8_t *out)
{
    if (c >= '0' && c <= '9')
        *out = (uint8_t)(c - '0');
    else if (c >= 'a' && c <= 'f')
        *out = (uint8_t)(c - 'a' + 10);
    else
        return false;
    return true;
}

bool gw_services_read_token(const char *text, uint8_t out[GW_IDEM_TOKEN_BYTES])
{
    uint8_t high, low;
    if (strlen(text) != 2 * GW_IDEM_TOKEN_BYTES)
        return false;
    for (size_t i = 0; i < GW_IDEM_TOKEN_BYTES; i++) {
        if (!read_digit(text[2 * i], &high) || !read_digit(text[2 * i + 1], &low))
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
