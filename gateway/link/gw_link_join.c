/* gw_link_join.c - who becomes a node: the version of the protocol, the name that goes with the key,
 * one node for each name, and room. */
#include <sys/random.h>

#include "gw_link_int.h"
#include "sl_log.h"

/* What is known of a hello while it is judged. */
struct joining {
    const struct gw_identity *from;
    const struct sl_key *key; /* with CURVE */
    const struct gw_node_batch *batch;
    uint32_t protocol;
};

static bool no(struct gw_link *l, enum gw_node_refusal why)
{
    sl_metric_add(l->metrics.refused_nodes[why], 1);
    return false;
}

static bool agree(struct gw_link *l, struct joining *j, struct sl_error *err)
{
    const struct gw_node_batch *b = j->batch;
    j->protocol = gw_link_negotiate(b->protocol_min, b->protocol_max);
    if (j->protocol != 0)
        return true;
    sl_error_set(err, SL_REASON_BAD_INPUT,
                 "this gateway speaks node protocol %d to %d, the executor %u to %u: install "
                 "versions of both that have one in common",
                 GW_LINK_PROTOCOL_MIN, GW_LINK_PROTOCOL_MAX, b->protocol_min, b->protocol_max);
    return no(l, GW_NODE_REFUSAL_PROTOCOL);
}

static bool owns_name(struct gw_link *l, const struct joining *j, struct sl_error *err)
{
    if (!l->has_curve)
        return true;
    const struct gw_link_allowed *a = gw_link_find_allowed(l, j->key);
    if (a == NULL) {
        sl_error_set(err, SL_REASON_NOT_TRUSTED, "its key is no longer in link.allow");
        return no(l, GW_NODE_REFUSAL_KEY);
    }
    if (strcmp(a->node, j->batch->hello.name) == 0)
        return true;
    sl_error_set(err, SL_REASON_NOT_TRUSTED,
                 "the executor calls itself '%.64s', but its key is that of '%s' in link.allow",
                 j->batch->hello.name, a->node);
    return no(l, GW_NODE_REFUSAL_NAME);
}

/* The node that has the name gives it up when it is an earlier session of the same run, when it has
 * been silent for half of what would lose it, or when its connection is gone. */
static bool gives_way(struct gw_link *l, struct gw_peer *old, const struct gw_node_batch *b)
{
    return b->previous_session == old->session ||
           sl_patience_silence_ns(&l->patience, old->heard_ns) > l->conf.lost_after_ns / 2 ||
           !gw_link_is_connected(l, old);
}

static bool take_name(struct gw_link *l, const struct joining *j, sl_mono_ns now,
                      struct sl_error *err)
{
    struct gw_peer *p, *next;
    HASH_ITER (hh, l->peers, p, next) {
        if (p->node == NULL || strcmp(p->node->name, j->batch->hello.name) != 0)
            continue;
        if (!gives_way(l, p, j->batch)) {
            sl_error_set(err, SL_REASON_BAD_INPUT,
                         "a node named '%s' is connected already, and it answers: give one of the "
                         "two another name (node: in its configuration), or stop one",
                         p->node->name);
            return no(l, GW_NODE_REFUSAL_NAME);
        }
        gw_link_lose(l, p, "it was started again", now);
    }
    return true;
}

static bool make_token(struct gw_peer *p)
{
    return getrandom(p->token, sizeof p->token, 0) == (ssize_t)sizeof p->token;
}

static void discard(struct gw_peer *p)
{
    sl_buf_finish(&p->batch);
    sl_alloc_free(p->alloc, p);
}

/* NULL with a sentence when there is no place for one more. */
static struct gw_peer *make_peer(struct gw_link *l, const struct joining *j, struct sl_error *err)
{
    struct gw_peer *p = NULL;
    sl_error_set(err, SL_REASON_NO_CAPACITY, "the gateway has %zu nodes, which is its limit",
                 l->conf.max_nodes);
    if (HASH_COUNT(l->peers) >= l->conf.max_nodes)
        return NULL;
    sl_error_set(err, SL_REASON_NO_CAPACITY, "the gateway has no memory for a node");
    p = sl_alloc_zero(l->alloc, 1, sizeof *p);
    if (p == NULL)
        return NULL;
    *p = (struct gw_peer){.alloc = l->alloc,
                          .session = j->batch->session,
                          .control = *j->from,
                          .key = *j->key,
                          .protocol = j->protocol,
                          .window_bytes = j->batch->bulk_window_bytes,
                          .inline_max_bytes = j->batch->inline_max_bytes,
                          .wants_shared = j->batch->wants_shared && l->gate.listener >= 0};
    sl_buf_init(&p->batch, l->alloc, GW_LINK_BATCH_MAX);
    p->is_listed = make_token(p); /* until the table says no */
    if (p->is_listed)
        HASH_ADD(hh, l->peers, session, sizeof p->session, p);
    if (p->is_listed)
        return p;
    discard(p);
    return NULL;
}

static struct gw_peer *join(struct gw_link *l, struct joining *j, sl_mono_ns now,
                            struct sl_error *err)
{
    if (!agree(l, j, err) || !owns_name(l, j, err) || !take_name(l, j, now, err))
        return NULL;
    struct gw_peer *p = make_peer(l, j, err);
    if (p != NULL && gw_flow_on_hello(l->flow, &j->batch->hello, now, &p->node, err))
        return p;
    if (p != NULL)
        gw_link_forget(l, p);
    (void)no(l, GW_NODE_REFUSAL_HELLO);
    return NULL;
}

struct gw_peer *gw_link_on_hello(struct gw_link *l, const struct gw_identity *from,
                                 const struct sl_key *key, const struct gw_node_batch *b,
                                 sl_mono_ns now)
{
    struct joining j = {.from = from, .key = key, .batch = b};
    struct sl_error err;
    struct gw_peer *p = join(l, &j, now, &err);
    if (p == NULL) {
        sl_log(SL_LOG_WARN, "node refused", SL_S("node", b->hello.name), SL_S("why", err.text));
        gw_link_send_refuse(l, from, b->session, err.text);
        return NULL;
    }
    p->heartbeat_at = now;
    p->heard_ns = l->patience.waited_ns;
    gw_link_send_welcome(l, p);
    return p;
}
