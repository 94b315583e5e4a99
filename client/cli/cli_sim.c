/* cli_sim.c - sluice sim: the simulator is a program of its own, so that what clients link has no gateway in it. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "up_paths.h"

int cli_sim(int argc, char **argv)
{
    char program[PATH_MAX];

    (void)argc;
    up_find_program("sluice-sim", program);
    execvp(program, argv);
    fprintf(stderr, "sluice: cannot run %s: %s; it is installed beside sluice\n", program,
            strerror(errno));
    return CLI_FAILED;
}
