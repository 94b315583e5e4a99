/* test_gw_link.c - the gateway's end of the link with real ZeroMQ peers at the other: sessions,
 * calls, payloads by bulk in both directions, and nodes that break the rules. Time stands still
 * unless a test moves it. */
#include "gw_link.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

#include "gw_fakes.h"
#include "gw_link_int.h"
#include "infer_builder.h"
#include "shm_peer.h"
#include "sl_log.h"
#include "sl_pack.h"
#include "sl_test.h"
#include "sluice/node/v1/node.pb-c.h"

#define TEXT(s) ((char *)(uintptr_t)(s))

typedef Sluice__Node__V1__GatewayBatch gateway_batch;

enum { MIB = 1 << 20, INLINE_MAX = 1000, ROUNDS_MAX = 3000 };

struct pair {
    struct sl_key public_key, secret_key;
};

struct rig {
    struct fake_world w;
    struct sl_metric_registry *metrics;
    struct gw_link_conf conf;
    struct gw_link_metrics counts;
    struct gw_link *link;
    struct gw_link_port port;
    void *zmq;                            /* the peers' */
    struct sl_key public_key, secret_key; /* the gateway's, with CURVE */
    const struct pair *as;                /* whose keys the next connections show */
    bool bulk_is_plain;
    char dir[64], control[128], bulk[128];
};

static void begin(struct rig *r)
{
    *r = (struct rig){.dir = "/tmp/sluice-link-XXXXXX"};
    assert_non_null(mkdtemp(r->dir));
    snprintf(r->control, sizeof r->control, "ipc://%s/control", r->dir);
    snprintf(r->bulk, sizeof r->bulk, "ipc://%s/bulk", r->dir);
    r->conf = (struct gw_link_conf){.control = r->control,
                                    .bulk = r->bulk,
                                    .max_nodes = 2,
                                    .heartbeat_every_ns = SL_NS_PER_S,
                                    .lost_after_ns = 3 * SL_NS_PER_S,
                                    .bulk_window_bytes = 4 * MIB,
                                    .inline_max_bytes = INLINE_MAX,
                                    .max_result_bytes = 8 * MIB,
                                    .max_unsent_bytes = 2 * MIB};
    fake_world_init(&r->w, &sl_alloc_malloc);
    r->w.conf.max_body_bytes = 64 * MIB;
    r->w.conf.max_message_bytes = 16 * MIB;
    assert_ok(sl_metric_registry_create(&sl_alloc_malloc, &r->metrics));
    static const char *const kinds[] = {
#define KIND_LABEL(name, text) [GW_REFUSAL_##name] = "kind=\"" text "\"",
        GW_REFUSAL_MAP(KIND_LABEL)
#undef KIND_LABEL
    };
    for (int k = 0; k < GW_REFUSAL_COUNT; k++)
        r->counts.refused[k] = r->w.metrics.refused[k] =
            sl_metric_counter(r->metrics, "refused_total", kinds[k], "Refused.");
    r->counts.sent_bulk_bytes = sl_metric_counter(r->metrics, "sent_total", "", "Sent.");
    r->w.metrics.nodes_lost = sl_metric_counter(r->metrics, "lost_total", "", "Lost.");
}

static void start(struct rig *r)
{
    struct sl_error err;
    assert_ok(gw_link_create(&sl_alloc_malloc, &r->conf, &r->counts, &r->link, &err));
    r->port = gw_link_port(r->link);
    r->w.link = &r->port;
    assert_ok(fake_world_start(&r->w));
    gw_link_attach(r->link, r->w.flow);
    r->zmq = zmq_ctx_new();
}

/* The link goes first, as in the server: results that visitors still read must stay valid. */
static void finish(struct rig *r)
{
    char path[160];
    zmq_ctx_term(r->zmq);
    gw_link_destroy(r->link);
    const char *wrong = fake_world_finish(&r->w);
    if (wrong != NULL)
        fail_msg("%s", wrong);
    sl_metric_registry_destroy(r->metrics);
    snprintf(path, sizeof path, "%s/control", r->dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/bulk", r->dir);
    unlink(path);
    rmdir(r->dir);
}

/* One turn of the server's loop. */
static void turn(struct rig *r)
{
    for (size_t i = 0; i < GW_LINK_FDS; i++)
        gw_link_stir(r->link, i); /* as if both descriptors were readable */
    gw_link_read(r->link, r->w.now);
    gw_link_tick(r->link, r->w.now);
    fake_turn(&r->w);
    gw_link_flush(r->link, r->w.now);
}

/* ---- a peer */

struct peer {
    struct rig *r;
    void *control, *bulk;
    uint64_t session, previous_session;
    uint64_t taken_bytes;
    int shared; /* its end of the socket for shared memory */
};

static void show_keys(const struct rig *r, void *s)
{
    const size_t n = SL_KEY_TEXT_LEN + 1;
    assert_int_equal(zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, r->public_key.text, n), 0);
    assert_int_equal(zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, r->as->public_key.text, n), 0);
    assert_int_equal(zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, r->as->secret_key.text, n), 0);
}

static void *dial(struct rig *r, const char *endpoint, const char *name)
{
    int zero = 0;
    void *s = zmq_socket(r->zmq, ZMQ_DEALER);
    assert_non_null(s);
    assert_int_equal(zmq_setsockopt(s, ZMQ_LINGER, &zero, sizeof zero), 0);
    assert_int_equal(zmq_setsockopt(s, ZMQ_ROUTING_ID, name, strlen(name)), 0);
    if (r->as != NULL && !(r->bulk_is_plain && endpoint == r->bulk))
        show_keys(r, s);
    assert_int_equal(zmq_connect(s, endpoint), 0);
    return s;
}

static void open_peer(struct rig *r, struct peer *p, const char *identity, uint64_t session)
{
    *p = (struct peer){.r = r, .session = session};
    p->control = dial(r, r->control, identity);
    p->bulk = dial(r, r->bulk, identity);
}

static void close_peer(struct peer *p)
{
    zmq_close(p->control);
    zmq_close(p->bulk);
}

static void send_batch(struct peer *p, Sluice__Node__V1__NodeBatch *m)
{
    struct sl_arena a;
    m->session = m->session == 0 ? p->session : m->session;
    sl_arena_init(&a, &sl_alloc_malloc, 4 * MIB);
    struct sl_span bytes = sl_pack(&a, &m->base);
    assert_int_equal(zmq_send(p->control, bytes.data, bytes.len, 0), (int)bytes.len);
    sl_arena_finish(&a);
}

/* The gateway's next batch; it is the caller's. */
static gateway_batch *receive(struct peer *p)
{
    zmq_msg_t m;
    zmq_msg_init(&m);
    for (int i = 0; i < ROUNDS_MAX; i++) {
        turn(p->r);
        if (zmq_msg_recv(&m, p->control, ZMQ_DONTWAIT) >= 0) {
            gateway_batch *b =
                sluice__node__v1__gateway_batch__unpack(NULL, zmq_msg_size(&m), zmq_msg_data(&m));
            zmq_msg_close(&m);
            assert_non_null(b);
            assert_int_equal(b->session, p->session);
            return b;
        }
        usleep(1000);
    }
    fail_msg("the gateway says nothing");
    return NULL;
}

static void drop(gateway_batch *b)
{
    sluice__node__v1__gateway_batch__free_unpacked(b, NULL);
}

static void say_hello(struct peer *p, const char *name, uint64_t window_bytes)
{
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__Hello h = SLUICE__NODE__V1__HELLO__INIT;
    Sluice__Node__V1__Slice slice = SLUICE__NODE__V1__SLICE__INIT, *slices = &slice;
    Sluice__Node__V1__Model model = SLUICE__NODE__V1__MODEL__INIT, *models = &model;
    Sluice__Node__V1__TensorSpec in = SLUICE__NODE__V1__TENSOR_SPEC__INIT, *ins = &in;
    Sluice__Node__V1__TensorSpec out = SLUICE__NODE__V1__TENSOR_SPEC__INIT, *outs = &out;
    int64_t shape[1] = {-1};
    m.hello = &h;
    h.protocol_min = h.protocol_max = 1;
    h.node = TEXT(name);
    h.version = TEXT("test");
    h.bulk_window_bytes = window_bytes;
    h.inline_max_bytes = INLINE_MAX;
    h.slice_backlog_max = 8;
    h.previous_session = p->previous_session;
    h.shared_memory = p->r->conf.bodies != NULL;
    h.n_slices = h.n_models = 1;
    h.slices = &slices;
    h.models = &models;
    model.name = TEXT("m");
    model.version = TEXT("1");
    model.engine = TEXT("fake");
    model.duration_us = 100; /* short, so that calls are sent ahead */
    model.max_duration_us = 1000;
    model.n_inputs = model.n_outputs = 1;
    model.inputs = &ins;
    model.outputs = &outs;
    in.name = TEXT("IN");
    out.name = TEXT("OUT");
    in.datatype = out.datatype = TEXT("UINT8");
    in.n_shape = out.n_shape = 1;
    in.shape = out.shape = shape;
    send_batch(p, &m);
}

