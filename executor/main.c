/* main.c - sluice-executor: options and exit codes; everything else is ex_server. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ex_journal_file.h"
#include "ex_keys.h"
#include "ex_model_file_keys.h"
#include "ex_server.h"
#include "sl_daemon.h"
#include "sl_heap.h"

enum { ERRORS_MAX = 1 << 20 };

struct arguments {
    struct sl_daemon_options common;
    bool model_reference;
    bool leases;
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
    "  --leases           print what all leases of this node held, ever, and how many of them no "
    "gateway\n"
    "                     has accounted for, as JSON out of the directory state, and end\n"
    "  --version          print the version\n"
    "  --help             print this\n"
    "\n"
    "SIGTERM finishes accepted calls and ends; a second one ends at once. SIGHUP reads log.level\n"
    "again. Exit codes: 0 ended as asked, 1 could not serve, 2 wrong usage or configuration.\n";

static int serve(const struct arguments *args, const struct ex_conf *conf)
{
    struct ex_server *server;
    struct sl_error err;
    sl_heap_keep_large();
    sl_log_setup("executor", (enum sl_log_level)conf->log_level,
                 (enum sl_log_format)conf->log_format);
    if (ex_server_create(conf, args->common.config, &sl_clock_real, &server, &err) != SL_OK) {
        sl_log(SL_LOG_ERROR, "cannot serve", SL_S("why", err.text));
        return EXIT_FAILURE;
    }
    ex_server_run(server);
    ex_server_destroy(server);
    return EXIT_SUCCESS;
}

static int print_leases(const struct ex_conf *conf, struct sl_buf *text)
{
    struct ex_journal_totals t;
    struct sl_error err;
    char line[256];
    if (ex_journal_file_read(conf->state, &t, &err) != SL_OK) {
        fprintf(stderr, "sluice-executor: %s\n", err.text);
        return EXIT_FAILURE;
    }
    const int len = snprintf(line, sizeof(line),
                             "{\"journal\": %" PRIu64 ", \"leases\": %" PRIu64
                             ", \"held_us\": %" PRId64 ", \"unacknowledged\": %" PRIu32 "}\n",
                             t.id, t.leases, t.held_us, t.unacknowledged);
    return sl_daemon_print(sl_buf_append(text, line, (size_t)len), text);
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
    return st == SL_OK ? EXIT_SUCCESS : SL_DAEMON_WRONG_USAGE;
}

static int run(const struct arguments *args, struct sl_buf *text)
{
    static struct ex_conf conf;
    struct sl_conf *owner;
    if (args->common.reference)
        return sl_daemon_print(sl_conf_reference(ex_conf_table, text), text);
    if (args->model_reference)
        return sl_daemon_print(sl_conf_reference(ex_model_keys(), text), text);
    if (ex_conf_load(args->common.config, &conf, text, &owner) != SL_OK) {
        fwrite(text->data, 1, text->len, stderr);
        return SL_DAEMON_WRONG_USAGE;
    }
    int code = EXIT_SUCCESS;
    if (args->common.print)
        code = sl_daemon_print(sl_conf_print(ex_conf_table, &conf, text), text);
    else if (args->common.check)
        code = check_files(&conf);
    else if (args->leases)
        code = print_leases(&conf, text);
    else
        code = serve(args, &conf);
    sl_conf_destroy(owner);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments args = {0};
    const struct sl_daemon daemon = {
        .program = "sluice-executor",
        .usage = usage,
        .own = {{.name = "model-reference", .flag = &args.model_reference},
                {.name = "leases", .flag = &args.leases}}};
    int code = sl_daemon_read(&daemon, argc, argv, &args.common);
    if (code >= 0)
        return code;
    if (args.common.config[0] == '\0' && !args.common.reference && !args.model_reference)
        return sl_daemon_wrong_usage(&daemon, "--config FILE is needed");
    struct sl_buf text;
    sl_buf_init(&text, &sl_alloc_malloc, ERRORS_MAX);
    code = run(&args, &text);
    sl_buf_finish(&text);
    return code;
}
