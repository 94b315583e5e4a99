/* gate_rig.c - plays the gateway's part of sluice.node.v1 over ZeroMQ. */
#include "gate_rig.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "remove_tree.h"
#include "sl_test.h"

typedef Sluice__Node__V1__GatewayBatch pb_down;
typedef Sluice__Node__V1__NodeBatch pb_up;
typedef Sluice__Node__V1__Result pb_result;

enum { CHUNK = 1 << 20 };

const char gate_echo_yaml[] = "engine: identity\n" GATE_TENSORS;
const char gate_fake_yaml[] = "engine: fake\nfake: {result: copy}\n" GATE_TENSORS;

int64_t gate_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- files and the process */

static void write_file(const struct gate *g, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", g->dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void make_dir(const struct gate *g, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", g->dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void make_models(const struct gate *g, const struct gate_model *models)
{
    char name[128];
    make_dir(g, "models");
    for (; models->name; models++) {
        snprintf(name, sizeof(name), "models/%s", models->name);
        make_dir(g, name);
        snprintf(name, sizeof(name), "models/%s/model.yaml", models->name);
        write_file(g, name, models->yaml);
    }
}

static void make_config(const struct gate *g, const char *extra)
{
    char text[2000];
    snprintf(text, sizeof(text),
             "node: rig\nmodels: %s/models\nlink: {control: \"ipc://%s/c\", bulk: \"ipc://%s/b\"}\n"
             "%s\n",
             g->dir, g->dir, g->dir, extra);
    write_file(g, "executor.yaml", text);
}

static void start_executor(struct gate *g)
{
    char config[128], log[128];
    snprintf(config, sizeof(config), "%s/executor.yaml", g->dir);
    snprintf(log, sizeof(log), "%s/log", g->dir);
    g->log = open(log, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_true(g->log >= 0);
    g->pid = fork();
    assert_true(g->pid >= 0);
    if (g->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(g->log, STDOUT_FILENO);
        if (!getenv("GATE_RIG_LOG"))
            dup2(g->log, STDERR_FILENO);
        execl(SLUICE_EXECUTOR, SLUICE_EXECUTOR, "--config", config, (char *)NULL);
        _exit(127);
    }
}

static void *bind_router(struct gate *g, const char *name)
{
    char endpoint[128];
    const int zero = 0, one = 1;
    void *socket = zmq_socket(g->context, ZMQ_ROUTER);
    assert_non_null(socket);
    snprintf(endpoint, sizeof(endpoint), "ipc://%s/%s", g->dir, name);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof(zero)), 0);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_ROUTER_MANDATORY, &one, sizeof(one)), 0);
    assert_int_equal(zmq_bind(socket, endpoint), 0);
    return socket;
}

void gate_start(struct gate *g, const struct gate_model *models, const char *extra)
{
    memset(g, 0, sizeof(*g));
    strcpy(g->dir, "/tmp/sluice-gate-XXXXXX");
    assert_non_null(mkdtemp(g->dir));
    g->heartbeat_ms = 50;
    g->lost_after_ms = 2000;
    make_models(g, models);
    make_config(g, extra);
    g->context = zmq_ctx_new();
    g->control = bind_router(g, "c");
    g->bulk = bind_router(g, "b");
    start_executor(g);
}

int gate_wait_end(struct gate *g)
{
    int status = 0;
    for (const int64_t end = gate_now_ms() + GATE_WAIT_MS; gate_now_ms() < end;) {
        if (waitpid(g->pid, &status, WNOHANG) == g->pid) {
            g->pid = 0;
            return status;
        }
        gate_next(g, 1);
    }
    kill(g->pid, SIGKILL);
    fail_msg("the executor did not end");
    return 0;
}

bool gate_is_alive(const struct gate *g, pid_t pid)
{
    char path[64], command[1000];
    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    const size_t len = fread(command, 1, sizeof(command), f);
    fclose(f);
    return memmem(command, len, g->dir, strlen(g->dir)) != NULL;
}

