/* fake_zmq.c - sockets on one list, messages in the inbox of whom they are for. */
#include "fake_zmq.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>
#include <zmq.h>

enum { NAME_MAX_BYTES = 256, FRAMES_MAX = 8, HWM_DEFAULT = 1000 };

/* ---- what a zmq_msg_t is here */

struct body {
    void *data;
    zmq_free_fn *release; /* NULL: data lies behind the struct */
    void *hint;
    const struct sl_alloc *alloc;
};

struct frame {
    struct body *body; /* NULL: empty */
    size_t len;
    bool more;
};
_Static_assert(sizeof(struct frame) <= sizeof(zmq_msg_t), "a frame lies in a zmq_msg_t");

struct message {
    struct message *next;
    size_t count, read_count;
    struct frame frames[FRAMES_MAX];
};

struct socket {
    struct socket *prev, *next; /* the list of all, newest first */
    const struct sl_alloc *alloc;
    int type, fd;
    char endpoint[NAME_MAX_BYTES]; /* bound or connected */
    char monitor[NAME_MAX_BYTES];  /* endpoint of the socket that watches this one */
    uint8_t id[NAME_MAX_BYTES];
    size_t id_len, inbox_count, hwm;
    bool is_bound;
    struct message *inbox;
    struct message *outgoing; /* begun, not ended */
};

static const struct sl_alloc *memory = &sl_alloc_malloc;
static struct socket *sockets;
static size_t open_count;
static unsigned next_id;

void fake_zmq_use(const struct sl_alloc *alloc)
{
    memory = alloc != NULL ? alloc : &sl_alloc_malloc;
}

size_t fake_zmq_open_count(void)
{
    return open_count;
}

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

static void *need(size_t bytes)
{
    void *p = calloc(1, bytes);
    if (p == NULL)
        abort();
    return p;
}

static int refuse(int error)
{
    errno = error;
    return -1;
}

/* ---- frames */

static struct frame *frame_of(const zmq_msg_t *m)
{
    return (struct frame *)(uintptr_t)m;
}

static void drop_frame(struct frame *f)
{
    struct body *b = f->body;
    *f = (struct frame){0};
    if (b == NULL)
        return;
    if (b->release != NULL)
        b->release(b->data, b->hint);
    sl_alloc_free(b->alloc, b);
    open_count--;
}

static struct body *make_body(size_t more_bytes)
{
    struct body *b = sl_alloc_zero(memory, 1, sizeof *b + more_bytes);
    if (b == NULL)
        return no_memory();
    b->alloc = memory;
    b->data = b + 1;
    open_count++;
    return b;
}

int zmq_msg_init(zmq_msg_t *m)
{
    *frame_of(m) = (struct frame){0};
    return 0;
}

int zmq_msg_init_size(zmq_msg_t *m, size_t len)
{
    *frame_of(m) = (struct frame){.body = make_body(len), .len = len};
    return frame_of(m)->body != NULL ? 0 : -1;
}

int zmq_msg_init_data(zmq_msg_t *m, void *data, size_t len, zmq_free_fn *release, void *hint)
{
    *frame_of(m) = (struct frame){.body = make_body(0), .len = len};
    if (frame_of(m)->body == NULL)
        return -1;
    frame_of(m)->body->data = data;
    frame_of(m)->body->release = release;
    frame_of(m)->body->hint = hint;
    return 0;
}

int zmq_msg_close(zmq_msg_t *m)
{
    drop_frame(frame_of(m));
    return 0;
}

int zmq_msg_move(zmq_msg_t *to, zmq_msg_t *from)
{
    drop_frame(frame_of(to));
    *frame_of(to) = *frame_of(from);
    *frame_of(from) = (struct frame){0};
    return 0;
}

void *zmq_msg_data(zmq_msg_t *m)
{
    static uint8_t nothing;
    return frame_of(m)->body != NULL ? frame_of(m)->body->data : &nothing;
}

size_t zmq_msg_size(const zmq_msg_t *m)
{
    return frame_of(m)->len;
}

int zmq_msg_more(const zmq_msg_t *m)
{
    return frame_of(m)->more;
}

const char *zmq_msg_gets(const zmq_msg_t *m, const char *name)
{
    (void)m, (void)name;
    errno = EINVAL;
    return NULL;
}

static void drop_message(struct message *m)
{
    for (size_t i = 0; m != NULL && i < m->count; i++)
        drop_frame(&m->frames[i]);
    free(m);
}

/* ---- contexts and sockets */

struct context {
    const struct sl_alloc *alloc;
};

void *zmq_ctx_new(void)
{
    struct context *c = sl_alloc_zero(memory, 1, sizeof *c);
    if (c == NULL)
        return no_memory();
    c->alloc = memory;
    open_count++;
    return c;
}

