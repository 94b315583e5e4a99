/* link_rig.c - what the tests of gw_link are made of: turns of a loop, messages of a node,
 * waits. */
#include "link_rig.h"

#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

#include "infer_builder.h"
#include "shm_peer.h"
#include "sl_fdpass.h"
#include "sl_pack.h"
#include "sl_test.h"

void rig_begin(struct rig *r)
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

void rig_start(struct rig *r)
{
    struct sl_error err;
    assert_ok(gw_link_create(&sl_alloc_malloc, &r->conf, &r->counts, &r->link, &err));
    r->port = gw_link_port(r->link);
    r->w.link = &r->port;
    assert_ok(fake_world_start(&r->w));
    gw_link_attach(r->link, r->w.flow);
    r->zmq = zmq_ctx_new();
}

void rig_finish(struct rig *r)
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

void rig_turn(struct rig *r)
{
    for (size_t i = 0; i < GW_LINK_FDS; i++)
        gw_link_stir(r->link, i); /* as if both descriptors were readable */
    gw_link_read(r->link, r->w.now);
    gw_link_tick(r->link, r->w.now);
    fake_turn(&r->w);
    gw_link_flush(r->link, r->w.now);
}

void rig_listen_for(struct rig *r, int64_t ns)
{
    const int64_t step = r->conf.lost_after_ns / 10;
    for (; ns > 0; ns -= step) {
        r->w.now += ns < step ? ns : step;
        rig_turn(r);
    }
}

static void show_keys(const struct rig *r, void *s)
{
    const size_t n = SL_KEY_TEXT_LEN + 1;
    assert_int_equal(zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, r->public_key.text, n), 0);
    assert_int_equal(zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, r->as->public_key.text, n), 0);
    assert_int_equal(zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, r->as->secret_key.text, n), 0);
}

void *rig_dial(struct rig *r, const char *endpoint, const char *name)
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

void peer_open(struct rig *r, struct peer *p, const char *identity, uint64_t session)
{
    *p = (struct peer){.r = r, .session = session};
    p->control = rig_dial(r, r->control, identity);
    p->bulk = rig_dial(r, r->bulk, identity);
}

void peer_close(struct peer *p)
{
    zmq_close(p->control);
    zmq_close(p->bulk);
}

void peer_send(struct peer *p, Sluice__Node__V1__NodeBatch *m)
{
    struct sl_arena a;
    m->session = m->session == 0 ? p->session : m->session;
    sl_arena_init(&a, &sl_alloc_malloc, 4 * MIB);
    struct sl_span bytes = sl_pack(&a, &m->base);
    assert_int_equal(zmq_send(p->control, bytes.data, bytes.len, 0), (int)bytes.len);
    sl_arena_finish(&a);
}

