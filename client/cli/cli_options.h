/* cli_options.h - a verb's command line: its own options as a table, the common ones, arguments. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "cli.h"

enum { CLI_OPTIONS_MAX = 16, CLI_ARGUMENTS_MAX = 2 };

enum cli_option_kind {
    CLI_OPTION_TEXT,   /* const char *: as it was given */
    CLI_OPTION_FLAG,   /* bool */
    CLI_OPTION_COUNT,  /* int64_t: min to max */
    CLI_OPTION_SPAN,   /* int64_t, nanoseconds: 30s, 500ms; max 0: of any length */
    CLI_OPTION_NAMED,  /* struct cli_named_list: NAME=VALUE; may be repeated */
    CLI_OPTION_PAST,   /* int64_t, microseconds since 1970: a date, or a span before now */
    CLI_OPTION_COMING, /* the same after now */
    CLI_OPTION_DAY,    /* as PAST, and without a value now: --week, --week=2026-11-16 */
};

struct cli_option {
    const char *name; /* without "--" */
    enum cli_option_kind kind;
    void *out; /* unchanged when the option is not given */
    int64_t min, max;
};

/* What a verb takes. Texts are borrowed. */
struct cli_grammar {
    const char *name; /* "token revoke" */
    const char *help;
    const struct cli_option *options;
    size_t option_count;
    const char *arguments[CLI_ARGUMENTS_MAX]; /* names of those that must be there: "PREFIX" */
    bool as_operator;
};

/* Reads everything; arguments, when not NULL, gets one text for each name. false: the verb ends with
 * *out_exit, and the reason has been told. */
bool cli_options_read(int argc, char **argv, const struct cli_grammar *g, struct cli_common *c,
                      char **arguments, int *out_exit);

/* One of the verbs of a group: argv[1] names it. Prints the list for --help. */
int cli_group_run(int argc, char **argv, const char *group, const struct cli_verb *verbs,
                  size_t verb_count);

#endif