int zmq_ctx_set(void *context, int option, int value)
{
    (void)context, (void)option, (void)value; /* there are no threads to set */
    return 0;
}

int zmq_ctx_term(void *context)
{
    struct context *c = context;
    sl_alloc_free(c->alloc, c);
    open_count--;
    return 0;
}

static void name_self(struct socket *s)
{
    unsigned id = ++next_id;
    s->id[0] = 0; /* as the real library's own: no text begins so */
    memcpy(s->id + 1, &id, sizeof id);
    s->id_len = 1 + sizeof id;
}

void *zmq_socket(void *context, int type)
{
    (void)context;
    struct socket *s = sl_alloc_zero(memory, 1, sizeof *s);
    if (s == NULL)
        return no_memory();
    s->alloc = memory;
    s->type = type;
    s->hwm = HWM_DEFAULT;
    s->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    name_self(s);
    DL_PREPEND(sockets, s);
    open_count++;
    return s;
}

static void drop_inbox(struct socket *s)
{
    struct message *m;
    while ((m = s->inbox) != NULL) {
        LL_DELETE(s->inbox, m);
        drop_message(m);
    }
}

int zmq_close(void *socket)
{
    struct socket *s = socket;
    DL_DELETE(sockets, s);
    drop_inbox(s);
    drop_message(s->outgoing);
    close(s->fd);
    sl_alloc_free(s->alloc, s);
    open_count--;
    return 0;
}

int zmq_setsockopt(void *socket, int option, const void *value, size_t len)
{
    struct socket *s = socket;
    if (option == ZMQ_ROUTING_ID) {
        if (len == 0 || len > sizeof s->id)
            return refuse(EINVAL);
        memcpy(s->id, value, len);
        s->id_len = len;
    } else if (option == ZMQ_RCVHWM) {
        int hwm;
        memcpy(&hwm, value, sizeof hwm);
        s->hwm = hwm > 0 ? (size_t)hwm : SIZE_MAX;
    }
    return 0;
}

static int get_int(void *value, size_t *len, int is)
{
    memcpy(value, &is, sizeof is);
    *len = sizeof is;
    return 0;
}

int zmq_getsockopt(void *socket, int option, void *value, size_t *len)
{
    const struct socket *s = socket;
    if (option == ZMQ_FD)
        return get_int(value, len, s->fd);
    if (option == ZMQ_EVENTS)
        return get_int(value, len, ZMQ_POLLOUT | (s->inbox != NULL ? ZMQ_POLLIN : 0));
    if (option != ZMQ_LAST_ENDPOINT || *len < strlen(s->endpoint) + 1)
        return refuse(EINVAL);
    *len = strlen(s->endpoint) + 1;
    memcpy(value, s->endpoint, *len);
    return 0;
}

static int set_endpoint(struct socket *s, const char *endpoint)
{
    if (strlen(endpoint) >= sizeof s->endpoint)
        return refuse(EINVAL);
    strcpy(s->endpoint, endpoint);
    return 0;
}

static struct socket *bound_at(const char *endpoint)
{
    struct socket *s;
    DL_FOREACH (sockets, s) {
        if (s->is_bound && strcmp(s->endpoint, endpoint) == 0)
            return s;
    }
    return NULL;
}

int zmq_bind(void *socket, const char *endpoint)
{
    struct socket *s = socket;
    if (bound_at(endpoint) != NULL)
        return refuse(EADDRINUSE);
    if (set_endpoint(s, endpoint) != 0)
        return -1;
    s->is_bound = true;
    return 0;
}

int zmq_connect(void *socket, const char *endpoint)
{
    return set_endpoint(socket, endpoint);
}

int zmq_socket_monitor(void *socket, const char *endpoint, int events)
{
    struct socket *s = socket;
    (void)events;
    s->monitor[0] = '\0';
    if (endpoint != NULL && strlen(endpoint) < sizeof s->monitor)
        strcpy(s->monitor, endpoint);
    return 0;
}

/* ---- sending */

static void deliver(struct socket *to, struct message *m)
{
    m->frames[m->count - 1].more = false;
    LL_APPEND(to->inbox, m);
    to->inbox_count++;
}

static void tell_monitor(const struct socket *s)
{
    struct socket *m;
    DL_FOREACH (sockets, m) {
        if (m->type == ZMQ_PAIR && s->monitor[0] != '\0' && strcmp(m->endpoint, s->monitor) == 0) {
            struct message *cut = need(sizeof *cut);
            cut->count = 1;
            deliver(m, cut);
        }
    }
}

void fake_zmq_cut(const char *endpoint)
{
    struct socket *s;
    DL_FOREACH (sockets, s) {
        if (s->type == ZMQ_DEALER && strcmp(s->endpoint, endpoint) == 0)
            tell_monitor(s);
    }
}

