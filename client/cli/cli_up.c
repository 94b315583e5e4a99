/* cli_up.c - sluice up: gateway and executor on this machine, kept alive until Ctrl-C.
 *
 * One loop over signals, the gateway's announcement and the times at which something is due. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "sl_clock.h"
#include "sl_text.h"
#include "up_child.h"
#include "up_conf.h"
#include "up_paths.h"
#include "up_probe.h"
#include "up_running.h"

#define PROBE_EVERY_NS   (50 * SL_NS_PER_MS)
#define REMIND_EVERY_NS  (10 * SL_NS_PER_S)
#define EXECUTOR_STOP_NS (10 * SL_NS_PER_S)
#define STOP_NOW_NS      (1 * SL_NS_PER_S)

enum { ANNOUNCE_BYTES_MAX = 1024, CONFIG_EXIT = 2, KILLS_MAX = 4 };

static const char help[] =
    "Usage: sluice up [OPTION]...\n\n"
    "Runs a gateway and an executor on this machine until Ctrl-C. When every model that can be\n"
    "loaded is ready, prints one line: ready grpc=HOST:PORT http=HOST:PORT\n\n"
    "      --models DIR       the model repository (default: one with the model identity)\n"
    "      --state DIR        files of this instance (default: $XDG_STATE_HOME/sluice)\n"
    "      --grpc-port N      gRPC on 127.0.0.1:N (default 8001; 0: any free port)\n"
    "      --http-port N      health and metrics on 127.0.0.1:N (default 8000; 0: any)\n"
    "      --slices N         how many calls run at a time (default: the executor's)\n"
    "      --config FILE      YAML with the daemons' own keys under gateway: and executor:\n"
    "      --log-level LEVEL  debug, info, warn or error (default: the daemons')\n"
    "      --help             this text\n\n"
    "Logs go to stderr. Ctrl-C or SIGTERM finishes accepted calls; a second one stops at once.\n"
    "A daemon that ends by itself is started again.\n";

enum phase {
    STARTING, /* not ready yet */
    SERVING,  /* the ready line is out */
    DRAINING, /* the gateway finishes its calls, with the executor's help */
    STOPPING, /* the gateway is gone, the executor ends */
};

struct up {
    const char *state, *models, *user_conf, *slices, *log_level;
    char grpc[300], http[300]; /* addresses to listen at, then those announced */
    struct up_paths paths;
    struct up_child gateway, executor;
    struct up_probe probe;
    enum phase phase;
    int exit_code;
    int signal_fd;
    int announce_read_fd;
    char announced[ANNOUNCE_BYTES_MAX];
    size_t announced_len;
    bool has_address;
    sl_mono_ns probe_at, remind_at, kill_at;
};

/* ---- Options --------------------------------------------------------------------------------- */

static bool take_port(const char *name, const char *value, char *out, size_t out_bytes)
{
    int64_t port;

    if (sl_text_int(sl_span_str(value), &port) != SL_OK || port < 0 || port > 65535) {
        fprintf(stderr, "sluice: %s is %s; 0 to 65535 are possible\n", name, value);
        return false;
    }
    snprintf(out, out_bytes, "127.0.0.1:%d", (int)port);
    return true;
}

static bool take_slices(struct up *u, const char *value)
{
    int64_t slices;

    if (sl_text_int(sl_span_str(value), &slices) != SL_OK || slices < 1 || slices > 1024) {
        fprintf(stderr, "sluice: --slices is %s; 1 to 1024 are possible\n", value);
        return false;
    }
    u->slices = value;
    return true;
}

/* -1: go on; else the exit code. */
static int take_option(struct up *u, int option, const char *value)
{
    switch (option) {
    case 'm':
        u->models = value;
        return -1;
    case 's':
        u->state = value;
        return -1;
    case 'g':
        return take_port("--grpc-port", value, u->grpc, sizeof(u->grpc)) ? -1 : CLI_USAGE;
    case 'h':
        return take_port("--http-port", value, u->http, sizeof(u->http)) ? -1 : CLI_USAGE;
    case 'n':
        return take_slices(u, value) ? -1 : CLI_USAGE;
    case 'c':
        u->user_conf = value;
        return -1;
    case 'l':
        u->log_level = value;
        return -1;
    case '?':
        return CLI_USAGE;
    default:
        fputs(help, stdout);
        return CLI_OK;
    }
}