gateway_batch *peer_receive(struct peer *p)
{
    zmq_msg_t m;
    zmq_msg_init(&m);
    for (int i = 0; i < ROUNDS_MAX; i++) {
        rig_turn(p->r);
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

void batch_drop(gateway_batch *b)
{
    sluice__node__v1__gateway_batch__free_unpacked(b, NULL);
}

void peer_say_hello(struct peer *p, const char *name, uint64_t window_bytes)
{
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__Hello h = SLUICE__NODE__V1__HELLO__INIT;
    Sluice__Node__V1__Slice slice = SLUICE__NODE__V1__SLICE__INIT, *slices = &slice;
    Sluice__Node__V1__Model model = SLUICE__NODE__V1__MODEL__INIT, *models = &model;
    Sluice__Node__V1__TensorSpec in = SLUICE__NODE__V1__TENSOR_SPEC__INIT, *ins = &in;
    Sluice__Node__V1__TensorSpec out = SLUICE__NODE__V1__TENSOR_SPEC__INIT, *outs = &out;
    int64_t shape[1] = {-1};
    m.hello = &h;
    h.protocol_min = h.protocol_max = p->r->journal != 0 ? 2 : 1;
    h.journal = p->r->journal;
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
    peer_send(p, &m);
}

void peer_introduce(struct peer *p, const void *token, size_t len)
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

void peer_send_chunk(struct peer *p, const struct gw_bulk_header *h, const void *bytes, size_t n)
{
    uint8_t header[GW_BULK_HEADER_MAX];
    size_t len = gw_link_write_bulk(h, header);
    assert_int_equal(zmq_send(p->bulk, header, len, ZMQ_SNDMORE), (int)len);
    assert_int_equal(zmq_send(p->bulk, bytes, n, 0), (int)n);
}

static struct gw_peer *end_of(const struct peer *p)
{
    struct gw_peer *end = NULL;
    HASH_FIND(hh, p->r->link->peers, &p->session, sizeof p->session, end);
    return end;
}

/* What was sent by the bulk connection may take longer than what follows by the control connection. */
static void wait_until_introduced(const struct peer *p)
{
    for (int i = 0; i < ROUNDS_MAX && end_of(p)->bulk.len == 0; i++) {
        rig_turn(p->r);
        usleep(1000);
    }
    assert_true(end_of(p)->bulk.len > 0);
}

void rig_wait_for_word(struct rig *r)
{
    zmq_pollitem_t item = {.socket = r->link->control_socket, .events = ZMQ_POLLIN};
    assert_int_equal(zmq_poll(&item, 1, ROUNDS_MAX), 1);
}

bool rig_is_connected(struct rig *r, const struct peer *p)
{
    return gw_link_is_connected(r->link, end_of(p));
}

void peer_join(struct rig *r, struct peer *p, const char *name, uint64_t session,
               uint64_t window_bytes)
{
    peer_open(r, p, name, session);
    peer_say_hello(p, name, window_bytes);
    gateway_batch *b = peer_receive(p);
    assert_non_null(b->welcome);
    assert_int_equal(b->welcome->protocol, p->r->journal != 0 ? 2 : 1);
    assert_true(b->welcome->inline_max_bytes == INLINE_MAX);
    assert_true(b->welcome->heartbeat_every_ms == 1000 && b->welcome->lost_after_ms == 3000);
    assert_int_equal(b->welcome->bulk_window_bytes, 4 * MIB);
    assert_int_equal(b->welcome->bulk_token.len, GW_LINK_TOKEN_BYTES);
    peer_introduce(p, b->welcome->bulk_token.data, b->welcome->bulk_token.len);
    wait_until_introduced(p);
    if (r->conf.bodies != NULL) {
        assert_ok(sl_fdpass_connect(b->welcome->shared_path, &p->shared));
        assert_ok(sl_fdpass_send(p->shared, session, -1));
    } else {
        assert_string_equal(b->welcome->shared_path, "");
    }
    batch_drop(b);
}

size_t rig_nodes(struct rig *r)
{
    return gw_fleet_totals(gw_flow_fleet(r->w.flow)).nodes;
}

void rig_wait_for_nodes(struct rig *r, size_t count)
{
    for (int i = 0; i < ROUNDS_MAX && rig_nodes(r) != count; i++) {
        rig_turn(r);
        usleep(1000);
    }
    assert_int_equal(rig_nodes(r), count);
}

void rig_wait_for_reply(struct rig *r, const struct fake_exchange *e)
{
    for (int i = 0; i < ROUNDS_MAX && e->replies == 0; i++) {
        rig_turn(r);
        usleep(1000);
    }
    assert_int_equal(e->replies, 1);
}

int64_t rig_refused(struct rig *r, enum gw_refusal kind)
{
    return sl_metric_value(r->counts.refused[kind]);
}

int64_t rig_refused_in_all(struct rig *r)
{
    int64_t sum = 0;
    for (int k = 0; k < GW_REFUSAL_COUNT; k++)
        sum += rig_refused(r, (enum gw_refusal)k);
    return sum;
}

void rig_expect_refused(struct rig *r, enum gw_refusal kind, int64_t before)
{
    for (int i = 0; i < ROUNDS_MAX && rig_refused(r, kind) == before; i++) {
        rig_turn(r);
        usleep(1000);
    }
    assert_int_equal(rig_refused(r, kind), before + 1);
}

uint8_t rig_byte_at(size_t i)
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

struct fake_exchange *rig_call(struct rig *r, size_t n)
{
    struct infer_builder b;
    infer_begin(&b, "m");
    infer_input(&b, "IN", "UINT8", 1, (const int64_t[]){(int64_t)n});
    uint8_t *raw = infer_room(&b, n);
    for (size_t i = 0; i < n; i++)
        raw[i] = rig_byte_at(i);
    infer_raw(&b, raw, n);
    return send_call(r, &b);
}

struct fake_exchange *rig_typed_call(struct rig *r, size_t n)
{
    struct infer_builder b;
    infer_begin(&b, "m");
    Inference__InferTensorContents *c =
        infer_contents(&b, infer_input(&b, "IN", "UINT8", 1, (const int64_t[]){(int64_t)n}));
    c->n_uint_contents = n;
    c->uint_contents = infer_room(&b, n * sizeof(uint32_t));
    for (size_t i = 0; i < n; i++)
        c->uint_contents[i] = rig_byte_at(i);
    return send_call(r, &b);
}

gateway_batch *peer_receive_dispatch(struct peer *p)
{
    for (;;) {
        gateway_batch *b = peer_receive(p);
        if (b->n_dispatches > 0)
            return b;
        batch_drop(b);
    }
}

void peer_send_result_from(struct peer *p, uint64_t lease, size_t n, const void *payload,
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
    result.record = p->r->record;
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
    peer_send(p, &m);
}

void peer_send_result(struct peer *p, uint64_t lease, size_t n, const void *payload,
                      uint64_t bulk_bytes)
{
    peer_send_result_from(p, lease, n, payload, bulk_bytes, NULL);
}

void rig_check_reply(const struct fake_exchange *e, size_t n)
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
        if (m->raw_output_contents[0].data[i] != rig_byte_at(i))
            fail_msg("byte %zu is wrong", i);
    inference__model_infer_response__free_unpacked(m, NULL);
    free(all);
}

uint8_t *rig_bytes(size_t n)
{
    uint8_t *p = malloc(n + 1);
    for (size_t i = 0; i < n; i++)
        p[i] = rig_byte_at(i);
    return p;
}

void peer_send_payload(struct peer *p, uint64_t lease, size_t n, size_t chunk, size_t upto)
{
    uint8_t *bytes = rig_bytes(n);
    for (size_t at = 0; at < upto; at += chunk) {
        size_t len = upto - at < chunk ? upto - at : chunk;
        peer_send_chunk(p, &(struct gw_bulk_header){p->session, lease, at, n, {0}}, bytes + at,
                        len);
    }
    free(bytes);
}

void rig_begin_with(struct rig *r, struct peer *p, uint64_t window_bytes)
{
    rig_begin(r);
    rig_start(r);
    peer_join(r, p, "n1", 7, window_bytes);
}

void rig_finish_with(struct rig *r, struct peer *p)
{
    peer_close(p);
    rig_finish(r);
}

/* ---- one node with a call */

void scene_begin(struct scene *s, uint64_t window_bytes)
{
    *s = (struct scene){.batch = NULL};
    rig_begin_with(&s->r, &s->p, window_bytes);
}

static void drop_batch(struct scene *s)
{
    if (s->batch != NULL)
        batch_drop(s->batch);
    s->batch = NULL;
}

void scene_receive(struct scene *s)
{
    drop_batch(s);
    s->batch = peer_receive_dispatch(&s->p);
    s->lease = s->batch->dispatches[0]->lease;
}

void scene_call(struct scene *s, size_t n)
{
    s->e = rig_call(&s->r, n);
    scene_receive(s);
}

void scene_answer(struct scene *s, size_t n)
{
    peer_send_payload(&s->p, s->lease, n, MIB, n);
    peer_send_result(&s->p, s->lease, n, NULL, n);
    rig_wait_for_reply(&s->r, s->e);
}

void scene_finish(struct scene *s)
{
    drop_batch(s);
    gw_flow_end_all(s->r.w.flow, s->r.w.now);
    rig_finish_with(&s->r, &s->p);
}
