/* cli_tokens.c - sluice token: API tokens are made, listed and revoked. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli_ask.h"
#include "cli_cells.h"
#include "cli_list.h"
#include "cli_options.h"
#include "cli_pb_json.h"
#include "cli_text.h"
#include "cli_time.h"
#include "sl_clock.h"
#include "sluice/v1/admin.pb-c.h"

typedef Sluice__V1__Token pb_token;

/* ---- create ---------------------------------------------------------------------------------- */

static const char create_help[] =
    "Usage: sluice token create --user NAME --tier TIER [OPTION]...\n\n"
    "Makes an API token. The token alone goes to stdout, this once; the gateway keeps its hash.\n\n"
    "      --user NAME               whose it is: it pays from the account user:NAME\n"
    "      --tier TIER               how much of the GPUs that is; sluice tiers lists them\n"
    "      --expires WHEN            30d, 12h, 2027-01-31 (UTC); without it never\n"
    "      --app NAME                the token of a registered app, which may bring its visitors'\n"
    "      --admin                   the token of an operator\n"
    "      --out FILE                into this new file, mode 0600, instead of "
    "stdout\n" CLI_COMMON_HELP;

struct creation {
    struct cli_common common;
    Sluice__V1__CreateTokenRequest request;
    int64_t expires_at_us;
    bool is_admin;
    char *out;  /* the file; NULL: stdout */
    int out_fd; /* -1: none */
};

static void print_made(const struct creation *v, const pb_token *t)
{
    FILE *out = v->out != NULL ? stdout : stderr; /* stdout has the token, or is free */
    char expires[CLI_TIME_BYTES] = "never";

    if (t->expires_at_us != 0)
        cli_format_instant(t->expires_at_us / SL_US_PER_S, expires);
    cli_text_make_safe(t->user);
    fprintf(out, "token %s of user:%s (tier %s%s%s%s), expires %s%s%s\n", t->prefix, t->user,
            t->tier, t->app[0] != '\0' ? ", app " : "", t->app, t->admin ? ", administrator" : "",
            expires, v->out != NULL ? ", in " : "; it is shown this once",
            v->out != NULL ? v->out : "");
}

/* A token that nobody has seen is of no use to anybody. */
static int fail_lost(const struct creation *v, const pb_token *t, const char *wrong)
{
    return cli_fail(&v->common, CLI_FAILED,
                    "the token %s was made, but %s cannot be written: %s; revoke it (sluice token "
                    "revoke %s) and make another",
                    t->prefix, v->out != NULL ? v->out : "stdout", wrong, t->prefix);
}

static int print_secret(const struct creation *v, const Sluice__V1__CreateTokenResponse *r)
{
    if (puts(r->secret) < 0 || fflush(stdout) != 0)
        return fail_lost(v, r->token, strerror(errno));
    return CLI_OK;
}

static int hand_over(struct creation *v, Sluice__V1__CreateTokenResponse *r)
{
    int code = CLI_OK;
    json_t *o;

    if (v->out_fd >= 0) {
        const char *wrong = cli_secret_write(v->out_fd, r->secret);
        v->out_fd = -1;
        if (wrong != NULL)
            return fail_lost(v, r->token, wrong);
    }
    if (!v->common.json) {
        if (v->out == NULL)
            code = print_secret(v, r);
        if (code == CLI_OK)
            print_made(v, r->token);
        return code;
    }
    o = cli_pb_json(&r->base);
    if (v->out != NULL)
        json_object_del(o, "secret");
    return cli_print_json(o);
}

static int create(struct creation *v)
{
    int64_t now_us = sl_clock_wall(&sl_clock_real);
    ProtobufCMessage *m;

    v->request.admin = v->is_admin;
    if (v->expires_at_us != 0)
        v->request.lifetime_s = (v->expires_at_us - now_us + SL_US_PER_S - 1) / SL_US_PER_S;
    int code = cli_ask(&v->common, "/sluice.v1.Admin/CreateToken", &v->request.base,
                       &sluice__v1__create_token_response__descriptor, &m);
    if (code != CLI_OK)
        return code;
    Sluice__V1__CreateTokenResponse *r = (Sluice__V1__CreateTokenResponse *)m;
    code = r->token != NULL ? hand_over(v, r)
                            : cli_fail(&v->common, CLI_FAILED, "the answer has no token");
    explicit_bzero(r->secret, strlen(r->secret));
    protobuf_c_message_free_unpacked(m, NULL);
    return code;
}

/* The file first: a token that cannot be written down should not be made. */
static int create_into(struct creation *v)
{
    if (v->out == NULL)
        return create(v);
    const char *wrong = cli_secret_open(v->out, &v->out_fd);
    if (wrong != NULL)
        return cli_fail(&v->common, CLI_USAGE, "--out %s: %s", v->out, wrong);
    int code = create(v);
    if (v->out_fd >= 0)
        close(v->out_fd);
    if (code != CLI_OK)
        unlink(v->out);
    return code;
}

