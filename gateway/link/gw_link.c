#include "gw_link.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "gw_link_int.h"
#include "sl_log.h"

enum { READ_MAX = 256, HWM = 4096, BATCH_SLACK = 65536, HANDSHAKE_MS = 5000 };

/* ZeroMQ's I/O threads, as bits of an affinity: what is said on the control connections never waits while the
 * other encrypts and moves tensors. */
enum { CONTROL_IO = 1, BULK_IO = 2, IO_THREADS = 2 };

/* ---- sockets */

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

/* ZeroMQ asks the ZAP socket only for sockets with a domain. */
static bool set_curve(void *socket, const struct sl_key *secret)
{
    static const char domain[] = "sluice";
    return set_int(socket, ZMQ_CURVE_SERVER, 1) &&
           zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret->text, sizeof secret->text) == 0 &&
           zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, domain, sizeof domain - 1) == 0;
}

/* No handover: nobody takes over the routing id of a connection that is there. */
static bool set_options(void *socket, uint64_t io)
{
    int64_t max = GW_LINK_BATCH_MAX + BATCH_SLACK;
    return zmq_setsockopt(socket, ZMQ_AFFINITY, &io, sizeof io) == 0 &&
           set_int(socket, ZMQ_LINGER, 0) && set_int(socket, ZMQ_SNDHWM, HWM) &&
           set_int(socket, ZMQ_RCVHWM, HWM) && set_int(socket, ZMQ_ROUTER_MANDATORY, 1) &&
           set_int(socket, ZMQ_IPV6, 1) && set_int(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max, sizeof max) == 0;
}

/* "tcp://[::ffff:127.0.0.1]:5571" as it was configured: ZeroMQ tells what its socket for both families is bound to. */
static void undo_mapping(char *endpoint)
{
    static const char mapped[] = "tcp://[::ffff:";
    const size_t scheme_len = strlen("tcp://");
    char *address = endpoint + sizeof mapped - 1;
    char *end = strchr(endpoint, ']');
    if (strncmp(endpoint, mapped, sizeof mapped - 1) != 0 || end == NULL)
        return;
    memmove(end, end + 1, strlen(end + 1) + 1);
    memmove(endpoint + scheme_len, address, strlen(address) + 1);
}

static bool bind_to(void *socket, const char *endpoint, char bound[GW_LINK_ENDPOINT_MAX])
{
    size_t bytes = GW_LINK_ENDPOINT_MAX;
    if (zmq_bind(socket, endpoint) != 0 ||
        zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, bound, &bytes) != 0)
        return false;
    undo_mapping(bound);
    return true;
}

/* secret NULL: no CURVE. */
static void *open_socket(void *zmq, uint64_t io, const struct sl_key *secret, const char *endpoint,
                         char bound[GW_LINK_ENDPOINT_MAX], struct sl_error *err)
{
    void *socket = zmq_socket(zmq, ZMQ_ROUTER);
    bool ok = socket != NULL && set_options(socket, io) &&
              (secret == NULL || set_curve(socket, secret)) && bind_to(socket, endpoint, bound);
    if (ok)
        return socket;
    sl_error_set(err, SL_REASON_INTERNAL, "cannot listen for executors at %s: %s", endpoint,
                 zmq_strerror(errno));
    if (socket != NULL)
        zmq_close(socket);
    return NULL;
}

static sl_status no_memory(struct sl_error *err)
{
    sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory for the link to executors");
    return SL_ENOMEM;
}

static bool open_sockets(struct gw_link *l, const struct sl_key *secret, struct sl_error *err)
{
    l->control_socket =
        open_socket(l->zmq, CONTROL_IO, secret, l->conf.control, l->control_endpoint, err);
    if (l->control_socket != NULL)
        l->bulk_socket = open_socket(l->zmq, BULK_IO, l->bulk_has_curve ? secret : NULL,
                                     l->conf.bulk, l->bulk_endpoint, err);
    return l->bulk_socket != NULL;
}

static void *open_context(void)
{
    void *zmq = zmq_ctx_new();
    if (zmq != NULL)
        zmq_ctx_set(zmq, ZMQ_IO_THREADS, IO_THREADS);
    return zmq;
}

