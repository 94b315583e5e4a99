/* up_paths.c - where `sluice up` keeps its files. */
#include "up_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A unix socket's path has at most 107 bytes; the daemons put further sockets beside ours with longer
 * names, so the directory's name must leave room. */
enum { SOCKET_DIR_MAX = 80 };

static const char identity_yaml[] =
    "# Answers its output with its input: for first steps and measurements.\n"
    "engine: identity\n"
    "duration: 1s\n"
    "inputs:  [{name: INPUT0, datatype: FP32, shape: [-1, 4]}]\n"
    "outputs: [{name: OUTPUT0, datatype: FP32, shape: [-1, 4]}]\n";

static sl_status fail(struct sl_error *why, const char *what, const char *path)
{
    sl_error_set(why, SL_REASON_INTERNAL, "%s %s: %s", what, path, strerror(errno));
    return SL_EIO;
}

/* mkdir -p, for this user only. */
static sl_status make_dirs(const char *path, struct sl_error *why)
{
    char part[PATH_MAX];

    for (size_t i = 1; i <= strlen(path); i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        snprintf(part, sizeof(part), "%.*s", (int)i, path);
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return fail(why, "cannot make the directory", part);
    }
    return SL_OK;
}

bool up_default_state(char out[UP_STATE_BYTES])
{
    const char *xdg = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int len = -1;

    if (xdg != NULL && xdg[0] == '/')
        len = snprintf(out, UP_STATE_BYTES, "%s/sluice", xdg);
    else if (home != NULL && home[0] == '/')
        len = snprintf(out, UP_STATE_BYTES, "%s/.local/state/sluice", home);
    return len > 0 && len < UP_STATE_BYTES;
}

static sl_status choose_state(const char *given, struct up_paths *p, struct sl_error *why)
{
    char by_default[UP_STATE_BYTES];
    char resolved[PATH_MAX];

    if (given == NULL && !up_default_state(by_default)) {
        sl_error_set(why, SL_REASON_BAD_INPUT,
                     "no place for state: give --state or set HOME, of less than %d bytes",
                     UP_STATE_BYTES);
        return SL_EINVAL;
    }
    const char *chosen = given != NULL ? given : by_default;
    sl_status s = make_dirs(chosen, why);
    if (s != SL_OK)
        return s;
    if (realpath(chosen, resolved) == NULL)
        return fail(why, "cannot resolve", chosen);
    size_t len = strlen(resolved);
    if (len >= sizeof(p->state)) {
        sl_error_set(why, SL_REASON_BAD_INPUT, "the state directory's name is too long");
        return SL_EINVAL;
    }
    memcpy(p->state, resolved, len + 1);
    return SL_OK;
}

/* One `sluice up` for each state directory. The lock goes with the process. */
static sl_status take_lock(struct up_paths *p, struct sl_error *why)
{
    struct flock all_of_it = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[PATH_MAX];
    char pid[32] = "";

    snprintf(path, sizeof(path), "%s/lock", p->state);
    p->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (p->lock_fd < 0)
        return fail(why, "cannot open", path);
    if (fcntl(p->lock_fd, F_OFD_SETLK, &all_of_it) != 0) {
        ssize_t n = read(p->lock_fd, pid, sizeof(pid) - 1);
        sl_error_set(why, SL_REASON_BAD_INPUT,
                     "another sluice up (pid %.*s) uses %s; stop it or give another --state",
                     n > 0 ? (int)strcspn(pid, "\n") : 1, n > 0 ? pid : "?", p->state);
        return SL_EINVAL;
    }
    int len = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    if (ftruncate(p->lock_fd, 0) != 0 || write(p->lock_fd, pid, (size_t)len) != len)
        return fail(why, "cannot write", path);
    return SL_OK;
}

/* FNV-1a: only tells state directories apart. */
static unsigned long long name_hash(const char *text)
{
    unsigned long long h = 14695981039346656037ULL;
    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211ULL;
    return h;
}

