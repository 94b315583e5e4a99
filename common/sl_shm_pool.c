/* sl_shm_pool.c - takes, keeps and ends blocks of shared memory. */
#include "sl_shm_pool.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utlist.h>

#include "sl_aside.h"
#include "sl_base.h"
#include "sl_memfd.h"

/* A block may be this much larger than what is asked for; more than TAIL_MAX to be zeroed takes too long. */
enum { WASTE_FACTOR = 2, STEPS_PER_DOUBLING = 8, BYTES_MIN = 64 << 10, TAIL_MAX = 8 << 20 };

struct block {
    struct sl_shm_block base;
    struct block *prev, *next;
    uint64_t dirty_bytes;  /* what lies behind them is zero */
    sl_mono_ns free_since; /* of a free one, as trim saw it; 0: not seen yet */
    bool is_retired;
};

struct sl_shm_pool {
    pthread_mutex_t lock; /* of all below */
    struct sl_shm_pool_conf conf;
    struct block *taken;
    struct block *free; /* the one that came back last is first */
    uint64_t bytes;
    uint32_t count;
    uint32_t last_number;
};

sl_status sl_shm_pool_create(const struct sl_shm_pool_conf *conf, struct sl_shm_pool **out)
{
    struct sl_shm_pool *p = sl_alloc_zero(conf->alloc, 1, sizeof(*p));
    if (!p)
        return SL_ENOMEM;
    if (pthread_mutex_init(&p->lock, NULL) != 0) {
        sl_alloc_free(conf->alloc, p);
        return SL_ENOMEM;
    }
    p->conf = *conf;
    *out = p;
    return SL_OK;
}

/* ---- a block's memory */

/* Few sizes, so that tensors of nearly the same length find each other's blocks. */
static uint64_t round_size(uint64_t bytes)
{
    uint64_t step = BYTES_MIN / STEPS_PER_DOUBLING;
    while (step < bytes / (2 * STEPS_PER_DOUBLING))
        step *= 2;
    const uint64_t size = (bytes + step - 1) / step * step;
    return size < BYTES_MIN ? BYTES_MIN : size;
}

static bool open_memory(const char *label, uint64_t bytes, struct sl_shm_block *b)
{
    int fd;
    void *map;
    if (sl_memfd_create_lazy(label, bytes, &fd, &map) != SL_OK)
        return false;
    const bool ok = sl_memfd_guard(fd) == SL_OK && sl_memfd_reopen_read_only(fd, &b->fd) == SL_OK;
    close(fd);
    if (!ok) {
        munmap(map, (size_t)bytes);
        return false;
    }
    b->data = map;
    b->bytes = bytes;
    return true;
}

static struct block *make(const struct sl_shm_pool_conf *conf, uint64_t bytes)
{
    struct block *b = sl_alloc_zero(conf->alloc, 1, sizeof(*b));
    if (b && open_memory(conf->label, bytes, &b->base))
        return b;
    sl_alloc_free(conf->alloc, b);
    return NULL;
}

static void end(const struct sl_shm_pool_conf *conf, struct block *b)
{
    close(b->base.fd);
    sl_aside_unmap(b->base.data, (size_t)b->base.bytes);
    sl_alloc_free(conf->alloc, b);
}

/* ---- under the lock */

static void uncount(struct sl_shm_pool *p, const struct block *b)
{
    p->bytes -= b->base.bytes;
    p->count--;
}

static bool suits(const struct block *b, uint64_t size, uint64_t bytes)
{
    return b->base.bytes >= size && b->base.bytes / WASTE_FACTOR <= size &&
           b->dirty_bytes <= bytes + TAIL_MAX;
}

static struct block *find_free(struct sl_shm_pool *p, uint64_t size, uint64_t bytes)
{
    struct block *b;
    DL_FOREACH (p->free, b) {
        if (suits(b, size, bytes))
            return b;
    }
    return NULL;
}

/* Free blocks that nobody asks for make room, the oldest first. */
static bool make_room(struct sl_shm_pool *p, uint64_t size, struct block **ended)
{
    while (size > p->conf.bytes_max - p->bytes || p->count == p->conf.count_max) {
        if (!p->free)
            return false;
        struct block *oldest = p->free->prev;
        DL_DELETE(p->free, oldest);
        uncount(p, oldest);
        DL_APPEND(*ended, oldest);
    }
    return true;
}

