#include "ex_journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sl_alloc.h"
#include "sl_text.h"
#include "sl_time.h"

static const char file_name[] = "leases.journal";

enum { LOCK_TRIES = 100, LOCK_PAUSE_MS = 20 };

static sl_status fail(struct sl_error *err, const char *what, const char *dir)
{
    sl_error_set(err, SL_REASON_INTERNAL, "%s %s/%s: %s", what, dir, file_name, strerror(errno));
    return SL_EIO;
}

static int open_file(const char *dir, int flags)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, file_name) < sizeof(path))
        return open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    errno = ENAMETOOLONG;
    return -1;
}

/* Room on the disk for all of it: a page that cannot be written would end the process. */
static sl_status take_room(const char *dir, uint32_t max, struct ex_journal_file *f,
                           struct sl_error *err)
{
    struct stat st;
    if (fstat(f->fd, &st) != 0)
        return fail(err, "cannot look at", dir);
    f->bytes = ex_journal_bytes(max);
    if (st.st_size > 0 && (size_t)st.st_size > f->bytes)
        f->bytes = (size_t)st.st_size;
    errno = posix_fallocate(f->fd, 0, (off_t)f->bytes);
    return errno == 0 ? SL_OK : fail(err, "no room for", dir);
}

/* A worker on its way has the lock of the executor that forked it until its exec, also when that executor was killed
 * meanwhile: some milliseconds, or more on a machine that is busy. */
static bool take_lock(int fd)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * SL_NS_PER_MS};
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

static sl_status take_file(const char *dir, uint32_t max, struct ex_journal_file *f,
                           struct sl_error *err)
{
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return fail(err, "cannot make the directory of", dir);
    f->fd = open_file(dir, O_RDWR | O_CREAT);
    if (f->fd < 0)
        return fail(err, "cannot open", dir);
    if (!take_lock(f->fd)) {
        sl_error_set(err, SL_REASON_INTERNAL,
                     "another executor has %s/%s: each needs a state directory of its own", dir,
                     file_name);
        return SL_EIO;
    }
    return take_room(dir, max, f, err);
}

static sl_status map_it(const char *dir, struct ex_journal_file *f, struct sl_error *err)
{
    const int flags = MAP_SHARED | (f->fd < 0 ? MAP_ANONYMOUS : 0);
    void *map = mmap(NULL, f->bytes, PROT_READ | PROT_WRITE, flags, f->fd, 0);
    if (map == MAP_FAILED)
        return fail(err, "cannot map", dir);
    f->map = map;
    return SL_OK;
}

sl_status ex_journal_file_open(const char *dir, uint32_t max, struct ex_journal_file *out,
                               struct sl_error *err)
{
    struct ex_journal_file f = {.fd = -1, .bytes = ex_journal_bytes(max)};
    sl_status st = dir[0] != '\0' ? take_file(dir, max, &f, err) : SL_OK;
    if (st == SL_OK)
        st = map_it(dir, &f, err);
    if (st == SL_OK)
        *out = f;
    else
        ex_journal_file_close(&f);
    return st;
}

void ex_journal_file_close(struct ex_journal_file *f)
{
    if (f->map)
        munmap(f->map, f->bytes);
    if (f->fd >= 0)
        close(f->fd);
    *f = (struct ex_journal_file){.fd = -1};
}

/* ---- the journal in it */

static uint64_t random_id(void)
{
    uint64_t id = 0;
    while (id == 0) {
        if (getrandom(&id, sizeof(id), 0) != sizeof(id))
            id = 0;
    }
    return id;
}

/* The first half of the kernel's UUID of this boot; 0 where it tells none. */
static uint64_t boot_id(void)
{
    char text[SL_UUID_TEXT_LEN + 1] = "";
    uint8_t uuid[16];
    uint64_t id = 0;
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (!f)
        return 0;
    const bool is_read = fgets(text, sizeof(text), f) != NULL;
    fclose(f);
    if (!is_read || !sl_text_read_uuid(sl_span_str(text), uuid))
        return 0;
    for (size_t i = 0; i < 8; i++)
        id = id << 8 | uuid[i];
    return id;
}

sl_status ex_journal_file_journal(const struct ex_journal_file *f, uint32_t max,
                                  struct ex_journal **out, struct sl_error *err)
{
    const struct ex_journal_conf conf = {.max = max, .fresh_id = random_id(), .boot = boot_id()};
    const sl_status st = ex_journal_create(&sl_alloc_malloc, f->map, f->bytes, &conf, out);
    if (st == SL_EPROTO)
        sl_error_set(err, SL_REASON_INTERNAL,
                     "%s in the state directory is no journal of this version: move it away, and "
                     "what it has not told a gateway is never told",
                     file_name);
    else if (st != SL_OK)
        sl_error_set(err, SL_REASON_INTERNAL, "no memory for the journal of leases");
    return st;
}

static sl_status read_map(int fd, const char *dir, struct ex_journal_totals *out,
                          struct sl_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail(err, "cannot look at", dir);
    const size_t bytes = (size_t)st.st_size;
    void *map = bytes > 0 ? mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    const sl_status read = map == MAP_FAILED ? SL_EPROTO : ex_journal_read(map, bytes, out);
    if (map != MAP_FAILED)
        munmap(map, bytes);
    if (read != SL_OK)
        sl_error_set(err, SL_REASON_INTERNAL, "%s/%s is no journal of this version", dir,
                     file_name);
    return read;
}

sl_status ex_journal_file_read(const char *dir, struct ex_journal_totals *out, struct sl_error *err)
{
    const int fd = open_file(dir, O_RDONLY);
    if (fd < 0)
        return fail(err, "cannot open", dir);
    const sl_status st = read_map(fd, dir, out, err);
    close(fd);
    return st;
}
