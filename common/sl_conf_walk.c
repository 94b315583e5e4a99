/* sl_conf_walk.c - goes through a YAML document by a table and fills a struct.
 *
 * The walk keeps one path ("inputs[0].name"), of which the part behind the innermost struct's start
 * is the name to look up in that struct's table. Every node is reported at most once: what is wrong
 * with a value is told at its key, and the walk goes on behind it.
 */
#include <stdarg.h>
#include <stdio.h>

#include "sl_conf_internal.h"

/* Every level adds at most a key and an index. */
enum { PATH_BYTES_MAX = (SL_CONF_DEPTH_MAX + 1) * (SL_CONF_KEY_BYTES_MAX + 16) };

struct walk {
    struct sl_conf *conf;
    struct sl_conf_report *report;
    yaml_document_t *doc;
    bool is_default; /* the document is a table's default text: it has no lines to remember */
    size_t path_len;
    char path[PATH_BYTES_MAX];
};

/* A struct being filled. */
struct target {
    const struct sl_conf_key *table;
    char *base;
    size_t name_start; /* in walk.path: where the names of table begin */
    bool *is_seen;     /* one per key of table */
};

static void walk_value(struct walk *w, const struct sl_conf_key *key, const yaml_node_t *node,
                       struct sl_conf_place at, void *field);

/* ----------------------------------------------------------------------------------------- path */

/* Appends to the path; what comes back is the length to give to path_cut. */
static size_t path_add(struct walk *w, const char *fmt, ...) SL_PRINTF(2, 3);
static size_t path_add(struct walk *w, const char *fmt, ...)
{
    size_t before = w->path_len;
    size_t room = sizeof(w->path) - before;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(w->path + before, room, fmt, args);
    va_end(args);
    w->path_len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
    return before;
}

static size_t path_add_key(struct walk *w, struct sl_span key)
{
    return path_add(w, "%s%.*s", w->path_len > 0 ? "." : "", (int)key.len, (const char *)key.data);
}

static void path_cut(struct walk *w, size_t len)
{
    w->path_len = len;
    w->path[len] = '\0';
}

/* Remembers on which line the value of the current path stands. */
static void remember_line(struct walk *w, const yaml_node_t *node)
{
    if (w->is_default || w->report->status == SL_ENOMEM)
        return;
    struct sl_conf_line *l = sl_arena_zero(&w->conf->arena, 1, sizeof(*l));
    char *path = l ? sl_arena_str(&w->conf->arena, sl_span_of(w->path, w->path_len)) : NULL;
    if (!path) {
        sl_conf_report_no_memory(w->report);
        return;
    }
    *l = (struct sl_conf_line){w->conf->lines, path, (unsigned)sl_conf_place_of(node).line};
    w->conf->lines = l;
}

/* -------------------------------------------------------------------------------------- scalars */

static const char *node_kind(const yaml_node_t *node)
{
    if (sl_conf_is_null(node))
        return "has no value";
    if (node->type == YAML_SEQUENCE_NODE)
        return "is a list";
    return node->type == YAML_MAPPING_NODE ? "is a section" : "is a single value";
}

static void report_kind(struct walk *w, const struct sl_conf_key *key, const yaml_node_t *node,
                        struct sl_conf_place at)
{
    char description[SL_CONF_DESCRIPTION_MAX];
    sl_conf_report_add(w->report, at, "%s %s; it must be %s%s", w->path, node_kind(node),
                       sl_conf_describe(key, description), sl_conf_unit_hint(key));
}

