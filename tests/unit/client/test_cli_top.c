/* test_cli_top.c - the picture of sluice top: what it shows, and that it fits whatever is in it. */
#include <stdlib.h>

#include "cli_text.h"
#include "cli_top_frame.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

typedef Sluice__V1__GetTopResponse pb_top;
typedef Sluice__V1__GetTopResponse__SliceUse pb_slice;
typedef Sluice__V1__GetTopResponse__VisitorUse pb_visitor;
typedef Sluice__V1__GetTopResponse__NodeUse pb_node;
typedef Sluice__V1__GetStatusResponse__Line pb_line;

enum { ROWS_MAX = 40 };

static struct {
    pb_top m;
    Sluice__V1__GetStatusResponse status;
    Sluice__V1__GetStatusResponse__Outcome outcome, *outcomes[1];
    pb_line lines[ROWS_MAX], *line_list[ROWS_MAX];
    pb_slice slices[ROWS_MAX], *slice_list[ROWS_MAX];
    pb_visitor visitors[ROWS_MAX], *visitor_list[ROWS_MAX];
    pb_node nodes[ROWS_MAX], *node_list[ROWS_MAX];
    uint32_t parts[2];
} top;

static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

static void fill_lists(size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        sluice__v1__get_status_response__line__init(&top.lines[i]);
        top.lines[i].tier = text("pro");
        top.line_list[i] = &top.lines[i];
        sluice__v1__get_top_response__slice_use__init(&top.slices[i]);
        top.slices[i].node = text("n1");
        top.slices[i].device = text("cpu0");
        top.slices[i].slice = (uint32_t)i;
        top.slice_list[i] = &top.slices[i];
        sluice__v1__get_top_response__visitor_use__init(&top.visitors[i]);
        top.visitors[i].account = text("user:ana");
        top.visitor_list[i] = &top.visitors[i];
        sluice__v1__get_top_response__node_use__init(&top.nodes[i]);
        top.nodes[i].name = text("n1");
        top.node_list[i] = &top.nodes[i];
    }
}

/* So many rows in each list. */
static void begin(size_t rows)
{
    memset(&top, 0, sizeof top);
    sluice__v1__get_status_response__init(&top.status);
    top.status.version = text("0.1.0");
    top.status.uptime_ms = 65000;
    top.status.ready = true;
    top.status.lines = top.line_list;
    sluice__v1__get_top_response__init(&top.m);
    top.m.status = &top.status;
    top.m.slices = top.slice_list;
    top.m.visitors = top.visitor_list;
    top.m.nodes = top.node_list;
    top.status.n_lines = top.m.n_slices = top.m.n_visitors = top.m.n_nodes = rows;
    top.status.slices = top.status.nodes = top.m.visitors_open = (uint32_t)rows;
    fill_lists(rows);
}

/* free it */
static char *draw(int width, int height)
{
    const struct cli_top_view v = {.address = "h:1", .width = width, .height = height};
    char *out = NULL;
    size_t len;
    FILE *f = open_memstream(&out, &len);
    assert_non_null(f);
    cli_top_write(&top.m, &v, f);
    assert_int_equal(fclose(f), 0);
    return out;
}

static void expect_picture(int width, int height, const char *wanted)
{
    char *got = draw(width, height);
    assert_string_equal(got, wanted);
    free(got);
}

static void a_picture(void **state SL_UNUSED)
{
    begin(2);
    top.status.nodes_drained = 1;
    top.status.slices_busy = 3;
    top.status.slices = 5;
    top.status.calls_queued = 7;
    top.status.calls_running = 2;
    top.status.today_used_us = 61000000;
    sluice__v1__get_status_response__outcome__init(&top.outcome);
    top.outcome = (Sluice__V1__GetStatusResponse__Outcome){top.outcome.base, text("OK"), 12};
    top.outcomes[0] = &top.outcome;
    top.status.n_outcomes = 1;
    top.status.outcomes = top.outcomes;
    top.lines[0].weight = 16;
    top.lines[0].waiting = 7;
    top.lines[0].longest_wait_us = 2500000;
    top.lines[0].newest_eta_p50_us = 4000000;
    top.lines[0].newest_eta_p90_us = 61000000;
    top.lines[1].newest_eta_p50_us = top.lines[1].newest_eta_p90_us = -1;
    top.lines[1].tier = text("");
    top.lines[1].background = true;
    top.slices[0].use = SLUICE__V1__GET_TOP_RESPONSE__USE__RUNNING;
    top.slices[0].model = text("sdxl");
    top.slices[0].tier = text("pro");
    top.slices[0].size = text("xlarge");
    top.slices[0].visitor = text("user:ana");
    top.slices[0].run_us = 1500000;
    top.slices[0].limit_us = 60000000;
    top.slices[0].behind = 1;
    top.slices[0].calls = 1;
    top.parts[0] = 0;
    top.parts[1] = 1;
    top.slices[0].n_parts = 2;
    top.slices[0].parts = top.parts;
    top.visitors[0].calls = 3;
    top.visitors[0].spent_us = 1500000;
    top.m.visitors_open = 9;
    top.nodes[0].drained = true;
    top.nodes[0].calls = 2;
    top.nodes[0].slices = 5;
    top.nodes[0].slices_busy = 3;
    top.nodes[1].stopping = true;
    expect_picture(
        0, 0,
        "sluice h:1, version 0.1.0, up 1m 5s, ready\n"
        "nodes 2 (1 drained), slices 3 of 5 busy, calls 7 waiting, 0 sent, 2 running, 0 receiving\n"
        "today 1m 1s of GPU time used, nothing charged; ended: 12 OK\n"
        "\n"
        "NODE  SLICE  DEVICE  STATE    RUNS  LIMIT  MODEL  SIZE    TIER  VISITOR   CALLS  BEHIND\n"
        "n1      0+1  cpu0    running  1.5s  1m 0s  sdxl   xlarge  pro   user:ana      1       1\n"
        "n1        1  cpu0    idle        -      -  -      -       -     -             0       0\n"
        "... 2 more slices\n"
        "\n"
        "QUEUE OF      WEIGHT  WAITING  LONGEST   ETA  ETA P90  AT SLICES\n"
        "pro               16        7     2.5s  4.0s    1m 1s          0\n"
        "(background)       0        0        -     -        -          0\n"
        "\n"
        "VISITOR   CALLS  GPU TIME IN 24H  HELD\n"
        "user:ana      3          1.500 s     -\n"
        "user:ana      0                -     -\n"
        "... 7 more visitors with calls\n"
        "\n"
        "NODE  STATE     BUSY SLICES  CALLS  SILENT\n"
        "n1    draining  3 of 5           2       -\n"
        "n1    stopping  0 of 0           0       -\n");
}

