#include "gw_store_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const char magic[8] = "SLUMARK";

/* One block of a disk: it is there as a whole or not at all. */
struct content {
    char magic[8];
    uint64_t id;
    int64_t stored_n;
    uint64_t check; /* of the three */
};

static uint64_t check_of(const struct content *c)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < offsetof(struct content, check); i++)
        h = (h ^ ((const uint8_t *)c)[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* What is not a mark says nothing. */
static void read_content(struct gw_store_mark *m)
{
    struct content c;
    if (pread(m->fd, &c, sizeof c, 0) != (ssize_t)sizeof c ||
        memcmp(c.magic, magic, sizeof magic) != 0 || c.check != check_of(&c))
        return;
    m->id = c.id;
    m->stored_n = c.stored_n;
}

sl_status gw_store_mark_open(struct gw_store_mark *m, const char *store_path, struct sl_error *err)
{
    char path[PATH_MAX];
    *m = (struct gw_store_mark){.fd = -1};
    snprintf(path, sizeof path, "%s-mark", store_path);
    m->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (m->fd < 0) {
        sl_error_set(err, SL_REASON_INTERNAL, "cannot open %s: %s", path, strerror(errno));
        return SL_EIO;
    }
    if (flock(m->fd, LOCK_EX | LOCK_NB) != 0) {
        sl_error_set(err, SL_REASON_INTERNAL,
                     "%s is used by another gateway; a store belongs to one", store_path);
        gw_store_mark_close(m);
        return SL_EEXIST;
    }
    read_content(m);
    return SL_OK;
}

void gw_store_mark_close(struct gw_store_mark *m)
{
    if (m->fd >= 0)
        close(m->fd);
    m->fd = -1;
}

sl_status gw_store_mark_set(struct gw_store_mark *m, uint64_t id, int64_t stored_n)
{
    struct content c = {.id = id, .stored_n = stored_n};
    memcpy(c.magic, magic, sizeof magic);
    c.check = check_of(&c);
    if (pwrite(m->fd, &c, sizeof c, 0) != (ssize_t)sizeof c)
        return SL_EIO;
    m->id = id;
    m->stored_n = stored_n;
    return SL_OK;
}
