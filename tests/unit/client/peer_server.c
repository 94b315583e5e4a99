/* peer_server.c - h2_peer behind a real socket.
 *
 *   /t/Echo     the message comes back              /t/Hang     no answer
 *   /t/Once     GOAWAY before it on the first connection, echo later
 *   /t/Refuse   REFUSED_STREAM to the first two, echo later
 *   /t/Drop     the connection is closed            /t/Last     echo, then GOAWAY and close
 *   .../GetResult   the same, of a call that was before: for the id "pending" not yet, for "broken" garbage
 *   .../ModelInfer  one output y FP32 [2]: 1 2, one parameter k: "vv"
 *   /t/Busy     REFUSED_STREAM always               /t/Header   grpc-timeout and authorization
 */
#include "peer_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "h2_peer.h"

struct peer_server {
    pthread_t thread;
    int listen_fd, stop_fd;
    char address[32];
    atomic_size_t connections, requests, resets, gone;
    /* of the connection being served; the thread's own */
    bool must_close;
    size_t open_requests;
};

/* ModelInferResponse: model_name m, parameters {k: "vv"}, outputs [y FP32 [2]], raw 1.0 2.0 */
static const char infer_answer[] = "\x0a\x01m"
                                   "\x22\x09\x0a\x01k\x12\x04\x1a\x02vv"
                                   "\x2a\x0c\x0a\x01y\x12\x04"
                                   "FP32\x1a\x01\x02"
                                   "\x32\x08\0\0\x80\x3f\0\0\0\x40";

/* GetResultResponse: DONE (2) and the answer above; or PENDING (1); or what is none. */
static void answer_kept(struct h2_peer *p, const struct h2_request *r)
{
    uint8_t done[4 + sizeof(infer_answer)] = {0x08, 2, 0x12, sizeof(infer_answer) - 1};
    memcpy(done + 4, infer_answer, sizeof(infer_answer) - 1);
    struct sl_span answer = sl_span_of(done, 4 + sizeof(infer_answer) - 1);

    if (r->message.len > 2 && memcmp(r->message.data + 2, "pending", 7) == 0)
        answer = sl_span_str("\x08\x01");
    else if (r->message.len > 2 && memcmp(r->message.data + 2, "broken", 6) == 0)
        answer = sl_span_str("\x08\x02\x12\x7f");
    h2_peer_reply(p, r->stream_id, answer, 0, "sluice-visitor: user:a; tier=b\n");
}

static void on_request(struct h2_peer *p, const struct h2_request *r, void *user)
{
    struct peer_server *s = user;
    const char *verb = strrchr(r->path, '/') + 1;
    size_t seen = atomic_fetch_add(&s->requests, 1) + 1;

    if (strcmp(verb, "Hang") == 0) {
        s->open_requests++;
    } else if (strcmp(verb, "Drop") == 0) {
        s->must_close = true;
    } else if (strcmp(verb, "Once") == 0 && atomic_load(&s->connections) == 1) {
        h2_peer_goaway(p, 0);
        h2_peer_reset(p, r->stream_id, NGHTTP2_REFUSED_STREAM);
    } else if (strcmp(verb, "Busy") == 0 || (strcmp(verb, "Refuse") == 0 && seen <= 2)) {
        h2_peer_reset(p, r->stream_id, NGHTTP2_REFUSED_STREAM);
    } else if (strcmp(verb, "ModelInfer") == 0) {
        struct sl_span answer = sl_span_of(infer_answer, sizeof(infer_answer) - 1);
        h2_peer_reply(p, r->stream_id, answer, 0, "sluice-exec-ms: 2\n");
    } else if (strcmp(verb, "GetResult") == 0) {
        answer_kept(p, r);
    } else if (strcmp(verb, "Header") == 0) {
        char text[128];
        snprintf(text, sizeof(text), "%s|%s", r->timeout, r->authorization);
        h2_peer_reply(p, r->stream_id, sl_span_str(text), 0, "");
    } else {
        h2_peer_reply(p, r->stream_id, r->message, 0, "");
        s->must_close = strcmp(verb, "Last") == 0;
    }
}

static bool send_all(int fd, const struct sl_buf *out)
{
    for (size_t at = 0; at < out->len;) {
        ssize_t n = send(fd, out->data + at, out->len - at, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

/* true: go on with this connection. */
static bool serve_once(struct peer_server *s, struct h2_peer *p, int fd, struct sl_buf *out)
{
    static _Thread_local uint8_t in[1 << 16];
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = s->stop_fd, .events = POLLIN}};

    sl_buf_clear(out);
    h2_peer_output(p, out);
    if (!send_all(fd, out) || s->must_close)
        return false;
    poll(fds, 2, -1);
    if (fds[1].revents != 0)
        return false;
    ssize_t n = recv(fd, in, sizeof(in), 0);
    if (n <= 0 || !h2_peer_receive(p, sl_span_of(in, (size_t)n)))
        return false;
    size_t resets = h2_peer_reset_count(p);
    if (resets > 0 && s->open_requests > 0) {
        atomic_fetch_add(&s->gone, s->open_requests);
        s->open_requests = 0;
    }
    atomic_store(&s->resets, resets);
    return true;
}

static void serve_connection(struct peer_server *s, int fd)
{
    struct h2_peer *p = h2_peer_create(on_request, s, 1 << 16, 1 << 20);
    struct sl_buf out;

    sl_buf_init(&out, &sl_alloc_malloc, 1 << 28);
    s->must_close = false;
    s->open_requests = 0;
    atomic_fetch_add(&s->connections, 1);
    while (serve_once(s, p, fd, &out))
        ;
    atomic_fetch_add(&s->gone, s->open_requests);
    sl_buf_finish(&out);
    h2_peer_destroy(p);
    close(fd);
}

static void *run(void *arg)
{
    struct peer_server *s = arg;

    for (;;) {
        struct pollfd fds[] = {{.fd = s->listen_fd, .events = POLLIN},
                               {.fd = s->stop_fd, .events = POLLIN}};
        poll(fds, 2, -1);
        if (fds[1].revents != 0)
            return NULL;
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            serve_connection(s, fd);
    }
}

struct peer_server *peer_server_start(void)
{
    struct peer_server *s = calloc(1, sizeof(*s));
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(in);

    s->stop_fd = eventfd(0, EFD_CLOEXEC);
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s->listen_fd, (struct sockaddr *)&in, len) != 0 || listen(s->listen_fd, 16) != 0 ||
        getsockname(s->listen_fd, (struct sockaddr *)&in, &len) != 0)
        abort();
    snprintf(s->address, sizeof(s->address), "127.0.0.1:%u", ntohs(in.sin_port));
    if (pthread_create(&s->thread, NULL, run, s) != 0)
        abort();
    return s;
}

void peer_server_stop(struct peer_server *s)
{
    if (eventfd_write(s->stop_fd, 1) != 0)
        abort();
    pthread_join(s->thread, NULL);
    close(s->listen_fd);
    close(s->stop_fd);
    free(s);
}

const char *peer_server_address(const struct peer_server *s)
{
    return s->address;
}

size_t peer_server_connections(struct peer_server *s)
{
    return atomic_load(&s->connections);
}

size_t peer_server_requests(struct peer_server *s)
{
    return atomic_load(&s->requests);
}

size_t peer_server_resets(struct peer_server *s)
{
    return atomic_load(&s->resets);
}

int peer_server_wait_gone(struct peer_server *s, size_t count)
{
    for (int i = 0; i < 5000; i++) {
        if (atomic_load(&s->gone) >= count)
            return 1;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return 0;
}
