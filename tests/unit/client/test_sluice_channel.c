/* test_sluice_channel.c - the public API against a server behind a socket: ends, retries, cancels. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <pthread.h>
#include <signal.h>
#include <sluice/sluice.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "peer_server.h"
#include "sl_base.h"
#include "sl_test.h"

struct world {
    struct peer_server *server;
    struct sluice_channel *channel;
    struct sluice_status status;
    struct sluice_result *result;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    w->server = peer_server_start();
    *state = w;
    return sluice_channel_create(peer_server_address(w->server), NULL, &w->channel, &w->status);
}

static int tear_down(void **state)
{
    struct world *w = *state;
    sluice_result_destroy(w->result);
    sluice_channel_destroy(w->channel);
    peer_server_stop(w->server);
    free(w);
    return 0;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int call(struct world *w, const char *method, const char *text,
                const struct sluice_call_options *options)
{
    sluice_result_destroy(w->result);
    return sluice_unary(w->channel, method, text, strlen(text), options, &w->result, &w->status);
}

static void assert_message(const struct world *w, const char *text)
{
    struct sluice_bytes b = sluice_result_message(w->result);
    assert_int_equal(b.bytes, strlen(text));
    assert_memory_equal(b.data, text, b.bytes);
}

static void calls_share_one_connection(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 50; i++) {
        assert_int_equal(call(w, "/t/Echo", "hello", NULL), SLUICE_OK);
        assert_message(w, "hello");
    }
    assert_int_equal(call(w, "/t/Echo", "", NULL), SLUICE_OK);
    assert_int_equal(peer_server_connections(w->server), 1);
    assert_int_equal(peer_server_requests(w->server), 51);
}

static void large_messages_go_there_and_back(void **state)
{
    struct world *w = *state;
    const size_t bytes = (size_t)24 << 20;
    char *text = malloc(bytes + 1);

    for (size_t i = 0; i < bytes; i++)
        text[i] = (char)('a' + (i * 7 >> 4) % 26);
    text[bytes] = '\0';
    assert_int_equal(call(w, "/t/Echo", text, NULL), SLUICE_OK);
    assert_message(w, text);
    free(text);
}

static void a_deadline_ends_the_call_and_tells_the_server(void **state)
{
    struct world *w = *state;
    struct sluice_call_options o = SLUICE_CALL_OPTIONS_INIT;
    int64_t begin = now_ms();

    o.timeout_ms = 100;
    assert_int_equal(call(w, "/t/Hang", "x", &o), SLUICE_DEADLINE_EXCEEDED);
    assert_in_range(now_ms() - begin, 100, 2000);
    assert_false(w->status.from_server);
    assert_string_equal(w->status.reason, "DEADLINE_EXCEEDED");
    assert_null(w->result);
    assert_true(peer_server_wait_gone(w->server, 1));
    /* The connection is still good. */
    assert_int_equal(call(w, "/t/Echo", "again", NULL), SLUICE_OK);
    assert_int_equal(peer_server_connections(w->server), 1);
    o.timeout_ms = 0;
    assert_int_equal(call(w, "/t/Echo", "x", &o), SLUICE_DEADLINE_EXCEEDED);
    o.timeout_ms = -2;
    assert_int_equal(call(w, "/t/Echo", "x", &o), SLUICE_INVALID_ARGUMENT);
}

static void *trigger_later(void *cancel)
{
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    sluice_cancel_trigger(cancel);
    return NULL;
}

static void another_thread_cancels(void **state)
{
    struct world *w = *state;
    struct sluice_call_options o = SLUICE_CALL_OPTIONS_INIT;
    pthread_t thread;

    assert_int_equal(sluice_cancel_create(&o.cancel), SLUICE_OK);
    for (size_t i = 1; i <= 5; i++) {
        assert_int_equal(pthread_create(&thread, NULL, trigger_later, o.cancel), 0);
        assert_int_equal(call(w, "/t/Hang", "x", &o), SLUICE_CANCELLED);
        pthread_join(thread, NULL);
        assert_true(peer_server_wait_gone(w->server, i));
        /* It stays on until it is reset. */
        assert_int_equal(call(w, "/t/Echo", "x", &o), SLUICE_CANCELLED);
        sluice_cancel_reset(o.cancel);
        assert_int_equal(call(w, "/t/Echo", "x", &o), SLUICE_OK);
    }
    sluice_cancel_destroy(o.cancel);
}

static struct sluice_cancel *signal_switch;

static void on_alarm(int number)
{
    (void)number;
    sluice_cancel_trigger(signal_switch);
}

