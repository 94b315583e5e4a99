/* fail_alloc.h - an allocator that fails where a test wants it to, and counts what is still held.
 *
 * A sweep runs a scenario over and over, failing the first allocation, then the second, and so on:
 *
 *   struct fail_alloc f;
 *   for (size_t i = 1; fail_alloc_start(&f, i); i++) {
 *       run_scenario(&f.alloc);                   // frees all it took, also when it fails
 *       assert_int_equal(fail_alloc_finish(&f), 0);
 *   }
 *
 * It ends by itself after the first run that no failure has reached.
 */
#ifndef FAIL_ALLOC_H
#define FAIL_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include "sl_alloc.h"

struct fail_alloc {
    struct sl_alloc alloc; /* give this one away; valid while the struct stays where it is */
    size_t fail_at;        /* number (from 1) of the allocation or resize that fails; 0: none */
    bool keeps_failing;    /* so do all after it */
    size_t calls;          /* allocations and resizes asked for */
    size_t failures;       /* of them, refused */
    size_t live_blocks;    /* blocks not yet released */
    size_t live_bytes;
};

/* Never fails until the caller sets fail_at. */
void fail_alloc_init(struct fail_alloc *f);
/* Begins the run of a sweep in which allocation fail_at (from 1) fails; *f may be uninitialized
 * when fail_at is 1. False: the run before needed fewer allocations, so the sweep is over. */
bool fail_alloc_start(struct fail_alloc *f, size_t fail_at);
/* Counts one more, which is not of memory but may fail like it. true: it fails. */
bool fail_alloc_refuses(struct fail_alloc *f);
/* Blocks still held: 0 unless something leaked. */
size_t fail_alloc_finish(const struct fail_alloc *f);

#endif
