/* sim_report_html.c - results as one page with plots: nothing is loaded from elsewhere. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim_plot.h"
#include "sim_report.h"
#include "sim_report_int.h"

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<title>sluice sim</title>\n<style>\n"
    ":root{color-scheme:light dark;--text:#1d2125;--soft:#5c6670;--grid:#e3e6ea;--page:#fff;"
    "--c0:#2563c9;--c1:#c2410c;--c2:#15803d;--c3:#9333ea;--c4:#b45309;--c5:#0e7490;--c6:#be185d;"
    "--c7:#4d7c0f}\n"
    "@media(prefers-color-scheme:dark){:root{--text:#e4e7eb;--soft:#9aa4af;--grid:#30363d;"
    "--page:#14181c;--c0:#6ea8fe;--c1:#fb923c;--c2:#4ade80;--c3:#c084fc;--c4:#fbbf24;--c5:#22d3ee;"
    "--c6:#f472b6;--c7:#a3e635}}\n"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--text);background:var(--page);"
    "max-width:62em;margin:2em auto;padding:0 1em}\n"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.15em .8em;text-align:right;"
    "border-bottom:1px solid var(--grid)}td:first-child,th:first-child{text-align:left}\n"
    ".soft{color:var(--soft)}.wrong{color:var(--c1);font-weight:bold}\n"
    "svg{width:100%;height:auto;margin:.6em 0}svg text{font-size:12px;fill:var(--soft)}"
    "svg .title{font-size:14px;fill:var(--text)}.grid{stroke:var(--grid)}"
    "path{fill:none;stroke-width:1.8}.dashed{stroke-dasharray:5 4}\n"
    ".line0{stroke:var(--c0)}.line1{stroke:var(--c1)}.line2{stroke:var(--c2)}"
    ".line3{stroke:var(--c3)}.line4{stroke:var(--c4)}.line5{stroke:var(--c5)}"
    ".line6{stroke:var(--c6)}.line7{stroke:var(--c7)}\n</style>\n<h1>sluice sim</h1>\n";

/* ---- tables */

static sl_status add_cell(const char *tag, const char *text, struct sl_buf *out)
{
    SIM_TRY(sl_buf_printf(out, "<%s>", tag));
    SIM_TRY(sim_plot_escape(text, out));
    return sl_buf_printf(out, "</%s>", tag);
}

static sl_status add_row(const char *name, const struct sim_tally *t, double share, double jain,
                         struct sl_buf *out)
{
    double calls = (double)t->calls;
    SIM_TRY(sl_buf_printf(out, "<tr>"));
    SIM_TRY(add_cell("td", name, out));
    SIM_TRY(sl_buf_printf(
        out,
        "<td>%" PRIu64 "<td>%.1f %%<td>%.1f %%<td>%.1f %%<td>%.2f<td>%.2f<td>%.2f<td>%.1f %%<td>",
        t->calls, sim_percent((double)t->ended[SL_REASON_OK], calls),
        sim_percent((double)sim_tally_refused(t), calls),
        sim_percent((double)t->ended[SL_REASON_ALLOCATION_TIMEOUT], calls),
        sim_seconds(sim_histogram_mean_us(&t->wait)),
        sim_seconds((double)sim_histogram_quantile_us(&t->wait, 500)),
        sim_seconds((double)sim_histogram_quantile_us(&t->wait, 990)), 100 * share));
    return jain > 0 ? sl_buf_printf(out, "%.3f</tr>\n", jain) : sl_buf_printf(out, "</tr>\n");
}

static double group_share(const struct sim_result *r, size_t group)
{
    double all = 0;
    for (size_t i = 0; i < r->scenario->visitors.count; i++)
        all += (double)r->groups[i].used_us;
    return all > 0 ? (double)r->groups[group].used_us / all : 0;
}

static sl_status add_table(const struct sim_result *r, struct sl_buf *out)
{
    static const char *const titles[] = {"",       "calls", "served", "refused", "in vain",
                                         "wait s", "p50 s", "p99 s",  "time",    "jain"};
    SIM_TRY(sl_buf_printf(out, "<table><tr>"));
    for (size_t i = 0; i < SL_ARRAY_LEN(titles); i++)
        SIM_TRY(add_cell("th", titles[i], out));
    SIM_TRY(sl_buf_printf(out, "</tr>\n"));
    for (size_t i = 0; i < r->scenario->tiers.tier_count; i++)
        if (r->tiers[i].calls > 0)
            SIM_TRY(add_row(r->scenario->tiers.tiers[i].name, &r->tiers[i], sim_result_share(r, i),
                            0, out));
    for (size_t i = 0; i < r->scenario->visitors.count; i++)
        SIM_TRY(add_row(sim_scenario_groups(r->scenario)[i].name, &r->groups[i], group_share(r, i),
                        r->groups[i].jain, out));
    return sl_buf_printf(out, "</table>\n");
}

/* ---- plots */

static void start_plot(struct sim_plot *p, const struct sim_result *r, const char *title)
{
    *p = (struct sim_plot){.title = title,
                           .hours = sim_seconds((double)r->scenario->length_ns / 1000) / 3600,
                           .point_count = SIM_BUCKETS};
}

static void add_waits(struct sim_plot *p, const struct sim_result *r, size_t tier, bool is_p99)
{
    struct sim_plot_line *line = &p->lines[p->line_count++];
    line->name = r->scenario->tiers.tiers[tier].name;
    line->colour = (unsigned)tier;
    for (size_t i = 0; i < SIM_BUCKETS; i++) {
        const struct sim_histogram *h = &r->tiers[tier].wait_over_day[i];
        line->values[i] =
            h->count == 0 ? NAN
                          : sim_seconds((double)sim_histogram_quantile_us(h, is_p99 ? 990 : 500));
    }
}

