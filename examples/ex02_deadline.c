/* ex02_deadline.c - a call that must not take too long, and a call that another thread cancels.
 *
 *     ex02_deadline [HOST:PORT] [MODEL]        MODEL: one INPUT0 FP32 [-1,4], and slow
 */
#include <pthread.h>
#include <sluice/sluice.h>
#include <stdio.h>
#include <time.h>

static struct sluice_request *make_request(const char *model)
{
    static const float numbers[4] = {1, 2, 3, 4}; /* borrowed by the request: must outlive it */
    struct sluice_request *request;

    if (sluice_request_create(model, "", &request) != SLUICE_OK)
        return NULL;
    sluice_request_add_input(request, "INPUT0", "FP32", (const int64_t[]){1, 4}, 2, numbers,
                             sizeof(numbers));
    return request;
}

/* Runs the call and says how it ended. */
static void try_call(const char *what, struct sluice_channel *channel,
                     const struct sluice_request *request,
                     const struct sluice_call_options *options)
{
    struct sluice_result *result;
    struct sluice_status status;

    sluice_infer(channel, request, options, &result, &status);
    printf("%s: %s%s%s\n", what, sluice_code_name(status.code), status.message[0] ? ": " : "",
           status.message);
    sluice_result_destroy(result);
}

/* The other thread: changes its mind after 100 ms. */
static void *change_mind(void *cancel)
{
    nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL);
    sluice_cancel_trigger(cancel);
    return NULL;
}

static void run(struct sluice_channel *channel, struct sluice_request *request,
                struct sluice_cancel *cancel)
{
    struct sluice_call_options options = SLUICE_CALL_OPTIONS_INIT;
    pthread_t thread;

    options.timeout_ms = 200; /* queue and execution together; the server is told */
    try_call("with a deadline of 200 ms", channel, request, &options);

    options.timeout_ms = 10000;
    options.cancel = cancel;
    if (pthread_create(&thread, NULL, change_mind, cancel) != 0)
        return;
    try_call("cancelled after 100 ms", channel, request, &options);
    pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    struct sluice_channel *channel;
    struct sluice_cancel *cancel = NULL;
    struct sluice_status status;
    struct sluice_request *request = make_request(argc > 2 ? argv[2] : "identity");

    if (sluice_channel_create(argc > 1 ? argv[1] : "127.0.0.1:8001", NULL, &channel, &status) !=
        SLUICE_OK)
        fprintf(stderr, "%s\n", status.message);
    else if (request != NULL && sluice_cancel_create(&cancel) == SLUICE_OK)
        run(channel, request, cancel);
    sluice_cancel_destroy(cancel);
    sluice_request_destroy(request);
    sluice_channel_destroy(channel);
    return status.code == SLUICE_OK ? 0 : 2;
}
