/* sim_main.c - sluice-sim: the options, the runs, the reports. `sluice sim` runs it. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_day.h"
#include "sim_report.h"
#include "sl_clock.h"
#include "sl_log.h"
#include "sl_text.h"

enum { EXIT_BROKEN = 1, EXIT_USAGE = 2, REPORT_BYTES_MAX = 256 << 20, ERRORS_BYTES_MAX = 1 << 20 };

static const char help[] =
    "Usage: sluice sim SCENARIO.yaml [OPTION]...\n\n"
    "Plays the scenario's day through the gateway's own admission, ledger, queue and scheduler, "
    "with\n"
    "invented visitors and nodes and a virtual clock. The same seed gives the same day.\n\n"
    "      --seed N           another seed than the scenario's\n"
    "      --calls N          at most so many calls\n"
    "      --paranoid         all invariants after every step (slow)\n"
    "      --json             JSON instead of tables\n"
    "      --keys             what a scenario may say, as Markdown\n"
    "      --help             this text\n\n"
    "Exit codes: 0 done, 1 an invariant broke (the seed and the step are told), 2 wrong usage.\n";

enum { OPT_SEED = 256, OPT_CALLS, OPT_PARANOID, OPT_JSON, OPT_KEYS, OPT_HELP };

struct options {
    const char *path;
    bool has_seed, as_json;
    struct sim_day_options day;
};

static int usage(const char *why, const char *what)
{
    fprintf(stderr, "sluice sim: %s%s; --help tells more\n", why, what);
    return EXIT_USAGE;
}

static bool take_number(const char *text, uint64_t *out)
{
    int64_t n;
    if (sl_text_int(sl_span_str(text), &n) != SL_OK || n < 0)
        return false;
    *out = (uint64_t)n;
    return true;
}

static int print_keys(void)
{
    struct sl_buf text;
    sl_buf_init(&text, &sl_alloc_malloc, REPORT_BYTES_MAX);
    if (sim_scenario_reference(&text) == SL_OK)
        fwrite(text.data, 1, text.len, stdout);
    sl_buf_finish(&text);
    return EXIT_SUCCESS;
}

/* One option. -1: go on; else the exit code. */
static int take_option(struct options *o, int option, const char *value)
{
    switch (option) {
    case OPT_SEED:
        o->has_seed = true;
        return take_number(value, &o->day.seed) ? -1 : usage("--seed is no number: ", value);
    case OPT_CALLS:
        return take_number(value, &o->day.max_calls) ? -1 : usage("--calls is no number: ", value);
    case OPT_PARANOID:
        o->day.is_paranoid = true;
        return -1;
    case OPT_JSON:
        o->as_json = true;
        return -1;
    case OPT_KEYS:
        return print_keys();
    case OPT_HELP:
        fputs(help, stdout);
        return EXIT_SUCCESS;
    default:
        return EXIT_USAGE; /* getopt_long has told what it is */
    }
}

static int take_options(struct options *o, int argc, char **argv)
{
    static const struct option table[] = {{"seed", required_argument, NULL, OPT_SEED},
                                          {"calls", required_argument, NULL, OPT_CALLS},
                                          {"paranoid", no_argument, NULL, OPT_PARANOID},
                                          {"json", no_argument, NULL, OPT_JSON},
                                          {"keys", no_argument, NULL, OPT_KEYS},
                                          {"help", no_argument, NULL, OPT_HELP},
                                          {0}};
    for (int option; (option = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        int code = take_option(o, option, optarg);
        if (code >= 0)
            return code;
    }
    if (optind != argc - 1)
        return usage(optind == argc ? "which scenario?" : "one scenario only, not also ",
                     optind == argc ? "" : argv[optind + 1]);
    o->path = argv[optind];
    return -1;
}

static sl_status load(const char *path, struct sim_scenario *out)
{
    struct sl_buf errors;
    sl_buf_init(&errors, &sl_alloc_malloc, ERRORS_BYTES_MAX);
    sl_status s = sim_scenario_load(path, out, &errors);
    if (s != SL_OK)
        fprintf(stderr, "%.*s", (int)errors.len, (const char *)errors.data);
    sl_buf_finish(&errors);
    return s;
}

static void tell(const struct sim_result *r, bool as_json)
{
    struct sl_buf text;
    sl_buf_init(&text, &sl_alloc_malloc, REPORT_BYTES_MAX);
    sl_status s = as_json ? sim_report_json(r, 1, &text) : sim_report_text(r, 1, &text);
    if (s == SL_OK)
        fwrite(text.data, 1, text.len, stdout);
    else
        fprintf(stderr, "sluice sim: no memory for the report\n");
    sl_buf_finish(&text);
}

static int run(const struct options *o, const struct sim_scenario *scenario)
{
    struct sim_result r;
    sl_mono_ns before = sl_clock_mono(&sl_clock_real);
    if (sim_day_run(scenario, &o->day, &r) != SL_OK) {
        fprintf(stderr, "sluice sim: no memory for the day\n");
        return EXIT_BROKEN;
    }
    r.real_s = (double)(sl_clock_mono(&sl_clock_real) - before) / (double)SL_NS_PER_S;
    snprintf(r.label, sizeof r.label, "%s", scenario->title);
    tell(&r, o->as_json);
    bool is_broken = r.wrong[0] != '\0';
    if (is_broken)
        fprintf(stderr,
                "sluice sim: seed %" PRIu64 ", step %" PRIu64
                ": %s\nagain: sluice sim %s --seed %" PRIu64 " --paranoid\n",
                r.seed, r.steps, r.wrong, o->path, r.seed);
    sim_result_finish(&r);
    return is_broken ? EXIT_BROKEN : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct options o = {0};
    struct sim_scenario scenario;
    sl_log_setup("sim", SL_LOG_ERROR, SL_LOG_TEXT);
    int code = take_options(&o, argc, argv);
    if (code >= 0)
        return code;
    if (load(o.path, &scenario) != SL_OK)
        return EXIT_USAGE;
    if (!o.has_seed)
        o.day.seed = (uint64_t)scenario.seed;
    code = run(&o, &scenario);
    sim_scenario_finish(&scenario);
    return code;
}
