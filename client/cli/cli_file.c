/* cli_file.c - whole files in memory, and secrets into files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* Reads f to its end. NULL, or what is wrong. */
static const char *read_stream(FILE *f, size_t max_bytes, char **out, size_t *out_len)
{
    size_t capacity = 64 * 1024;
    size_t len = 0;
    char *bytes = malloc(capacity);

    while (bytes != NULL) {
        len += fread(bytes + len, 1, capacity - 1 - len, f);
        if (len < capacity - 1 || len > max_bytes)
            break;
        char *more = realloc(bytes, capacity * 2);
        if (more == NULL) {
            free(bytes);
            bytes = NULL;
            break;
        }
        bytes = more;
        capacity *= 2;
    }
    if (bytes == NULL)
        return "no memory for it";
    if (ferror(f) || len > max_bytes) {
        free(bytes);
        return len > max_bytes ? "it is too large" : "it cannot be read";
    }
    bytes[len] = '\0';
    *out = bytes;
    *out_len = len;
    return NULL;
}

const char *cli_read_file(const char *path, size_t max_bytes, char **out, size_t *out_len)
{
    FILE *f = fopen(path, "rbe");
    if (f == NULL)
        return strerror(errno);
    const char *wrong = read_stream(f, max_bytes, out, out_len);
    fclose(f);
    return wrong;
}

const char *cli_secret_open(const char *path, int *out_fd)
{
    *out_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*out_fd >= 0)
        return NULL;
    return errno == EEXIST ? "it is there already, and is not overwritten" : strerror(errno);
}

const char *cli_secret_write(int fd, const char *text)
{
    size_t len = strlen(text);

    errno = ENOSPC; /* what a write that takes less means */
    bool ok = write(fd, text, len) == (ssize_t)len && write(fd, "\n", 1) == 1 && fsync(fd) == 0;
    const char *wrong = ok ? NULL : strerror(errno);

    close(fd);
    return wrong;
}
