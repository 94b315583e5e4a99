/* cli_outputs.h - a result's outputs and receipt, to files and to stdout. */
#ifndef CLI_OUTPUTS_H
#define CLI_OUTPUTS_H

#include "cli.h"
#include "cli_named.h"

/* Writes the outputs of files (their values: "@FILE" or "@FILE.npy"; NULL: not to a file), then prints all of them
 * and the receipt. CLI_OK, or the exit code after the error was told. */
int cli_outputs_show(const struct cli_common *c, const struct sluice_result *r,
                     const struct cli_named_list *files);

#endif
