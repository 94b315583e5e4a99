#include "sl_base64url.h"

size_t sl_base64url_encode(struct sl_span bytes, char *out)
{
    return sl_base64_encode_by("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
                               bytes, out);
}

/* 0 to 63, or -1. */
static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

sl_status sl_base64url_decode(struct sl_span text, void *out, size_t room, size_t *out_len)
{
    uint8_t *to = out;
    uint32_t bits = 0;
    unsigned bit_count = 0;
    size_t len = 0;
    if (text.len % 4 == 1)
        return SL_EINVAL;
    if (text.len / 4 * 3 + text.len % 4 * 3 / 4 > room)
        return SL_ETOOBIG;
    for (size_t i = 0; i < text.len; i++) {
        int value = value_of(text.data[i]);
        if (value < 0)
            return SL_EINVAL;
        bits = bits << 6 | (uint32_t)value;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            to[len++] = (uint8_t)(bits >> bit_count);
        }
    }
    if ((bits & ((1u << bit_count) - 1)) != 0)
        return SL_EINVAL;
    *out_len = len;
    return SL_OK;
}