/* Never 0. */
static uint64_t random_run(void)
{
    uint64_t run = 0;
    while (run == 0)
        if (getrandom(&run, sizeof run, 0) != (ssize_t)sizeof run)
            run = 0;
    return run;
}

sl_status gw_link_create(const struct sl_alloc *alloc, const struct gw_link_conf *conf,
                         const struct gw_link_metrics *metrics, struct gw_link **out,
                         struct sl_error *err)
{
    struct gw_link *l = sl_alloc_zero(alloc, 1, sizeof *l);
    if (l == NULL)
        return no_memory(err);
    l->alloc = alloc;
    l->conf = *conf;
    l->metrics = *metrics;
    sl_arena_init(&l->arena, alloc, ARENA_MAX);
    sl_patience_init(&l->patience, conf->lost_after_ns, 0);
    l->conf.secret = NULL;
    l->has_curve = conf->secret != NULL;
    l->bulk_has_curve = l->has_curve && !conf->bulk_is_plain;
    l->gate.listener = -1;
    l->run = random_run();
    l->zmq = open_context();
    l->zap_socket = l->zmq == NULL ? NULL : gw_link_zap_open(l->zmq);
    if (l->zap_socket == NULL) {
        gw_link_destroy(l);
        return no_memory(err);
    }
    if (!open_sockets(l, conf->secret, err)) {
        gw_link_destroy(l);
        return SL_EIO;
    }
    if (conf->bodies != NULL)
        gw_shared_gate_open(&l->gate, l->control_endpoint);
    l->control_is_stirred = l->bulk_is_stirred = l->zap_is_stirred = true;
    *out = l;
    return SL_OK;
}

static void free_peer(struct gw_peer *p)
{
    gw_link_drop_outgoing(p, 0);
    gw_link_drop_gatherings(p, 0);
    gw_shared_destroy(p->shared);
    sl_buf_finish(&p->batch);
    sl_alloc_free(p->alloc, p);
}

void gw_link_forget(struct gw_link *l, struct gw_peer *p)
{
    /* The analyzer takes a peer in a walk for the last one, with which the table would be gone. */
    HASH_DEL(l->peers, p); /* NOLINT(clang-analyzer-unix.Malloc) */
    free_peer(p);
}

void gw_link_destroy(struct gw_link *l)
{
    if (l == NULL)
        return;
    struct gw_peer *p = l->peers, *next;
    HASH_CLEAR(hh, l->peers); /* the table; the peers are still chained */
    for (; p != NULL; p = next) {
        next = p->hh.next;
        free_peer(p);
    }
    gw_shared_gate_close(&l->gate);
    if (l->control_socket != NULL)
        zmq_close(l->control_socket);
    if (l->bulk_socket != NULL)
        zmq_close(l->bulk_socket);
    if (l->zap_socket != NULL)
        zmq_close(l->zap_socket);
    if (l->zmq != NULL)
        zmq_ctx_term(l->zmq);
    sl_arena_finish(&l->arena);
    sl_alloc_free(l->alloc, l->allowed);
    sl_alloc_free(l->alloc, l);
}

struct gw_link_port gw_link_port(struct gw_link *l)
{
    return (struct gw_link_port){.ctx = l,
                                 .dispatch = gw_link_dispatch,
                                 .cancel = gw_link_cancel,
                                 .call_back = gw_link_call_back,
                                 .acknowledge = gw_link_acknowledge};
}

void gw_link_attach(struct gw_link *l, struct gw_flow *flow)
{
    l->flow = flow;
}

static int socket_fd(void *socket)
{
    int fd = -1;
    size_t bytes = sizeof fd;
    return zmq_getsockopt(socket, ZMQ_FD, &fd, &bytes) == 0 ? fd : -1;
}

void gw_link_fds(const struct gw_link *l, int out[GW_LINK_FDS])
{
    out[0] = socket_fd(l->control_socket);
    out[1] = socket_fd(l->bulk_socket);
    out[2] = socket_fd(l->zap_socket);
}

const char *gw_link_control_endpoint(const struct gw_link *l)
{
    return l->control_endpoint;
}

const char *gw_link_bulk_endpoint(const struct gw_link *l)
{
    return l->bulk_endpoint;
}

/* ---- reading */

void gw_link_count(struct gw_link *l, enum gw_refusal kind, const char *what)
{
    sl_metric_add(l->metrics.refused[kind], 1);
    sl_log(SL_LOG_DEBUG, "node message dropped", SL_S("why", what));
}

