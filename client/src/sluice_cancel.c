/* sluice_cancel.c - a switch that any thread or signal handler may turn: an eventfd. */
#include "sluice_cancel.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct sluice_cancel {
    int fd;
};

int sluice_cancel_create(struct sluice_cancel **out)
{
    struct sluice_cancel *c = malloc(sizeof(*c));

    *out = NULL;
    if (c == NULL)
        return SLUICE_RESOURCE_EXHAUSTED;
    c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->fd < 0) {
        free(c);
        return SLUICE_RESOURCE_EXHAUSTED;
    }
    *out = c;
    return SLUICE_OK;
}

void sluice_cancel_destroy(struct sluice_cancel *cancel)
{
    if (cancel == NULL)
        return;
    close(cancel->fd);
    free(cancel);
}

void sluice_cancel_trigger(struct sluice_cancel *cancel)
{
    int saved = errno; /* a signal handler must not change it */
    uint64_t one = 1;
    ssize_t n = write(cancel->fd, &one, sizeof(one));
    (void)n; /* EAGAIN: triggered 2^64 - 2 times already, so it is on */
    errno = saved;
}

void sluice_cancel_reset(struct sluice_cancel *cancel)
{
    uint64_t count;
    ssize_t n = read(cancel->fd, &count, sizeof(count));
    (void)n; /* EAGAIN: it was off */
}

int sluice_cancel_fd(const struct sluice_cancel *cancel)
{
    return cancel != NULL ? cancel->fd : -1;
}
