/* sl_conf_value.c - one scalar: text to field, field to text, what it may be in words. */
#include <inttypes.h>
#include <stdio.h>

#include "sl_conf_internal.h"
#include "sl_text.h"

bool sl_conf_is_scalar(enum sl_conf_type t)
{
    return t != SL_CONF_LIST && t != SL_CONF_MAP;
}

size_t sl_conf_max_bytes(const struct sl_conf_key *string)
{
    return string->max > 0 ? (size_t)string->max : SL_CONF_STRING_BYTES_MAX;
}

size_t sl_conf_max_items(const struct sl_conf_key *seq)
{
    return seq->max > 0 ? (size_t)seq->max : SL_CONF_ITEMS_MAX;
}

static int64_t max_number(const struct sl_conf_key *key)
{
    return key->max == 0 && key->min >= 0 ? INT64_MAX : key->max;
}

/* -------------------------------------------------------------------------------- text to field */

static bool is_in_range(const struct sl_conf_key *key, int64_t value)
{
    return value >= key->min && value <= max_number(key);
}

static sl_status read_string(const struct sl_conf_key *key, struct sl_span text,
                             struct sl_arena *arena, const char **field)
{
    if (text.len > sl_conf_max_bytes(key) || !sl_text_is_utf8(text))
        return SL_EINVAL;
    *field = sl_arena_str(arena, text);
    return *field ? SL_OK : SL_ENOMEM;
}

static sl_status read_bool(struct sl_span text, bool *field)
{
    *field = sl_span_eq_str(text, "true");
    return *field || sl_span_eq_str(text, "false") ? SL_OK : SL_EINVAL;
}

static sl_status read_bytes(const struct sl_conf_key *key, struct sl_span text, uint64_t *field)
{
    if (sl_text_bytes(text, field) != SL_OK || *field > INT64_MAX)
        return SL_EINVAL;
    return is_in_range(key, (int64_t)*field) ? SL_OK : SL_EINVAL;
}

static sl_status read_choice(const struct sl_conf_key *key, struct sl_span text, int *field)
{
    for (int i = 0; key->choices[i]; i++) {
        if (sl_span_eq_str(text, key->choices[i])) {
            *field = i;
            return SL_OK;
        }
    }
    return SL_EINVAL;
}

sl_status sl_conf_value_read(const struct sl_conf_key *key, struct sl_span text,
                             struct sl_arena *arena, void *field)
{
    int64_t *number = field;
    sl_status s = SL_EINVAL;
    switch (key->type) {
    case SL_CONF_STRING:
        return read_string(key, text, arena, field);
    case SL_CONF_BOOL:
        return read_bool(text, field);
    case SL_CONF_INT:
        s = sl_text_int(text, number);
        return s == SL_OK && is_in_range(key, *number) ? SL_OK : SL_EINVAL;
    case SL_CONF_DURATION:
        s = sl_text_duration(text, false, number);
        return s == SL_OK && is_in_range(key, *number) ? SL_OK : SL_EINVAL;
    case SL_CONF_BYTES:
        return read_bytes(key, text, field);
    case SL_CONF_CHOICE:
        return read_choice(key, text, field);
    case SL_CONF_LIST:
    case SL_CONF_MAP:
        break;
    }
    return SL_EINVAL;
}

/* -------------------------------------------------------------------------------- field to text */

sl_status sl_conf_value_format(const struct sl_conf_key *key, const void *field, struct sl_buf *out)
{
    char text[32];
    const char *string;
    switch (key->type) {
    case SL_CONF_STRING:
        string = *(const char *const *)field;
        return sl_buf_append(out, string ? string : "", string ? strlen(string) : 0);
    case SL_CONF_BOOL:
        return sl_buf_printf(out, "%s", *(const bool *)field ? "true" : "false");
    case SL_CONF_INT:
        return sl_buf_printf(out, "%" PRId64, *(const int64_t *)field);
    case SL_CONF_DURATION:
        sl_text_format_duration(*(const int64_t *)field, text);
        return sl_buf_printf(out, "%s", text);
    case SL_CONF_BYTES:
        sl_text_format_bytes(*(const uint64_t *)field, text);
        return sl_buf_printf(out, "%s", text);
    case SL_CONF_CHOICE:
        return sl_buf_printf(out, "%s", key->choices[*(const int *)field]);
    case SL_CONF_LIST:
    case SL_CONF_MAP:
        break;
    }
    return SL_EINVAL;
}

/* ------------------------------------------------------------------------------------- in words */

static void format_number(enum sl_conf_type type, int64_t value, char out[32])
{
    if (type == SL_CONF_DURATION)
        sl_text_format_duration(value, out);
    else if (type == SL_CONF_BYTES)
        sl_text_format_bytes((uint64_t)value, out);
    else
        snprintf(out, 32, "%" PRId64, value);
}

static void describe_number(const struct sl_conf_key *key, const char *what, char *out)
{
    int64_t max = max_number(key);
    char from[32];
    char to[32];
    format_number(key->type, key->min, from);
    format_number(key->type, max, to);
    bool has_max = max != INT64_MAX;
    bool has_min = key->min != (key->type == SL_CONF_INT ? INT64_MIN : 0) || has_max;
    if (has_min && has_max)
        snprintf(out, SL_CONF_DESCRIPTION_MAX, "%s from %s to %s", what, from, to);
    else if (has_min)
        snprintf(out, SL_CONF_DESCRIPTION_MAX, "%s of at least %s", what, from);
    else
        snprintf(out, SL_CONF_DESCRIPTION_MAX, "%s", what);
}

static void describe_choice(const struct sl_conf_key *key, char *out)
{
    size_t len = (size_t)snprintf(out, SL_CONF_DESCRIPTION_MAX, "one of ");
    for (int i = 0; key->choices[i] && len < SL_CONF_DESCRIPTION_MAX; i++)
        len += (size_t)snprintf(out + len, SL_CONF_DESCRIPTION_MAX - len, "%s%s", i > 0 ? ", " : "",
                                key->choices[i]);
}

const char *sl_conf_describe(const struct sl_conf_key *key, char out[SL_CONF_DESCRIPTION_MAX])
{
    switch (key->type) {
    case SL_CONF_STRING:
        snprintf(out, SL_CONF_DESCRIPTION_MAX, "a text of at most %zu bytes",
                 sl_conf_max_bytes(key));
        break;
    case SL_CONF_BOOL:
        snprintf(out, SL_CONF_DESCRIPTION_MAX, "true or false");
        break;
    case SL_CONF_INT:
        describe_number(key, "a whole number", out);
        break;
    case SL_CONF_DURATION:
        describe_number(key, "a duration", out);
        break;
    case SL_CONF_BYTES:
        describe_number(key, "a size", out);
        break;
    case SL_CONF_CHOICE:
        describe_choice(key, out);
        break;
    case SL_CONF_LIST:
        snprintf(out, SL_CONF_DESCRIPTION_MAX, "a list of at most %zu items",
                 sl_conf_max_items(key));
        break;
    case SL_CONF_MAP:
        snprintf(out, SL_CONF_DESCRIPTION_MAX, "a section of at most %zu names",
                 sl_conf_max_items(key));
        break;
    }
    return out;
}

const char *sl_conf_unit_hint(const struct sl_conf_key *key)
{
    if (key->type == SL_CONF_DURATION)
        return ", with a unit (ms, s, m, h, d)";
    return key->type == SL_CONF_BYTES ? ", with a unit (B, KiB, MiB, GiB)" : "";
}
