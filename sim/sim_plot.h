/* sim_plot.h - lines over the hours of a day as SVG, without a library. Pure.
 *
 * Colours are classes (line0, line1, ...) of the page's style, so that a page can be light or dark.
 *
 * Errors   SL_ENOMEM, SL_ETOOBIG (the buffer's maximum).
 */
#ifndef SIM_PLOT_H
#define SIM_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "sl_buf.h"

enum { SIM_PLOT_LINES_MAX = 16, SIM_PLOT_POINTS_MAX = 96 };

struct sim_plot_line {
    const char *name;
    unsigned colour; /* its class: 0 to 7 */
    bool is_dashed;
    double values[SIM_PLOT_POINTS_MAX]; /* in the middle of their part of the day; NAN: none */
};

struct sim_plot {
    const char *title; /* with its unit */
    double hours;
    bool is_log;      /* then from low on; values below are drawn at low */
    double low, high; /* high 0: what the values need */
    struct sim_plot_line lines[SIM_PLOT_LINES_MAX];
    size_t line_count, point_count;
};

SL_MUST_CHECK sl_status sim_plot_draw(const struct sim_plot *p, struct sl_buf *out);

/* The least of 1, 2, 5, 10, 20, ... that makes at most count steps of the range. */
double sim_plot_step(double range, unsigned count);
/* Text of a page: <, >, & and quotes as entities. */
SL_MUST_CHECK sl_status sim_plot_escape(const char *text, struct sl_buf *out);

#endif
