/* sluice_conn.c - one connection: waiting, reading, writing. */
#include "sluice_conn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sl_clock.h"

void sluice_conn_init(struct sluice_conn *c)
{
    *c = (struct sluice_conn){.fd = -1};
}

void sluice_conn_close(struct sluice_conn *c)
{
    sluice_tls_destroy(c->tls);
    if (c->fd >= 0)
        close(c->fd);
    sluice_h2_destroy(c->h2);
    free(c->in);
    sluice_conn_init(c);
}

static ssize_t send_some(struct sluice_conn *c, const struct iovec *pieces, size_t count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = count};

    if (c->tls != NULL)
        return sluice_tls_write(c->tls, pieces, count);
    return sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static ssize_t receive_some(struct sluice_conn *c)
{
    if (c->tls != NULL)
        return sluice_tls_read(c->tls, c->in, SLUICE_CONN_READ_BYTES);
    return recv(c->fd, c->in, SLUICE_CONN_READ_BYTES, MSG_DONTWAIT);
}

enum sluice_turn sluice_conn_flush(struct sluice_conn *c)
{
    while (!c->is_write_broken) {
        const struct iovec *pieces;
        size_t count;
        sl_status s = sluice_h2_output(c->h2, &pieces, &count);
        if (s != SL_OK)
            return s == SL_ENOMEM ? SLUICE_TURN_MEMORY : SLUICE_TURN_PROTOCOL;
        if (count == 0)
            return SLUICE_TURN_OK;
        ssize_t n = send_some(c, pieces, count);
        if (n >= 0)
            sluice_h2_sent(c->h2, (size_t)n);
        else if (errno == EAGAIN)
            return SLUICE_TURN_OK;
        else if (errno != EINTR)
            c->is_write_broken = true;
    }
    return SLUICE_TURN_OK;
}

/* One read. *out_more: the socket may hold more. */
static enum sluice_turn read_some(struct sluice_conn *c, bool *out_more)
{
    ssize_t n = receive_some(c);

    *out_more = n > SLUICE_CONN_READ_BYTES - SLUICE_TLS_RECORD_BYTES;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return SLUICE_TURN_OK;
    if (n <= 0)
        return SLUICE_TURN_LOST;
    sl_status s = sluice_h2_receive(c->h2, sl_span_of(c->in, (size_t)n));
    if (s == SL_OK)
        return SLUICE_TURN_OK;
    return s == SL_ENOMEM ? SLUICE_TURN_MEMORY : SLUICE_TURN_PROTOCOL;
}

/* Nanoseconds left, as ppoll wants them; NULL: for ever. */
static const struct timespec *time_left(sl_mono_ns deadline, struct timespec *out)
{
    if (deadline == SL_MONO_NEVER)
        return NULL;
    int64_t left = deadline - sl_clock_mono(&sl_clock_real);
    if (left < 0)
        left = 0;
    *out = (struct timespec){.tv_sec = left / SL_NS_PER_S, .tv_nsec = left % SL_NS_PER_S};
    return out;
}

enum sluice_turn sluice_conn_turn(struct sluice_conn *c, sl_mono_ns deadline, int cancel_fd)
{
    struct timespec left;
    bool more;
    enum sluice_turn turn = sluice_conn_flush(c);
    if (turn != SLUICE_TURN_OK)
        return turn;

    bool has_output = !c->is_write_broken && sluice_h2_has_output(c->h2);
    struct pollfd fds[] = {{.fd = c->fd, .events = (short)(POLLIN | (has_output ? POLLOUT : 0))},
                           {.fd = cancel_fd, .events = POLLIN}};
    int n = ppoll(fds, SL_ARRAY_LEN(fds), time_left(deadline, &left), NULL);
    if (n < 0)
        return errno == EINTR ? SLUICE_TURN_OK : SLUICE_TURN_MEMORY;
    if (fds[1].revents != 0)
        return SLUICE_TURN_CANCELLED;
    if (n == 0)
        return SLUICE_TURN_DEADLINE;
    return (fds[0].revents & ~POLLOUT) != 0 ? read_some(c, &more) : SLUICE_TURN_OK;
}

bool sluice_conn_is_fit(struct sluice_conn *c)
{
    enum { READS_MAX = 64 }; /* nothing large can be waiting: no call is open */
    bool more = true;

    if (c->fd < 0 || c->is_write_broken)
        return false;
    for (int i = 0; i < READS_MAX && more; i++) {
        if (read_some(c, &more) != SLUICE_TURN_OK)
            return false;
    }
    return sluice_h2_is_usable(c->h2);
}
