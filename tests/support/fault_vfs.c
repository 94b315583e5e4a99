#include "fault_vfs.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sl_base.h"
#include "sl_rng.h"

enum { FILES_MAX = 64, SECTOR_BYTES = 512, PATH_ROOM = 600 };

/* What is known of a path: its bytes as they were synced. */
struct image {
    char path[PATH_ROOM];
    uint8_t *bytes;
    size_t byte_count;
};

struct fault_file {
    sqlite3_file base;
    char path[PATH_ROOM];
    bool is_kept; /* its image is */
    sqlite3_file *real;
};

static struct {
    pthread_mutex_t lock;
    struct fault_vfs_plan plan;
    size_t calls, failures;
    bool is_registered;
    sqlite3_vfs vfs;
    sqlite3_vfs *system;
    struct image images[FILES_MAX];
    size_t image_count;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static sqlite3_file *real_of(sqlite3_file *f)
{
    return ((struct fault_file *)(void *)f)->real;
}

/* Is this the deed that fails? */
static bool fails(unsigned deed)
{
    pthread_mutex_lock(&state.lock);
    const struct fault_vfs_plan *p = &state.plan;
    bool is_counted = (p->deeds & deed) != 0 && p->fail_at != 0;
    if (is_counted)
        state.calls++;
    bool now =
        is_counted && (state.calls == p->fail_at || (p->keeps_failing && state.calls > p->fail_at));
    if (now)
        state.failures++;
    pthread_mutex_unlock(&state.lock);
    return now;
}

/* ---- images */

static void read_whole(const char *path, struct image *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    free(out->bytes);
    out->byte_count = size > 0 ? (size_t)size : 0;
    out->bytes = malloc(out->byte_count + 1);
    if (fd < 0)
        return;
    if (pread(fd, out->bytes, out->byte_count, 0) != size)
        abort();
    close(fd);
}

static struct image *image_of(const char *path)
{
    for (size_t i = 0; i < state.image_count; i++)
        if (strcmp(state.images[i].path, path) == 0)
            return &state.images[i];
    if (state.image_count == FILES_MAX)
        abort();
    struct image *image = &state.images[state.image_count++];
    snprintf(image->path, sizeof image->path, "%s", path);
    read_whole(path, image); /* what was there before us is on the disk */
    return image;
}

static void remember(struct fault_file *f, bool is_synced)
{
    if (!f->is_kept)
        return;
    pthread_mutex_lock(&state.lock);
    struct image *image = image_of(f->path);
    if (is_synced)
        read_whole(f->path, image);
    pthread_mutex_unlock(&state.lock);
}

/* Removals are in the file system's own journal, which every sync of any file brings to the disk. */
static void forget_image(const char *path)
{
    pthread_mutex_lock(&state.lock);
    for (size_t i = 0; i < state.image_count; i++) {
        if (strcmp(state.images[i].path, path) != 0)
            continue;
        free(state.images[i].bytes);
        state.images[i] = state.images[--state.image_count];
        state.images[state.image_count] = (struct image){.path = ""};
        break;
    }
    pthread_mutex_unlock(&state.lock);
}

static void forget_images(void)
{
    for (size_t i = 0; i < state.image_count; i++)
        free(state.images[i].bytes);
    memset(state.images, 0, sizeof state.images);
    state.image_count = 0;
}

/* Sectors of what the file has now come through, each by chance. */
static void write_back(const struct image *image, struct sl_rng *rng)
{
    struct image now = {.path = ""};
    read_whole(image->path, &now);
    int fd = open(image->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, image->bytes, image->byte_count) != (ssize_t)image->byte_count)
        abort();
    for (size_t at = 0; rng != NULL && at < now.byte_count; at += SECTOR_BYTES) {
        size_t n = now.byte_count - at < SECTOR_BYTES ? now.byte_count - at : SECTOR_BYTES;
        if (sl_rng_below(rng, 2) == 0 && pwrite(fd, now.bytes + at, n, (off_t)at) != (ssize_t)n)
            abort();
    }
    close(fd);
    free(now.bytes);
}

void fault_vfs_cut_power(uint64_t seed)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, seed);
    for (size_t i = 0; i < state.image_count; i++)
        write_back(&state.images[i], seed != 0 ? &rng : NULL);
    forget_images();
}

/* ---- a file */

static int file_close(sqlite3_file *f)
{
    struct fault_file *file = (struct fault_file *)(void *)f;
    int rc = file->real->pMethods != NULL ? file->real->pMethods->xClose(file->real) : SQLITE_OK;
    free(file->real);
    return rc;
}