static void report_value(struct walk *w, const struct sl_conf_key *key, struct sl_span text,
                         struct sl_conf_place at)
{
    char description[SL_CONF_DESCRIPTION_MAX];
    char quoted[SL_CONF_QUOTE_MAX];
    sl_conf_describe(key, description);
    if (key->type == SL_CONF_STRING && text.len > sl_conf_max_bytes(key))
        sl_conf_report_add(w->report, at, "%s has %zu bytes; it must be %s", w->path, text.len,
                           description);
    else if (key->type == SL_CONF_STRING)
        sl_conf_report_add(w->report, at, "%s contains a NUL character; it must be %s", w->path,
                           description);
    else
        sl_conf_report_add(w->report, at, "%s is %s; it must be %s%s", w->path,
                           sl_conf_quote(text, quoted), description, sl_conf_unit_hint(key));
}

static void read_text(struct walk *w, const struct sl_conf_key *key, struct sl_span text,
                      struct sl_conf_place at, void *field)
{
    sl_status s = sl_conf_value_read(key, text, &w->conf->arena, field);
    if (s == SL_ENOMEM)
        sl_conf_report_no_memory(w->report);
    else if (s != SL_OK)
        report_value(w, key, text, at);
}

/* In quotes, 5 and true are texts. */
static bool is_text_where_none_fits(const struct sl_conf_key *key, const yaml_node_t *node)
{
    return (key->type == SL_CONF_INT || key->type == SL_CONF_BOOL) &&
           node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
}

static void walk_scalar(struct walk *w, const struct sl_conf_key *key, const yaml_node_t *node,
                        struct sl_conf_place at, void *field)
{
    char description[SL_CONF_DESCRIPTION_MAX];
    if (node->type != YAML_SCALAR_NODE || sl_conf_is_null(node))
        report_kind(w, key, node, at);
    else if (is_text_where_none_fits(key, node))
        sl_conf_report_add(w->report, at, "%s is a text in quotes; it must be %s without quotes",
                           w->path, sl_conf_describe(key, description));
    else
        read_text(w, key, sl_conf_scalar_text(node), at, field);
}

/* ------------------------------------------------------------------------------------- defaults */

/* A list or map whose default is written in the table. */
static void read_default_seq(struct walk *w, const struct sl_conf_key *key, struct sl_conf_place at,
                             void *field)
{
    yaml_document_t doc;
    if (!sl_conf_yaml_load(sl_span_str(key->default_text), w->report, &doc))
        return;
    yaml_document_t *outer = w->doc;
    bool was_default = w->is_default;
    w->doc = &doc;
    w->is_default = true;
    const yaml_node_t *root = yaml_document_get_root_node(&doc);
    if (root)
        walk_value(w, key, root, at, field);
    w->is_default = was_default;
    w->doc = outer;
    yaml_document_delete(&doc);
}

static void read_default(struct walk *w, const struct sl_conf_key *key, struct sl_conf_place at,
                         void *field)
{
    char description[SL_CONF_DESCRIPTION_MAX];
    if (key->default_text && sl_conf_is_scalar(key->type))
        read_text(w, key, sl_span_str(key->default_text), at, field);
    else if (key->default_text)
        read_default_seq(w, key, at, field);
    else if (sl_conf_is_scalar(key->type))
        sl_conf_report_add(w->report, at, "%s is missing; it must be %s%s", w->path,
                           sl_conf_describe(key, description), sl_conf_unit_hint(key));
}

static void fill_defaults(struct walk *w, const struct target *t, struct sl_conf_place at)
{
    for (size_t i = 0; t->table[i].name && w->report->status != SL_ENOMEM; i++) {
        if (t->is_seen[i])
            continue;
        size_t before = path_add_key(w, sl_span_str(t->table[i].name));
        read_default(w, &t->table[i], at, t->base + t->table[i].offset);
        path_cut(w, before);
    }
}

/* ----------------------------------------------------------------------------------------- keys */

