#include "gw_store_queue.h"

#include <string.h>
#include <time.h>

static size_t room_of(size_t bytes_count)
{
    size_t room = sizeof(struct gw_store_entry) + bytes_count;
    size_t align = _Alignof(struct gw_store_entry);
    return (room + align - 1) / align * align;
}

/* ---- lists and entries */

void gw_store_batches_append(struct gw_store_batches *to, struct gw_store_batches *from)
{
    if (from->head == NULL)
        return;
    if (to->tail == NULL)
        to->head = from->head;
    else
        to->tail->next = from->head;
    to->tail = from->tail;
    *from = (struct gw_store_batches){0};
}

static void push(struct gw_store_batches *l, struct gw_store_batch *b)
{
    struct gw_store_batches one = {b, b};
    b->next = NULL;
    gw_store_batches_append(l, &one);
}

struct gw_store_batch *gw_store_batches_pop(struct gw_store_batches *l)
{
    struct gw_store_batch *b = l->head;
    if (b == NULL)
        return NULL;
    l->head = b->next;
    if (l->head == NULL)
        l->tail = NULL;
    b->next = NULL;
    return b;
}

struct gw_store_entry *gw_store_batch_next(struct gw_store_batch *b, size_t *at)
{
    if (*at >= b->used_bytes)
        return NULL;
    struct gw_store_entry *e = (struct gw_store_entry *)(void *)(b->bytes + *at);
    *at += room_of(e->bytes_count);
    return e;
}

/* ---- the flow's side */

void gw_store_queue_init(struct gw_store_queue *q, const struct sl_alloc *alloc, size_t bytes_max)
{
    pthread_condattr_t monotonic;
    size_t batches = bytes_max / sizeof(struct gw_store_batch);
    *q = (struct gw_store_queue){.alloc = alloc, .batches_max = batches > 0 ? batches : 1};
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&q->is_there, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void free_all(struct gw_store_queue *q, struct gw_store_batches *l)
{
    struct gw_store_batch *b;
    while ((b = gw_store_batches_pop(l)) != NULL)
        sl_alloc_free(q->alloc, b);
}

void gw_store_queue_finish(struct gw_store_queue *q)
{
    free_all(q, &q->filling);
    free_all(q, &q->unused);
    free_all(q, &q->inbox);
    free_all(q, &q->outbox);
    pthread_cond_destroy(&q->is_there);
    pthread_mutex_destroy(&q->lock);
}

static sl_status add_batch(struct gw_store_queue *q)
{
    struct gw_store_batch *b = gw_store_batches_pop(&q->unused);
    if (b == NULL && q->batch_count >= q->batches_max)
        return SL_EFULL;
    if (b == NULL) {
        b = sl_alloc_get(q->alloc, sizeof *b);
        if (b == NULL)
            return SL_ENOMEM;
        q->batch_count++;
    }
    b->used_bytes = 0;
    b->entry_count = 0;
    push(&q->filling, b);
    return SL_OK;
}

sl_status gw_store_queue_put(struct gw_store_queue *q, enum gw_record_kind kind,
                             struct sl_span bytes, uint64_t ticket)
{
    size_t room = room_of(bytes.len);
    if (bytes.len > GW_STORE_ENTRY_MAX_BYTES)
        return SL_ETOOBIG;
    struct gw_store_batch *b = q->filling.tail;
    if (b == NULL || sizeof b->bytes - b->used_bytes < room) {
        sl_status s = add_batch(q);
        if (s != SL_OK)
            return s;
        b = q->filling.tail;
    }
    struct gw_store_entry *e = (struct gw_store_entry *)(void *)(b->bytes + b->used_bytes);
    e->ticket = ticket;
    e->kind = (uint32_t)kind;
    e->bytes_count = (uint32_t)bytes.len;
    if (bytes.len > 0)
        memcpy(e->bytes, bytes.data, bytes.len);
    b->used_bytes += room;
    b->entry_count++;
    return SL_OK;
}

/* A turn's few entries go into the batch that waits already. Under the lock. */
static void merge_into_inbox(struct gw_store_queue *q)
{
    struct gw_store_batch *from = q->filling.head, *to = q->inbox.tail;
    if (to == NULL || from->next != NULL || from->used_bytes > sizeof to->bytes - to->used_bytes)
        return;
    memcpy(to->bytes + to->used_bytes, from->bytes, from->used_bytes);
    to->used_bytes += from->used_bytes;
    to->entry_count += from->entry_count;
    push(&q->unused, gw_store_batches_pop(&q->filling));
}

bool gw_store_queue_flush(struct gw_store_queue *q)
{
    if (q->filling.head == NULL)
        return false;
    pthread_mutex_lock(&q->lock);
    bool wakes = q->inbox.head == NULL;
    merge_into_inbox(q);
    gw_store_batches_append(&q->inbox, &q->filling);
    pthread_mutex_unlock(&q->lock);
    if (wakes)
        pthread_cond_signal(&q->is_there);
    return true;
}

struct gw_store_batches gw_store_queue_collect(struct gw_store_queue *q)
{
    struct gw_store_batches all = {0};
    pthread_mutex_lock(&q->lock);
    gw_store_batches_append(&all, &q->outbox);
    pthread_mutex_unlock(&q->lock);
    return all;
}

void gw_store_queue_recycle(struct gw_store_queue *q, struct gw_store_batch *b)
{
    push(&q->unused, b);
}

void gw_store_queue_end(struct gw_store_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->is_ending = true;
    pthread_mutex_unlock(&q->lock);
    pthread_cond_signal(&q->is_there);
}

/* ---- the store's side */

static struct timespec time_in(int64_t wait_ns)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    int64_t ns = at.tv_nsec + wait_ns % SL_NS_PER_S;
    at.tv_sec += (time_t)(wait_ns / SL_NS_PER_S + ns / SL_NS_PER_S);
    at.tv_nsec = (long)(ns % SL_NS_PER_S);
    return at;
}

