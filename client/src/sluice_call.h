/* sluice_call.h - one call, from an encoded body to a result or a stream's end: connect, send, wait, judge. */
#ifndef SLUICE_CALL_H
#define SLUICE_CALL_H

#include "sluice_body.h"
#include "sluice_channel.h"
#include "sluice_exchange.h"

/* Runs method with body. reader: of a stream's messages; NULL: the call is unary. *out is a result when the server answered, be it an error, else NULL.
 * status is filled in every case and may not be NULL. Returns status->code. */
int sluice_call_run(struct sluice_channel *channel, const char *method,
                    const struct sluice_body *body, const struct sluice_reader *reader,
                    const struct sluice_call_options *options, struct sluice_result **out,
                    struct sluice_status *status);

#endif