static int read_options(struct up *u, int argc, char **argv)
{
    static const struct option options[] = {{"models", required_argument, NULL, 'm'},
                                            {"state", required_argument, NULL, 's'},
                                            {"grpc-port", required_argument, NULL, 'g'},
                                            {"http-port", required_argument, NULL, 'h'},
                                            {"slices", required_argument, NULL, 'n'},
                                            {"config", required_argument, NULL, 'c'},
                                            {"log-level", required_argument, NULL, 'l'},
                                            {"help", no_argument, NULL, 'H'},
                                            {0}};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        int code = take_option(u, option, optarg);
        if (code >= 0)
            return code;
    }
    if (optind < argc) {
        fprintf(stderr, "sluice: up takes no argument, but there is %s\n", argv[optind]);
        return CLI_USAGE;
    }
    return -1;
}

/* ---- Configuration --------------------------------------------------------------------------- */

static sl_status write_gateway_conf(struct up *u, struct sl_error *why)
{
    const struct up_key keys[] = {{"listen.grpc", u->grpc},
                                  {"listen.http", u->http},
                                  {"state", u->paths.state},
                                  {"tls.certificate", ""}, /* its probe and this machine: plain */
                                  {"link.control", u->paths.control},
                                  {"link.bulk", u->paths.bulk},
                                  {"store.path", u->paths.store},
                                  {u->log_level != NULL ? "log.level" : NULL, u->log_level},
                                  {0}};
    return up_conf_write(u->paths.gateway_conf, u->user_conf, "gateway", keys, why);
}

static sl_status write_executor_conf(struct up *u, struct sl_error *why)
{
    struct up_key keys[8] = {{"node", "local"},
                             {"models", u->paths.models},
                             {"state", u->paths.state},
                             {"link.control", u->paths.control},
                             {"link.bulk", u->paths.bulk}};
    size_t n = 5;

    if (u->slices != NULL)
        keys[n++] = (struct up_key){"slices.cpu", u->slices};
    if (u->log_level != NULL)
        keys[n++] = (struct up_key){"log.level", u->log_level};
    return up_conf_write(u->paths.executor_conf, u->user_conf, "executor", keys, why);
}

/* ---- What happens ---------------------------------------------------------------------------- */

static void start_if_due(struct up_child *c, sl_mono_ns now)
{
    if (up_child_is_due(c, now) && up_child_start(c, now) != SL_OK)
        fprintf(stderr, "sluice up: cannot start the %s: %m\n", c->name);
}

static void begin_stop(struct up *u, int exit_code)
{
    u->exit_code = exit_code;
    u->phase = DRAINING;
    up_child_stop(&u->gateway, SIGTERM);
}

static void stop_now(struct up *u, sl_mono_ns now)
{
    u->phase = STOPPING;
    up_child_stop(&u->gateway, SIGTERM);
    up_child_stop(&u->executor, SIGTERM);
    up_child_stop(&u->executor, SIGTERM);
    u->kill_at = sl_sat_add(now, STOP_NOW_NS);
}

static void on_stop_signal(struct up *u, sl_mono_ns now)
{
    if (u->phase == STARTING || u->phase == SERVING) {
        fputs("sluice up: finishing accepted calls; once more stops at once\n", stderr);
        begin_stop(u, CLI_OK);
    } else {
        stop_now(u, now);
    }
}

/* A daemon that ends by itself before all was ever ready will do so again: its configuration or this
 * machine is not as it needs. One that was killed gets a few more tries. */
static bool is_hopeless(const struct up *u, const struct up_child *c, int status)
{
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 127 || WEXITSTATUS(status) == CONFIG_EXIT))
        return true;
    return u->phase == STARTING && (WIFEXITED(status) || c->quick_ends >= KILLS_MAX);
}

static void tell_end(const struct up_child *c, int status, const char *then)
{
    if (WIFSIGNALED(status))
        fprintf(stderr, "sluice up: the %s was ended by signal %d (%s); %s\n", c->name,
                WTERMSIG(status), strsignal(WTERMSIG(status)), then);
    else
        fprintf(stderr, "sluice up: the %s ended with exit code %d; %s\n", c->name,
                WEXITSTATUS(status), then);
}

