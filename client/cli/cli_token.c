/* cli_token.c - which token a command sends. */
#include "cli_token.h"

#include <stdlib.h>
#include <string.h>

#include "up_running.h"

enum { TOKEN_FILE_BYTES_MAX = 16 * 1024 };

static int read_token(const struct cli_common *c, const char *path, char **out)
{
    size_t len;
    const char *wrong = cli_read_file(path, TOKEN_FILE_BYTES_MAX, out, &len);

    if (wrong != NULL)
        return cli_fail(c, CLI_USAGE, "the token file %s: %s", path, wrong);
    (*out)[strcspn(*out, "\r\n")] = '\0';
    if (**out != '\0')
        return CLI_OK;
    free(*out);
    *out = NULL;
    return cli_fail(c, CLI_USAGE, "the token file %s has nothing in its first line", path);
}

int cli_token_find(const struct cli_common *c, char **out)
{
    const char *from_env = getenv("SLUICE_TOKEN");
    char path[PATH_MAX];

    *out = NULL;
    if (c->token_file != NULL)
        return read_token(c, c->token_file, out);
    if (from_env != NULL && *from_env != '\0') {
        *out = strdup(from_env);
        return *out != NULL ? CLI_OK : cli_fail(c, CLI_FAILED, "no memory for the token");
    }
    if (c->as_operator && !c->tls && up_running_admin_token(c->address, path))
        return read_token(c, path, out);
    return CLI_OK;
}
