#include "cli_waiting.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli_call_text.h"
#include "cli_text.h"
#include "sl_time.h"

/* A call that is over sooner is not watched; one that is not known yet is asked for again. */
enum { FIRST_LOOK_MS = 400, LOOK_AGAIN_MS = 300, LOOKS_MAX = 20, WIDTH_USUAL = 80 };

#define CLEAR_LINE "\r\033[K"

struct cli_waiting {
    struct cli_common common;
    const char *call_id;
    struct sluice_cancel *cancel;
    pthread_t thread;
    pthread_mutex_t lock; /* guards is_over */
    pthread_cond_t over;
    bool is_over;
    bool has_line; /* the thread's */
};

bool cli_waiting_is_wanted(const struct cli_common *c)
{
    return !c->json && isatty(STDERR_FILENO);
}

static int terminal_width(void)
{
    struct winsize size;
    bool is_told = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    return is_told ? size.ws_col - 1 : WIDTH_USUAL;
}

static bool on_message(void *user, struct sluice_bytes message)
{
    struct cli_waiting *w = user;
    char text[CLI_CALL_TEXT_BYTES];
    Sluice__V1__CallStatus *call =
        sluice__v1__call_status__unpack(NULL, message.bytes, message.data);
    if (call == NULL)
        return false;
    if (call->state != SLUICE__V1__CALL_STATUS__STATE__STATE_ENDED) {
        cli_call_text(call, text);
        cli_text_cut(text, terminal_width());
        fprintf(stderr, CLEAR_LINE "%s", text);
        w->has_line = true;
    }
    sluice__v1__call_status__free_unpacked(call, NULL);
    return true;
}

/* false: the call is over. */
static bool pause_ms(struct cli_waiting *w, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + ms * SL_NS_PER_MS;
    until.tv_sec += ns / SL_NS_PER_S;
    until.tv_nsec = ns % SL_NS_PER_S;
    pthread_mutex_lock(&w->lock);
    int rv = 0;
    while (!w->is_over && rv == 0)
        rv = pthread_cond_timedwait(&w->over, &w->lock, &until);
    bool goes_on = !w->is_over;
    pthread_mutex_unlock(&w->lock);
    return goes_on;
}

/* false: there is no use in asking again. */
static bool watch(struct cli_waiting *w, struct sluice_channel *channel)
{
    Sluice__V1__WatchCallRequest request = SLUICE__V1__WATCH_CALL_REQUEST__INIT;
    struct sluice_call_options options = SLUICE_CALL_OPTIONS_INIT;
    struct sluice_result *result;
    struct sluice_status status;
    uint8_t bytes[64];
    options.cancel = w->cancel;
    request.call_id = (char *)(uintptr_t)w->call_id;
    size_t len = sluice__v1__watch_call_request__pack(&request, bytes);
    sluice_server_stream(channel, "/sluice.v1.Visitor/WatchCall", bytes, len, on_message, w,
                         &options, &result, &status);
    sluice_result_destroy(result);
    return status.code == SLUICE_NOT_FOUND;
}

static void *run(void *arg)
{
    struct cli_waiting *w = arg;
    struct sluice_channel *channel;
    if (!pause_ms(w, FIRST_LOOK_MS) || cli_open(&w->common, &channel) != CLI_OK)
        return NULL;
    for (int looks = 1; watch(w, channel) && looks < LOOKS_MAX; looks++)
        if (!pause_ms(w, LOOK_AGAIN_MS))
            break;
    sluice_channel_destroy(channel);
    if (w->has_line)
        fputs(CLEAR_LINE, stderr);
    return NULL;
}

/* Signals are the main thread's. */
static int create_thread(struct cli_waiting *w)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rv = pthread_create(&w->thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rv;
}

static void init_lock(struct cli_waiting *w)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->over, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&w->lock, NULL);
}

static void destroy(struct cli_waiting *w)
{
    pthread_cond_destroy(&w->over);
    pthread_mutex_destroy(&w->lock);
    sluice_cancel_destroy(w->cancel);
    free(w);
}

struct cli_waiting *cli_waiting_begin(const struct cli_common *c, const char *call_id)
{
    struct cli_waiting *w = calloc(1, sizeof *w);
    if (w == NULL)
        return NULL;
    w->common = *c;
    w->call_id = call_id;
    init_lock(w);
    if (sluice_cancel_create(&w->cancel) == SLUICE_OK && create_thread(w) == 0)
        return w;
    destroy(w);
    return NULL;
}

void cli_waiting_end(struct cli_waiting *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->is_over = true;
    pthread_cond_signal(&w->over);
    pthread_mutex_unlock(&w->lock);
    sluice_cancel_trigger(w->cancel);
    pthread_join(w->thread, NULL);
    destroy(w);
}