static void a_signal_handler_cancels(void **state)
{
    struct world *w = *state;
    struct sluice_call_options o = SLUICE_CALL_OPTIONS_INIT;
    struct sigaction action = {.sa_handler = on_alarm};

    assert_int_equal(sluice_cancel_create(&signal_switch), SLUICE_OK);
    o.cancel = signal_switch;
    sigaction(SIGALRM, &action, NULL);
    ualarm(50000, 0);
    assert_int_equal(call(w, "/t/Hang", "x", &o), SLUICE_CANCELLED);
    signal(SIGALRM, SIG_DFL);
    sluice_cancel_destroy(signal_switch);
}

static void what_the_server_did_not_begin_is_sent_again(void **state)
{
    struct world *w = *state;

    assert_int_equal(call(w, "/t/Once", "first", NULL), SLUICE_OK);
    assert_message(w, "first");
    assert_int_equal(peer_server_connections(w->server), 2);
}

static void refused_streams_are_tried_again_but_not_for_ever(void **state)
{
    struct world *w = *state;

    assert_int_equal(call(w, "/t/Refuse", "x", NULL), SLUICE_OK);
    assert_int_equal(peer_server_requests(w->server), 3);
    assert_int_equal(call(w, "/t/Busy", "x", NULL), SLUICE_UNAVAILABLE);
    assert_int_equal(peer_server_requests(w->server), 6);
    assert_int_equal(peer_server_connections(w->server), 1);
}

static void a_lost_connection_is_told_and_opened_again(void **state)
{
    struct world *w = *state;

    assert_int_equal(call(w, "/t/Echo", "x", NULL), SLUICE_OK);
    assert_int_equal(call(w, "/t/Drop", "x", NULL), SLUICE_UNAVAILABLE);
    assert_string_equal(w->status.reason, "CONNECTION_LOST");
    assert_false(w->status.from_server);
    assert_int_equal(peer_server_requests(w->server), 2); /* not sent again */
    assert_int_equal(call(w, "/t/Echo", "x", NULL), SLUICE_OK);
    assert_int_equal(peer_server_connections(w->server), 2);
}

static void a_connection_that_ended_between_calls_is_not_noticed(void **state)
{
    struct world *w = *state;

    for (size_t i = 1; i <= 5; i++) {
        assert_int_equal(call(w, "/t/Last", "x", NULL), SLUICE_OK);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        assert_int_equal(peer_server_connections(w->server), i);
    }
}

static void nobody_listens(void **state)
{
    struct world *w = *state;
    struct sluice_channel *c;

    assert_int_equal(sluice_channel_create("127.0.0.1:1", NULL, &c, NULL), SLUICE_OK);
    assert_int_equal(sluice_unary(c, "/t/Echo", NULL, 0, NULL, &w->result, &w->status),
                     SLUICE_UNAVAILABLE);
    assert_string_equal(w->status.reason, "UNREACHABLE");
    assert_non_null(strstr(w->status.message, "127.0.0.1:1"));
    sluice_channel_destroy(c);
}

/* A listener whose queue is full takes no connection: connecting lasts. */
static void connecting_has_its_own_limit(void **state)
{
    struct world *w = *state;
    struct sluice_channel_options o = SLUICE_CHANNEL_OPTIONS_INIT;
    struct sluice_call_options call_options = SLUICE_CALL_OPTIONS_INIT;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(in);
    struct sluice_channel *c;
    char address[32];
    int clients[8];

    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
    assert_int_equal(listen(fd, 0), 0);
    getsockname(fd, (struct sockaddr *)&in, &len);
    for (size_t i = 0; i < SL_ARRAY_LEN(clients); i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(clients[i], (struct sockaddr *)&in, len);
    }
    snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(in.sin_port));
    o.connect_timeout_ms = 100;
    assert_int_equal(sluice_channel_create(address, &o, &c, NULL), SLUICE_OK);
    assert_int_equal(sluice_unary(c, "/t/M", NULL, 0, NULL, &w->result, &w->status),
                     SLUICE_UNAVAILABLE);
    assert_non_null(strstr(w->status.message, "timed out"));
    call_options.timeout_ms = 20;
    assert_int_equal(sluice_unary(c, "/t/M", NULL, 0, &call_options, &w->result, &w->status),
                     SLUICE_DEADLINE_EXCEEDED);
    sluice_channel_destroy(c);
    for (size_t i = 0; i < SL_ARRAY_LEN(clients); i++)
        close(clients[i]);
    close(fd);
}

static void sizes_are_bounded(void **state)
{
    struct world *w = *state;
    struct sluice_channel_options o = SLUICE_CHANNEL_OPTIONS_INIT;
    struct sluice_channel *c;
    char text[1001];

    memset(text, 'x', sizeof(text));
    o.max_message_bytes = 1000;
    assert_int_equal(sluice_channel_create(peer_server_address(w->server), &o, &c, NULL),
                     SLUICE_OK);
    assert_int_equal(sluice_unary(c, "/t/Echo", text, 1000, NULL, &w->result, &w->status),
                     SLUICE_OK);
    sluice_result_destroy(w->result);
    assert_int_equal(sluice_unary(c, "/t/Echo", text, 1001, NULL, &w->result, &w->status),
                     SLUICE_RESOURCE_EXHAUSTED);
    assert_string_equal(w->status.reason, "TOO_LARGE");
    sluice_channel_destroy(c);
}

