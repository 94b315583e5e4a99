/* cli_models.c - sluice models: which models there are, and where. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_ask.h"
#include "cli_options.h"
#include "cli_table.h"
#include "sluice/v1/admin.pb-c.h"

typedef Sluice__V1__ListModelsResponse__Model pb_model;

static const char help[] =
    "Usage: sluice models [OPTION]...\n\n"
    "Lists the models of all nodes, with what they take and give.\n\n" CLI_COMMON_HELP;

static json_t *model_json(const pb_model *m)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:o, s:s, s:I, s:I, s:s, s:o, s:o, s:I, s:I, s:I, s:I}",
                     "name", m->name, "version", m->version, "engine", m->engine, "ready", m->ready,
                     "nodes", cli_json_texts(m->nodes, m->n_nodes), "duration", m->duration,
                     "duration_ms", (json_int_t)m->duration_ms, "max_duration_ms",
                     (json_int_t)m->max_duration_ms, "size", m->size, "inputs",
                     cli_json_texts(m->inputs, m->n_inputs), "outputs",
                     cli_json_texts(m->outputs, m->n_outputs), "calls", (json_int_t)m->calls,
                     "mean_exec_us", (json_int_t)m->mean_exec_us, "max_batch",
                     (json_int_t)m->max_batch, "runs", (json_int_t)m->runs);
}

static int print_json(const Sluice__V1__ListModelsResponse *r)
{
    json_t *models = json_array();
    for (size_t i = 0; i < r->n_models; i++)
        json_array_append_new(models, model_json(r->models[i]));
    return cli_print_json(json_pack("{s:o}", "models", models));
}

static void add_joined(struct cli_table *t, char *const *texts, size_t count)
{
    char *joined = cli_join(texts, count);
    cli_table_add(t, "%s", joined != NULL ? joined : "");
    free(joined);
}

/* An expression as far as it fits; --json has all of it. */
static void add_duration(struct cli_table *t, const char *duration)
{
    enum { SHOWN_MAX = 40 };
    if (strlen(duration) <= SHOWN_MAX)
        cli_table_add(t, "%s", duration);
    else
        cli_table_add(t, "%.*s...", SHOWN_MAX - 3, duration);
}

static void add_row(struct cli_table *t, const pb_model *m)
{
    cli_table_add(t, "%s", m->name);
    cli_table_add(t, "%s", m->version);
    cli_table_add(t, "%s", m->engine);
    cli_table_add(t, "%s", m->ready ? "yes" : "no");
    cli_table_add(t, "%llu", (unsigned long long)m->calls);
    if (m->mean_exec_us > 0)
        cli_table_add(t, "%.3f ms", (double)m->mean_exec_us / 1000.0);
    else
        cli_table_add(t, "-");
    add_duration(t, m->duration);
    cli_table_add(t, "%s", m->size[0] != '\0' ? m->size : "-");
    add_joined(t, m->inputs, m->n_inputs);
    add_joined(t, m->outputs, m->n_outputs);
    add_joined(t, m->nodes, m->n_nodes);
}

static int print_table(const Sluice__V1__ListModelsResponse *r)
{
    static const char *const heads[] = {"MODEL",  "VERSION", "ENGINE",   "READY",
                                        ">CALLS", ">MEAN",   "DURATION", "SIZE",
                                        "INPUTS", "OUTPUTS", "NODES"};
    struct cli_table t;

    if (r->n_models == 0) {
        puts("no models");
        return CLI_OK;
    }
    cli_table_init(&t, heads, SL_ARRAY_LEN(heads));
    for (size_t i = 0; i < r->n_models; i++)
        add_row(&t, r->models[i]);
    cli_table_print(&t);
    return CLI_OK;
}

int cli_models(int argc, char **argv)
{
    static const struct cli_grammar grammar = {.name = "models", .help = help, .as_operator = true};
    struct cli_common c;
    ProtobufCMessage *m;
    int code;

    if (!cli_options_read(argc, argv, &grammar, &c, NULL, &code))
        return code;
    code = cli_ask(&c, "/sluice.v1.Admin/ListModels", NULL,
                   &sluice__v1__list_models_response__descriptor, &m);
    if (code != CLI_OK)
        return code;
    const Sluice__V1__ListModelsResponse *r = (const void *)m;
    code = c.json ? print_json(r) : print_table(r);
    protobuf_c_message_free_unpacked(m, NULL);
    return code;
}
