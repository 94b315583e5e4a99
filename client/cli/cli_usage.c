/* cli_usage.c - sluice usage: GPU time by week and app, owner or visitor. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli_ask.h"
#include "cli_cells.h"
#include "cli_list.h"
#include "cli_options.h"
#include "cli_time.h"
#include "sl_clock.h"
#include "sluice/v1/admin.pb-c.h"

enum { PAGE_ROWS = 200, WEEKS_DEFAULT = 4 };

static const char help[] =
    "Usage: sluice usage [--week[=DATE]] [--by app|owner|visitor] [OPTION]...\n\n"
    "Shows calls and GPU time by week; a week begins on Monday, 00:00 UTC. Without --week and "
    "--since:\n"
    "of this week and the three before it.\n\n"
    "      --week[=DATE]             only of this week, or of the one of 2026-11-16\n"
    "      --since WHEN              since then: 30d, 2026-11-02\n"
    "      --until WHEN              before then\n"
    "      --by app|owner|visitor    summed up by app, by its owner, or by who paid (app)\n"
    "      --account NAME            only of this account\n"
    "      --app NAME                only of this app\n"
    "      --csv                     RFC 4180, with a line of names, instead of a "
    "table\n" CLI_LIST_HELP CLI_COMMON_HELP;

struct usage {
    struct cli_common common;
    Sluice__V1__ExportUsageRequest request;
    char *by;
    int64_t week_us, limit;
    bool as_csv;
    int64_t calls, used_us, charged_us; /* of all that were listed */
};

static void add_row(struct cli_table *t, const ProtobufCMessage *row, void *ctx)
{
    const Sluice__V1__UsageRow *r = (const Sluice__V1__UsageRow *)row;
    struct usage *v = ctx;
    char week[CLI_TIME_BYTES];

    cli_format_instant(r->week_at_us / SL_US_PER_S, week);
    cli_table_add(t, "%.10s", week);
    cli_cell_name(t, r->key);
    cli_table_add(t, "%" PRId64, r->calls);
    cli_cell_gpu(t, r->used_us);
    cli_cell_gpu(t, r->charged_us);
    v->calls = sl_sat_add(v->calls, r->calls);
    v->used_us = sl_sat_add(v->used_us, r->used_us);
    v->charged_us = sl_sat_add(v->charged_us, r->charged_us);
}

static void print_end(void *ctx, int64_t count SL_UNUSED, bool has_more)
{
    const struct usage *v = ctx;
    char used[CLI_TIME_BYTES];
    char charged[CLI_TIME_BYTES];

    cli_format_gpu(v->used_us, used);
    cli_format_gpu(v->charged_us, charged);
    printf("\n%" PRId64 " call%s, %s used, %s charged%s\n", v->calls, v->calls == 1 ? "" : "s",
           used, charged, has_more ? "; there is more: --limit shows it" : "");
}

static int list(struct usage *v)
{
    const char *key = v->request.by == SLUICE__V1__EXPORT_USAGE_REQUEST__BY__BY_APP     ? "APP"
                      : v->request.by == SLUICE__V1__EXPORT_USAGE_REQUEST__BY__BY_OWNER ? "OWNER"
                                                                                        : "VISITOR";
    const char *const heads[] = {"WEEK OF", key, ">CALLS", ">USED", ">CHARGED"};
    const struct cli_list l = {.method = "/sluice.v1.Admin/ExportUsage",
                               .request = &v->request.base,
                               .answer = &sluice__v1__export_usage_response__descriptor,
                               .limit = v->limit,
                               .heads = heads,
                               .column_count = SL_ARRAY_LEN(heads),
                               .add_row = add_row,
                               .print_end = print_end,
                               .ctx = v,
                               .none = "nothing was used"};
    return cli_list_run(&v->common, &l);
}

