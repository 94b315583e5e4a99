/* fuzz_gw_zip.c - any bytes as a compressed message: measuring and inflating agree, within bounds, and
 * what gzip says of itself is either that or found to be wrong.
 *
 * Input: one byte that picks the form and the limit, then the stream. */
#include <stdlib.h>
#include <string.h>

#include "gw_zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum gw_encoding e = data[0] & 1 ? GW_ENCODING_GZIP : GW_ENCODING_DEFLATE;
    const uint64_t max = UINT64_C(1) << (data[0] >> 1 & 15);
    struct sl_span packed = {data + 1, size - 1};
    uint64_t bytes = 0, said = 0;
    bool is_said = gw_zip_size(&sl_alloc_malloc, e, packed, max, &said) == SL_OK;
    if (is_said && said > max)
        abort();
    if (gw_zip_measure(&sl_alloc_malloc, e, packed, max, &bytes) != SL_OK)
        return 0;
    if (bytes > max || !is_said || said != bytes)
        abort();
    uint8_t *out = malloc(bytes > 0 ? bytes : 1);
    if (gw_zip_inflate(&sl_alloc_malloc, e, packed, out, bytes) != SL_OK)
        abort();
    if (bytes > 0 && gw_zip_inflate(&sl_alloc_malloc, e, packed, out, bytes - 1) != SL_ETOOBIG)
        abort();
    free(out);
    return 0;
}
