/* link_rig.h - the gateway's end of the link, with a flow behind it and real ZeroMQ peers at
 * the other end. Time stands still unless a test moves it; every wait has an end and fails the
 * test when it comes.
 *
 *   rig_begin > (change r->conf) > rig_start > peer_join ... > peer_close > rig_finish
 *
 * Asserts by cmocka.
 */
#ifndef LINK_RIG_H
#define LINK_RIG_H

#include "gw_fakes.h"
#include "gw_link.h"
#include "gw_link_int.h"
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
    uint64_t journal; /* of the peers, which then speak version 2; 0: none, and version 1 */
    uint64_t record;  /* of their next result */
    char dir[64], control[128], bulk[128];
};

struct peer {
    struct rig *r;
    void *control, *bulk;
    uint64_t session, previous_session;
    uint64_t taken_bytes;
    int shared; /* its end of the socket for shared memory */
};

/* ---- the gateway */

/* A configuration that rig_start takes, and no link yet. */
void rig_begin(struct rig *r);
void rig_start(struct rig *r);

/* The link goes first, as in the server: results that visitors still read must stay valid. */
void rig_finish(struct rig *r);

/* One turn of the server's loop. */
void rig_turn(struct rig *r);
/* The gateway listens for so long, and hears what its peers have sent. */
void rig_listen_for(struct rig *r, int64_t ns);
void *rig_dial(struct rig *r, const char *endpoint, const char *name);
size_t rig_nodes(struct rig *r);
void rig_wait_for_nodes(struct rig *r, size_t count);
/* Something by the control connection lies unread, within ROUNDS_MAX ms. */
void rig_wait_for_word(struct rig *r);
/* Does the gateway's ZeroMQ have a connection to it? */
bool rig_is_connected(struct rig *r, const struct peer *p);
void rig_wait_for_reply(struct rig *r, const struct fake_exchange *e);
int64_t rig_refused(struct rig *r, enum gw_refusal kind);
int64_t rig_refused_in_all(struct rig *r);

/* One more message is refused, and for that. */
void rig_expect_refused(struct rig *r, enum gw_refusal kind, int64_t before);
uint8_t rig_byte_at(size_t i);

/* A visitor sends n bytes to model m; byte i is rig_byte_at(i). */
struct fake_exchange *rig_call(struct rig *r, size_t n);

/* The same as typed contents, which the gateway converts. */
struct fake_exchange *rig_typed_call(struct rig *r, size_t n);

/* n bytes came back, as rig_byte_at has them. */
void rig_check_reply(const struct fake_exchange *e, size_t n);

/* n of them; end them with free(). */
uint8_t *rig_bytes(size_t n);

/* A link and one node, "n1", of session 7. */
void rig_begin_with(struct rig *r, struct peer *p, uint64_t window_bytes);
void rig_finish_with(struct rig *r, struct peer *p);

/* ---- a peer */

/* Two connections, and nothing said yet. */
void peer_open(struct rig *r, struct peer *p, const char *identity, uint64_t session);
void peer_close(struct peer *p);

/* In its session, unless m has another. */
void peer_send(struct peer *p, Sluice__Node__V1__NodeBatch *m);

/* The gateway's next batch; it is the caller's. */
gateway_batch *peer_receive(struct peer *p);
void peer_say_hello(struct peer *p, const char *name, uint64_t window_bytes);

/* Binds the bulk connection to the control connection. */
void peer_introduce(struct peer *p, const void *token, size_t len);
void peer_send_chunk(struct peer *p, const struct gw_bulk_header *h, const void *bytes, size_t n);

/* Hello, welcome, and the bulk connection introduced. */
void peer_join(struct rig *r, struct peer *p, const char *name, uint64_t session,
               uint64_t window_bytes);

/* Receives batches until one has a dispatch. */
gateway_batch *peer_receive_dispatch(struct peer *p);

/* What a result says beside its payload, or where that lies. */
void peer_send_result_from(struct peer *p, uint64_t lease, size_t n, const void *payload,
                           uint64_t bulk_bytes, Sluice__Node__V1__Shared *shared);
void peer_send_result(struct peer *p, uint64_t lease, size_t n, const void *payload,
                      uint64_t bulk_bytes);

/* The first `upto` bytes of a result of n, in chunks. */
void peer_send_payload(struct peer *p, uint64_t lease, size_t n, size_t chunk, size_t upto);
void batch_drop(gateway_batch *b);

/* ---- one node with a call */

struct scene {
    struct rig r;
    struct peer p;
    struct fake_exchange *e; /* the visitor's end of the last call */
    gateway_batch *batch;    /* with its dispatch; NULL: none yet */
    uint64_t lease;          /* of the first in it */
};

/* rig_begin_with. */
void scene_begin(struct scene *s, uint64_t window_bytes);
/* A visitor sends n bytes, and the node is told. */
void scene_call(struct scene *s, size_t n);
/* What was sent, calls before this one too, has reached the node. */
void scene_receive(struct scene *s);
/* The node answers the last call with n bytes by bulk, and the visitor has its reply. */
void scene_answer(struct scene *s, size_t n);
/* Ends whatever is under way. */
void scene_finish(struct scene *s);

#endif
