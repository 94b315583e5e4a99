/* cli_named.h - options like --input NAME=VALUE, as they were given. Pure; texts are borrowed from argv. */
#ifndef CLI_NAMED_H
#define CLI_NAMED_H

#include <stdbool.h>
#include <stddef.h>

enum { CLI_NAMED_MAX = 64 };

struct cli_named {
    const char *name; /* cut at '=' */
    const char *value;
};
struct cli_named_list {
    struct cli_named items[CLI_NAMED_MAX];
    size_t count;
};

/* Cuts text at its first '='. false: it has no name, or no value though it needs one, or the list is full. */
bool cli_named_take(struct cli_named_list *l, char *text, bool needs_value);
/* NULL: the name is not there, or has no value. */
const char *cli_named_find(const struct cli_named_list *l, const char *name);

#endif
