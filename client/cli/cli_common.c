/* cli_common.c - common options and the channel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "cli_token.h"
#include "sl_text.h"

/* NULL: not set, or empty. */
static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

void cli_common_init(struct cli_common *c)
{
    const char *address = environment("SLUICE_ADDRESS");
    const char *tls = environment("SLUICE_TLS");
    *c = (struct cli_common){.address = address != NULL ? address : "127.0.0.1:8001",
                             .tls = tls != NULL && strcmp(tls, "0") != 0,
                             .timeout_ms = -1};
}

static void take_tls(struct cli_common *c, int option, const char *value)
{
    c->tls = true;
    if (option == CLI_OPT_CA)
        c->ca = value;
    else if (option == CLI_OPT_CERTIFICATE)
        c->certificate = value;
    else if (option == CLI_OPT_KEY)
        c->key = value;
    else if (option == CLI_OPT_SERVER_NAME)
        c->server_name = value;
}

static bool take_timeout(struct cli_common *c, const char *value, int *out_exit)
{
    int64_t ns;

    if (sl_text_duration(sl_span_str(value), true, &ns) == SL_OK && ns >= SL_NS_PER_MS) {
        c->timeout_ms = ns / SL_NS_PER_MS;
        return true;
    }
    *out_exit = cli_fail(c, CLI_USAGE, "--timeout is %s; write 30s, 500ms, 2m, ...", value);
    return false;
}

bool cli_common_take(struct cli_common *c, int option, const char *value, const char *help,
                     int *out_exit)
{
    switch (option) {
    case CLI_OPT_ADDRESS:
        c->address = value;
        return true;
    case CLI_OPT_TOKEN_FILE:
        c->token_file = value;
        return true;
    case CLI_OPT_ALLOW_PLAINTEXT:
        c->allow_plaintext_token = true;
        return true;
    case CLI_OPT_TLS:
    case CLI_OPT_CA:
    case CLI_OPT_CERTIFICATE:
    case CLI_OPT_KEY:
    case CLI_OPT_SERVER_NAME:
        take_tls(c, option, value);
        return true;
    case CLI_OPT_TIMEOUT:
        return take_timeout(c, value, out_exit);
    case CLI_OPT_JSON:
        c->json = true;
        return true;
    case CLI_OPT_HELP:
        fputs(help, stdout);
        *out_exit = CLI_OK;
        return false;
    default:
        *out_exit = CLI_USAGE; /* getopt_long has told what it is */
        return false;
    }
}

struct sluice_call_options cli_call_options(const struct cli_common *c)
{
    struct sluice_call_options o = SLUICE_CALL_OPTIONS_INIT;
    o.timeout_ms = c->timeout_ms;
    return o;
}

static void set_tls(const struct cli_common *c, struct sluice_channel_options *o)
{
    if (!c->tls)
        return;
    o->use_tls = true;
    o->ca_file = c->ca != NULL ? c->ca : environment("SLUICE_CA");
    o->certificate_file = c->certificate;
    o->key_file = c->key;
    o->server_name = c->server_name;
}

int cli_open(struct cli_common *c, struct sluice_channel **out)
{
    struct sluice_channel_options o = SLUICE_CHANNEL_OPTIONS_INIT;
    struct sluice_status status;
    char *token;

    int code = cli_token_find(c, &token);
    if (code != CLI_OK)
        return code;
    c->sent_no_token = token == NULL;
    o.token = token;
    o.allow_plaintext_token = c->allow_plaintext_token;
    o.max_message_bytes = SLUICE_MAX_MESSAGE_BYTES;
    o.user_agent = "sluice/" SLUICE_VERSION;
    set_tls(c, &o);
    sluice_channel_create(c->address, &o, out, &status);
    if (token != NULL)
        explicit_bzero(token, strlen(token));
    free(token);
    return status.code == SLUICE_OK ? CLI_OK : cli_fail(c, CLI_USAGE, "%s", status.message);
}
