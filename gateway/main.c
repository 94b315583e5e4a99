/* main.c - sluice-gateway: options and exit codes; everything else is gw_server. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw_keygen.h"
#include "gw_server.h"
#include "gw_trust.h"
#include "sl_heap.h"

enum { EXIT_CONFIG = 2, ERRORS_MAX = 1 << 20 };

struct arguments {
    const char *config;
    bool check, print, reference;
    int announce_fd;
};

static const char usage[] =
    "usage: sluice-gateway [--config FILE] [OPTION]\n"
    "       sluice-gateway keygen [--out DIR|FILE]\n"
    "\n"
    "Takes inference calls over gRPC (Open Inference Protocol), queues them, runs them on "
    "executors.\n"
    "\n"
    "  --config FILE      YAML configuration; without it all defaults hold\n"
    "  --check-config     read and check the configuration, print what is wrong with it, and end\n"
    "  --print-config     print the values in force as YAML, and end\n"
    "  --config-reference print every key with its default and meaning as Markdown, and end\n"
    "  --announce-fd N    write 'listening grpc=HOST:PORT http=HOST:PORT' to descriptor N when it "
    "listens\n"
    "  keygen             make a pair of keys for the link to executors; see keygen --help\n"
    "  --version          print the version\n"
    "  --help             print this\n"
    "\n"
    "SIGTERM finishes accepted calls and ends; a second one ends at once. SIGHUP reads the "
    "configuration\n"
    "again. Exit codes: 0 ended as asked, 1 could not serve, 2 wrong usage or configuration.\n";

static bool read_fd(const char *text, int *out)
{
    char *end;
    long fd = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || fd < 0 || fd > 1 << 20)
        return false;
    *out = (int)fd;
    return true;
}

static int wrong_usage(const char *why, const char *what)
{
    fprintf(stderr, "sluice-gateway: %s '%s'\n%s", why, what, usage);
    return EXIT_CONFIG;
}

/* -1: go on; else the exit code. */
static int read_arguments(int argc, char **argv, struct arguments *out)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"check-config", no_argument, NULL, 'k'},
                                            {"print-config", no_argument, NULL, 'p'},
                                            {"config-reference", no_argument, NULL, 'r'},
                                            {"announce-fd", required_argument, NULL, 'a'},
                                            {"version", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    *out = (struct arguments){.config = "", .announce_fd = -1};
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (o) {
        case 'c':
            out->config = optarg;
            break;
        case 'k':
            out->check = true;
            break;
        case 'p':
            out->print = true;
            break;
        case 'r':
            out->reference = true;
            break;
        case 'a':
            if (!read_fd(optarg, &out->announce_fd))
                return wrong_usage("no descriptor:", optarg);
            break;
        case 'v':
            puts("sluice-gateway " SLUICE_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            fputs(usage, stderr);
            return EXIT_CONFIG;
        }
    }
    return optind < argc ? wrong_usage("unexpected argument", argv[optind]) : -1;
}

static int print(sl_status s, const struct sl_buf *text)
{
    if (s != SL_OK || fwrite(text->data, 1, text->len, stdout) != text->len)
        return EXIT_FAILURE;
    return EXIT_SUCCESS;
}

static int serve(const struct arguments *args, const struct gw_conf *conf)
{
    struct gw_server *server;
    struct sl_error err = {0};
    struct gw_server_options options = {.config_path = args->config,
                                        .announce_fd = args->announce_fd};
    sl_heap_keep_large();
    sl_log_setup("gateway", (enum sl_log_level)conf->log_level,
                 (enum sl_log_format)conf->log_format);
    if (gw_server_create(conf, &options, &sl_clock_real, &server, &err) != SL_OK) {
        sl_log(SL_LOG_ERROR, "cannot serve", SL_S("why", err.text));
        return EXIT_FAILURE;
    }
    gw_server_run(server);
    gw_server_destroy(server);
    return EXIT_SUCCESS;
}

static bool check_certificate(const struct gw_conf *conf, struct sl_error *err)
{
    struct gw_tls_server *tls = NULL;
    if (conf->tls.certificate[0] == '\0')
        return true;
    bool ok = gw_tls_server_create(&conf->tls, &tls, err) == SL_OK;
    gw_tls_server_destroy(tls);
    return ok;
}

static bool check_keys(const struct gw_conf *conf, struct sl_error *err)
{
    struct sl_key secret;
    struct gw_trust trust = {0};
    bool ok = gw_trust_read_secret(conf, &secret, err) == SL_OK &&
              gw_trust_read_allowed(conf, &trust, err) == SL_OK;
    sl_key_erase(&secret);
    gw_trust_finish(&trust);
    return ok;
}

/* The files that the configuration names. */
static int check_files(const struct gw_conf *conf)
{
    struct sl_error err = {0};
    if (check_certificate(conf, &err) && check_keys(conf, &err))
        return EXIT_SUCCESS;
    fprintf(stderr, "sluice-gateway: %s\n", err.text);
    return EXIT_CONFIG;
}

static int run(const struct arguments *args, struct sl_buf *text)
{
    struct gw_conf conf;
    struct sl_conf *owner;
    if (args->reference)
        return print(sl_conf_reference(gw_conf_table, text), text);
    if (gw_conf_load(args->config, &conf, text, &owner) != SL_OK) {
        fwrite(text->data, 1, text->len, stderr);
        return EXIT_CONFIG;
    }
    int code = EXIT_SUCCESS;
    if (args->print)
        code = print(sl_conf_print(gw_conf_table, &conf, text), text);
    else if (args->check)
        code = check_files(&conf);
    else
        code = serve(args, &conf);
    sl_conf_destroy(owner);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments args;
    if (argc > 1 && strcmp(argv[1], "keygen") == 0)
        return gw_keygen(argc - 1, argv + 1);
    int code = read_arguments(argc, argv, &args);
    if (code >= 0)
        return code;
    struct sl_buf text;
    sl_buf_init(&text, &sl_alloc_malloc, ERRORS_MAX);
    code = run(&args, &text);
    sl_buf_finish(&text);
    return code;
}
