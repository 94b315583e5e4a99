/* ex_worker_serve.h - a worker's life after LOADED: takes jobs from the ring, runs them in order,
 * answers each.
 *
 * Threads  One.
 * Cost     A job that fits the rings costs no system call, no allocation and no copy of its inputs
 *          as long as neither side sleeps.
 */
#ifndef EX_WORKER_SERVE_H
#define EX_WORKER_SERVE_H

#include "ex_engine.h"
#include "ex_model.h"
#include "ex_record.h"
#include "ex_ring.h"
#include "ex_worker_sink.h"
#include "sl_shm_peer.h"

struct ex_worker {
    const struct ex_engine *engine;
    const struct ex_model_spec *spec;
    void *model;
    struct ex_ring ring;         /* out: up; in: down */
    struct sl_shm_peer segments; /* inputs that the supervisor has shown */
    struct ex_worker_sink sink;
    uint64_t last_seq;
    _Atomic uint64_t running_seq; /* of the run under way; 0: none */
    struct ex_record_scratch scratch;
    /* Of the job under way: */
    struct ex_tensor inputs[EX_TENSORS_MAX];
    bool wanted[EX_TENSORS_MAX];
};

/* Something was cancelled: if it is what runs, its engine is told. In a signal's handler, or on any thread. */
void ex_worker_interrupt(struct ex_worker *w);

/* Serves until STOP or until the supervisor is gone (true), or until something is broken (false;
 * *err says what). */
bool ex_worker_serve(struct ex_worker *w, struct sl_error *err);

#endif
