/* sim_main.c - runs one seed, or many: sim_gateway [--seed N] [--seeds COUNT] [--calls N]. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim_world.h"
#include "sl_log.h"

/* A different day for each seed: calm, crowded, failing. */
static struct sim_plan plan_for(uint64_t seed, uint64_t calls)
{
    struct sim_plan p = {.seed = seed, .calls = calls, .mean_exec_us = 20000, .mean_gap_us = 5000};
    p.bad_percent = 2;
    p.xlarge_percent = 10;
    switch (seed % 4) {
    case 0: /* calm: nothing goes wrong */
        p.bad_percent = 0;
        break;
    case 1: /* twice what six slices can do, impatient callers, large messages */
        p.mean_gap_us = 1700;
        p.gone_percent = 10;
        p.large_percent = 20;
        p.deadline_percent = 30;
        break;
    case 2: /* nodes die every few seconds and give calls back */
        p.node_life_us = 3 * SL_US_PER_S;
        p.return_percent = 5;
        p.gone_percent = 5;
        break;
    default: /* very short calls, sent ahead; nodes die */
        p.mean_exec_us = 50;
        p.mean_gap_us = 12;
        p.node_life_us = SL_US_PER_S;
        p.deadline_percent = 5;
        break;
    }
    return p;
}

static bool run_seed(uint64_t seed, uint64_t calls)
{
    struct sim_plan plan = plan_for(seed, calls);
    struct sim_totals first, again;
    const char *wrong = sim_run(&plan, &first);
    if (wrong == NULL)
        wrong = sim_run(&plan, &again);
    if (wrong == NULL && first.started_wide < first.started / 50)
        wrong = "xlarge calls did not start";
    if (wrong == NULL && first.digest != again.digest)
        wrong = "two runs of the seed differ";
    printf("seed %" PRIu64 ": %" PRIu64 " calls, %" PRIu64 " started (%" PRIu64 " wide), %" PRIu64
           " finished, %" PRIu64 " given back, %" PRIu64 " nodes lost, %" PRIu64
           " stale, at most %" PRIu64 " queued, digest %016" PRIx64 "%s%s\n",
           seed, first.arrived, first.started, first.started_wide, first.finished, first.returned,
           first.lost_nodes, first.stale, first.max_queued, first.digest,
           wrong == NULL ? "" : " WRONG: ", wrong == NULL ? "" : wrong);
    if (wrong != NULL)
        printf("again: sim_gateway --seed %" PRIu64 " --calls %" PRIu64 "\n", seed, calls);
    return wrong == NULL;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seed", required_argument, NULL, 's'},
                                            {"seeds", required_argument, NULL, 'n'},
                                            {"calls", required_argument, NULL, 'c'},
                                            {0}};
    uint64_t seed = 1, seeds = 1, calls = 20000, passed = 0;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            return 2;
        *(o == 's' ? &seed : o == 'n' ? &seeds : &calls) = strtoull(optarg, NULL, 10);
    }
    sl_log_setup("sim", SL_LOG_ERROR, SL_LOG_TEXT);
    for (uint64_t i = 0; i < seeds; i++)
        passed += run_seed(seed + i, calls);
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", passed, seeds - passed);
    return passed == seeds ? EXIT_SUCCESS : EXIT_FAILURE;
}
