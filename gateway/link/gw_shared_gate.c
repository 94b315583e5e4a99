/* gw_shared_gate.c - where nodes of this host come for shared memory. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gw_shared.h"
#include "sl_fdpass.h"
#include "sl_log.h"

enum { ACCEPTS_MAX = 16 };

void gw_shared_gate_open(struct gw_shared_gate *g, const char *endpoint)
{
    static const char scheme[] = "ipc://";
    const char *path = endpoint + sizeof scheme - 1;
    *g = (struct gw_shared_gate){.listener = -1};
    if (strncmp(endpoint, scheme, sizeof scheme - 1) != 0 || path[0] != '/')
        return;
    const int len = snprintf(g->path, sizeof g->path, "%s.fds", path);
    sl_status s = SL_ETOOBIG;
    if (len > 0 && (size_t)len < sizeof g->path)
        s = sl_fdpass_listen(g->path, &g->listener);
    if (s == SL_OK)
        return;
    g->listener = -1;
    sl_log(SL_LOG_WARN, "no shared memory with executors: payloads go through sockets",
           SL_S("path", g->path), SL_S("why", sl_status_text(s)));
}

void gw_shared_gate_close(struct gw_shared_gate *g)
{
    while (g->guest_count > 0)
        close(g->guests[--g->guest_count]);
    if (g->listener < 0)
        return;
    close(g->listener);
    (void)unlink(g->path);
    g->listener = -1;
}

static int remove_guest(struct gw_shared_gate *g, size_t i)
{
    const int fd = g->guests[i];
    g->guest_count--;
    memmove(&g->guests[i], &g->guests[i + 1], (g->guest_count - i) * sizeof g->guests[0]);
    return fd;
}

/* When there are too many that say nothing, the one that has been silent for longest goes. */
static void admit(struct gw_shared_gate *g, int fd, unsigned *bad)
{
    if (g->guest_count == GW_SHARED_GUESTS_MAX) {
        close(remove_guest(g, 0));
        ++*bad;
    }
    g->guests[g->guest_count++] = fd;
}

static void accept_all(struct gw_shared_gate *g, unsigned *bad)
{
    int fd;
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        const sl_status s = sl_fdpass_accept(g->listener, &fd);
        if (s == SL_OK)
            admit(g, fd, bad);
        else if (s == SL_EPROTO)
            ++*bad; /* another user's */
        else
            return;
    }
}

/* A guest's first packet is its session, without a descriptor. Errors: SL_EAGAIN; SL_EPROTO: it is to
 * leave. */
static sl_status ask(int guest, uint64_t *out_session, unsigned *bad)
{
    int fd;
    const sl_status s = sl_fdpass_receive(guest, out_session, &fd);
    if (s == SL_OK && fd < 0)
        return SL_OK;
    if (fd >= 0)
        close(fd);
    if (s == SL_EAGAIN)
        return s;
    *bad += s != SL_ENOENT;
    return SL_EPROTO;
}

bool gw_shared_gate_next(struct gw_shared_gate *g, uint64_t *out_session, int *out_fd,
                         unsigned *bad)
{
    if (g->listener < 0)
        return false;
    accept_all(g, bad);
    for (size_t i = 0; i < g->guest_count;) {
        const sl_status s = ask(g->guests[i], out_session, bad);
        if (s == SL_EAGAIN) {
            i++;
            continue;
        }
        *out_fd = remove_guest(g, i);
        if (s == SL_OK)
            return true;
        close(*out_fd);
    }
    return false;
}
