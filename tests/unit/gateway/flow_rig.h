/* flow_rig.h - what the tests of gw_flow share: a faked world begun and ended with asserts,
 * requests that fit model "m", and calls in each state.
 *
 *   flow_begin > (change w.conf) > flow_start > fake_join, fake_call ... > flow_finish
 *
 * Asserts by cmocka.
 */
#ifndef FLOW_RIG_H
#define FLOW_RIG_H

#include "gw_fakes.h"

enum { LARGE = 100000 }; /* floats: 400 KB, so that two fit into the 1 MiB of all bodies */

/* What a request begins with. */
extern const float flow_tensor[3];
/* Whoever calls, when fake_world.who says so: user:admin, of the first tier. */
extern const struct gw_principal flow_admin;
/* The same: user:idp#7 of "Example Ltd.", by app demo. */
extern const struct gw_principal flow_member;

void flow_begin(struct fake_world *w);
void flow_start(struct fake_world *w);
/* Begun and started, and a node "n1" with one slice and model "m". */
struct gw_fleet_node *flow_begin_with_node(struct fake_world *w);
void flow_finish(struct fake_world *w);

/* A request for the model that fits; padding floats make it large. */
struct gw_body *flow_request_of(const char *model, size_t padding);
struct gw_body *flow_request(void); /* for "m", and small */

/* Begins a world, and brings a call into a state; *n is its node. */
struct fake_exchange *flow_bring_to(struct fake_world *w, enum gw_call_state s,
                                    sl_mono_ns deadline_at, struct gw_fleet_node **n);
/* A call whose headers, length and first bytes have come. */
struct fake_exchange *flow_open_large(struct fake_world *w, struct gw_body *body);
/* A call of another method, with its message. */
struct fake_exchange *flow_ask(struct fake_world *w, enum gw_method method, struct sl_span m);
uint64_t flow_in_state(struct fake_world *w, enum gw_call_state s);

/* One reply, and that; text NULL: any. */
void flow_assert_replied(const struct fake_exchange *e, enum sl_reason reason, const char *text);
/* One reply, to flow_request, as fake_result made it. */
void flow_assert_good_reply(const struct fake_exchange *e);
const char *flow_trailer(const struct fake_exchange *e, const char *name); /* NULL: none */

#endif
