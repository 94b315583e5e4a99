/* cli_call_text.h - what has become of a call, in one line for people. Pure. */
#ifndef CLI_CALL_TEXT_H
#define CLI_CALL_TEXT_H

#include <stddef.h>

#include "sluice/v1/visitor.pb-c.h"

enum { CLI_CALL_TEXT_BYTES = 640 };

/* "2 of 17 in the queue; starts in about 12.0s, in nine of ten cases within 30.0s", "running on local for 1.2s, at most
 * 30.0s; waited 3.4s", "ended with OK on local; waited 3.4s, ran 1.2s, 1.2 s charged". */
void cli_call_text(const Sluice__V1__CallStatus *call, char out[CLI_CALL_TEXT_BYTES]);

#endif
