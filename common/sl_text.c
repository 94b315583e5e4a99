/* sl_text.c - UTF-8, whole numbers, numbers with a unit, UUIDs. */
#include "sl_text.h"

#include <inttypes.h>
#include <stdio.h>

/* ---------------------------------------------------------------------------------------- UTF-8 */

/* Length of the sequence that lead begins and the smallest code point that may have it; 0: none. */
static size_t utf8_length(uint8_t lead, uint32_t *out_smallest)
{
    if (lead < 0x80) {
        *out_smallest = 0;
        return 1;
    }
    if (lead >= 0xc0 && lead < 0xe0) {
        *out_smallest = 0x80;
        return 2;
    }
    if (lead >= 0xe0 && lead < 0xf0) {
        *out_smallest = 0x800;
        return 3;
    }
    *out_smallest = 0x10000;
    return lead >= 0xf0 && lead < 0xf8 ? 4 : 0;
}

size_t sl_text_utf8_next(struct sl_span s, uint32_t *out_code)
{
    static const uint8_t lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t smallest;
    size_t len = s.len > 0 ? utf8_length(s.data[0], &smallest) : 0;
    if (len == 0 || len > s.len)
        return 0;
    uint32_t code = s.data[0] & lead_bits[len];
    for (size_t i = 1; i < len; i++) {
        if ((s.data[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (s.data[i] & 0x3f);
    }
    bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
    if (code < smallest || code > 0x10ffff || is_surrogate)
        return 0;
    if (out_code)
        *out_code = code;
    return len;
}

bool sl_text_is_utf8(struct sl_span s)
{
    for (size_t at = 0; at < s.len;) {
        uint32_t code = 0;
        size_t len = sl_text_utf8_next(sl_span_of(s.data + at, s.len - at), &code);
        if (len == 0 || code == 0)
            return false;
        at += len;
    }
    return true;
}

/* -------------------------------------------------------------------------------------- numbers */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits from *at on. Errors: SL_EINVAL (no digit), SL_ERANGE; *at is behind them on both. */
static sl_status read_digits(struct sl_span s, size_t *at, uint64_t *out)
{
    size_t start = *at;
    uint64_t value = 0;
    bool overflow = false;
    for (; *at < s.len && is_digit(s.data[*at]); ++*at) {
        overflow |= __builtin_mul_overflow(value, UINT64_C(10), &value);
        overflow |= __builtin_add_overflow(value, (uint64_t)(s.data[*at] - '0'), &value);
    }
    if (*at == start)
        return SL_EINVAL;
    *out = value;
    return overflow ? SL_ERANGE : SL_OK;
}

sl_status sl_text_int(struct sl_span s, int64_t *out)
{
    size_t at = s.len > 0 && s.data[0] == '-' ? 1 : 0;
    bool is_negative = at == 1;
    uint64_t value = 0;
    sl_status status = read_digits(s, &at, &value);
    if (status == SL_EINVAL || at != s.len)
        return SL_EINVAL;
    if (status != SL_OK || value > (uint64_t)INT64_MAX + (is_negative ? 1 : 0))
        return SL_ERANGE;
    /* 0 - value in unsigned arithmetic: also INT64_MIN has no intermediate overflow. */
    *out = (int64_t)(is_negative ? 0 - value : value);
    return SL_OK;
}

/* -------------------------------------------------------------------------- numbers with a unit */

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit duration_units[] = {
    {"d", 86400 * UINT64_C(1000000000)},
    {"h", 3600 * UINT64_C(1000000000)},
    {"m", 60 * UINT64_C(1000000000)},
    {"s", UINT64_C(1000000000)},
    {"ms", 1000000},
    {"us", 1000},
    {"ns", 1},
    {NULL, 0},
};

static const struct unit bytes_units[] = {
    {"TiB", UINT64_C(1) << 40},
    {"TB", UINT64_C(1000000000000)},
    {"GiB", UINT64_C(1) << 30},
    {"GB", UINT64_C(1000000000)},
    {"MiB", UINT64_C(1) << 20},
    {"MB", UINT64_C(1000000)},
    {"KiB", UINT64_C(1) << 10},
    {"KB", UINT64_C(1000)},
    {"B", 1},
    {NULL, 0},
};

static const struct unit *unit_of(const struct unit *units, struct sl_span name)
{
    while (units->name && !sl_span_eq_str(name, units->name))
        units++;
    return units->name ? units : NULL;
}

/* A decimal number as whole + fraction / scale. */
struct decimal {
    uint64_t whole;
    uint64_t fraction;
    uint64_t scale; /* a power of ten */
};

enum { FRACTION_DIGITS_MAX = 18 };

/* Reads "12" or "12.34" from *at on. Errors: SL_EINVAL, SL_ERANGE. */
static sl_status read_decimal(struct sl_span s, size_t *at, struct decimal *out)
{
    *out = (struct decimal){0, 0, 1};
    sl_status status = read_digits(s, at, &out->whole);
    if (status == SL_EINVAL || *at == s.len || s.data[*at] != '.')
        return status;
    size_t start = ++*at;
    while (*at < s.len && is_digit(s.data[*at]))
        ++*at;
    if (*at == start || *at - start > FRACTION_DIGITS_MAX)
        return SL_EINVAL;
    for (size_t i = start; i < *at; i++) {
        out->fraction = out->fraction * 10 + (uint64_t)(s.data[i] - '0');
        out->scale *= 10;
    }
    return status;
}

/* n times factor, exactly. Errors: SL_EINVAL (not a whole number), SL_ERANGE (over max). */
static sl_status scale_decimal(const struct decimal *n, uint64_t factor, uint64_t max,
                               uint64_t *out)
{
    unsigned __int128 fraction = (unsigned __int128)n->fraction * factor;
    if (fraction % n->scale != 0)
        return SL_EINVAL;
    unsigned __int128 value = (unsigned __int128)n->whole * factor + fraction / n->scale;
    if (value > max)
        return SL_ERANGE;
    *out = (uint64_t)value;
    return SL_OK;
}

/* bare_unit: what a number without a unit has; NULL: it must have one. */
static sl_status read_with_unit(struct sl_span s, const struct unit *units, const char *bare_unit,
                                uint64_t max, uint64_t *out)
{
    struct decimal n;
    size_t at = 0;
    sl_status status = read_decimal(s, &at, &n);
    if (status == SL_EINVAL)
        return status;
    struct sl_span name = sl_span_of(s.data + at, s.len - at);
    if (name.len == 0 && bare_unit)
        name = sl_span_str(bare_unit);
    const struct unit *unit = unit_of(units, name);
    if (!unit)
        return SL_EINVAL;
    return status == SL_OK ? scale_decimal(&n, unit->factor, max, out) : status;
}

sl_status sl_text_duration(struct sl_span s, bool bare_seconds, int64_t *out_ns)
{
    uint64_t ns;
    sl_status status = read_with_unit(s, duration_units, bare_seconds ? "s" : NULL, INT64_MAX, &ns);
    if (status == SL_OK)
        *out_ns = (int64_t)ns;
    return status;
}

sl_status sl_text_bytes(struct sl_span s, uint64_t *out_bytes)
{
    return read_with_unit(s, bytes_units, NULL, UINT64_MAX, out_bytes);
}

/* Tries every unit that divides value and keeps the shortest text, the larger unit on a tie. */
static void format_with_unit(uint64_t value, const struct unit *units, char out[32])
{
    char text[32];
    int best_len = sizeof(text);
    for (const struct unit *u = units; u->name; u++) {
        if (value % u->factor != 0)
            continue;
        int len = snprintf(text, sizeof(text), "%" PRIu64 "%s", value / u->factor, u->name);
        if (len < best_len) {
            best_len = len;
            memcpy(out, text, sizeof(text));
        }
    }
}

void sl_text_format_duration(int64_t ns, char out[32])
{
    if (ns == 0) {
        memcpy(out, "0s", sizeof("0s"));
        return;
    }
    char text[32];
    format_with_unit(ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns, duration_units, text);
    snprintf(out, 32, "%s%.30s", ns < 0 ? "-" : "", text);
}

void sl_text_format_bytes(uint64_t bytes, char out[32])
{
    if (bytes == 0)
        memcpy(out, "0B", sizeof("0B"));
    else
        format_with_unit(bytes, bytes_units, out);
}

void sl_text_format_ms(int64_t us, char out[32])
{
    uint64_t left = us > 0 ? (uint64_t)us : 0;
    char text[32];
    size_t at = sizeof text, decimals = 0;
    text[--at] = '\0';
    while (decimals < 4 || left > 0) { /* at least one digit before the point */
        if (decimals == 3)
            text[--at] = '.';
        text[--at] = (char)('0' + left % 10);
        left /= 10;
        decimals++;
    }
    memcpy(out, text + at, sizeof text - at);
}

/* ----------------------------------------------------------------------------------------- UUID */

/* Random digits make every branch on them a guess: they are counted. */
bool sl_text_is_uuid(struct sl_span s)
{
    if (s.len != SL_UUID_TEXT_LEN)
        return false;
    const uint8_t *d = s.data;
    unsigned digits = 0;
    for (size_t i = 0; i < SL_UUID_TEXT_LEN; i++)
        digits += (unsigned)((uint8_t)(d[i] - '0') < 10) | (unsigned)((uint8_t)(d[i] - 'a') < 6);
    return digits == 32 && d[8] == '-' && d[13] == '-' && d[18] == '-' && d[23] == '-';
}

void sl_text_format_uuid(const uint8_t bytes[16], char out[SL_UUID_TEXT_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    char *p = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex[bytes[i] >> 4];
        *p++ = hex[bytes[i] & 15];
    }
    *p = '\0';
}

static unsigned hex_value(uint8_t digit)
{
    return digit <= '9' ? digit - (unsigned)'0' : digit - (unsigned)'a' + 10;
}

bool sl_text_read_uuid(struct sl_span s, uint8_t out[16])
{
    if (!sl_text_is_uuid(s))
        return false;
    const uint8_t *d = s.data;
    for (int i = 0; i < 16; i++, d += 2) {
        d += *d == '-';
        out[i] = (uint8_t)(hex_value(d[0]) << 4 | hex_value(d[1]));
    }
    return true;
}

void sl_text_make_uuid(uint64_t high, uint64_t low, char out[SL_UUID_TEXT_LEN + 1])
{
    uint8_t bytes[16];
    high = (high & ~UINT64_C(0xf000)) | UINT64_C(0x4000);     /* version 4 */
    low = (low & ~(UINT64_C(3) << 62)) | (UINT64_C(1) << 63); /* variant 10 */
    for (int i = 0; i < 16; i++)
        bytes[i] = (uint8_t)((i < 8 ? high : low) >> (8 * (7 - i % 8)));
    sl_text_format_uuid(bytes, out);
}

static struct sl_span trim(struct sl_span s)
{
    while (s.len > 0 && s.data[0] == ' ') {
        s.data++;
        s.len--;
    }
    while (s.len > 0 && s.data[s.len - 1] == ' ')
        s.len--;
    return s;
}

bool sl_text_next_item(struct sl_span *list, struct sl_span *out)
{
    if (list->len == 0)
        return false;
    const uint8_t *comma = memchr(list->data, ',', list->len);
    size_t len = comma != NULL ? (size_t)(comma - list->data) : list->len;
    size_t used = comma != NULL ? len + 1 : len;
    *out = trim(sl_span_of(list->data, len));
    *list = sl_span_of(list->data + used, list->len - used);
    return true;
}

/* ---- instants */

/* Days since 1970-01-01 to year, month, day: years from March on, in eras of 400 of them, as Howard Hinnant's
 * "chrono-Compatible Low-Level Date Algorithms" have it. days >= 0. */
static void civil_of(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468, era = z / 146097, of_era = z % 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

static void put_digits(char *out, int count, int value)
{
    for (; count-- > 0; value /= 10)
        out[count] = (char)('0' + value % 10);
}

void sl_text_format_instant(sl_wall_us at, char out[SL_TEXT_INSTANT_LEN + 1])
{
    static const int64_t last = INT64_C(253402300799); /* 9999-12-31T23:59:59Z */
    int64_t s = at < 0 ? 0 : at / SL_US_PER_S;
    int year, month, day, of_day;
    s = s > last ? last : s;
    of_day = (int)(s % 86400);
    civil_of(s / 86400, &year, &month, &day);
    memcpy(out, "0000-00-00T00:00:00Z", SL_TEXT_INSTANT_LEN + 1);
    put_digits(out, 4, year);
    put_digits(out + 5, 2, month);
    put_digits(out + 8, 2, day);
    put_digits(out + 11, 2, of_day / 3600);
    put_digits(out + 14, 2, of_day / 60 % 60);
    put_digits(out + 17, 2, of_day % 60);
}
