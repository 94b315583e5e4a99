#include "sl_key.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 256 };

/* The alphabet in its order, and white space, as strspn wants them. */
static const char alphabet[] =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
static const char blank[] = " \t\r\n";

bool sl_key_is_text(const char *text)
{
    return strlen(text) == SL_KEY_TEXT_LEN && strspn(text, alphabet) == SL_KEY_TEXT_LEN;
}

bool sl_key_is_same(const struct sl_key *a, const struct sl_key *b)
{
    return memcmp(a->text, b->text, SL_KEY_TEXT_LEN) == 0;
}

void sl_key_erase(struct sl_key *key)
{
    explicit_bzero(key, sizeof(*key));
}

static sl_status complain(struct sl_error *err, const char *path, const char *why)
{
    sl_error_set(err, SL_REASON_BAD_INPUT, "key file '%s' %s", path, why);
    return SL_EINVAL;
}

static sl_status check_mode(int fd, const char *path, bool is_secret, struct sl_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return complain(err, path, "is not a regular file");
    if (is_secret && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        sl_error_set(err, SL_REASON_BAD_INPUT,
                     "key file '%s' has mode %04o, so that others than its owner may use it; a "
                     "secret key's file must have mode 0600 (chmod 600)",
                     path, (unsigned)st.st_mode & 07777);
        return SL_EINVAL;
    }
    return SL_OK;
}

/* The text between white space; NUL bytes end it early and so make it too short. */
static sl_status take_key(char text[FILE_MAX + 1], const char *path, struct sl_key *out,
                          struct sl_error *err)
{
    char *key = text + strspn(text, blank);
    size_t len = strcspn(key, blank);
    if (key[len + strspn(key + len, blank)] != '\0')
        return complain(err, path, "holds more than a key");
    key[len] = '\0';
    if (!sl_key_is_text(key))
        return complain(err, path, "holds no key, which is 40 characters of Z85");
    memcpy(out->text, key, sizeof(out->text));
    return SL_OK;
}

static sl_status read_file(const char *path, bool is_secret, struct sl_key *out,
                           struct sl_error *err)
{
    char text[FILE_MAX + 1] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        sl_error_set(err, SL_REASON_BAD_INPUT, "key file '%s' cannot be read: %s", path,
                     strerror(errno));
        return SL_EINVAL;
    }
    sl_status s = check_mode(fd, path, is_secret, err);
    ssize_t n = s == SL_OK ? read(fd, text, FILE_MAX) : 0;
    close(fd);
    if (s == SL_OK)
        s = n < 0 ? complain(err, path, "cannot be read") : take_key(text, path, out, err);
    explicit_bzero(text, sizeof(text));
    return s;
}

sl_status sl_key_read_public(const char *text, struct sl_key *out, struct sl_error *err)
{
    if (!sl_key_is_text(text))
        return read_file(text, false, out, err);
    memcpy(out->text, text, sizeof(out->text));
    return SL_OK;
}

sl_status sl_key_read_secret(const char *path, struct sl_key *out, struct sl_error *err)
{
    return read_file(path, true, out, err);
}