void gw_link_lose(struct gw_link *l, struct gw_peer *p, const char *why, sl_mono_ns now)
{
    struct gw_fleet_node *node = p->node;
    gw_link_forget(l, p);
    if (node != NULL)
        gw_flow_on_lost(l->flow, node, why, now);
}

static bool take_identity(struct gw_identity *out, zmq_msg_t *m)
{
    out->len = zmq_msg_size(m);
    if (out->len == 0 || out->len > IDENTITY_MAX)
        return false;
    memcpy(out->bytes, zmq_msg_data(m), out->len);
    return true;
}

bool gw_link_is_same(const struct gw_identity *a, const struct gw_identity *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Started before results: in one turn a short call can be both. */
static void on_news(struct gw_link *l, struct gw_peer *p, const struct gw_node_batch *b,
                    sl_mono_ns now)
{
    p->heard_ns = l->patience.waited_ns;
    gw_flow_on_heard(l->flow, p->node, b->is_draining, now);
    if (b->bulk_taken_bytes > p->bulk_acked_bytes && b->bulk_taken_bytes <= p->bulk_sent_bytes)
        p->bulk_acked_bytes = b->bulk_taken_bytes;
    for (size_t i = 0; i < b->shared_done_count; i++)
        if (p->shared == NULL || !gw_shared_returned(p->shared, &b->shared_done[i]))
            gw_link_count_bad_segment(l, "memory given back that was not lent");
    for (size_t i = 0; i < b->started_count; i++)
        gw_flow_on_started(l->flow, p->node, b->started[i], now);
    for (size_t i = 0; i < b->result_count; i++)
        if (!gw_link_on_result(l, p, &b->results[i], now)) {
            gw_link_lose(l, p, "it broke the protocol of results", now);
            return;
        }
    for (size_t i = 0; i < b->returned_count; i++) {
        gw_link_drop_outgoing(p, b->returned[i]);
        gw_link_drop_gatherings(p, b->returned[i]);
        gw_flow_on_returned(l->flow, p->node, b->returned[i], now);
    }
    for (size_t i = 0; i < b->ended_count; i++)
        gw_flow_on_ended(l->flow, p->node, &b->ended[i]);
}

/* Is the message from the holder of the peer's key, over the connection that is the peer's? */
static bool is_of_peer(const struct gw_peer *p, const struct gw_identity *bound, bool has_curve,
                       const struct gw_identity *from, zmq_msg_t *m)
{
    struct sl_key key;
    if (bound->len > 0 && !gw_link_is_same(bound, from))
        return false;
    return !has_curve || (gw_link_key_of(m, &key) && sl_key_is_same(&key, &p->key));
}

/* What was not understood for want of memory may have been a result, and its node will not say it again. */
static void lose_unheard(struct gw_link *l, const struct gw_identity *from, zmq_msg_t *m,
                         sl_mono_ns now)
{
    struct gw_peer *p, *next;
    HASH_ITER (hh, l->peers, p, next) {
        if (p->node != NULL && p->control.len > 0 &&
            is_of_peer(p, &p->control, l->has_curve, from, m))
            gw_link_lose(l, p, "there was no memory for what it said", now);
    }
}

static void on_control(struct gw_link *l, const struct gw_identity *from, zmq_msg_t *m,
                       sl_mono_ns now)
{
    struct gw_node_batch batch;
    struct sl_key key = {0};
    sl_arena_reset(&l->arena);
    if (zmq_msg_size(m) > GW_LINK_BATCH_MAX) {
        gw_link_count(l, GW_REFUSAL_OVERSIZED, "a batch of more than 1 MiB");
        return;
    }
    if (!gw_link_read_batch(sl_span_of(zmq_msg_data(m), zmq_msg_size(m)), &l->arena, &batch)) {
        if (l->arena.has_failed)
            lose_unheard(l, from, m, now);
        else
            gw_link_count(l, GW_REFUSAL_GARBLED, "no valid batch");
        return;
    }
    struct gw_peer *p = gw_link_peer_of(l, batch.session);
    if (p == NULL && batch.has_hello && (!l->has_curve || gw_link_key_of(m, &key))) {
        p = gw_link_on_hello(l, from, &key, &batch, now);
        if (p != NULL)
            on_news(l, p, &batch, now);
    } else if (p == NULL || p->node == NULL) {
        gw_link_count(l, GW_REFUSAL_SESSION, "of an unknown session");
        gw_link_send_unknown(l, from, batch.session);
    } else if (!is_of_peer(p, &p->control, l->has_curve, from, m)) {
        gw_link_count(l, GW_REFUSAL_FORGED, "of another connection's session");
    } else if (batch.has_hello) {
        gw_link_count(l, GW_REFUSAL_REPLAYED, "a second hello");
    } else {
        on_news(l, p, &batch, now);
    }
}

/* The first message of a bulk connection shows the token; compared without a hint by its time. */
static bool shows_token(const struct gw_peer *p, const struct gw_bulk_header *h)
{
    unsigned differ = 0;
    if (h->lease != 0 || h->token.len != sizeof p->token)
        return false;
    for (size_t i = 0; i < sizeof p->token; i++)
        differ |= (unsigned)(h->token.data[i] ^ p->token[i]);
    return differ == 0;
}

static void on_bulk(struct gw_link *l, const struct gw_identity *from, zmq_msg_t *header,
                    zmq_msg_t *chunk, sl_mono_ns now)
{
    struct gw_bulk_header h;
    if (!gw_link_read_bulk(sl_span_of(zmq_msg_data(header), zmq_msg_size(header)), &h)) {
        gw_link_count(l, GW_REFUSAL_GARBLED, "no valid bulk header");
        return;
    }
    struct gw_peer *p = gw_link_peer_of(l, h.session);
    if (p == NULL || p->node == NULL)
        gw_link_count(l, GW_REFUSAL_SESSION, "bulk of an unknown session");
    else if (!is_of_peer(p, &p->bulk, l->bulk_has_curve, from, header))
        gw_link_count(l, GW_REFUSAL_FORGED, "bulk of another connection");
    else if (p->bulk.len == 0 && !shows_token(p, &h))
        gw_link_count(l, GW_REFUSAL_FORGED, "bulk without its token");
    else if (p->bulk.len == 0)
        p->bulk = *from;
    else if (h.lease == 0)
        gw_link_count(l, GW_REFUSAL_REPLAYED, "a second introduction");
    else if (zmq_msg_size(chunk) > GW_LINK_CHUNK_MAX)
        gw_link_count(l, GW_REFUSAL_OVERSIZED, "a chunk of more than 1 MiB");
    else if (!gw_link_on_chunk(l, p, &h, chunk, now))
        gw_link_lose(l, p, "it broke the protocol of bulk payloads", now);
}

/* One message of up to three frames; what comes behind them is dropped. false: there is none. */
static bool receive(void *socket, zmq_msg_t frames[3], size_t *out_count)
{
    size_t count = 0;
    bool more = true;
    while (more) {
        zmq_msg_t m;
        zmq_msg_init(&m);
        if (zmq_msg_recv(&m, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&m);
            return false;
        }
        more = zmq_msg_more(&m);
        if (count < 3)
            zmq_msg_move(&frames[count], &m);
        zmq_msg_close(&m);
        count++;
    }
    *out_count = count;
    return true;
}

static bool read_one(struct gw_link *l, void *socket, sl_mono_ns now)
{
    zmq_msg_t frames[3];
    size_t count;
    struct gw_identity from;
    for (int i = 0; i < 3; i++)
        zmq_msg_init(&frames[i]);
    bool got = receive(socket, frames, &count);
    if (got) {
        if (!take_identity(&from, &frames[0]))
            gw_link_count(l, GW_REFUSAL_GARBLED, "without an identity");
        else if (socket == l->control_socket && count == 2)
            on_control(l, &from, &frames[1], now);
        else if (socket == l->bulk_socket && (count == 2 || count == 3))
            on_bulk(l, &from, &frames[1], &frames[2], now);
        else
            gw_link_count(l, GW_REFUSAL_GARBLED, "of a wrong number of frames");
    }
    for (int i = 0; i < 3; i++)
        zmq_msg_close(&frames[i]);
    return got;
}

bool gw_link_read(struct gw_link *l, sl_mono_ns now)
{
    int reads = 0;
    bool control = l->control_is_stirred, bulk = l->bulk_is_stirred;
    sl_patience_turn(&l->patience, now);
    if (l->zap_is_stirred)
        gw_link_zap_answer(l, now);
    while ((control || bulk) && reads < READ_MAX) {
        control = control && read_one(l, l->control_socket, now);
        bulk = bulk && read_one(l, l->bulk_socket, now);
        reads++;
    }
    l->control_is_stirred = control;
    l->bulk_is_stirred = bulk;
    return control || bulk;
}

static bool is_readable(void *socket)
{
    int events = 0;
    size_t bytes = sizeof events;
    return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &bytes) == 0 && (events & ZMQ_POLLIN) != 0;
}