static void free_events(struct gate *g)
{
    free(g->last.payload);
    for (; g->taken < g->queued; g->taken++)
        free(g->queue[g->taken].payload);
    for (size_t i = 0; i < sizeof(g->gathering) / sizeof(g->gathering[0]); i++)
        free(g->gathering[i].bytes);
}

void gate_finish(struct gate *g)
{
    pid_t pids[64];
    const size_t count = g->pid ? gate_workers(g, pids, 64) : 0;
    if (g->pid != 0) {
        kill(g->pid, SIGTERM);
        const int status = gate_wait_end(g);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    for (size_t i = 0; i < count; i++)
        assert_false(gate_is_alive(g, pids[i]));
    free_events(g);
    zmq_close(g->control);
    zmq_close(g->bulk);
    zmq_ctx_term(g->context);
    close(g->log);
    assert_int_equal(remove_tree(g->dir), 0);
}

size_t gate_workers(const struct gate *g, pid_t pids[], size_t room)
{
    char path[64];
    size_t count = 0;
    int pid;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)g->pid, (int)g->pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (count < room && fscanf(f, "%d", &pid) == 1)
        pids[count++] = pid;
    fclose(f);
    return count;
}

/* ---- down */

static void send_control(struct gate *g, const pb_down *batch)
{
    const size_t len = sluice__node__v1__gateway_batch__get_packed_size(batch);
    uint8_t *bytes = malloc(len + 1);
    assert_non_null(bytes);
    sluice__node__v1__gateway_batch__pack(batch, bytes);
    gate_send_raw(g, bytes, len);
    free(bytes);
}

void gate_send_raw(struct gate *g, const void *bytes, size_t len)
{
    /* A peer that has just gone away is what some tests are about. */
    if (zmq_send(g->control, g->control_peer.bytes, g->control_peer.len, ZMQ_SNDMORE) >= 0)
        assert_true(zmq_send(g->control, bytes, len, 0) >= 0);
}

void gate_send_chunk(struct gate *g, uint64_t lease, uint64_t offset, uint64_t total,
                     const void *bytes, size_t len)
{
    Sluice__Node__V1__BulkHeader h = SLUICE__NODE__V1__BULK_HEADER__INIT;
    uint8_t header[64];
    h.session = g->session;
    h.lease = lease;
    h.offset_bytes = offset;
    h.total_bytes = total;
    const size_t header_len = sluice__node__v1__bulk_header__pack(&h, header);
    if (zmq_send(g->bulk, g->bulk_peer.bytes, g->bulk_peer.len, ZMQ_SNDMORE) < 0)
        return;
    assert_true(zmq_send(g->bulk, header, header_len, ZMQ_SNDMORE) >= 0);
    assert_true(zmq_send(g->bulk, bytes, len, 0) >= 0);
    g->bulk_sent += len;
}

static void say_alive(struct gate *g)
{
    pb_down batch = SLUICE__NODE__V1__GATEWAY_BATCH__INIT;
    Sluice__Node__V1__Heartbeat beat = SLUICE__NODE__V1__HEARTBEAT__INIT;
    if (g->is_silent || g->session == 0 || gate_now_ms() < g->heartbeat_at)
        return;
    g->heartbeat_at = gate_now_ms() + (int64_t)g->heartbeat_ms;
    batch.session = g->session;
    batch.heartbeat = &beat;
    batch.bulk_taken_bytes = g->bulk_taken;
    send_control(g, &batch);
}

struct dispatch {
    Sluice__Node__V1__Dispatch message;
    Sluice__Node__V1__Tensor input, *inputs[1];
    Sluice__Node__V1__Parameter params[3], *param_list[3];
    int64_t shape[2];
};

static Sluice__Node__V1__Parameter *add_param(struct dispatch *d, const char *name)
{
    Sluice__Node__V1__Parameter *p = &d->params[d->message.n_parameters];
    sluice__node__v1__parameter__init(p);
    p->name = (char *)(uintptr_t)name;
    d->param_list[d->message.n_parameters++] = p;
    return p;
}

