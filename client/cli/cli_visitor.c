/* cli_visitor.c - sluice visitor: whose accounts there are, and who is blocked. */
#include <inttypes.h>
#include <stdio.h>

#include "cli_ask.h"
#include "cli_cells.h"
#include "cli_list.h"
#include "cli_options.h"
#include "cli_pb_json.h"
#include "cli_text.h"
#include "cli_time.h"
#include "sluice/v1/admin.pb-c.h"

/* ---- block, unblock -------------------------------------------------------------------------- */

static const char block_help[] =
    "Usage: sluice visitor block ACCOUNT --reason TEXT [OPTION]...\n\n"
    "The visitor's calls are refused from the next one on, on open connections too; those under "
    "way go\n"
    "on. ACCOUNT is user:alice, ip:203.0.113.7, cookie:ID, app:APP/VISITOR, as receipts name "
    "it.\n\n"
    "      --reason TEXT             why, at most 500 bytes; it is recorded\n" CLI_COMMON_HELP;

static const char unblock_help[] =
    "Usage: sluice visitor unblock ACCOUNT --reason TEXT [OPTION]...\n\n"
    "The visitor may call again.\n\n"
    "      --reason TEXT             why, at most 500 bytes; it is recorded\n" CLI_COMMON_HELP;

/* Both requests have the same fields. */
static int run_change(int argc, char **argv, const char *name, const char *text_of_help,
                      const char *method, const char *done)
{
    Sluice__V1__BlockVisitorRequest request = SLUICE__V1__BLOCK_VISITOR_REQUEST__INIT;
    const struct cli_option options[] = {{"reason", CLI_OPTION_TEXT, &request.reason, 0, 0}};
    const struct cli_grammar grammar = {.name = name,
                                        .help = text_of_help,
                                        .options = options,
                                        .option_count = SL_ARRAY_LEN(options),
                                        .arguments = {"ACCOUNT"},
                                        .as_operator = true};
    struct cli_common c;
    ProtobufCMessage *m;
    int code;

    if (!cli_options_read(argc, argv, &grammar, &c, &request.account, &code))
        return code;
    if (request.reason[0] == '\0')
        return cli_fail(&c, CLI_USAGE, "why? give --reason TEXT; it is recorded");
    code = cli_ask(&c, method, &request.base, &sluice__v1__block__descriptor, &m);
    if (code != CLI_OK)
        return code;
    const Sluice__V1__Block *b = (const Sluice__V1__Block *)m;
    cli_text_make_safe(b->account);
    if (c.json)
        code = cli_print_json(cli_pb_json(m));
    else
        printf("%s %s\n", done, b->account);
    protobuf_c_message_free_unpacked(m, NULL);
    return code;
}

static int run_block(int argc, char **argv)
{
    return run_change(argc, argv, "visitor block", block_help, "/sluice.v1.Admin/BlockVisitor",
                      "blocked");
}

static int run_unblock(int argc, char **argv)
{
    return run_change(argc, argv, "visitor unblock", unblock_help,
                      "/sluice.v1.Admin/UnblockVisitor", "unblocked");
}

/* ---- blocked --------------------------------------------------------------------------------- */

static void add_block(struct cli_table *t, const ProtobufCMessage *row, void *ctx SL_UNUSED)
{
    const Sluice__V1__Block *b = (const Sluice__V1__Block *)row;

    cli_cell_instant(t, b->at_us, "-");
    cli_table_add(t, "%s", b->account);
    cli_table_add(t, "%s", b->by);
    cli_table_add(t, "%s", b->reason);
}

static int run_blocked(int argc, char **argv)
{
    static const char *const heads[] = {"SINCE", "ACCOUNT", "BY", "REASON"};
    Sluice__V1__ListBlocksRequest request = SLUICE__V1__LIST_BLOCKS_REQUEST__INIT;
    struct cli_list list = {.method = "/sluice.v1.Admin/ListBlocks",
                            .request = &request.base,
                            .answer = &sluice__v1__list_blocks_response__descriptor,
                            .limit = CLI_LIST_DEFAULT,
                            .heads = heads,
                            .column_count = SL_ARRAY_LEN(heads),
                            .add_row = add_block,
                            .none = "nobody is blocked"};
    const struct cli_option options[] = {{"limit", CLI_OPTION_COUNT, &list.limit, 1, CLI_LIST_MAX}};
    const struct cli_grammar grammar = {
        .name = "visitor blocked",
        .help = "Usage: sluice visitor blocked [OPTION]...\n\n"
                "Lists who is blocked now. Times are UTC.\n\n" CLI_LIST_HELP CLI_COMMON_HELP,
        .options = options,
        .option_count = SL_ARRAY_LEN(options),
        .as_operator = true};
    struct cli_common c;
    int code;

    if (!cli_options_read(argc, argv, &grammar, &c, NULL, &code))
        return code;
    return cli_list_run(&c, &list);
}

