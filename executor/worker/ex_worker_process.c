/* ex_worker_process.c - ties a worker to its supervisor, hears its signal and limits its memory. */
#include "ex_worker_process.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "sl_base.h"

static void reset_signals(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    sigset_t none;
    for (int s = 1; s < NSIG; s++)
        (void)signal(s, SIG_DFL); /* fails for SIGKILL, SIGSTOP and the C library's own */
    for (size_t i = 0; i < SL_ARRAY_LEN(ignored); i++)
        (void)signal(ignored[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool forbid_core_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) != 0)
        return false;
    limit.rlim_cur = 0;
    return setrlimit(RLIMIT_CORE, &limit) == 0;
}

sl_status ex_worker_process_tie(void)
{
    reset_signals();
    if (!forbid_core_files())
        return SL_EIO;
    /* A supervisor that is gone already has closed the control socket: that is seen later. */
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 ? SL_OK : SL_EIO;
}

/* A handler has no argument of ours. */
static struct {
    void (*deed)(void *ctx);
    void *ctx;
} on_cancel;

static void handle(int signal SL_UNUSED)
{
    on_cancel.deed(on_cancel.ctx);
}

sl_status ex_worker_process_on_cancel(void (*deed)(void *ctx), void *ctx)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    on_cancel.deed = deed;
    on_cancel.ctx = ctx;
    return sigaction(SIGURG, &action, NULL) == 0 ? SL_OK : SL_EIO;
}

sl_status ex_worker_process_limit_memory(uint64_t bytes)
{
    const struct rlimit limit = {bytes, bytes};
    if (bytes == 0)
        return SL_OK;
    return setrlimit(RLIMIT_DATA, &limit) == 0 ? SL_OK : SL_EIO;
}
