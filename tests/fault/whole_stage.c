/* whole_stage.c - the wire between visitor and gateway is two function calls; time moves by milliseconds. */
#include "whole_stage.h"

#include "fail_calls.h"
#include "fake_zmq.h"
#include "gw_zip.h"
#include "sl_test.h"

enum { QUIET_ROUNDS = 8, MESSAGE_MAX = 1 << 20 };

/* ---- life */

/* As gw_conn does it: no memory for one of the two, and neither is there. */
static struct gw_h2 *connect_both(struct stage *s)
{
    struct gw_h2 *conn = whole_gateway_connect(&s->gateway);
    if (!s->has_tls || conn == NULL || tls_pair_try_open(&s->tls) == SL_OK)
        return conn;
    whole_gateway_disconnect(&s->gateway, conn);
    return NULL;
}

static void connect_visitor(struct stage *s)
{
    struct gw_h2 *conn = connect_both(s);
    h2_pair_join(&s->visitor, conn, 0);
    s->visitor.now = s->gateway.now;
    s->is_connected = conn != NULL;
    s->was_cut = conn == NULL;
}

void stage_start_node(struct stage *s)
{
    s->has_node = whole_node_start(&s->node, &s->memory[STAGE_NODE].alloc, "n1", s->shares_memory,
                                   s->gateway.now) == SL_OK;
}

void stage_lose_node(struct stage *s)
{
    if (s->has_node)
        whole_node_finish(&s->node);
    s->has_node = false;
}

void stage_open(struct stage *s, unsigned options)
{
    memset(s, 0, offsetof(struct stage, visitor));
    s->maps = fail_calls_maps();
    s->descriptors = fail_calls_descriptors();
    s->other_status = 0;
    for (size_t i = 0; i < STAGE_SIDES; i++)
        fail_alloc_init(&s->memory[i]);
    s->has_tls = (options & STAGE_TLS) != 0;
    s->shares_memory = (options & STAGE_SHARED) != 0;
    tls_pair_init(&s->tls);
    s->tls.alloc = &s->memory[STAGE_GATEWAY].alloc;
    whole_gateway_init(&s->gateway, &s->memory[STAGE_GATEWAY].alloc, 1000 * SL_NS_PER_S);
    s->gateway.shares_memory = s->shares_memory;
    assert_ok(whole_gateway_start(&s->gateway));
    stage_start_node(s);
    connect_visitor(s);
    stage_run(s);
    assert_true(gw_flow_is_ready(s->gateway.flow));
}

void stage_close(struct stage *s)
{
    h2_pair_leave(&s->visitor);
    tls_pair_close(&s->tls);
    stage_lose_node(s);
    whole_node_forget(&s->node);
    const char *wrong = whole_gateway_finish(&s->gateway);
    if (wrong != NULL)
        fail_msg("%s", wrong);
    for (size_t i = 0; i < STAGE_SIDES; i++)
        assert_int_equal(fail_alloc_finish(&s->memory[i]), 0);
    assert_int_equal(fake_zmq_open_count(), 0);
    assert_int_equal(fail_calls_maps(), s->maps);
    assert_int_equal(fail_calls_descriptors(), s->descriptors);
}

void stage_restart_gateway(struct stage *s)
{
    h2_pair_leave(&s->visitor);
    const char *wrong = whole_gateway_finish(&s->gateway);
    if (wrong != NULL)
        fail_msg("%s", wrong);
    whole_gateway_init(&s->gateway, &s->memory[STAGE_GATEWAY].alloc, s->gateway.now);
    s->gateway.shares_memory = s->shares_memory;
    assert_ok(whole_gateway_start(&s->gateway));
    connect_visitor(s);
}

/* ---- memory */

void stage_arm(struct stage *s, enum stage_side side, size_t i, bool keeps_failing)
{
    struct fail_alloc *f = &s->memory[side];
    f->calls = f->failures = 0;
    f->fail_at = s->failed_at[side] = i;
    f->keeps_failing = keeps_failing;
    fake_zmq_use(&f->alloc);
    fail_calls_use(f);
}

bool stage_disarm(struct stage *s)
{
    fake_zmq_use(NULL);
    fail_calls_use(NULL);
    for (size_t i = 0; i < STAGE_SIDES; i++)
        s->memory[i].fail_at = 0;
    return s->memory[STAGE_GATEWAY].failures + s->memory[STAGE_NODE].failures > 0;
}