/* Binds the bulk connection to the control connection. */
static void introduce(struct peer *p, const void *token, size_t len)
{
    uint8_t header[128];
    Sluice__Node__V1__BulkHeader h = SLUICE__NODE__V1__BULK_HEADER__INIT;
    h.session = p->session;
    h.token.data = (uint8_t *)(uintptr_t)token;
    h.token.len = len;
    size_t n = sluice__node__v1__bulk_header__pack(&h, header);
    assert_int_equal(zmq_send(p->bulk, header, n, ZMQ_SNDMORE), (int)n);
    assert_int_equal(zmq_send(p->bulk, "", 0, 0), 0);
}

static void send_chunk(struct peer *p, const struct gw_bulk_header *h, const void *bytes, size_t n)
{
    uint8_t header[GW_BULK_HEADER_MAX];
    size_t len = gw_link_write_bulk(h, header);
    assert_int_equal(zmq_send(p->bulk, header, len, ZMQ_SNDMORE), (int)len);
    assert_int_equal(zmq_send(p->bulk, bytes, n, 0), (int)n);
}

/* Hello, welcome, and the bulk connection introduced. */
static void join(struct rig *r, struct peer *p, const char *name, uint64_t session,
                 uint64_t window_bytes)
{
    open_peer(r, p, name, session);
    say_hello(p, name, window_bytes);
    gateway_batch *b = receive(p);
    assert_non_null(b->welcome);
    assert_true(b->welcome->protocol == 1 && b->welcome->inline_max_bytes == INLINE_MAX);
    assert_true(b->welcome->heartbeat_every_ms == 1000 && b->welcome->lost_after_ms == 3000);
    assert_int_equal(b->welcome->bulk_window_bytes, 4 * MIB);
    assert_int_equal(b->welcome->bulk_token.len, GW_LINK_TOKEN_BYTES);
    introduce(p, b->welcome->bulk_token.data, b->welcome->bulk_token.len);
    if (r->conf.bodies != NULL) {
        assert_ok(sl_fdpass_connect(b->welcome->shared_path, &p->shared));
        assert_ok(sl_fdpass_send(p->shared, session, -1));
    } else {
        assert_string_equal(b->welcome->shared_path, "");
    }
    drop(b);
}

static size_t nodes(struct rig *r)
{
    return gw_fleet_totals(gw_flow_fleet(r->w.flow)).nodes;
}

static void wait_for_nodes(struct rig *r, size_t count)
{
    for (int i = 0; i < ROUNDS_MAX && nodes(r) != count; i++) {
        turn(r);
        usleep(1000);
    }
    assert_int_equal(nodes(r), count);
}

/* Nothing more is heard: time goes by. */
static void wait_for_nodes_in_time(struct rig *r, size_t count)
{
    for (int i = 0; i < ROUNDS_MAX && nodes(r) != count; i++) {
        r->w.now += 10 * SL_NS_PER_MS;
        turn(r);
        usleep(1000);
    }
    assert_int_equal(nodes(r), count);
}

static void wait_for_reply(struct rig *r, const struct fake_exchange *e)
{
    for (int i = 0; i < ROUNDS_MAX && e->replies == 0; i++) {
        turn(r);
        usleep(1000);
    }
    assert_int_equal(e->replies, 1);
}

static int64_t refused(struct rig *r, enum gw_refusal kind)
{
    return sl_metric_value(r->counts.refused[kind]);
}

static int64_t refused_in_all(struct rig *r)
{
    int64_t sum = 0;
    for (int k = 0; k < GW_REFUSAL_COUNT; k++)
        sum += refused(r, (enum gw_refusal)k);
    return sum;
}

/* One more message is refused, and for that. */
static void expect_refused(struct rig *r, enum gw_refusal kind, int64_t before)
{
    for (int i = 0; i < ROUNDS_MAX && refused(r, kind) == before; i++) {
        turn(r);
        usleep(1000);
    }
    assert_int_equal(refused(r, kind), before + 1);
}

/* ---- calls */

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 31 + i / 997);
}

/* Where the network would have received it. */
static struct gw_body *move_into_block(struct rig *r, struct gw_body *take_body)
{
    struct gw_body *b = gw_body_create_large(&sl_alloc_malloc, r->conf.bodies, take_body->len);
    assert_non_null(b);
    memcpy(b->data, take_body->data, take_body->len);
    gw_body_release(take_body);
    return b;
}

static struct fake_exchange *send_call(struct rig *r, struct infer_builder *b)
{
    struct gw_body *body = infer_body(b);
    infer_end(b);
    if (r->conf.bodies != NULL)
        body = move_into_block(r, body);
    struct fake_exchange *e = fake_call(&r->w, body);
    if (e->replies > 0)
        fail_msg("%s", e->x.reply.error.text);
    return e;
}

static struct fake_exchange *call(struct rig *r, size_t n)
{
    struct infer_builder b;
    infer_begin(&b, "m");
    infer_input(&b, "IN", "UINT8", 1, (const int64_t[]){(int64_t)n});
    uint8_t *raw = infer_room(&b, n);
    for (size_t i = 0; i < n; i++)
        raw[i] = byte_at(i);
    infer_raw(&b, raw, n);
    return send_call(r, &b);
}

/* The same as typed contents, which the gateway converts. */
static struct fake_exchange *typed_call(struct rig *r, size_t n)
{
    struct infer_builder b;
    infer_begin(&b, "m");
    Inference__InferTensorContents *c =
        infer_contents(&b, infer_input(&b, "IN", "UINT8", 1, (const int64_t[]){(int64_t)n}));
    c->n_uint_contents = n;
    c->uint_contents = infer_room(&b, n * sizeof(uint32_t));
    for (size_t i = 0; i < n; i++)
        c->uint_contents[i] = byte_at(i);
    return send_call(r, &b);
}

/* Receives batches until one has a dispatch. */
static gateway_batch *receive_dispatch(struct peer *p)
{
    for (;;) {
        gateway_batch *b = receive(p);
        if (b->n_dispatches > 0)
            return b;
        drop(b);
    }
}

/* What a result says beside its payload, or where that lies. */
static void send_result_from(struct peer *p, uint64_t lease, size_t n, const void *payload,
                             uint64_t bulk_bytes, Sluice__Node__V1__Shared *shared)
{
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__Result result = SLUICE__NODE__V1__RESULT__INIT, *results = &result;
    Sluice__Node__V1__Tensor out = SLUICE__NODE__V1__TENSOR__INIT, *outs = &out;
    int64_t shape[1] = {(int64_t)n};
    m.n_results = 1;
    m.results = &results;
    result.lease = lease;
    result.started = true;
    result.held_us = 10;
    result.n_outputs = 1;
    result.outputs = &outs;
    out.name = TEXT("OUT");
    out.datatype = TEXT("UINT8");
    out.n_shape = 1;
    out.shape = shape;
    out.length_bytes = n;
    result.payload_bytes = bulk_bytes;
    if (payload != NULL)
        result.payload = (ProtobufCBinaryData){n, (uint8_t *)(uintptr_t)payload};
    result.shared = shared;
    send_batch(p, &m);
}

static void send_result(struct peer *p, uint64_t lease, size_t n, const void *payload,
                        uint64_t bulk_bytes)
{
    send_result_from(p, lease, n, payload, bulk_bytes, NULL);
}

