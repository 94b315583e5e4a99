/* cli_grant.c - sluice grant: GPU time that an operator gives beside a tier's, or takes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli_ask.h"
#include "cli_cells.h"
#include "cli_list.h"
#include "cli_options.h"
#include "cli_pb_json.h"
#include "cli_text.h"
#include "cli_time.h"
#include "sl_text.h"
#include "sluice/v1/admin.pb-c.h"

static const char help[] =
    "Usage: sluice grant ACCOUNT TIME --reason TEXT [OPTION]...    sluice grant list --help tells "
    "more\n\n"
    "Gives an account GPU time beside its tier's, in the 24 h that are running or the next ones. "
    "It is\n"
    "recorded, with the reason and who gave it.\n\n"
    "  ACCOUNT                       user:alice, ip:203.0.113.7, ...: as receipts name it\n"
    "  TIME                          90s, 10m, 1h; at most 366d\n"
    "      --reason TEXT             why, at most 500 bytes\n"
    "      --take                    take it away instead\n" CLI_COMMON_HELP;

static int print_given(const struct cli_common *c, ProtobufCMessage *m)
{
    const Sluice__V1__GrantTimeResponse *r = (const Sluice__V1__GrantTimeResponse *)m;
    char amount[CLI_TIME_BYTES];
    char granted[CLI_TIME_BYTES];

    if (c->json)
        return cli_print_json(cli_pb_json(m));
    if (r->grant == NULL || r->account == NULL)
        return cli_fail(c, CLI_FAILED, "the answer has no grant");
    bool was_taken = r->grant->amount_us < 0;
    cli_format_gpu(was_taken ? -r->grant->amount_us : r->grant->amount_us, amount);
    cli_format_gpu(r->account->granted_us, granted);
    cli_text_make_safe(r->grant->account);
    printf("%s %s %s %s; granted beside the tier's time in the %s 24h: %s\n",
           was_taken ? "took" : "gave", amount, was_taken ? "from" : "to", r->grant->account,
           r->grant->window_opened_at_us != 0 ? "running" : "next", granted);
    return CLI_OK;
}

static int take_time(const struct cli_common *c, const char *text, bool takes, int64_t *out_us)
{
    int64_t ns;

    if (sl_text_duration(sl_span_str(text), false, &ns) != SL_OK || ns < SL_NS_PER_US)
        return cli_fail(c, CLI_USAGE, "the time is %s; write 90s, 10m, 1h, ...", text);
    *out_us = ns / SL_NS_PER_US * (takes ? -1 : 1);
    return CLI_OK;
}

static int run_grant(int argc, char **argv)
{
    Sluice__V1__GrantTimeRequest request = SLUICE__V1__GRANT_TIME_REQUEST__INIT;
    bool takes = false;
    const struct cli_option options[] = {
        {"reason", CLI_OPTION_TEXT, &request.reason, 0, 0},
        {"take", CLI_OPTION_FLAG, &takes, 0, 0},
    };
    const struct cli_grammar grammar = {.name = "grant",
                                        .help = help,
                                        .options = options,
                                        .option_count = SL_ARRAY_LEN(options),
                                        .arguments = {"ACCOUNT", "TIME"},
                                        .as_operator = true};
    char *arguments[CLI_ARGUMENTS_MAX];
    struct cli_common c;
    ProtobufCMessage *m;
    int code;

    if (!cli_options_read(argc, argv, &grammar, &c, arguments, &code))
        return code;
    if (request.reason[0] == '\0')
        return cli_fail(&c, CLI_USAGE, "why? give --reason TEXT; it is recorded");
    request.account = arguments[0];
    code = take_time(&c, arguments[1], takes, &request.amount_us);
    if (code == CLI_OK)
        code = cli_ask(&c, "/sluice.v1.Admin/GrantTime", &request.base,
                       &sluice__v1__grant_time_response__descriptor, &m);
    if (code != CLI_OK)
        return code;
    code = print_given(&c, m);
    protobuf_c_message_free_unpacked(m, NULL);
    return code;
}

static const char list_help[] =
    "Usage: sluice grant list [OPTION]...\n\n"
    "Lists what was given and taken, newest first. Times are UTC.\n\n"
    "      --account NAME            only to this account\n" CLI_LIST_HELP CLI_COMMON_HELP;

static void add_row(struct cli_table *t, const ProtobufCMessage *row, void *ctx SL_UNUSED)
{
    const Sluice__V1__Grant *g = (const Sluice__V1__Grant *)row;

    cli_cell_instant(t, g->at_us, "-");
    cli_table_add(t, "%s", g->account);
    cli_cell_gpu(t, g->amount_us);
    cli_table_add(t, "%s", g->by);
    cli_table_add(t, "%s", g->reason);
}

static int run_list(int argc, char **argv)
{
    static const char *const heads[] = {"AT", "ACCOUNT", ">TIME", "BY", "REASON"};
    Sluice__V1__ListGrantsRequest request = SLUICE__V1__LIST_GRANTS_REQUEST__INIT;
    struct cli_list list = {.method = "/sluice.v1.Admin/ListGrants",
                            .request = &request.base,
                            .answer = &sluice__v1__list_grants_response__descriptor,
                            .limit = CLI_LIST_DEFAULT,
                            .heads = heads,
                            .column_count = SL_ARRAY_LEN(heads),
                            .add_row = add_row,
                            .none = "no grants"};
    const struct cli_option options[] = {
        {"account", CLI_OPTION_TEXT, &request.account, 0, 0},
        {"limit", CLI_OPTION_COUNT, &list.limit, 1, CLI_LIST_MAX},
    };
    const struct cli_grammar grammar = {.name = "grant list",
                                        .help = list_help,
                                        .options = options,
                                        .option_count = SL_ARRAY_LEN(options),
                                        .as_operator = true};
    struct cli_common c;
    int code;

    if (!cli_options_read(argc, argv, &grammar, &c, NULL, &code))
        return code;
    return cli_list_run(&c, &list);
}

int cli_grant(int argc, char **argv)
{
    bool is_list = argc > 1 && strcmp(argv[1], "list") == 0; /* no account's name */
    return is_list ? run_list(argc - 1, argv + 1) : run_grant(argc, argv);
}
