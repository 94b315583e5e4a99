/* gw_cookie.c - four fields between dots. */
#include "gw_cookie.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ISSUED_DIGITS_MAX = 12, KEY_DIGITS_MAX = 10 };

static struct sl_span trim(struct sl_span s)
{
    for (; s.len > 0 && s.data[0] == ' '; s.len--)
        s.data++;
    while (s.len > 0 && s.data[s.len - 1] == ' ')
        s.len--;
    return s;
}

/* What stands before the separator; *rest moves past it. */
static struct sl_span cut(struct sl_span *rest, char separator)
{
    const uint8_t *end = rest->len > 0 ? memchr(rest->data, separator, rest->len) : NULL;
    struct sl_span item = {rest->data, end != NULL ? (size_t)(end - rest->data) : rest->len};
    size_t used = item.len + (end != NULL);
    *rest = sl_span_of(used > 0 ? rest->data + used : rest->data, rest->len - used);
    return item;
}

struct sl_span gw_cookie_find(struct sl_span header)
{
    static const char name[] = GW_COOKIE_NAME "=";
    while (header.len > 0) {
        struct sl_span pair = trim(cut(&header, ';'));
        if (pair.len >= sizeof name - 1 && memcmp(pair.data, name, sizeof name - 1) == 0)
            return sl_span_of(pair.data + sizeof name - 1, pair.len - (sizeof name - 1));
    }
    return sl_span_of(NULL, 0);
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(struct sl_span text, uint8_t *out, size_t bytes)
{
    if (text.len != 2 * bytes)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        int high = hex_value(text.data[2 * i]), low = hex_value(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static size_t write_hex(const uint8_t *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    return 2 * len;
}

static bool read_number(struct sl_span text, size_t digits_max, int64_t *out)
{
    int64_t n = 0;
    if (text.len == 0 || text.len > digits_max || (text.len > 1 && text.data[0] == '0'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        n = 10 * n + (text.data[i] - '0');
    }
    *out = n;
    return true;
}

bool gw_cookie_parse(struct sl_span text, struct gw_cookie *out)
{
    struct sl_span rest = text;
    struct sl_span id = cut(&rest, '.'), issued = cut(&rest, '.'), key = cut(&rest, '.');
    int64_t number;
    if (!read_hex(id, out->id_bytes, sizeof out->id_bytes) ||
        !read_number(issued, ISSUED_DIGITS_MAX, &out->issued_s) ||
        !read_number(key, KEY_DIGITS_MAX, &number) || number > UINT32_MAX ||
        !read_hex(rest, out->mac, sizeof out->mac))
        return false;
    memcpy(out->id, id.data, GW_COOKIE_ID_LEN);
    out->id[GW_COOKIE_ID_LEN] = '\0';
    out->key = (uint32_t)number;
    out->signed_text = sl_span_of(text.data, text.len - rest.len - 1);
    return true;
}

size_t gw_cookie_write_signed(const uint8_t id[GW_COOKIE_ID_BYTES], int64_t issued_s, uint32_t key,
                              char out[GW_COOKIE_TEXT_MAX + 1])
{
    size_t len = write_hex(id, GW_COOKIE_ID_BYTES, out);
    return len + (size_t)snprintf(out + len, GW_COOKIE_TEXT_MAX + 1 - len, ".%" PRId64 ".%" PRIu32,
                                  issued_s, key);
}

size_t gw_cookie_add_mac(char text[GW_COOKIE_TEXT_MAX + 1], size_t signed_len,
                         const uint8_t mac[GW_COOKIE_MAC_BYTES])
{
    size_t len = signed_len;
    text[len++] = '.';
    len += write_hex(mac, GW_COOKIE_MAC_BYTES, text + len);
    text[len] = '\0';
    return len;
}
