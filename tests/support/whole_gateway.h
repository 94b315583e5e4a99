/* whole_gateway.h - a gateway in memory: the real HTTP/2, mail, flow, wire and link over fake_zmq, put together
 * as gw_front and gw_server do it, without a loop, a thread, a socket or a clock.
 *
 *   whole_gateway_start > whole_gateway_connect > gw_h2_input > whole_gateway_turn > gw_h2_output ... > _finish
 *
 * Memory   All of it from the allocator given. A start without memory leaves nothing.
 * Threads  One.
 */
#ifndef WHOLE_GATEWAY_H
#define WHOLE_GATEWAY_H

#include "gw_flow.h"
#include "gw_h2.h"
#include "gw_link.h"
#include "gw_mail.h"
#include "open_door.h"

enum { WHOLE_CONNS = 4 };

enum { WHOLE_RECEIPTS_MAX = 8, WHOLE_QUESTIONS_MAX = 8 };

struct whole_gateway {
    /* May be changed between init and start. */
    struct gw_h2_conf h2_conf;
    struct gw_flow_conf flow_conf;
    struct gw_link_conf link_conf;
    bool shares_memory; /* large requests lie where executors of this process may read them */

    const struct sl_alloc *alloc;
    struct sl_shm_pool *bodies; /* NULL: on the heap */
    struct gw_stream_pool pool;
    struct gw_mail to_flow, to_net;
    struct gw_net_counts counts;
    struct gw_h2_port port;
    struct gw_h2 *conns[WHOLE_CONNS]; /* NULL: none */
    struct gw_link *link;
    struct gw_flow *flow;
    struct open_door door;
    /* A store without a file: it answers in the next turn, and has little room. */
    uint64_t tickets[WHOLE_RECEIPTS_MAX];
    size_t ticket_count;
    uint64_t questions[WHOLE_QUESTIONS_MAX]; /* tickets; it knows nothing */
    size_t question_count;
    sl_mono_ns now;
    size_t opened_count, sent_count; /* exchanges: first and last words */
};

void whole_gateway_init(struct whole_gateway *w, const struct sl_alloc *alloc, sl_mono_ns now);
/* Errors: SL_ENOMEM. */
SL_MUST_CHECK sl_status whole_gateway_start(struct whole_gateway *w);
/* NULL: no memory, or WHOLE_CONNS are open. */
struct gw_h2 *whole_gateway_connect(struct whole_gateway *w);
void whole_gateway_disconnect(struct whole_gateway *w, struct gw_h2 *conn);

/* What was put into connections and link becomes what may be taken out of them; returns how many mails went to
 * and fro, 0: nothing moved but time. */
size_t whole_gateway_turn(struct whole_gateway *w);
/* So much later: timers of connections, link and flow. */
void whole_gateway_advance(struct whole_gateway *w, int64_t ns);

/* Closes what is open. NULL, or (static) what was left over or wrong. */
const char *whole_gateway_finish(struct whole_gateway *w);

#endif
