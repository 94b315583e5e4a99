/* magika_features.c - a file's bytes as the input of the magika network. */
#include "magika_features.h"

#include <stdbool.h>

/* What Python's bytes.strip() takes away. */
static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The length of the UTF-8 character that begins with lead, 0 when none does; *out_min and *out_max
 * bound its second byte (no overlong forms, no surrogates, nothing above U+10FFFF). */
static size_t character_len(uint8_t lead, uint8_t *out_min, uint8_t *out_max)
{
    *out_min = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    *out_max = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 2;
    if (lead >= 0xE0 && lead <= 0xEF)
        return 3;
    return lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
}

static bool is_utf8(const uint8_t *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint8_t min;
        uint8_t max;
        size_t n = character_len(text[i], &min, &max);
        if (n == 0 || n > len - i)
            return false;
        if (n > 1 && (text[i + 1] < min || text[i + 1] > max))
            return false;
        for (size_t j = 2; j < n; j++) {
            if ((text[i + j] & 0xC0) != 0x80)
                return false;
        }
        i += n;
    }
    return true;
}

static void fill_begin(const struct magika_shape *shape, const struct magika_sample *s,
                       int32_t *out)
{
    size_t skip = 0;

    while (skip < s->block_len && is_space(s->head[skip]))
        skip++;
    for (size_t i = 0; i < shape->beg_count; i++)
        out[i] = i < s->block_len - skip ? s->head[skip + i] : shape->padding;
}

static void fill_end(const struct magika_shape *shape, const struct magika_sample *s, int32_t *out)
{
    size_t len = s->block_len;

    while (len > 0 && is_space(s->tail[len - 1]))
        len--;
    for (size_t i = 0; i < shape->end_count; i++) {
        size_t from_end = shape->end_count - i; /* 1: the last byte */
        out[i] = from_end <= len ? s->tail[len - from_end] : shape->padding;
    }
}

enum magika_rule magika_features(const struct magika_shape *shape,
                                 const struct magika_sample *sample, int32_t *out)
{
    enum magika_rule few = is_utf8(sample->head, sample->block_len) ? MAGIKA_TXT : MAGIKA_UNKNOWN;

    if (sample->size == 0)
        return MAGIKA_EMPTY;
    if (sample->size < shape->min_file_bytes)
        return few;
    fill_begin(shape, sample, out);
    fill_end(shape, sample, out + shape->beg_count);
    /* Hardly anything but white space: too few bytes to judge. */
    if (shape->min_file_bytes > 0 && out[shape->min_file_bytes - 1] == shape->padding)
        return few;
    return MAGIKA_ASK;
}
