/* up_conf.c - the daemons' configuration files: two YAML documents merged by libyaml. */
#include "up_conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "sl_span.h"

enum { DEPTH_MAX = 16 };

struct merge {
    yaml_document_t user; /* the operator's file */
    yaml_document_t out;
    const char *user_path;
    struct sl_error *why;
};

static sl_status no_memory(struct merge *m)
{
    sl_error_set(m->why, SL_REASON_INTERNAL, "no memory for a configuration file");
    return SL_ENOMEM;
}

static sl_status fail_file(struct merge *m, const char *path, const char *what)
{
    sl_error_set(m->why, SL_REASON_BAD_INPUT, "%s: %s", path, what);
    return SL_EINVAL;
}

static bool is_scalar(const yaml_node_t *n, const char *text)
{
    return n->type == YAML_SCALAR_NODE && n->data.scalar.length == strlen(text) &&
           memcmp(n->data.scalar.value, text, n->data.scalar.length) == 0;
}

/* The value of key in the mapping of that number; 0: none. */
static int find_value(yaml_document_t *d, int mapping, const char *key)
{
    const yaml_node_t *n = yaml_document_get_node(d, mapping);

    for (const yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top;
         p++) {
        if (is_scalar(yaml_document_get_node(d, p->key), key))
            return p->value;
    }
    return 0;
}

static int add_text(yaml_document_t *d, const char *text, size_t len, yaml_scalar_style_t style)
{
    return yaml_document_add_scalar(d, NULL, (const yaml_char_t *)text, (int)len, style);
}

static int copy_node(struct merge *m, int from, int depth);

static int copy_mapping(struct merge *m, int from, int depth)
{
    int to = yaml_document_add_mapping(&m->out, NULL, YAML_BLOCK_MAPPING_STYLE);
    size_t count = (size_t)(yaml_document_get_node(&m->user, from)->data.mapping.pairs.top -
                            yaml_document_get_node(&m->user, from)->data.mapping.pairs.start);

    for (size_t i = 0; i < count && to != 0; i++) {
        yaml_node_pair_t p = yaml_document_get_node(&m->user, from)->data.mapping.pairs.start[i];
        int key = copy_node(m, p.key, depth + 1);
        int value = copy_node(m, p.value, depth + 1);
        if (key == 0 || value == 0 ||
            yaml_document_append_mapping_pair(&m->out, to, key, value) == 0)
            return 0;
    }
    return to;
}

static int copy_sequence(struct merge *m, int from, int depth)
{
    int to = yaml_document_add_sequence(&m->out, NULL, YAML_FLOW_SEQUENCE_STYLE);
    size_t count = (size_t)(yaml_document_get_node(&m->user, from)->data.sequence.items.top -
                            yaml_document_get_node(&m->user, from)->data.sequence.items.start);

    for (size_t i = 0; i < count && to != 0; i++) {
        int at = yaml_document_get_node(&m->user, from)->data.sequence.items.start[i];
        int item = copy_node(m, at, depth + 1);
        if (item == 0 || yaml_document_append_sequence_item(&m->out, to, item) == 0)
            return 0;
    }
    return to;
}

/* The node's number in out; 0: no memory, or too deep. */
static int copy_node(struct merge *m, int from, int depth)
{
    const yaml_node_t *n = yaml_document_get_node(&m->user, from);

    if (depth > DEPTH_MAX)
        return 0;
    if (n->type == YAML_MAPPING_NODE)
        return copy_mapping(m, from, depth);
    if (n->type == YAML_SEQUENCE_NODE)
        return copy_sequence(m, from, depth);
    return add_text(&m->out, (const char *)n->data.scalar.value, n->data.scalar.length,
                    n->data.scalar.style);
}

/* The root of out: a copy of the section, or an empty mapping. */
static sl_status begin_out(struct merge *m, const char *section)
{
    const yaml_node_t *root = m->user_path != NULL ? yaml_document_get_root_node(&m->user) : NULL;
    int at = 0;

    if (root != NULL && root->type != YAML_MAPPING_NODE)
        return fail_file(m, m->user_path, "it must be a mapping with gateway: and executor:");
    if (root != NULL)
        at = find_value(&m->user, 1, section);
    if (at != 0 && yaml_document_get_node(&m->user, at)->type != YAML_MAPPING_NODE)
        return fail_file(m, m->user_path, "gateway: and executor: must be mappings");
    int root_out = at != 0 ? copy_mapping(m, at, 0)
                           : yaml_document_add_mapping(&m->out, NULL, YAML_BLOCK_MAPPING_STYLE);
    return root_out != 0 ? SL_OK : no_memory(m);
}