static void check_reply(const struct fake_exchange *e, size_t n)
{
    if (e->x.reply.error.reason != SL_REASON_OK)
        fail_msg("%s", e->x.reply.error.text);
    uint8_t *all = malloc((size_t)e->x.reply.message_bytes + 1), *q = all;
    for (size_t i = 0; i < e->x.reply.piece_count; i++) {
        memcpy(q, e->x.reply.pieces[i].data, e->x.reply.pieces[i].len);
        q += e->x.reply.pieces[i].len;
    }
    Inference__ModelInferResponse *m =
        inference__model_infer_response__unpack(NULL, (size_t)(q - all), all);
    assert_non_null(m);
    assert_int_equal(m->raw_output_contents[0].len, n);
    for (size_t i = 0; i < n; i++)
        if (m->raw_output_contents[0].data[i] != byte_at(i))
            fail_msg("byte %zu is wrong", i);
    inference__model_infer_response__free_unpacked(m, NULL);
    free(all);
}

static uint8_t *bytes_of(size_t n)
{
    uint8_t *p = malloc(n + 1);
    for (size_t i = 0; i < n; i++)
        p[i] = byte_at(i);
    return p;
}

static void send_payload(struct peer *p, uint64_t lease, size_t n, size_t chunk, size_t upto)
{
    uint8_t *bytes = bytes_of(n);
    for (size_t at = 0; at < upto; at += chunk) {
        size_t len = upto - at < chunk ? upto - at : chunk;
        send_chunk(p, &(struct gw_bulk_header){p->session, lease, at, n, {0}}, bytes + at, len);
    }
    free(bytes);
}

/* ---- sessions */

static void a_node_is_welcomed_and_hears_heartbeats(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, MIB);
    assert_int_equal(nodes(&r), 1);
    r.w.now += SL_NS_PER_S;
    assert_true(gw_link_next_at(r.link) <= r.w.now);
    gateway_batch *b = receive(&p);
    assert_non_null(b->heartbeat);
    drop(b);
    close_peer(&p);
    finish(&r);
}

static void an_older_or_newer_protocol_is_refused(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    begin(&r);
    start(&r);
    open_peer(&r, &p, "n1", 7);
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__Hello h = SLUICE__NODE__V1__HELLO__INIT;
    m.hello = &h;
    h.node = TEXT("n1");
    h.protocol_min = 2;
    h.protocol_max = 3;
    send_batch(&p, &m);
    gateway_batch *b = receive(&p);
    assert_string_equal(b->refuse->text,
                        "this gateway speaks node protocol 1 to 1, the executor 2 to 3: install "
                        "versions of both that have one in common");
    drop(b);
    h.protocol_min = h.protocol_max = 0; /* older */
    send_batch(&p, &m);
    b = receive(&p);
    assert_non_null(strstr(b->refuse->text, "node protocol 1 to 1, the executor 0 to 0"));
    drop(b);
    h.protocol_max = 1; /* and without slices */
    send_batch(&p, &m);
    b = receive(&p);
    assert_non_null(strstr(b->refuse->text, "node 'n1' announces 0 slices and 0 models"));
    drop(b);
    assert_int_equal(nodes(&r), 0);
    say_hello(&p, "n1", MIB); /* the same session may try again */
    b = receive(&p);
    assert_non_null(b->welcome);
    drop(b);
    close_peer(&p);
    finish(&r);
}

static void nodes_have_a_limit(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p[3];
    begin(&r);
    start(&r);
    join(&r, &p[0], "n1", 1, MIB);
    join(&r, &p[1], "n2", 2, MIB);
    open_peer(&r, &p[2], "n3", 3);
    say_hello(&p[2], "n3", MIB);
    gateway_batch *b = receive(&p[2]);
    assert_string_equal(b->refuse->text, "the gateway has 2 nodes, which is its limit");
    drop(b);
    for (int i = 0; i < 3; i++)
        close_peer(&p[i]);
    finish(&r);
}

static void silence_loses_a_node_and_it_may_come_back(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    begin(&r);
    start(&r);
    open_peer(&r, &p, "n1", 7);
    say_hello(&p, "n1", MIB);
    wait_for_nodes(&r, 1);
    r.w.now += r.conf.lost_after_ns;
    turn(&r);
    assert_int_equal(nodes(&r), 1);
    r.w.now += 1;
    turn(&r);
    assert_int_equal(nodes(&r), 0);
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    send_batch(&p, &m); /* too late: nobody knows this session any more */
    expect_refused(&r, GW_REFUSAL_SESSION, 0);
    p.session = 8;
    say_hello(&p, "n1", MIB);
    wait_for_nodes(&r, 1);
    close_peer(&p);
    finish(&r);
}

/* Ends a call that the new node took over from the old one. */
static void check_takeover(struct rig *r, struct peer *old, struct peer *new,
                           const struct fake_exchange *e)
{
    gateway_batch *b = receive_dispatch(new); /* the call that had not started comes along */
    assert_int_equal(nodes(r), 1);
    uint8_t *bytes = bytes_of(10);
    if (old != NULL) {
        send_result(old, b->dispatches[0]->lease, 10, bytes, 0); /* of a session that is over */
        expect_refused(r, GW_REFUSAL_SESSION, 0);
        assert_int_equal(e->replies, 0);
    }
    send_result(new, b->dispatches[0]->lease, 10, bytes, 0);
    wait_for_reply(r, e);
    check_reply(e, 10);
    free(bytes);
    drop(b);
}

/* A node with a call that it has not started. */
static struct fake_exchange *join_and_call(struct rig *r, struct peer *p)
{
    join(r, p, "n1", 1, MIB);
    struct fake_exchange *e = call(r, 10);
    drop(receive_dispatch(p));
    return e;
}

static void a_name_is_kept_as_long_as_its_node_answers(void **state SL_UNUSED)
{
    struct rig r;
    struct peer old, new;
    begin(&r);
    start(&r);
    struct fake_exchange *e = join_and_call(&r, &old);
    open_peer(&r, &new, "n1-again", 2);
    say_hello(&new, "n1", MIB);
    gateway_batch *b = receive(&new);
    assert_non_null(b->refuse);
    assert_non_null(strstr(b->refuse->text, "a node named 'n1' is connected already"));
    drop(b);
    assert_int_equal(nodes(&r), 1);
    assert_int_equal(sl_metric_value(r.w.metrics.nodes_lost), 0);
    r.w.now += r.conf.lost_after_ns / 2 + 1; /* silent, but not long enough to be lost */
    say_hello(&new, "n1", MIB);
    check_takeover(&r, &old, &new, e);
    close_peer(&old);
    close_peer(&new);
    finish(&r);
}

static void a_run_may_replace_its_own_session(void **state SL_UNUSED)
{
    struct rig r;
    struct peer old, new;
    begin(&r);
    start(&r);
    struct fake_exchange *e = join_and_call(&r, &old);
    open_peer(&r, &new, "n1-again", 2);
    new.previous_session = 1;
    say_hello(&new, "n1", MIB);
    check_takeover(&r, &old, &new, e);
    close_peer(&old);
    close_peer(&new);
    finish(&r);
}

static void a_dead_connection_gives_its_name_up(void **state SL_UNUSED)
{
    struct rig r;
    struct peer old, new;
    begin(&r);
    start(&r);
    struct fake_exchange *e = join_and_call(&r, &old);
    close_peer(&old);
    usleep(100000); /* ZeroMQ sees it on a thread of its own */
    open_peer(&r, &new, "n1-again", 2);
    say_hello(&new, "n1", MIB);
    check_takeover(&r, NULL, &new, e);
    close_peer(&new);
    finish(&r);
}

/* Whoever says a session that is not his gets nowhere by it, whatever he knows. */
static void a_routing_id_cannot_be_taken_over(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, MIB);
    void *thief = dial(&r, r.control, "n1"); /* the same routing id */
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    m.draining = true;
    struct peer as_if = {.r = &r, .control = thief, .session = 7};
    send_batch(&as_if, &m);
    r.w.now += SL_NS_PER_S;
    gateway_batch *b = receive(&p); /* the heartbeat still finds its way */
    assert_non_null(b->heartbeat);
    drop(b);
    size_t cursor = 0;
    assert_false(gw_fleet_next_node(gw_flow_fleet(r.w.flow), &cursor)->is_draining);
    zmq_close(thief);
    close_peer(&p);
    finish(&r);
}