static bool was_refused_memory(const struct stage *s)
{
    return s->memory[STAGE_GATEWAY].failures + s->memory[STAGE_NODE].failures > 0;
}

/* ---- turns */

static void hang_up(struct stage *s)
{
    whole_gateway_disconnect(&s->gateway, s->visitor.server);
    if (s->has_tls)
        tls_pair_close_client(&s->tls);
    s->visitor.server = NULL;
    s->is_connected = false;
    s->was_cut = true;
}

/* What has been taken out of records goes where it is for. */
static size_t unwrap(struct stage *s)
{
    struct tls_pair *t = &s->tls;
    size_t moved = t->server_took.len + t->client_took.len;
    if (t->server_took.len > 0)
        h2_pair_raw(&s->visitor, t->server_took.data, t->server_took.len);
    if (t->client_took.len > 0)
        assert_true(nghttp2_session_mem_recv(s->visitor.client, t->client_took.data,
                                             t->client_took.len) >= 0);
    sl_buf_clear(&t->server_took);
    sl_buf_clear(&t->client_took);
    return moved;
}

static void wrap_down(struct stage *s)
{
    struct iovec v[64];
    size_t n, bytes;
    while (!gw_tls_is_over(s->tls.tls) &&
           (n = gw_h2_output(s->visitor.server, v, SL_ARRAY_LEN(v), s->gateway.now)) > 0) {
        bytes = 0;
        for (size_t i = 0; i < n; i++)
            bytes += v[i].iov_len;
        tls_pair_reply(&s->tls, v, n);
        gw_h2_sent(s->visitor.server, bytes);
    }
}

static size_t move_records(struct stage *s)
{
    const uint8_t *bytes;
    ssize_t n = 0;
    size_t moved;
    tls_pair_run(&s->tls);
    while (gw_tls_is_ready(s->tls.tls) && !gw_tls_is_over(s->tls.tls) &&
           (n = nghttp2_session_mem_send(s->visitor.client, &bytes)) > 0)
        tls_pair_send(&s->tls, bytes, (size_t)n);
    moved = unwrap(s);
    if (gw_tls_is_ready(s->tls.tls))
        wrap_down(s);
    moved += unwrap(s);
    if (gw_tls_is_over(s->tls.tls) || gw_h2_is_over(s->visitor.server))
        hang_up(s);
    return moved;
}

/* As gw_conn does it: what is pending goes out before the connection ends. */
static size_t move_bytes(struct stage *s, bool up)
{
    size_t moved = 0;
    if (!s->is_connected)
        return 0;
    if (s->has_tls)
        return move_records(s);
    if (up)
        moved = h2_pair_client_to_server(&s->visitor);
    moved += h2_pair_server_to_client(&s->visitor);
    if (gw_h2_is_over(s->visitor.server))
        hang_up(s);
    return moved;
}

static size_t turn(struct stage *s)
{
    size_t moved = move_bytes(s, true);
    moved += whole_gateway_turn(&s->gateway);
    if (s->has_node)
        whole_node_turn(&s->node, s->gateway.now);
    moved += whole_gateway_turn(&s->gateway);
    return moved + move_bytes(s, false);
}

void stage_wait(struct stage *s, int64_t ns)
{
    whole_gateway_advance(&s->gateway, ns);
    s->visitor.now = s->gateway.now;
    stage_run(s);
}

void stage_turn(struct stage *s)
{
    (void)turn(s);
}

void stage_run(struct stage *s)
{
    for (size_t quiet = 0; quiet < QUIET_ROUNDS; quiet++) {
        if (turn(s) > 0)
            quiet = 0;
        whole_gateway_advance(&s->gateway, SL_NS_PER_MS);
        s->visitor.now = s->gateway.now;
    }
}

/* ---- calls */

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

/* more: one more header; its name is NULL without one. */
static struct h2_call *call(struct stage *s, const char *path, nghttp2_nv more, bool is_zipped,
                            struct sl_span body)
{
    uint8_t prefix[GW_GRPC_PREFIX_BYTES];
    const nghttp2_nv nv[] = {field(":method", "POST"),
                             field(":scheme", "http"),
                             field(":path", path),
                             field(":authority", "test"),
                             field("content-type", "application/grpc"),
                             field("te", "trailers"),
                             field("grpc-timeout", "50S"),
                             field("grpc-accept-encoding", "identity,gzip"),
                             more};
    gw_grpc_frame_prefix(is_zipped, (uint32_t)body.len, prefix);
    struct h2_call *c = h2_call_headers(&s->visitor, nv, SL_ARRAY_LEN(nv) - (more.name == NULL),
                                        prefix, sizeof prefix);
    assert_ok(sl_buf_append(&c->upload, body.data, body.len));
    return c;
}

