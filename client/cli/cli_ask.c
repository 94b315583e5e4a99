/* cli_ask.c - calls of sluice.v1.Visitor and Admin. */
#include "cli_ask.h"

#include <stdio.h>
#include <stdlib.h>

/* *out is NULL when the status is not OK, or when the answer cannot be read. */
static void call(struct sluice_channel *channel, const char *method, const void *bytes, size_t len,
                 const ProtobufCMessageDescriptor *descriptor,
                 const struct sluice_call_options *options, struct sluice_status *status,
                 ProtobufCMessage **out)
{
    struct sluice_result *result;

    *out = NULL;
    if (sluice_unary(channel, method, bytes, len, options, &result, status) == SLUICE_OK) {
        struct sluice_bytes answer = sluice_result_message(result);
        *out = protobuf_c_message_unpack(descriptor, NULL, answer.bytes, answer.data);
    }
    sluice_result_destroy(result);
}

ProtobufCMessage *cli_ask_quietly(struct sluice_channel *channel, const char *method,
                                  const ProtobufCMessageDescriptor *descriptor,
                                  const struct sluice_call_options *options,
                                  struct sluice_status *status)
{
    ProtobufCMessage *m;
    call(channel, method, NULL, 0, descriptor, options, status, &m);
    return m;
}

int cli_ask_on(const struct cli_common *c, struct sluice_channel *channel, const char *method,
               const ProtobufCMessage *request, const ProtobufCMessageDescriptor *descriptor,
               ProtobufCMessage **out)
{
    struct sluice_call_options options = cli_call_options(c);
    size_t len = request != NULL ? protobuf_c_message_get_packed_size(request) : 0;
    uint8_t *bytes = malloc(len + 1);
    struct sluice_status status;

    *out = NULL;
    if (bytes == NULL)
        return cli_fail(c, CLI_FAILED, "no memory for a request of %zu bytes", len);
    if (request != NULL)
        protobuf_c_message_pack(request, bytes);
    call(channel, method, bytes, len, descriptor, &options, &status, out);
    free(bytes);
    if (status.code != SLUICE_OK)
        return cli_fail_status(c, &status);
    if (*out == NULL)
        return cli_fail(c, CLI_FAILED, "the answer to %s cannot be read", method);
    return CLI_OK;
}

int cli_ask(struct cli_common *c, const char *method, const ProtobufCMessage *request,
            const ProtobufCMessageDescriptor *descriptor, ProtobufCMessage **out)
{
    struct sluice_channel *channel;
    int code = cli_open(c, &channel);

    if (code != CLI_OK)
        return code;
    code = cli_ask_on(c, channel, method, request, descriptor, out);
    sluice_channel_destroy(channel);
    return code;
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
