/* gw_link_zap.c - who may connect: answers ZeroMQ's questions about CURVE handshakes (ZAP, ZeroMQ
 * RFC 27) out of the list of allowed keys.
 *
 * A key that is let in becomes the "User-Id" of everything that comes over its connection.
 */
#include "gw_link_int.h"
#include "sl_log.h"

/* The frames of a request, in their order. */
enum { VERSION, REQUEST_ID, DOMAIN, ADDRESS, ROUTING_ID, MECHANISM, CREDENTIALS, FRAMES };
enum { FRAME_MAX = 256, KEY_BYTES = 32 };

struct question {
    struct {
        uint8_t bytes[FRAME_MAX + 1]; /* NUL-terminated, for the log */
        size_t len;
    } frames[FRAMES];
    size_t count; /* of all frames, those that are not kept too */
};

void *gw_link_zap_open(void *zmq)
{
    int zero = 0;
    void *socket = zmq_socket(zmq, ZMQ_REP);
    if (socket != NULL && zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero) == 0 &&
        zmq_bind(socket, "inproc://zeromq.zap.01") == 0)
        return socket;
    if (socket != NULL)
        zmq_close(socket);
    return NULL;
}

/* false: nobody asks. */
static bool receive(void *socket, struct question *q)
{
    int more = 1;
    size_t more_bytes = sizeof more;
    uint8_t dropped[FRAME_MAX];
    for (q->count = 0; more; q->count++) {
        bool is_kept = q->count < FRAMES;
        uint8_t *to = is_kept ? q->frames[q->count].bytes : dropped;
        int n = zmq_recv(socket, to, FRAME_MAX, ZMQ_DONTWAIT);
        if (n < 0)
            return false;
        if (is_kept) {
            q->frames[q->count].len = (size_t)n;
            to[n < FRAME_MAX ? n : FRAME_MAX] = '\0';
        }
        if (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &more_bytes) != 0)
            return false;
    }
    return true;
}

static bool is_text(const struct question *q, size_t frame, const char *text)
{
    return strcmp((const char *)q->frames[frame].bytes, text) == 0;
}

const struct gw_link_allowed *gw_link_find_allowed(const struct gw_link *l,
                                                   const struct sl_key *key)
{
    for (size_t i = 0; i < l->allowed_count; i++)
        if (sl_key_is_same(&l->allowed[i].key, key))
            return &l->allowed[i];
    return NULL;
}

static const struct gw_link_allowed *judge(const struct gw_link *l, const struct question *q)
{
    struct sl_key key;
    if (q->count != FRAMES || !is_text(q, VERSION, "1.0") || !is_text(q, MECHANISM, "CURVE") ||
        q->frames[CREDENTIALS].len != KEY_BYTES ||
        zmq_z85_encode(key.text, q->frames[CREDENTIALS].bytes, KEY_BYTES) == NULL)
        return NULL;
    return gw_link_find_allowed(l, &key);
}

static void say(void *socket, const struct question *q, const struct gw_link_allowed *allowed)
{
    const struct {
        const void *data;
        size_t len;
    } frames[] = {{"1.0", 3},
                  {q->frames[REQUEST_ID].bytes, q->frames[REQUEST_ID].len},
                  {allowed != NULL ? "200" : "400", 3},
                  {allowed != NULL ? "" : "not allowed", allowed != NULL ? 0 : 11},
                  {allowed != NULL ? allowed->key.text : "", allowed != NULL ? SL_KEY_TEXT_LEN : 0},
                  {"", 0}};
    const size_t count = SL_ARRAY_LEN(frames);
    for (size_t i = 0; i < count; i++)
        if (zmq_send(socket, frames[i].data, frames[i].len, i + 1 < count ? ZMQ_SNDMORE : 0) < 0)
            return; /* who asked is gone */
}

/* At most one line a second: whoever reaches the port can be refused as often as he likes. */
static void tell(struct gw_link *l, const struct question *q, sl_mono_ns now)
{
    sl_metric_add(l->metrics.refused_nodes[GW_NODE_REFUSAL_KEY], 1);
    l->refusals.unsaid++;
    if (now < l->refusals.next_at)
        return;
    l->refusals.next_at = sl_sat_add(now, SL_NS_PER_S);
    sl_log(SL_LOG_WARN, "connection to the link refused",
           SL_S("address", (const char *)q->frames[ADDRESS].bytes),
           SL_S("why", "its key is not in link.allow"), SL_U("times", l->refusals.unsaid));
    l->refusals.unsaid = 0;
}

void gw_link_zap_answer(struct gw_link *l, sl_mono_ns now)
{
    struct question q = {0};
    while (receive(l->zap_socket, &q)) {
        const struct gw_link_allowed *allowed = judge(l, &q);
        say(l->zap_socket, &q, allowed);
        if (allowed == NULL)
            tell(l, &q, now);
        q = (struct question){0};
    }
}

bool gw_link_key_of(zmq_msg_t *m, struct sl_key *out)
{
    const char *id = zmq_msg_gets(m, "User-Id");
    if (id == NULL || strlen(id) != SL_KEY_TEXT_LEN)
        return false;
    memcpy(out->text, id, sizeof out->text);
    return true;
}

sl_status gw_link_set_allowed(struct gw_link *l, const struct gw_link_allowed *nodes, size_t count,
                              sl_mono_ns now)
{
    struct gw_link_allowed *copy = sl_alloc_zero(l->alloc, count + 1, sizeof *copy);
    if (copy == NULL)
        return SL_ENOMEM;
    if (count > 0)
        memcpy(copy, nodes, count * sizeof *copy);
    sl_alloc_free(l->alloc, l->allowed);
    l->allowed = copy;
    l->allowed_count = count;
    struct gw_peer *p, *next;
    HASH_ITER (hh, l->peers, p, next) {
        const struct gw_link_allowed *a = gw_link_find_allowed(l, &p->key);
        if (!l->has_curve || p->node == NULL || (a != NULL && strcmp(a->node, p->node->name) == 0))
            continue;
        gw_link_send_refuse(l, &p->control, p->session, "its key is no longer in link.allow");
        gw_link_lose(l, p, "its key is no longer in link.allow", now);
    }
    return SL_OK;
}
