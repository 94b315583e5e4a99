/* gw_zip.c - the adapter to zlib. */
#include "gw_zip.h"

#include <limits.h>
#include <zlib.h>

enum { WINDOW_BITS = 15, GZIP_FORM = 16, SCRATCH_BYTES = 32 * 1024, MEMORY_LEVEL = 8 };

static int window_bits(enum gw_encoding e)
{
    return e == GW_ENCODING_GZIP ? WINDOW_BITS + GZIP_FORM : WINDOW_BITS;
}

static uInt at_most(uint64_t n)
{
    return n < UINT_MAX ? (uInt)n : UINT_MAX;
}

/* ---- zlib's memory ---- */

static voidpf get(voidpf alloc, uInt count, uInt bytes)
{
    return sl_alloc_get(alloc, (size_t)count * bytes);
}

static void release(voidpf alloc, voidpf p)
{
    sl_alloc_free(alloc, p);
}

static z_stream stream_with(const struct sl_alloc *alloc)
{
    return (z_stream){.zalloc = get, .zfree = release, .opaque = (voidpf)(uintptr_t)alloc};
}

/* ---- inflating ---- */

static sl_status begin_inflate(z_stream *z, const struct sl_alloc *alloc, enum gw_encoding e,
                               struct sl_span packed)
{
    *z = stream_with(alloc);
    z->next_in = (Bytef *)(uintptr_t)packed.data;
    z->avail_in = at_most(packed.len);
    return inflateInit2(z, window_bits(e)) == Z_OK ? SL_OK : SL_ENOMEM;
}

/* One step; SL_EAGAIN: the stream goes on. */
static sl_status step_inflate(z_stream *z, void *out, size_t room)
{
    z->next_out = out;
    z->avail_out = at_most(room);
    switch (inflate(z, Z_NO_FLUSH)) {
    case Z_STREAM_END:
        return z->avail_in == 0 ? SL_OK : SL_EINVAL;
    case Z_OK:
        return z->avail_out == 0 ? SL_EAGAIN : SL_EINVAL; /* room is left: the input has ended */
    case Z_MEM_ERROR:
        return SL_ENOMEM;
    default:
        return SL_EINVAL;
    }
}

sl_status gw_zip_measure(const struct sl_alloc *alloc, enum gw_encoding e, struct sl_span packed,
                         uint64_t max, uint64_t *out_bytes)
{
    uint8_t scratch[SCRATCH_BYTES];
    uint64_t total = 0;
    z_stream z;
    sl_status s = begin_inflate(&z, alloc, e, packed);
    if (s != SL_OK)
        return s;
    do {
        s = step_inflate(&z, scratch, sizeof scratch);
        total += sizeof scratch - z.avail_out;
    } while (s == SL_EAGAIN && total <= max);
    (void)inflateEnd(&z);
    if (total > max)
        return SL_ETOOBIG;
    *out_bytes = total;
    return s;
}

/* RFC 1952: the last 4 bytes are the size modulo 2^32, low byte first; less than 2^32 by our limit on messages.
 * Deflate makes at most 1032 bytes of one (zlib's technical details). */
static sl_status read_gzip_size(struct sl_span packed, uint64_t max, uint64_t *out_bytes)
{
    enum { HEAD_AND_TRAILER_BYTES = 18, RATIO_MAX = 1032 };
    if (packed.len < HEAD_AND_TRAILER_BYTES)
        return SL_EINVAL;
    const uint8_t *p = packed.data + packed.len - 4;
    uint64_t bytes =
        (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
    if (bytes > RATIO_MAX * (uint64_t)packed.len)
        return SL_EINVAL;
    *out_bytes = bytes;
    return bytes > max ? SL_ETOOBIG : SL_OK;
}

sl_status gw_zip_size(const struct sl_alloc *alloc, enum gw_encoding e, struct sl_span packed,
                      uint64_t max, uint64_t *out_bytes)
{
    return e == GW_ENCODING_GZIP ? read_gzip_size(packed, max, out_bytes)
                                 : gw_zip_measure(alloc, e, packed, max, out_bytes);
}

sl_status gw_zip_inflate(const struct sl_alloc *alloc, enum gw_encoding e, struct sl_span packed,
                         void *out, size_t bytes)
{
    uint8_t beyond; /* shows the end of a full message, or that it is not the end */
    size_t total = 0;
    z_stream z;
    sl_status s = begin_inflate(&z, alloc, e, packed);
    if (s != SL_OK)
        return s;
    do {
        size_t room = bytes - total;
        s = room > 0 ? step_inflate(&z, (uint8_t *)out + total, room)
                     : step_inflate(&z, &beyond, 1);
        total += (room > 0 ? at_most(room) : 1) - z.avail_out;
    } while (s == SL_EAGAIN && total <= bytes);
    (void)inflateEnd(&z);
    if (total > bytes)
        return SL_ETOOBIG;
    return s == SL_OK && total < bytes ? SL_EINVAL : s;
}

/* ---- deflating ---- */

/* false: the room is used up. */
static bool put_piece(z_stream *z, struct sl_span piece, int flush)
{
    z->next_in = (Bytef *)(uintptr_t)piece.data;
    z->avail_in = at_most(piece.len);
    int rv = deflate(z, flush);
    return flush == Z_FINISH ? rv == Z_STREAM_END : rv != Z_STREAM_ERROR && z->avail_in == 0;
}

sl_status gw_zip_deflate(const struct sl_alloc *alloc, enum gw_encoding e,
                         const struct sl_span *pieces, size_t count, void *out, size_t max,
                         size_t *out_bytes)
{
    z_stream z = stream_with(alloc);
    if (max == 0)
        return SL_ETOOBIG;
    z.next_out = out;
    z.avail_out = at_most(max);
    if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, window_bits(e), MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return SL_ENOMEM;
    bool fits = true;
    for (size_t i = 0; i < count && fits; i++)
        fits = pieces[i].len == 0 || put_piece(&z, pieces[i], Z_NO_FLUSH);
    fits = fits && put_piece(&z, sl_span_of(NULL, 0), Z_FINISH);
    *out_bytes = at_most(max) - z.avail_out;
    (void)deflateEnd(&z);
    return fits ? SL_OK : SL_ETOOBIG;
}
