/* whole_stage.h - a visitor, a gateway and an executor in one thread of memory, for scenes that are played again
 * and again while one allocation after the other fails.
 *
 *   stage_open > stage_call ... stage_run > stage_expect > stage_close
 *
 * What a scene may expect while memory fails: the answer, or UNAVAILABLE or RESOURCE_EXHAUSTED, or that the
 * connection ends. Asserts by cmocka.
 */
#ifndef WHOLE_STAGE_H
#define WHOLE_STAGE_H

#include "fail_alloc.h"
#include "h2_peer.h"
#include "infer_builder.h"
#include "tls_peer.h"
#include "whole_gateway.h"
#include "whole_node.h"

enum stage_side { STAGE_GATEWAY, STAGE_NODE, STAGE_SIDES };

struct stage {
    struct fail_alloc memory[STAGE_SIDES];
    size_t failed_at[STAGE_SIDES]; /* as stage_arm said; for messages */
    struct whole_gateway gateway;
    struct whole_node node;
    bool has_node;
    struct h2_pair visitor;
    bool has_tls, shares_memory;
    long maps, descriptors; /* before it opened */
    struct tls_pair tls;    /* between the two */
    int other_status;       /* also right for a scene's calls when memory fails; 0: none */
    bool is_connected;      /* the gateway's end is there */
    bool was_cut;           /* it ended the connection */
};

/* STAGE_TLS: the visitor comes by TLS (tls_files_make was called). STAGE_SHARED: gateway and executor share memory. */
enum { STAGE_TLS = 1, STAGE_SHARED = 2 };

/* Gateway, node and connection are ready. */
void stage_open(struct stage *s, unsigned options);
/* Fails unless nothing is left over, on either side. */
void stage_close(struct stage *s);

/* From here on allocation i (from 1) of that side fails, and with keeps_failing all after it. System calls of
 * shared memory count as allocations of either side. */
void stage_arm(struct stage *s, enum stage_side side, size_t i, bool keeps_failing);
/* Memory is there again. true: some was refused. */
bool stage_disarm(struct stage *s);

struct h2_call *stage_call(struct stage *s, enum gw_method method, struct sl_span message);
struct h2_call *stage_call_by_key(struct stage *s, const char *key, struct sl_span message);
struct h2_call *stage_call_named(struct stage *s, const char *call_id, struct sl_span message);
struct h2_call *stage_call_zipped(struct stage *s, struct sl_span message);
/* What can happen at once, happens: one turn of each. */
void stage_turn(struct stage *s);
/* All that can happen without more than a few milliseconds, happens. */
void stage_run(struct stage *s);
void stage_wait(struct stage *s, int64_t ns);

/* The gateway ends, and the visitor's connection with it; the next one is there at once, without TLS. */
void stage_restart_gateway(struct stage *s);
/* The executor is gone without a word; another of that name comes, with its journal. */
void stage_lose_node(struct stage *s);
void stage_start_node(struct stage *s);

/* The call ended with this status, or as it may when memory failed. true: with this status. */
bool stage_expect(struct stage *s, const struct h2_call *c, int grpc_status);
/* Whatever happened: a visitor who comes now is served. */
void stage_expect_service(struct stage *s);

#endif