static int file_read(sqlite3_file *f, void *bytes, int count, sqlite3_int64 at)
{
    if (fails(FAULT_READ))
        return SQLITE_IOERR_READ;
    return real_of(f)->pMethods->xRead(real_of(f), bytes, count, at);
}

static int file_write(sqlite3_file *f, const void *bytes, int count, sqlite3_int64 at)
{
    sqlite3_file *real = real_of(f);
    if (!fails(FAULT_WRITE))
        return real->pMethods->xWrite(real, bytes, count, at);
    if (state.plan.tears)
        real->pMethods->xWrite(real, bytes, count / 2, at);
    return state.plan.is_full ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 count)
{
    if (fails(FAULT_TRUNCATE))
        return SQLITE_IOERR_TRUNCATE;
    return real_of(f)->pMethods->xTruncate(real_of(f), count);
}

static int file_sync(sqlite3_file *f, int flags)
{
    if (fails(FAULT_SYNC))
        return SQLITE_IOERR_FSYNC;
    int rc = real_of(f)->pMethods->xSync(real_of(f), flags);
    if (rc == SQLITE_OK)
        remember((struct fault_file *)(void *)f, true);
    return rc;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *out)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), out);
}

static int file_lock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int file_unlock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int file_check_lock(sqlite3_file *f, int *out)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int file_control(sqlite3_file *f, int op, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int file_sector(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int file_traits(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int file_shm_map(sqlite3_file *f, int page, int bytes, int extends, void volatile **out)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), page, bytes, extends, out);
}

static int file_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags);
}

static void file_shm_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int file_shm_unmap(sqlite3_file *f, int deletes)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), deletes);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* As methods; version 1 has no shared memory. */
static sqlite3_io_methods methods_without_shm;

/* ---- the file system */

static int vfs_open(sqlite3_vfs *v SL_UNUSED, sqlite3_filename name, sqlite3_file *f, int flags,
                    int *out_flags)
{
    struct fault_file *file = (struct fault_file *)(void *)f;
    int wanted = flags;
    *file = (struct fault_file){0};
    if (fails(FAULT_OPEN))
        return SQLITE_CANTOPEN;
    if (state.plan.is_read_only && (flags & SQLITE_OPEN_MAIN_DB) != 0)
        wanted = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
    file->real = calloc(1, (size_t)state.system->szOsFile);
    int rc = state.system->xOpen(state.system, name, file->real, wanted, out_flags);
    if (rc != SQLITE_OK) {
        free(file->real);
        return rc;
    }
    file->base.pMethods = state.plan.has_no_shm ? &methods_without_shm : &methods;
    file->is_kept = name != NULL && state.plan.remembers;
    if (name != NULL)
        snprintf(file->path, sizeof file->path, "%s", name);
    remember(file, false);
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *v SL_UNUSED, const char *name, int syncs)
{
    if (fails(FAULT_DELETE))
        return SQLITE_IOERR_DELETE;
    forget_image(name);
    return state.system->xDelete(state.system, name, syncs);
}

/* Once: the system's own, but for opening and deleting. */
static void register_once(void)
{
    if (state.is_registered)
        return;
    methods_without_shm = methods;
    methods_without_shm.iVersion = 1;
    state.system = sqlite3_vfs_find(NULL);
    state.vfs = *state.system;
    state.vfs.zName = FAULT_VFS_NAME;
    state.vfs.szOsFile = (int)sizeof(struct fault_file);
    state.vfs.pNext = NULL;
    state.vfs.xOpen = vfs_open;
    state.vfs.xDelete = vfs_delete;
    if (sqlite3_vfs_register(&state.vfs, 0) != SQLITE_OK)
        abort();
    state.is_registered = true;
}

bool fault_vfs_start(const struct fault_vfs_plan *plan)
{
    register_once();
    bool is_over = plan->fail_at > 1 && state.failures == 0;
    forget_images();
    pthread_mutex_lock(&state.lock);
    state.plan = *plan;
    state.calls = state.failures = 0;
    pthread_mutex_unlock(&state.lock);
    return !is_over;
}

void fault_vfs_stop(void)
{
    pthread_mutex_lock(&state.lock);
    state.plan.fail_at = 0;
    state.plan.is_read_only = false;
    pthread_mutex_unlock(&state.lock);
}

size_t fault_vfs_failures(void)
{
    return state.failures;
}
