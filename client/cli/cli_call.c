/* cli_call.c - sluice call, sluice cancel: what has become of a call, until its end if one likes; and its end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_ask.h"
#include "cli_call_text.h"
#include "cli_options.h"
#include "cli_pb_json.h"

typedef Sluice__V1__CallStatus pb_call;
typedef Sluice__V1__WatchCallRequest pb_request; /* the three are alike on the wire */

enum { TOKEN_BYTES_MAX = 256 };

#define TOKEN_HELP                                                                                 \
    "      --fetch-token-file FILE   the call's sluice-fetch-token, for callers who have no "      \
    "token\n"

static const char call_help[] =
    "Usage: sluice call CALL [OPTION]...\n\n"
    "What has become of a call of yours, by its id: its place in the queue and when it is expected "
    "to start,\n"
    "how long it runs, how it ended. sluice infer tells the id; sluice-call-id chooses it.\n\n"
    "      --watch                   a line for each change, until it has ended\n" TOKEN_HELP
        CLI_COMMON_HELP;

static const char cancel_help[] =
    "Usage: sluice cancel CALL [OPTION]...\n\n"
    "Ends a call of yours, by its id: one that waits leaves the queue, one that runs loses its "
    "slice and\n"
    "pays for the time until then. One that has ended is left as it is.\n\n" TOKEN_HELP
        CLI_COMMON_HELP;

struct verb {
    struct cli_common common;
    char *call_id;
    char *token_file;
    char *token; /* NULL: none */
    bool watches;
};

static int read_token(struct verb *v)
{
    size_t len;
    if (v->token_file == NULL)
        return CLI_OK;
    const char *wrong = cli_read_file(v->token_file, TOKEN_BYTES_MAX, &v->token, &len);
    if (wrong != NULL)
        return cli_fail(&v->common, CLI_USAGE, "--fetch-token-file %s: %s", v->token_file, wrong);
    v->token[strcspn(v->token, "\r\n")] = '\0';
    return CLI_OK;
}

static void show(const struct verb *v, const pb_call *call)
{
    char text[CLI_CALL_TEXT_BYTES];
    if (v->common.json) {
        cli_print_json(cli_pb_json(&call->base));
        return;
    }
    cli_call_text(call, text);
    printf("%s\n", text);
    fflush(stdout);
}

static bool on_message(void *user, struct sluice_bytes message)
{
    pb_call *call = sluice__v1__call_status__unpack(NULL, message.bytes, message.data);
    if (call != NULL)
        show(user, call);
    if (call != NULL)
        sluice__v1__call_status__free_unpacked(call, NULL);
    return true;
}

static int watch(struct verb *v, struct sluice_channel *channel, const pb_request *request)
{
    struct sluice_call_options options = cli_call_options(&v->common);
    struct sluice_result *result;
    struct sluice_status status;
    uint8_t bytes[1024];

    if (sluice__v1__watch_call_request__get_packed_size(request) > sizeof(bytes))
        return cli_fail(&v->common, CLI_USAGE, "%s is no call's id", v->call_id);
    size_t len = sluice__v1__watch_call_request__pack(request, bytes);
    int code = sluice_server_stream(channel, "/sluice.v1.Visitor/WatchCall", bytes, len, on_message,
                                    v, &options, &result, &status);
    sluice_result_destroy(result);
    return code == SLUICE_OK ? CLI_OK : cli_fail_status(&v->common, &status);
}

static int ask(struct verb *v, struct sluice_channel *channel, const char *method,
               const pb_request *request)
{
    ProtobufCMessage *answer;
    int code = cli_ask_on(&v->common, channel, method, &request->base,
                          &sluice__v1__call_status__descriptor, &answer);
    if (code == CLI_OK) {
        show(v, (const pb_call *)answer);
        protobuf_c_message_free_unpacked(answer, NULL);
    }
    return code;
}

static int run(struct verb *v, const char *method)
{
    struct sluice_channel *channel;
    pb_request request = SLUICE__V1__WATCH_CALL_REQUEST__INIT;
    int code = read_token(v);
    if (code == CLI_OK)
        code = cli_open(&v->common, &channel);
    if (code != CLI_OK)
        return code;
    request.call_id = v->call_id;
    if (v->token != NULL)
        request.fetch_token = v->token;
    code = v->watches ? watch(v, channel, &request) : ask(v, channel, method, &request);
    sluice_channel_destroy(channel);
    return code;
}

static int run_verb(int argc, char **argv, const char *name, const char *help, size_t option_count,
                    const char *method)
{
    struct verb v = {.watches = false};
    const struct cli_option options[] = {
        {"fetch-token-file", CLI_OPTION_TEXT, &v.token_file, 0, 0},
        {"watch", CLI_OPTION_FLAG, &v.watches, 0, 0},
    };
    const struct cli_grammar grammar = {.name = name,
                                        .help = help,
                                        .options = options,
                                        .option_count = option_count,
                                        .arguments = {"CALL"}};
    int code;

    if (!cli_options_read(argc, argv, &grammar, &v.common, &v.call_id, &code))
        return code;
    code = run(&v, method);
    if (v.token != NULL)
        explicit_bzero(v.token, strlen(v.token));
    free(v.token);
    return code;
}

int cli_call(int argc, char **argv)
{
    return run_verb(argc, argv, "call", call_help, 2, "/sluice.v1.Visitor/GetCall");
}

int cli_cancel(int argc, char **argv)
{
    return run_verb(argc, argv, "cancel", cancel_help, 1, "/sluice.v1.Visitor/CancelCall");
}
