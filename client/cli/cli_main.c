/* cli_main.c - the sluice command: a table of verbs. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const struct cli_verb verbs[] = {
    {"up", "gateway and executor on this machine, with one command", cli_up},
    {"infer", "one call to a model", cli_infer},
    {"result", "what a call brought that was made before", cli_result},
    {"call", "what has become of a call: its place in the queue, its end", cli_call},
    {"cancel", "ends a call", cli_cancel},
    {"quota", "what you have left, and when all of it is there again", cli_quota},
    {"receipts", "what your calls cost", cli_receipts},
    {"models", "which models there are, and where", cli_models},
    {"nodes", "which executors there are, with their slices", cli_nodes},
    {"drain", "a node is to get no more calls", cli_drain},
    {"status", "how the gateway does: calls, queue, slices", cli_status},
    {"top", "the same and more, again and again", cli_top},
    {"tiers", "what which visitors may use", cli_tiers},
    {"token", "API tokens: create, list, revoke", cli_tokens},
    {"app", "apps that call for their visitors: register, list, remove, pause, resume", cli_apps},
    {"usage", "GPU time by week and app, owner or visitor", cli_usage},
    {"grant", "gives an account GPU time", cli_grant},
    {"sim", "plays a day of invented traffic through the real scheduler", cli_sim},
    {"visitor", "accounts: list, show, block, unblock, blocked", cli_visitor},
};

static void print_help(FILE *out)
{
    fputs("Usage: sluice VERB [OPTION]...    sluice VERB --help tells more\n\n", out);
    for (size_t i = 0; i < SL_ARRAY_LEN(verbs); i++)
        fprintf(out, "  %-8s %s\n", verbs[i].name, verbs[i].help);
    fputs("\n  --version, --help\n\n"
          "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 server not reachable.\n",
          out);
}

static const struct cli_verb *find_verb(const char *name)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(verbs); i++) {
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    }
    return NULL;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

/* What could not be written was not told: a full disk, for example. */
static int told(int code)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return code;
    fprintf(stderr, "sluice: cannot write to stdout: %m\n");
    return code != CLI_OK ? code : CLI_FAILED;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("sluice %s\n", sluice_version());
        return CLI_OK;
    }
    if (is_help(argv[1])) {
        print_help(stdout);
        return CLI_OK;
    }
    const struct cli_verb *verb = find_verb(argv[1]);
    if (verb == NULL) {
        fprintf(stderr, "sluice: there is no verb %s; sluice --help lists them\n", argv[1]);
        return CLI_USAGE;
    }
    return told(verb->run(argc - 1, argv + 1));
}
