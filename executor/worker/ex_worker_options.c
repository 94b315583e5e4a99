/* ex_worker_options.c - reads the command line of sluice-worker. */
#include "ex_worker_options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "sl_text.h"

static const char *const kinds[] = {"cpu", "whole", "mig", "mps", "shared", NULL};
static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const formats[] = {"text", "json", NULL};

const char *ex_worker_slice_kind_name(enum ex_slice_kind kind)
{
    return kinds[kind];
}

static const struct option long_options[] = {
    {"model-dir", required_argument, NULL, 'm'},  {"slice-id", required_argument, NULL, 'i'},
    {"device", required_argument, NULL, 'd'},     {"kind", required_argument, NULL, 'k'},
    {"threads", required_argument, NULL, 't'},    {"memory", required_argument, NULL, 'b'},
    {"share", required_argument, NULL, 's'},      {"log-level", required_argument, NULL, 'l'},
    {"log-format", required_argument, NULL, 'f'}, {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},          {NULL, 0, NULL, 0},
};

static void print_help(void)
{
    puts("Usage: sluice-worker --model-dir DIR [options]\n"
         "\n"
         "Serves one model on one slice. Started by sluice-executor, never by hand: it speaks\n"
         "with it through inherited descriptors (executor/worker/ex_worker_proto.h).\n"
         "\n"
         "  --model-dir DIR       the model's directory, with model.yaml\n"
         "  --slice-id N          the slice's number on its node (0)\n"
         "  --device NAME         cpu0, or a GPU's or MIG instance's UUID (cpu0)\n"
         "  --kind KIND           cpu, whole, mig, mps or shared (cpu)\n"
         "  --threads N           threads that may compute, 1 to 1024 (1)\n"
         "  --memory BYTES        the slice's memory; 0: no limit (0)\n"
         "  --share N             thousandths of the device, 1 to 1000 (1000)\n"
         "  --log-level LEVEL     debug, info, warn or error (info)\n"
         "  --log-format FORMAT   text or json (text)\n"
         "  --help, --version");
}

static bool read_number(const char *option, const char *text, int64_t min, int64_t max,
                        int64_t *out)
{
    if (sl_text_int(sl_span_str(text), out) == SL_OK && *out >= min && *out <= max)
        return true;
    fprintf(stderr, "sluice-worker: --%s is %s; it must be a number from %lld to %lld\n", option,
            text, (long long)min, (long long)max);
    return false;
}

static bool read_choice(const char *option, const char *text, const char *const *choices, int *out)
{
    for (int i = 0; choices[i] != NULL; i++) {
        if (strcmp(choices[i], text) == 0) {
            *out = i;
            return true;
        }
    }
    fprintf(stderr, "sluice-worker: --%s is %s; it must be one of:", option, text);
    for (int i = 0; choices[i] != NULL; i++)
        fprintf(stderr, " %s", choices[i]);
    fprintf(stderr, "\n");
    return false;
}

static bool read_device(const char *text, struct ex_slice *slice)
{
    const size_t len = strlen(text);
    if (len == 0 || len >= sizeof(slice->device)) {
        fprintf(stderr, "sluice-worker: --device has %zu characters; 1 to %zu are allowed\n", len,
                sizeof(slice->device) - 1);
        return false;
    }
    memcpy(slice->device, text, len + 1);
    return true;
}

/* One option that has a value. */
static bool read_option(int letter, const char *value, struct ex_worker_options *o)
{
    int64_t number = 0;
    int choice = 0;
    bool ok = false;
    switch (letter) {
    case 'm':
        o->model_dir = value;
        return true;
    case 'd':
        return read_device(value, &o->slice);
    case 'i':
        ok = read_number("slice-id", value, 0, UINT32_MAX, &number);
        o->slice.id = (uint32_t)number;
        return ok;
    case 't':
        ok = read_number("threads", value, 1, EX_THREADS_MAX, &number);
        o->slice.cpu_threads = (uint32_t)number;
        return ok;
    case 'b':
        ok = read_number("memory", value, 0, INT64_MAX, &number);
        o->slice.memory_bytes = (uint64_t)number;
        return ok;
    case 's':
        ok = read_number("share", value, 1, 1000, &number);
        o->slice.share_thousandths = (uint32_t)number;
        return ok;
    case 'k':
        ok = read_choice("kind", value, kinds, &choice);
        o->slice.kind = (enum ex_slice_kind)choice;
        return ok;
    case 'l':
        ok = read_choice("log-level", value, levels, &choice);
        o->log_level = (enum sl_log_level)choice;
        return ok;
    case 'f':
        ok = read_choice("log-format", value, formats, &choice);
        o->log_format = (enum sl_log_format)choice;
        return ok;
    default: /* getopt has said what is wrong */
        return false;
    }
}

static enum ex_worker_options_outcome check(int argc, char **argv,
                                            const struct ex_worker_options *o)
{
    if (optind < argc) {
        fprintf(stderr, "sluice-worker: %s is not an option; see --help\n", argv[optind]);
        return EX_WORKER_OPTIONS_BAD;
    }
    if (o->model_dir == NULL) {
        fprintf(stderr, "sluice-worker: --model-dir is missing; see --help\n");
        return EX_WORKER_OPTIONS_BAD;
    }
    return EX_WORKER_OPTIONS_OK;
}

enum ex_worker_options_outcome ex_worker_options_read(int argc, char **argv,
                                                      struct ex_worker_options *out)
{
    *out = (struct ex_worker_options){
        .slice = {.kind = EX_SLICE_CPU,
                  .device = "cpu0",
                  .share_thousandths = 1000,
                  .cpu_threads = 1},
        .log_level = SL_LOG_INFO,
        .log_format = SL_LOG_TEXT,
    };
    int letter;
    while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (letter == 'h') {
            print_help();
            return EX_WORKER_OPTIONS_HELP;
        }
        if (letter == 'v') {
            puts("sluice-worker " SLUICE_VERSION);
            return EX_WORKER_OPTIONS_HELP;
        }
        if (!read_option(letter, optarg, out))
            return EX_WORKER_OPTIONS_BAD;
    }
    return check(argc, argv, out);
}
