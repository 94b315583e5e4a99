/* fuzz_gw_proxy_v2.c - PROXY v2 headers: cut or whole it ends the same, nothing behind the header is taken, and
 * what is accepted has the form that the protocol says.
 *
 * Input: one byte of chunk size, then the bytes of a connection. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gw_proxy_v2.h"

static void check(bool holds)
{
    if (!holds)
        abort();
}

static enum gw_proxy_v2_state run(struct gw_proxy_v2 *p, struct sl_span bytes, size_t step,
                                  size_t *out_taken)
{
    enum gw_proxy_v2_state state = GW_PROXY_V2_MORE;
    size_t at = 0;
    *p = (struct gw_proxy_v2){.taken_bytes = 0};
    while (at < bytes.len && state == GW_PROXY_V2_MORE) {
        size_t len = bytes.len - at < step ? bytes.len - at : step;
        struct sl_span chunk = {bytes.data + at, len};
        state = gw_proxy_v2_take(p, &chunk);
        check(chunk.data + chunk.len == bytes.data + at + len);
        check(state != GW_PROXY_V2_MORE || chunk.len == 0);
        at += len - chunk.len;
    }
    *out_taken = at;
    return state;
}

static void check_done(const struct gw_proxy_v2 *p, struct sl_span bytes, size_t taken)
{
    check(taken >= GW_PROXY_V2_HEAD_BYTES && taken <= GW_PROXY_V2_MAX);
    check(taken == GW_PROXY_V2_HEAD_BYTES + (size_t)(bytes.data[14] << 8 | bytes.data[15]));
    check(bytes.data[12] == 0x20 || bytes.data[12] == 0x21);
    if (p->source.family != 0)
        check(bytes.data[12] == 0x21 && (bytes.data[13] == 0x11 || bytes.data[13] == 0x21));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct sl_span bytes = {data + 1, size - 1};
    struct gw_proxy_v2 whole, cut;
    size_t whole_taken, cut_taken;
    enum gw_proxy_v2_state a = run(&whole, bytes, size, &whole_taken);
    enum gw_proxy_v2_state b = run(&cut, bytes, 1u + data[0], &cut_taken);
    check(a == b && gw_address_is_same(&whole.source, &cut.source));
    check(whole.source_port == cut.source_port);
    check((a == GW_PROXY_V2_BAD) == (whole.fault != NULL));
    if (a == GW_PROXY_V2_DONE) {
        check(whole_taken == cut_taken);
        check_done(&whole, bytes, whole_taken);
    }
    return 0;
}
