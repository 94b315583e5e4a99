/* sluice_wire.h - the protocol's messages to and from requests and results. Pure.
 *
 * The only user of inference.pb-c.h in the library. Small fields go through protobuf-c; tensor data
 * are neither copied out of a request nor into one, and found in place in an answer.
 */
#ifndef SLUICE_WIRE_H
#define SLUICE_WIRE_H

#include "sluice_body.h"
#include "sluice_request.h"
#include "sluice_result.h"

/* ModelInferRequest, with the raw contents by reference, as a sealed body. The request must live
 * unchanged as long as the body. Errors: SL_ETOOBIG (over max_bytes), SL_ENOMEM. */
SL_MUST_CHECK sl_status sluice_wire_put_infer(const struct sluice_request *request,
                                              uint64_t max_bytes, struct sluice_body *body);

/* Takes ModelInferResponse apart: fills r's model, id, outputs and parameters from r->message. On
 * error *why has the sentence. Errors: SL_EPROTO, SL_ENOMEM. */
SL_MUST_CHECK sl_status sluice_wire_get_infer(struct sluice_result *r, struct sluice_status *why);

/* Where the first raw output begins in the front part of a ModelInferResponse; 0 when that cannot be
 * seen yet. */
size_t sluice_wire_raw_offset(struct sl_span front);

/* google.rpc.Status: its ErrorInfo gives s->reason and details, its RetryInfo s->retry_after_ms.
 * Malformed parts and unknown details are passed over. */
void sluice_wire_get_details(struct sl_span message, struct sluice_status *s,
                             struct sluice_pairs_list *details);

/* The small messages. model and version must be NUL-terminated UTF-8. */
SL_MUST_CHECK sl_status sluice_wire_put_model_ready(const char *model, const char *version,
                                                    struct sl_buf *out);
SL_MUST_CHECK sl_status sluice_wire_put_model_metadata(const char *model, const char *version,
                                                       struct sl_buf *out);
/* Any message with one bool in field 1: ServerLiveResponse, ServerReadyResponse, ModelReadyResponse.
 * Errors: SL_EPROTO. */
SL_MUST_CHECK sl_status sluice_wire_get_bool(struct sl_span message, bool *out);
/* ModelMetadataResponse. Errors: SL_EPROTO, SL_ENOMEM. */
SL_MUST_CHECK sl_status sluice_wire_get_model(struct sl_span message, struct sluice_model **out);

#endif
