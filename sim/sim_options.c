#include "sim_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sl_text.h"

enum { KEYS_BYTES_MAX = 1 << 20, GIVEN_MAX = 32 };

static const char help[] =
    "Usage: sluice sim SCENARIO.yaml [OPTION]...\n\n"
    "Plays the scenario's day through the gateway's own admission, ledger, queue and scheduler, "
    "with\n"
    "invented visitors and nodes and a virtual clock. The same seed gives the same day.\n\n"
    "      --seed N           another seed than the scenario's\n"
    "      --set CHANGE       changes the scenario: KEY=VALUE (fleet.h200.nodes=12), or a YAML "
    "file\n"
    "                         that is laid over it; may be repeated\n"
    "      --what-if CHANGE   plays the day as it is, and changed so; may be repeated\n"
    "      --policy P         fair, strict or fifo\n"
    "      --compare          plays the day by each policy\n"
    "      --replay FILE      plays the calls of `sluice receipts --everybody --json` once more, "
    "on\n"
    "                         the scenario's fleet\n"
    "      --calls N          at most so many calls\n"
    "      --paranoid         all invariants after every step (slow)\n"
    "      --json             JSON instead of tables\n"
    "      --html FILE        also a page with plots\n"
    "      --keys             what a scenario may say, as Markdown\n"
    "      --help             this text\n\n"
    "Exit codes: 0 done, 1 an invariant broke (the seed and the step are told), 2 wrong usage.\n";

enum {
    OPT_SEED = 256,
    OPT_SET,
    OPT_WHAT_IF,
    OPT_POLICY,
    OPT_COMPARE,
    OPT_REPLAY,
    OPT_CALLS,
    OPT_PARANOID,
    OPT_JSON,
    OPT_HTML,
    OPT_KEYS,
    OPT_HELP
};

/* What was given, before it is made into runs. */
struct given {
    const char *sets[GIVEN_MAX], *what_ifs[GIVEN_MAX];
    size_t set_count, what_if_count;
    const char *policy;
    bool compares;
};

static const char *const policies[] = {"fair", "strict", "fifo"};

static int usage(const char *why, const char *what)
{
    fprintf(stderr, "sluice sim: %s%s; --help tells more\n", why, what);
    return SIM_EXIT_USAGE;
}

static bool take_number(const char *text, uint64_t *out)
{
    int64_t n;
    if (sl_text_int(sl_span_str(text), &n) != SL_OK || n < 0)
        return false;
    *out = (uint64_t)n;
    return true;
}

static int take_change(const char **list, size_t *count, const char *value)
{
    if (*count == GIVEN_MAX)
        return usage("more than 32 changes, the last: ", value);
    list[(*count)++] = value;
    return SIM_GO_ON;
}

static int print_keys(void)
{
    struct sl_buf text;
    sl_buf_init(&text, &sl_alloc_malloc, KEYS_BYTES_MAX);
    sl_status s = sim_scenario_reference(&text);
    if (s == SL_OK)
        fwrite(text.data, 1, text.len, stdout);
    sl_buf_finish(&text);
    return s == SL_OK ? EXIT_SUCCESS : SIM_EXIT_BROKEN;
}

static int print_help(void)
{
    fputs(help, stdout);
    return EXIT_SUCCESS;
}

static int take_policy(struct given *g, const char *value)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(policies); i++)
        if (strcmp(policies[i], value) == 0) {
            g->policy = policies[i];
            return SIM_GO_ON;
        }
    return usage("--policy is fair, strict or fifo, not ", value);
}

static int take_option(struct sim_options *o, struct given *g, int option, const char *value)
{
    switch (option) {
    case OPT_SEED:
        o->has_seed = true;
        return take_number(value, &o->day.seed) ? SIM_GO_ON : usage("--seed is no number: ", value);
    case OPT_CALLS:
        return take_number(value, &o->day.max_calls) ? SIM_GO_ON
                                                     : usage("--calls is no number: ", value);
    case OPT_SET:
        return take_change(g->sets, &g->set_count, value);
    case OPT_WHAT_IF:
        return take_change(g->what_ifs, &g->what_if_count, value);
    case OPT_POLICY:
        return take_policy(g, value);
    case OPT_COMPARE:
        g->compares = true;
        return SIM_GO_ON;
    case OPT_PARANOID:
        o->day.is_paranoid = true;
        return SIM_GO_ON;
    case OPT_JSON:
        o->as_json = true;
        return SIM_GO_ON;
    case OPT_REPLAY:
        o->replay = value;
        return SIM_GO_ON;
    case OPT_HTML:
        o->html = value;
        return SIM_GO_ON;
    case OPT_KEYS:
        return print_keys();
    case OPT_HELP:
        return print_help();
    default:
        return SIM_EXIT_USAGE; /* getopt_long has told what it is */
    }
}

