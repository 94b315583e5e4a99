/* gw_token.c - base 62 and CRC-32 (of IEEE 802.3, as zip files have it). */
#include "gw_token.h"

#include <string.h>

#include "sl_text.h"

enum {
    MARK_LEN = 3,
    RANDOM_DIGITS = 27,
    CHECK_DIGITS = 6,
    CHECK_AT = MARK_LEN + RANDOM_DIGITS,
    BASE = 62
};

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static bool is_digit(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static uint32_t crc32_of(const char *bytes, size_t len)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= (uint8_t)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
    }
    return ~crc;
}

/* The checksum of the text up to CHECK_AT; 62^6 is more than 2^32. */
static void write_check(const char *text, char out[CHECK_DIGITS])
{
    uint32_t crc = crc32_of(text, CHECK_AT);
    for (int i = CHECK_DIGITS; i-- > 0; crc /= BASE)
        out[i] = digits[crc % BASE];
}

bool gw_token_is_ours(struct sl_span text)
{
    return text.len >= MARK_LEN && memcmp(text.data, "sl_", MARK_LEN) == 0;
}

bool gw_token_is_whole(struct sl_span text)
{
    char check[CHECK_DIGITS];
    if (text.len != GW_TOKEN_LEN || !gw_token_is_ours(text))
        return false;
    for (size_t i = MARK_LEN; i < text.len; i++)
        if (!is_digit(text.data[i]))
            return false;
    write_check((const char *)text.data, check);
    return memcmp(text.data + CHECK_AT, check, CHECK_DIGITS) == 0;
}

static bool may_be_in_a_name(uint32_t c)
{
    bool is_blank_or_control = c <= ' ' || (c >= 0x7f && c <= 0xa0);
    return !is_blank_or_control && c != '#' && c != '/' && c != ':';
}

bool gw_user_name_is_good(struct sl_span name)
{
    if (name.len == 0 || name.len > GW_USER_NAME_MAX)
        return false;
    while (name.len > 0) {
        uint32_t c = 0;
        size_t len = sl_text_utf8_next(name, &c);
        if (len == 0 || !may_be_in_a_name(c))
            return false;
        name = sl_span_of(name.data + len, name.len - len);
    }
    return true;
}

/* Divides a number of bytes, highest first, by BASE; returns the remainder. */
static unsigned divide(uint8_t number[GW_TOKEN_RANDOM_BYTES])
{
    unsigned rest = 0;
    for (size_t i = 0; i < GW_TOKEN_RANDOM_BYTES; i++) {
        rest = rest << 8 | number[i];
        number[i] = (uint8_t)(rest / BASE);
        rest %= BASE;
    }
    return rest;
}

void gw_token_write(const uint8_t random[GW_TOKEN_RANDOM_BYTES], char out[GW_TOKEN_LEN + 1])
{
    uint8_t number[GW_TOKEN_RANDOM_BYTES];
    memcpy(number, random, sizeof number);
    memcpy(out, "sl_", MARK_LEN);
    for (int i = CHECK_AT; i-- > MARK_LEN;)
        out[i] = digits[divide(number)];
    write_check(out, out + CHECK_AT);
    out[GW_TOKEN_LEN] = '\0';
}