struct h2_call *stage_call(struct stage *s, enum gw_method method, struct sl_span message)
{
    return call(s, gw_method_path(method), (nghttp2_nv){.name = NULL}, false, message);
}

struct h2_call *stage_call_by_key(struct stage *s, const char *key, struct sl_span message)
{
    return call(s, gw_method_path(GW_METHOD_MODEL_INFER), field("idempotency-key", key), false,
                message);
}

struct h2_call *stage_call_named(struct stage *s, const char *call_id, struct sl_span message)
{
    return call(s, gw_method_path(GW_METHOD_MODEL_INFER), field("sluice-call-id", call_id), false,
                message);
}

struct h2_call *stage_call_zipped(struct stage *s, struct sl_span message)
{
    uint8_t *packed = malloc(MESSAGE_MAX);
    size_t len;
    assert_ok(
        gw_zip_deflate(&sl_alloc_malloc, GW_ENCODING_GZIP, &message, 1, packed, MESSAGE_MAX, &len));
    struct h2_call *c = call(s, gw_method_path(GW_METHOD_MODEL_INFER),
                             field("grpc-encoding", "gzip"), true, sl_span_of(packed, len));
    free(packed);
    return c;
}

/* ---- what came of it */

/* What found no memory in the queue waits there, and is tried again with the next news of a node. */
static void wait_for_end(struct stage *s, const struct h2_call *c)
{
    for (int i = 0; i < 10 && !c->is_closed && !s->was_cut; i++) {
        stage_disarm(s);
        if (!s->has_node)
            stage_start_node(s);
        stage_wait(s, SL_NS_PER_S);
    }
}

bool stage_expect(struct stage *s, const struct h2_call *c, int grpc_status)
{
    if (was_refused_memory(s))
        wait_for_end(s, c);
    if (c->is_closed && c->close_code == 0 && c->grpc_status == grpc_status)
        return true;
    if (!was_refused_memory(s))
        fail_msg("status %d %s instead of %d: %s", c->grpc_status, c->reason, grpc_status,
                 c->grpc_message);
    if (s->was_cut)
        return false;
    if (c->is_closed && c->close_code == NGHTTP2_REFUSED_STREAM)
        return false; /* gRPC's word for it is UNAVAILABLE */
    if (!c->is_closed || c->close_code != 0)
        fail_msg("the call has no end, or one without a status (%u); allocations %zu and %zu",
                 c->close_code, s->failed_at[0], s->failed_at[1]);
    if (s->other_status != 0 && c->grpc_status == s->other_status)
        return false;
    if (c->grpc_status != SL_GRPC_UNAVAILABLE && c->grpc_status != SL_GRPC_RESOURCE_EXHAUSTED)
        fail_msg("status %d %s for want of memory: %s; allocations %zu and %zu", c->grpc_status,
                 c->reason, c->grpc_message, s->failed_at[0], s->failed_at[1]);
    assert_true(c->reason[0] != '\0' && c->grpc_message[0] != '\0');
    return false;
}

static void reconnect(struct stage *s)
{
    if (s->is_connected)
        return;
    h2_pair_leave(&s->visitor);
    connect_visitor(s);
    assert_true(s->is_connected);
}

void stage_expect_service(struct stage *s)
{
    static const float three[] = {1, 2, 3};
    struct infer_builder b;
    stage_disarm(s);
    s->memory[STAGE_GATEWAY].failures = s->memory[STAGE_NODE].failures = 0;
    if (!s->has_node)
        stage_start_node(s);
    for (int i = 0; i < 20; i++) /* a session that was broken is made anew in that time */
        stage_wait(s, SL_NS_PER_S);
    reconnect(s);
    infer_begin(&b, "echo");
    infer_input(&b, "IN", "FP32", 1, (int64_t[]){3});
    infer_raw(&b, three, sizeof three);
    struct h2_call *c = stage_call(s, GW_METHOD_MODEL_INFER, infer_bytes(&b));
    infer_end(&b);
    stage_run(s);
    assert_true(stage_expect(s, c, SL_GRPC_OK));
    assert_memory_equal(c->download.data + c->download.len - sizeof three, three, sizeof three);
}
