/* gw_grpc_meta.h - gRPC's rules for headers: what a request's must be, what a reply's are. Pure.
 *
 * Request  gw_grpc_meta_begin, gw_grpc_meta_header for each header as it is decoded,
 *          gw_grpc_meta_end. The headers that we know are kept in struct gw_request (at most one of
 *          each, printable); others are only counted. The count is HTTP/2's: name + value + 32 for
 *          each, cookie crumbs included.
 *          Of cookies, in whatever crumbs they come, ours alone is kept; lines of x-forwarded-for are
 *          joined, up to GW_FORWARDED_MAX bytes.
 *          Values of names that end in -bin are base64, padded or not, maybe joined by commas.
 * Reply    struct gw_grpc_fields, filled by one of three functions: head and trailers of a reply
 *          with a message, or trailers-only.
 * Errors   A refused request's answer is ready to be sent: in *refusal a reason, its sentence and
 *          trailers; in meta.http_status 200, but for requests that are not gRPC at all (405, 415).
 *          The first broken rule is told.
 * Memory   Kept values are copied into the arena given. Fields point to static text, to the reply
 *          given and into the struct itself; they last as long as those.
 * Source   grpc/grpc, doc/PROTOCOL-HTTP2.md.
 */
#ifndef GW_GRPC_META_H
#define GW_GRPC_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gw_grpc_details.h"
#include "gw_request.h"
#include "sl_arena.h"
#include "sl_base.h"
#include "sl_span.h"
#include "sl_status.h"
#include "sl_time.h"

struct gw_grpc_meta {
    struct gw_request *req;
    struct gw_reply *refusal;
    struct sl_arena *arena;
    size_t bytes;
    size_t bytes_max;
    int64_t timeout_ns; /* -1: none was asked */
    int http_status;
    bool is_post;
    bool is_grpc;
    bool has_content_type;
    bool has_encoding;
};

/* req and refusal are reset; all pointers are borrowed until gw_grpc_meta_end has returned. */
void gw_grpc_meta_begin(struct gw_grpc_meta *m, struct gw_request *req, struct gw_reply *refusal,
                        struct sl_arena *arena, size_t bytes_max);
/* false: the headers have passed bytes_max; further ones need not be decoded. */
bool gw_grpc_meta_header(struct gw_grpc_meta *m, struct sl_span name, struct sl_span value);
/* All headers are there. true: *req is complete; false: refuse it with http_status and *refusal. */
bool gw_grpc_meta_end(struct gw_grpc_meta *m, sl_mono_ns now);

/* "5S", "100m": at most 8 digits and one of H M S m u n. Errors: SL_EINVAL. An hour count beyond
 * the range is the range's end. */
SL_MUST_CHECK sl_status gw_grpc_timeout(struct sl_span text, int64_t *out_ns);

/* Printable ASCII but '%' as it is, the rest as %XX. Cut at the last whole character that fits;
 * always ended by NUL. Returns the length. */
size_t gw_grpc_percent_encode(struct sl_span text, char *out, size_t out_bytes);

enum {
    GW_GRPC_FIELDS_MAX = GW_TRAILERS_MAX + 8,
    GW_GRPC_MESSAGE_MAX = 3 * SL_ERROR_TEXT_MAX,
};

struct gw_grpc_field {
    const char *name;
    const char *value;
    size_t name_len;
    size_t value_len;
    bool recurs;    /* likely the same in the next reply: worth a place in the HPACK table */
    bool is_static; /* name and value outlive everything: no copy is needed */
};

struct gw_grpc_fields {
    struct gw_grpc_field at[GW_GRPC_FIELDS_MAX];
    size_t count;
    char message[GW_GRPC_MESSAGE_MAX + 1];
    char details[GW_GRPC_DETAILS_MAX + 1];
};

/* encoding: of the message that follows; IDENTITY also for one that is not compressed. */
void gw_grpc_fields_head(struct gw_grpc_fields *f, enum gw_encoding encoding);
/* More fields of the head, at most GW_TRAILERS_MAX. */
void gw_grpc_fields_add(struct gw_grpc_fields *f, const struct gw_trailer *more, size_t count);
void gw_grpc_fields_trailers(struct gw_grpc_fields *f, const struct gw_reply *r);
void gw_grpc_fields_trailers_only(struct gw_grpc_fields *f, int http_status,
                                  const struct gw_reply *r);

#endif
