#include "gw_wire_usage.h"

#include <inttypes.h>
#include <stdio.h>

#include "gw_wire_text.h"
#include "sl_pack.h"
#include "sl_text.h"
#include "sluice/v1/admin.pb-c.h"

enum { DATE_LEN = 10, ROW_BYTES_MAX = 192, ESCAPED_MAX = 6 };

static const char *const key_names[] = {
    [GW_FORM_BY_APP] = "app",
    [GW_FORM_BY_OWNER] = "owner",
    [GW_FORM_BY_VISITOR] = "visitor",
};

/* ---- rows */

static struct sl_span pack_rows(struct sl_arena *arena, const struct gw_store_answer *a,
                                Sluice__V1__ExportUsageResponse *m)
{
    Sluice__V1__UsageRow *items = sl_arena_zero(arena, a->row_count + 1, sizeof *items);
    m->rows = sl_arena_zero(arena, a->row_count + 1, sizeof *m->rows);
    if (items == NULL || m->rows == NULL)
        return GW_WIRE_NOTHING;
    for (size_t i = 0; i < a->row_count; i++) {
        const struct gw_store_usage_row *u = &a->rows[i].usage;
        sluice__v1__usage_row__init(&items[i]);
        items[i].week_at_us = u->week_at;
        items[i].key = gw_wire_copy(arena, u->key);
        items[i].calls = u->calls;
        items[i].used_us = u->used_us;
        items[i].charged_us = u->charged_us;
        if (items[i].key == NULL)
            return GW_WIRE_NOTHING;
        m->rows[m->n_rows++] = &items[i];
    }
    return sl_pack(arena, &m->base);
}

/* ---- text */

static char *put(char *p, const char *text)
{
    size_t len = strlen(text);
    memcpy(p, text, len);
    return p + len;
}

static char *put_date(char *p, sl_wall_us at)
{
    char instant[SL_TEXT_INSTANT_LEN + 1];
    sl_text_format_instant(at, instant);
    memcpy(p, instant, DATE_LEN);
    return p + DATE_LEN;
}

/* In quotes, where a quote is two. */
static char *put_csv_field(char *p, struct sl_span s)
{
    *p++ = '"';
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '"')
            *p++ = '"';
        *p++ = (char)s.data[i];
    }
    *p++ = '"';
    return p;
}

static char *put_json_string(char *p, struct sl_span s)
{
    *p++ = '"';
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < 0x20)
            p += sprintf(p, "\\u%04x", s.data[i]);
        else if (s.data[i] == '"' || s.data[i] == '\\')
            p += sprintf(p, "\\%c", s.data[i]);
        else
            *p++ = (char)s.data[i];
    }
    *p++ = '"';
    return p;
}

static char *put_csv(char *p, const struct gw_store_usage_row *u)
{
    p = put_date(p, u->week_at);
    *p++ = ',';
    p = put_csv_field(p, u->key);
    return p + sprintf(p, ",%" PRId64 ",%" PRId64 ",%" PRId64 "\r\n", u->calls, u->used_us,
                       u->charged_us);
}

static char *put_json(char *p, const struct gw_store_usage_row *u, enum gw_form_by by)
{
    p = put(p, "{\"week\":\"");
    p = put_date(p, u->week_at);
    p += sprintf(p, "\",\"%s\":", key_names[by]);
    p = put_json_string(p, u->key);
    return p + sprintf(p,
                       ",\"calls\":%" PRId64 ",\"used_us\":%" PRId64 ",\"charged_us\":%" PRId64
                       "}\n",
                       u->calls, u->used_us, u->charged_us);
}

static size_t text_bytes_max(const struct gw_store_answer *a)
{
    size_t bytes = ROW_BYTES_MAX;
    for (size_t i = 0; i < a->row_count; i++)
        bytes += ROW_BYTES_MAX + ESCAPED_MAX * a->rows[i].usage.key.len;
    return bytes;
}

/* NULL: no memory. */
static char *text_of(struct sl_arena *arena, const struct gw_store_answer *a, enum gw_form_by by,
                     enum gw_form_format format, bool is_first)
{
    char *text = sl_arena_get(arena, text_bytes_max(a));
    char *p = text;
    if (text == NULL)
        return NULL;
    if (format == GW_FORM_CSV && is_first)
        p += sprintf(p, "week,%s,calls,used_us,charged_us\r\n", key_names[by]);
    for (size_t i = 0; i < a->row_count; i++) {
        const struct gw_store_usage_row *u = &a->rows[i].usage;
        p = format == GW_FORM_CSV ? put_csv(p, u) : put_json(p, u, by);
    }
    *p = '\0';
    return text;
}

struct sl_span gw_wire_usage(struct sl_arena *arena, const struct gw_store_answer *a,
                             enum gw_form_by by, enum gw_form_format format, bool is_first)
{
    Sluice__V1__ExportUsageResponse m = SLUICE__V1__EXPORT_USAGE_RESPONSE__INIT;
    m.next_page = a->next_n;
    if (format == GW_FORM_ROWS)
        return pack_rows(arena, a, &m);
    m.text = text_of(arena, a, by, format, is_first);
    return m.text != NULL ? sl_pack(arena, &m.base) : GW_WIRE_NOTHING;
}
