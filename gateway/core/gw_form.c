/* gw_form.c - the fields of each method in one table. */
#include "gw_form.h"

#include <inttypes.h>
#include <stddef.h>

#include "gw_fleet.h"
#include "gw_pb.h"
#include "gw_principal.h"
#include "gw_tier.h"
#include "gw_token.h"
#include "sl_text.h"

/* 9999-12-31T23:59:59Z */
#define LAST_INSTANT (INT64_C(253402300799) * SL_US_PER_S)
#define DAY_S        INT64_C(86400)
#define GRANT_MAX_US (GW_FORM_GRANT_DAYS_MAX * DAY_S * SL_US_PER_S)

struct field {
    enum gw_method method;
    uint32_t number;
    const char *name;
    bool is_text;
    size_t offset;
    int64_t min, max; /* bytes of a text, or the number itself */
};

/* min 1: it must be there. */
#define TEXT(method, number, name, member, min, max)                                               \
    {                                                                                              \
        GW_METHOD_##method, number, name, true, offsetof(struct gw_form, member), min, max         \
    }
#define NUMBER(method, number, name, member, min, max)                                             \
    {                                                                                              \
        GW_METHOD_##method, number, name, false, offsetof(struct gw_form, member), min, max        \
    }
#define PAGES(method, number)                                                                      \
    NUMBER(method, number, "page_size", page_rows, 0, GW_FORM_PAGE_ROWS_MAX),                      \
        NUMBER(method, (number) + 1, "page", page, 0, INT64_MAX)
#define CALL(method)                                                                               \
    TEXT(method, 1, "call_id", call_id, 1, SL_UUID_TEXT_LEN),                                      \
        TEXT(method, 2, "fetch_token", fetch_token, 0, GW_FORM_FETCH_TOKEN_MAX)
#define ACCOUNT(method, number, min)                                                               \
    TEXT(method, number, "account", account, min, GW_ACCOUNT_NAME_MAX)
#define INSTANTS(method, from_name, from_number)                                                   \
    NUMBER(method, from_number, from_name, from, 0, LAST_INSTANT),                                 \
        NUMBER(method, (from_number) + 1, "until_us", until, 0, LAST_INSTANT)

static const struct field fields[] = {
    INSTANTS(LIST_RECEIPTS, "since_us", 1),
    TEXT(LIST_RECEIPTS, 3, "app", app, 0, GW_APP_NAME_MAX),
    TEXT(LIST_RECEIPTS, 4, "call_id", call_id, 0, SL_UUID_TEXT_LEN),
    PAGES(LIST_RECEIPTS, 5),
    ACCOUNT(LIST_RECEIPTS, 7, 0),
    NUMBER(LIST_RECEIPTS, 8, "everybody", is_of_everybody, 0, 1),
    CALL(GET_RESULT),
    CALL(GET_CALL),
    CALL(WATCH_CALL),
    CALL(CANCEL_CALL),
    TEXT(ISSUE_VISITOR_TOKEN, 1, "visitor", visitor, 0, GW_FORM_VISITOR_MAX),
    TEXT(ISSUE_VISITOR_TOKEN, 2, "address", address, 0, GW_FORM_VISITOR_MAX),
    TEXT(ISSUE_VISITOR_TOKEN, 3, "tier", tier, 0, GW_TIER_NAME_MAX),
    NUMBER(GET_TOP, 1, "rows", page_rows, 0, GW_FORM_PAGE_ROWS_MAX),
    TEXT(DRAIN_NODE, 1, "node", node, 1, GW_FLEET_NODE_NAME_MAX),
    TEXT(UNDRAIN_NODE, 1, "node", node, 1, GW_FLEET_NODE_NAME_MAX),
    TEXT(CREATE_TOKEN, 1, "user", user, 0, GW_FORM_USER_MAX),
    TEXT(CREATE_TOKEN, 2, "tier", tier, 1, GW_TIER_NAME_MAX),
    TEXT(CREATE_TOKEN, 3, "app", app, 0, GW_APP_NAME_MAX),
    NUMBER(CREATE_TOKEN, 4, "admin", is_admin, 0, 1),
    NUMBER(CREATE_TOKEN, 5, "lifetime_s", lifetime_s, 0, GW_FORM_LIFETIME_DAYS_MAX *DAY_S),
    TEXT(LIST_TOKENS, 1, "user", user, 0, GW_FORM_USER_MAX),
    PAGES(LIST_TOKENS, 2),
    TEXT(REVOKE_TOKEN, 1, "prefix", prefix, 1, GW_TOKEN_PREFIX_LEN),
    ACCOUNT(GET_ACCOUNT, 1, 1),
    TEXT(LIST_ACCOUNTS, 1, "begins", begins, 0, GW_ACCOUNT_NAME_MAX),
    PAGES(LIST_ACCOUNTS, 2),
    TEXT(REGISTER_APP, 1, "name", app, 1, GW_APP_NAME_MAX),
    TEXT(REGISTER_APP, 2, "owner", owner, 1, GW_ACCOUNT_NAME_MAX),
    TEXT(REGISTER_APP, 3, "owner_tier", tier, 0, GW_TIER_NAME_MAX),
    TEXT(LIST_APPS, 1, "owner", owner, 0, GW_ACCOUNT_NAME_MAX),
    PAGES(LIST_APPS, 2),
    TEXT(REMOVE_APP, 1, "name", app, 1, GW_APP_NAME_MAX),
    TEXT(PAUSE_APP, 1, "name", app, 1, GW_APP_NAME_MAX),
    TEXT(RESUME_APP, 1, "name", app, 1, GW_APP_NAME_MAX),
    INSTANTS(EXPORT_USAGE, "from_us", 1),
    NUMBER(EXPORT_USAGE, 3, "by", by, 0, GW_FORM_BY_VISITOR),
    NUMBER(EXPORT_USAGE, 4, "format", format, 0, GW_FORM_JSON),
    ACCOUNT(EXPORT_USAGE, 5, 0),
    TEXT(EXPORT_USAGE, 6, "app", app, 0, GW_APP_NAME_MAX),
    PAGES(EXPORT_USAGE, 7),
    ACCOUNT(GRANT_TIME, 1, 1),
    NUMBER(GRANT_TIME, 2, "amount_us", amount_us, -GRANT_MAX_US, GRANT_MAX_US),
    TEXT(GRANT_TIME, 3, "reason", reason, 1, GW_FORM_REASON_MAX),
    ACCOUNT(LIST_GRANTS, 1, 0),
    PAGES(LIST_GRANTS, 2),
    ACCOUNT(BLOCK_VISITOR, 1, 1),
    TEXT(BLOCK_VISITOR, 2, "reason", reason, 1, GW_FORM_REASON_MAX),
    ACCOUNT(UNBLOCK_VISITOR, 1, 1),
    TEXT(UNBLOCK_VISITOR, 2, "reason", reason, 1, GW_FORM_REASON_MAX),
    PAGES(LIST_BLOCKS, 1),
};

