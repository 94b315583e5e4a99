/* gw_zip.h - messages in and out of gzip and zlib form, never past a bound that is known before. No
 * socket, no state between calls.
 *
 * A message's size is known before it is inflated, and it is inflated into memory of exactly that size: nobody
 * can make us hold more than was granted. gzip's form ends with the size, which is believed as far as the form
 * can be true and checked by inflating; a message in zlib's form is inflated once more for it, into a small
 * scratch buffer.
 *
 * Memory   zlib's own state, about 40 KiB to inflate and 270 KiB to deflate, from alloc during a call.
 * Errors   SL_EINVAL (no such stream, cut off, checksum, bytes after its end), SL_ETOOBIG,
 *          SL_ENOMEM.
 */
#ifndef GW_ZIP_H
#define GW_ZIP_H

#include <stddef.h>
#include <stdint.h>

#include "gw_encoding.h"
#include "sl_alloc.h"
#include "sl_base.h"
#include "sl_status.h"

/* e is not IDENTITY in any of these; packed has less than 4 GiB. */

/* How many bytes does the message have? SL_ETOOBIG as soon as it has more than max. */
SL_MUST_CHECK sl_status gw_zip_measure(const struct sl_alloc *alloc, enum gw_encoding e,
                                       struct sl_span packed, uint64_t max, uint64_t *out_bytes);
/* The same, but gzip is taken at its word: what it says may turn out to be wrong when it is inflated. */
SL_MUST_CHECK sl_status gw_zip_size(const struct sl_alloc *alloc, enum gw_encoding e,
                                    struct sl_span packed, uint64_t max, uint64_t *out_bytes);
/* Exactly so many; SL_EINVAL when it has less, SL_ETOOBIG when more. */
SL_MUST_CHECK sl_status gw_zip_inflate(const struct sl_alloc *alloc, enum gw_encoding e,
                                       struct sl_span packed, void *out, size_t bytes);
/* The pieces one after the other. SL_ETOOBIG: they do not become less than max bytes. */
SL_MUST_CHECK sl_status gw_zip_deflate(const struct sl_alloc *alloc, enum gw_encoding e,
                                       const struct sl_span *pieces, size_t count, void *out,
                                       size_t max, size_t *out_bytes);

#endif
