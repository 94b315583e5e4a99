/* fuzz_gw_grpc_frame.c - bytes in chunks: never past the lent memory, and cut or whole it ends the same.
 *
 * Input: one byte of chunk size, then the stream. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gw_grpc_frame.h"

enum { LIMIT = 4096 };

struct outcome {
    enum gw_grpc_frame_state state;
    enum sl_reason reason;
    uint32_t message_bytes;
    uint8_t *memory;
};

static struct outcome run(const uint8_t *data, size_t size, size_t step)
{
    struct gw_grpc_frame f;
    struct outcome o = {.reason = SL_REASON_OK};
    struct sl_error e = {.reason = SL_REASON_OK};
    gw_grpc_frame_init(&f, LIMIT);
    for (size_t at = 0; at < size && f.state != GW_GRPC_FRAME_FAILED; at += step) {
        struct sl_span chunk = {data + at, size - at < step ? size - at : step};
        if (gw_grpc_frame_take(&f, &chunk, &e) == GW_GRPC_FRAME_WAITING) {
            o.memory = malloc(f.message_bytes > 0 ? f.message_bytes : 1);
            gw_grpc_frame_lend(&f, o.memory);
            gw_grpc_frame_take(&f, &chunk, &e);
        }
    }
    o.state = gw_grpc_frame_end(&f, &e);
    o.reason = e.reason;
    o.message_bytes = f.message_bytes;
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct outcome whole = run(data + 1, size - 1, size);
    struct outcome cut = run(data + 1, size - 1, 1u + data[0]);
    if (whole.state != cut.state || whole.reason != cut.reason)
        abort();
    if (whole.state == GW_GRPC_FRAME_COMPLETE &&
        (whole.message_bytes != cut.message_bytes ||
         memcmp(whole.memory, cut.memory, whole.message_bytes) != 0 ||
         memcmp(whole.memory, data + 6, whole.message_bytes) != 0))
        abort();
    free(whole.memory);
    free(cut.memory);
    return 0;
}
