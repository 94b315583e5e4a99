/* sl_conf_yaml.c - text to a YAML document: first its events, where every limit and every feature
 * we refuse is seen before anything is built, then libyaml's document. */
#include <string.h>

#include "sl_conf_internal.h"

static struct sl_conf_place place_at(yaml_mark_t mark)
{
    return (struct sl_conf_place){mark.line + 1, mark.column + 1};
}

struct sl_conf_place sl_conf_place_of(const yaml_node_t *node)
{
    return place_at(node->start_mark);
}

struct sl_span sl_conf_scalar_text(const yaml_node_t *scalar)
{
    return sl_span_of(scalar->data.scalar.value, scalar->data.scalar.length);
}

bool sl_conf_is_null(const yaml_node_t *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < SL_ARRAY_LEN(nulls); i++) {
        if (sl_span_eq_str(sl_conf_scalar_text(node), nulls[i]))
            return true;
    }
    return false;
}

/* Bytes that are no characters have an offset only. */
static struct sl_conf_place place_of_offset(struct sl_span text, size_t offset)
{
    struct sl_conf_place at = {1, 1};
    for (size_t i = 0; i < text.len && i < offset; i++) {
        bool ends_line = text.data[i] == '\n';
        at.line += ends_line ? 1 : 0;
        at.column = ends_line ? 1 : at.column + 1;
    }
    return at;
}

static void report_parser_error(const yaml_parser_t *parser, struct sl_span text,
                                struct sl_conf_report *r)
{
    const char *problem = parser->problem ? parser->problem : "cannot be read";
    /* The loader says nothing at some places where it has no memory; all else has a name. */
    if (parser->error == YAML_MEMORY_ERROR || parser->error == YAML_NO_ERROR)
        sl_conf_report_no_memory(r);
    else if (parser->error == YAML_READER_ERROR)
        sl_conf_report_add(r, place_of_offset(text, parser->problem_offset), "not YAML: %s",
                           problem);
    else
        sl_conf_report_add(r, place_at(parser->problem_mark), "not YAML: %s%s%s", problem,
                           parser->context ? " " : "", parser->context ? parser->context : "");
}

static bool start_parser(yaml_parser_t *parser, struct sl_span text, struct sl_conf_report *r)
{
    static const unsigned char nothing[1];
    if (!yaml_parser_initialize(parser)) {
        sl_conf_report_no_memory(r);
        return false;
    }
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, text.len > 0 ? text.data : nothing, text.len);
    return true;
}

/* --------------------------------------------------------------------------------------- events */

struct census {
    size_t documents;
    size_t nodes;
    size_t depth;
};

/* What a node says about itself in front of its content. */
static void check_properties(const yaml_event_t *e, const yaml_char_t *anchor,
                             const yaml_char_t *tag, struct sl_conf_report *r)
{
    if (anchor)
        sl_conf_report_add(r, place_at(e->start_mark),
                           "anchor &%s: anchors and aliases are not allowed; repeat the value",
                           (const char *)anchor);
    if (tag)
        sl_conf_report_add(r, place_at(e->start_mark), "tag %s: tags are not allowed; leave it out",
                           (const char *)tag);
}

static void check_event(const yaml_event_t *e, struct census *c, struct sl_conf_report *r)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++c->documents == 2)
            sl_conf_report_add(r, place_at(e->start_mark),
                               "a second document begins; a file has one");
        break;
    case YAML_ALIAS_EVENT:
        sl_conf_report_add(r, place_at(e->start_mark),
                           "alias *%s: anchors and aliases are not allowed; repeat the value",
                           (const char *)e->data.alias.anchor);
        break;
    case YAML_SCALAR_EVENT:
        c->nodes++;
        check_properties(e, e->data.scalar.anchor, e->data.scalar.tag, r);
        break;
    case YAML_SEQUENCE_START_EVENT:
        c->nodes++;
        c->depth++;
        check_properties(e, e->data.sequence_start.anchor, e->data.sequence_start.tag, r);
        break;
    case YAML_MAPPING_START_EVENT:
        c->nodes++;
        c->depth++;
        check_properties(e, e->data.mapping_start.anchor, e->data.mapping_start.tag, r);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        c->depth--;
        break;
    default:
        break;
    }
}

/* False: over a limit, reported; what follows is not looked at. */
static bool is_within_limits(const yaml_event_t *e, const struct census *c,
                             struct sl_conf_report *r)
{
    if (c->depth > SL_CONF_DEPTH_MAX) {
        sl_conf_report_add(r, place_at(e->start_mark), "more than %d levels", SL_CONF_DEPTH_MAX);
        return false;
    }
    if (c->nodes > SL_CONF_NODES_MAX) {
        sl_conf_report_add(r, place_at(e->start_mark), "more than %d keys and values",
                           SL_CONF_NODES_MAX);
        return false;
    }
    return true;
}

/* Walks the events until the end, a syntax error or a limit. */
static void check_events(yaml_parser_t *parser, struct sl_span text, struct sl_conf_report *r)
{
    struct census census = {0};
    yaml_event_type_t type = YAML_NO_EVENT;
    while (type != YAML_STREAM_END_EVENT) {
        yaml_event_t e;
        if (!yaml_parser_parse(parser, &e)) {
            report_parser_error(parser, text, r);
            return;
        }
        check_event(&e, &census, r);
        type = is_within_limits(&e, &census, r) ? e.type : YAML_STREAM_END_EVENT;
        yaml_event_delete(&e);
    }
}

/* ------------------------------------------------------------------------------------- document */

bool sl_conf_yaml_load(struct sl_span text, struct sl_conf_report *r, yaml_document_t *out_doc)
{
    sl_status before = r->status;
    yaml_parser_t parser;
    if (text.len > SL_CONF_BYTES_MAX) {
        sl_conf_report_add(r, (struct sl_conf_place){0, 0}, "%zu bytes; at most %d are read",
                           text.len, SL_CONF_BYTES_MAX);
        return false;
    }
    if (!start_parser(&parser, text, r))
        return false;
    check_events(&parser, text, r);
    yaml_parser_delete(&parser);
    if (r->status != before || !start_parser(&parser, text, r))
        return false;
    bool is_loaded = yaml_parser_load(&parser, out_doc) != 0;
    if (!is_loaded)
        report_parser_error(&parser, text, r);
    yaml_parser_delete(&parser);
    return is_loaded;
}
