/* cli_table.c - a table for people. */
#include "cli_table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cli_table_init(struct cli_table *t, const char *const *heads, size_t column_count)
{
    *t = (struct cli_table){.heads = heads, .column_count = column_count};
}

void cli_table_add(struct cli_table *t, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    char **cells = n < 0 ? NULL : reallocarray(t->cells, t->cell_count + 1, sizeof(*t->cells));
    if (cells == NULL) {
        t->is_broken = true;
        free(n < 0 ? NULL : text);
        return;
    }
    t->cells = cells;
    t->cells[t->cell_count++] = text;
}

static const char *head_text(const struct cli_table *t, size_t column)
{
    return t->heads[column] + (t->heads[column][0] == '>');
}

/* Characters, not bytes. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text != '\0'; text++)
        width += (*text & 0xC0) != 0x80;
    return width;
}

static int column_width(const struct cli_table *t, size_t column)
{
    int width = width_of(head_text(t, column));
    for (size_t i = column; i < t->cell_count; i += t->column_count) {
        int cell = width_of(t->cells[i]);
        width = cell > width ? cell : width;
    }
    return width;
}

static void print_cell(const struct cli_table *t, size_t column, const char *text)
{
    bool is_last = column + 1 == t->column_count;
    int fill = column_width(t, column) - width_of(text);

    if (t->heads[column][0] == '>')
        printf("%*s%s", fill, "", text);
    else
        printf("%s%*s", text, is_last ? 0 : fill, "");
    fputs(is_last ? "\n" : "  ", stdout);
}

void cli_table_print(struct cli_table *t)
{
    for (size_t i = 0; i < t->column_count; i++)
        print_cell(t, i, head_text(t, i));
    for (size_t i = 0; i < t->cell_count; i++)
        print_cell(t, i % t->column_count, t->cells[i]);
    if (t->is_broken)
        fputs("(no memory for the rest)\n", stdout);
    for (size_t i = 0; i < t->cell_count; i++)
        free(t->cells[i]);
    free(t->cells);
}
