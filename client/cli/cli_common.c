/* cli_common.c - common options, the channel, errors. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "sl_text.h"

enum { TOKEN_FILE_BYTES_MAX = 16 * 1024 };

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

static int tell(const struct cli_common *c, int exit_code, const char *message, const char *reason,
                const char *code)
{
    if (c->json) {
        json_t *o = json_pack("{s:s, s:s, s:s}", "error", message, "reason", reason, "code", code);
        cli_print_json(o);
    } else if (*reason != '\0') {
        fprintf(stderr, "sluice: %s (%s)\n", message, reason);
    } else {
        fprintf(stderr, "sluice: %s\n", message);
    }
    return exit_code;
}

int cli_fail_status(const struct cli_common *c, const struct sluice_status *s)
{
    bool is_unreachable = s->code == SLUICE_UNAVAILABLE && !s->from_server;
    tell(c, 0, s->message, s->reason, sluice_code_name(s->code));
    if (s->retry_after_ms >= 0 && !c->json)
        fprintf(stderr, "sluice: try again in %.1f s\n", (double)s->retry_after_ms / 1000.0);
    return is_unreachable ? CLI_UNREACHABLE : CLI_FAILED;
}

int cli_fail(const struct cli_common *c, int code, const char *fmt, ...)
{
    char text[2048];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return tell(c, code, text, "", code == CLI_USAGE ? "INVALID_ARGUMENT" : "FAILED");
}

int cli_print_json(json_t *document)
{
    if (document == NULL) {
        fputs("sluice: no memory for the JSON document\n", stderr);
        return CLI_FAILED;
    }
    json_dumpf(document, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(17));
    putchar('\n');
    json_decref(document);
    return CLI_OK;
}

/* Reads f to its end. NULL, or what is wrong. */
static const char *read_stream(FILE *f, size_t max_bytes, char **out, size_t *out_len)
{
    size_t capacity = 64 * 1024;
    size_t len = 0;
    char *bytes = malloc(capacity);

    while (bytes != NULL) {
        len += fread(bytes + len, 1, capacity - 1 - len, f);
        if (len < capacity - 1 || len > max_bytes)
            break;
        char *more = realloc(bytes, capacity * 2);
        if (more == NULL) {
            free(bytes);
            bytes = NULL;
            break;
        }
        bytes = more;
        capacity *= 2;
    }
    if (bytes == NULL)
        return "no memory for it";
    if (ferror(f) || len > max_bytes) {
        free(bytes);
        return len > max_bytes ? "it is too large" : "it cannot be read";
    }
    bytes[len] = '\0';
    *out = bytes;
    *out_len = len;
    return NULL;
}

const char *cli_read_file(const char *path, size_t max_bytes, char **out, size_t *out_len)
{
    FILE *f = fopen(path, "rbe");
    if (f == NULL)
        return strerror(errno);
    const char *wrong = read_stream(f, max_bytes, out, out_len);
    fclose(f);
    return wrong;
}

/* The token without the line's end. *out is NULL when there is no token; free it. */
static int read_token(const struct cli_common *c, char **out)
{
    const char *from_env = environment("SLUICE_TOKEN");
    size_t len;

    *out = NULL;
    if (c->token_file == NULL) {
        if (from_env != NULL)
            *out = strdup(from_env);
        return CLI_OK;
    }
    const char *wrong = cli_read_file(c->token_file, TOKEN_FILE_BYTES_MAX, out, &len);
    if (wrong != NULL)
        return cli_fail(c, CLI_USAGE, "the token file %s: %s", c->token_file, wrong);
    (*out)[strcspn(*out, "\r\n")] = '\0';
    return CLI_OK;
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

int cli_open(const struct cli_common *c, struct sluice_channel **out)
{
    struct sluice_channel_options o = SLUICE_CHANNEL_OPTIONS_INIT;
    struct sluice_status status;
    char *token;

    int code = read_token(c, &token);
    if (code != CLI_OK)
        return code;
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