/* ---- runs */

static int add_changes(struct sim_run *run, const char *const *changes, size_t count)
{
    struct sl_error why;
    for (size_t i = 0; i < count; i++)
        if (sim_changes_add(&run->changes, changes[i], &why) != SL_OK)
            return usage(why.text, "");
    return SIM_GO_ON;
}

static int add_run(struct sim_options *o, const struct given *g, const char *label,
                   const char *policy)
{
    struct sim_run *run = &o->runs[o->run_count++];
    static const char *const by_policy[] = {"scheduler.policy=fair", "scheduler.policy=strict",
                                            "scheduler.policy=fifo"};
    snprintf(run->label, sizeof run->label, "%s", label);
    int code = add_changes(run, g->sets, g->set_count);
    for (size_t i = 0; code == SIM_GO_ON && policy != NULL && i < SL_ARRAY_LEN(policies); i++)
        if (strcmp(policies[i], policy) == 0)
            code = add_changes(run, &by_policy[i], 1);
    return code;
}

static int add_policies(struct sim_options *o, const struct given *g)
{
    int code = SIM_GO_ON;
    for (size_t i = 0; code == SIM_GO_ON && i < SL_ARRAY_LEN(policies); i++)
        code = add_run(o, g, policies[i], policies[i]);
    return code;
}

static int add_what_if(struct sim_options *o, const struct given *g)
{
    int code = add_run(o, g, "as it is", g->policy);
    if (code == SIM_GO_ON)
        code = add_run(o, g, "what if", g->policy);
    return code == SIM_GO_ON ? add_changes(&o->runs[1], g->what_ifs, g->what_if_count) : code;
}

static int make_runs(struct sim_options *o, const struct given *g)
{
    if (g->compares && (g->policy != NULL || g->what_if_count > 0))
        return usage("--compare plays all policies: ", "leave out --policy and --what-if");
    if (g->compares)
        return add_policies(o, g);
    if (g->what_if_count > 0)
        return add_what_if(o, g);
    return add_run(o, g, "", g->policy);
}

int sim_options_read(struct sim_options *o, int argc, char **argv)
{
    static const struct option table[] = {{"seed", required_argument, NULL, OPT_SEED},
                                          {"set", required_argument, NULL, OPT_SET},
                                          {"what-if", required_argument, NULL, OPT_WHAT_IF},
                                          {"policy", required_argument, NULL, OPT_POLICY},
                                          {"compare", no_argument, NULL, OPT_COMPARE},
                                          {"replay", required_argument, NULL, OPT_REPLAY},
                                          {"calls", required_argument, NULL, OPT_CALLS},
                                          {"paranoid", no_argument, NULL, OPT_PARANOID},
                                          {"json", no_argument, NULL, OPT_JSON},
                                          {"html", required_argument, NULL, OPT_HTML},
                                          {"keys", no_argument, NULL, OPT_KEYS},
                                          {"help", no_argument, NULL, OPT_HELP},
                                          {0}};
    struct given g = {0};
    *o = (struct sim_options){0};
    for (int option; (option = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        int code = take_option(o, &g, option, optarg);
        if (code != SIM_GO_ON)
            return code;
    }
    if (optind != argc - 1)
        return usage(optind == argc ? "which scenario?" : "one scenario only, not also ",
                     optind == argc ? "" : argv[optind + 1]);
    o->path = argv[optind];
    return make_runs(o, &g);
}

void sim_options_finish(struct sim_options *o)
{
    for (size_t i = 0; i < o->run_count; i++)
        sim_changes_finish(&o->runs[i].changes);
}
