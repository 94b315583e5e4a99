/* sluice_text.c - the small text forms of gRPC and of addresses. */
#include "sluice_text.h"

#include <inttypes.h>
#include <stdio.h>

#include "sl_text.h"
#include "sl_time.h"

/* The colon before the port, and the host without brackets; false when there is none. */
static bool split_host(const char *text, struct sl_span *out_host, const char **out_port)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL)
        return false;
    *out_port = colon + 1;
    *out_host = sl_span_of(text, (size_t)(colon - text));
    if (text[0] == '[') {
        if (out_host->len < 3 || colon[-1] != ']')
            return false;
        *out_host = sl_span_of(text + 1, out_host->len - 2);
        return true;
    }
    return memchr(text, ':', out_host->len) == NULL; /* a bare IPv6 address has no clear port */
}

sl_status sluice_address_parse(const char *text, struct sluice_address *out)
{
    struct sl_span host;
    const char *port_text;
    int64_t port;

    if (!split_host(text, &host, &port_text))
        return SL_EINVAL;
    if (host.len == 0 || host.len >= sizeof(out->host))
        return SL_EINVAL;
    if (sl_text_int(sl_span_str(port_text), &port) != SL_OK || port < 1 || port > 65535)
        return SL_EINVAL;
    memcpy(out->host, host.data, host.len);
    out->host[host.len] = '\0';
    snprintf(out->port, sizeof(out->port), "%u", (unsigned)port);
    return SL_OK;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

size_t sluice_percent_decode(char *text, size_t len)
{
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        int high = i + 2 < len && text[i] == '%' ? hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low >= 0) {
            text[out++] = (char)(high << 4 | low);
            i += 2;
        } else {
            text[out++] = text[i];
        }
    }
    return out;
}

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

sl_status sluice_base64_decode(struct sl_span text, struct sl_buf *out)
{
    uint32_t bits = 0;
    int bit_count = 0;

    while (text.len > 0 && text.data[text.len - 1] == '=')
        text.len--;
    if (text.len % 4 == 1)
        return SL_EINVAL;
    for (size_t i = 0; i < text.len; i++) {
        int digit = base64_digit(text.data[i]);
        if (digit < 0)
            return SL_EINVAL;
        bits = bits << 6 | (uint32_t)digit;
        bit_count += 6;
        if (bit_count < 8)
            continue;
        bit_count -= 8;
        uint8_t byte = (uint8_t)(bits >> bit_count);
        sl_status s = sl_buf_append(out, &byte, 1);
        if (s != SL_OK)
            return s;
    }
    return SL_OK;
}

void sluice_grpc_timeout(int64_t ns, char out[SLUICE_GRPC_TIMEOUT_BYTES])
{
    static const struct {
        int64_t ns;
        char unit;
    } units[] = {{1, 'n'},           {SL_NS_PER_US, 'u'},     {SL_NS_PER_MS, 'm'},
                 {SL_NS_PER_S, 'S'}, {60 * SL_NS_PER_S, 'M'}, {3600 * SL_NS_PER_S, 'H'}};
    int64_t value = ns > 0 ? ns : 0;
    size_t i = 0;

    while (value > 99999999 && i + 1 < SL_ARRAY_LEN(units)) {
        i++;
        value = ns / units[i].ns + (ns % units[i].ns != 0);
    }
    const int digits = value > 99999999 ? 99999999 : (int)value;
    snprintf(out, SLUICE_GRPC_TIMEOUT_BYTES, "%d%c", digits, units[i].unit);
}

bool sluice_is_header_value(struct sl_span value)
{
    if (value.len > 0 && (value.data[0] == ' ' || value.data[value.len - 1] == ' '))
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < 0x20 || value.data[i] > 0x7E)
            return false;
    }
    return true;
}

static bool is_name_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

bool sluice_is_metadata_name(struct sl_span name)
{
    static const char *const reserved[] = {
        "te",         "content-type",   "user-agent",       "host",
        "connection", "content-length", "transfer-encoding"};

    if (name.len == 0 || (name.len >= 5 && memcmp(name.data, "grpc-", 5) == 0))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (!is_name_byte(name.data[i]))
            return false;
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(reserved); i++) {
        if (sl_span_eq_str(name, reserved[i]))
            return false;
    }
    return true;
}
