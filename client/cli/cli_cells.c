/* cli_cells.c - cells of tables that many verbs have. */
#include "cli_cells.h"

#include "cli_time.h"

void cli_cell_gpu(struct cli_table *t, int64_t us)
{
    char text[CLI_TIME_BYTES];

    cli_format_gpu(us, text);
    cli_table_add(t, "%s", us != 0 ? text : "-");
}

void cli_cell_eta(struct cli_table *t, int64_t us)
{
    char text[CLI_TIME_BYTES];

    cli_format_ms(us / 1000, text);
    cli_table_add(t, "%s", us >= 0 ? text : "-");
}

void cli_cell_name(struct cli_table *t, const char *name)
{
    cli_table_add(t, "%s", name[0] != '\0' ? name : "-");
}

void cli_cell_instant(struct cli_table *t, int64_t at_us, const char *none)
{
    enum { WITHOUT_ZONE = 19 };
    char text[CLI_TIME_BYTES];

    cli_format_instant(at_us / SL_US_PER_S, text);
    cli_table_add(t, "%.*s", WITHOUT_ZONE, at_us != 0 ? text : none);
}
