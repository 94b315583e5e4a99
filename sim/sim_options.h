/* sim_options.h - the command line of `sluice sim`, and the runs that it asks for.
 *
 * A run is the scenario with some changes: --set and --policy belong to every run, --what-if to a second one, and
 * --compare makes a run for each policy.
 */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include "sim_change.h"
#include "sim_day.h"

enum { SIM_RUNS_MAX = 4, SIM_EXIT_BROKEN = 1, SIM_EXIT_USAGE = 2, SIM_GO_ON = -1 };

struct sim_run {
    char label[SIM_LABEL_MAX + 1]; /* "": the scenario's title */
    struct sim_changes changes;
};

struct sim_options {
    const char *path;
    const char *html;   /* NULL: none */
    const char *replay; /* likewise */
    bool has_seed, as_json;
    struct sim_day_options day;
    struct sim_run runs[SIM_RUNS_MAX];
    size_t run_count;
};

/* SIM_GO_ON, or the exit code of what has been told already. End with sim_options_finish in every case. */
int sim_options_read(struct sim_options *o, int argc, char **argv);
void sim_options_finish(struct sim_options *o);

#endif