static bool put_pair(struct merge *m, int mapping, struct sl_span key, int value)
{
    int k = add_text(&m->out, (const char *)key.data, key.len, YAML_ANY_SCALAR_STYLE);
    return k != 0 && value != 0 && yaml_document_append_mapping_pair(&m->out, mapping, k, value);
}

/* The mapping called name inside mapping, made when it is not there; 0: no memory or no mapping. */
static int enter(struct merge *m, int mapping, struct sl_span name)
{
    char text[64];
    snprintf(text, sizeof(text), "%.*s", (int)name.len, (const char *)name.data);
    int inner = find_value(&m->out, mapping, text);

    if (inner != 0)
        return yaml_document_get_node(&m->out, inner)->type == YAML_MAPPING_NODE ? inner : 0;
    inner = yaml_document_add_mapping(&m->out, NULL, YAML_BLOCK_MAPPING_STYLE);
    return put_pair(m, mapping, name, inner) ? inner : 0;
}

static sl_status put_key(struct merge *m, const struct up_key *key)
{
    const char *name = key->name;
    const char *dot;
    int mapping = 1; /* libyaml numbers nodes from 1; the root was made first */

    while ((dot = strchr(name, '.')) != NULL && mapping != 0) {
        mapping = enter(m, mapping, sl_span_of(name, (size_t)(dot - name)));
        name = dot + 1;
    }
    if (mapping == 0)
        return no_memory(m);
    if (find_value(&m->out, mapping, name) != 0) {
        sl_error_set(m->why, SL_REASON_BAD_INPUT,
                     "%s sets %s, which sluice up sets itself: leave it out", m->user_path,
                     key->name);
        return SL_EINVAL;
    }
    /* Nothing at all would be read as null. */
    yaml_scalar_style_t style =
        key->value[0] == '\0' ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_ANY_SCALAR_STYLE;
    int value = add_text(&m->out, key->value, strlen(key->value), style);
    return put_pair(m, mapping, sl_span_str(name), value) ? SL_OK : no_memory(m);
}

/* Emits and, whatever comes of it, frees out. */
static sl_status emit(struct merge *m, const char *path)
{
    yaml_emitter_t emitter;
    FILE *f = fopen(path, "we");
    bool ok = f != NULL && yaml_emitter_initialize(&emitter) != 0;

    if (!ok) {
        yaml_document_delete(&m->out);
    } else {
        yaml_emitter_set_output_file(&emitter, f);
        ok = yaml_emitter_dump(&emitter, &m->out) != 0; /* takes and frees the document */
        yaml_emitter_delete(&emitter);
    }
    if (f != NULL)
        ok = fclose(f) == 0 && ok;
    if (ok)
        return SL_OK;
    sl_error_set(m->why, SL_REASON_INTERNAL, "cannot write %s: %s", path, strerror(errno));
    return SL_EIO;
}

static sl_status load_user(struct merge *m)
{
    yaml_parser_t parser;
    char what[256];
    FILE *f = fopen(m->user_path, "re");

    if (f == NULL)
        return fail_file(m, m->user_path, strerror(errno));
    if (yaml_parser_initialize(&parser) == 0) {
        fclose(f);
        return no_memory(m);
    }
    yaml_parser_set_input_file(&parser, f);
    bool ok = yaml_parser_load(&parser, &m->user) != 0;
    if (!ok)
        snprintf(what, sizeof(what), "line %zu: %s", parser.problem_mark.line + 1,
                 parser.problem != NULL ? parser.problem : "it is not YAML");
    yaml_parser_delete(&parser);
    fclose(f);
    return ok ? SL_OK : fail_file(m, m->user_path, what);
}

static sl_status merge_out(struct merge *m, const char *section, const struct up_key *keys,
                           const char *out_path)
{
    if (yaml_document_initialize(&m->out, NULL, NULL, NULL, 1, 1) == 0)
        return no_memory(m);
    sl_status s = begin_out(m, section);
    for (const struct up_key *k = keys; k->name != NULL && s == SL_OK; k++)
        s = put_key(m, k);
    if (s != SL_OK) {
        yaml_document_delete(&m->out);
        return s;
    }
    return emit(m, out_path);
}

sl_status up_conf_write(const char *out_path, const char *user_path, const char *section,
                        const struct up_key *keys, struct sl_error *why)
{
    struct merge m = {.user_path = user_path, .why = why};
    sl_status s = user_path != NULL ? load_user(&m) : SL_OK;

    if (s != SL_OK)
        return s;
    s = merge_out(&m, section, keys, out_path);
    if (user_path != NULL)
        yaml_document_delete(&m.user);
    return s;
}
