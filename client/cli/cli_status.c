/* cli_status.c - sluice status: how the gateway does. */
#include <stdio.h>

#include "cli_ask.h"
#include "cli_options.h"
#include "cli_time.h"
#include "sluice/v1/admin.pb-c.h"

typedef Sluice__V1__GetStatusResponse pb_status;

static const char help[] = "Usage: sluice status [OPTION]...\n\n"
                           "Shows calls by state, slices, and how calls ended since the gateway's "
                           "start.\n\n" CLI_COMMON_HELP;

static int print_json(const pb_status *s)
{
    json_t *outcomes = json_object();
    for (size_t i = 0; i < s->n_outcomes; i++)
        json_object_set_new(outcomes, s->outcomes[i]->reason,
                            json_integer((json_int_t)s->outcomes[i]->calls));
    json_t *calls =
        json_pack("{s:I, s:I, s:I, s:I}", "receiving", (json_int_t)s->calls_receiving, "queued",
                  (json_int_t)s->calls_queued, "dispatched", (json_int_t)s->calls_dispatched,
                  "running", (json_int_t)s->calls_running);
    return cli_print_json(json_pack(
        "{s:s, s:I, s:b, s:b, s:i, s:i, s:i, s:i, s:i, s:o, s:o}", "version", s->version,
        "uptime_ms", (json_int_t)s->uptime_ms, "ready", s->ready, "draining", s->draining, "nodes",
        (int)s->nodes, "slices", (int)s->slices, "slices_busy", (int)s->slices_busy, "models",
        (int)s->models, "connections", (int)s->connections, "calls", calls, "outcomes", outcomes));
}

static int print_text(const struct cli_common *c, const pb_status *s)
{
    char up[32];

    cli_format_ms(s->uptime_ms, up);
    printf("gateway     %s, version %s, up %s, %s\n", c->address, s->version, up,
           s->draining ? "draining"
           : s->ready  ? "ready"
                       : "not ready");
    printf("nodes       %u, models %u, slices %u of %u busy\n", s->nodes, s->models, s->slices_busy,
           s->slices);
    printf("connections %u\n", s->connections);
    printf("calls       %llu receiving, %llu queued, %llu dispatched, %llu running\n",
           (unsigned long long)s->calls_receiving, (unsigned long long)s->calls_queued,
           (unsigned long long)s->calls_dispatched, (unsigned long long)s->calls_running);
    for (size_t i = 0; i < s->n_outcomes; i++)
        printf("%s%12llu %s\n", i == 0 ? "ended so far\n" : "",
               (unsigned long long)s->outcomes[i]->calls, s->outcomes[i]->reason);
    return CLI_OK;
}

int cli_status(int argc, char **argv)
{
    static const struct cli_grammar grammar = {.name = "status", .help = help, .as_operator = true};
    struct cli_common c;
    ProtobufCMessage *m;
    int code;

    if (!cli_options_read(argc, argv, &grammar, &c, NULL, &code))
        return code;
    code = cli_ask(&c, "/sluice.v1.Admin/GetStatus", NULL,
                   &sluice__v1__get_status_response__descriptor, &m);
    if (code != CLI_OK)
        return code;
    code = c.json ? print_json((const pb_status *)m) : print_text(&c, (const pb_status *)m);
    protobuf_c_message_free_unpacked(m, NULL);
    return code;
}