/* ---- accounts -------------------------------------------------------------------------------- */

static const char *const account_heads[] = {"ACCOUNT",  "TIER",  "STATE",      ">SPENT",
                                            ">GRANTED", ">HELD", ">IN FLIGHT", "RESETS"};

static void add_account(struct cli_table *t, const ProtobufCMessage *row, void *ctx SL_UNUSED)
{
    const Sluice__V1__Account *a = (const Sluice__V1__Account *)row;

    cli_table_add(t, "%s", a->account);
    cli_cell_name(t, a->tier);
    cli_table_add(t, "%s", a->blocked ? "blocked" : "may call");
    cli_cell_gpu(t, a->spent_us);
    cli_cell_gpu(t, a->granted_us);
    cli_cell_gpu(t, a->held_us);
    cli_table_add(t, "%" PRIu32, a->in_flight);
    cli_cell_instant(t, cli_next_second_us(a->resets_at_us), "24h after a call");
}

static int run_show(int argc, char **argv)
{
    static const struct cli_grammar grammar = {
        .name = "visitor show",
        .help =
            "Usage: sluice visitor show ACCOUNT [OPTION]...\n\n"
            "Shows what an account has spent and been given. Times are UTC.\n\n" CLI_COMMON_HELP,
        .arguments = {"ACCOUNT"},
        .as_operator = true};
    Sluice__V1__GetAccountRequest request = SLUICE__V1__GET_ACCOUNT_REQUEST__INIT;
    struct cli_common c;
    struct cli_table t;
    ProtobufCMessage *m;
    int code;

    if (!cli_options_read(argc, argv, &grammar, &c, &request.account, &code))
        return code;
    code = cli_ask(&c, "/sluice.v1.Admin/GetAccount", &request.base,
                   &sluice__v1__account__descriptor, &m);
    if (code != CLI_OK)
        return code;
    if (c.json) {
        code = cli_print_json(cli_pb_json(m));
    } else {
        cli_table_init(&t, account_heads, SL_ARRAY_LEN(account_heads));
        add_account(&t, m, NULL);
        cli_table_print(&t);
    }
    protobuf_c_message_free_unpacked(m, NULL);
    return code;
}

static int run_list(int argc, char **argv)
{
    Sluice__V1__ListAccountsRequest request = SLUICE__V1__LIST_ACCOUNTS_REQUEST__INIT;
    struct cli_list list = {.method = "/sluice.v1.Admin/ListAccounts",
                            .request = &request.base,
                            .answer = &sluice__v1__list_accounts_response__descriptor,
                            .limit = CLI_LIST_DEFAULT,
                            .heads = account_heads,
                            .column_count = SL_ARRAY_LEN(account_heads),
                            .add_row = add_account,
                            .none = "no accounts in use"};
    const struct cli_option options[] = {
        {"begins", CLI_OPTION_TEXT, &request.begins, 0, 0},
        {"limit", CLI_OPTION_COUNT, &list.limit, 1, CLI_LIST_MAX},
    };
    const struct cli_grammar grammar = {
        .name = "visitor list",
        .help = "Usage: sluice visitor list [OPTION]...\n\n"
                "Lists the accounts whose 24 h are running, that were given time, or that are "
                "blocked.\n"
                "Times are UTC.\n\n"
                "      --begins TEXT             only those whose names begin so: user:, "
                "ip:10.\n" CLI_LIST_HELP CLI_COMMON_HELP,
        .options = options,
        .option_count = SL_ARRAY_LEN(options),
        .as_operator = true};
    struct cli_common c;
    int code;

    if (!cli_options_read(argc, argv, &grammar, &c, NULL, &code))
        return code;
    return cli_list_run(&c, &list);
}

int cli_visitor(int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        {"block", "a visitor's calls are refused", run_block},
        {"unblock", "he may call again", run_unblock},
        {"blocked", "who is blocked", run_blocked},
        {"list", "the accounts in use, with what they spent", run_list},
        {"show", "one account", run_show},
    };
    return cli_group_run(argc, argv, "visitor", verbs, SL_ARRAY_LEN(verbs));
}
