/* cli_top_frame.h - a moment of the gateway as a picture of so many columns and lines. Pure.
 *
 * What is too wide is cut. Of lists that are too long for the picture each keeps its first rows, in turn, and
 * a line says how many more there are; one for which there are not three lines is left out.
 */
#ifndef CLI_TOP_FRAME_H
#define CLI_TOP_FRAME_H

#include <stdio.h>

#include "sluice/v1/admin.pb-c.h"

struct cli_top_view {
    const char *address;
    const char *note;  /* behind the first line; NULL: none */
    int width, height; /* 0: as many as it takes */
};

void cli_top_write(const Sluice__V1__GetTopResponse *m, const struct cli_top_view *v, FILE *out);

#endif