static void arguments_are_checked(void **state)
{
    static const char *const methods[] = {"", "t/Echo", "/t/\n", "/t/\xc3\xa4"};
    static const struct sluice_pair bad[] = {
        {"Upper", "x"}, {"grpc-timeout", "1S"}, {":path", "x"}, {"x", "a\r\nb"}, {"x", "\xff"}};
    struct world *w = *state;
    struct sluice_call_options o = SLUICE_CALL_OPTIONS_INIT;
    struct sluice_channel_options co = SLUICE_CHANNEL_OPTIONS_INIT;
    struct sluice_channel *c;

    for (size_t i = 0; i < SL_ARRAY_LEN(methods); i++)
        assert_int_equal(call(w, methods[i], "x", NULL), SLUICE_INVALID_ARGUMENT);
    o.metadata_count = 1;
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++) {
        o.metadata = &bad[i];
        assert_int_equal(call(w, "/t/Echo", "x", &o), SLUICE_INVALID_ARGUMENT);
    }
    co.token = "has space";
    assert_int_equal(sluice_channel_create("h:1", &co, &c, NULL), SLUICE_INVALID_ARGUMENT);
    co.token = NULL;
    co.connect_timeout_ms = 0;
    assert_int_equal(sluice_channel_create("h:1", &co, &c, NULL), SLUICE_INVALID_ARGUMENT);
    assert_int_equal(peer_server_requests(w->server), 0);
}

static void timeout_and_token_travel(void **state)
{
    struct world *w = *state;
    struct sluice_channel_options o = SLUICE_CHANNEL_OPTIONS_INIT;
    struct sluice_call_options call_options = SLUICE_CALL_OPTIONS_INIT;
    char token[] = "secret";

    o.token = token;
    sluice_channel_destroy(w->channel);
    assert_int_equal(sluice_channel_create(peer_server_address(w->server), &o, &w->channel, NULL),
                     SLUICE_OK);
    memset(token, 'x', sizeof(token) - 1); /* it was copied */
    call_options.timeout_ms = 60000;
    assert_int_equal(call(w, "/t/Header", "", &call_options), SLUICE_OK);
    struct sluice_bytes b = sluice_result_message(w->result);
    char text[64];
    snprintf(text, sizeof(text), "%.*s", (int)b.bytes, (const char *)b.data);
    assert_int_equal(strncmp(text, "59999", 5), 0);
    assert_string_equal(strchr(text, '|'), "|Bearer secret");
}

/* An address of this machine that is not its loopback; false when it has none. */
static bool find_outer_address(struct in_addr *out)
{
    struct ifaddrs *list;
    bool found = false;

    if (getifaddrs(&list) != 0)
        return false;
    for (const struct ifaddrs *i = list; i != NULL && !found; i = i->ifa_next) {
        const struct sockaddr_in *in = (const void *)i->ifa_addr;
        found = in != NULL && in->sin_family == AF_INET &&
                (ntohl(in->sin_addr.s_addr) >> 24) != IN_LOOPBACKNET;
        if (found)
            *out = in->sin_addr;
    }
    freeifaddrs(list);
    return found;
}

static void a_token_does_not_leave_the_machine_unencrypted(void **state)
{
    struct world *w = *state;
    struct sluice_channel_options o = SLUICE_CHANNEL_OPTIONS_INIT;
    struct sluice_call_options call_options = SLUICE_CALL_OPTIONS_INIT;
    struct sockaddr_in in = {.sin_family = AF_INET};
    socklen_t len = sizeof(in);
    char address[64];
    char seen[16];

    if (!find_outer_address(&in.sin_addr))
        skip();
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
    assert_int_equal(listen(fd, 4), 0);
    getsockname(fd, (struct sockaddr *)&in, &len);
    snprintf(address, sizeof(address), "%s:%u", inet_ntoa(in.sin_addr), ntohs(in.sin_port));
    call_options.timeout_ms = 100;
    o.token = "secret";
    for (int allowed = 0; allowed <= 1; allowed++) {
        o.allow_plaintext_token = allowed;
        sluice_channel_destroy(w->channel);
        assert_int_equal(sluice_channel_create(address, &o, &w->channel, NULL), SLUICE_OK);
        assert_int_equal(call(w, "/t/M", "x", &call_options),
                         allowed ? SLUICE_DEADLINE_EXCEEDED : SLUICE_FAILED_PRECONDITION);
        assert_string_equal(w->status.reason, allowed ? "DEADLINE_EXCEEDED" : "PLAINTEXT_TOKEN");
        int peer = accept(fd, NULL, NULL);
        assert_int_equal(recv(peer, seen, sizeof(seen), MSG_DONTWAIT) > 0, allowed);
        close(peer);
    }
    close(fd);
}

