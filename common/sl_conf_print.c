/* sl_conf_print.c - a struct by its table into YAML: builds a document of libyaml and has it
 * written. */
#include <string.h>
#include <strings.h>

#include "sl_conf_internal.h"

/* Scalars are formatted into text before libyaml copies them. */
struct printer {
    yaml_document_t doc;
    struct sl_buf text;
};

enum { NO_NODE = 0, SCALAR_BYTES_MAX = SL_CONF_BYTES_MAX };

static int add_value(struct printer *p, const struct sl_conf_key *key, const void *field);

/* ---------------------------------------------------------------------------------------- nodes */

/* A text that no reader takes for a number, a bool or null needs no quotes. */
static bool is_plain_text(struct sl_span s)
{
    static const char *const words[] = {"true", "false", "yes", "no", "on",
                                        "off",  "null",  "y",   "n",  "nan"};
    bool starts_plain = s.len > 0 && (strchr("/_", s.data[0]) || (s.data[0] | 32) >= 'a');
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.data[i];
        bool is_letter = ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (!is_letter && !(c >= '0' && c <= '9') && (c == '\0' || !strchr("/_.-+@", c)))
            return false;
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(words); i++) {
        if (s.len == strlen(words[i]) && strncasecmp((const char *)s.data, words[i], s.len) == 0)
            return false;
    }
    return starts_plain;
}

static int add_text(struct printer *p, struct sl_span s, bool is_string)
{
    static const yaml_char_t nothing[1];
    yaml_scalar_style_t style =
        is_string && !is_plain_text(s) ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE;
    return yaml_document_add_scalar(&p->doc, NULL, s.len > 0 ? s.data : nothing, (int)s.len, style);
}

static int add_scalar(struct printer *p, const struct sl_conf_key *key, const void *field)
{
    sl_buf_clear(&p->text);
    if (sl_conf_value_format(key, field, &p->text) != SL_OK)
        return NO_NODE;
    return add_text(p, sl_buf_span(&p->text), key->type == SL_CONF_STRING);
}

/* Puts name: value into mapping; false: no memory. */
static bool add_pair(struct printer *p, int mapping, struct sl_span name, int value)
{
    int key = value == NO_NODE ? NO_NODE : add_text(p, name, true);
    return key != NO_NODE && yaml_document_append_mapping_pair(&p->doc, mapping, key, value);
}

/* -------------------------------------------------------------------------------------- structs */

/* Is the section that k's name begins with also that of an earlier key? Then it stands there. */
static bool is_listed_before(const struct sl_conf_key *table, const struct sl_conf_key *k,
                             size_t end)
{
    for (const struct sl_conf_key *earlier = table; earlier < k; earlier++) {
        if (strncmp(earlier->name, k->name, end) == 0 && earlier->name[end] == '.')
            return true;
    }
    return false;
}

/* The keys of table that begin with the first prefix_len bytes of prefix, as a mapping. */
static int add_section(struct printer *p, const struct sl_conf_key *table, const char *base,
                       const char *prefix, size_t prefix_len)
{
    int mapping = yaml_document_add_mapping(&p->doc, NULL, YAML_BLOCK_MAPPING_STYLE);
    for (const struct sl_conf_key *k = table; k->name && mapping != NO_NODE; k++) {
        if (strncmp(k->name, prefix, prefix_len) != 0)
            continue;
        const char *part = k->name + prefix_len;
        size_t len = strcspn(part, ".");
        bool is_section = part[len] == '.';
        if (is_section && is_listed_before(table, k, prefix_len + len))
            continue;
        int value = is_section ? add_section(p, table, base, k->name, prefix_len + len + 1)
                               : add_value(p, k, base + k->offset);
        if (!add_pair(p, mapping, sl_span_of(part, len), value))
            return NO_NODE;
    }
    return mapping;
}

/* ------------------------------------------------------------------------------- lists and maps */

static int add_item(struct printer *p, const struct sl_conf_key *seq, const char *item)
{
    const struct sl_conf_key *first = seq->items;
    return first->name[0] == '\0' ? add_value(p, first, item + first->offset)
                                  : add_section(p, seq->items, item, "", 0);
}

static int add_list(struct printer *p, const struct sl_conf_key *key, const struct sl_conf_seq *seq)
{
    bool has_scalars = key->items->name[0] == '\0' && sl_conf_is_scalar(key->items->type);
    int list = yaml_document_add_sequence(
        &p->doc, NULL, has_scalars ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE);
    for (size_t i = 0; i < seq->count && list != NO_NODE; i++) {
        int item = add_item(p, key, (const char *)seq->items + i * key->item_bytes);
        if (item == NO_NODE || !yaml_document_append_sequence_item(&p->doc, list, item))
            return NO_NODE;
    }
    return list;
}

static int add_map(struct printer *p, const struct sl_conf_key *key, const struct sl_conf_seq *seq)
{
    int map = yaml_document_add_mapping(&p->doc, NULL, YAML_BLOCK_MAPPING_STYLE);
    for (size_t i = 0; i < seq->count && map != NO_NODE; i++) {
        const char *item = (const char *)seq->items + i * key->item_bytes;
        const char *name = *(const char *const *)(const void *)item;
        if (!add_pair(p, map, sl_span_str(name), add_item(p, key, item)))
            return NO_NODE;
    }
    return map;
}

/* NO_NODE: no memory. */
static int add_value(struct printer *p, const struct sl_conf_key *key, const void *field)
{
    if (key->type == SL_CONF_LIST)
        return add_list(p, key, field);
    return key->type == SL_CONF_MAP ? add_map(p, key, field) : add_scalar(p, key, field);
}

/* --------------------------------------------------------------------------------------- output */

struct output {
    struct sl_buf *buf;
    sl_status status;
};

static int write_bytes(void *ctx, unsigned char *bytes, size_t len)
{
    struct output *o = ctx;
    o->status = sl_buf_append(o->buf, bytes, len);
    return o->status == SL_OK;
}

/* Writes the document and frees it. */
static sl_status emit(yaml_document_t *doc, struct sl_buf *out)
{
    struct output o = {out, SL_OK};
    yaml_emitter_t emitter;
    if (!yaml_emitter_initialize(&emitter)) {
        yaml_document_delete(doc);
        return SL_ENOMEM;
    }
    yaml_emitter_set_output(&emitter, write_bytes, &o);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    bool is_written = yaml_emitter_open(&emitter) && yaml_emitter_dump(&emitter, doc) &&
                      yaml_emitter_close(&emitter);
    yaml_emitter_delete(&emitter);
    if (o.status != SL_OK)
        return o.status;
    return is_written ? SL_OK : SL_ENOMEM;
}

sl_status sl_conf_print(const struct sl_conf_key *table, const void *values, struct sl_buf *out)
{
    struct printer p;
    size_t before = out->len;
    if (!yaml_document_initialize(&p.doc, NULL, NULL, NULL, 1, 1))
        return SL_ENOMEM;
    sl_buf_init(&p.text, out->alloc, SCALAR_BYTES_MAX);
    int root = add_section(&p, table, values, "", 0);
    sl_buf_finish(&p.text);
    if (root == NO_NODE) {
        yaml_document_delete(&p.doc);
        return SL_ENOMEM;
    }
    sl_status s = emit(&p.doc, out);
    if (s != SL_OK)
        out->len = before; /* all or nothing */
    return s;
}
