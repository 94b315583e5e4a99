/* gw_secret_file.c - open, look, read; write aside, sync, rename. */
#include "gw_secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static sl_status fail(struct sl_error *err, sl_status s, const char *path, const char *what)
{
    sl_error_set(err, SL_REASON_INTERNAL, "%s: %s", path, what);
    return s;
}

static bool join(char out[PATH_MAX], const char *dir, const char *name, const char *end)
{
    return snprintf(out, PATH_MAX, "%s/%s%s", dir, name, end) < PATH_MAX;
}

sl_status gw_secret_dir(const char *path, struct sl_error *err)
{
    struct stat st;
    if (mkdir(path, S_IRWXU) != 0 && errno != EEXIST)
        return fail(err, SL_EIO, path, strerror(errno));
    if (stat(path, &st) != 0)
        return fail(err, SL_EIO, path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return fail(err, SL_EINVAL, path, "it is no directory");
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return fail(err, SL_EINVAL, path,
                    "others may write into it; chmod 700 it, and look at what is there");
    return SL_OK;
}

/* NULL: it may be read as a secret. */
static const char *fault_of(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return strerror(errno);
    if (!S_ISREG(st.st_mode))
        return "it is no regular file";
    return (st.st_mode & (S_IRWXG | S_IRWXO)) != 0
               ? "its group or others can use it; chmod 600 it, and think of it as known to them"
               : NULL;
}

/* One byte more than fits tells that it is too long. */
static ssize_t read_all(int fd, char *out, size_t capacity)
{
    size_t len = 0;
    ssize_t n = 1;
    char extra;
    while (len < capacity && (n = read(fd, out + len, capacity - len)) > 0)
        len += (size_t)n;
    if (n > 0 && len == capacity && read(fd, &extra, 1) > 0)
        return (ssize_t)capacity + 1;
    return n < 0 ? -1 : (ssize_t)len;
}

sl_status gw_secret_file_read(const char *dir, const char *name, char *out, size_t capacity,
                              size_t *out_len, struct sl_error *err)
{
    char path[PATH_MAX];
    if (!join(path, dir, name, ""))
        return fail(err, SL_EIO, name, strerror(ENAMETOOLONG));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? SL_ENOENT : fail(err, SL_EIO, path, strerror(errno));
    const char *fault = fault_of(fd);
    ssize_t n = fault == NULL ? read_all(fd, out, capacity) : 0;
    int error = errno;
    close(fd);
    if (fault != NULL)
        return fail(err, SL_EINVAL, path, fault);
    if (n < 0)
        return fail(err, SL_EIO, path, strerror(error));
    if ((size_t)n > capacity)
        return fail(err, SL_ETOOBIG, path, "it is longer than such a file is");
    *out_len = (size_t)n;
    return SL_OK;
}

static bool write_all(int fd, struct sl_span content)
{
    while (content.len > 0) {
        ssize_t n = write(fd, content.data, content.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        content = sl_span_of(content.data + n, content.len - (size_t)n);
    }
    return fsync(fd) == 0;
}

/* The name is on disk when its directory is. */
static bool sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = fsync(fd) == 0;
    close(fd);
    return ok;
}

static bool write_aside(const char *path, struct sl_span content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return false;
    bool ok = fchmod(fd, S_IRUSR | S_IWUSR) == 0 && write_all(fd, content);
    return close(fd) == 0 && ok;
}

sl_status gw_secret_file_write(const char *dir, const char *name, struct sl_span content,
                               struct sl_error *err)
{
    char path[PATH_MAX], aside[PATH_MAX];
    if (!join(path, dir, name, "") || !join(aside, dir, name, ".new"))
        return fail(err, SL_EIO, name, strerror(ENAMETOOLONG));
    if (write_aside(aside, content) && rename(aside, path) == 0 && sync_dir(dir))
        return SL_OK;
    int error = errno;
    unlink(aside);
    return fail(err, SL_EIO, path, strerror(error));
}
