/* cli_ask.h - calls of sluice.v1.Visitor and Admin, for the verbs that ask the gateway. */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <protobuf-c/protobuf-c.h>

#include "cli.h"

/* The method's answer, decoded as descriptor; end it with protobuf_c_message_free_unpacked(m, NULL).
 * request: NULL is an empty one. CLI_OK, or the exit code after the error was told. */
int cli_ask(struct cli_common *c, const char *method, const ProtobufCMessage *request,
            const ProtobufCMessageDescriptor *descriptor, ProtobufCMessage **out);
/* The same on a channel that is open already. */
int cli_ask_on(const struct cli_common *c, struct sluice_channel *channel, const char *method,
               const ProtobufCMessage *request, const ProtobufCMessageDescriptor *descriptor,
               ProtobufCMessage **out);
/* The same, quietly, with an empty request: NULL when it fails. */
ProtobufCMessage *cli_ask_quietly(struct sluice_channel *channel, const char *method,
                                  const ProtobufCMessageDescriptor *descriptor,
                                  const struct sluice_call_options *options,
                                  struct sluice_status *status);

/* Texts joined by ", " for a cell; free it. NULL: no memory. */
char *cli_join(char *const *texts, size_t count);
/* A JSON array of texts. */
json_t *cli_json_texts(char *const *texts, size_t count);

#endif