bool gw_link_has_mail(struct gw_link *l)
{
    /* Asking rearms the descriptor. */
    l->control_is_stirred = l->control_is_stirred && is_readable(l->control_socket);
    l->bulk_is_stirred = l->bulk_is_stirred && is_readable(l->bulk_socket);
    l->zap_is_stirred = l->zap_is_stirred && is_readable(l->zap_socket);
    return l->control_is_stirred || l->bulk_is_stirred || l->zap_is_stirred;
}

void gw_link_stir(struct gw_link *l, size_t i)
{
    bool *const stirred[GW_LINK_FDS] = {&l->control_is_stirred, &l->bulk_is_stirred,
                                        &l->zap_is_stirred};
    *stirred[i] = true;
}

/* ---- time */

/* A node that is drained sends its last results and goes. When it goes between a turn's reading and its sending,
 * these lie here still: they are read first. */
static void on_gone(struct gw_link *l, struct gw_peer *p, sl_mono_ns now)
{
    bool control = is_readable(l->control_socket), bulk = is_readable(l->bulk_socket);
    if (p->is_gone || (!control && !bulk)) {
        gw_link_lose(l, p, "its connection is gone", now);
        return;
    }
    p->is_gone = true;
    l->control_is_stirred |= control;
    l->bulk_is_stirred |= bulk;
}

