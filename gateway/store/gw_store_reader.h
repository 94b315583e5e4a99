/* gw_store_reader.h - a thread that answers questions, so that a long one never keeps a receipt waiting.
 *
 * It opens the file anew for each burst of questions: they are few, and nothing is held open meanwhile.
 *
 * Bound    GW_STORE_QUESTIONS_MAX questions and answers together; an answer has at most
 *          GW_STORE_ANSWER_MAX_BYTES, and is given up after GW_STORE_PIECES_MAX pieces of SQLite's work, some
 *          10 s, or when the end comes.
 * Threads  ask, collect, free: one thread. The reader's own: the rest.
 */
#ifndef GW_STORE_READER_H
#define GW_STORE_READER_H

#include <pthread.h>
#include <stdatomic.h>

#include "gw_store_query.h"

enum { GW_STORE_QUESTIONS_MAX = 64, GW_STORE_PIECES_MAX = 10000 };

struct gw_store_asked {
    struct gw_store_asked *next;
    uint64_t ticket;
    struct gw_store_question question;
    struct gw_store_answer answer;
    struct sl_arena arena;
};

struct gw_store_reader {
    const struct sl_alloc *alloc;
    const char *path;
    const char *vfs;
    pthread_mutex_t *swap_lock; /* held while the file is open: it must not be swapped meanwhile */
    void (*wake)(void *ctx);    /* an answer is there; on the reader's thread */
    void *wake_ctx;
    pthread_t thread;
    bool has_thread;
    int piece_count;      /* the reader's: of the question that is being answered */
    atomic_bool gives_up; /* this is the end */
    size_t open_count;    /* the asker's */
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t is_asked;
    struct gw_store_asked *asked, *answered;
    bool is_ending;
};

/* alloc, path, vfs, swap_lock, wake and wake_ctx are set by the caller. */
void gw_store_reader_init(struct gw_store_reader *r);
SL_MUST_CHECK sl_status gw_store_reader_start(struct gw_store_reader *r); /* SL_ENOMEM */
/* Waits for the question that is being answered; frees all others. */
void gw_store_reader_finish(struct gw_store_reader *r);

/* Errors: SL_EFULL, SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_store_reader_ask(struct gw_store_reader *r,
                                            const struct gw_store_question *q, uint64_t ticket);
/* All that were answered, in their order; each is to be given to gw_store_reader_free. */
struct gw_store_asked *gw_store_reader_collect(struct gw_store_reader *r);
void gw_store_reader_free(struct gw_store_reader *r, struct gw_store_asked *a);

#endif
