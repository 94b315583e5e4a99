/* cli_receipts.c - sluice receipts: what calls cost, newest first. */
#include <inttypes.h>
#include <stdio.h>

#include "cli_cells.h"
#include "cli_list.h"
#include "cli_options.h"
#include "cli_time.h"
#include "sluice/v1/visitor.pb-c.h"

enum { LIMIT_DEFAULT = 20 };

static const char help[] =
    "Usage: sluice receipts [OPTION]...\n\n"
    "Lists what your calls cost, newest first. Times are UTC.\n\n"
    "      --since WHEN              only since then: 12h, 7d, 2026-11-21, 2026-11-21T15:40:00Z\n"
    "      --until WHEN              only before then\n"
    "      --app NAME                only of calls that this app made\n"
    "      --call UUID               only of this call\n"
    "      --limit N                 at most so many (20; up to 100000)\n"
    "      --account NAME            of this account, as an operator\n"
    "      --everybody               of all accounts, as an operator\n" CLI_COMMON_HELP;

struct receipts {
    struct cli_common common;
    Sluice__V1__ListReceiptsRequest request;
    int64_t limit;
    bool everybody;
    int64_t charged_us; /* of all that were listed */
};

static void add_row(struct cli_table *t, const ProtobufCMessage *row, void *ctx)
{
    const Sluice__V1__Receipt *r = (const Sluice__V1__Receipt *)row;
    struct receipts *v = ctx;

    cli_cell_instant(t, r->ended_at_us, "-");
    if (v->everybody)
        cli_cell_name(t, r->n_accounts > 0 ? r->accounts[0] : "");
    cli_cell_name(t, r->app);
    cli_cell_name(t, r->model);
    cli_cell_gpu(t, r->charged_us);
    cli_cell_gpu(t, r->used_us);
    cli_cell_gpu(t, r->queue_us);
    cli_table_add(t, "%s", r->orphan ? "ORPHAN" : r->reason);
    cli_cell_name(t, r->node);
    cli_table_add(t, "%s", r->call_id);
    v->charged_us = sl_sat_add(v->charged_us, r->charged_us);
}

static void print_end(void *ctx, int64_t count, bool has_more)
{
    const struct receipts *v = ctx;
    char charged[CLI_TIME_BYTES];

    cli_format_gpu(v->charged_us, charged);
    printf("\n%" PRId64 " receipt%s, %s charged%s\n", count, count > 1 ? "s" : "", charged,
           has_more ? "; there are older ones: --limit shows more" : "");
}

static int check(const struct receipts *v)
{
    if (v->everybody && v->request.account[0] != '\0')
        return cli_fail(&v->common, CLI_USAGE, "give --account %s or --everybody, not both",
                        v->request.account);
    if (v->request.until_us != 0 && v->request.until_us <= v->request.since_us)
        return cli_fail(&v->common, CLI_USAGE,
                        "--until is not after --since, so that nothing lies between them");
    return CLI_OK;
}

static int list(struct receipts *v)
{
    static const char *const heads[] = {"ENDED", "ACCOUNT", "APP",   "MODEL", ">CHARGED",
                                        ">USED", ">QUEUE",  "CAUSE", "NODE",  "CALL"};
    static const char *const own[] = {"ENDED",  "APP",   "MODEL", ">CHARGED", ">USED",
                                      ">QUEUE", "CAUSE", "NODE",  "CALL"};
    const struct cli_list l = {
        .method = "/sluice.v1.Visitor/ListReceipts",
        .request = &v->request.base,
        .answer = &sluice__v1__list_receipts_response__descriptor,
        .limit = v->limit,
        .heads = v->everybody ? heads : own,
        .column_count = v->everybody ? SL_ARRAY_LEN(heads) : SL_ARRAY_LEN(own),
        .add_row = add_row,
        .print_end = print_end,
        .ctx = v,
        .none = "no receipts",
    };

    v->request.everybody = v->everybody;
    return cli_list_run(&v->common, &l);
}

int cli_receipts(int argc, char **argv)
{
    struct receipts v = {.request = SLUICE__V1__LIST_RECEIPTS_REQUEST__INIT,
                         .limit = LIMIT_DEFAULT};
    const struct cli_option options[] = {
        {"since", CLI_OPTION_PAST, &v.request.since_us, 0, 0},
        {"until", CLI_OPTION_PAST, &v.request.until_us, 0, 0},
        {"app", CLI_OPTION_TEXT, &v.request.app, 0, 0},
        {"call", CLI_OPTION_TEXT, &v.request.call_id, 0, 0},
        {"limit", CLI_OPTION_COUNT, &v.limit, 1, CLI_LIST_MAX},
        {"account", CLI_OPTION_TEXT, &v.request.account, 0, 0},
        {"everybody", CLI_OPTION_FLAG, &v.everybody, 0, 0},
    };
    const struct cli_grammar grammar = {.name = "receipts",
                                        .help = help,
                                        .options = options,
                                        .option_count = SL_ARRAY_LEN(options)};
    int code;

    if (!cli_options_read(argc, argv, &grammar, &v.common, NULL, &code))
        return code;
    v.common.as_operator = v.everybody || v.request.account[0] != '\0';
    code = check(&v);
    return code == CLI_OK ? list(&v) : code;
}
