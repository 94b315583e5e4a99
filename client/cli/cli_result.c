/* cli_result.c - sluice result: what a call brought that was made before. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli_options.h"
#include "cli_outputs.h"
#include "sl_clock.h"

enum { FIRST_PAUSE_MS = 50, LAST_PAUSE_MS = 1000, TOKEN_BYTES_MAX = 256 };

static const char help[] =
    "Usage: sluice result CALL [OPTION]...\n\n"
    "Fetches the result of a call that was made with --keep or --idempotency-key, by its id. The "
    "gateway\n"
    "keeps results for a while; what is gone is told with what it cost.\n\n"
    "      --wait TIME               while the call goes on, at most so long: 30s, 5m\n"
    "      --output NAME=@FILE[.npy] write this output to a file\n"
    "      --fetch-token-file FILE   the sluice-fetch-token of the call's answer, for callers who "
    "have no\n"
    "                                token\n" CLI_COMMON_HELP;

struct fetch {
    struct cli_common common;
    char *call_id;
    char *fetch_token_file;
    char *fetch_token; /* NULL: none */
    struct cli_named_list outputs;
    int64_t wait_ns;
};

static int read_fetch_token(struct fetch *v)
{
    size_t len;

    if (v->fetch_token_file == NULL)
        return CLI_OK;
    const char *wrong = cli_read_file(v->fetch_token_file, TOKEN_BYTES_MAX, &v->fetch_token, &len);
    if (wrong != NULL)
        return cli_fail(&v->common, CLI_USAGE, "--fetch-token-file %s: %s", v->fetch_token_file,
                        wrong);
    v->fetch_token[strcspn(v->fetch_token, "\r\n")] = '\0';
    return CLI_OK;
}

static void pause_ns(int64_t ns)
{
    struct timespec left = {.tv_sec = ns / SL_NS_PER_S, .tv_nsec = ns % SL_NS_PER_S};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

/* Asks again while the call goes on, until then. */
static int fetch(struct fetch *v, struct sluice_channel *channel, sl_mono_ns until)
{
    struct sluice_call_options options = cli_call_options(&v->common);
    struct sluice_result *result;
    struct sluice_status status;
    bool is_pending;
    int code;

    for (int64_t ms = FIRST_PAUSE_MS;; ms = ms * 2 < LAST_PAUSE_MS ? ms * 2 : LAST_PAUSE_MS) {
        sluice_get_result(channel, v->call_id, v->fetch_token, &options, &is_pending, &result,
                          &status);
        if (!is_pending)
            break;
        int64_t left_ns = until - sl_clock_mono(&sl_clock_real);
        if (left_ns <= 0)
            return cli_fail(&v->common, CLI_FAILED,
                            "the call %s has not ended: ask again, or --wait longer", v->call_id);
        pause_ns(left_ns < ms * SL_NS_PER_MS ? left_ns : ms * SL_NS_PER_MS);
    }
    if (status.code != SLUICE_OK)
        code = cli_fail_result(&v->common, &status, result);
    else
        code = cli_outputs_show(&v->common, result, &v->outputs);
    sluice_result_destroy(result);
    return code;
}

static int run(struct fetch *v)
{
    sl_mono_ns until = sl_sat_add(sl_clock_mono(&sl_clock_real), v->wait_ns);
    struct sluice_channel *channel;
    int code = read_fetch_token(v);

    if (code == CLI_OK)
        code = cli_open(&v->common, &channel);
    if (code != CLI_OK)
        return code;
    code = fetch(v, channel, until);
    sluice_channel_destroy(channel);
    return code;
}

int cli_result(int argc, char **argv)
{
    struct fetch v = {.wait_ns = 0};
    const struct cli_option options[] = {
        {"wait", CLI_OPTION_SPAN, &v.wait_ns, 0, 0},
        {"output", CLI_OPTION_NAMED, &v.outputs, 0, 0},
        {"fetch-token-file", CLI_OPTION_TEXT, &v.fetch_token_file, 0, 0},
    };
    const struct cli_grammar grammar = {.name = "result",
                                        .help = help,
                                        .options = options,
                                        .option_count = SL_ARRAY_LEN(options),
                                        .arguments = {"CALL"}};
    int code;

    if (!cli_options_read(argc, argv, &grammar, &v.common, &v.call_id, &code))
        return code;
    code = run(&v);
    if (v.fetch_token != NULL)
        explicit_bzero(v.fetch_token, strlen(v.fetch_token));
    free(v.fetch_token);
    return code;
}
