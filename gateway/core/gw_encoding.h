/* gw_encoding.h - how a gRPC message may be compressed: the names in its headers. Pure.
 *
 * Source: grpc/grpc, doc/compression.md. "deflate" is the zlib format (RFC 1950).
 */
#ifndef GW_ENCODING_H
#define GW_ENCODING_H

#include <stdbool.h>

#include "sl_span.h"

enum gw_encoding {
    GW_ENCODING_IDENTITY,
    GW_ENCODING_DEFLATE,
    GW_ENCODING_GZIP,
    GW_ENCODING_COUNT,
};

/* All of them, as grpc-accept-encoding has it. */
#define GW_ENCODINGS_TEXT "identity,deflate,gzip"

const char *gw_encoding_name(enum gw_encoding e); /* static */
/* false: none of ours. */
bool gw_encoding_from_name(struct sl_span name, enum gw_encoding *out);
/* Ours among the names of a list "gzip, identity": bits 1 << gw_encoding. */
unsigned gw_encoding_list(struct sl_span list);

#endif