static void garbage_and_strangers_are_counted_by_kind_and_dropped(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p, stranger;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, MIB);
    open_peer(&r, &stranger, "x", 7);
    zmq_send(stranger.control, "\xff\xff", 2, 0); /* no message */
    expect_refused(&r, GW_REFUSAL_GARBLED, 0);
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    m.draining = true;
    send_batch(&stranger, &m); /* another's session */
    expect_refused(&r, GW_REFUSAL_FORGED, 0);
    zmq_send(stranger.control, "\x08\x07", 2, ZMQ_SNDMORE);
    zmq_send(stranger.control, "more", 4, 0); /* too many frames */
    expect_refused(&r, GW_REFUSAL_GARBLED, 1);
    zmq_send(stranger.bulk, "\xff", 1, 0);
    expect_refused(&r, GW_REFUSAL_GARBLED, 2);
    send_chunk(&stranger, &(struct gw_bulk_header){9, 1, 0, 10, {0}}, "x", 1); /* unknown session */
    expect_refused(&r, GW_REFUSAL_SESSION, 0);
    send_chunk(&stranger, &(struct gw_bulk_header){7, 1, 0, 10, {0}}, "x", 1); /* another's */
    expect_refused(&r, GW_REFUSAL_FORGED, 1);
    say_hello(&p, "n1", MIB);
    expect_refused(&r, GW_REFUSAL_REPLAYED, 0);
    assert_int_equal(nodes(&r), 1);
    assert_int_equal(refused_in_all(&r), 7);
    size_t cursor = 0;
    assert_false(gw_fleet_next_node(gw_flow_fleet(r.w.flow), &cursor)->is_draining);
    close_peer(&p);
    close_peer(&stranger);
    finish(&r);
}

static void what_is_over_its_limit_is_not_read(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    uint8_t *bytes = test_calloc(2 * MIB, 1);
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, MIB);
    zmq_send(p.control, bytes, MIB + 1, 0);
    expect_refused(&r, GW_REFUSAL_OVERSIZED, 0);
    send_chunk(&p, &(struct gw_bulk_header){7, 1, 0, 2 * MIB, {0}}, bytes, MIB + 1);
    expect_refused(&r, GW_REFUSAL_OVERSIZED, 1);
    assert_int_equal(nodes(&r), 1);
    zmq_send(p.control, bytes, 2 * MIB, 0); /* ZeroMQ itself ends such a connection: unread */
    wait_for_nodes_in_time(&r, 0);
    assert_int_equal(refused(&r, GW_REFUSAL_OVERSIZED), 2);
    test_free(bytes);
    close_peer(&p);
    finish(&r);
}

/* Only who was handed the token on the control connection may bring payloads. */
static void a_bulk_connection_shows_its_token_first(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p, thief;
    uint8_t token[GW_LINK_TOKEN_BYTES + 1] = {0};
    begin(&r);
    start(&r);
    open_peer(&r, &p, "n1", 7);
    open_peer(&r, &thief, "thief", 7);
    say_hello(&p, "n1", MIB);
    gateway_batch *b = receive(&p);
    send_chunk(&thief, &(struct gw_bulk_header){7, 1, 0, 10, {0}}, "x", 1); /* without */
    expect_refused(&r, GW_REFUSAL_FORGED, 0);
    introduce(&thief, "", 0);
    expect_refused(&r, GW_REFUSAL_FORGED, 1);
    introduce(&thief, token, GW_LINK_TOKEN_BYTES); /* of noughts */
    expect_refused(&r, GW_REFUSAL_FORGED, 2);
    memcpy(token, b->welcome->bulk_token.data, GW_LINK_TOKEN_BYTES);
    introduce(&thief, token, GW_LINK_TOKEN_BYTES - 1);
    expect_refused(&r, GW_REFUSAL_FORGED, 3);
    introduce(&thief, token, GW_LINK_TOKEN_BYTES + 1);
    expect_refused(&r, GW_REFUSAL_FORGED, 4);
    introduce(&p, token, GW_LINK_TOKEN_BYTES);
    introduce(&p, token, GW_LINK_TOKEN_BYTES);
    expect_refused(&r, GW_REFUSAL_REPLAYED, 0);
    introduce(&thief, token, GW_LINK_TOKEN_BYTES); /* right, and too late: it is bound */
    expect_refused(&r, GW_REFUSAL_FORGED, 5);
    assert_int_equal(nodes(&r), 1);
    drop(b);
    close_peer(&p);
    close_peer(&thief);
    finish(&r);
}

/* ---- keys */

enum { ALLOWED = 2, PAIRS = 3 };

static void make_pair(struct pair *p)
{
    assert_int_equal(zmq_curve_keypair(p->public_key.text, p->secret_key.text), 0);
}

/* pairs[0] is that of n1, pairs[1] that of n2, pairs[2] nobody's. */
static void start_with_keys(struct rig *r, struct pair pairs[PAIRS])
{
    static const char *const whys[] = {
#define WHY_LABEL(name, text) [GW_NODE_REFUSAL_##name] = "why=\"" text "\"",
        GW_NODE_REFUSAL_MAP(WHY_LABEL)
#undef WHY_LABEL
    };
    struct pair gateway;
    make_pair(&gateway);
    r->public_key = gateway.public_key;
    r->secret_key = gateway.secret_key;
    r->conf.secret = &r->secret_key;
    r->conf.bulk_is_plain = r->bulk_is_plain;
    for (int k = 0; k < GW_NODE_REFUSAL_COUNT; k++)
        r->counts.refused_nodes[k] = sl_metric_counter(r->metrics, "nodes_refused", whys[k], "No.");
    start(r);
    struct gw_link_allowed allowed[ALLOWED] = {{.node = "n1"}, {.node = "n2"}};
    for (int i = 0; i < PAIRS; i++)
        make_pair(&pairs[i]);
    for (int i = 0; i < ALLOWED; i++)
        allowed[i].key = pairs[i].public_key;
    assert_ok(gw_link_set_allowed(r->link, allowed, ALLOWED, r->w.now));
}

static void expect_refused_node(struct rig *r, enum gw_node_refusal why)
{
    for (int i = 0; i < ROUNDS_MAX && sl_metric_value(r->counts.refused_nodes[why]) == 0; i++) {
        turn(r);
        usleep(1000);
    }
    assert_true(sl_metric_value(r->counts.refused_nodes[why]) > 0);
}

static void join_with_key(struct rig *r, struct peer *p, const char *name, uint64_t session,
                          const struct pair *keys)
{
    r->as = keys;
    join(r, p, name, session, MIB);
}

static void an_allowed_key_lets_a_node_in(void **state SL_UNUSED)
{
    for (int plain = 0; plain <= 1; plain++) {
        struct rig r;
        struct peer p;
        struct pair pairs[PAIRS];
        begin(&r);
        r.bulk_is_plain = plain == 1;
        start_with_keys(&r, pairs);
        join_with_key(&r, &p, "n1", 7, &pairs[0]);
        struct fake_exchange *e = call(&r, 10);
        gateway_batch *b = receive_dispatch(&p);
        uint8_t *bytes = bytes_of(5000);
        send_result(&p, b->dispatches[0]->lease, 5000, NULL, 5000);
        send_payload(&p, b->dispatches[0]->lease, 5000, 2000, 5000);
        wait_for_reply(&r, e);
        check_reply(e, 5000);
        assert_int_equal(refused_in_all(&r), 0);
        free(bytes);
        drop(b);
        close_peer(&p);
        finish(&r);
    }
}

static void a_key_that_is_nobodys_stays_outside(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    struct pair pairs[PAIRS];
    begin(&r);
    start_with_keys(&r, pairs);
    r.as = &pairs[2];
    open_peer(&r, &p, "n1", 7);
    say_hello(&p, "n1", MIB);
    expect_refused_node(&r, GW_NODE_REFUSAL_KEY);
    r.as = NULL; /* and so does who shows none */
    struct peer plain;
    open_peer(&r, &plain, "n1", 8);
    say_hello(&plain, "n1", MIB);
    for (int i = 0; i < 100; i++) {
        turn(&r);
        usleep(1000);
    }
    assert_int_equal(nodes(&r), 0);
    close_peer(&p);
    close_peer(&plain);
    finish(&r);
}

