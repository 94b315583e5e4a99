/* gw_grpc_details.h - the end of a call for programs: the value of grpc-status-details-bin. Pure.
 *
 * A google.rpc.Status (proto/google/rpc) with ErrorInfo always, BadRequest when a field of the
 * request is invalid, QuotaFailure when no GPU time is left, and RetryInfo when its reason passes by itself; as base64 without padding.
 */
#ifndef GW_GRPC_DETAILS_H
#define GW_GRPC_DETAILS_H

#include <stddef.h>

#include "gw_request.h"

/* Clients take 8 KiB of headers by default; this is a quarter of it. */
enum { GW_GRPC_DETAILS_MAX = 2047 };

/* Of a reply whose error is set. Writes text that ends with NUL and returns its length; 0 when it
 * would be over the maximum, which texts of struct sl_error and ids of usual length never are. */
size_t gw_grpc_details(const struct gw_reply *r, char out[GW_GRPC_DETAILS_MAX + 1]);

#endif