static void add_params(struct dispatch *d, const struct gate_call *call)
{
    const char *const names[] = {"fake_run", "fake_crash"};
    const char *const values[] = {call->run, call->crash};
    d->message.parameters = d->param_list;
    for (size_t i = 0; i < 2; i++) {
        if (!values[i])
            continue;
        Sluice__Node__V1__Parameter *p = add_param(d, names[i]);
        p->value_case = SLUICE__NODE__V1__PARAMETER__VALUE_STRING_VALUE;
        p->string_value = (char *)(uintptr_t)values[i];
    }
    if (call->hang) {
        Sluice__Node__V1__Parameter *p = add_param(d, "fake_hang");
        p->value_case = SLUICE__NODE__V1__PARAMETER__VALUE_BOOL_VALUE;
        p->bool_value = true;
    }
}

static void fill(struct dispatch *d, const struct gate_call *call)
{
    static char uuid[] = "00000000-0000-4000-8000-000000000000";
    sluice__node__v1__dispatch__init(&d->message);
    sluice__node__v1__tensor__init(&d->input);
    d->shape[0] = (int64_t)(call->len / 16);
    d->shape[1] = 4;
    d->input.name = (char *)(uintptr_t) "INPUT0";
    d->input.datatype = (char *)(uintptr_t) "FP32";
    d->input.shape = d->shape;
    d->input.n_shape = 2;
    d->input.length_bytes = call->len;
    d->inputs[0] = &d->input;
    d->message.inputs = d->inputs;
    d->message.n_inputs = 1;
    d->message.lease = call->lease;
    d->message.slice = call->slice;
    d->message.model = (char *)(uintptr_t)call->model;
    d->message.version = (char *)(uintptr_t) "1";
    d->message.limit_us = call->limit_us > 0 ? call->limit_us : 10000000;
    d->message.cpu_hint = call->cpu_hint;
    d->message.call_id = uuid;
    add_params(d, call);
    if (call->len > GATE_INLINE_MAX)
        d->message.payload_bytes = call->len;
    else
        d->message.payload = (ProtobufCBinaryData){call->len, (uint8_t *)(uintptr_t)call->bytes};
}

static void send_payload(struct gate *g, const struct gate_call *call)
{
    for (size_t at = 0; call->len > GATE_INLINE_MAX && at < call->len; at += CHUNK) {
        const size_t rest = call->len - at;
        gate_send_chunk(g, call->lease, at, call->len, (const uint8_t *)call->bytes + at,
                        rest < CHUNK ? rest : CHUNK);
    }
}

void gate_dispatch_many(struct gate *g, const struct gate_call *calls, size_t count)
{
    pb_down batch = SLUICE__NODE__V1__GATEWAY_BATCH__INIT;
    struct dispatch *all = calloc(count, sizeof(*all));
    Sluice__Node__V1__Dispatch **list = calloc(count, sizeof(Sluice__Node__V1__Dispatch *));
    assert_non_null(all);
    assert_non_null(list);
    for (size_t i = 0; i < count; i++) {
        fill(&all[i], &calls[i]);
        list[i] = &all[i].message;
    }
    batch.session = g->session;
    batch.dispatches = list;
    batch.n_dispatches = count;
    batch.bulk_taken_bytes = g->bulk_taken;
    send_control(g, &batch);
    for (size_t i = 0; i < count; i++)
        send_payload(g, &calls[i]);
    free(list);
    free(all);
}

void gate_dispatch(struct gate *g, const struct gate_call *call)
{
    gate_dispatch_many(g, call, 1);
}

void gate_cancel(struct gate *g, uint64_t lease)
{
    pb_down batch = SLUICE__NODE__V1__GATEWAY_BATCH__INIT;
    Sluice__Node__V1__Cancel cancel = SLUICE__NODE__V1__CANCEL__INIT, *list[] = {&cancel};
    cancel.lease = lease;
    batch.session = g->session;
    batch.cancels = list;
    batch.n_cancels = 1;
    send_control(g, &batch);
}

