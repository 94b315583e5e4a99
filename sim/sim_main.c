/* sim_main.c - sluice-sim: plays the runs that the options ask for, and tells what came of them. `sluice sim` runs
 * it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_options.h"
#include "sim_replay.h"
#include "sim_report.h"
#include "sl_clock.h"
#include "sl_log.h"

enum { REPORT_BYTES_MAX = 256 << 20, ERRORS_BYTES_MAX = 1 << 20 };

/* The runs and what came of them; scenarios[i] is that of results[i]. */
struct played {
    struct sim_scenario scenarios[SIM_RUNS_MAX];
    struct sim_result results[SIM_RUNS_MAX];
    size_t count;
    struct sim_replay *replay; /* NULL: days are invented */
};

static sl_status load(const struct sim_options *o, const struct sim_run *run,
                      const struct sim_replay *replay, struct sim_scenario *out)
{
    struct sl_buf errors;
    sl_buf_init(&errors, &sl_alloc_malloc, ERRORS_BYTES_MAX);
    sl_status s =
        sim_scenario_load(o->path, run->changes.over, run->changes.count, replay, out, &errors);
    if (s != SL_OK)
        fprintf(stderr, "%.*s", (int)errors.len, (const char *)errors.data);
    sl_buf_finish(&errors);
    return s;
}

static void complain(const struct sim_options *o, const struct sim_result *r)
{
    fprintf(stderr,
            "sluice sim: seed %" PRIu64 ", step %" PRIu64 ": %s\n"
            "again: the same command with --seed %" PRIu64 " --paranoid (%s)\n",
            r->seed, r->steps, r->wrong, r->seed, o->path);
}

static int play(const struct sim_options *o, const struct sim_run *run, struct played *p)
{
    struct sim_scenario *scenario = &p->scenarios[p->count];
    struct sim_result *r = &p->results[p->count];
    struct sim_day_options day = o->day;
    if (load(o, run, p->replay, scenario) != SL_OK)
        return SIM_EXIT_USAGE;
    if (!o->has_seed)
        day.seed = (uint64_t)scenario->seed;
    sl_mono_ns before = sl_clock_mono(&sl_clock_real);
    if (sim_day_run(scenario, &day, r) != SL_OK) {
        fprintf(stderr, "sluice sim: no memory for the day\n");
        sim_scenario_finish(scenario);
        return SIM_EXIT_BROKEN;
    }
    p->count++;
    r->real_s = (double)(sl_clock_mono(&sl_clock_real) - before) / (double)SL_NS_PER_S;
    snprintf(r->label, sizeof r->label, "%s", run->label[0] != '\0' ? run->label : scenario->title);
    if (r->wrong[0] == '\0')
        return SIM_GO_ON;
    complain(o, r);
    return SIM_EXIT_BROKEN;
}

static bool write_text(const struct sl_buf *text, const char *path)
{
    FILE *f = path == NULL ? stdout : fopen(path, "wbe");
    bool is_written = f != NULL && fwrite(text->data, 1, text->len, f) == text->len;
    if (path != NULL && f != NULL)
        is_written = fclose(f) == 0 && is_written;
    if (!is_written)
        fprintf(stderr, "sluice sim: cannot write %s: %s\n", path == NULL ? "to stdout" : path,
                strerror(errno));
    return is_written;
}

typedef sl_status (*report_fn)(const struct sim_result *results, size_t count, struct sl_buf *out);

static bool tell(const struct played *p, report_fn report, const char *path)
{
    struct sl_buf text;
    sl_buf_init(&text, &sl_alloc_malloc, REPORT_BYTES_MAX);
    bool is_told = report(p->results, p->count, &text) == SL_OK;
    if (!is_told)
        fprintf(stderr, "sluice sim: no memory for the report\n");
    is_told = is_told && write_text(&text, path);
    sl_buf_finish(&text);
    return is_told;
}

static bool tell_all(const struct sim_options *o, const struct played *p)
{
    if (!tell(p, o->as_json ? sim_report_json : sim_report_text, NULL))
        return false;
    return o->html == NULL || tell(p, sim_report_html, o->html);
}

static int load_replay(const struct sim_options *o, struct played *p)
{
    struct sl_error why;
    if (o->replay == NULL || sim_replay_load(o->replay, &p->replay, &why) == SL_OK)
        return SIM_GO_ON;
    fprintf(stderr, "sluice sim: %s\n", why.text);
    return SIM_EXIT_USAGE;
}

static int play_all(const struct sim_options *o, struct played *p)
{
    int code = load_replay(o, p);
    for (size_t i = 0; code == SIM_GO_ON && i < o->run_count; i++)
        code = play(o, &o->runs[i], p);
    if (p->count > 0 && !tell_all(o, p))
        code = SIM_EXIT_BROKEN;
    return code == SIM_GO_ON ? EXIT_SUCCESS : code;
}

int main(int argc, char **argv)
{
    static struct played p;
    struct sim_options o;
    sl_log_setup("sim", SL_LOG_ERROR, SL_LOG_TEXT);
    int code = sim_options_read(&o, argc, argv);
    if (code == SIM_GO_ON)
        code = play_all(&o, &p);
    for (size_t i = 0; i < p.count; i++) {
        sim_result_finish(&p.results[i]);
        sim_scenario_finish(&p.scenarios[i]);
    }
    sim_replay_destroy(p.replay);
    sim_options_finish(&o);
    return code;
}
