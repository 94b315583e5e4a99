/* magika_features.h - a file's bytes as the input of the magika network. Pure.
 *
 * As the Python package (magika 1.0) documents and does it: up to block_bytes from the beginning without
 * leading white space and up to block_bytes from the end without trailing white space; of these
 * the first beg_count and the last end_count bytes, each as a number, filled up with the padding token
 * (256) behind the beginning and before the end. Files too small to say anything are told without the
 * network.
 */
#ifndef MAGIKA_FEATURES_H
#define MAGIKA_FEATURES_H

#include <stddef.h>
#include <stdint.h>

struct magika_shape {
    size_t beg_count;
    size_t end_count;
    size_t block_bytes;    /* larger than both counts */
    size_t min_file_bytes; /* smaller files are not shown to the network; <= beg_count */
    int32_t padding;
};

/* What is read of a file. head and tail are its first and last min(size, block_bytes) bytes and may
 * overlap or be the same. */
struct magika_sample {
    uint64_t size;
    const uint8_t *head;
    const uint8_t *tail;
    size_t block_len; /* of each */
};

enum magika_rule {
    MAGIKA_ASK,     /* out is filled: ask the network */
    MAGIKA_EMPTY,   /* no bytes at all */
    MAGIKA_TXT,     /* few bytes, which are UTF-8 */
    MAGIKA_UNKNOWN, /* few bytes, which are not */
};

/* out: beg_count + end_count numbers, filled when MAGIKA_ASK comes back. */
enum magika_rule magika_features(const struct magika_shape *shape,
                                 const struct magika_sample *sample, int32_t *out);

#endif
