/* cli_named.c - options like --input NAME=VALUE, as they were given. */
#include "cli_named.h"

#include <string.h>

bool cli_named_take(struct cli_named_list *l, char *text, bool needs_value)
{
    char *equals = strchr(text, '=');

    if (l->count == CLI_NAMED_MAX || equals == text || (equals == NULL && needs_value))
        return false;
    if (equals != NULL)
        *equals = '\0';
    l->items[l->count++] =
        (struct cli_named){.name = text, .value = equals != NULL ? equals + 1 : NULL};
    return true;
}

const char *cli_named_find(const struct cli_named_list *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++) {
        if (strcmp(l->items[i].name, name) == 0)
            return l->items[i].value;
    }
    return NULL;
}
