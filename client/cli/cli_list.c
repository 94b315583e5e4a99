/* cli_list.c - lists that come in pages. */
#include "cli_list.h"

#include <stdio.h>
#include <string.h>

#include "cli_ask.h"
#include "cli_pb_json.h"

enum { PAGE_ROWS = 200 };

/* On its way through the pages. */
struct listing {
    const struct cli_list *list;
    const ProtobufCFieldDescriptor *rows;
    json_t *json;   /* NULL: a table */
    bool is_broken; /* a row could not be made JSON of */
    struct cli_table table;
    int64_t count, next_page;
};

static void *field_of(ProtobufCMessage *m, const char *name)
{
    const ProtobufCFieldDescriptor *f =
        protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);
    return (uint8_t *)m + f->offset;
}

static const ProtobufCFieldDescriptor *rows_of(const ProtobufCMessageDescriptor *d)
{
    unsigned i = 0;
    while (d->fields[i].label != PROTOBUF_C_LABEL_REPEATED)
        i++;
    return &d->fields[i];
}

static void take_row(struct listing *v, const ProtobufCMessage *row)
{
    v->count++;
    if (v->json != NULL)
        v->is_broken = json_array_append_new(v->json, cli_pb_json(row)) != 0 || v->is_broken;
    else
        v->list->add_row(&v->table, row, v->list->ctx);
}

static void take_page(struct listing *v, ProtobufCMessage *m)
{
    ProtobufCMessage **rows;
    size_t count;

    memcpy(&count, (uint8_t *)m + v->rows->quantifier_offset, sizeof(count));
    memcpy(&rows, (uint8_t *)m + v->rows->offset, sizeof(rows));
    for (size_t i = 0; i < count && v->count < v->list->limit; i++)
        take_row(v, rows[i]);
    v->next_page = *(int64_t *)field_of(m, "next_page");
}

static int ask_pages(struct listing *v, struct cli_common *c)
{
    const struct cli_list *l = v->list;
    struct sluice_channel *channel;
    ProtobufCMessage *m;
    int code = cli_open(c, &channel);

    if (code != CLI_OK)
        return code;
    do {
        int64_t wanted = l->limit - v->count;
        *(int32_t *)field_of(l->request, "page_size") =
            wanted < PAGE_ROWS ? (int32_t)wanted : PAGE_ROWS;
        *(int64_t *)field_of(l->request, "page") = v->next_page;
        code = cli_ask_on(c, channel, l->method, l->request, l->answer, &m);
        if (code != CLI_OK)
            break;
        take_page(v, m);
        protobuf_c_message_free_unpacked(m, NULL);
    } while (v->next_page != 0 && v->count < l->limit);
    sluice_channel_destroy(channel);
    return code;
}

static int print_json(const struct listing *v, const struct cli_common *c)
{
    if (v->is_broken)
        return cli_fail(c, CLI_FAILED,
                        "the answer to %s has a text that is not UTF-8, or memory is gone",
                        v->list->method);
    return cli_print_json(
        json_pack("{s:O, s:b}", v->rows->name, v->json, "has_more", v->next_page != 0));
}

static int print_table(struct listing *v)
{
    const struct cli_list *l = v->list;
    bool has_more = v->next_page != 0;

    if (v->count == 0) {
        puts(l->none);
        return CLI_OK;
    }
    cli_table_print(&v->table);
    if (l->print_end != NULL)
        l->print_end(l->ctx, v->count, has_more);
    else if (has_more)
        puts("\nthere are more: --limit shows them");
    return CLI_OK;
}

int cli_list_run(struct cli_common *c, const struct cli_list *l)
{
    struct listing v = {.list = l, .rows = rows_of(l->answer)};

    v.json = c->json ? json_array() : NULL;
    cli_table_init(&v.table, l->heads, l->column_count);
    int code = ask_pages(&v, c);
    if (code == CLI_OK)
        code = c->json ? print_json(&v, c) : print_table(&v);
    cli_table_finish(&v.table);
    json_decref(v.json);
    return code;
}