void gw_link_flush(struct gw_link *l, sl_mono_ns now)
{
    struct gw_peer *p, *next;
    HASH_ITER (hh, l->peers, p, next) {
        if (p->node == NULL)
            gw_link_forget(l, p);
        else if (p->broken != NULL)
            gw_link_lose(l, p, p->broken, now);
        else if (!gw_link_flush_peer(l, p))
            on_gone(l, p, now);
        else
            p->is_gone = false; /* it has connected again in time */
    }
}

static void beat(struct gw_link *l, struct gw_peer *p, sl_mono_ns now)
{
    p->heartbeat_at = now + l->conf.heartbeat_every_ns;
    sl_status s = p->batch.len > 0 ? SL_OK : gw_link_put_session(&p->batch, p->session);
    if (s == SL_OK)
        s = gw_link_put_heartbeat(&p->batch, ++p->heartbeats);
    (void)s; /* the next one says as much */
}

/* What of the shared memory has ended, on both sides. Without the socket it goes on with what is known. */
static bool tend_shared(struct gw_link *l, struct gw_peer *p)
{
    if (p->shared == NULL || gw_shared_tick(p->shared) != SL_EPROTO)
        return true;
    gw_link_count_bad_segment(l, "what a node shows is no memory to share");
    return false;
}

void gw_link_tick(struct gw_link *l, sl_mono_ns now)
{
    struct gw_peer *p, *next;
    HASH_ITER (hh, l->peers, p, next) {
        if (p->node == NULL)
            continue;
        if (sl_patience_is_over(&l->patience, p->heard_ns))
            gw_link_lose(l, p, "it was silent for too long", now);
        else if (now >= p->heartbeat_at && !tend_shared(l, p))
            gw_link_lose(l, p, "it broke the protocol of shared memory", now);
        else if (now >= p->heartbeat_at)
            beat(l, p, now);
    }
}

static sl_mono_ns earlier(sl_mono_ns a, sl_mono_ns b)
{
    return a < b ? a : b;
}

sl_mono_ns gw_link_next_at(const struct gw_link *l)
{
    sl_mono_ns next = SL_MONO_NEVER;
    for (const struct gw_peer *p = l->peers; p != NULL; p = p->hh.next) {
        next = earlier(next, p->heartbeat_at);
        next = earlier(next, sl_patience_next_at(&l->patience, p->heard_ns));
    }
    return next;
}