/* An allowed node that knows another's session, token and lease gets nowhere with them. */
static void a_node_cannot_speak_for_another(void **state SL_UNUSED)
{
    struct rig r;
    struct peer n1, thief;
    struct pair pairs[PAIRS];
    begin(&r);
    start_with_keys(&r, pairs);
    r.as = &pairs[0];
    open_peer(&r, &n1, "n1", 7);
    say_hello(&n1, "n1", MIB);
    gateway_batch *b = receive(&n1);
    r.as = &pairs[1];
    open_peer(&r, &thief, "thief", 9);
    say_hello(&thief, "n1", MIB); /* its name */
    gateway_batch *no = receive(&thief);
    assert_string_equal(no->refuse->text, "the executor calls itself 'n1', but its key is that of "
                                          "'n2' in link.allow");
    drop(no);
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    m.session = 7;
    m.draining = true;
    send_batch(&thief, &m); /* its session */
    expect_refused(&r, GW_REFUSAL_FORGED, 0);
    thief.session = 7;
    introduce(&thief, b->welcome->bulk_token.data, b->welcome->bulk_token.len); /* its token */
    expect_refused(&r, GW_REFUSAL_FORGED, 1);
    struct fake_exchange *e = call(&r, 10);
    gateway_batch *d = receive_dispatch(&n1);
    uint64_t lease = d->dispatches[0]->lease;
    thief.session = 9;
    say_hello(&thief, "n2", MIB);
    drop(receive(&thief));
    uint8_t *bytes = bytes_of(10);
    send_result(&thief, lease, 10, bytes, 0); /* its lease, as a node of its own */
    expect_refused(&r, GW_REFUSAL_FORGED, 2);
    assert_int_equal(e->replies, 0);
    send_result(&n1, lease + (UINT64_C(1) << 32), 10, bytes, 0); /* of another generation */
    expect_refused(&r, GW_REFUSAL_STALE, 0);
    send_result(&n1, lease, 10, bytes, 0);
    wait_for_reply(&r, e);
    check_reply(e, 10);
    send_result(&n1, lease, 10, bytes, 0); /* once more */
    expect_refused(&r, GW_REFUSAL_STALE, 1);
    free(bytes);
    drop(b);
    drop(d);
    close_peer(&n1);
    close_peer(&thief);
    finish(&r);
}

static void a_key_that_is_taken_off_the_list_loses_its_node(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    struct pair pairs[PAIRS];
    begin(&r);
    start_with_keys(&r, pairs);
    join_with_key(&r, &p, "n1", 7, &pairs[0]);
    struct gw_link_allowed only = {.node = "n2", .key = pairs[1].public_key};
    assert_ok(gw_link_set_allowed(r.link, &only, 1, r.w.now));
    assert_int_equal(nodes(&r), 0);
    gateway_batch *b = receive(&p);
    assert_string_equal(b->refuse->text, "its key is no longer in link.allow");
    drop(b);
    say_hello(&p, "n1", MIB); /* over the connection that still stands */
    b = receive(&p);
    assert_string_equal(b->refuse->text, "its key is no longer in link.allow");
    drop(b);
    struct gw_link_allowed renamed = {.node = "n3", .key = pairs[0].public_key};
    assert_ok(gw_link_set_allowed(r.link, &renamed, 1, r.w.now));
    say_hello(&p, "n3", MIB);
    b = receive(&p);
    assert_non_null(b->welcome);
    drop(b);
    close_peer(&p);
    finish(&r);
}

static void an_endpoint_that_cannot_be_bound_is_named(void **state SL_UNUSED)
{
    struct rig r;
    struct sl_error err;
    struct gw_link *link = NULL;
    begin(&r);
    start(&r);
    struct gw_link_conf conf = r.conf;
    conf.control = "ipc:///no/such/folder/socket";
    assert_status(gw_link_create(&sl_alloc_malloc, &conf, &r.counts, &link, &err), SL_EIO);
    assert_non_null(
        strstr(err.text, "cannot listen for executors at ipc:///no/such/folder/socket"));
    assert_null(link);
    finish(&r);
}

/* ---- a server's loop: it sleeps until a descriptor signals, and ZeroMQ signals edges only */

/* What the server does whenever it wakes. */
static void wake(struct rig *r)
{
    do {
        gw_link_read(r->link, r->w.now);
        gw_link_tick(r->link, r->w.now);
        fake_turn(&r->w);
        gw_link_flush(r->link, r->w.now);
    } while (gw_link_has_mail(r->link));
}

static void sleep_and_wake(struct rig *r)
{
    int fds[GW_LINK_FDS];
    struct pollfd polls[GW_LINK_FDS];
    gw_link_fds(r->link, fds);
    for (size_t i = 0; i < GW_LINK_FDS; i++)
        polls[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    if (poll(polls, GW_LINK_FDS, 5000) <= 0)
        fail_msg("mail lies in a socket, but nothing signals it");
    for (size_t i = 0; i < GW_LINK_FDS; i++)
        if (polls[i].revents != 0)
            gw_link_stir(r->link, i);
    wake(r);
}

/* The gateway has been awake: its dispatch is on its way. */
static uint64_t next_lease(struct peer *p)
{
    zmq_msg_t m;
    for (;;) {
        uint64_t lease = 0;
        zmq_msg_init(&m);
        assert_true(zmq_msg_recv(&m, p->control, 0) >= 0);
        gateway_batch *b =
            sluice__node__v1__gateway_batch__unpack(NULL, zmq_msg_size(&m), zmq_msg_data(&m));
        zmq_msg_close(&m);
        assert_non_null(b);
        if (b->n_dispatches > 0)
            lease = b->dispatches[0]->lease;
        drop(b);
        if (lease != 0)
            return lease;
    }
}

static void no_mail_is_slept_over(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    int patience_ms = 5000;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, MIB);
    assert_int_equal(zmq_setsockopt(p.control, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms), 0);
    uint8_t *bytes = bytes_of(3000);
    for (int i = 0; i < 300; i++) {
        struct fake_exchange *e = call(&r, 10);
        wake(&r);
        uint64_t lease = next_lease(&p);
        bool by_bulk = i % 3 == 0;
        if (by_bulk)
            send_chunk(&p, &(struct gw_bulk_header){7, lease, 0, 3000, {0}}, bytes, 3000);
        send_result(&p, lease, by_bulk ? 3000 : 10, by_bulk ? NULL : bytes, by_bulk ? 3000 : 0);
        while (e->replies == 0)
            sleep_and_wake(&r);
        check_reply(e, by_bulk ? 3000 : 10);
        fake_leave(&r.w, e);
    }
    free(bytes);
    close_peer(&p);
    finish(&r);
}

/* ---- calls with small payloads */

static void small_payloads_travel_inside(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, MIB);
    for (size_t n = 0; n <= INLINE_MAX; n += INLINE_MAX / 2) {
        struct fake_exchange *e = call(&r, n);
        gateway_batch *b = receive_dispatch(&p);
        const Sluice__Node__V1__Dispatch *d = b->dispatches[0];
        uint8_t *bytes = bytes_of(n);
        assert_true(d->payload_bytes == 0 && d->payload.len == n);
        if (n > 0)
            assert_memory_equal(d->payload.data, bytes, n);
        send_result(&p, d->lease, n, bytes, 0);
        wait_for_reply(&r, e);
        check_reply(e, n);
        free(bytes);
        drop(b);
    }
    close_peer(&p);
    finish(&r);
}

static void calls_of_one_turn_share_a_batch(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, MIB);
    for (int i = 0; i < 5; i++)
        call(&r, 10);
    gateway_batch *b = receive_dispatch(&p);
    assert_int_equal(b->n_dispatches, 5);
    drop(b);
    gw_flow_end_all(r.w.flow, r.w.now);
    b = receive(&p);
    assert_int_equal(b->n_cancels, 5);
    drop(b);
    close_peer(&p);
    finish(&r);
}

static void started_and_returned_reach_the_flow(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, MIB);
    struct fake_exchange *e = call(&r, 10);
    gateway_batch *b = receive_dispatch(&p);
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__Returned returned = SLUICE__NODE__V1__RETURNED__INIT, *list = &returned;
    Sluice__Node__V1__Started started = SLUICE__NODE__V1__STARTED__INIT, *starteds = &started;
    returned.lease = b->dispatches[0]->lease;
    m.n_returned = 1;
    m.returned = &list;
    send_batch(&p, &m);
    drop(b);
    b = receive_dispatch(&p); /* the same call once more */
    assert_int_not_equal(b->dispatches[0]->lease, returned.lease);
    m.n_returned = 0;
    m.n_started = 1;
    m.started = &starteds;
    started.lease = b->dispatches[0]->lease;
    send_batch(&p, &m);
    for (int i = 0; i < ROUNDS_MAX && gw_flow_counts(r.w.flow)->in[GW_CALL_RUNNING] == 0; i++) {
        turn(&r);
        usleep(1000);
    }
    assert_int_equal(gw_flow_counts(r.w.flow)->in[GW_CALL_RUNNING], 1);
    fake_event(&r.w, e, GW_EV_GONE);
    drop(b);
    b = receive(&p);
    assert_int_equal(b->n_cancels, 1);
    assert_int_equal(b->cancels[0]->lease, started.lease);
    drop(b);
    close_peer(&p);
    finish(&r);
}