/* The text of a pair's key; false: reported. */
static bool key_text(struct walk *w, const yaml_node_t *key, struct sl_span *out)
{
    struct sl_conf_place at = sl_conf_place_of(key);
    char quoted[SL_CONF_QUOTE_MAX];
    if (key->type != YAML_SCALAR_NODE) {
        sl_conf_report_add(w->report, at, "a key must be a text, not a list or section");
        return false;
    }
    *out = sl_conf_scalar_text(key);
    if (out->len == 0 || memchr(out->data, '\0', out->len)) {
        sl_conf_report_add(w->report, at, "a key must not be empty or contain a NUL character");
        return false;
    }
    if (out->len > SL_CONF_KEY_BYTES_MAX) {
        sl_conf_report_add(w->report, at, "the key %s has %zu bytes; at most %d are allowed",
                           sl_conf_quote(*out, quoted), out->len, SL_CONF_KEY_BYTES_MAX);
        return false;
    }
    return true;
}

/* Has an earlier pair of the mapping the same key? Reported. */
static bool is_duplicate(struct walk *w, const yaml_node_t *mapping,
                         const yaml_node_pair_t *this_pair)
{
    const yaml_node_t *this_key = yaml_document_get_node(w->doc, this_pair->key);
    const yaml_node_pair_t *p = mapping->data.mapping.pairs.start;
    for (; p < this_pair; p++) {
        const yaml_node_t *key = yaml_document_get_node(w->doc, p->key);
        if (key->type != YAML_SCALAR_NODE ||
            !sl_span_eq(sl_conf_scalar_text(key), sl_conf_scalar_text(this_key)))
            continue;
        sl_conf_report_add(w->report, sl_conf_place_of(this_key),
                           "%s is given twice; the first is on line %zu", w->path,
                           sl_conf_place_of(key).line);
        return true;
    }
    return false;
}

static void report_unknown(struct walk *w, const struct target *t, bool has_dot,
                           struct sl_conf_place at)
{
    const char *name = w->path + t->name_start;
    struct sl_span near = sl_conf_nearest(t->table, name);
    if (has_dot)
        sl_conf_report_add(w->report, at, "unknown key %s; write sections nested, as a: {b: value}",
                           w->path);
    else if (near.len > 0)
        sl_conf_report_add(w->report, at, "unknown key %s; did you mean %.*s%.*s?", w->path,
                           (int)t->name_start, w->path, (int)near.len, (const char *)near.data);
    else
        sl_conf_report_add(w->report, at, "unknown key %s", w->path);
}

/* -------------------------------------------------------------------------------------- structs */

static void walk_section(struct walk *w, const struct target *t, const yaml_node_t *mapping);

/* Nothing of a section that is no section is missing as well. */
static void mark_section_seen(struct walk *w, const struct target *t)
{
    const char *name = w->path + t->name_start;
    for (size_t i = 0; t->table[i].name; i++) {
        const char *known = t->table[i].name;
        size_t len = strlen(name);
        if (strncmp(known, name, len) == 0 && known[len] == '.')
            t->is_seen[i] = true;
    }
}

static void walk_subsection(struct walk *w, const struct target *t, const yaml_node_t *node,
                            struct sl_conf_place at)
{
    if (node->type == YAML_MAPPING_NODE) {
        walk_section(w, t, node);
    } else if (!sl_conf_is_null(node)) {
        sl_conf_report_add(w->report, at, "%s %s; it must be a section with keys", w->path,
                           node_kind(node));
        mark_section_seen(w, t);
    }
}

/* The pair's key is at the end of the path. */
static void walk_named(struct walk *w, const struct target *t, const yaml_node_t *key_node,
                       const yaml_node_t *node)
{
    struct sl_conf_place at = sl_conf_place_of(key_node);
    struct sl_span written = sl_conf_scalar_text(key_node);
    const char *name = w->path + t->name_start;
    bool has_dot = memchr(written.data, '.', written.len) != NULL;
    for (size_t i = 0; t->table[i].name && !has_dot; i++) {
        if (strcmp(t->table[i].name, name) == 0) {
            t->is_seen[i] = true;
            walk_value(w, &t->table[i], node, at, t->base + t->table[i].offset);
            return;
        }
    }
    if (!has_dot && sl_conf_is_section(t->table, name, strlen(name)))
        walk_subsection(w, t, node, at);
    else
        report_unknown(w, t, has_dot, at);
}