/* The gateway's own text, page by page. */
static int print_csv(struct usage *v)
{
    struct sluice_channel *channel;
    ProtobufCMessage *m;
    int code = cli_open(&v->common, &channel);

    if (code != CLI_OK)
        return code;
    v->request.format = SLUICE__V1__EXPORT_USAGE_REQUEST__FORMAT__CSV;
    v->request.page_size = PAGE_ROWS;
    do {
        code = cli_ask_on(&v->common, channel, "/sluice.v1.Admin/ExportUsage", &v->request.base,
                          &sluice__v1__export_usage_response__descriptor, &m);
        if (code != CLI_OK)
            break;
        const Sluice__V1__ExportUsageResponse *r = (const Sluice__V1__ExportUsageResponse *)m;
        fputs(r->text, stdout);
        v->request.page = r->next_page;
        protobuf_c_message_free_unpacked(m, NULL);
    } while (v->request.page != 0);
    sluice_channel_destroy(channel);
    return code;
}

static int take_by(struct usage *v)
{
    static const char *const names[] = {"app", "owner", "visitor"}; /* by their numbers */

    for (size_t i = 0; i < SL_ARRAY_LEN(names); i++) {
        if (strcmp(names[i], v->by) == 0) {
            v->request.by = (Sluice__V1__ExportUsageRequest__By)i;
            return CLI_OK;
        }
    }
    return cli_fail(&v->common, CLI_USAGE, "--by is %s; app, owner and visitor are possible",
                    v->by);
}

/* The gateway shows every week that has a moment of what is asked for. */
static int take_time(struct usage *v)
{
    const int64_t week_us = INT64_C(7) * 86400 * SL_US_PER_S;

    if (v->week_us != 0 && (v->request.from_us != 0 || v->request.until_us != 0))
        return cli_fail(&v->common, CLI_USAGE, "give --week, or --since and --until, not both");
    if (v->week_us != 0) {
        v->request.from_us = v->week_us;
        v->request.until_us = v->week_us + 1;
    } else if (v->request.from_us == 0 && v->request.until_us == 0) {
        v->request.from_us = sl_clock_wall(&sl_clock_real) - (WEEKS_DEFAULT - 1) * week_us;
    } else if (v->request.until_us != 0 && v->request.until_us <= v->request.from_us) {
        return cli_fail(&v->common, CLI_USAGE,
                        "--until is not after --since, so that nothing lies between them");
    }
    return CLI_OK;
}

int cli_usage(int argc, char **argv)
{
    static char by_default[] = "app";
    struct usage v = {.request = SLUICE__V1__EXPORT_USAGE_REQUEST__INIT,
                      .by = by_default,
                      .limit = CLI_LIST_DEFAULT};
    const struct cli_option options[] = {
        {"week", CLI_OPTION_DAY, &v.week_us, 0, 0},
        {"since", CLI_OPTION_PAST, &v.request.from_us, 0, 0},
        {"until", CLI_OPTION_PAST, &v.request.until_us, 0, 0},
        {"by", CLI_OPTION_TEXT, &v.by, 0, 0},
        {"account", CLI_OPTION_TEXT, &v.request.account, 0, 0},
        {"app", CLI_OPTION_TEXT, &v.request.app, 0, 0},
        {"csv", CLI_OPTION_FLAG, &v.as_csv, 0, 0},
        {"limit", CLI_OPTION_COUNT, &v.limit, 1, CLI_LIST_MAX},
    };
    const struct cli_grammar grammar = {.name = "usage",
                                        .help = help,
                                        .options = options,
                                        .option_count = SL_ARRAY_LEN(options),
                                        .as_operator = true};
    int code;

    if (!cli_options_read(argc, argv, &grammar, &v.common, NULL, &code))
        return code;
    if (v.as_csv && v.common.json)
        return cli_fail(&v.common, CLI_USAGE, "give --csv or --json, not both");
    code = take_by(&v);
    if (code == CLI_OK)
        code = take_time(&v);
    if (code != CLI_OK)
        return code;
    return v.as_csv ? print_csv(&v) : list(&v);
}