/* ---- large payloads down */

/* The next chunk, or false when none comes; its bytes are checked and counted. */
static bool receive_chunk(struct peer *p, uint64_t lease, uint64_t *at, size_t *len)
{
    for (int i = 0; i < 50; i++) {
        turn(p->r);
        zmq_msg_t header, chunk;
        zmq_msg_init(&header);
        zmq_msg_init(&chunk);
        if (zmq_msg_recv(&header, p->bulk, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&header);
            usleep(1000);
            continue;
        }
        struct gw_bulk_header h;
        assert_true(zmq_msg_recv(&chunk, p->bulk, 0) >= 0);
        assert_true(
            gw_link_read_bulk(sl_span_of(zmq_msg_data(&header), zmq_msg_size(&header)), &h));
        *len = zmq_msg_size(&chunk);
        const uint8_t *bytes = zmq_msg_data(&chunk);
        assert_true(h.session == p->session && h.lease == lease && h.offset_bytes == *at);
        assert_true(*len > 0 && *len <= MIB);
        for (size_t k = 0; k < *len; k++)
            assert_int_equal(bytes[k], byte_at((size_t)*at + k));
        *at += *len;
        p->taken_bytes += *len;
        zmq_msg_close(&header);
        zmq_msg_close(&chunk);
        return true;
    }
    return false;
}

static void acknowledge(struct peer *p)
{
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    m.bulk_taken_bytes = p->taken_bytes;
    send_batch(p, &m);
}

static void large_payloads_keep_to_the_window(void **state SL_UNUSED)
{
    enum { TOTAL = 3 * MIB + 12345, WINDOW = MIB + MIB / 2 };
    struct rig r;
    struct peer p;
    size_t len;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, WINDOW);
    struct fake_exchange *e = call(&r, TOTAL);
    gateway_batch *b = receive_dispatch(&p);
    uint64_t lease = b->dispatches[0]->lease, at = 0;
    assert_true(b->dispatches[0]->payload.len == 0 && b->dispatches[0]->payload_bytes == TOTAL);
    drop(b);
    while (at < TOTAL) {
        uint64_t before = at;
        while (receive_chunk(&p, lease, &at, &len))
            assert_true(at - before <= WINDOW);
        assert_true(at == TOTAL || at - before == WINDOW);
        acknowledge(&p);
    }
    assert_int_equal(sl_metric_value(r.counts.sent_bulk_bytes), TOTAL);
    uint8_t *bytes = bytes_of(10);
    send_result(&p, lease, 10, bytes, 0);
    wait_for_reply(&r, e);
    check_reply(e, 10);
    free(bytes);
    close_peer(&p);
    finish(&r);
}

static void converted_contents_go_by_bulk_too(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    size_t len;
    uint64_t at = 0;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, MIB);
    typed_call(&r, 5000);
    gateway_batch *b = receive_dispatch(&p);
    assert_int_equal(b->dispatches[0]->payload_bytes, 5000);
    assert_true(receive_chunk(&p, b->dispatches[0]->lease, &at, &len));
    assert_int_equal(at, 5000);
    drop(b);
    gw_flow_end_all(r.w.flow, r.w.now);
    close_peer(&p);
    finish(&r);
}

static void an_acknowledgement_of_too_much_opens_nothing(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    size_t len;
    uint64_t at = 0;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, 1000);
    call(&r, 5000);
    gateway_batch *b = receive_dispatch(&p);
    assert_true(receive_chunk(&p, b->dispatches[0]->lease, &at, &len) && len == 1000);
    p.taken_bytes = UINT64_MAX;
    acknowledge(&p);
    assert_false(receive_chunk(&p, b->dispatches[0]->lease, &at, &len));
    drop(b);
    gw_flow_end_all(r.w.flow, r.w.now);
    close_peer(&p);
    finish(&r);
}

static void a_cancelled_call_sends_no_more(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    size_t len;
    uint64_t at = 0;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, 1000);
    struct fake_exchange *first = call(&r, 5000);
    call(&r, 3000);
    gateway_batch *b = receive_dispatch(&p);
    assert_int_equal(b->n_dispatches, 2);
    assert_true(receive_chunk(&p, b->dispatches[0]->lease, &at, &len));
    fake_event(&r.w, first, GW_EV_GONE);
    acknowledge(&p);
    at = 0; /* the other call's first bytes are next */
    assert_true(receive_chunk(&p, b->dispatches[1]->lease, &at, &len));
    drop(b);
    gw_flow_end_all(r.w.flow, r.w.now);
    close_peer(&p);
    finish(&r);
}

static void a_node_takes_no_more_than_may_wait_for_it(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, 1000);
    for (int i = 0; i < 3; i++)
        call(&r, MIB); /* at most 2 MiB may wait */
    gateway_batch *b = receive_dispatch(&p);
    assert_int_equal(b->n_dispatches, 2);
    drop(b);
    assert_int_equal(gw_flow_counts(r.w.flow)->in[GW_CALL_QUEUED], 1);
    gw_flow_end_all(r.w.flow, r.w.now);
    close_peer(&p);
    finish(&r);
}

static void bodies_in_flight_outlive_their_call_and_their_node(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    size_t len;
    uint64_t at = 0;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, 3 * MIB);
    call(&r, 2 * MIB);
    gateway_batch *b = receive_dispatch(&p);
    turn(&r); /* chunks lie in ZeroMQ now, by reference */
    r.w.now += r.conf.lost_after_ns + 1;
    turn(&r);
    assert_int_equal(nodes(&r), 0);
    gw_flow_end_all(r.w.flow, r.w.now);
    assert_true(receive_chunk(&p, b->dispatches[0]->lease, &at, &len));
    drop(b);
    close_peer(&p);
    finish(&r);
}

/* ---- large payloads up */

enum order { RESULT_FIRST, RESULT_LAST, RESULT_BETWEEN, ORDER_COUNT };

static void a_result_by_bulk_may_come_in_any_order(void **state SL_UNUSED)
{
    enum { TOTAL = 2 * MIB + 777 };
    struct rig r;
    struct peer p;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, MIB);
    for (int order = 0; order < ORDER_COUNT; order++) {
        struct fake_exchange *e = call(&r, 10);
        gateway_batch *b = receive_dispatch(&p);
        uint64_t lease = b->dispatches[0]->lease;
        uint8_t *bytes = bytes_of(TOTAL);
        if (order == RESULT_FIRST)
            send_result(&p, lease, TOTAL, NULL, TOTAL);
        for (size_t at = 0; at < TOTAL; at += MIB) {
            size_t len = TOTAL - at < MIB ? TOTAL - at : MIB;
            send_chunk(&p, &(struct gw_bulk_header){7, lease, at, TOTAL, {0}}, bytes + at, len);
            turn(&r);
            if (order == RESULT_BETWEEN && at == MIB)
                send_result(&p, lease, TOTAL, NULL, TOTAL);
        }
        if (order == RESULT_LAST)
            send_result(&p, lease, TOTAL, NULL, TOTAL);
        wait_for_reply(&r, e);
        check_reply(e, TOTAL);
        fake_leave(&r.w, e); /* gives the chunks back */
        free(bytes);
        drop(b);
    }
    close_peer(&p);
    finish(&r);
}

static void what_was_taken_is_acknowledged(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, MIB);
    struct fake_exchange *e = call(&r, 10);
    gateway_batch *b = receive_dispatch(&p);
    send_payload(&p, b->dispatches[0]->lease, 50000, 20000, 50000);
    send_chunk(&p, &(struct gw_bulk_header){7, 12345, 0, 100, {0}}, "late", 4); /* no such lease */
    uint64_t told = 0;
    while (told < 50004) { /* what is dropped has been taken, too */
        gateway_batch *news = receive(&p);
        assert_true(news->bulk_taken_bytes > told);
        told = news->bulk_taken_bytes;
        drop(news);
    }
    assert_int_equal(told, 50004);
    send_result(&p, b->dispatches[0]->lease, 50000, NULL, 50000);
    wait_for_reply(&r, e);
    check_reply(e, 50000);
    drop(b);
    close_peer(&p);
    finish(&r);
}

