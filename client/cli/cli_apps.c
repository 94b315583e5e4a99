/* cli_apps.c - sluice app: apps that call on behalf of their visitors. */
#include <stdio.h>

#include "cli_ask.h"
#include "cli_cells.h"
#include "cli_list.h"
#include "cli_options.h"
#include "cli_pb_json.h"
#include "cli_text.h"
#include "sluice/v1/admin.pb-c.h"

typedef Sluice__V1__App pb_app;

/* Asks, and tells what became of the app. */
static int ask_and_tell(struct cli_common *c, const char *method, const ProtobufCMessage *request,
                        const char *done)
{
    ProtobufCMessage *m;
    int code = cli_ask(c, method, request, &sluice__v1__app__descriptor, &m);

    if (code != CLI_OK)
        return code;
    const pb_app *a = (const pb_app *)m;
    cli_text_make_safe(a->owner);
    if (c->json)
        code = cli_print_json(cli_pb_json(m));
    else
        printf("%s app %s of %s\n", done, a->name, a->owner);
    protobuf_c_message_free_unpacked(m, NULL);
    return code;
}

static const char register_help[] =
    "Usage: sluice app register NAME --owner ACCOUNT [OPTION]...\n\n"
    "Registers an app, which may then hand on its visitors' tokens: they pay. Its own token is "
    "made by\n"
    "sluice token create --app NAME. How many apps an owner may have is a number of his tier.\n\n"
    "      --owner ACCOUNT           user:NAME, or user:ISSUER#SUB of an issuer\n"
    "      --owner-tier TIER         the owner's tier, where no token of his says "
    "it\n" CLI_COMMON_HELP;

static int run_register(int argc, char **argv)
{
    Sluice__V1__RegisterAppRequest request = SLUICE__V1__REGISTER_APP_REQUEST__INIT;
    const struct cli_option options[] = {
        {"owner", CLI_OPTION_TEXT, &request.owner, 0, 0},
        {"owner-tier", CLI_OPTION_TEXT, &request.owner_tier, 0, 0},
    };
    const struct cli_grammar grammar = {.name = "app register",
                                        .help = register_help,
                                        .options = options,
                                        .option_count = SL_ARRAY_LEN(options),
                                        .arguments = {"NAME"},
                                        .as_operator = true};
    struct cli_common c;
    int code;

    if (!cli_options_read(argc, argv, &grammar, &c, &request.name, &code))
        return code;
    if (request.owner[0] == '\0')
        return cli_fail(&c, CLI_USAGE, "whose app is %s? give --owner user:NAME", request.name);
    code = ask_and_tell(&c, "/sluice.v1.Admin/RegisterApp", &request.base, "registered");
    if (code == CLI_OK && !c.json)
        printf("it calls with a token of its own: sluice token create --app %s --tier TIER --out "
               "FILE\n",
               request.name);
    return code;
}

static const char list_help[] =
    "Usage: sluice app list [OPTION]...\n\n"
    "Lists the registered apps, oldest first. Times are UTC.\n\n"
    "      --owner ACCOUNT           only those of this owner\n" CLI_LIST_HELP CLI_COMMON_HELP;

static void add_row(struct cli_table *t, const ProtobufCMessage *row, void *ctx SL_UNUSED)
{
    const pb_app *a = (const pb_app *)row;

    cli_table_add(t, "%s", a->name);
    cli_table_add(t, "%s", a->owner);
    cli_cell_instant(t, a->registered_at_us, "-");
    cli_table_add(t, "%s", a->paused ? "paused" : "may call");
}

static int run_list(int argc, char **argv)
{
    static const char *const heads[] = {"APP", "OWNER", "REGISTERED", "STATE"};
    Sluice__V1__ListAppsRequest request = SLUICE__V1__LIST_APPS_REQUEST__INIT;
    struct cli_list list = {.method = "/sluice.v1.Admin/ListApps",
                            .request = &request.base,
                            .answer = &sluice__v1__list_apps_response__descriptor,
                            .limit = CLI_LIST_DEFAULT,
                            .heads = heads,
                            .column_count = SL_ARRAY_LEN(heads),
                            .add_row = add_row,
                            .none = "no apps"};
    const struct cli_option options[] = {
        {"owner", CLI_OPTION_TEXT, &request.owner, 0, 0},
        {"limit", CLI_OPTION_COUNT, &list.limit, 1, CLI_LIST_MAX},
    };
    const struct cli_grammar grammar = {.name = "app list",
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

/* The three deeds that need nothing but a name: their requests have the same fields. */
static int run_deed(int argc, char **argv, const struct cli_grammar *grammar, const char *method,
                    const char *done)
{
    Sluice__V1__PauseAppRequest request = SLUICE__V1__PAUSE_APP_REQUEST__INIT;
    struct cli_common c;
    int code;

    if (!cli_options_read(argc, argv, grammar, &c, &request.name, &code))
        return code;
    return ask_and_tell(&c, method, &request.base, done);
}

static int run_remove(int argc, char **argv)
{
    static const struct cli_grammar grammar = {
        .name = "app remove",
        .help =
            "Usage: sluice app remove NAME [OPTION]...\n\n"
            "From the next call on the app is not known any more; its tokens are revoked with it. "
            "Receipts stay.\n\n" CLI_COMMON_HELP,
        .arguments = {"NAME"},
        .as_operator = true};
    return run_deed(argc, argv, &grammar, "/sluice.v1.Admin/RemoveApp", "removed");
}

static int run_pause(int argc, char **argv)
{
    static const struct cli_grammar grammar = {.name = "app pause",
                                               .help =
                                                   "Usage: sluice app pause NAME [OPTION]...\n\n"
                                                   "The app's calls are refused from the next one "
                                                   "on; those under way go on.\n\n" CLI_COMMON_HELP,
                                               .arguments = {"NAME"},
                                               .as_operator = true};
    return run_deed(argc, argv, &grammar, "/sluice.v1.Admin/PauseApp", "paused");
}

static int run_resume(int argc, char **argv)
{
    static const struct cli_grammar grammar = {.name = "app resume",
                                               .help =
                                                   "Usage: sluice app resume NAME [OPTION]...\n\n"
                                                   "The app may call again.\n\n" CLI_COMMON_HELP,
                                               .arguments = {"NAME"},
                                               .as_operator = true};
    return run_deed(argc, argv, &grammar, "/sluice.v1.Admin/ResumeApp", "resumed");
}

int cli_apps(int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        {"register", "an app that may call for its visitors", run_register},
        {"list", "the registered apps", run_list},
        {"remove", "an app is not known any more", run_remove},
        {"pause", "an app's calls are refused", run_pause},
        {"resume", "it may call again", run_resume},
    };
    return cli_group_run(argc, argv, "app", verbs, SL_ARRAY_LEN(verbs));
}
