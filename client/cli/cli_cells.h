/* cli_cells.h - cells of tables that many verbs have. */
#ifndef CLI_CELLS_H
#define CLI_CELLS_H

#include <stdint.h>

#include "cli_table.h"

/* GPU time; "-" for 0. */
void cli_cell_gpu(struct cli_table *t, int64_t us);
/* A time from now on; "-" below 0, for one that nobody knows. */
void cli_cell_eta(struct cli_table *t, int64_t us);
/* "-" for an empty one. */
void cli_cell_name(struct cli_table *t, const char *name);
/* "2026-11-21 15:40:00", UTC as heads or help say; none for 0. */
void cli_cell_instant(struct cli_table *t, int64_t at_us, const char *none);

#endif