/* Each of these breaks the order of a payload; the node is lost, and a call it had not started
 * waits for another. */
static void payloads_that_break_the_rules_lose_their_node(void **state SL_UNUSED)
{
    const struct gw_bulk_header wrong[] = {
        {7, 0, 5, 100, {0}}, /* does not begin at its beginning */
        {7, 0, 0, 0, {0}},   /* has no bytes */
        {7, 0, 0, 3, {0}},   /* more bytes than it says */
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(wrong); i++) {
        struct rig r;
        struct peer p;
        begin(&r);
        start(&r);
        join(&r, &p, "n1", 7, MIB);
        struct fake_exchange *e = call(&r, 10);
        gateway_batch *b = receive_dispatch(&p);
        struct gw_bulk_header h = wrong[i];
        h.lease = b->dispatches[0]->lease;
        send_chunk(&p, &h, "12345", 5);
        wait_for_nodes(&r, 0);
        assert_int_equal(sl_metric_value(r.w.metrics.nodes_lost), 1);
        assert_int_equal(e->replies, 0);
        drop(b);
        gw_flow_end_all(r.w.flow, r.w.now);
        close_peer(&p);
        finish(&r);
    }
}

static void a_result_and_its_chunks_must_agree(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, MIB);
    call(&r, 10);
    gateway_batch *b = receive_dispatch(&p);
    send_payload(&p, b->dispatches[0]->lease, 5000, 1000, 2000);
    send_result(&p, b->dispatches[0]->lease, 5001, NULL, 5001);
    wait_for_nodes(&r, 0);
    drop(b);
    gw_flow_end_all(r.w.flow, r.w.now);
    close_peer(&p);
    finish(&r);
}

static void crumbs_lose_their_node(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, MIB);
    call(&r, 10);
    gateway_batch *b = receive_dispatch(&p);
    send_payload(&p, b->dispatches[0]->lease, 5000, 1, 50);
    wait_for_nodes(&r, 0);
    drop(b);
    gw_flow_end_all(r.w.flow, r.w.now);
    close_peer(&p);
    finish(&r);
}

/* A result over the limit is its call's end, not its node's; the same before and after its
 * chunks. */
static void a_result_over_the_limit_ends_its_call_alone(void **state SL_UNUSED)
{
    for (int chunks_first = 0; chunks_first <= 1; chunks_first++) {
        enum { TOTAL = 9 * MIB };
        struct rig r;
        struct peer p;
        begin(&r);
        start(&r);
        join(&r, &p, "n1", 7, MIB);
        struct fake_exchange *big = call(&r, 10), *small = call(&r, 10);
        gateway_batch *b = receive_dispatch(&p);
        assert_int_equal(b->n_dispatches, 2);
        uint64_t lease = b->dispatches[0]->lease;
        if (!chunks_first)
            send_result(&p, lease, TOTAL, NULL, TOTAL);
        for (int i = 0; i < 9; i++) {
            send_payload(&p, lease, TOTAL, MIB, 0);
            uint8_t *bytes = bytes_of(MIB);
            send_chunk(&p, &(struct gw_bulk_header){7, lease, (uint64_t)i * MIB, TOTAL, {0}}, bytes,
                       MIB);
            free(bytes);
            turn(&r);
        }
        if (chunks_first)
            send_result(&p, lease, TOTAL, NULL, TOTAL);
        wait_for_reply(&r, big);
        assert_int_equal(big->x.reply.error.reason, SL_REASON_TOO_LARGE);
        assert_string_equal(big->x.reply.error.text,
                            "the result has 9437184 bytes, over the limit of 8388608");
        uint8_t *bytes = bytes_of(10);
        send_result(&p, b->dispatches[1]->lease, 10, bytes, 0);
        wait_for_reply(&r, small);
        check_reply(small, 10);
        assert_int_equal(nodes(&r), 1);
        free(bytes);
        drop(b);
        close_peer(&p);
        finish(&r);
    }
}

/* No room for results: told before the chunks are kept, and room again once one was read. */
static void a_result_beyond_the_room_ends_its_call_alone(void **state SL_UNUSED)
{
    enum { TOTAL = 2 * MIB };
    struct rig r;
    struct peer p;
    begin(&r);
    r.w.conf.max_result_bytes = 3 * MIB;
    start(&r);
    join(&r, &p, "n1", 7, MIB);
    struct fake_exchange *e[2] = {call(&r, 10), call(&r, 10)};
    gateway_batch *b = receive_dispatch(&p);
    for (int i = 0; i < 2; i++) {
        send_payload(&p, b->dispatches[i]->lease, TOTAL, MIB, TOTAL);
        send_result(&p, b->dispatches[i]->lease, TOTAL, NULL, TOTAL);
        wait_for_reply(&r, e[i]);
    }
    check_reply(e[0], TOTAL);
    assert_int_equal(e[1]->x.reply.error.reason, SL_REASON_NO_CAPACITY);
    assert_non_null(strstr(e[1]->x.reply.error.text, "may have 3145728, and have 2097152"));
    drop(b);
    fake_leave(&r.w, e[0]);
    struct fake_exchange *later = call(&r, 10);
    b = receive_dispatch(&p);
    send_payload(&p, b->dispatches[0]->lease, TOTAL, MIB, TOTAL);
    send_result(&p, b->dispatches[0]->lease, TOTAL, NULL, TOTAL);
    wait_for_reply(&r, later);
    check_reply(later, TOTAL);
    assert_int_equal(nodes(&r), 1);
    drop(b);
    close_peer(&p);
    finish(&r);
}

static void a_payload_that_is_given_up_leaves_nothing(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, MIB);
    for (int i = 0; i < 2; i++) {
        struct fake_exchange *e = call(&r, 10);
        gateway_batch *b = receive_dispatch(&p);
        uint64_t lease = b->dispatches[0]->lease;
        send_payload(&p, lease, 5000, 1000, 2000);
        Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
        Sluice__Node__V1__Result result = SLUICE__NODE__V1__RESULT__INIT, *list = &result;
        result.lease = lease;
        result.reason = TEXT("MODEL_ERROR");
        result.text = TEXT("it broke while it was sending");
        result.started = true;
        m.n_results = 1;
        m.results = &list;
        send_batch(&p, &m);
        wait_for_reply(&r, e);
        assert_int_equal(e->x.reply.error.reason, SL_REASON_MODEL_ERROR);
        drop(b);
    }
    assert_int_equal(nodes(&r), 1);
    assert_null(r.link->peers->gatherings); /* else it would stay as long as the node */
    close_peer(&p);
    finish(&r);
}

static void a_result_nobody_waits_for_is_not_kept(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, MIB);
    struct fake_exchange *e = call(&r, 10);
    gateway_batch *b = receive_dispatch(&p);
    fake_event(&r.w, e, GW_EV_GONE);
    send_payload(&p, b->dispatches[0]->lease, 3 * MIB, MIB, 3 * MIB);
    send_result(&p, b->dispatches[0]->lease, 3 * MIB, NULL, 3 * MIB);
    for (int i = 0; i < ROUNDS_MAX && gw_fleet_totals(gw_flow_fleet(r.w.flow)).leases > 0; i++) {
        turn(&r);
        usleep(1000);
    }
    assert_int_equal(gw_fleet_totals(gw_flow_fleet(r.w.flow)).leases, 0);
    assert_null(r.link->peers->gatherings);
    assert_int_equal(nodes(&r), 1);
    drop(b);
    close_peer(&p);
    finish(&r);
}

/* The visitor still reads the payload when node and link are gone. */
static void a_reply_outlives_its_node(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    begin(&r);
    start(&r);
    join(&r, &p, "n1", 7, MIB);
    struct fake_exchange *e = call(&r, 10);
    gateway_batch *b = receive_dispatch(&p);
    send_payload(&p, b->dispatches[0]->lease, MIB, MIB, MIB);
    send_result(&p, b->dispatches[0]->lease, MIB, NULL, MIB);
    wait_for_reply(&r, e);
    r.w.now += r.conf.lost_after_ns + 1;
    turn(&r);
    assert_int_equal(nodes(&r), 0);
    check_reply(e, MIB);
    drop(b);
    close_peer(&p);
    finish(&r);
}

/* ---- payloads in shared memory */

