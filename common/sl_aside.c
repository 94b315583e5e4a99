/* sl_aside.c - detached threads that give memory back, piece by piece. */
#include "sl_aside.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    UNMAP_FROM_BYTES = 4 << 20,
    FREE_FROM_BYTES = 32 << 20,
    PIECE_BYTES = 8 << 20,
    STACK_BYTES = 256 << 10,
};

/* ---- threads */

struct job {
    void (*deed)(void *ctx);
    void *ctx;
};

static void *run(void *arg)
{
    const struct job job = *(struct job *)arg;
    free(arg);
    job.deed(job.ctx);
    return NULL;
}

static bool start(struct job *give_job)
{
    pthread_attr_t about;
    pthread_t thread;
    if (pthread_attr_init(&about) != 0)
        return false;
    const bool is_started = pthread_attr_setdetachstate(&about, PTHREAD_CREATE_DETACHED) == 0 &&
                            pthread_attr_setstacksize(&about, STACK_BYTES) == 0 &&
                            pthread_create(&thread, &about, run, give_job) == 0;
    pthread_attr_destroy(&about);
    return is_started;
}

void sl_aside_do(void (*deed)(void *ctx), void *give_ctx)
{
    struct job *job = malloc(sizeof *job);
    if (job != NULL)
        *job = (struct job){deed, give_ctx};
    if (job != NULL && start(job))
        return;
    free(job);
    deed(give_ctx);
}

/* ---- memory */

struct range {
    const struct sl_alloc *alloc; /* NULL: it is a map */
    uint8_t *start;
    size_t bytes;
};

static size_t piece_of(size_t rest)
{
    return rest < PIECE_BYTES ? rest : PIECE_BYTES;
}

static void unmap(const struct range *r)
{
    for (size_t at = 0; at < r->bytes; at += PIECE_BYTES)
        munmap(r->start + at, piece_of(r->bytes - at));
}

/* The pages first, then the block, which is quick then. */
static void empty(const struct range *r)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t head = (page - (uintptr_t)r->start % page) % page;
    const size_t whole = (r->bytes - head) / page * page;
    for (size_t at = 0; at < whole; at += PIECE_BYTES)
        (void)madvise(r->start + head + at, piece_of(whole - at), MADV_DONTNEED);
    sl_alloc_free(r->alloc, r->start);
}

static void give_back(void *ctx)
{
    const struct range range = *(struct range *)ctx;
    free(ctx);
    if (range.alloc != NULL)
        empty(&range);
    else
        unmap(&range);
}

static bool hand_over(const struct range *range)
{
    struct range *r = malloc(sizeof *r);
    if (r == NULL)
        return false;
    *r = *range;
    sl_aside_do(give_back, r);
    return true;
}

void sl_aside_unmap(void *give_map, size_t bytes)
{
    const struct range range = {.start = give_map, .bytes = bytes};
    if (bytes < UNMAP_FROM_BYTES || !hand_over(&range))
        munmap(give_map, bytes);
}

void sl_aside_free(const struct sl_alloc *alloc, void *give_block, size_t bytes)
{
    const struct range range = {.alloc = alloc, .start = give_block, .bytes = bytes};
    if (bytes <= FREE_FROM_BYTES || !hand_over(&range))
        sl_alloc_free(alloc, give_block);
}
