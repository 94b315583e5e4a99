#include "gw_results.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "sl_log.h"

#define FILE_PREFIX "result."

struct gw_spool_file {
    int fd; /* -1: not open (yet) */
};

enum kind { DIGEST, WRITE, READ, DROP };

struct gw_errand {
    uv_work_t work;
    struct gw_results *results;
    enum kind kind;
    sl_status outcome;
    int error; /* errno of it */
    struct gw_errand *prev, *next;
    uint64_t ticket;
    void *user;
    struct gw_spool_file *file;
    struct sl_span text;
    struct gw_body *body;
    uint8_t sum[GW_IDEM_DIGEST_BYTES];
    const struct sl_span *pieces;
    size_t piece_count;
    uint8_t *into;
    size_t bytes;
};

/* ---- on a thread of the pool */

static sl_status sum_up(struct gw_errand *e)
{
    struct gw_digest *d;
    const struct sl_span parts[] = {e->text, sl_span_of(e->body->data, e->body->len)};
    sl_status s = gw_digest_create(&d);
    if (s != SL_OK)
        return s;
    s = gw_digest_sha256_parts(d, parts, SL_ARRAY_LEN(parts), e->sum);
    gw_digest_destroy(d);
    return s;
}

/* Without a name, or without one as soon as it has been opened. */
static int open_nameless(const char *dir)
{
    char path[4096];
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    snprintf(path, sizeof path, "%s/" FILE_PREFIX "XXXXXX", dir);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static bool write_all(int fd, struct sl_span piece)
{
    while (piece.len > 0) {
        ssize_t n = write(fd, piece.data, piece.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        piece = sl_span_of(piece.data + n, piece.len - (size_t)n);
    }
    return true;
}

static bool write_file(struct gw_errand *e)
{
    e->file->fd = open_nameless(e->results->dir);
    if (e->file->fd < 0)
        return false;
    for (size_t i = 0; i < e->piece_count; i++)
        if (!write_all(e->file->fd, e->pieces[i]))
            return false;
    return true;
}

static bool read_file(struct gw_errand *e)
{
    for (size_t at = 0; at < e->bytes;) {
        ssize_t n = pread(e->file->fd, e->into + at, e->bytes - at, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

static void close_file(struct gw_spool_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    free(file);
}

static void run(uv_work_t *work)
{
    struct gw_errand *e = work->data;
    bool ok = true;
    errno = 0;
    if (e->kind == DIGEST)
        e->outcome = sum_up(e);
    else if (e->kind == WRITE)
        ok = write_file(e);
    else if (e->kind == READ)
        ok = read_file(e);
    else
        close_file(e->file);
    if (!ok) {
        e->outcome = SL_EIO;
        e->error = errno;
    }
}

/* ---- errands */

static void on_done(uv_work_t *work, int status)
{
    struct gw_errand *e = work->data;
    struct gw_results *r = e->results;
    (void)status; /* nothing is cancelled */
    r->under_way--;
    DL_APPEND(r->done, e);
}

static struct gw_errand *make(struct gw_results *r, enum kind kind)
{
    struct gw_errand *e = calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    e->results = r;
    e->kind = kind;
    e->work.data = e;
    return e;
}

static sl_status hand_over(struct gw_errand *e)
{
    struct gw_results *r = e->results;
    if (uv_queue_work(r->loop, &e->work, run, on_done) != 0)
        return SL_ENOMEM;
    r->under_way++;
    return SL_OK;
}

/* ---- the port */

static sl_status send_digest(struct gw_results *r, struct sl_span text, struct gw_body *body,
                             uint64_t ticket)
{
    struct gw_errand *e = make(r, DIGEST);
    if (e == NULL)
        return SL_ENOMEM;
    e->text = text;
    e->ticket = ticket;
    e->body = gw_body_share(body);
    sl_status s = hand_over(e);
    if (s == SL_OK)
        return SL_EAGAIN;
    gw_body_release(e->body);
    free(e);
    return s;
}

static sl_status digest(void *ctx, struct sl_span text, struct gw_body *body, uint64_t ticket,
                        uint8_t out[GW_IDEM_DIGEST_BYTES])
{
    struct gw_results *r = ctx;
    const struct sl_span parts[] = {text, sl_span_of(body->data, body->len)};
    if (body->len > GW_RESULTS_DIGEST_AT_ONCE_BYTES)
        return send_digest(r, text, body, ticket);
    return gw_digest_sha256_parts(r->digest, parts, SL_ARRAY_LEN(parts), out);
}

static sl_status random_bytes(void *ctx, uint8_t *out, size_t bytes)
{
    (void)ctx;
    return gw_digest_random(out, bytes);
}

static sl_status spool(void *ctx, const struct sl_span *pieces, size_t piece_count, void *user,
                       struct gw_spool_file **out)
{
    struct gw_results *r = ctx;
    if (r->file_count == GW_RESULTS_FILES_MAX)
        return SL_EFULL;
    struct gw_spool_file *file = calloc(1, sizeof *file);
    struct gw_errand *e = make(r, WRITE);
    sl_status s = SL_ENOMEM;
    if (file != NULL && e != NULL) {
        file->fd = -1;
        e->file = file;
        e->user = user;
        e->pieces = pieces;
        e->piece_count = piece_count;
        s = hand_over(e);
    }
    if (s != SL_OK) {
        free(file);
        free(e);
        return s;
    }
    r->file_count++;
    *out = file;
    return SL_OK;
}

static sl_status fetch(void *ctx, struct gw_spool_file *file, uint8_t *into, size_t bytes,
                       void *user)
{
    struct gw_errand *e = make(ctx, READ);
    if (e == NULL)
        return SL_ENOMEM;
    e->file = file;
    e->into = into;
    e->bytes = bytes;
    e->user = user;
    sl_status s = hand_over(e);
    if (s != SL_OK)
        free(e);
    return s;
}

/* To give back a large file takes its time, too. */
static void drop(void *ctx, struct gw_spool_file *file)
{
    struct gw_results *r = ctx;
    struct gw_errand *e = make(r, DROP);
    r->file_count--;
    if (e != NULL) {
        e->file = file;
        if (hand_over(e) == SL_OK)
            return;
    }
    free(e);
    close_file(file);
}

struct gw_results_port gw_results_port(struct gw_results *r)
{
    return (struct gw_results_port){.ctx = r,
                                    .digest = digest,
                                    .random = random_bytes,
                                    .spool = r->dir != NULL ? spool : NULL,
                                    .fetch = fetch,
                                    .drop = drop};
}

/* ---- a turn */

static void tell(const struct gw_errand *e, const struct gw_results_listener *l)
{
    if (e->error != 0)
        sl_log(SL_LOG_WARN, "a kept result could not be written or read",
               SL_S("dir", e->results->dir), SL_S("why", strerror(e->error)));
    if (e->kind == DIGEST)
        l->on_digest(l->ctx, e->ticket, e->outcome, e->sum);
    else if (e->kind == WRITE)
        l->on_spooled(l->ctx, e->user, e->outcome);
    else if (e->kind == READ)
        l->on_fetched(l->ctx, e->user, e->outcome);
}

static void free_errand(struct gw_errand *e)
{
    gw_body_release(e->body);
    free(e);
}

void gw_results_take(struct gw_results *r, const struct gw_results_listener *l)
{
    for (struct gw_errand *e; (e = r->done) != NULL;) {
        DL_DELETE(r->done, e);
        tell(e, l);
        free_errand(e);
    }
}

bool gw_results_is_idle(const struct gw_results *r)
{
    return r->under_way == 0 && r->done == NULL;
}

/* ---- its life */

static void sweep(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    while (d != NULL && (entry = readdir(d)) != NULL)
        if (strncmp(entry->d_name, FILE_PREFIX, sizeof FILE_PREFIX - 1) == 0)
            unlinkat(dirfd(d), entry->d_name, 0);
    if (d != NULL)
        closedir(d);
}

static sl_status open_dir(struct gw_results *r, const char *state, struct sl_error *err)
{
    static const char name[] = "/results";
    if (state[0] == '\0')
        return SL_OK;
    size_t room = strlen(state) + sizeof name;
    r->dir = malloc(room);
    if (r->dir == NULL) {
        sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory for a path");
        return SL_ENOMEM;
    }
    snprintf(r->dir, room, "%s%s", state, name);
    if (mkdir(r->dir, 0700) != 0 && errno != EEXIST) {
        sl_error_set(err, SL_REASON_INTERNAL, "cannot make %s for results that are kept: %s",
                     r->dir, strerror(errno));
        return SL_EIO;
    }
    sweep(r->dir);
    return SL_OK;
}

sl_status gw_results_open(struct gw_results *r, uv_loop_t *loop, const char *state,
                          struct sl_error *err)
{
    *r = (struct gw_results){.loop = loop};
    if (gw_digest_create(&r->digest) != SL_OK) {
        sl_error_set(err, SL_REASON_INTERNAL, "there is no SHA-256");
        return SL_ENOMEM;
    }
    return open_dir(r, state, err);
}

void gw_results_close(struct gw_results *r)
{
    for (struct gw_errand *e; (e = r->done) != NULL;) {
        DL_DELETE(r->done, e);
        free_errand(e);
    }
    gw_digest_destroy(r->digest);
    free(r->dir);
    *r = (struct gw_results){0};
}