static void send_welcome(struct gate *g)
{
    pb_down batch = SLUICE__NODE__V1__GATEWAY_BATCH__INIT;
    Sluice__Node__V1__Welcome w = SLUICE__NODE__V1__WELCOME__INIT;
    w.protocol = 1;
    w.bulk_window_bytes = GATE_WINDOW;
    w.inline_max_bytes = GATE_INLINE_MAX;
    w.heartbeat_every_ms = g->heartbeat_ms;
    w.lost_after_ms = g->lost_after_ms;
    batch.session = g->session;
    batch.welcome = &w;
    send_control(g, &batch);
}

/* ---- up */

static struct gate_event *push(struct gate *g, enum gate_kind kind, uint64_t lease)
{
    assert_true(g->queued < sizeof(g->queue) / sizeof(g->queue[0]));
    struct gate_event *e = &g->queue[g->queued++];
    *e = (struct gate_event){.kind = kind, .lease = lease};
    return e;
}

static size_t gathering_of(struct gate *g, uint64_t lease)
{
    const size_t room = sizeof(g->gathering) / sizeof(g->gathering[0]);
    size_t i = 0;
    while (i < room && (g->gathering[i].bytes == NULL || g->gathering[i].lease != lease))
        i++;
    if (i < room)
        return i;
    for (i = 0; i < room && g->gathering[i].bytes; i++)
        ;
    assert_true(i < room);
    return i;
}

static void begin_gathering(struct gate *g, size_t i, uint64_t lease, uint64_t total)
{
    if (g->gathering[i].bytes) {
        assert_int_equal(g->gathering[i].total, total);
        return;
    }
    memset(&g->gathering[i], 0, sizeof(g->gathering[i]));
    g->gathering[i].lease = lease;
    g->gathering[i].total = total;
    g->gathering[i].bytes = malloc(total);
    assert_non_null(g->gathering[i].bytes);
}

static void deliver_if_complete(struct gate *g, size_t i)
{
    if (!g->gathering[i].has_result || g->gathering[i].got < g->gathering[i].total)
        return;
    struct gate_event *e = push(g, GATE_RESULT, g->gathering[i].lease);
    *e = g->gathering[i].result;
    e->payload = g->gathering[i].bytes;
    e->payload_bytes = g->gathering[i].total;
    g->gathering[i].bytes = NULL;
}

static bool was_told(const struct gate *g, uint64_t lease)
{
    for (size_t i = 0; i < g->told_count && i < GATE_TOLD_MAX; i++) {
        if (g->told[i] == lease)
            return true;
    }
    return false;
}

static void push_started(struct gate *g, uint64_t lease)
{
    g->told[g->told_count++ % GATE_TOLD_MAX] = lease;
    push(g, GATE_STARTED, lease);
}

static void on_result(struct gate *g, const pb_result *r)
{
    struct gate_event e = {.kind = GATE_RESULT,
                           .lease = r->lease,
                           .started = r->started,
                           .held_us = r->held_us,
                           .output_count = r->n_outputs};
    snprintf(e.reason, sizeof(e.reason), "%s", r->reason);
    snprintf(e.text, sizeof(e.text), "%s", r->text);
    if (r->n_outputs > 0 && r->outputs[0]->n_shape > 0)
        e.first_dim = r->outputs[0]->shape[0];
    if (r->started && !was_told(g, r->lease)) /* a short call says it here alone */
        push_started(g, r->lease);
    if (r->payload_bytes > 0) {
        const size_t i = gathering_of(g, r->lease);
        begin_gathering(g, i, r->lease, r->payload_bytes);
        g->gathering[i].has_result = true;
        g->gathering[i].result = e;
        deliver_if_complete(g, i);
        return;
    }
    struct gate_event *queued = push(g, GATE_RESULT, r->lease);
    *queued = e;
    queued->payload_bytes = r->payload.len;
    queued->payload = malloc(r->payload.len + 1);
    assert_non_null(queued->payload);
    if (r->payload.len > 0)
        memcpy(queued->payload, r->payload.data, r->payload.len);
}

