/* up_running.c - where the `sluice up` of this user serves. */
#include "up_running.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "up_paths.h"

enum { ADDRESS_BYTES_MAX = 320 };

static const char address_name[] = "address";

sl_status up_running_announce(const char *state, const char *address, struct sl_error *why)
{
    char path[PATH_MAX];
    char fresh[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", state, address_name);
    snprintf(fresh, sizeof(fresh), "%s/%s.new", state, address_name);
    FILE *f = fopen(fresh, "we");
    bool ok = f != NULL && fprintf(f, "%s\n", address) > 0;
    if (f != NULL)
        ok = fclose(f) == 0 && ok;
    if (ok && rename(fresh, path) == 0)
        return SL_OK;
    sl_error_set(why, SL_REASON_INTERNAL, "cannot write %s: %s", path, strerror(errno));
    return SL_EIO;
}

void up_running_withdraw(const char *state)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", state, address_name);
    unlink(path);
}

/* Looks without taking the lock, which a `sluice up` that starts now could not have meanwhile. */
static bool is_locked(const char *state)
{
    char path[PATH_MAX];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    snprintf(path, sizeof(path), "%s/lock", state);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(fd);
    return is_held;
}

static bool serves(const char *state, const char *address)
{
    char path[PATH_MAX];
    char text[ADDRESS_BYTES_MAX] = "";

    snprintf(path, sizeof(path), "%s/%s", state, address_name);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    bool was_read = fgets(text, sizeof(text), f) != NULL;
    fclose(f);
    text[strcspn(text, "\n")] = '\0';
    return was_read && strcmp(text, address) == 0;
}

bool up_running_admin_token(const char *address, char out_path[PATH_MAX])
{
    char state[UP_STATE_BYTES];

    if (!up_default_state(state) || !is_locked(state) || !serves(state, address))
        return false;
    snprintf(out_path, PATH_MAX, "%s/admin.token", state);
    return access(out_path, R_OK) == 0;
}
