/* sl_heap.c - glibc's thresholds. */
#include "sl_heap.h"

#include <stdlib.h>

#ifdef __GLIBC__
#include <malloc.h>

enum { MMAP_FROM_BYTES = 32 << 20, TRIM_FROM_BYTES = 128 << 20 };

void sl_heap_keep_large(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, MMAP_FROM_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, TRIM_FROM_BYTES);
}

void sl_heap_trim(void)
{
    (void)malloc_trim(0);
}
#else
void sl_heap_keep_large(void)
{
}

void sl_heap_trim(void)
{
}
#endif
