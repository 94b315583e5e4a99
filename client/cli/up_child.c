/* up_child.c - one daemon that `sluice up` keeps alive. */
#include "up_child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SOON_NS      (5 * SL_NS_PER_S)
#define PAUSE_MIN_NS (100 * SL_NS_PER_MS)
#define PAUSE_MAX_NS (10 * SL_NS_PER_S)

int64_t up_child_pause_ns(int quick_ends)
{
    if (quick_ends <= 1)
        return 0; /* the first time at once: somebody may have killed it */
    int shift = quick_ends - 2 < 16 ? quick_ends - 2 : 16;
    int64_t pause = PAUSE_MIN_NS << shift;
    return pause < PAUSE_MAX_NS ? pause : PAUSE_MAX_NS;
}

/* In the new process: never returns. */
static void become(const struct up_child *c, pid_t parent)
{
    char fd_text[16];
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127); /* it died before prctl */
    setpgid(0, 0);  /* Ctrl-C is for sluice up, which says when to end */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    if (c->announce_fd < 0) {
        execlp(c->program, c->program, "--config", c->conf_path, (char *)NULL);
    } else {
        fcntl(c->announce_fd, F_SETFD, 0);
        snprintf(fd_text, sizeof(fd_text), "%d", c->announce_fd);
        execlp(c->program, c->program, "--config", c->conf_path, "--announce-fd", fd_text,
               (char *)NULL);
    }
    fprintf(stderr, "sluice up: cannot run %s: %m\n", c->program);
    _exit(127);
}

sl_status up_child_start(struct up_child *c, sl_mono_ns now)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid < 0) {
        c->start_at = sl_sat_add(now, PAUSE_MAX_NS);
        return SL_EIO;
    }
    if (pid == 0)
        become(c, parent);
    c->pid = pid;
    c->start_at = now;
    return SL_OK;
}

bool up_child_is_due(const struct up_child *c, sl_mono_ns now)
{
    return c->pid == 0 && c->start_at <= now;
}

void up_child_ended(struct up_child *c, sl_mono_ns now)
{
    c->pid = 0;
    if (c->start_at == SL_MONO_NEVER)
        return;
    c->quick_ends = now - c->start_at < SOON_NS ? c->quick_ends + 1 : 0;
    c->start_at = sl_sat_add(now, up_child_pause_ns(c->quick_ends));
}

void up_child_stop(struct up_child *c, int signal_number)
{
    c->start_at = SL_MONO_NEVER;
    if (c->pid > 0)
        kill(c->pid, signal_number);
}