static const struct gw_form nothing = {
    .account = "",
    .address = "",
    .app = "",
    .begins = "",
    .call_id = "",
    .fetch_token = "",
    .node = "",
    .owner = "",
    .prefix = "",
    .reason = "",
    .tier = "",
    .user = "",
    .visitor = "",
};

/* ---- one field */

static bool refuse(const struct field *f, struct sl_error *err)
{
    sl_error_set_field(err, "%s", f->name);
    return false;
}

static bool is_plain_text(struct sl_span s)
{
    uint32_t code;
    for (size_t len; s.len > 0; s = sl_span_of(s.data + len, s.len - len)) {
        len = sl_text_utf8_next(s, &code);
        if (len == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0))
            return false;
    }
    return true;
}

static bool take_text(const struct field *f, struct sl_span text, struct sl_arena *arena,
                      const char **out, struct sl_error *err)
{
    if ((int64_t)text.len > f->max) {
        sl_error_set(err, SL_REASON_BAD_INPUT, "%s has %zu bytes; the limit is %" PRId64, f->name,
                     text.len, f->max);
        return refuse(f, err);
    }
    if (!is_plain_text(text)) {
        sl_error_set(err, SL_REASON_BAD_INPUT, "%s is not UTF-8 without control characters",
                     f->name);
        return refuse(f, err);
    }
    *out = sl_arena_str(arena, text);
    if (*out == NULL)
        sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory for the request");
    return *out != NULL;
}

static bool take_number(const struct field *f, uint64_t value, int64_t *out, struct sl_error *err)
{
    *out = (int64_t)value;
    if (*out >= f->min && *out <= f->max)
        return true;
    sl_error_set(err, SL_REASON_BAD_INPUT, "%s is %" PRId64 "; it may be %" PRId64 " to %" PRId64,
                 f->name, *out, f->min, f->max);
    return refuse(f, err);
}

/* ---- all of them */

static const struct field *find(enum gw_method m, uint32_t number)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(fields); i++)
        if (fields[i].method == m && fields[i].number == number)
            return &fields[i];
    return NULL;
}

static void *member(struct gw_form *form, const struct field *f)
{
    return (char *)form + f->offset;
}

static bool is_of_type(const struct field *f, const struct gw_pb_field *came)
{
    return came->type == (f->is_text ? GW_PB_BYTES : GW_PB_VARINT);
}

static bool bad_message(struct sl_span message, struct sl_error *err)
{
    sl_error_set(err, SL_REASON_BAD_INPUT, "the message of %zu bytes is not a valid request",
                 message.len);
    return false;
}

static bool has_fields(enum gw_method m)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(fields); i++)
        if (fields[i].method == m)
            return true;
    return false;
}

/* Is there what must be there? */
static bool is_complete(enum gw_method m, struct gw_form *form, struct sl_error *err)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(fields); i++) {
        const struct field *f = &fields[i];
        if (f->method != m || !f->is_text || f->min == 0)
            continue;
        const char *const *text = member(form, f);
        if ((*text)[0] != '\0')
            continue;
        sl_error_set(err, SL_REASON_BAD_INPUT, "%s is empty; it must have 1 to %" PRId64 " bytes",
                     f->name, f->max);
        return refuse(f, err);
    }
    return true;
}

bool gw_form_read(enum gw_method m, struct sl_span message, struct sl_arena *arena,
                  struct gw_form *out, struct sl_error *err)
{
    struct gw_pb_reader r = gw_pb_reader_of(message);
    struct gw_pb_field came;
    *out = nothing;
    if (!has_fields(m))
        return true;
    while (gw_pb_next(&r, &came)) {
        const struct field *f = find(m, came.number);
        if (f == NULL)
            continue;
        if (!is_of_type(f, &came))
            return bad_message(message, err);
        bool is_good = f->is_text
                           ? take_text(f, gw_pb_content(&r, &came), arena, member(out, f), err)
                           : take_number(f, came.value, member(out, f), err);
        if (!is_good)
            return false;
    }
    if (r.bad)
        return bad_message(message, err);
    if (out->page_rows == 0)
        out->page_rows = GW_FORM_PAGE_ROWS;
    return is_complete(m, out, err);
}
