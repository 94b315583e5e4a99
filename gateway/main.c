/* main.c - sluice-gateway: options and exit codes; everything else is gw_server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw_json.h"
#include "gw_keygen.h"
#include "gw_server.h"
#include "gw_trust.h"
#include "gw_verifiers.h"
#include "sl_daemon.h"
#include "sl_heap.h"

enum { ERRORS_MAX = 1 << 20 };

struct arguments {
    struct sl_daemon_options common;
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

static int serve(const struct arguments *args, const struct gw_conf *conf)
{
    struct gw_server *server;
    struct sl_error err = {0};
    struct gw_server_options options = {.config_path = args->common.config,
                                        .announce_fd = args->announce_fd};
    sl_heap_keep_large();
    gw_json_guard(&sl_alloc_malloc);
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
    if (check_certificate(conf, &err) && check_keys(conf, &err) &&
        gw_verifiers_check(conf, &err) == SL_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "sluice-gateway: %s\n", err.text);
    return SL_DAEMON_WRONG_USAGE;
}

static int run(const struct arguments *args, struct sl_buf *text)
{
    struct gw_conf conf;
    struct sl_conf *owner;
    if (args->common.reference)
        return sl_daemon_print(sl_conf_reference(gw_conf_table, text), text);
    if (gw_conf_load(args->common.config, &conf, text, &owner) != SL_OK) {
        fwrite(text->data, 1, text->len, stderr);
        return SL_DAEMON_WRONG_USAGE;
    }
    int code = EXIT_SUCCESS;
    if (args->common.print)
        code = sl_daemon_print(sl_conf_print(gw_conf_table, &conf, text), text);
    else if (args->common.check)
        code = check_files(&conf);
    else
        code = serve(args, &conf);
    sl_conf_destroy(owner);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments args = {.announce_fd = -1};
    const struct sl_daemon daemon = {.program = "sluice-gateway",
                                     .usage = usage,
                                     .own = {{.name = "announce-fd", .fd = &args.announce_fd}}};
    if (argc > 1 && strcmp(argv[1], "keygen") == 0)
        return gw_keygen(argc - 1, argv + 1);
    int code = sl_daemon_read(&daemon, argc, argv, &args.common);
    if (code >= 0)
        return code;
    struct sl_buf text;
    sl_buf_init(&text, &sl_alloc_malloc, ERRORS_MAX);
    code = run(&args, &text);
    sl_buf_finish(&text);
    return code;
}