static void walk_section(struct walk *w, const struct target *t, const yaml_node_t *mapping)
{
    const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
    for (; pair < mapping->data.mapping.pairs.top && w->report->status != SL_ENOMEM; pair++) {
        const yaml_node_t *key = yaml_document_get_node(w->doc, pair->key);
        const yaml_node_t *value = yaml_document_get_node(w->doc, pair->value);
        struct sl_span text;
        if (!key_text(w, key, &text))
            continue;
        size_t before = path_add_key(w, text);
        if (!is_duplicate(w, mapping, pair)) {
            remember_line(w, value);
            walk_named(w, t, key, value);
        }
        path_cut(w, before);
    }
}

static size_t table_len(const struct sl_conf_key *table)
{
    size_t len = 0;
    while (table[len].name)
        len++;
    return len;
}

/* node: a mapping, or NULL for a struct of defaults only. at: where missing keys are reported. */
static void walk_struct(struct walk *w, const struct sl_conf_key *table, const yaml_node_t *node,
                        struct sl_conf_place at, void *base)
{
    struct target t = {table, base, w->path_len > 0 ? w->path_len + 1 : 0, NULL};
    t.is_seen = sl_arena_zero(&w->conf->arena, table_len(table), sizeof(*t.is_seen));
    if (!t.is_seen) {
        sl_conf_report_no_memory(w->report);
        return;
    }
    if (node)
        walk_section(w, &t, node);
    fill_defaults(w, &t, at);
}

/* ------------------------------------------------------------------------------- lists and maps */

static void walk_item(struct walk *w, const struct sl_conf_key *seq, const yaml_node_t *node,
                      struct sl_conf_place at, char *item)
{
    const struct sl_conf_key *first = seq->items;
    if (first->name[0] == '\0')
        walk_value(w, first, node, at, item + first->offset);
    else if (node->type == YAML_MAPPING_NODE)
        walk_struct(w, seq->items, node, at, item);
    else if (sl_conf_is_null(node))
        walk_struct(w, seq->items, NULL, at, item);
    else
        sl_conf_report_add(w->report, at, "%s %s; it must be a section with keys", w->path,
                           node_kind(node));
}

/* Room for the items of *field; NULL: reported, or there are none. */
static char *make_items(struct walk *w, const struct sl_conf_key *key, size_t count,
                        struct sl_conf_place at, struct sl_conf_seq *field)
{
    if (count > sl_conf_max_items(key)) {
        sl_conf_report_add(w->report, at, "%s has %zu items; at most %zu are allowed", w->path,
                           count, sl_conf_max_items(key));
        return NULL;
    }
    if (count == 0)
        return NULL;
    field->items = sl_arena_zero(&w->conf->arena, count, key->item_bytes);
    field->count = field->items ? count : 0;
    if (!field->items)
        sl_conf_report_no_memory(w->report);
    return field->items;
}

static void walk_list(struct walk *w, const struct sl_conf_key *key, const yaml_node_t *node,
                      struct sl_conf_place at, struct sl_conf_seq *field)
{
    const yaml_node_item_t *first = node->data.sequence.items.start;
    size_t count = (size_t)(node->data.sequence.items.top - first);
    char *items = make_items(w, key, count, at, field);
    for (size_t i = 0; items && i < count && w->report->status != SL_ENOMEM; i++) {
        const yaml_node_t *item = yaml_document_get_node(w->doc, first[i]);
        size_t before = path_add(w, "[%zu]", i);
        remember_line(w, item);
        walk_item(w, key, item, sl_conf_place_of(item), items + i * key->item_bytes);
        path_cut(w, before);
    }
}

