/* cli_nodes.c - sluice nodes: which executors there are, with their slices. */
#include <stdio.h>
#include <stdlib.h>

#include "cli_ask.h"
#include "cli_options.h"
#include "cli_table.h"
#include "cli_time.h"
#include "sl_text.h"
#include "sluice/v1/admin.pb-c.h"

typedef Sluice__V1__ListNodesResponse__Node pb_node;

static const char help[] = "Usage: sluice nodes [OPTION]...\n\n"
                           "Lists the executors, their slices and models, and what could not be "
                           "loaded.\n\n" CLI_COMMON_HELP;

static json_t *slice_json(const Sluice__V1__Slice *s)
{
    return json_pack("{s:i, s:s, s:s, s:I, s:i, s:b}", "id", (int)s->id, "device", s->device,
                     "kind", s->kind, "memory_bytes", (json_int_t)s->memory_bytes,
                     "share_thousandths", (int)s->share_thousandths, "busy", s->busy);
}

static json_t *node_json(const pb_node *n)
{
    json_t *slices = json_array();
    for (size_t i = 0; i < n->n_slices; i++)
        json_array_append_new(slices, slice_json(n->slices[i]));
    return json_pack("{s:s, s:b, s:b, s:b, s:s, s:I, s:i, s:s, s:I, s:I, s:o, s:o, s:o}", "name",
                     n->name, "connected", n->connected, "stopping", n->stopping, "drained",
                     n->drained, "drained_by", n->drained_by, "drained_at_us",
                     (json_int_t)n->drained_at_us, "calls", (int)n->calls, "version", n->version,
                     "silent_for_ms", (json_int_t)n->silent_for_ms, "connected_for_ms",
                     (json_int_t)n->connected_for_ms, "slices", slices, "models",
                     cli_json_texts(n->models, n->n_models), "problems",
                     cli_json_texts(n->problems, n->n_problems));
}

static int print_json(const Sluice__V1__ListNodesResponse *r)
{
    json_t *nodes = json_array();
    for (size_t i = 0; i < r->n_nodes; i++)
        json_array_append_new(nodes, node_json(r->nodes[i]));
    return cli_print_json(json_pack("{s:o}", "nodes", nodes));
}

static size_t busy_slices(const pb_node *n)
{
    size_t busy = 0;
    for (size_t i = 0; i < n->n_slices; i++)
        busy += n->slices[i]->busy != 0;
    return busy;
}

/* A drained node has calls until those that ran there have ended. */
static void add_state(struct cli_table *t, const pb_node *n)
{
    if (n->drained && !n->connected)
        cli_table_add(t, "drained, gone");
    else if (n->drained && n->calls > 0)
        cli_table_add(t, "draining, %u %s", n->calls, n->calls == 1 ? "call" : "calls");
    else
        cli_table_add(t, "%s",
                      n->drained     ? "drained"
                      : n->stopping  ? "stopping"
                      : n->connected ? "connected"
                                     : "lost");
}

static void add_row(struct cli_table *t, const pb_node *n)
{
    char since[32];
    char silent[32];
    char *models = cli_join(n->models, n->n_models);

    cli_format_ms(n->connected_for_ms, since);
    cli_format_ms(n->silent_for_ms, silent);
    cli_table_add(t, "%s", n->name);
    add_state(t, n);
    cli_table_add(t, "%s", n->connected ? since : "-");
    cli_table_add(t, "%s", n->connected ? silent : "-");
    cli_table_add(t, "%zu of %zu", busy_slices(n), n->n_slices);
    cli_table_add(t, "%s", n->version);
    cli_table_add(t, "%s", models != NULL ? models : "");
    free(models);
}

static void print_slices(const Sluice__V1__ListNodesResponse *r)
{
    static const char *const heads[] = {"NODE",    "SLICE",  "DEVICE", "KIND",
                                        ">MEMORY", ">SHARE", "STATE"};
    struct cli_table t;

    cli_table_init(&t, heads, SL_ARRAY_LEN(heads));
    for (size_t i = 0; i < r->n_nodes; i++) {
        for (size_t j = 0; j < r->nodes[i]->n_slices; j++) {
            const Sluice__V1__Slice *s = r->nodes[i]->slices[j];
            char memory[32];
            sl_text_format_bytes(s->memory_bytes, memory);
            cli_table_add(&t, "%s", r->nodes[i]->name);
            cli_table_add(&t, "%u", s->id);
            cli_table_add(&t, "%s", s->device);
            cli_table_add(&t, "%s", s->kind);
            cli_table_add(&t, "%s", s->memory_bytes > 0 ? memory : "-");
            cli_table_add(&t, "%.1f %%", (double)s->share_thousandths / 10.0);
            cli_table_add(&t, "%s", s->busy ? "busy" : "free");
        }
    }
    putchar('\n');
    cli_table_print(&t);
}

static int print_table(const Sluice__V1__ListNodesResponse *r)
{
    static const char *const heads[] = {"NODE",        "STATE",   ">SINCE", ">SILENT",
                                        "BUSY SLICES", "VERSION", "MODELS"};
    struct cli_table t;

    if (r->n_nodes == 0) {
        puts("no nodes: no executor has connected");
        return CLI_OK;
    }
    cli_table_init(&t, heads, SL_ARRAY_LEN(heads));
    for (size_t i = 0; i < r->n_nodes; i++)
        add_row(&t, r->nodes[i]);
    cli_table_print(&t);
    print_slices(r);
    for (size_t i = 0; i < r->n_nodes; i++) {
        for (size_t j = 0; j < r->nodes[i]->n_problems; j++)
            printf("\nnot loaded on %s: %s\n", r->nodes[i]->name, r->nodes[i]->problems[j]);
    }
    return CLI_OK;
}

int cli_nodes(int argc, char **argv)
{
    static const struct cli_grammar grammar = {.name = "nodes", .help = help, .as_operator = true};
    struct cli_common c;
    ProtobufCMessage *m;
    int code;

    if (!cli_options_read(argc, argv, &grammar, &c, NULL, &code))
        return code;
    code = cli_ask(&c, "/sluice.v1.Admin/ListNodes", NULL,
                   &sluice__v1__list_nodes_response__descriptor, &m);
    if (code != CLI_OK)
        return code;
    const Sluice__V1__ListNodesResponse *r = (const void *)m;
    code = c.json ? print_json(r) : print_table(r);
    protobuf_c_message_free_unpacked(m, NULL);
    return code;
}
