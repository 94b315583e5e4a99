/* cli_table.h - a table for people: columns as wide as they need to be. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum { CLI_TABLE_COLUMNS_MAX = 12 };

struct cli_table {
    const char *const *heads;
    size_t column_count;
    char **cells; /* row by row; owned */
    size_t cell_count;
    bool is_broken; /* no memory */
};

/* heads: column_count texts, borrowed; one that begins with '>' has its column set to the right. */
void cli_table_init(struct cli_table *t, const char *const *heads, size_t column_count);
/* The next cell of the current row, printf-like. */
void cli_table_add(struct cli_table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints to stdout and frees. */
void cli_table_print(struct cli_table *t);

#endif
