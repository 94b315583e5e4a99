#include "sl_base64.h"

size_t sl_base64_encode_by(const char digits[64], struct sl_span bytes, char *out)
{
    uint32_t bits = 0;
    unsigned bit_count = 0;
    size_t len = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        bits = bits << 8 | bytes.data[i];
        for (bit_count += 8; bit_count >= 6; bit_count -= 6)
            out[len++] = digits[bits >> (bit_count - 6) & 63];
    }
    if (bit_count > 0)
        out[len++] = digits[bits << (6 - bit_count) & 63];
    out[len] = '\0';
    return len;
}

size_t sl_base64_encode(struct sl_span bytes, char *out)
{
    return sl_base64_encode_by("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
                               bytes, out);
}

static bool is_digit(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

bool sl_base64_is_valid(struct sl_span text)
{
    size_t len = text.len;
    while (len > 0 && text.len - len < 2 && text.data[len - 1] == '=')
        len--;
    if (len % 4 == 1 || (len < text.len && text.len % 4 != 0))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_digit(text.data[i]))
            return false;
    return true;
}