static void without_anything_there_are_three_lines(void **state SL_UNUSED)
{
    begin(0);
    expect_picture(0, 0,
                   "sluice h:1, version 0.1.0, up 1m 5s, ready\n"
                   "nodes 0, slices 0 of 0 busy, calls 0 waiting, 0 sent, 0 running, 0 receiving\n"
                   "today nothing of GPU time used, nothing charged\n");
    expect_picture(20, 1, "sluice h:1, version~\n");
    expect_picture(1, 2, "~\n~\n");
}

static void lists_share_the_lines(void **state SL_UNUSED)
{
    begin(5);
    expect_picture(30, 12,
                   "sluice h:1, version 0.1.0, up~\n"
                   "nodes 5, slices 0 of 5 busy, ~\n"
                   "today nothing of GPU time use~\n"
                   "\n"
                   "NODE  SLICE  DEVICE  STATE  R~\n"
                   "n1        0  cpu0    idle    ~\n"
                   "\n"
                   "QUEUE OF  WEIGHT  WAITING  LO~\n"
                   "pro            0        0    ~\n"
                   "\n"
                   "VISITOR   CALLS  GPU TIME IN ~\n"
                   "user:ana      0              ~\n");
    char *got = draw(80, 14); /* no room for nodes: the others have a row more */
    assert_non_null(strstr(got, "... 4 more slices\n"));
    assert_null(strstr(got, "SILENT"));
    free(got);
}

/* Long names give way before numbers do. */
static void long_names_are_cut(void **state SL_UNUSED)
{
    begin(1);
    top.slices[0].visitor =
        text("user:https://login.example.org/a/very/long/issuer#and-a-subject-0123456789");
    top.slices[0].model = text("stable-diffusion-with-a-long-name");
    char *got = draw(100, 0);
    assert_non_null(strstr(got, "stable-diff"));
    assert_non_null(strstr(got, "BEHIND\n"));
    assert_non_null(strstr(got, "~ "));
    free(got);
}

/* However it is filled: no line is too wide, and there are not too many. */
static void it_fits(void **state SL_UNUSED)
{
    static const char *const names[] = {"", "n1",
                                        "gr\xc3\xbc\xc3\x9f"
                                        "e",
                                        "x\033[2Jy\n",
                                        "a-name-that-is-much-too-long-for-any-column-of-a-table"};
    struct sl_rng rng;
    sl_rng_seed(&rng, 7);
    for (int i = 0; i < 2000; i++) {
        begin(sl_rng_below(&rng, ROWS_MAX + 1));
        for (size_t k = 0; k < top.m.n_slices; k++) {
            top.slices[k].visitor = text(names[sl_rng_below(&rng, SL_ARRAY_LEN(names))]);
            top.slices[k].model = text(names[sl_rng_below(&rng, SL_ARRAY_LEN(names))]);
            top.visitors[k].account = text(names[sl_rng_below(&rng, SL_ARRAY_LEN(names))]);
            top.visitors[k].spent_us = (int64_t)sl_rng_u64(&rng);
            top.lines[k].waiting = sl_rng_u64(&rng);
        }
        int width = 1 + (int)sl_rng_below(&rng, 200), height = 1 + (int)sl_rng_below(&rng, 60);
        char *got = draw(width, height), *at = got;
        int lines = 0;
        for (char *end; (end = strchr(at, '\n')) != NULL; at = end + 1, lines++) {
            *end = '\0';
            if (cli_text_width(at) > width || strchr(at, '\033') != NULL)
                fail_msg("of %d columns: \"%s\"", width, at);
        }
        assert_string_equal(at, "");
        assert_true(lines <= height);
        free(got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture),
        cmocka_unit_test(without_anything_there_are_three_lines),
        cmocka_unit_test(lists_share_the_lines),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(it_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
