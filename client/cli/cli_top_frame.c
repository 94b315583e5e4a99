/* cli_top_frame.c - three lines that sum up, then slices, queue, visitors, nodes. */
#include "cli_top_frame.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>

#include "cli_cells.h"
#include "cli_table.h"
#include "cli_text.h"
#include "cli_time.h"
#include "sl_base.h"

typedef Sluice__V1__GetTopResponse pb_top;
typedef Sluice__V1__GetStatusResponse pb_status;
typedef Sluice__V1__GetTopResponse__SliceUse pb_slice;

enum { HEAD_LINES = 3, SECTION_LINES = 3 }; /* of a section: an empty line, its heads, one row */

/* ---- the lines above */

/* One line, cut where the picture ends. */
static void write_line(FILE *out, int width, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void write_line(FILE *out, int width, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    if (n < 0)
        return;
    cli_text_make_safe(text);
    cli_text_cut(text, width > 0 ? width : INT_MAX);
    fprintf(out, "%s\n", text);
    free(text);
}

static void write_gateway(const pb_status *s, const struct cli_top_view *v, FILE *out)
{
    char up[CLI_TIME_BYTES];

    cli_format_ms(s->uptime_ms, up);
    write_line(out, v->width, "sluice %s, version %s, up %s, %s%s%s", v->address, s->version, up,
               s->draining ? "draining"
               : s->ready  ? "ready"
                           : "not ready",
               v->note != NULL ? "   " : "", v->note != NULL ? v->note : "");
}

static void write_calls(const pb_status *s, const struct cli_top_view *v, FILE *out)
{
    char drained[32] = "";
    char background[32] = "";

    if (s->nodes_drained > 0)
        snprintf(drained, sizeof drained, " (%" PRIu32 " drained)", s->nodes_drained);
    if (s->slices_background > 0)
        snprintf(background, sizeof background, " (%" PRIu32 " background)", s->slices_background);
    write_line(out, v->width,
               "nodes %" PRIu32 "%s, slices %" PRIu32 " of %" PRIu32 " busy%s, calls %" PRIu64
               " waiting, %" PRIu64 " sent, %" PRIu64 " running, %" PRIu64 " receiving",
               s->nodes, drained, s->slices_busy, s->slices, background, s->calls_queued,
               s->calls_dispatched, s->calls_running, s->calls_receiving);
}

static void write_today(const pb_status *s, const struct cli_top_view *v, FILE *out)
{
    char used[CLI_TIME_BYTES];
    char charged[CLI_TIME_BYTES];
    char *ends = NULL;
    size_t len;
    FILE *f = open_memstream(&ends, &len);

    cli_format_gpu(s->today_used_us, used);
    cli_format_gpu(s->today_charged_us, charged);
    for (size_t i = 0; f != NULL && i < s->n_outcomes; i++)
        fprintf(f, "%s%" PRIu64 " %s", i == 0 ? "; ended: " : ", ", s->outcomes[i]->calls,
                s->outcomes[i]->reason);
    if (f != NULL)
        fclose(f);
    write_line(out, v->width, "today %s of GPU time used, %s charged%s", used, charged,
               ends != NULL ? ends : "");
    free(ends);
}

/* ---- rows */

static void add_span(struct cli_table *t, int64_t us)
{
    char text[CLI_TIME_BYTES];

    cli_format_ms(us / 1000, text);
    cli_table_add(t, "%s", us > 0 ? text : "-");
}

static void add_slice_name(struct cli_table *t, const pb_slice *s)
{
    char parts[64] = "";
    size_t len = 0;

    for (size_t i = 0; i < s->n_parts && len < sizeof parts; i++)
        len += (size_t)snprintf(parts + len, sizeof parts - len, "%s%" PRIu32, i > 0 ? "+" : "",
                                s->parts[i]);
    if (s->n_parts > 0)
        cli_table_add(t, "%s", parts);
    else
        cli_table_add(t, "%" PRIu32, s->slice);
}

static const char *use_text(const pb_slice *s)
{
    switch (s->use) {
    case SLUICE__V1__GET_TOP_RESPONSE__USE__SENT:
        return "sent";
    case SLUICE__V1__GET_TOP_RESPONSE__USE__RUNNING:
        return s->background ? "background" : "running";
    case SLUICE__V1__GET_TOP_RESPONSE__USE__CLEARING:
        return "clearing";
    default:
        return "idle";
    }
}

static void add_slice(struct cli_table *t, const pb_top *m, size_t i)
{
    const pb_slice *s = m->slices[i];

    cli_table_add(t, "%s", s->node);
    add_slice_name(t, s);
    cli_table_add(t, "%s", s->device);
    cli_table_add(t, "%s", use_text(s));
    add_span(t, s->run_us);
    add_span(t, s->limit_us);
    cli_cell_name(t, s->model);
    cli_cell_name(t, s->size);
    cli_cell_name(t, s->tier);
    cli_cell_name(t, s->visitor);
    cli_table_add(t, "%" PRIu32, s->calls);
    cli_table_add(t, "%" PRIu32, s->behind);
}

static void add_line(struct cli_table *t, const pb_top *m, size_t i)
{
    const Sluice__V1__GetStatusResponse__Line *l = m->status->lines[i];

    cli_table_add(t, "%s", l->background ? "(background)" : l->tier);
    cli_table_add(t, "%" PRIu32, l->weight);
    cli_table_add(t, "%" PRIu64, l->waiting);
    add_span(t, l->longest_wait_us);
    cli_cell_eta(t, l->newest_eta_p50_us);
    cli_cell_eta(t, l->newest_eta_p90_us);
    cli_table_add(t, "%" PRIu64, l->placed);
}

static void add_visitor(struct cli_table *t, const pb_top *m, size_t i)
{
    const Sluice__V1__GetTopResponse__VisitorUse *v = m->visitors[i];

    cli_table_add(t, "%s", v->account);
    cli_table_add(t, "%" PRIu32, v->calls);
    cli_cell_gpu(t, v->spent_us);
    cli_cell_gpu(t, v->held_us);
}

static void add_node(struct cli_table *t, const pb_top *m, size_t i)
{
    const Sluice__V1__GetTopResponse__NodeUse *n = m->nodes[i];

    cli_table_add(t, "%s", n->name);
    cli_table_add(t, "%s",
                  n->drained    ? n->calls > 0 ? "draining" : "drained"
                  : n->stopping ? "stopping"
                                : "connected");
    cli_table_add(t, "%" PRIu32 " of %" PRIu32, n->slices_busy, n->slices);
    cli_table_add(t, "%" PRIu32, n->calls);
    add_span(t, n->silent_for_ms * 1000);
}

/* ---- sections */

struct section {
    const char *const *heads;
    size_t column_count;
    void (*add_row)(struct cli_table *t, const pb_top *m, size_t i);
    const char *more; /* what those are that are not shown */
    size_t rows;      /* that came */
    size_t all;       /* that there are */
    size_t granted;
};

static const char *const slice_heads[] = {"NODE",  ">SLICE",   "DEVICE", "STATE",
                                          ">RUNS", ">LIMIT",   "~MODEL", "SIZE",
                                          "TIER",  "~VISITOR", ">CALLS", ">BEHIND"};
static const char *const line_heads[] = {"QUEUE OF", ">WEIGHT",  ">WAITING",  ">LONGEST",
                                         ">ETA",     ">ETA P90", ">AT SLICES"};
static const char *const visitor_heads[] = {"~VISITOR", ">CALLS", ">GPU TIME IN 24H", ">HELD"};
static const char *const node_heads[] = {"NODE", "STATE", "BUSY SLICES", ">CALLS", ">SILENT"};

/* Slices that no row stands for: a wide one stands for its parts. */
static size_t slices_left_out(const pb_top *m)
{
    size_t shown = 0;
    for (size_t i = 0; i < m->n_slices; i++)
        shown += m->slices[i]->n_parts > 0 ? m->slices[i]->n_parts : 1;
    return m->status->slices > shown ? m->status->slices - shown : 0;
}

/* Row by row in turn, while there are lines. */
static void grant_lines(struct section *sections, size_t count, size_t lines)
{
    bool has_granted = true;
    while (has_granted) {
        has_granted = false;
        for (size_t i = 0; i < count; i++) {
            struct section *s = &sections[i];
            size_t cost = s->granted == 0 ? SECTION_LINES : 1;
            if (s->granted >= s->rows + (s->all > s->rows) || s->rows == 0 || cost > lines)
                continue;
            s->granted++;
            lines -= cost;
            has_granted = true;
        }
    }
}

/* When not all are shown the last line says so, where there are two. */
static void write_section(const struct section *s, const pb_top *m, int width, FILE *out)
{
    struct cli_table t;
    size_t shown = s->granted < s->all && s->granted > 1 ? s->granted - 1 : s->granted;

    if (s->granted == 0)
        return;
    shown = shown < s->rows ? shown : s->rows;
    cli_table_init(&t, s->heads, s->column_count);
    for (size_t i = 0; i < shown; i++)
        s->add_row(&t, m, i);
    putc('\n', out);
    cli_table_write_cut(&t, out, width);
    if (shown < s->all && s->granted > 1)
        write_line(out, width, "... %zu more %s", s->all - shown, s->more);
}

void cli_top_write(const pb_top *m, const struct cli_top_view *v, FILE *out)
{
    size_t lines = v->height <= 0 ? SIZE_MAX : (size_t)v->height;
    struct section sections[] = {
        {slice_heads, SL_ARRAY_LEN(slice_heads), add_slice, "slices", m->n_slices,
         m->n_slices + slices_left_out(m), 0},
        {line_heads, SL_ARRAY_LEN(line_heads), add_line, "tiers", m->status->n_lines,
         m->status->n_lines, 0},
        {visitor_heads, SL_ARRAY_LEN(visitor_heads), add_visitor, "visitors with calls",
         m->n_visitors, m->visitors_open, 0},
        {node_heads, SL_ARRAY_LEN(node_heads), add_node, "nodes", m->n_nodes, m->status->nodes, 0},
    };

    write_gateway(m->status, v, out);
    if (lines > 1)
        write_calls(m->status, v, out);
    if (lines > 2)
        write_today(m->status, v, out);
    grant_lines(sections, SL_ARRAY_LEN(sections), lines > HEAD_LINES ? lines - HEAD_LINES : 0);
    for (size_t i = 0; i < SL_ARRAY_LEN(sections); i++)
        write_section(&sections[i], m, v->width, out);
}
