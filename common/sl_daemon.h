/* sl_daemon.h - the command line that both daemons have, what only one of them adds to it, and what
 * both want of the machine.
 *
 *   --config FILE, --check-config, --print-config, --config-reference, --version, --help
 *
 * Purity   Reads argv by getopt_long, writes to standard output and error; the process's limits.
 * Threads  One: getopt_long has state of its own.
 * Memory   Nothing is allocated; texts point into argv.
 */
#ifndef SL_DAEMON_H
#define SL_DAEMON_H

#include "sl_buf.h"

enum { SL_DAEMON_WRONG_USAGE = 2 }; /* the exit code; wrong configuration has the same */
enum { SL_DAEMON_OWN_MAX = 4, SL_DAEMON_FD_MAX = 1 << 20 };

/* An option of one daemon: with a flag it takes no value, else the number of a descriptor. */
struct sl_daemon_own {
    const char *name; /* without the dashes; NULL: no more */
    bool *flag;
    int *fd; /* 0 to SL_DAEMON_FD_MAX */
};

struct sl_daemon {
    const char *program;
    const char *usage; /* the whole text of --help */
    struct sl_daemon_own own[SL_DAEMON_OWN_MAX];
};

struct sl_daemon_options {
    const char *config; /* "": not given */
    bool check, print, reference;
};

/* -1: go on, *out is filled, and what the own options point to. Else all is said, and it is the
 * exit code. */
int sl_daemon_read(const struct sl_daemon *d, int argc, char **argv, struct sl_daemon_options *out);

/* Says why, and the usage, on standard error; the exit code. */
int sl_daemon_wrong_usage(const struct sl_daemon *d, const char *why);

/* What --print-config and --config-reference made, to standard output; the exit code. */
int sl_daemon_print(sl_status made, const struct sl_buf *text);

/* As many descriptors as the machine allows, whatever a service manager begins with. */
void sl_daemon_raise_descriptors(void);

#endif
