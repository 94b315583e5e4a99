#include "sl_log_out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES_MAX = 1000, STEP_MS = 20 };
enum kind { WAITS, IS_ASKED_FIRST, NEVER_WAITS, IS_SOCKET };

static struct {
    int fd;
    enum kind kind;
    atomic_bool is_stuck;
    atomic_uint lost;
} out = {.fd = STDERR_FILENO};

static void open_anew(void)
{
    int fd = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    out.kind = fd >= 0 ? NEVER_WAITS : IS_ASKED_FIRST; /* another user's, say */
    if (fd >= 0)
        out.fd = fd;
}

void sl_log_out_open(void)
{
    struct stat st;
    if (out.fd != STDERR_FILENO)
        close(out.fd);
    out.fd = STDERR_FILENO;
    out.kind = WAITS;
    atomic_store(&out.is_stuck, false);
    if (fstat(STDERR_FILENO, &st) != 0 || S_ISREG(st.st_mode))
        return;
    if (S_ISSOCK(st.st_mode))
        out.kind = IS_SOCKET;
    else
        open_anew();
}

static bool takes_more(int wait_ms)
{
    struct pollfd p = {.fd = out.fd, .events = POLLOUT};
    return poll(&p, 1, wait_ms) == 1;
}

/* false: not now. What fails for good is lost like what is written to a terminal that is gone. */
static bool write_now(const char *text, size_t len)
{
    ssize_t n;
    if (out.kind == IS_ASKED_FIRST && !takes_more(0))
        return false;
    do
        n = out.kind == IS_SOCKET ? send(out.fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL)
                                  : write(out.fd, text, len);
    while (n < 0 && errno == EINTR);
    return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* Room that is there may be another thread's, or another program's, a moment later. */
static bool wait_and_write(const char *text, size_t len)
{
    int waited_ms = 0;
    for (int tries = 0; tries < TRIES_MAX && waited_ms < SL_LOG_PATIENCE_MS; tries++) {
        if (!takes_more(STEP_MS))
            waited_ms += STEP_MS;
        else if (write_now(text, len))
            return true;
    }
    return false;
}

bool sl_log_out_write(const char *text, size_t len, unsigned lines)
{
    bool is_stuck = atomic_load_explicit(&out.is_stuck, memory_order_relaxed);
    bool is_written = write_now(text, len) || (!is_stuck && wait_and_write(text, len));
    if (is_written == is_stuck)
        atomic_store_explicit(&out.is_stuck, !is_written, memory_order_relaxed);
    if (!is_written)
        atomic_fetch_add_explicit(&out.lost, lines, memory_order_relaxed);
    return is_written;
}

unsigned sl_log_out_take_lost(void)
{
    return atomic_exchange_explicit(&out.lost, 0, memory_order_relaxed);
}
