/* gw_pb.h - the protobuf wire format, just enough to walk a message without unpacking it. Pure.
 *
 * A tensor of 64 MiB inside a ModelInferRequest is found and skipped here by its tag and length;
 * nothing is allocated or copied. Source: protobuf.dev, "Encoding".
 *
 * Errors   A reader that meets bytes which are no protobuf (a varint of over 10 bytes, a length
 *          past the end, a group, field number 0) answers false and sets `bad`; at the clean end it
 *          answers false with `bad` unset.
 */
#ifndef GW_PB_H
#define GW_PB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sl_span.h"

enum gw_pb_type { GW_PB_VARINT = 0, GW_PB_FIXED64 = 1, GW_PB_BYTES = 2, GW_PB_FIXED32 = 5 };

struct gw_pb_reader {
    const uint8_t *data;
    size_t len;
    size_t at;
    bool bad;
};

struct gw_pb_field {
    uint32_t number;
    enum gw_pb_type type;
    uint64_t value; /* VARINT, FIXED64, FIXED32 */
    size_t offset;  /* BYTES: where the content begins, from the reader's data */
    size_t length;  /* BYTES */
};

static inline struct gw_pb_reader gw_pb_reader_of(struct sl_span s)
{
    return (struct gw_pb_reader){s.data, s.len, 0, false};
}

bool gw_pb_varint(struct gw_pb_reader *r, uint64_t *out);
/* The next field with its content skipped; the content of a BYTES field must lie within len. */
bool gw_pb_next(struct gw_pb_reader *r, struct gw_pb_field *out);

static inline struct sl_span gw_pb_content(const struct gw_pb_reader *r,
                                           const struct gw_pb_field *f)
{
    return sl_span_of(r->data + f->offset, f->length);
}

/* Writing: each returns the place after what it wrote. The caller has made room by the sizes
 * below. */
enum { GW_PB_VARINT_MAX = 10 };
size_t gw_pb_varint_bytes(uint64_t v);
uint8_t *gw_pb_put_varint(uint8_t *p, uint64_t v);
/* Tag and length of a BYTES field; the content follows. */
uint8_t *gw_pb_put_head(uint8_t *p, uint32_t number, uint64_t length);
uint8_t *gw_pb_put_bytes(uint8_t *p, uint32_t number, struct sl_span content);
/* Bytes that gw_pb_put_bytes writes for a field number below 16. */
size_t gw_pb_bytes_size(size_t content_len);

#endif