/* A directory of ours with a short name; nobody else may own it or look into it. */
static sl_status short_dir(const char *state, char out[128], struct sl_error *why)
{
    const char *run = getenv("XDG_RUNTIME_DIR");
    struct stat st;

    if (run != NULL && run[0] == '/' && strlen(run) < SOCKET_DIR_MAX - 24)
        snprintf(out, 128, "%.60s/sluice-%016llx", run, name_hash(state));
    else
        snprintf(out, 128, "/tmp/sluice-%u-%016llx", (unsigned)getuid(), name_hash(state));
    if (mkdir(out, 0700) != 0 && errno != EEXIST)
        return fail(why, "cannot make the directory", out);
    if (lstat(out, &st) != 0)
        return fail(why, "cannot look at", out);
    if (!S_ISDIR(st.st_mode) || st.st_uid != getuid() || (st.st_mode & 077) != 0) {
        sl_error_set(why, SL_REASON_BAD_INPUT,
                     "%s for sockets is not a directory of ours alone; remove it or give a shorter "
                     "--state",
                     out);
        return SL_EINVAL;
    }
    return SL_OK;
}

static sl_status choose_sockets(struct up_paths *p, struct sl_error *why)
{
    char dir[128];

    if (strlen(p->state) <= SOCKET_DIR_MAX) {
        snprintf(dir, sizeof(dir), "%.100s", p->state);
    } else {
        sl_status s = short_dir(p->state, dir, why);
        if (s != SL_OK)
            return s;
    }
    snprintf(p->control, sizeof(p->control), "ipc://%.100s/control", dir);
    snprintf(p->bulk, sizeof(p->bulk), "ipc://%.100s/bulk", dir);
    return SL_OK;
}

static sl_status write_new_file(const char *path, const char *text, struct sl_error *why)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? SL_OK : fail(why, "cannot make", path);
    ssize_t n = write(fd, text, strlen(text));
    close(fd);
    return n == (ssize_t)strlen(text) ? SL_OK : fail(why, "cannot write", path);
}

static sl_status make_builtin_models(struct up_paths *p, struct sl_error *why)
{
    char path[PATH_MAX];

    snprintf(p->models, sizeof(p->models), "%s/models", p->state);
    snprintf(path, sizeof(path), "%s/models/identity", p->state);
    sl_status s = make_dirs(path, why);
    if (s != SL_OK)
        return s;
    snprintf(path, sizeof(path), "%s/models/identity/model.yaml", p->state);
    return write_new_file(path, identity_yaml, why);
}

static sl_status choose_models(const char *given, struct up_paths *p, struct sl_error *why)
{
    struct stat st;

    if (given == NULL)
        return make_builtin_models(p, why);
    if (realpath(given, p->models) == NULL)
        return fail(why, "the models' directory", given);
    if (stat(p->models, &st) != 0 || !S_ISDIR(st.st_mode)) {
        sl_error_set(why, SL_REASON_BAD_INPUT, "--models %s is not a directory", given);
        return SL_EINVAL;
    }
    return SL_OK;
}

sl_status up_paths_init(const char *state, const char *models, struct up_paths *out,
                        struct sl_error *why)
{
    *out = (struct up_paths){.lock_fd = -1};
    sl_status s = choose_state(state, out, why);
    if (s == SL_OK)
        s = take_lock(out, why);
    if (s == SL_OK)
        s = choose_sockets(out, why);
    if (s == SL_OK)
        s = choose_models(models, out, why);
    snprintf(out->store, sizeof(out->store), "%s/sluice.db", out->state);
    snprintf(out->admin_token, sizeof(out->admin_token), "%s/admin.token", out->state);
    snprintf(out->gateway_conf, sizeof(out->gateway_conf), "%s/gateway.yaml", out->state);
    snprintf(out->executor_conf, sizeof(out->executor_conf), "%s/executor.yaml", out->state);
    return s;
}

void up_paths_finish(struct up_paths *p)
{
    if (p->lock_fd >= 0)
        close(p->lock_fd);
    p->lock_fd = -1;
}

void up_find_program(const char *name, char *out)
{
    char beside[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", beside, sizeof(beside) - 1);
    size_t name_len = strlen(name);

    while (n > 0 && beside[n - 1] != '/')
        n--;
    snprintf(out, PATH_MAX, "%s", name);
    if (n <= 0 || (size_t)n + name_len >= sizeof(beside))
        return;
    memcpy(beside + n, name, name_len + 1);
    if (access(beside, X_OK) == 0)
        snprintf(out, PATH_MAX, "%s", beside);
}
