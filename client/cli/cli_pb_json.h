/* cli_pb_json.h - any message of sluice.v1 as JSON for programs, with its own field names, which name
 * the units. Pure. */
#ifndef CLI_PB_JSON_H
#define CLI_PB_JSON_H

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

/* Numbers are numbers (64-bit ones too), enums their names, a missing message is null. NULL: no
 * memory, or a text that is not UTF-8. */
json_t *cli_pb_json(const ProtobufCMessage *m);

#endif
