#include "sim_plot.h"

#include <math.h>

#include "sim_report_int.h"

enum { WIDTH = 820, HEIGHT = 260, LEFT = 56, RIGHT = 12, TOP = 28, BOTTOM = 44, TICKS = 6 };

struct axes {
    const struct sim_plot *plot;
    double low, high; /* of what is drawn: the value, or its logarithm */
};

double sim_plot_step(double range, unsigned count)
{
    static const double steps[] = {1, 2, 5};
    if (!(range > 0))
        return 1;
    double decade = pow(10, floor(log10(range / count)));
    for (unsigned i = 0; i < 9; i++) {
        unsigned tens = i / 3;
        double step = decade * steps[i % 3] * pow(10, tens);
        if (step * count >= range * 0.999999)
            return step;
    }
    return range;
}

sl_status sim_plot_escape(const char *text, struct sl_buf *out)
{
    for (; *text != '\0'; text++) {
        const char *entity = *text == '<'   ? "&lt;"
                             : *text == '>' ? "&gt;"
                             : *text == '&' ? "&amp;"
                             : *text == '"' ? "&quot;"
                                            : NULL;
        if (entity != NULL)
            SIM_TRY(sl_buf_printf(out, "%s", entity));
        else
            SIM_TRY(sl_buf_append(out, text, 1));
    }
    return SL_OK;
}

static double greatest(const struct sim_plot *p)
{
    double most = 0;
    for (size_t l = 0; l < p->line_count; l++)
        for (size_t i = 0; i < p->point_count; i++)
            if (p->lines[l].values[i] > most)
                most = p->lines[l].values[i];
    return most;
}

static struct axes find_axes(const struct sim_plot *p)
{
    struct axes a = {.plot = p, .low = p->low, .high = p->high};
    double most = greatest(p);
    if (p->is_log) {
        a.low = floor(log10(p->low));
        a.high = ceil(log10(most > p->low * 10 ? most : p->low * 10));
    } else if (a.high <= 0) {
        double step = sim_plot_step(most > 0 ? most : 1, TICKS);
        a.high = step * ceil((most > 0 ? most : 1) / step);
    }
    return a;
}

static double place_x(const struct axes *a, double hours)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * hours / a->plot->hours;
}

static double place_y(const struct axes *a, double value)
{
    double v = !a->plot->is_log ? value : value <= pow(10, a->low) ? a->low : log10(value);
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (v - a->low) / (a->high - a->low);
}

static sl_status draw_tick(const struct axes *a, double value, struct sl_buf *out)
{
    double y = place_y(a, value);
    SIM_TRY(sl_buf_printf(out, "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>",
                          LEFT, y, WIDTH - RIGHT, y));
    return sl_buf_printf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n", LEFT - 6,
                         y + 4, value);
}

static sl_status draw_y_axis(const struct axes *a, struct sl_buf *out)
{
    if (a->plot->is_log) {
        int decades = (int)(a->high - a->low + 0.5);
        for (int i = 0; i <= decades; i++)
            SIM_TRY(draw_tick(a, pow(10, a->low + i), out));
        return SL_OK;
    }
    double step = sim_plot_step(a->high - a->low, TICKS);
    int ticks = (int)((a->high - a->low) / step + 0.5);
    for (int i = 0; i <= ticks; i++)
        SIM_TRY(draw_tick(a, a->low + i * step, out));
    return SL_OK;
}

static sl_status draw_x_axis(const struct axes *a, struct sl_buf *out)
{
    double step = sim_plot_step(a->plot->hours, 12);
    step = a->plot->hours == 24 ? 3 : step;
    int ticks = (int)(a->plot->hours / step + 0.001);
    for (int i = 0; i <= ticks; i++)
        SIM_TRY(sl_buf_printf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g h</text>\n",
                              place_x(a, i * step), HEIGHT - BOTTOM + 16, i * step));
    return SL_OK;
}

static sl_status draw_line(const struct axes *a, const struct sim_plot_line *line,
                           struct sl_buf *out)
{
    bool is_down = false;
    SIM_TRY(sl_buf_printf(out, "<path class=\"line%u%s\" d=\"", line->colour % 8,
                          line->is_dashed ? " dashed" : ""));
    for (size_t i = 0; i < a->plot->point_count; i++) {
        double hours = a->plot->hours * ((double)i + 0.5) / (double)a->plot->point_count;
        if (!isnan(line->values[i]))
            SIM_TRY(sl_buf_printf(out, "%c%.1f %.1f", is_down ? 'L' : 'M', place_x(a, hours),
                                  place_y(a, line->values[i])));
        is_down = !isnan(line->values[i]);
    }
    return sl_buf_printf(out, "\"/>\n");
}

static sl_status draw_legend(const struct sim_plot *p, struct sl_buf *out)
{
    double x = LEFT;
    for (size_t i = 0; i < p->line_count; i++) {
        const struct sim_plot_line *l = &p->lines[i];
        SIM_TRY(sl_buf_printf(
            out, "<path class=\"line%u%s\" d=\"M%.1f %d h18\"/><text x=\"%.1f\" y=\"%d\">",
            l->colour % 8, l->is_dashed ? " dashed" : "", x, HEIGHT - 10, x + 23, HEIGHT - 6));
        SIM_TRY(sim_plot_escape(l->name, out));
        SIM_TRY(sl_buf_printf(out, "</text>\n"));
        x += 40 + 7 * (double)strlen(l->name);
    }
    return SL_OK;
}

sl_status sim_plot_draw(const struct sim_plot *p, struct sl_buf *out)
{
    struct axes a = find_axes(p);
    SIM_TRY(
        sl_buf_printf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, HEIGHT));
    SIM_TRY(sim_plot_escape(p->title, out));
    SIM_TRY(sl_buf_printf(out, "\"><text class=\"title\" x=\"%d\" y=\"16\">", LEFT));
    SIM_TRY(sim_plot_escape(p->title, out));
    SIM_TRY(sl_buf_printf(out, "</text>\n"));
    SIM_TRY(draw_y_axis(&a, out));
    SIM_TRY(draw_x_axis(&a, out));
    for (size_t i = 0; i < p->line_count; i++)
        SIM_TRY(draw_line(&a, &p->lines[i], out));
    SIM_TRY(draw_legend(p, out));
    return sl_buf_printf(out, "</svg>\n");
}
