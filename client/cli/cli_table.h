/* cli_table.h - a table for people: columns as wide as they need to be; on a terminal that is too
 * narrow for it, each row as a block of lines, or with what is too wide cut. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { CLI_TABLE_COLUMNS_MAX = 12 };

struct cli_table {
    const char *const *heads;
    size_t column_count;
    char **cells; /* row by row; owned */
    size_t cell_count;
    bool is_broken; /* no memory */
};

/* heads: column_count texts, borrowed; one that begins with '>' has its column set to the right, and the cells of one
 * that begins with '~' may be cut. */
void cli_table_init(struct cli_table *t, const char *const *heads, size_t column_count);
/* The next cell of the current row, printf-like; control characters are shown as '?'. */
void cli_table_add(struct cli_table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Writes it for lines of that many characters (0: of any length) and finishes. */
void cli_table_write(struct cli_table *t, FILE *out, int line_width);
/* The same, but each row is one line of at most line_width characters (0: of any length): first cells that may be cut
 * give way, then what does not fit at the end. */
void cli_table_write_cut(struct cli_table *t, FILE *out, int line_width);
/* The same as cli_table_write to stdout, as wide as that is. */
void cli_table_print(struct cli_table *t);
void cli_table_finish(struct cli_table *t); /* again is fine */

#endif