static void on_hello(struct gate *g, const pb_up *b)
{
    const Sluice__Node__V1__Hello *h = b->hello;
    g->session = b->session;
    g->bulk_sent = g->bulk_acked = g->bulk_taken = 0;
    g->bulk_peer.len = 0;
    g->slice_count = (uint32_t)h->n_slices;
    g->model_count = h->n_models;
    for (size_t i = 0; i < h->n_models && i < 16; i++) {
        snprintf(g->model_names[i], sizeof(g->model_names[i]), "%s", h->models[i]->name);
        snprintf(g->model_problems[i], sizeof(g->model_problems[i]), "%s", h->models[i]->problem);
    }
    push(g, GATE_HELLO, 0);
}

static void on_batch(struct gate *g, const pb_up *b)
{
    if (b->hello)
        on_hello(g, b);
    if (b->session != g->session)
        return;
    g->heard_heartbeats += b->heartbeat != NULL;
    g->is_draining = g->is_draining || b->draining;
    if (b->bulk_taken_bytes > 0)
        g->bulk_acked = b->bulk_taken_bytes;
    for (size_t i = 0; i < b->n_started; i++)
        push_started(g, b->started[i]->lease);
    for (size_t i = 0; i < b->n_results; i++)
        on_result(g, b->results[i]);
    for (size_t i = 0; i < b->n_returned; i++) {
        struct gate_event *e = push(g, GATE_RETURNED, b->returned[i]->lease);
        snprintf(e->reason, sizeof(e->reason), "%s", b->returned[i]->reason);
        snprintf(e->text, sizeof(e->text), "%s", b->returned[i]->text);
    }
}

static void on_chunk(struct gate *g, zmq_msg_t *header, zmq_msg_t *bytes)
{
    const size_t len = zmq_msg_size(bytes);
    Sluice__Node__V1__BulkHeader *h =
        sluice__node__v1__bulk_header__unpack(NULL, zmq_msg_size(header), zmq_msg_data(header));
    assert_non_null(h);
    if (h->session == g->session && h->lease != 0) {
        const size_t i = gathering_of(g, h->lease);
        begin_gathering(g, i, h->lease, h->total_bytes);
        assert_int_equal(h->offset_bytes, g->gathering[i].got);
        assert_true(len <= CHUNK && len <= h->total_bytes - h->offset_bytes);
        memcpy(g->gathering[i].bytes + h->offset_bytes, zmq_msg_data(bytes), len);
        g->gathering[i].got += len;
        g->bulk_taken += len;
        g->heartbeat_at = 0; /* acknowledge soon */
        deliver_if_complete(g, i);
    }
    sluice__node__v1__bulk_header__free_unpacked(h, NULL);
}

/* The frames of one message; false: there is none. */
static bool receive(void *socket, zmq_msg_t frames[3])
{
    size_t count = 0;
    zmq_msg_t m;
    bool more = true;
    while (more) {
        zmq_msg_init(&m);
        if (zmq_msg_recv(&m, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&m);
            return false;
        }
        more = zmq_msg_more(&m);
        assert_true(count < 3);
        zmq_msg_init(&frames[count]);
        zmq_msg_move(&frames[count++], &m);
        zmq_msg_close(&m);
    }
    for (; count < 3; count++)
        zmq_msg_init(&frames[count]);
    return true;
}

static void keep_identity(struct gate_identity *out, zmq_msg_t *m)
{
    out->len = zmq_msg_size(m);
    assert_true(out->len <= sizeof(out->bytes));
    memcpy(out->bytes, zmq_msg_data(m), out->len);
}

static void take_control(struct gate *g, zmq_msg_t frames[3])
{
    pb_up *b = sluice__node__v1__node_batch__unpack(NULL, zmq_msg_size(&frames[1]),
                                                    zmq_msg_data(&frames[1]));
    assert_non_null(b);
    assert_true(zmq_msg_size(&frames[1]) <= 1 << 20);
    if (b->hello)
        keep_identity(&g->control_peer, &frames[0]);
    on_batch(g, b);
    sluice__node__v1__node_batch__free_unpacked(b, NULL);
}