static struct sl_shm_pool *start_sharing(struct rig *r)
{
    const struct sl_shm_pool_conf conf = {
        .label = "test", .bytes_max = 64 * MIB, .count_max = 16, .idle_ns = 1};
    begin(r);
    assert_ok(sl_shm_pool_create(&conf, &r->conf.bodies));
    r->counts.bad_segments = sl_metric_counter(r->metrics, "bad_total", "", "Bad.");
    start(r);
    return r->conf.bodies;
}

static void finish_sharing(struct rig *r, struct peer *p, struct sl_shm_pool *pool)
{
    close(p->shared);
    close_peer(p);
    finish(r);
    sl_shm_pool_destroy(pool);
}

static void send_shared_done(struct peer *p, const Sluice__Node__V1__Shared *of)
{
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__SharedUse use = SLUICE__NODE__V1__SHARED_USE__INIT, *one = &use;
    use.segment = of->segment;
    use.generation = of->generation;
    m.shared_done = &one;
    m.n_shared_done = 1;
    send_batch(p, &m);
}

static void check_lent(const Sluice__Node__V1__Shared *s, int fd, size_t n)
{
    void *map;
    const size_t all = (size_t)s->offset_bytes + n;
    assert_int_equal(s->length_bytes, n);
    assert_ok(sl_memfd_map(fd, all, false, &map));
    for (size_t i = 0; i < n; i++)
        if (((const uint8_t *)map)[s->offset_bytes + i] != byte_at(i))
            fail_msg("byte %zu is wrong", i);
    munmap(map, all);
    close(fd);
}

static void a_large_request_is_lent_to_its_node(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    struct sl_shm_pool *pool = start_sharing(&r);
    join(&r, &p, "n1", 7, MIB);
    for (uint64_t use = 1; use <= 3; use++) {
        struct fake_exchange *e = call(&r, MIB);
        gateway_batch *b = receive_dispatch(&p);
        const Sluice__Node__V1__Dispatch *d = b->dispatches[0];
        assert_true(d->payload_bytes == 0 && d->payload.len == 0 && d->shared != NULL);
        assert_true(d->shared->segment == 1 && d->shared->generation == use);
        if (use == 1)
            check_lent(d->shared, shm_peer_take(p.shared, 1), MIB);
        shm_peer_expect_silence(p.shared); /* it is shown once */
        send_shared_done(&p, d->shared);
        send_result(&p, d->lease, 3, "abc", 0);
        wait_for_reply(&r, e);
        drop(b);
    }
    assert_int_equal(sl_metric_value(r.counts.sent_bulk_bytes), 0);
    assert_int_equal(sl_metric_value(r.counts.bad_segments), 0);
    finish_sharing(&r, &p, pool);
}

static void a_reply_leaves_from_the_nodes_memory(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    void *map;
    struct sl_shm_pool *pool = start_sharing(&r);
    join(&r, &p, "n1", 7, MIB);
    struct fake_exchange *e = call(&r, 10);
    gateway_batch *b = receive_dispatch(&p);
    const int fd = shm_peer_memory(0);
    assert_ok(sl_memfd_map(fd, SHM_PEER_BYTES, true, &map));
    for (size_t i = 0; i < MIB - 64; i++)
        ((uint8_t *)map)[64 + i] = byte_at(i);
    munmap(map, SHM_PEER_BYTES);
    shm_peer_show(p.shared, 5, fd);
    Sluice__Node__V1__Shared s = SLUICE__NODE__V1__SHARED__INIT;
    s.segment = 5;
    s.generation = 9;
    s.offset_bytes = 64;
    s.length_bytes = MIB - 64;
    send_result_from(&p, b->dispatches[0]->lease, MIB - 64, NULL, 0, &s);
    wait_for_reply(&r, e);
    r.w.now += r.conf.lost_after_ns + 1; /* the reply outlives its node */
    turn(&r);
    check_reply(e, MIB - 64);
    drop(b);
    finish_sharing(&r, &p, pool);
}

/* A node that names what it did not show, or what is not there, is lost. */
static void lose_by(uint32_t segment, uint64_t generation, uint64_t offset, uint64_t length,
                    bool is_sealed)
{
    struct rig r;
    struct peer p;
    struct sl_shm_pool *pool = start_sharing(&r);
    join(&r, &p, "n1", 7, MIB);
    struct fake_exchange *e = call(&r, MIB);
    gateway_batch *b = receive_dispatch(&p);
    close(shm_peer_take(p.shared, 1));
    shm_peer_show(p.shared, 5, is_sealed ? shm_peer_memory(0) : shm_peer_unsealed());
    Sluice__Node__V1__Shared s = SLUICE__NODE__V1__SHARED__INIT;
    s.segment = segment;
    s.generation = generation;
    s.offset_bytes = offset;
    s.length_bytes = length;
    send_result_from(&p, b->dispatches[0]->lease, (size_t)length, NULL, 0, &s);
    wait_for_nodes(&r, 0);
    assert_int_equal(sl_metric_value(r.counts.bad_segments), 1);
    fake_event(&r.w, e, GW_EV_GONE);
    assert_false(sl_shm_pool_has(pool, 1)); /* what it was lent is never used again */
    drop(b);
    finish_sharing(&r, &p, pool);
}

static void a_node_that_lies_about_its_memory_is_lost(void **state SL_UNUSED)
{
    lose_by(5, 1, 1, SHM_PEER_BYTES, true);
    lose_by(5, 1, UINT64_MAX - 1, 4, true);
    lose_by(5, 0, 0, 4, true);
    lose_by(6, 1, 0, 4, true);
    lose_by(5, 1, 0, 0, true);
    lose_by(5, 1, 0, 4, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_request_is_lent_to_its_node),
        cmocka_unit_test(a_reply_leaves_from_the_nodes_memory),
        cmocka_unit_test(a_node_that_lies_about_its_memory_is_lost),
        cmocka_unit_test(a_node_is_welcomed_and_hears_heartbeats),
        cmocka_unit_test(an_older_or_newer_protocol_is_refused),
        cmocka_unit_test(nodes_have_a_limit),
        cmocka_unit_test(silence_loses_a_node_and_it_may_come_back),
        cmocka_unit_test(a_name_is_kept_as_long_as_its_node_answers),
        cmocka_unit_test(a_run_may_replace_its_own_session),
        cmocka_unit_test(a_dead_connection_gives_its_name_up),
        cmocka_unit_test(a_routing_id_cannot_be_taken_over),
        cmocka_unit_test(garbage_and_strangers_are_counted_by_kind_and_dropped),
        cmocka_unit_test(what_is_over_its_limit_is_not_read),
        cmocka_unit_test(a_bulk_connection_shows_its_token_first),
        cmocka_unit_test(an_allowed_key_lets_a_node_in),
        cmocka_unit_test(a_key_that_is_nobodys_stays_outside),
        cmocka_unit_test(a_node_cannot_speak_for_another),
        cmocka_unit_test(a_key_that_is_taken_off_the_list_loses_its_node),
        cmocka_unit_test(an_endpoint_that_cannot_be_bound_is_named),
        cmocka_unit_test(no_mail_is_slept_over),
        cmocka_unit_test(small_payloads_travel_inside),
        cmocka_unit_test(calls_of_one_turn_share_a_batch),
        cmocka_unit_test(started_and_returned_reach_the_flow),
        cmocka_unit_test(large_payloads_keep_to_the_window),
        cmocka_unit_test(converted_contents_go_by_bulk_too),
        cmocka_unit_test(an_acknowledgement_of_too_much_opens_nothing),
        cmocka_unit_test(a_cancelled_call_sends_no_more),
        cmocka_unit_test(a_node_takes_no_more_than_may_wait_for_it),
        cmocka_unit_test(bodies_in_flight_outlive_their_call_and_their_node),
        cmocka_unit_test(a_result_by_bulk_may_come_in_any_order),
        cmocka_unit_test(what_was_taken_is_acknowledged),
        cmocka_unit_test(payloads_that_break_the_rules_lose_their_node),
        cmocka_unit_test(a_result_and_its_chunks_must_agree),
        cmocka_unit_test(crumbs_lose_their_node),
        cmocka_unit_test(a_result_over_the_limit_ends_its_call_alone),
        cmocka_unit_test(a_result_beyond_the_room_ends_its_call_alone),
        cmocka_unit_test(a_payload_that_is_given_up_leaves_nothing),
        cmocka_unit_test(a_result_nobody_waits_for_is_not_kept),
        cmocka_unit_test(a_reply_outlives_its_node),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