/* The item of one pair of a map; its first member is the name. */
static void walk_map_pair(struct walk *w, const struct sl_conf_key *key, const yaml_node_t *mapping,
                          const yaml_node_pair_t *pair, char *item)
{
    const yaml_node_t *key_node = yaml_document_get_node(w->doc, pair->key);
    const yaml_node_t *value = yaml_document_get_node(w->doc, pair->value);
    struct sl_span name;
    if (!key_text(w, key_node, &name))
        return;
    size_t before = path_add_key(w, name);
    if (!is_duplicate(w, mapping, pair)) {
        *(const char **)(void *)item = sl_arena_str(&w->conf->arena, name);
        if (!*(const char **)(void *)item)
            sl_conf_report_no_memory(w->report);
        remember_line(w, value);
        walk_item(w, key, value, sl_conf_place_of(key_node), item);
    }
    path_cut(w, before);
}

static void walk_map(struct walk *w, const struct sl_conf_key *key, const yaml_node_t *node,
                     struct sl_conf_place at, struct sl_conf_seq *field)
{
    const yaml_node_pair_t *first = node->data.mapping.pairs.start;
    size_t count = (size_t)(node->data.mapping.pairs.top - first);
    char *items = make_items(w, key, count, at, field);
    for (size_t i = 0; items && i < count && w->report->status != SL_ENOMEM; i++)
        walk_map_pair(w, key, node, &first[i], items + i * key->item_bytes);
}

/* at: where the key stands, for what is said about the value. */
static void walk_value(struct walk *w, const struct sl_conf_key *key, const yaml_node_t *node,
                       struct sl_conf_place at, void *field)
{
    if (sl_conf_is_scalar(key->type))
        walk_scalar(w, key, node, at, field);
    else if (sl_conf_is_null(node))
        return; /* an empty list or map */
    else if (key->type == SL_CONF_LIST && node->type == YAML_SEQUENCE_NODE)
        walk_list(w, key, node, at, field);
    else if (key->type == SL_CONF_MAP && node->type == YAML_MAPPING_NODE)
        walk_map(w, key, node, at, field);
    else
        report_kind(w, key, node, at);
}

/* ----------------------------------------------------------------------------------------- root */

static void walk_root(struct walk *w, const struct sl_conf_key *table, void *out)
{
    const yaml_node_t *root = yaml_document_get_root_node(w->doc);
    struct sl_conf_place at = {1, 1};
    if (root)
        at = sl_conf_place_of(root);
    if (root && root->type != YAML_MAPPING_NODE && !sl_conf_is_null(root))
        sl_conf_report_add(w->report, at, "the file %s; it must be a section with keys",
                           node_kind(root));
    else
        walk_struct(w, table, root && root->type == YAML_MAPPING_NODE ? root : NULL, at, out);
}

static void lay_over(yaml_document_t *doc, struct sl_conf_report *r)
{
    for (size_t i = 0; i < r->over_count && r->status == SL_OK; i++) {
        yaml_document_t over;
        struct sl_conf_report own = {.file_name = r->over[i].name, .errors = r->errors};
        if (sl_conf_yaml_load(r->over[i].text, &own, &over)) {
            sl_conf_over_lay(doc, &over, i + 1, r);
            yaml_document_delete(&over);
        } else {
            r->status = own.status;
        }
    }
}

void sl_conf_walk(struct sl_conf *conf, const struct sl_conf_key *table, struct sl_span text,
                  void *out, struct sl_conf_report *r)
{
    yaml_document_t doc;
    if (!sl_conf_yaml_load(text, r, &doc))
        return;
    lay_over(&doc, r);
    if (r->status != SL_OK) {
        yaml_document_delete(&doc);
        return;
    }
    struct walk w;
    w.conf = conf;
    w.report = r;
    w.doc = &doc;
    w.is_default = false;
    path_cut(&w, 0);
    walk_root(&w, table, out);
    yaml_document_delete(&doc);
}
