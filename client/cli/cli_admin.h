/* cli_admin.h - the calls of sluice.v1.Admin, for the verbs that show what the gateway knows. */
#ifndef CLI_ADMIN_H
#define CLI_ADMIN_H

#include "cli.h"
#include "sluice/v1/admin.pb-c.h"

/* Reads the options of a verb that has only the common ones. true: go on; else *out_exit. */
bool cli_admin_options(int argc, char **argv, const char *help, struct cli_common *c,
                       int *out_exit);

/* The method's answer, decoded as descriptor; end it with protobuf_c_message_free_unpacked(m, NULL).
 * All requests of these methods are empty. CLI_OK, or the exit code after the error was told. */
int cli_admin_ask(const struct cli_common *c, const char *method,
                  const ProtobufCMessageDescriptor *descriptor, ProtobufCMessage **out);

/* The same on a channel that is open already, quietly: NULL when it fails. */
ProtobufCMessage *cli_admin_try(struct sluice_channel *channel, const char *method,
                                const ProtobufCMessageDescriptor *descriptor,
                                const struct sluice_call_options *options,
                                struct sluice_status *status);

/* Texts joined by ", " for a cell; free it. NULL: no memory. */
char *cli_join(char *const *texts, size_t count);
/* A JSON array of texts. */
json_t *cli_json_texts(char *const *texts, size_t count);

/* "2h 5m", "13s", "120ms". */
void cli_format_ms(int64_t ms, char out[32]);

#endif
