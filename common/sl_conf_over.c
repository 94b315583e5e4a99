/* sl_conf_over.c - lays one YAML document over another: a section goes into the section of its place, everything else
 * takes the place of what was there. */
#include "sl_conf_internal.h"

/* Places in the text that is laid over are told from those of the text below. */
static yaml_mark_t moved(yaml_mark_t mark, size_t number)
{
    mark.line += number * SL_CONF_OVER_LINES;
    return mark;
}

struct laying {
    yaml_document_t *doc, *over;
    size_t number; /* of the text, from 1 */
};

static int copy(const struct laying *l, int from);

/* 0: no memory. Node ids, not pointers: adding a node moves them all. */
static int copy_sequence(const struct laying *l, const yaml_node_t *node)
{
    int to = yaml_document_add_sequence(l->doc, NULL, YAML_FLOW_SEQUENCE_STYLE);
    for (yaml_node_item_t *i = node->data.sequence.items.start;
         to != 0 && i < node->data.sequence.items.top; i++) {
        int item = copy(l, *i);
        if (item == 0 || !yaml_document_append_sequence_item(l->doc, to, item))
            return 0;
    }
    return to;
}

static bool add_pair(const struct laying *l, int mapping, const yaml_node_pair_t *pair)
{
    int key = copy(l, pair->key);
    int value = key != 0 ? copy(l, pair->value) : 0;
    return value != 0 && yaml_document_append_mapping_pair(l->doc, mapping, key, value) != 0;
}

static int copy_mapping(const struct laying *l, const yaml_node_t *node)
{
    int to = yaml_document_add_mapping(l->doc, NULL, YAML_FLOW_MAPPING_STYLE);
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start;
         to != 0 && p < node->data.mapping.pairs.top; p++)
        if (!add_pair(l, to, p))
            return 0;
    return to;
}

static int copy(const struct laying *l, int from)
{
    const yaml_node_t *node = yaml_document_get_node(l->over, from);
    int to = 0;
    if (node->type == YAML_SCALAR_NODE)
        to = yaml_document_add_scalar(l->doc, NULL, node->data.scalar.value,
                                      (int)node->data.scalar.length, node->data.scalar.style);
    else if (node->type == YAML_SEQUENCE_NODE)
        to = copy_sequence(l, node);
    else if (node->type == YAML_MAPPING_NODE)
        to = copy_mapping(l, node);
    if (to != 0)
        yaml_document_get_node(l->doc, to)->start_mark = moved(node->start_mark, l->number);
    return to;
}

/* The index of the pair with that key; -1: none. */
static ptrdiff_t find(const struct laying *l, int mapping, const yaml_node_t *key)
{
    const yaml_node_t *node = yaml_document_get_node(l->doc, mapping);
    yaml_node_pair_t *first = node->data.mapping.pairs.start;
    for (yaml_node_pair_t *p = first; p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *other = yaml_document_get_node(l->doc, p->key);
        if (key->type == YAML_SCALAR_NODE && other->type == YAML_SCALAR_NODE &&
            sl_span_eq(sl_conf_scalar_text(key), sl_conf_scalar_text(other)))
            return p - first;
    }
    return -1;
}

static bool is_mapping(yaml_document_t *doc, int id)
{
    return yaml_document_get_node(doc, id)->type == YAML_MAPPING_NODE;
}

static bool lay_mapping(const struct laying *l, int below, int above);

static bool lay_pair(const struct laying *l, int below, const yaml_node_pair_t *pair)
{
    ptrdiff_t at = find(l, below, yaml_document_get_node(l->over, pair->key));
    if (at < 0)
        return add_pair(l, below, pair);
    const yaml_node_t *node = yaml_document_get_node(l->doc, below);
    int value = node->data.mapping.pairs.start[at].value;
    if (is_mapping(l->doc, value) && is_mapping(l->over, pair->value))
        return lay_mapping(l, value, pair->value);
    const yaml_node_pair_t fresh = {copy(l, pair->key), copy(l, pair->value)};
    yaml_document_get_node(l->doc, below)->data.mapping.pairs.start[at] = fresh;
    return fresh.key != 0 && fresh.value != 0;
}

static bool lay_mapping(const struct laying *l, int below, int above)
{
    const yaml_node_t *node = yaml_document_get_node(l->over, above);
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
         p++)
        if (!lay_pair(l, below, p))
            return false;
    return true;
}

/* Ids begin at 1, and the first node is the root. */
static bool has_sections(yaml_document_t *doc)
{
    return yaml_document_get_root_node(doc) != NULL && is_mapping(doc, 1);
}

void sl_conf_over_lay(yaml_document_t *doc, yaml_document_t *over, size_t number,
                      struct sl_conf_report *r)
{
    const struct laying l = {doc, over, number};
    if (yaml_document_get_root_node(over) == NULL)
        return;
    if (!has_sections(over) || !has_sections(doc))
        sl_conf_report_add(r, (struct sl_conf_place){number * SL_CONF_OVER_LINES + 1, 1},
                           "sections with keys can be laid over others alone");
    else if (!lay_mapping(&l, 1, 1))
        sl_conf_report_no_memory(r);
}