static bool is_of_session(const struct gate *g, zmq_msg_t *header)
{
    Sluice__Node__V1__BulkHeader *h =
        sluice__node__v1__bulk_header__unpack(NULL, zmq_msg_size(header), zmq_msg_data(header));
    assert_non_null(h);
    const bool is = h->session == g->session;
    sluice__node__v1__bulk_header__free_unpacked(h, NULL);
    return is;
}

static void take_bulk(struct gate *g, zmq_msg_t frames[3])
{
    if (g->bulk_peer.len == 0 && is_of_session(g, &frames[1]))
        keep_identity(&g->bulk_peer, &frames[0]);
    on_chunk(g, &frames[1], &frames[2]);
}

static bool take_one(struct gate *g, void *socket)
{
    zmq_msg_t frames[3];
    if (!receive(socket, frames))
        return false;
    if (socket == g->control)
        take_control(g, frames);
    else
        take_bulk(g, frames);
    for (int i = 0; i < 3; i++)
        zmq_msg_close(&frames[i]);
    return true;
}

static bool is_new_session(const struct gate *g)
{
    return g->queued > 0 && g->queue[g->queued - 1].kind == GATE_HELLO;
}

/* Reads what is there, at most until a hello: what follows it belongs to another session. */
static void read_all(struct gate *g)
{
    while (!is_new_session(g) && g->queued < 3000 && take_one(g, g->control))
        ;
    while (!is_new_session(g) && g->queued < 3000 && take_one(g, g->bulk))
        ;
}

static void wait_for_mail(struct gate *g, int ms)
{
    zmq_pollitem_t items[] = {{g->control, 0, ZMQ_POLLIN, 0}, {g->bulk, 0, ZMQ_POLLIN, 0}};
    zmq_poll(items, 2, ms);
}

const struct gate_event *gate_next(struct gate *g, int wait_ms)
{
    const int64_t end = gate_now_ms() + (wait_ms < 0 ? GATE_WAIT_MS : wait_ms);
    free(g->last.payload);
    g->last = (struct gate_event){0};
    while (g->taken == g->queued) {
        g->taken = g->queued = 0;
        say_alive(g);
        read_all(g);
        if (g->queued > 0)
            break;
        const int64_t left = end - gate_now_ms();
        if (left <= 0) {
            if (wait_ms < 0)
                fail_msg("the executor says nothing");
            return &g->last;
        }
        wait_for_mail(g, left < 10 ? (int)left : 10);
    }
    g->last = g->queue[g->taken++];
    return &g->last;
}

static bool was_started(struct gate *g, uint64_t lease)
{
    const size_t room = sizeof(g->started) / sizeof(g->started[0]);
    for (size_t i = 0; i < g->started_count && i < room; i++) {
        if (g->started[i] == lease)
            return true;
    }
    return false;
}

const struct gate_event *gate_expect(struct gate *g, enum gate_kind kind, uint64_t lease)
{
    const size_t room = sizeof(g->started) / sizeof(g->started[0]);
    const struct gate_event *e = &g->last;
    if (kind == GATE_STARTED && was_started(g, lease))
        return e;
    do {
        e = gate_next(g, -1);
        if (e->kind == GATE_STARTED)
            g->started[g->started_count++ % room] = e->lease;
    } while (e->kind == GATE_STARTED && (kind != GATE_STARTED || e->lease != lease));
    if (e->kind != kind || e->lease != lease)
        fail_msg("event %d of lease %llu (%s: %s), wanted: %d of %llu", (int)e->kind,
                 (unsigned long long)e->lease, e->reason, e->text, (int)kind,
                 (unsigned long long)lease);
    return e;
}

void gate_greet(struct gate *g)
{
    const int64_t end = gate_now_ms() + GATE_WAIT_MS;
    gate_expect(g, GATE_HELLO, 0);
    send_welcome(g);
    while (g->bulk_peer.len == 0) {
        assert_true(gate_now_ms() < end);
        if (gate_next(g, 5)->kind == GATE_HELLO) /* the first session was given up meanwhile */
            send_welcome(g);
    }
}