static int run_create(int argc, char **argv)
{
    struct creation v = {.request = SLUICE__V1__CREATE_TOKEN_REQUEST__INIT, .out_fd = -1};
    const struct cli_option options[] = {
        {"user", CLI_OPTION_TEXT, &v.request.user, 0, 0},
        {"tier", CLI_OPTION_TEXT, &v.request.tier, 0, 0},
        {"expires", CLI_OPTION_COMING, &v.expires_at_us, 0, 0},
        {"app", CLI_OPTION_TEXT, &v.request.app, 0, 0},
        {"admin", CLI_OPTION_FLAG, &v.is_admin, 0, 0},
        {"out", CLI_OPTION_TEXT, &v.out, 0, 0},
    };
    const struct cli_grammar grammar = {.name = "token create",
                                        .help = create_help,
                                        .options = options,
                                        .option_count = SL_ARRAY_LEN(options),
                                        .as_operator = true};
    int code;

    if (!cli_options_read(argc, argv, &grammar, &v.common, NULL, &code))
        return code;
    if (v.request.user[0] == '\0' && v.request.app[0] == '\0')
        return cli_fail(&v.common, CLI_USAGE, "whose token? give --user NAME, or --app NAME");
    if (v.request.tier[0] == '\0')
        return cli_fail(&v.common, CLI_USAGE,
                        "of which tier? give --tier; sluice tiers lists them");
    return create_into(&v);
}

/* ---- list, revoke ---------------------------------------------------------------------------- */

static const char list_help[] =
    "Usage: sluice token list [OPTION]...\n\n"
    "Lists API tokens by their prefixes, oldest first. Times are UTC.\n\n"
    "      --user NAME               only those of this user\n" CLI_LIST_HELP CLI_COMMON_HELP;

static const char *state_of(const pb_token *t)
{
    bool is_over = t->expires_at_us != 0 && t->expires_at_us <= sl_clock_wall(&sl_clock_real);
    return t->revoked ? "revoked" : is_over ? "expired" : t->usable ? "good" : "not usable";
}

static void add_row(struct cli_table *t, const ProtobufCMessage *row, void *ctx SL_UNUSED)
{
    const pb_token *k = (const pb_token *)row;

    cli_table_add(t, "%s", k->prefix);
    cli_table_add(t, "%s", k->user);
    cli_table_add(t, "%s", k->tier);
    cli_table_add(t, "%s", k->admin ? "(administrator)" : k->app[0] != '\0' ? k->app : "-");
    cli_cell_instant(t, k->created_at_us, "-");
    cli_cell_instant(t, k->expires_at_us, "never");
    cli_table_add(t, "%s%s", state_of(k), k->from_file ? ", from admin.token" : "");
}

static int run_list(int argc, char **argv)
{
    static const char *const heads[] = {"PREFIX", "USER",    "TIER", "APP",
                                        "MADE",   "EXPIRES", "STATE"};
    Sluice__V1__ListTokensRequest request = SLUICE__V1__LIST_TOKENS_REQUEST__INIT;
    struct cli_list list = {.method = "/sluice.v1.Admin/ListTokens",
                            .request = &request.base,
                            .answer = &sluice__v1__list_tokens_response__descriptor,
                            .limit = CLI_LIST_DEFAULT,
                            .heads = heads,
                            .column_count = SL_ARRAY_LEN(heads),
                            .add_row = add_row,
                            .none = "no tokens"};
    const struct cli_option options[] = {
        {"user", CLI_OPTION_TEXT, &request.user, 0, 0},
        {"limit", CLI_OPTION_COUNT, &list.limit, 1, CLI_LIST_MAX},
    };
    const struct cli_grammar grammar = {.name = "token list",
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

static const char revoke_help[] =
    "Usage: sluice token revoke PREFIX [OPTION]...\n\n"
    "From the next call on the token is refused, on open connections too. PREFIX is its sl_ and "
    "the six\n"
    "characters behind it, as sluice token list shows it.\n\n" CLI_COMMON_HELP;

static int run_revoke(int argc, char **argv)
{
    static const struct cli_grammar grammar = {
        .name = "token revoke", .help = revoke_help, .arguments = {"PREFIX"}, .as_operator = true};
    Sluice__V1__RevokeTokenRequest request = SLUICE__V1__REVOKE_TOKEN_REQUEST__INIT;
    enum { PREFIX_LEN = 9 };
    struct cli_common c;
    ProtobufCMessage *m;
    int code;

    if (!cli_options_read(argc, argv, &grammar, &c, &request.prefix, &code))
        return code;
    if (strlen(request.prefix) > PREFIX_LEN)
        return cli_fail(
            &c, CLI_USAGE,
            "give the first %d characters of the token alone: arguments are seen by others",
            PREFIX_LEN);
    code = cli_ask(&c, "/sluice.v1.Admin/RevokeToken", &request.base,
                   &sluice__v1__token__descriptor, &m);
    if (code != CLI_OK)
        return code;
    const pb_token *t = (const pb_token *)m;
    if (c.json)
        code = cli_print_json(cli_pb_json(m));
    else
        printf("revoked %s of user:%s\n", t->prefix, t->user);
    protobuf_c_message_free_unpacked(m, NULL);
    return code;
}

int cli_tokens(int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        {"create", "a new token; shown once", run_create},
        {"list", "all tokens, by their prefixes", run_list},
        {"revoke", "a token is refused from now on", run_revoke},
    };
    return cli_group_run(argc, argv, "token", verbs, SL_ARRAY_LEN(verbs));
}
