/* gw_keygen.c - makes the keys, writes each into a file that was not there before. */
#include "gw_keygen.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw_link_keygen.h"

enum { EXIT_USAGE = 2 };

static const char usage[] = "usage: sluice-gateway keygen [--out DIR|FILE]\n"
                            "\n"
                            "Makes a pair of keys for the link between gateway and executors: "
                            "FILE.public, which the other\n"
                            "end is given, and FILE.secret, which stays on this machine with mode "
                            "0600. A gateway needs one\n"
                            "pair, and so does each node. In a directory the files are called "
                            "link.public and link.secret.\n"
                            "Files that are there already are never written over.\n"
                            "\n"
                            "  --out DIR|FILE     where to put them (.)\n"
                            "  --help             print this\n";

struct places {
    char public_key[PATH_MAX];
    char secret_key[PATH_MAX];
};

static bool name_files(const char *out, struct places *p)
{
    struct stat st;
    const bool is_dir = stat(out, &st) == 0 && S_ISDIR(st.st_mode);
    const char *name = is_dir ? "/link" : "";
    const size_t room = sizeof p->public_key;
    return (size_t)snprintf(p->public_key, room, "%s%s.public", out, name) < room &&
           (size_t)snprintf(p->secret_key, room, "%s%s.secret", out, name) < room;
}

static bool complain(const char *path)
{
    fprintf(stderr, "sluice-gateway keygen: cannot write '%s': %s%s\n", path, strerror(errno),
            errno == EEXIST ? "; remove it first, if nothing uses this key any more" : "");
    return false;
}

static bool write_key(const char *path, const struct sl_key *key, mode_t mode)
{
    char line[SL_KEY_TEXT_LEN + 2];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return complain(path);
    snprintf(line, sizeof line, "%s\n", key->text);
    bool ok = fchmod(fd, mode) == 0 &&
              write(fd, line, sizeof line - 1) == (ssize_t)sizeof line - 1 && fsync(fd) == 0;
    explicit_bzero(line, sizeof line);
    ok = close(fd) == 0 && ok;
    if (ok)
        return true;
    complain(path);
    unlink(path);
    return false;
}

static int make_files(const struct places *p)
{
    struct sl_key public_key, secret_key;
    if (!gw_link_make_keys(&public_key, &secret_key)) {
        fputs("sluice-gateway keygen: the ZeroMQ library of this machine has no CURVE\n", stderr);
        return EXIT_FAILURE;
    }
    bool ok = write_key(p->secret_key, &secret_key, S_IRUSR | S_IWUSR);
    sl_key_erase(&secret_key);
    if (ok && !write_key(p->public_key, &public_key, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH)) {
        unlink(p->secret_key); /* ours: it was not there before */
        ok = false;
    }
    if (ok)
        printf("%s  %s\n%s  (secret, keep it on this machine)\n", p->public_key, public_key.text,
               p->secret_key);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int gw_keygen(int argc, char **argv)
{
    static const struct option options[] = {
        {"out", required_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *out = ".";
    struct places places;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == 'h') {
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        }
        if (o != 'o') {
            fputs(usage, stderr);
            return EXIT_USAGE;
        }
        out = optarg;
    }
    if (optind < argc || out[0] == '\0' || !name_files(out, &places)) {
        fprintf(stderr, "sluice-gateway keygen: %s\n%s",
                optind < argc ? "takes no arguments" : "--out is no usable path", usage);
        return EXIT_USAGE;
    }
    return make_files(&places);
}
