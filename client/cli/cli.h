/* cli.h - what the verbs of the sluice command share: exit codes, common options, talking to people.
 *
 * Exit codes   CLI_OK, or why not: programs may rely on them.
 * Output       Results on stdout; errors as one sentence on stderr (when to try again and what was
 *              charged on lines of their own), or with --json as one object on stdout: "error",
 *              "reason", "code", and what else is known.
 * Environment  SLUICE_ADDRESS (default 127.0.0.1:8001), SLUICE_TOKEN (a bearer token), SLUICE_TLS (1: speak
 *              TLS), SLUICE_CA (what --ca says, where TLS is spoken).
 */
#ifndef CLI_H
#define CLI_H

#include <getopt.h>
#include <jansson.h>
#include <sluice/sluice.h>
#include <stdbool.h>
#include <stdint.h>

#include "sl_base.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,      /* the server, or this command, refused or failed */
    CLI_USAGE = 2,       /* the command line makes no sense */
    CLI_UNREACHABLE = 3, /* no connection to the server */
};

/* One verb; argv[0] is its name. */
struct cli_verb {
    const char *name;
    const char *help; /* one line */
    int (*run)(int argc, char **argv);
};

int cli_apps(int argc, char **argv);
int cli_call(int argc, char **argv);
int cli_cancel(int argc, char **argv);
int cli_drain(int argc, char **argv);
int cli_grant(int argc, char **argv);
int cli_infer(int argc, char **argv);
int cli_models(int argc, char **argv);
int cli_nodes(int argc, char **argv);
int cli_quota(int argc, char **argv);
int cli_receipts(int argc, char **argv);
int cli_result(int argc, char **argv);
int cli_sim(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_tiers(int argc, char **argv);
int cli_tokens(int argc, char **argv);
int cli_top(int argc, char **argv);
int cli_up(int argc, char **argv);
int cli_usage(int argc, char **argv);
int cli_visitor(int argc, char **argv);

/* What every verb that talks to a server takes. */
struct cli_common {
    const char *address;
    const char *token_file; /* NULL: SLUICE_TOKEN */
    bool allow_plaintext_token;
    bool tls; /* any of the four below switches it on */
    const char *ca, *certificate, *key, *server_name;
    int64_t timeout_ms; /* -1: none */
    bool json;
    bool as_operator;   /* set by verbs that are an operator's: the token of `sluice up` is found */
    bool sent_no_token; /* set by cli_open */
};

/* Values of struct option for the options below; verbs use smaller ones for their own. */
enum {
    CLI_OPT_ADDRESS = 1000,
    CLI_OPT_TOKEN_FILE,
    CLI_OPT_ALLOW_PLAINTEXT,
    CLI_OPT_TLS,
    CLI_OPT_CA,
    CLI_OPT_CERTIFICATE,
    CLI_OPT_KEY,
    CLI_OPT_SERVER_NAME,
    CLI_OPT_TIMEOUT,
    CLI_OPT_JSON,
    CLI_OPT_HELP,
};
#define CLI_COMMON_OPTIONS                                                                         \
    {"address", required_argument, NULL, CLI_OPT_ADDRESS},                                         \
        {"token-file", required_argument, NULL, CLI_OPT_TOKEN_FILE},                               \
        {"allow-plaintext-token", no_argument, NULL, CLI_OPT_ALLOW_PLAINTEXT},                     \
        {"tls", no_argument, NULL, CLI_OPT_TLS}, {"ca", required_argument, NULL, CLI_OPT_CA},      \
        {"certificate", required_argument, NULL, CLI_OPT_CERTIFICATE},                             \
        {"key", required_argument, NULL, CLI_OPT_KEY},                                             \
        {"server-name", required_argument, NULL, CLI_OPT_SERVER_NAME},                             \
        {"timeout", required_argument, NULL, CLI_OPT_TIMEOUT},                                     \
        {"json", no_argument, NULL, CLI_OPT_JSON},                                                 \
    {                                                                                              \
        "help", no_argument, NULL, CLI_OPT_HELP                                                    \
    }
#define CLI_COMMON_HELP                                                                            \
    "      --address HOST:PORT       the gRPC address (SLUICE_ADDRESS; 127.0.0.1:8001)\n"          \
    "      --token-file FILE         send the token in FILE (else SLUICE_TOKEN)\n"                 \
    "      --allow-plaintext-token   send it also beyond this machine, unencrypted\n"              \
    "      --tls                     speak TLS (SLUICE_TLS=1); so do the next four\n"              \
    "      --ca FILE                 trust these authorities (SLUICE_CA; the system's)\n"          \
    "      --server-name NAME        whom the certificate must name (the address's host)\n"        \
    "      --certificate FILE        show this certificate, a PEM file\n"                          \
    "      --key FILE                and its key, a PEM file\n"                                    \
    "      --timeout TIME            give up after 30s, 500ms, 2m, ...\n"                          \
    "      --json                    one JSON document instead of text\n"                          \
    "      --help                    this text\n"

/* The defaults and the environment. */
void cli_common_init(struct cli_common *c);
/* One option that getopt_long returned; help is printed for --help. *out_exit is set when the verb
 * should end now (then false comes back). */
bool cli_common_take(struct cli_common *c, int option, const char *value, const char *help,
                     int *out_exit);

/* A channel by the common options. CLI_OK, or the exit code after the error was told. */
int cli_open(struct cli_common *c, struct sluice_channel **out);
/* The timeout as call options. */
struct sluice_call_options cli_call_options(const struct cli_common *c);

/* Tells how a call failed, when to try again, and with a result (which may be NULL) what was charged
 * and what is left. Returns the exit code for it. */
int cli_fail_result(const struct cli_common *c, const struct sluice_status *s,
                    const struct sluice_result *result);
int cli_fail_status(const struct cli_common *c, const struct sluice_status *s);
/* Tells what is wrong; code is CLI_FAILED or CLI_USAGE, and returned. */
int cli_fail(const struct cli_common *c, int code, const char *fmt, ...) SL_PRINTF(3, 4);

/* Prints and frees the document. Returns CLI_OK. */
int cli_print_json(json_t *document);

/* A whole file, at most max_bytes. free *out. NULL on success, else what is wrong (static or from
 * strerror). */
const char *cli_read_file(const char *path, size_t max_bytes, char **out, size_t *out_len);

/* A new file for a secret, mode 0600: what is there is never overwritten. NULL, or what is wrong. */
const char *cli_secret_open(const char *path, int *out_fd);
/* Writes the text and a line's end, to the disk, and closes. NULL, or what is wrong. */
const char *cli_secret_write(int fd, const char *text);

#endif
