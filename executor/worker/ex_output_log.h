/* ex_output_log.h - what a worker prints, line by line into our log: cut, and not too often.
 *
 * Threads  One. Memory: one line.
 */
#ifndef EX_OUTPUT_LOG_H
#define EX_OUTPUT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sl_time.h"

enum { EX_OUTPUT_LINE_MAX = 1000, EX_OUTPUT_LINES_PER_SECOND = 100 };

struct ex_output_log {
    const char *model; /* borrowed */
    uint32_t slice;
    size_t len;
    sl_mono_ns second_at; /* the current second began */
    unsigned lines;       /* in it */
    uint64_t dropped;
    char line[EX_OUTPUT_LINE_MAX + 1];
};

void ex_output_log_init(struct ex_output_log *o, const char *model, uint32_t slice);
/* Reads what the pipe has, at most 64 KiB. False: its other end is closed. */
bool ex_output_log_read(struct ex_output_log *o, int pipe, sl_mono_ns now);
/* The last line, if it has no end; and how many were dropped. */
void ex_output_log_flush(struct ex_output_log *o, sl_mono_ns now);

#endif
