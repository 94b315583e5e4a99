/* cli_table.c - a table for people. */
#include "cli_table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli_text.h"

enum { GAP = 2, CUT_MIN = 8 /* characters that a cell keeps when it is cut */ };

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
    cli_text_make_safe(text);
    t->cells = cells;
    t->cells[t->cell_count++] = text;
}

static const char *head_text(const struct cli_table *t, size_t column)
{
    char first = t->heads[column][0];
    return t->heads[column] + (first == '>' || first == '~');
}

static void measure(const struct cli_table *t, int *widths)
{
    for (size_t i = 0; i < t->column_count; i++)
        widths[i] = cli_text_width(head_text(t, i));
    for (size_t i = 0; i < t->cell_count; i++) {
        int cell = cli_text_width(t->cells[i]);
        int *width = &widths[i % t->column_count];
        *width = cell > *width ? cell : *width;
    }
}

static void write_cell(const struct cli_table *t, FILE *out, const int *widths, size_t column,
                       const char *text)
{
    bool is_last = column + 1 == t->column_count;
    int fill = widths[column] - cli_text_width(text);

    if (t->heads[column][0] == '>')
        fprintf(out, "%*s%s", fill, "", text);
    else
        fprintf(out, "%s%*s", text, is_last ? 0 : fill, "");
    if (is_last)
        putc('\n', out);
    else
        fprintf(out, "%*s", GAP, "");
}

static void write_rows(const struct cli_table *t, FILE *out, const int *widths)
{
    for (size_t i = 0; i < t->column_count; i++)
        write_cell(t, out, widths, i, head_text(t, i));
    for (size_t i = 0; i < t->cell_count; i++)
        write_cell(t, out, widths, i % t->column_count, t->cells[i]);
}

static void write_blocks(const struct cli_table *t, FILE *out)
{
    int head_width = 0;

    for (size_t i = 0; i < t->column_count; i++) {
        int width = cli_text_width(head_text(t, i));
        head_width = width > head_width ? width : head_width;
    }
    for (size_t i = 0; i < t->cell_count; i++) {
        const char *head = head_text(t, i % t->column_count);
        if (i > 0 && i % t->column_count == 0)
            putc('\n', out);
        fprintf(out, "%s%*s%s\n", head, head_width - cli_text_width(head) + GAP, "", t->cells[i]);
    }
}

static int total_width(const struct cli_table *t, const int *widths)
{
    int total = -GAP;
    for (size_t i = 0; i < t->column_count; i++)
        total += widths[i] + GAP;
    return total;
}

/* The widest column that may be cut; NULL: none can give way any more. */
static int *widest(const struct cli_table *t, int *widths)
{
    int *found = NULL;
    for (size_t i = 0; i < t->column_count; i++) {
        bool may_be_cut = t->heads[i][0] == '~' && widths[i] > CUT_MIN;
        if (may_be_cut && (found == NULL || widths[i] > *found))
            found = &widths[i];
    }
    return found;
}

static void write_cut_row(const struct cli_table *t, FILE *out, int line_width, const int *widths,
                          const char *const *cells)
{
    char *line = NULL;
    size_t len;
    FILE *f = open_memstream(&line, &len);

    for (size_t i = 0; f != NULL && i < t->column_count; i++) {
        char *cell = strdup(cells[i]);
        if (cell != NULL)
            cli_text_cut(cell, widths[i]);
        write_cell(t, f, widths, i, cell != NULL ? cell : "");
        free(cell);
    }
    if (f == NULL || fclose(f) != 0)
        return;
    line[len - 1] = '\0';
    if (line_width > 0)
        cli_text_cut(line, line_width);
    fprintf(out, "%s\n", line);
    free(line);
}

void cli_table_write_cut(struct cli_table *t, FILE *out, int line_width)
{
    int widths[CLI_TABLE_COLUMNS_MAX];
    const char *heads[CLI_TABLE_COLUMNS_MAX];
    int *column;

    measure(t, widths);
    while (line_width > 0 && total_width(t, widths) > line_width &&
           (column = widest(t, widths)) != NULL)
        --*column;
    for (size_t i = 0; i < t->column_count; i++)
        heads[i] = head_text(t, i);
    write_cut_row(t, out, line_width, widths, heads);
    for (size_t i = 0; i + t->column_count <= t->cell_count; i += t->column_count)
        write_cut_row(t, out, line_width, widths, (const char *const *)&t->cells[i]);
    cli_table_finish(t);
}

void cli_table_write(struct cli_table *t, FILE *out, int line_width)
{
    int widths[CLI_TABLE_COLUMNS_MAX];

    measure(t, widths);
    int total = total_width(t, widths);
    if (line_width > 0 && total > line_width)
        write_blocks(t, out);
    else
        write_rows(t, out, widths);
    if (t->is_broken)
        fputs("(no memory for the rest)\n", out);
    cli_table_finish(t);
}

void cli_table_finish(struct cli_table *t)
{
    for (size_t i = 0; i < t->cell_count; i++)
        free(t->cells[i]);
    free(t->cells);
    t->cells = NULL;
    t->cell_count = 0;
}

void cli_table_print(struct cli_table *t)
{
    struct winsize size = {0};
    bool is_terminal = isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;

    cli_table_write(t, stdout, is_terminal ? size.ws_col : 0);
}