/* A free block, or *out_may_make: one more may be made, and is counted already. */
static struct block *reserve(struct sl_shm_pool *p, uint64_t size, uint64_t bytes,
                             struct block **ended, bool *out_may_make)
{
    struct block *b = find_free(p, size, bytes);
    *out_may_make = !b && size <= p->conf.bytes_max && make_room(p, size, ended);
    if (b) {
        DL_DELETE(p->free, b);
        DL_APPEND(p->taken, b);
    } else if (*out_may_make) {
        p->bytes += size;
        p->count++;
    }
    return b;
}

/* Puts a new block into its counted place, or, when there is none, gives the place back. */
static void admit(struct sl_shm_pool *p, struct block *b, uint64_t size)
{
    pthread_mutex_lock(&p->lock);
    if (b) {
        b->base.number = ++p->last_number;
        DL_APPEND(p->taken, b);
    } else {
        p->bytes -= size;
        p->count--;
    }
    pthread_mutex_unlock(&p->lock);
}

static void end_all(const struct sl_shm_pool_conf *conf, struct block *blocks)
{
    struct block *b, *next;
    DL_FOREACH_SAFE (blocks, b, next) {
        end(conf, b);
    }
}

/* ---- taking and giving back */

static struct sl_shm_block *begin_use(struct block *b, uint64_t bytes)
{
    if (b->dirty_bytes > bytes)
        memset(b->base.data + bytes, 0, (size_t)(b->dirty_bytes - bytes));
    b->dirty_bytes = bytes;
    b->free_since = 0;
    b->base.generation++;
    return &b->base;
}

struct sl_shm_block *sl_shm_pool_take(struct sl_shm_pool *p, uint64_t bytes)
{
    struct block *ended = NULL;
    bool may_make;
    if (!p || bytes > p->conf.bytes_max)
        return NULL;
    const uint64_t size = round_size(bytes);
    pthread_mutex_lock(&p->lock);
    struct block *b = reserve(p, size, bytes, &ended, &may_make);
    pthread_mutex_unlock(&p->lock);
    end_all(&p->conf, ended);
    if (may_make) {
        b = make(&p->conf, size);
        admit(p, b, size);
    }
    return b ? begin_use(b, bytes) : NULL;
}

void sl_shm_pool_retire(struct sl_shm_pool *p, struct sl_shm_block *base)
{
    struct block *b = SL_CONTAINER_OF(base, struct block, base);
    pthread_mutex_lock(&p->lock);
    b->is_retired = true;
    pthread_mutex_unlock(&p->lock);
}

void sl_shm_pool_put(struct sl_shm_pool *p, struct sl_shm_block *base)
{
    struct block *b = SL_CONTAINER_OF(base, struct block, base);
    pthread_mutex_lock(&p->lock);
    const bool is_over = b->is_retired;
    DL_DELETE(p->taken, b);
    if (is_over)
        uncount(p, b);
    else
        DL_PREPEND(p->free, b);
    pthread_mutex_unlock(&p->lock);
    if (is_over)
        end(&p->conf, b);
}

/* ---- time and ends */

void sl_shm_pool_trim(struct sl_shm_pool *p, sl_mono_ns now)
{
    struct block *ended = NULL, *b, *next;
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    DL_FOREACH_SAFE (p->free, b, next) {
        if (b->free_since == 0)
            b->free_since = now;
        if (now - b->free_since < p->conf.idle_ns)
            continue;
        DL_DELETE(p->free, b);
        uncount(p, b);
        DL_APPEND(ended, b);
    }
    pthread_mutex_unlock(&p->lock);
    end_all(&p->conf, ended);
}

void sl_shm_pool_destroy(struct sl_shm_pool *p)
{
    if (!p)
        return;
    end_all(&p->conf, p->free);
    pthread_mutex_destroy(&p->lock);
    sl_alloc_free(p->conf.alloc, p);
}

/* ---- looking */

static bool is_in(const struct block *list, uint32_t number)
{
    const struct block *b;
    DL_FOREACH (list, b) {
        if (b->base.number == number)
            return true;
    }
    return false;
}

bool sl_shm_pool_has(struct sl_shm_pool *p, uint32_t number)
{
    pthread_mutex_lock(&p->lock);
    const bool has = is_in(p->taken, number) || is_in(p->free, number);
    pthread_mutex_unlock(&p->lock);
    return has;
}

uint64_t sl_shm_pool_bytes(struct sl_shm_pool *p)
{
    pthread_mutex_lock(&p->lock);
    const uint64_t bytes = p->bytes;
    pthread_mutex_unlock(&p->lock);
    return bytes;
}
