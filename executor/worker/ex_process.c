/* ex_process.c - fork, exec, kill and wait. */
#include "ex_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ex_channel.h"

enum { EXIT_CANNOT_RUN = 127 };

sl_status ex_process_become_reaper(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 ? SL_OK : SL_EIO;
}

/* ---- start */

/* The child, until exec. Only async-signal-safe calls. */
static void run_child(char *const argv[], const int worker_fds[], int output)
{
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    const int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
        dup2(output, STDERR_FILENO) >= 0 && ex_channel_place_worker_fds(worker_fds) &&
        sigprocmask(SIG_SETMASK, &none, NULL) == 0)
        execv(argv[0], argv);
    _exit(EXIT_CANNOT_RUN);
}

static bool open_output(int pair[2])
{
    if (pipe2(pair, O_CLOEXEC) != 0)
        return false;
    if (fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0)
        return true;
    close(pair[0]);
    close(pair[1]);
    return false;
}

sl_status ex_process_start(char *const argv[], const int worker_fds[], const struct sl_hold *own,
                           struct ex_process *out)
{
    int pair[2];
    *out = (struct ex_process){.pidfd = -1, .output = -1};
    if (!open_output(pair))
        return SL_ENOMEM;
    const pid_t pid = fork();
    if (pid == 0) {
        sl_hold_free_child(own);
        run_child(argv, worker_fds, pair[1]);
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return SL_ENOMEM;
    }
    setpgid(pid, pid); /* whoever comes first; too late, and the child has done it */
    out->pid = pid;
    out->output = pair[0];
    out->pidfd = pidfd_open(pid, 0);
    if (out->pidfd >= 0)
        return SL_OK;
    ex_process_kill(out);
    while (waitpid(pid, &out->status, 0) < 0 && errno == EINTR)
        ;
    ex_process_close(out);
    return SL_ENOMEM;
}

/* ---- end */

/* A pid is not reused before it is reaped, so neither call can hit a stranger. */
void ex_process_kill(const struct ex_process *p)
{
    if (p->pid == 0 || p->is_gone)
        return;
    kill(-p->pid, SIGKILL);
    kill(p->pid, SIGKILL); /* also before it had its own group */
}

void ex_process_tell_cancelled(const struct ex_process *p)
{
    if (p->pid != 0 && !p->is_gone)
        kill(p->pid, SIGURG);
}

bool ex_process_reap(struct ex_process *p)
{
    siginfo_t info = {0};
    if (p->pid == 0 || p->is_gone)
        return true;
    if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
        return false;
    kill(-p->pid, SIGKILL);
    while (waitpid(p->pid, &p->status, 0) < 0 && errno == EINTR)
        ;
    p->is_gone = true;
    return true;
}

void ex_process_close(struct ex_process *p)
{
    if (p->pidfd >= 0)
        close(p->pidfd);
    if (p->output >= 0)
        close(p->output);
    *p = (struct ex_process){.pidfd = -1, .output = -1};
}

const char *ex_process_end_text(const struct ex_process *p, char *out, size_t out_bytes)
{
    if (WIFSIGNALED(p->status))
        snprintf(out, out_bytes, "was killed by signal %d (%s)", WTERMSIG(p->status),
                 strsignal(WTERMSIG(p->status)));
    else if (WEXITSTATUS(p->status) == EXIT_CANNOT_RUN)
        snprintf(out, out_bytes, "could not be run (exit code %d)", EXIT_CANNOT_RUN);
    else
        snprintf(out, out_bytes, "ended with exit code %d", WEXITSTATUS(p->status));
    return out;
}

/* ---- strays */

/* Living children of this thread; the kernel lists them where it was built to. */
static void kill_strays(bool (*is_known)(void *ctx, pid_t pid), void *ctx)
{
    char path[64], word[32];
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)gettid());
    FILE *f = fopen(path, "re");
    if (!f)
        return;
    while (fscanf(f, "%31s", word) == 1) {
        const pid_t pid = (pid_t)strtol(word, NULL, 10);
        if (pid > 1 && !is_known(ctx, pid))
            kill(pid, SIGKILL);
    }
    fclose(f);
}

void ex_process_end_strays(bool (*is_known)(void *ctx, pid_t pid), void *ctx)
{
    siginfo_t info = {0};
    kill_strays(is_known, ctx);
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        if (is_known(ctx, info.si_pid))
            return; /* its own pidfd tells of it; the next SIGCHLD finds those behind it */
        waitpid(info.si_pid, NULL, WNOHANG);
        info.si_pid = 0;
    }
}