struct intruder {
    struct sluice_channel *channel;
    struct sluice_status status;
};

static void *intrude(void *arg)
{
    struct intruder *i = arg;
    struct sluice_result *result;
    nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
    sluice_unary(i->channel, "/t/Echo", NULL, 0, NULL, &result, &i->status);
    sluice_result_destroy(result);
    return NULL;
}

static void a_second_thread_is_refused(void **state)
{
    struct world *w = *state;
    struct sluice_call_options o = SLUICE_CALL_OPTIONS_INIT;
    struct intruder i = {.channel = w->channel};
    pthread_t thread;

    o.timeout_ms = 200;
    assert_int_equal(pthread_create(&thread, NULL, intrude, &i), 0);
    assert_int_equal(call(w, "/t/Hang", "x", &o), SLUICE_DEADLINE_EXCEEDED);
    pthread_join(thread, NULL);
    assert_int_equal(i.status.code, SLUICE_FAILED_PRECONDITION);
    assert_string_equal(i.status.reason, "CHANNEL_BUSY");
}

static void older_options_get_defaults(void **state)
{
    struct world *w = *state;
    /* As an older header would have them: only the first member known. */
    struct sluice_call_options o = {.struct_bytes = sizeof(size_t), .timeout_ms = 0};

    assert_int_equal(call(w, "/t/Echo", "x", &o), SLUICE_OK);
}

static int get_kept(struct world *w, const char *call_id, const char *token, bool *out_pending)
{
    sluice_result_destroy(w->result);
    return sluice_get_result(w->channel, call_id, token, NULL, out_pending, &w->result, &w->status);
}

static void a_kept_result_is_as_the_call_gave_it(void **state)
{
    struct world *w = *state;
    struct sluice_receipt receipt = SLUICE_RECEIPT_INIT;
    bool is_pending;

    assert_int_equal(get_kept(w, "25f48597", "t", &is_pending), SLUICE_OK);
    assert_false(is_pending);
    const struct sluice_tensor *y = sluice_result_output_named(w->result, "y");
    assert_non_null(y);
    assert_int_equal((uintptr_t)y->data % 16, 0);
    assert_float_equal(((const float *)y->data)[1], 2, 0);
    assert_string_equal(sluice_result_model_name(w->result), "m");
    assert_int_equal(sluice_result_message(w->result).bytes, 0);
    assert_true(sluice_result_receipt(w->result, &receipt));
    assert_string_equal(receipt.visitor, "user:a");
}

static void a_result_that_is_not_there_yet(void **state)
{
    struct world *w = *state;
    char long_text[66];
    bool is_pending;

    assert_int_equal(get_kept(w, "pending", NULL, &is_pending), SLUICE_OK);
    assert_true(is_pending);
    assert_null(w->result);
    assert_int_equal(get_kept(w, "broken", NULL, &is_pending), SLUICE_INTERNAL);
    assert_string_equal(w->status.reason, "BAD_REPLY");
    assert_false(is_pending);
    assert_null(w->result);
    size_t before = peer_server_requests(w->server);
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    assert_int_equal(get_kept(w, long_text, NULL, &is_pending), SLUICE_INVALID_ARGUMENT);
    assert_int_equal(get_kept(w, "x", long_text, &is_pending), SLUICE_INVALID_ARGUMENT);
    assert_int_equal(get_kept(w, NULL, NULL, &is_pending), SLUICE_INVALID_ARGUMENT);
    assert_int_equal(peer_server_requests(w->server), before);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(calls_share_one_connection),
        TEST(large_messages_go_there_and_back),
        TEST(a_deadline_ends_the_call_and_tells_the_server),
        TEST(another_thread_cancels),
        TEST(a_signal_handler_cancels),
        TEST(what_the_server_did_not_begin_is_sent_again),
        TEST(refused_streams_are_tried_again_but_not_for_ever),
        TEST(a_lost_connection_is_told_and_opened_again),
        TEST(a_connection_that_ended_between_calls_is_not_noticed),
        TEST(nobody_listens),
        TEST(connecting_has_its_own_limit),
        TEST(sizes_are_bounded),
        TEST(arguments_are_checked),
        TEST(timeout_and_token_travel),
        TEST(a_token_does_not_leave_the_machine_unencrypted),
        TEST(a_second_thread_is_refused),
        TEST(older_options_get_defaults),
        TEST(a_kept_result_is_as_the_call_gave_it),
        TEST(a_result_that_is_not_there_yet),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
