/* ex_worker_proto.c - control messages between supervisor and worker, and the doorbells. */
#include "ex_worker_proto.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sl_fdpass.h"
#include "sl_span.h"
#include "sl_text.h"

struct head {
    uint32_t kind;
    uint32_t text_bytes;
    uint32_t segment;
    uint32_t zero;
    uint64_t bytes;
};
_Static_assert(sizeof(struct head) == EX_WORKER_MESSAGE_HEAD_BYTES, "as documented");

/* ---- sending */

sl_status ex_worker_send(int control, const struct ex_worker_message *m)
{
    union sl_fdpass_room room;
    struct head head = {
        .kind = m->kind,
        .text_bytes = (uint32_t)strnlen(m->text, EX_WORKER_TEXT_MAX),
        .segment = m->segment,
        .bytes = m->bytes,
    };
    struct iovec parts[2] = {{&head, sizeof(head)}, {(void *)(uintptr_t)m->text, head.text_bytes}};
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};
    if (m->fd >= 0)
        sl_fdpass_attach(&msg, &room, m->fd);
    ssize_t n;
    do {
        n = sendmsg(control, &msg, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n >= 0)
        return SL_OK;
    return errno == EAGAIN || errno == EWOULDBLOCK ? SL_EAGAIN : SL_EIO;
}

sl_status ex_worker_send_text(int control, enum ex_worker_kind kind, const char *text)
{
    struct ex_worker_message m = {.kind = kind, .fd = -1};
    const size_t len = strnlen(text, EX_WORKER_TEXT_MAX);
    memcpy(m.text, text, len);
    return ex_worker_send(control, &m);
}

sl_status ex_worker_send_segment(int control, uint32_t segment, int fd, uint64_t bytes)
{
    const struct ex_worker_message m = {
        .kind = EX_WORKER_SEGMENT, .segment = segment, .bytes = bytes, .fd = fd};
    return ex_worker_send(control, &m);
}

/* ---- receiving */

/* The descriptor beside a message, or -1. All others are closed. */
static int take_fd(struct msghdr *msg)
{
    int kept = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
            if (kept >= 0)
                close(kept);
            kept = fd;
        }
    }
    return kept;
}

static bool is_message(const struct head *head, size_t packet_bytes, int flags,
                       const struct ex_worker_message *m)
{
    if ((flags & (MSG_TRUNC | MSG_CTRUNC)) || packet_bytes < sizeof(*head) ||
        packet_bytes - sizeof(*head) != head->text_bytes)
        return false;
    if (head->kind < EX_WORKER_LOADED || head->kind > EX_WORKER_STOP || head->zero != 0)
        return false;
    if ((head->kind == EX_WORKER_SEGMENT) != (m->fd >= 0))
        return false;
    return sl_text_is_utf8(sl_span_of(m->text, head->text_bytes));
}

sl_status ex_worker_receive(int control, struct ex_worker_message *out)
{
    union sl_fdpass_room room;
    struct head head;
    struct iovec parts[2] = {{&head, sizeof(head)}, {out->text, EX_WORKER_TEXT_MAX}};
    struct msghdr msg = {.msg_iov = parts,
                         .msg_iovlen = 2,
                         .msg_control = room.room,
                         .msg_controllen = CMSG_LEN(sizeof(int))}; /* more are cut, and said */
    ssize_t n;
    do {
        n = recvmsg(control, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return SL_EAGAIN;
    if (n <= 0)
        return n == 0 || errno == ECONNRESET ? SL_ENOENT : SL_EIO;
    out->fd = take_fd(&msg);
    if (!is_message(&head, (size_t)n, msg.msg_flags, out)) {
        if (out->fd >= 0)
            close(out->fd);
        out->fd = -1;
        return SL_EPROTO;
    }
    out->kind = (enum ex_worker_kind)head.kind;
    out->segment = head.segment;
    out->bytes = head.bytes;
    out->text[head.text_bytes] = 0;
    return SL_OK;
}

/* ---- doorbells */

void ex_worker_ring_bell(int bell)
{
    /* Fails only when the counter is full: then it rings already. */
    (void)eventfd_write(bell, 1);
}

void ex_worker_clear_bell(int bell)
{
    eventfd_t count;
    /* Fails only when it was not rung. */
    (void)eventfd_read(bell, &count);
}