bool gw_store_queue_take(struct gw_store_queue *q, int64_t wait_ns, struct gw_store_batches *out)
{
    struct timespec until = time_in(wait_ns > 0 ? wait_ns : 0);
    pthread_mutex_lock(&q->lock);
    int rc = 0;
    while (rc == 0 && wait_ns != 0 && q->inbox.head == NULL && !q->is_ending)
        rc = wait_ns < 0 ? pthread_cond_wait(&q->is_there, &q->lock)
                         : pthread_cond_timedwait(&q->is_there, &q->lock, &until);
    gw_store_batches_append(out, &q->inbox);
    bool goes_on = !q->is_ending;
    pthread_mutex_unlock(&q->lock);
    return goes_on;
}

void gw_store_queue_pause(struct gw_store_queue *q, int64_t wait_ns)
{
    struct timespec until = time_in(wait_ns > 0 ? wait_ns : 0);
    int rc = 0;
    pthread_mutex_lock(&q->lock);
    while (rc == 0 && !q->is_ending)
        rc = wait_ns < 0 ? pthread_cond_wait(&q->is_there, &q->lock)
                         : pthread_cond_timedwait(&q->is_there, &q->lock, &until);
    pthread_mutex_unlock(&q->lock);
}

bool gw_store_queue_answer(struct gw_store_queue *q, struct gw_store_batches *done,
                           sl_status outcome)
{
    if (done->head == NULL)
        return false;
    for (struct gw_store_batch *b = done->head; b != NULL; b = b->next)
        b->outcome = outcome;
    pthread_mutex_lock(&q->lock);
    bool wakes = q->outbox.head == NULL;
    gw_store_batches_append(&q->outbox, done);
    pthread_mutex_unlock(&q->lock);
    return wakes;
}
