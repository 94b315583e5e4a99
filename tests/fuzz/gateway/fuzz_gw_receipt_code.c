/* fuzz_gw_receipt_code.c - any bytes as a receipt: refused, or the very bytes that the receipt has. */
#include <stdint.h>

#include "fuzz_script.h"
#include "gw_receipt_code.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gw_receipt r;
    uint8_t again[GW_RECEIPT_BYTES_MAX];
    size_t again_bytes;
    if (gw_receipt_decode(sl_span_of(data, size), &r) != SL_OK)
        return 0;
    fuzz_require(gw_receipt_encode(&r, again, sizeof again, &again_bytes) == SL_OK);
    fuzz_require(sl_span_eq(sl_span_of(again, again_bytes), sl_span_of(data, size)));
    return 0;
}
