/* up_probe.h - asks the gateway whether everything is ready, and tells what is not. */
#ifndef UP_PROBE_H
#define UP_PROBE_H

#include <sluice/sluice.h>
#include <stdbool.h>

enum { UP_PROBLEMS_MAX = 256 };

struct up_probe {
    struct sluice_channel *channel; /* NULL: no address known yet */
    char *told[UP_PROBLEMS_MAX];    /* problems that were shown already */
    size_t told_count;
};

void up_probe_finish(struct up_probe *p);
/* address: as the gateway announced it; a new one replaces the old. token_path: a file with the token
 * that is sent. */
void up_probe_set_address(struct up_probe *p, const char *address, const char *token_path);
/* Is an executor there, and every model that can be loaded ready? Takes at most some 100 ms. Problems
 * with models are shown on stderr, each once. */
bool up_probe_is_ready(struct up_probe *p);

#endif
