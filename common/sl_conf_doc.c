/* sl_conf_doc.c - a table into the reference page that people read. */
#include <stdio.h>
#include <string.h>

#include "sl_conf_internal.h"

enum { NAME_BYTES_MAX = 512 };

/* Text of a cell: a bar would end it, a line end the row. */
static sl_status add_cell_text(struct sl_buf *out, const char *text)
{
    sl_status s = SL_OK;
    for (; *text && s == SL_OK; text++) {
        if (*text == '|')
            s = sl_buf_append(out, "\\|", 2);
        else
            s = sl_buf_append(out, *text == '\n' ? " " : text, 1);
    }
    return s;
}

static sl_status add_default(const struct sl_conf_key *key, struct sl_buf *out)
{
    bool is_scalar = sl_conf_is_scalar(key->type);
    if (key->name[0] == '\0')
        return sl_buf_printf(out, "-"); /* an item that is not there has none */
    if (!key->default_text)
        return sl_buf_printf(out, "%s", is_scalar ? "**required**" : "empty");
    if (key->default_text[0] == '\0')
        return sl_buf_printf(out, "empty");
    sl_status s = sl_buf_append(out, "`", 1);
    if (s == SL_OK)
        s = add_cell_text(out, key->default_text);
    return s == SL_OK ? sl_buf_append(out, "`", 1) : s;
}

static sl_status add_row(const struct sl_conf_key *key, const char *name, struct sl_buf *out)
{
    char description[SL_CONF_DESCRIPTION_MAX];
    sl_status s = sl_buf_printf(out, "| `%s` | ", name);
    if (s == SL_OK)
        s = add_cell_text(out, sl_conf_describe(key, description));
    if (s == SL_OK)
        s = sl_buf_printf(out, " | ");
    if (s == SL_OK)
        s = add_default(key, out);
    if (s == SL_OK)
        s = sl_buf_printf(out, " | %s | ", key->reloadable ? "yes" : "no");
    if (s == SL_OK)
        s = add_cell_text(out, key->help);
    return s == SL_OK ? sl_buf_printf(out, " |\n") : s;
}

static sl_status add_rows(const struct sl_conf_key *table, const char *prefix, struct sl_buf *out)
{
    char name[NAME_BYTES_MAX];
    for (const struct sl_conf_key *k = table; k->name; k++) {
        if (!k->help)
            continue;
        bool has_dot = prefix[0] != '\0' && k->name[0] != '\0';
        snprintf(name, sizeof(name), "%s%s%s", prefix, has_dot ? "." : "", k->name);
        sl_status s = add_row(k, name, out);
        if (s == SL_OK && !sl_conf_is_scalar(k->type)) {
            size_t len = strlen(name);
            snprintf(name + len, sizeof(name) - len, k->type == SL_CONF_MAP ? ".NAME" : "[]");
            s = add_rows(k->items, name, out);
        }
        if (s != SL_OK)
            return s;
    }
    return SL_OK;
}

sl_status sl_conf_reference(const struct sl_conf_key *table, struct sl_buf *out)
{
    sl_status s = sl_buf_printf(out, "| Key | Value | Default | Reload | Meaning |\n"
                                     "|---|---|---|---|---|\n");
    return s == SL_OK ? add_rows(table, "", out) : s;
}
