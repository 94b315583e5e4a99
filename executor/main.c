/* main.c - sluice-executor: options and exit codes; everything else is ex_server. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "ex_keys.h"
#include "ex_model_file_keys.h"
#include "ex_server.h"
#include "sl_heap.h"

enum { EXIT_CONFIG = 2, ERRORS_MAX = 1 << 20 };

struct arguments {
    const char *config;
    bool check, print, reference, model_reference;
};

static const char usage[] =
    "usage: sluice-executor --config FILE [OPTION]\n"
    "\n"
    "Runs the calls of a sluice-gateway: serves the models of a repository on this node's slices,\n"
    "one worker process for each model and slice.\n"
    "\n"
    "  --config FILE      YAML configuration\n"
    "  --check-config     read and check the configuration, print what is wrong with it, and end\n"
    "  --print-config     print the values in force as YAML, and end\n"
    "  --config-reference print every key with its default and meaning as Markdown, and end\n"
    "  --model-reference  print every key of model.yaml likewise, and end\n"
    "  --version          print the version\n"
    "  --help             print this\n"
    "\n"
    "SIGTERM finishes accepted calls and ends; a second one ends at once. SIGHUP reads log.level\n"
    "again. Exit codes: 0 ended as asked, 1 could not serve, 2 wrong usage or configuration.\n";

static int wrong_usage(const char *why, const char *what)
{
    fprintf(stderr, "sluice-executor: %s%s\n%s", why, what, usage);
    return EXIT_CONFIG;
}

/* -1: go on; else the exit code. */
static int read_arguments(int argc, char **argv, struct arguments *out)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"check-config", no_argument, NULL, 'k'},
                                            {"print-config", no_argument, NULL, 'p'},
                                            {"config-reference", no_argument, NULL, 'r'},
                                            {"model-reference", no_argument, NULL, 'm'},
                                            {"version", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    *out = (struct arguments){0};
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
        case 'm':
            out->model_reference = true;
            break;
        case 'v':
            puts("sluice-executor " SLUICE_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            fputs(usage, stderr);
            return EXIT_CONFIG;
        }
    }
    if (optind < argc)
        return wrong_usage("unexpected argument ", argv[optind]);
    if (!out->config && !out->reference && !out->model_reference)
        return wrong_usage("--config FILE is needed", "");
    return -1;
}

static int print(sl_status st, const struct sl_buf *text)
{
    if (st != SL_OK || fwrite(text->data, 1, text->len, stdout) != text->len)
        return EXIT_FAILURE;
    return EXIT_SUCCESS;
}

static int serve(const struct arguments *args, const struct ex_conf *conf)
{
    struct ex_server *server;
    struct sl_error err;
    sl_heap_keep_large();
    sl_log_setup("executor", (enum sl_log_level)conf->log_level,
                 (enum sl_log_format)conf->log_format);
    if (ex_server_create(conf, args->config, &sl_clock_real, &server, &err) != SL_OK) {
        sl_log(SL_LOG_ERROR, "cannot serve", SL_S("why", err.text));
        return EXIT_FAILURE;
    }
    ex_server_run(server);
    ex_server_destroy(server);
    return EXIT_SUCCESS;
}

/* The files that the configuration names. */
static int check_files(const struct ex_conf *conf)
{
    struct ex_link_keys keys;
    struct sl_error err;
    const sl_status st = ex_keys_read(conf, &keys, &err);
    sl_key_erase(&keys.own_secret);
    if (st != SL_OK)
        fprintf(stderr, "sluice-executor: %s\n", err.text);
    return st == SL_OK ? EXIT_SUCCESS : EXIT_CONFIG;
}

static int run(const struct arguments *args, struct sl_buf *text)
{
    static struct ex_conf conf;
    struct sl_conf *owner;
    if (args->reference)
        return print(sl_conf_reference(ex_conf_table, text), text);
    if (args->model_reference)
        return print(sl_conf_reference(ex_model_keys(), text), text);
    if (ex_conf_load(args->config, &conf, text, &owner) != SL_OK) {
        fwrite(text->data, 1, text->len, stderr);
        return EXIT_CONFIG;
    }
    int code = EXIT_SUCCESS;
    if (args->print)
        code = print(sl_conf_print(ex_conf_table, &conf, text), text);
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
    int code = read_arguments(argc, argv, &args);
    if (code >= 0)
        return code;
    struct sl_buf text;
    sl_buf_init(&text, &sl_alloc_malloc, ERRORS_MAX);
    code = run(&args, &text);
    sl_buf_finish(&text);
    return code;
}