static sl_status draw_waits(struct sim_plot *p, const struct sim_result *r, bool is_p99,
                            struct sl_buf *out)
{
    start_plot(p, r,
               is_p99 ? "Wait of those that started, p99, seconds"
                      : "Wait of those that started, median, seconds");
    p->is_log = true;
    p->low = 0.1;
    for (size_t t = 0; t < r->scenario->tiers.tier_count; t++)
        if (r->tiers[t].calls > 0 && p->line_count < SIM_PLOT_LINES_MAX)
            add_waits(p, r, t, is_p99);
    return sim_plot_draw(p, out);
}

static sl_status draw_buckets(struct sim_plot *p, const struct sim_result *r, const char *title,
                              double (*value)(const struct sim_bucket *), double times, double high,
                              struct sl_buf *out)
{
    start_plot(p, r, title);
    p->high = high;
    p->line_count = 1;
    p->lines[0].name = "all slices";
    for (size_t i = 0; i < SIM_BUCKETS; i++)
        p->lines[0].values[i] = r->over_day[i].over_us > 0 ? times * value(&r->over_day[i]) : NAN;
    return sim_plot_draw(p, out);
}

/* How the wait came out beside its p50, and how far p90 was told to be from that. */
static sl_status draw_etas(struct sim_plot *p, const struct sim_result *r, struct sl_buf *out)
{
    start_plot(p, r, "Waits by their ETA: times p50");
    p->is_log = true;
    p->low = 0.1;
    p->line_count = 3;
    p->lines[0].name = "median";
    p->lines[1].name = "nine of ten within";
    p->lines[1].colour = 1;
    p->lines[2].name = "p90 as told";
    p->lines[2].colour = 1;
    p->lines[2].is_dashed = true;
    for (size_t i = 0; i < SIM_BUCKETS; i++) {
        const struct sim_eta_tally *t = &r->eta_over_day[i];
        bool is_known = t->told > 0;
        p->lines[0].values[i] = is_known ? sim_eta_quantile(&t->ratio, 500) : NAN;
        p->lines[1].values[i] = is_known ? sim_eta_quantile(&t->ratio, 900) : NAN;
        p->lines[2].values[i] = is_known ? sim_eta_quantile(&t->width, 500) : NAN;
    }
    return sim_plot_draw(p, out);
}

static sl_status draw_all(struct sim_plot *p, const struct sim_result *r, struct sl_buf *out)
{
    SIM_TRY(draw_waits(p, r, false, out));
    SIM_TRY(draw_waits(p, r, true, out));
    SIM_TRY(draw_buckets(p, r, "Utilisation, % of the slices that were there",
                         sim_result_utilisation, 100, 100, out));
    SIM_TRY(draw_buckets(p, r, "Calls in the queue, on average", sim_result_queue, 1, 0, out));
    return draw_etas(p, r, out);
}

/* ---- the page */

static sl_status add_result(struct sim_plot *p, const struct sim_result *r, struct sl_buf *out)
{
    SIM_TRY(sl_buf_printf(out, "<h2>"));
    SIM_TRY(sim_plot_escape(r->label, out));
    SIM_TRY(sl_buf_printf(out,
                          "</h2>\n<p class=\"soft\">%" PRIu64 " calls on %zu slices of %zu nodes, "
                          "seed %" PRIu64 "; utilisation %.1f %%; at most %" PRIu64
                          " calls in the queue; %" PRIu64 " nodes lost</p>\n",
                          r->calls, r->scenario->slice_count, r->scenario->node_count, r->seed,
                          100 * sim_result_utilisation(&r->all), r->max_queued, r->nodes_lost));
    if (r->wrong[0] != '\0') {
        SIM_TRY(sl_buf_printf(out, "<p class=\"wrong\">Broken at step %" PRIu64 ": ", r->steps));
        SIM_TRY(sim_plot_escape(r->wrong, out));
        SIM_TRY(sl_buf_printf(out, "</p>\n"));
    }
    SIM_TRY(add_table(r, out));
    return draw_all(p, r, out);
}

static sl_status add_comparison(const struct sim_result *results, size_t count, struct sl_buf *out)
{
    struct sl_buf text;
    sl_buf_init(&text, out->alloc, 1 << 20);
    sl_status s = sim_report_compare(results, count, &text);
    if (s == SL_OK)
        s = sl_buf_append(&text, "", 1);
    if (s == SL_OK)
        s = sl_buf_printf(out, "<h2>Side by side</h2>\n<pre>");
    if (s == SL_OK)
        s = sim_plot_escape((const char *)text.data, out);
    if (s == SL_OK)
        s = sl_buf_printf(out, "</pre>\n");
    sl_buf_finish(&text);
    return s;
}

sl_status sim_report_html(const struct sim_result *results, size_t count, struct sl_buf *out)
{
    struct sim_plot *plot = calloc(1, sizeof *plot);
    if (plot == NULL)
        return SL_ENOMEM;
    sl_status s = sl_buf_append(out, head, sizeof head - 1);
    if (s == SL_OK && count > 1)
        s = add_comparison(results, count, out);
    for (size_t i = 0; s == SL_OK && i < count; i++)
        s = add_result(plot, &results[i], out);
    if (s == SL_OK)
        s = sl_buf_printf(out, "</html>\n");
    free(plot);
    return s;
}