static void on_end(struct up *u, struct up_child *c, int status, sl_mono_ns now)
{
    bool was_asked = c->start_at == SL_MONO_NEVER;

    if (!was_asked && is_hopeless(u, c, status)) {
        tell_end(c, status, "giving up");
        up_child_ended(c, now);
        c->start_at = SL_MONO_NEVER;
        begin_stop(u, CLI_FAILED);
    } else {
        if (!was_asked)
            tell_end(c, status, "starting it again");
        up_child_ended(c, now);
    }
}

static void reap(struct up *u, sl_mono_ns now)
{
    struct up_child *children[] = {&u->gateway, &u->executor};

    for (size_t i = 0; i < SL_ARRAY_LEN(children); i++) {
        int status;
        if (children[i]->pid > 0 && waitpid(children[i]->pid, &status, WNOHANG) > 0)
            on_end(u, children[i], status, now);
    }
}

static void on_signals(struct up *u, sl_mono_ns now)
{
    struct signalfd_siginfo info;

    while (read(u->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            reap(u, now);
        else if (info.ssi_signo != SIGHUP)
            on_stop_signal(u, now);
        else if (u->gateway.pid > 0)
            kill(u->gateway.pid, SIGHUP);
        if (info.ssi_signo == SIGHUP && u->executor.pid > 0)
            kill(u->executor.pid, SIGHUP);
    }
}

/* "listening grpc=HOST:PORT http=HOST:PORT": from now on these are the addresses. */
static void on_announced_line(struct up *u, const char *line)
{
    struct sl_error why = {0};
    char grpc[sizeof(u->grpc)];
    char http[sizeof(u->http)];

    if (sscanf(line, "listening grpc=%299s http=%299s", grpc, http) != 2) {
        fprintf(stderr, "sluice up: the gateway announced \"%s\", which makes no sense\n", line);
        return;
    }
    memcpy(u->grpc, grpc, sizeof(grpc));
    memcpy(u->http, http, sizeof(http));
    u->has_address = true;
    if (u->phase == STARTING)
        up_probe_set_address(&u->probe, u->grpc, u->paths.admin_token);
    /* A gateway that is started again listens where its callers know it. */
    if (write_gateway_conf(u, &why) != SL_OK ||
        up_running_announce(u->paths.state, u->grpc, &why) != SL_OK)
        fprintf(stderr, "sluice up: %s\n", why.text);
}

static void on_announcement(struct up *u)
{
    size_t room = sizeof(u->announced) - 1 - u->announced_len;
    ssize_t n = read(u->announce_read_fd, u->announced + u->announced_len, room);
    char *end;

    if (n <= 0)
        return;
    u->announced_len += (size_t)n;
    u->announced[u->announced_len] = '\0';
    while ((end = strchr(u->announced, '\n')) != NULL) {
        *end = '\0';
        on_announced_line(u, u->announced);
        u->announced_len -= (size_t)(end + 1 - u->announced);
        memmove(u->announced, end + 1, u->announced_len + 1);
    }
    if (u->announced_len == sizeof(u->announced) - 1)
        u->announced_len = 0; /* no line is that long */
}

static void look_if_ready(struct up *u, sl_mono_ns now)
{
    if (u->phase != STARTING || !u->has_address || now < u->probe_at)
        return;
    if (up_probe_is_ready(&u->probe)) {
        u->phase = SERVING;
        printf("ready grpc=%s http=%s\n", u->grpc, u->http);
        fflush(stdout);
        up_probe_finish(&u->probe); /* no connection of ours is open while it serves */
    } else if (now >= u->remind_at) {
        fputs("sluice up: still waiting for models to be ready\n", stderr);
        u->remind_at = sl_sat_add(now, REMIND_EVERY_NS);
    }
    u->probe_at = sl_sat_add(now, PROBE_EVERY_NS);
}

static void go_on_stopping(struct up *u, sl_mono_ns now)
{
    if (u->phase == DRAINING && u->gateway.pid == 0) {
        u->phase = STOPPING;
        up_child_stop(&u->executor, SIGTERM);
        u->kill_at = sl_sat_add(now, EXECUTOR_STOP_NS);
    }
    if (u->phase == STOPPING && now >= u->kill_at) {
        up_child_stop(&u->gateway, SIGKILL);
        up_child_stop(&u->executor, SIGKILL);
        u->kill_at = SL_MONO_NEVER;
    }
}

/* ---- The loop -------------------------------------------------------------------------------- */

static sl_mono_ns earlier(sl_mono_ns a, sl_mono_ns b)
{
    return a < b ? a : b;
}

static sl_mono_ns next_at(const struct up *u)
{
    sl_mono_ns at = u->kill_at;

    if (u->phase == STARTING && u->has_address)
        at = earlier(at, u->probe_at);
    if (u->gateway.pid == 0)
        at = earlier(at, u->gateway.start_at);
    if (u->executor.pid == 0)
        at = earlier(at, u->executor.start_at);
    return at;
}

static void wait_for_something(const struct up *u, sl_mono_ns now)
{
    struct pollfd fds[] = {{.fd = u->signal_fd, .events = POLLIN},
                           {.fd = u->announce_read_fd, .events = POLLIN}};
    sl_mono_ns at = next_at(u);
    int64_t left = at > now ? at - now : 0;
    struct timespec wait = {.tv_sec = left / SL_NS_PER_S, .tv_nsec = left % SL_NS_PER_S};

    ppoll(fds, SL_ARRAY_LEN(fds), at == SL_MONO_NEVER ? NULL : &wait, NULL);
}

static int supervise(struct up *u)
{
    while (u->phase != STOPPING || u->gateway.pid > 0 || u->executor.pid > 0) {
        sl_mono_ns now = sl_clock_mono(&sl_clock_real);
        on_signals(u, now);
        on_announcement(u);
        start_if_due(&u->gateway, now);
        start_if_due(&u->executor, now);
        look_if_ready(u, now);
        go_on_stopping(u, now);
        if (u->phase != STOPPING || u->gateway.pid > 0 || u->executor.pid > 0)
            wait_for_something(u, now);
    }
    return u->exit_code;
}

static bool open_descriptors(struct up *u)
{
    sigset_t signals;
    int fds[2];

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    u->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (u->signal_fd < 0 || pipe2(fds, O_CLOEXEC) != 0)
        return false;
    u->announce_read_fd = fds[0];
    u->gateway.announce_fd = fds[1];
    return fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0;
}

static void set_children(struct up *u)
{
    u->gateway.name = "gateway";
    u->gateway.conf_path = u->paths.gateway_conf;
    up_find_program("sluice-gateway", u->gateway.program);
    u->executor.name = "executor";
    u->executor.conf_path = u->paths.executor_conf;
    u->executor.announce_fd = -1;
    up_find_program("sluice-executor", u->executor.program);
}

static int run(struct up *u)
{
    struct sl_error why = {0};
    sl_status s = up_paths_init(u->state, u->models, &u->paths, &why);

    if (s == SL_OK)
        up_running_withdraw(u->paths.state); /* what one before this left */
    if (s == SL_OK)
        s = write_gateway_conf(u, &why);
    if (s == SL_OK)
        s = write_executor_conf(u, &why);
    if (s != SL_OK) {
        fprintf(stderr, "sluice up: %s\n", why.text);
        return s == SL_EINVAL ? CLI_USAGE : CLI_FAILED;
    }
    set_children(u);
    if (!open_descriptors(u)) {
        fprintf(stderr, "sluice up: %m\n");
        return CLI_FAILED;
    }
    u->remind_at = sl_sat_add(sl_clock_mono(&sl_clock_real), REMIND_EVERY_NS);
    int code = supervise(u);
    up_running_withdraw(u->paths.state);
    return code;
}

int cli_up(int argc, char **argv)
{
    struct up u = {.grpc = "127.0.0.1:8001",
                   .http = "127.0.0.1:8000",
                   .signal_fd = -1,
                   .announce_read_fd = -1,
                   .kill_at = SL_MONO_NEVER};

    u.gateway.announce_fd = -1;
    u.paths.lock_fd = -1;
    int code = read_options(&u, argc, argv);
    if (code >= 0)
        return code;
    code = run(&u);
    up_probe_finish(&u.probe);
    up_paths_finish(&u.paths);
    int fds[] = {u.signal_fd, u.announce_read_fd, u.gateway.announce_fd};
    for (size_t i = 0; i < SL_ARRAY_LEN(fds); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    return code;
}
