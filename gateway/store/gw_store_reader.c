#include "gw_store_reader.h"

#include <stdio.h>

enum { BUSY_MS = 1000, PIECE_STEPS = 50000 };

static void append(struct gw_store_asked **list, struct gw_store_asked *a)
{
    while (*list != NULL)
        list = &(*list)->next;
    a->next = NULL;
    *list = a;
}

/* ---- the reader's thread */

/* NULL when it is the end. */
static struct gw_store_asked *wait_for_question(struct gw_store_reader *r)
{
    pthread_mutex_lock(&r->lock);
    while (r->asked == NULL && !r->is_ending)
        pthread_cond_wait(&r->is_asked, &r->lock);
    struct gw_store_asked *all = r->is_ending ? NULL : r->asked;
    if (all != NULL)
        r->asked = NULL;
    pthread_mutex_unlock(&r->lock);
    return all;
}

static void give(struct gw_store_reader *r, struct gw_store_asked *a)
{
    pthread_mutex_lock(&r->lock);
    append(&r->answered, a);
    pthread_mutex_unlock(&r->lock);
    r->wake(r->wake_ctx);
}

/* Not 0: no further. */
static int on_piece(void *ctx)
{
    struct gw_store_reader *r = ctx;
    return ++r->piece_count > GW_STORE_PIECES_MAX || atomic_load(&r->gives_up);
}

static void answer(struct gw_store_reader *r, sqlite3 *db, int rc, struct gw_store_asked *a)
{
    r->piece_count = 0;
    if (rc == SQLITE_OK) {
        gw_store_answer(db, &a->question, &a->arena, &a->answer);
    } else {
        a->answer = (struct gw_store_answer){.status = SL_EIO};
        snprintf(a->answer.why, sizeof a->answer.why, "the store cannot be read: %s",
                 sqlite3_errstr(rc));
    }
    give(r, a);
}

static void answer_all(struct gw_store_reader *r, struct gw_store_asked *all)
{
    sqlite3 *db = NULL;
    struct gw_store_asked *next;
    pthread_mutex_lock(r->swap_lock);
    int rc = sqlite3_open_v2(r->path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, r->vfs);
    sqlite3_busy_timeout(db, BUSY_MS);
    sqlite3_progress_handler(db, PIECE_STEPS, on_piece, r);
    for (; all != NULL; all = next) {
        next = all->next;
        answer(r, db, rc, all);
    }
    sqlite3_close(db);
    pthread_mutex_unlock(r->swap_lock);
}

static void *run(void *ctx)
{
    struct gw_store_reader *r = ctx;
    struct gw_store_asked *all;
    while ((all = wait_for_question(r)) != NULL)
        answer_all(r, all);
    return NULL;
}

/* ---- the asker's */

void gw_store_reader_init(struct gw_store_reader *r)
{
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->is_asked, NULL);
}

sl_status gw_store_reader_start(struct gw_store_reader *r)
{
    r->has_thread = pthread_create(&r->thread, NULL, run, r) == 0;
    return r->has_thread ? SL_OK : SL_ENOMEM;
}

static void free_all(struct gw_store_reader *r, struct gw_store_asked *all)
{
    struct gw_store_asked *next;
    for (; all != NULL; all = next) {
        next = all->next;
        gw_store_reader_free(r, all);
    }
}

void gw_store_reader_finish(struct gw_store_reader *r)
{
    atomic_store(&r->gives_up, true);
    pthread_mutex_lock(&r->lock);
    r->is_ending = true;
    pthread_mutex_unlock(&r->lock);
    pthread_cond_signal(&r->is_asked);
    if (r->has_thread)
        pthread_join(r->thread, NULL);
    free_all(r, r->asked);
    free_all(r, r->answered);
    pthread_cond_destroy(&r->is_asked);
    pthread_mutex_destroy(&r->lock);
}

sl_status gw_store_reader_ask(struct gw_store_reader *r, const struct gw_store_question *q,
                              uint64_t ticket)
{
    if (r->open_count >= GW_STORE_QUESTIONS_MAX)
        return SL_EFULL;
    struct gw_store_asked *a = sl_alloc_zero(r->alloc, 1, sizeof *a);
    if (a == NULL)
        return SL_ENOMEM;
    a->ticket = ticket;
    a->question = *q;
    sl_arena_init(&a->arena, r->alloc, GW_STORE_ANSWER_MAX_BYTES);
    r->open_count++;
    pthread_mutex_lock(&r->lock);
    append(&r->asked, a);
    pthread_mutex_unlock(&r->lock);
    pthread_cond_signal(&r->is_asked);
    return SL_OK;
}

struct gw_store_asked *gw_store_reader_collect(struct gw_store_reader *r)
{
    pthread_mutex_lock(&r->lock);
    struct gw_store_asked *all = r->answered;
    r->answered = NULL;
    pthread_mutex_unlock(&r->lock);
    return all;
}

void gw_store_reader_free(struct gw_store_reader *r, struct gw_store_asked *a)
{
    sl_arena_finish(&a->arena);
    sl_alloc_free(r->alloc, a);
    r->open_count--;
}
