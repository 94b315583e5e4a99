/* sl_heap.h - how the heap treats large blocks: a server that serves tensors asks for the same sizes
 * again and again, and fresh pages for each cost more than the copy into them.
 *
 * Threads  sl_heap_keep_large is to be called once, before there are others.
 */
#ifndef SL_HEAP_H
#define SL_HEAP_H

/* Blocks of up to 32 MiB come from the heap's kept memory, of which up to 128 MiB stay with the process
 * when they are free. Does nothing where the C library has no such setting. */
void sl_heap_keep_large(void);

/* Gives all free memory back to the system, the kept too: milliseconds for 100 MiB, in which whoever
 * allocates may have to wait. Any thread, at any time. */
void sl_heap_trim(void);

#endif
