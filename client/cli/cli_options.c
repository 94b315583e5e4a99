/* cli_options.c - a verb's command line: its own options as a table, the common ones, arguments. */
#include "cli_options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli_named.h"
#include "cli_time.h"
#include "sl_clock.h"
#include "sl_text.h"

static int take_count(const struct cli_common *c, const struct cli_option *o, const char *value)
{
    int64_t n;

    if (sl_text_int(sl_span_str(value), &n) != SL_OK || n < o->min || n > o->max)
        return cli_fail(c, CLI_USAGE, "--%s is %s; %" PRId64 " to %" PRId64 " are possible",
                        o->name, value, o->min, o->max);
    *(int64_t *)o->out = n;
    return CLI_OK;
}

static int take_moment(const struct cli_common *c, const struct cli_option *o, const char *value)
{
    int64_t now_s = sl_clock_wall(&sl_clock_real) / SL_US_PER_S;
    int direction = o->kind == CLI_OPTION_COMING ? 1 : -1;
    int64_t at_s = now_s;

    if (value != NULL && cli_parse_when(value, now_s, direction, &at_s) != SL_OK)
        return cli_fail(c, CLI_USAGE,
                        "--%s is %s; write a span like 12h or 30d, or a date like 2026-11-21 or "
                        "2026-11-21T15:40:00Z (UTC)",
                        o->name, value);
    if (o->kind == CLI_OPTION_COMING && at_s <= now_s)
        return cli_fail(c, CLI_USAGE, "--%s is %s, which is over already", o->name, value);
    int64_t at_us = sl_sat_mul(at_s, SL_US_PER_S);
    *(int64_t *)o->out = at_us > 0 ? at_us : 1; /* 0 would mean that it was not given */
    return CLI_OK;
}

static int take_span(const struct cli_common *c, const struct cli_option *o, const char *value)
{
    if (sl_text_duration(sl_span_str(value), false, o->out) != SL_OK)
        return cli_fail(c, CLI_USAGE, "--%s is %s; write 30s, 500ms, 2m, ...", o->name, value);
    const int64_t ns = *(const int64_t *)o->out;
    char min[32], max[32];
    if (o->max == 0 || (ns >= o->min && ns <= o->max))
        return CLI_OK;
    sl_text_format_duration(o->min, min);
    sl_text_format_duration(o->max, max);
    return cli_fail(c, CLI_USAGE, "--%s is %s; %s to %s are possible", o->name, value, min, max);
}

static int take_own(const struct cli_common *c, const struct cli_option *o, char *value)
{
    switch (o->kind) {
    case CLI_OPTION_FLAG:
        *(bool *)o->out = true;
        return CLI_OK;
    case CLI_OPTION_COUNT:
        return take_count(c, o, value);
    case CLI_OPTION_SPAN:
        return take_span(c, o, value);
    case CLI_OPTION_NAMED:
        if (cli_named_take(o->out, value, true))
            return CLI_OK;
        return cli_fail(c, CLI_USAGE, "--%s %s: write NAME=VALUE, at most %d of them", o->name,
                        value, CLI_NAMED_MAX);
    case CLI_OPTION_PAST:
    case CLI_OPTION_COMING:
    case CLI_OPTION_DAY:
        return take_moment(c, o, value);
    default:
        *(char **)o->out = value;
        return CLI_OK;
    }
}

static int argument_of(enum cli_option_kind kind)
{
    if (kind == CLI_OPTION_FLAG)
        return no_argument;
    return kind == CLI_OPTION_DAY ? optional_argument : required_argument;
}

/* The verb's options, numbered from 1, then the common ones. */
static void make_table(const struct cli_grammar *g, struct option *out)
{
    static const struct option common[] = {CLI_COMMON_OPTIONS, {0}};

    for (size_t i = 0; i < g->option_count; i++)
        out[i] = (struct option){.name = g->options[i].name,
                                 .has_arg = argument_of(g->options[i].kind),
                                 .val = (int)i + 1};
    memcpy(out + g->option_count, common, sizeof(common));
}

static int take_arguments(const struct cli_common *c, const struct cli_grammar *g, int count,
                          char **given, char **out)
{
    int wanted = 0;

    while (wanted < CLI_ARGUMENTS_MAX && g->arguments[wanted] != NULL)
        wanted++;
    if (count < wanted)
        return cli_fail(c, CLI_USAGE, "sluice %s needs %s; sluice %s --help tells more", g->name,
                        g->arguments[count], g->name);
    if (count > wanted)
        return cli_fail(c, CLI_USAGE, "sluice %s takes %s argument%s, but there is %s", g->name,
                        wanted == 0   ? "no"
                        : wanted == 1 ? "one"
                                      : "two",
                        wanted > 1 ? "s" : "", given[wanted]);
    for (int i = 0; i < wanted; i++)
        out[i] = given[i];
    return CLI_OK;
}

bool cli_options_read(int argc, char **argv, const struct cli_grammar *g, struct cli_common *c,
                      char **arguments, int *out_exit)
{
    struct option table[CLI_OPTIONS_MAX + CLI_OPT_HELP - CLI_OPT_ADDRESS + 2] = {0};
    int option;

    cli_common_init(c);
    c->as_operator = g->as_operator;
    make_table(g, table);
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (option > 0 && (size_t)option <= g->option_count)
            *out_exit = take_own(c, &g->options[option - 1], optarg);
        else if (cli_common_take(c, option, optarg, g->help, out_exit))
            *out_exit = CLI_OK;
        else
            return false;
        if (*out_exit != CLI_OK)
            return false;
    }
    *out_exit = take_arguments(c, g, argc - optind, argv + optind, arguments);
    return *out_exit == CLI_OK;
}

static void print_group(FILE *out, const char *group, const struct cli_verb *verbs, size_t count)
{
    fprintf(out, "Usage: sluice %s VERB [OPTION]...    sluice %s VERB --help tells more\n\n", group,
            group);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].help);
}

int cli_group_run(int argc, char **argv, const char *group, const struct cli_verb *verbs,
                  size_t verb_count)
{
    const char *name = argc > 1 ? argv[1] : "";

    for (size_t i = 0; i < verb_count; i++) {
        if (strcmp(verbs[i].name, name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_group(stdout, group, verbs, verb_count);
        return CLI_OK;
    }
    if (argc > 1)
        fprintf(stderr, "sluice: there is no verb %s %s\n", group, name);
    print_group(stderr, group, verbs, verb_count);
    return CLI_USAGE;
}
