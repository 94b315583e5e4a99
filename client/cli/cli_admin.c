/* cli_admin.c - the calls of sluice.v1.Admin. */
#include "cli_admin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool cli_admin_options(int argc, char **argv, const char *help, struct cli_common *c, int *out_exit)
{
    static const struct option options[] = {CLI_COMMON_OPTIONS, {0}};
    int option;

    cli_common_init(c);
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (!cli_common_take(c, option, optarg, help, out_exit))
            return false;
    }
    if (optind < argc) {
        *out_exit =
            cli_fail(c, CLI_USAGE, "%s takes no argument, but there is %s", argv[0], argv[optind]);
        return false;
    }
    return true;
}

ProtobufCMessage *cli_admin_try(struct sluice_channel *channel, const char *method,
                                const ProtobufCMessageDescriptor *descriptor,
                                const struct sluice_call_options *options,
                                struct sluice_status *status)
{
    struct sluice_result *result;
    ProtobufCMessage *m = NULL;

    if (sluice_unary(channel, method, NULL, 0, options, &result, status) == SLUICE_OK) {
        struct sluice_bytes bytes = sluice_result_message(result);
        m = protobuf_c_message_unpack(descriptor, NULL, bytes.bytes, bytes.data);
    }
    sluice_result_destroy(result);
    return m;
}

int cli_admin_ask(const struct cli_common *c, const char *method,
                  const ProtobufCMessageDescriptor *descriptor, ProtobufCMessage **out)
{
    struct sluice_call_options options = cli_call_options(c);
    struct sluice_channel *channel;
    struct sluice_status status;

    int code = cli_open(c, &channel);
    if (code != CLI_OK)
        return code;
    *out = cli_admin_try(channel, method, descriptor, &options, &status);
    sluice_channel_destroy(channel);
    if (status.code != SLUICE_OK)
        return cli_fail_status(c, &status);
    if (*out == NULL)
        return cli_fail(c, CLI_FAILED, "the answer to %s cannot be read", method);
    return CLI_OK;
}

char *cli_join(char *const *texts, size_t count)
{
    char *joined = NULL;
    size_t len;
    FILE *f = open_memstream(&joined, &len);

    if (f == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        fprintf(f, "%s%s", i > 0 ? ", " : "", texts[i]);
    fclose(f);
    return joined;
}

json_t *cli_json_texts(char *const *texts, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_string(texts[i]));
    return array;
}

void cli_format_ms(int64_t ms, char out[32])
{
    int64_t s = ms / 1000;

    if (ms < 1000)
        snprintf(out, 32, "%" PRId64 "ms", ms);
    else if (s < 60)
        snprintf(out, 32, "%" PRId64 ".%" PRId64 "s", s, ms % 1000 / 100);
    else if (s < 3600)
        snprintf(out, 32, "%" PRId64 "m %" PRId64 "s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, 32, "%" PRId64 "h %" PRId64 "m", s / 3600, s % 3600 / 60);
    else
        snprintf(out, 32, "%" PRId64 "d %" PRId64 "h", s / 86400, s % 86400 / 3600);
}
