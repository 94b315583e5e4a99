#include "gw_sign_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static sl_status complain(struct sl_error *error, sl_status s, const char *path, const char *verb,
                          const char *why)
{
    sl_error_set(error, s == SL_EIO ? SL_REASON_INTERNAL : SL_REASON_BAD_INPUT,
                 "'%s' cannot be %s: %s", path, verb, why);
    return s;
}

/* ---- reading ---- */

static sl_status check(int fd, const char *path, size_t room, struct sl_error *error)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return complain(error, SL_EINVAL, path, "used", "it is no regular file");
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return complain(error, SL_EINVAL, path, "used",
                        "its group or others may read it; chmod 600");
    if ((uintmax_t)st.st_size > room)
        return complain(error, SL_ETOOBIG, path, "used", "it is too long");
    return SL_OK;
}

sl_status gw_sign_file_read(const char *path, char *out, size_t room, size_t *out_len,
                            struct sl_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return complain(error, errno == ENOENT ? SL_ENOENT : SL_EIO, path, "read", strerror(errno));
    sl_status s = check(fd, path, room, error);
    size_t len = 0;
    for (ssize_t n = 1; s == SL_OK && n > 0 && len < room;) {
        n = read(fd, out + len, room - len);
        if (n < 0)
            s = complain(error, SL_EIO, path, "read", strerror(errno));
        else
            len += (size_t)n;
    }
    close(fd);
    *out_len = len;
    return s;
}

/* ---- writing ---- */

static bool write_all(int fd, struct sl_span text)
{
    for (size_t at = 0; at < text.len;) {
        ssize_t n = write(fd, text.data + at, text.len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        at += (size_t)n;
    }
    return fsync(fd) == 0;
}

static bool write_new(const char *path, struct sl_span text)
{
    unlink(path); /* of a crash; never written into */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return false;
    bool ok = write_all(fd, text);
    return close(fd) == 0 && ok;
}

/* The name itself is durable only when its directory is. */
static void sync_directory(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(dir, sizeof dir, "%.*s", slash == NULL ? 1 : (int)(slash - path + 1),
             slash == NULL ? "." : path);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

sl_status gw_sign_file_write(const char *path, struct sl_span text, struct sl_error *error)
{
    char fresh[PATH_MAX];
    if ((size_t)snprintf(fresh, sizeof fresh, "%s.new", path) >= sizeof fresh)
        return complain(error, SL_EIO, path, "written", strerror(ENAMETOOLONG));
    if (!write_new(fresh, text) || rename(fresh, path) != 0) {
        complain(error, SL_EIO, path, "written", strerror(errno));
        unlink(fresh);
        return SL_EIO;
    }
    sync_directory(path);
    return SL_OK;
}
