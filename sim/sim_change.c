#include "sim_change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim_report_int.h"

static bool is_name(struct sl_span key)
{
    for (size_t i = 0; i < key.len; i++)
        if (key.data[i] < ' ' || key.data[i] == '"' || key.data[i] == '\\')
            return false;
    return key.len > 0;
}

sl_status sim_change_write(const char *key_value, struct sl_buf *out)
{
    const char *equals = strchr(key_value, '=');
    size_t depth = 0;
    if (equals == NULL || equals[1] == '\0')
        return SL_EINVAL;
    for (const char *at = key_value; at <= equals; depth++) {
        const char *dot = memchr(at, '.', (size_t)(equals - at));
        const char *end = dot != NULL ? dot : equals;
        struct sl_span key = sl_span_of((const uint8_t *)at, (size_t)(end - at));
        if (!is_name(key))
            return SL_EINVAL;
        SIM_TRY(sl_buf_printf(out, "{\"%.*s\": ", (int)key.len, at));
        at = end + 1;
    }
    SIM_TRY(sl_buf_printf(out, "%s", equals + 1));
    for (; depth > 0; depth--)
        SIM_TRY(sl_buf_append(out, "}", 1));
    return SL_OK;
}

static sl_status read_all(FILE *f, struct sl_buf *out)
{
    char piece[4096];
    size_t n;
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        SIM_TRY(sl_buf_append(out, piece, n));
    return ferror(f) ? SL_EIO : SL_OK;
}

static sl_status read_file(const char *path, struct sl_buf *out, struct sl_error *why)
{
    FILE *f = fopen(path, "rbe");
    sl_status s = f == NULL ? SL_EIO : read_all(f, out);
    if (s == SL_EIO)
        sl_error_set(why, SL_REASON_BAD_INPUT, "%s is no KEY=VALUE, and cannot be read: %s", path,
                     strerror(errno));
    else if (s != SL_OK)
        sl_error_set(why, SL_REASON_BAD_INPUT, "%s is longer than %d bytes", path,
                     SL_CONF_BYTES_MAX);
    if (f != NULL)
        fclose(f);
    return s == SL_OK ? SL_OK : SL_EINVAL;
}

static sl_status fill(const char *change, struct sl_buf *out, struct sl_error *why)
{
    if (strchr(change, '=') == NULL)
        return read_file(change, out, why);
    sl_status s = sim_change_write(change, out);
    if (s != SL_OK)
        sl_error_set(why, SL_REASON_BAD_INPUT,
                     "%s is no change such as fleet.h200.nodes=12: names, dots, =, a value",
                     change);
    return s;
}

sl_status sim_changes_add(struct sim_changes *c, const char *change, struct sl_error *why)
{
    if (c->count == SIM_CHANGES_MAX) {
        sl_error_set(why, SL_REASON_BAD_INPUT, "more than %d changes", SIM_CHANGES_MAX);
        return SL_EINVAL;
    }
    struct sl_buf *text = &c->texts[c->count];
    sl_buf_init(text, &sl_alloc_malloc, SL_CONF_BYTES_MAX);
    sl_status s = fill(change, text, why);
    if (s != SL_OK) {
        sl_buf_finish(text);
        return s;
    }
    c->over[c->count++] = (struct sl_conf_over){change, sl_buf_span(text)};
    return SL_OK;
}

void sim_changes_finish(struct sim_changes *c)
{
    for (size_t i = 0; i < c->count; i++)
        sl_buf_finish(&c->texts[i]);
    c->count = 0;
}
