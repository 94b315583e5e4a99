/* sim_rig.h - what tests of days share: a scenario from a text, a run of it, and how much to do. */
#ifndef SIM_RIG_H
#define SIM_RIG_H

#include "sim_day.h"

/* Ends the test with the sentences when the text is no scenario. */
void rig_read(const char *text, struct sim_scenario *out);
/* Runs it, and ends the test when an invariant broke. */
void rig_run(const struct sim_scenario *s, const struct sim_day_options *o, struct sim_result *out);
/* count in a soak, a part of it by SLUICE_SCALE otherwise, and `least` at least; printed. */
unsigned rig_count(const char *what, unsigned count, unsigned least);

#endif