/* Of a router: the newest peer of that identity. */
static struct socket *peer_named(const struct socket *router, const void *id, size_t len)
{
    struct socket *s;
    DL_FOREACH (sockets, s) {
        if (s->type == ZMQ_DEALER && strcmp(s->endpoint, router->endpoint) == 0 &&
            s->id_len == len && memcmp(s->id, id, len) == 0)
            return s;
    }
    return NULL;
}

static const void *bytes_of(const struct frame *f)
{
    return f->body != NULL ? f->body->data : "";
}

/* Where the message that was begun goes; NULL: nowhere. */
static struct socket *target_of(const struct socket *s)
{
    const struct frame *first = &s->outgoing->frames[0];
    return s->type == ZMQ_ROUTER ? peer_named(s, bytes_of(first), first->len)
                                 : bound_at(s->endpoint);
}

/* The frame that names a peer stands for its identity: taken off on the way down, put on on the way up. */
static void readdress(struct socket *s, struct message *m)
{
    if (s->type == ZMQ_ROUTER) {
        drop_frame(&m->frames[0]);
        m->count--;
        memmove(&m->frames[0], &m->frames[1], m->count * sizeof m->frames[0]);
        return;
    }
    struct body *id = need(sizeof *id + s->id_len);
    id->alloc = &sl_alloc_malloc;
    id->data = id + 1;
    memcpy(id->data, s->id, s->id_len);
    open_count++;
    memmove(&m->frames[1], &m->frames[0], m->count * sizeof m->frames[0]);
    m->frames[0] = (struct frame){.body = id, .len = s->id_len, .more = true};
    m->count++;
}

static void send_whole(struct socket *s)
{
    struct message *m = s->outgoing;
    struct socket *to = target_of(s);
    s->outgoing = NULL;
    readdress(s, m);
    if (to != NULL && m->count > 0)
        deliver(to, m);
    else
        drop_message(m);
}

/* 0, or why a message cannot begin with this frame. */
static int may_begin(struct socket *s, const struct frame *first)
{
    struct socket *to =
        s->type == ZMQ_ROUTER ? peer_named(s, bytes_of(first), first->len) : bound_at(s->endpoint);
    if (to == NULL)
        return s->type == ZMQ_ROUTER ? EHOSTUNREACH : 0;
    return to->inbox_count >= to->hwm ? EAGAIN : 0;
}

static int send_frame(struct socket *s, struct frame *take, int flags)
{
    int error = 0;
    if (s->outgoing == NULL)
        error = may_begin(s, take);
    else if (s->outgoing->count == FRAMES_MAX - 1)
        error = EINVAL;
    if (error != 0)
        return refuse(error);
    if (s->outgoing == NULL)
        s->outgoing = need(sizeof *s->outgoing);
    int len = (int)take->len;
    s->outgoing->frames[s->outgoing->count++] =
        (struct frame){.body = take->body, .len = take->len, .more = true};
    *take = (struct frame){0};
    if ((flags & ZMQ_SNDMORE) == 0)
        send_whole(s);
    return len;
}

int zmq_msg_send(zmq_msg_t *m, void *socket, int flags)
{
    return send_frame(socket, frame_of(m), flags);
}

int zmq_send(void *socket, const void *bytes, size_t len, int flags)
{
    struct frame f = {.len = len};
    f.body = need(sizeof *f.body + len);
    f.body->alloc = &sl_alloc_malloc;
    f.body->data = f.body + 1;
    if (len > 0)
        memcpy(f.body->data, bytes, len);
    open_count++;
    int sent = send_frame(socket, &f, flags);
    int error = errno;
    drop_frame(&f); /* still ours when it was not taken */
    errno = error;
    return sent;
}

/* ---- receiving */

int zmq_msg_recv(zmq_msg_t *out, void *socket, int flags)
{
    struct socket *s = socket;
    struct message *m = s->inbox;
    (void)flags; /* nobody could send while we waited */
    if (m == NULL)
        return refuse(EAGAIN);
    drop_frame(frame_of(out));
    *frame_of(out) = m->frames[m->read_count];
    m->frames[m->read_count++] = (struct frame){0};
    if (m->read_count == m->count) {
        LL_DELETE(s->inbox, m);
        s->inbox_count--;
        free(m);
    }
    return (int)frame_of(out)->len;
}

int zmq_recv(void *socket, void *bytes, size_t max, int flags)
{
    zmq_msg_t m;
    zmq_msg_init(&m);
    int len = zmq_msg_recv(&m, socket, flags);
    if (len > 0)
        memcpy(bytes, zmq_msg_data(&m), (size_t)len < max ? (size_t)len : max);
    zmq_msg_close(&m);
    return len;
}
