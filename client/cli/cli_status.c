/* cli_status.c - sluice status: how the gateway does. */
#include <inttypes.h>
#include <stdio.h>

#include "cli_ask.h"
#include "cli_cells.h"
#include "cli_options.h"
#include "cli_time.h"
#include "sluice/v1/admin.pb-c.h"

typedef Sluice__V1__GetStatusResponse pb_status;
typedef Sluice__V1__GetStatusResponse__Line pb_line;

static const char help[] =
    "Usage: sluice status [OPTION]...\n\n"
    "Shows nodes and slices, calls by state, the queue by tier with how long one has waited, GPU "
    "time\n"
    "since 00:00 UTC, and how calls ended since the gateway's start.\n\n" CLI_COMMON_HELP;

/* ---- for programs */

static json_t *lines_json(const pb_status *s)
{
    json_t *lines = json_array();
    for (size_t i = 0; i < s->n_lines; i++) {
        const pb_line *l = s->lines[i];
        json_array_append_new(
            lines,
            json_pack("{s:s, s:b, s:i, s:I, s:I, s:I, s:I, s:I}", "tier", l->tier, "background",
                      l->background, "weight", (int)l->weight, "waiting", (json_int_t)l->waiting,
                      "longest_wait_us", (json_int_t)l->longest_wait_us, "placed",
                      (json_int_t)l->placed, "newest_eta_p50_us", (json_int_t)l->newest_eta_p50_us,
                      "newest_eta_p90_us", (json_int_t)l->newest_eta_p90_us));
    }
    return lines;
}

static json_t *today_json(const pb_status *s)
{
    return json_pack("{s:I, s:I, s:I}", "began_at_us", (json_int_t)s->today_began_at_us, "used_us",
                     (json_int_t)s->today_used_us, "charged_us", (json_int_t)s->today_charged_us);
}

static json_t *calls_json(const pb_status *s)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "receiving", (json_int_t)s->calls_receiving, "queued",
                     (json_int_t)s->calls_queued, "dispatched", (json_int_t)s->calls_dispatched,
                     "running", (json_int_t)s->calls_running);
}

static json_t *outcomes_json(const pb_status *s)
{
    json_t *outcomes = json_object();
    for (size_t i = 0; i < s->n_outcomes; i++)
        json_object_set_new(outcomes, s->outcomes[i]->reason,
                            json_integer((json_int_t)s->outcomes[i]->calls));
    return outcomes;
}

static int print_json(const pb_status *s)
{
    return cli_print_json(json_pack(
        "{s:s, s:I, s:I, s:b, s:b, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:o, s:o, s:o, s:o}",
        "version", s->version, "started_at_us", (json_int_t)s->started_at_us, "uptime_ms",
        (json_int_t)s->uptime_ms, "ready", s->ready, "draining", s->draining, "nodes",
        (int)s->nodes, "nodes_drained", (int)s->nodes_drained, "slices", (int)s->slices,
        "slices_busy", (int)s->slices_busy, "slices_background", (int)s->slices_background,
        "models", (int)s->models, "connections", (int)s->connections, "calls", calls_json(s),
        "queue", lines_json(s), "today", today_json(s), "outcomes", outcomes_json(s)));
}

/* ---- for people */

static void print_gateway(const struct cli_common *c, const pb_status *s)
{
    char up[CLI_TIME_BYTES];
    char since[CLI_TIME_BYTES];

    cli_format_ms(s->uptime_ms, up);
    cli_format_instant(s->started_at_us / SL_US_PER_S, since);
    printf("gateway     %s, version %s, up %s since %s, %s\n", c->address, s->version, up, since,
           s->draining ? "draining"
           : s->ready  ? "ready"
                       : "not ready");
}

static void print_fleet(const pb_status *s)
{
    printf("nodes       %" PRIu32, s->nodes);
    if (s->nodes_drained > 0)
        printf(" (%" PRIu32 " drained)", s->nodes_drained);
    printf(", models %" PRIu32 "\nslices      %" PRIu32 " of %" PRIu32 " busy", s->models,
           s->slices_busy, s->slices);
    if (s->slices_background > 0)
        printf(" (%" PRIu32 " with background calls)", s->slices_background);
    printf(", %" PRIu32 " idle\nconnections %" PRIu32 "\n", s->slices - s->slices_busy,
           s->connections);
}

static void print_calls(const pb_status *s)
{
    char used[CLI_TIME_BYTES];
    char charged[CLI_TIME_BYTES];

    cli_format_gpu(s->today_used_us, used);
    cli_format_gpu(s->today_charged_us, charged);
    printf("calls       %" PRIu64 " receiving, %" PRIu64 " queued, %" PRIu64 " dispatched, %" PRIu64
           " running\n",
           s->calls_receiving, s->calls_queued, s->calls_dispatched, s->calls_running);
    printf("today       %s of GPU time used, %s charged\n", used, charged);
}

static void print_lines(const pb_status *s)
{
    static const char *const heads[] = {"TIER", ">WEIGHT",  ">WAITING",  ">LONGEST",
                                        ">ETA", ">ETA P90", ">AT SLICES"};
    struct cli_table t;

    cli_table_init(&t, heads, SL_ARRAY_LEN(heads));
    for (size_t i = 0; i < s->n_lines; i++) {
        const pb_line *l = s->lines[i];
        char longest[CLI_TIME_BYTES];
        cli_format_ms(l->longest_wait_us / 1000, longest);
        cli_table_add(&t, "%s", l->background ? "(background)" : l->tier);
        cli_table_add(&t, "%" PRIu32, l->weight);
        cli_table_add(&t, "%" PRIu64, l->waiting);
        cli_table_add(&t, "%s", l->waiting > 0 ? longest : "-");
        cli_cell_eta(&t, l->newest_eta_p50_us);
        cli_cell_eta(&t, l->newest_eta_p90_us);
        cli_table_add(&t, "%" PRIu64, l->placed);
    }
    putchar('\n');
    cli_table_print(&t);
}

static int print_text(const struct cli_common *c, const pb_status *s)
{
    print_gateway(c, s);
    print_fleet(s);
    print_calls(s);
    print_lines(s);
    for (size_t i = 0; i < s->n_outcomes; i++)
        printf("%s%12" PRIu64 " %s\n", i == 0 ? "\nended so far\n" : "", s->outcomes[i]->calls,
               s->outcomes[i]->reason);
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
