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

static bool is_no_control(uint32_t c)
{
    return c >= ' ' && (c < 0x7f || c > 0x9f);
}

static bool may_be_in_a_name(uint32_t c)
{
    return is_no_control(c) && c != ' ' && c != 0xa0 && c != '#' && c != '/' && c != ':';
}

/* UTF-8 of 1 to max bytes, each character of which may be there. */
static bool is_text_of(struct sl_span text, size_t max, bool (*may_be_there)(uint32_t))
{
    if (text.len == 0 || text.len > max)
        return false;
    while (text.len > 0) {
        uint32_t c = 0;
        size_t len = sl_text_utf8_next(text, &c);
        if (len == 0 || !may_be_there(c))
            return false;
        text = sl_span_of(text.data + len, text.len - len);
    }
    return true;
}

bool gw_user_name_is_good(struct sl_span name)
{
    return is_text_of(name, GW_USER_NAME_MAX, may_be_in_a_name);
}

bool gw_owner_name_is_good(struct sl_span name)
{
    const uint8_t *mark = name.len > 0 ? memchr(name.data, '#', name.len) : NULL;
    if (mark == NULL)
        return gw_user_name_is_good(name);
    size_t issuer_len = (size_t)(mark - name.data);
    return name.len <= GW_OWNER_NAME_MAX &&
           gw_user_name_is_good(sl_span_of(name.data, issuer_len)) &&
           is_text_of(sl_span_of(mark + 1, name.len - issuer_len - 1), GW_OWNER_NAME_MAX,
                      is_no_control);
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
