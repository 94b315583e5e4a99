/* cli_top.c - sluice top: what the gateway does, again and again. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli_ask.h"
#include "cli_options.h"
#include "cli_pb_json.h"
#include "cli_screen.h"
#include "cli_top_frame.h"
#include "sl_time.h"

typedef Sluice__V1__GetTopResponse pb_top;

enum { PATIENCE_MS = 10000 }; /* of one question, when the command line does not say */

static const char help[] =
    "Usage: sluice top [OPTION]...\n\n"
    "Shows again and again what runs on which slice for whom, how many calls of each tier wait, "
    "the\n"
    "visitors with calls open who have used most, and the nodes. q or Ctrl-C ends it, any other "
    "key looks\n"
    "at once. Without a terminal the pictures follow each other.\n\n"
    "      --interval TIME           between two looks, 100ms to 1h (1s)\n"
    "      --once                    one picture, of all lines; so does --json\n" CLI_COMMON_HELP;

struct top {
    struct cli_common c;
    struct sluice_channel *channel;
    int64_t interval_ms;
    pb_top *last;                 /* the last answer; owned */
    int64_t asked_at;             /* ms, of a clock that does not step */
    struct sluice_status failure; /* of the last question; OK: none */
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / SL_NS_PER_MS;
}

/* What it is told stays until there is something newer. */
static void look(struct top *t)
{
    struct sluice_call_options options = cli_call_options(&t->c);
    t->asked_at = now_ms();
    pb_top *m =
        (pb_top *)cli_ask_quietly(t->channel, "/sluice.v1.Admin/GetTop",
                                  &sluice__v1__get_top_response__descriptor, &options, &t->failure);
    if (m == NULL)
        return;
    if (t->last != NULL)
        sluice__v1__get_top_response__free_unpacked(t->last, NULL);
    t->last = m;
}

static void draw(const struct top *t, FILE *out, int width, int height)
{
    const struct cli_top_view view = {.address = t->c.address,
                                      .note =
                                          t->failure.code == SLUICE_OK ? NULL : t->failure.message,
                                      .width = width,
                                      .height = height};
    cli_top_write(t->last, &view, out);
}

/* ---- on a terminal */

static void redraw(const struct top *t)
{
    char *text = NULL;
    size_t len;
    int width, height;
    FILE *f = open_memstream(&text, &len);

    if (f == NULL)
        return;
    cli_screen_size(&width, &height);
    draw(t, f, width, height);
    if (fclose(f) == 0)
        cli_screen_draw(text);
    free(text);
}

static void run_on_screen(struct top *t)
{
    enum cli_screen_event event = CLI_SCREEN_TIME;

    cli_screen_open();
    while (event != CLI_SCREEN_QUIT) {
        redraw(t);
        int64_t left = t->asked_at + t->interval_ms - now_ms();
        event = cli_screen_wait(left > 0 ? left : 0);
        if (event == CLI_SCREEN_TIME || event == CLI_SCREEN_KEY)
            look(t);
    }
    cli_screen_close();
}

/* ---- elsewhere */

static int run_in_lines(struct top *t)
{
    const struct timespec nap = {.tv_sec = t->interval_ms / 1000,
                                 .tv_nsec = t->interval_ms % 1000 * SL_NS_PER_MS};
    for (;;) {
        draw(t, stdout, 0, 0);
        putchar('\n');
        if (fflush(stdout) != 0)
            return CLI_OK; /* who read it has gone */
        nanosleep(&nap, NULL);
        look(t);
        if (t->failure.code != SLUICE_OK)
            return cli_fail_status(&t->c, &t->failure);
    }
}

static int run(struct top *t, bool once)
{
    look(t);
    if (t->failure.code != SLUICE_OK)
        return cli_fail_status(&t->c, &t->failure);
    if (t->last == NULL)
        return cli_fail(&t->c, CLI_FAILED, "the answer to GetTop cannot be read");
    if (t->c.json)
        return cli_print_json(cli_pb_json(&t->last->base));
    if (once)
        draw(t, stdout, 0, 0);
    else if (isatty(STDOUT_FILENO))
        run_on_screen(t);
    else
        return run_in_lines(t);
    return CLI_OK;
}

int cli_top(int argc, char **argv)
{
    struct top t = {.last = NULL};
    int64_t interval_ns = SL_NS_PER_S;
    bool once = false;
    const struct cli_option options[] = {
        {"interval", CLI_OPTION_SPAN, &interval_ns, 100 * SL_NS_PER_MS, 3600 * SL_NS_PER_S},
        {"once", CLI_OPTION_FLAG, &once, 0, 0},
    };
    const struct cli_grammar grammar = {.name = "top",
                                        .help = help,
                                        .options = options,
                                        .option_count = SL_ARRAY_LEN(options),
                                        .as_operator = true};
    int code;

    if (!cli_options_read(argc, argv, &grammar, &t.c, NULL, &code))
        return code;
    t.interval_ms = interval_ns / SL_NS_PER_MS;
    if (t.c.timeout_ms < 0)
        t.c.timeout_ms = PATIENCE_MS;
    code = cli_open(&t.c, &t.channel);
    if (code != CLI_OK)
        return code;
    code = run(&t, once);
    if (t.last != NULL)
        sluice__v1__get_top_response__free_unpacked(t.last, NULL);
    sluice_channel_destroy(t.channel);
    return code;
}
