/* cli_token.h - which token a command sends. */
#ifndef CLI_TOKEN_H
#define CLI_TOKEN_H

#include "cli.h"

/* The token of --token-file, else of SLUICE_TOKEN; else, for an operator's command, admin.token of
 * the `sluice up` of this user that serves the command's address. *out is NULL when there is none;
 * wipe and free it. CLI_OK, or the exit code after the error was told. */
int cli_token_find(const struct cli_common *c, char **out);

#endif
