/* ex_ring.h - a pair of byte rings in shared memory: jobs down to a worker, results up from it.
 * Pure: works on memory it is given, knows no file, clock or system call.
 *
 * Supervisor and worker each write one ring and read the other. A side maps its own ring read-write
 * and the other's read-only, so nobody can change what somebody else says. All numbers are
 * little-endian. One ring is a header page and a data area:
 *
 *   offset  type       written by the ring's writer
 *   0       u32        magic 0x31524c53 ("SLR1")
 *   4       u32        version, 1
 *   8       u64        data_bytes: a power of two, EX_RING_DATA_MIN to EX_RING_DATA_MAX
 *   64      u64 *      head: bytes ever published in this ring; a multiple of 64
 *   128     u64 *      consumed: bytes of the OTHER ring that this side needs no more; likewise
 *   192     u64 *      sleeping: 0 = awake; else
 *                        bit 0      ring my doorbell when you publish a record
 *                        bit 1      ring my doorbell when you consume
 *                        bits 2-63  a number that differs from sleep to sleep, so that a doorbell
 *                                   is rung once per sleep
 *   256     u64 *      started_ns: CLOCK_MONOTONIC when job started_seq began (up ring only)
 *   264     u64 *      started_seq: the last job that began, 0 = none         (up ring only)
 *   512     u64[64] *  cancelled: slot seq % 64 holds the sequence of a job that need not be
 *                      begun any more                                         (down ring only)
 *   4096    the data area: data_bytes of records
 *
 * Fields with * are atomic; what is not named is zero. head, consumed and sleeping are stored and
 * loaded sequentially consistent: "publish, then look whether the peer sleeps" on one side and "say
 * I sleep, then look for news" on the other cannot both miss.
 *
 * Records begin at multiples of 64 and never cross the end of the data area. A record is
 *
 *   0  u32  bytes: the whole record with this frame, 8 to data_bytes / 4; the next record begins
 *           at the next multiple of 64
 *   4  u32  kind: as in ex_record.h; 0 = nothing is here, go on at the start of the data area
 *           (bytes is then what is left to its end)
 *
 * Errors   What the peer says is read once, into a private copy, and checked; SL_EPROTO means that
 *          it broke these rules, the rings are unusable, and the worker should be killed. The bytes
 *          of a record may change while they are read when the peer is hostile: copy, then check.
 * Threads  One thread on each side.
 * Memory   Borrowed; outlives the ring.
 * Cost     No copy, no allocation, no system call. publish is two exchanges and a load.
 */
#ifndef EX_RING_H
#define EX_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sl_span.h"
#include "sl_status.h"

enum {
    EX_RING_MAGIC = 0x31524c53,
    EX_RING_VERSION = 1,
    EX_RING_HEADER_BYTES = 4096,
    EX_RING_ALIGN = 64,
    EX_RING_FRAME_BYTES = 8,
    EX_RING_RECORD_SHARE = 4, /* a record is at most the data area divided by this */
    EX_RING_DATA_MIN = 256 << 10,
    EX_RING_DATA_MAX = 1 << 30,
    EX_RING_CANCEL_SLOTS = 64
};

/* One side's view of both rings. Fields are private to ex_ring.c. */
struct ex_ring {
    uint8_t *out; /* the ring this side writes, from its header */
    const uint8_t *in;
    uint64_t out_bytes; /* of the data areas */
    uint64_t in_bytes;
    uint64_t out_committed; /* written, perhaps not yet published */
    uint64_t out_published;
    uint64_t out_reserved; /* bytes of the open reservation */
    uint64_t out_consumed; /* by the peer, last seen */
    uint64_t in_head;      /* of the peer, last seen */
    uint64_t in_next;      /* where the next record begins */
    uint64_t in_released;  /* what this side needs no more */
    uint64_t in_published; /* the same as the peer was told */
    uint64_t sleep_count;
    uint64_t rung; /* the peer's sleep that a doorbell was asked for */
};

/* Is n a legal size of a data area? */
bool ex_ring_is_data_bytes(uint64_t n);

/* Fills the header page of a fresh ring. The supervisor does this for both rings before the worker
 * starts. */
void ex_ring_format(uint8_t header[EX_RING_HEADER_BYTES], uint64_t data_bytes);

/* Ties one side to its rings. out and in point to header pages and are out_bytes and in_bytes long
 * in all (header and data). Errors: SL_EINVAL (a size is wrong), SL_EPROTO (a header is wrong). */
SL_MUST_CHECK sl_status ex_ring_attach(struct ex_ring *r, void *out, size_t out_bytes,
                                       const void *in, size_t in_bytes);

/* ---- writing */

/* The largest record: a quarter of the data area. What is larger goes to a segment
 * (ex_worker_proto.h). */
uint64_t ex_ring_record_max(const struct ex_ring *r);

/* bytes of contiguous room, starting at a multiple of 64, for a record of at most that size; not
 * zeroed. A second reservation before commit replaces the first. Errors: SL_EAGAIN (no room now:
 * sleep with EX_RING_WAKE_SPACE), SL_ETOOBIG (over ex_ring_record_max), SL_EPROTO. */
SL_MUST_CHECK sl_status ex_ring_reserve(struct ex_ring *r, size_t bytes, uint8_t **out);

/* Ends the reservation with a record of `bytes` (>= 8, <= what was reserved) and this kind (not 0):
 * writes its frame. The record is not visible before publish, so that many go with one doorbell. */
void ex_ring_commit(struct ex_ring *r, size_t bytes, uint32_t kind);

/* Makes committed records visible and tells the peer what was released. True: the peer sleeps and
 * waits for this; ring its doorbell, once. */
SL_MUST_CHECK bool ex_ring_publish(struct ex_ring *r);

/* Where the last committed record ends; and has the peer released everything up to there? Errors:
 * SL_EAGAIN (no), SL_EPROTO. */
uint64_t ex_ring_written(const struct ex_ring *r);
SL_MUST_CHECK sl_status ex_ring_see_released(struct ex_ring *r, uint64_t end);

/* ---- reading */

/* A record, in the ring: usable until it is released. */
struct ex_ring_record {
    struct sl_span bytes; /* with its frame, which is already checked: do not read it again */
    uint32_t kind;        /* never 0 */
    uint64_t end;         /* for ex_ring_release */
};

/* The next record. Errors: SL_EAGAIN (none now), SL_EPROTO. */
SL_MUST_CHECK sl_status ex_ring_next(struct ex_ring *r, struct ex_ring_record *out);

/* Has the peer published more than was read? A look, nothing is checked. */
bool ex_ring_has_record(const struct ex_ring *r);

/* Everything up to `end` (of a record that was read) is needed no more; the peer learns it with the
 * next publish. Going backwards is ignored. */
void ex_ring_release(struct ex_ring *r, uint64_t end);

/* ---- sleeping */

enum { EX_RING_WAKE_RECORD = 1, EX_RING_WAKE_SPACE = 2 };

/* Before waiting for the doorbell: says what this side waits for. False: it is there already; do
 * not wait (this side counts as awake again). Ends with ex_ring_wake; clear the doorbell before
 * that. */
SL_MUST_CHECK bool ex_ring_sleep(struct ex_ring *r, unsigned wake_on);
void ex_ring_wake(struct ex_ring *r);

/* ---- what began, and what need not begin */

/* Worker: before job seq begins. Supervisor: what the worker last said (unchecked: compare it with
 * what was sent). A job whose seq is above started_seq has certainly not begun once the worker is
 * dead. */
void ex_ring_set_started(struct ex_ring *r, uint64_t seq, uint64_t now_ns);
uint64_t ex_ring_started(const struct ex_ring *r, uint64_t *out_ns);

/* Supervisor: job seq need not begin. Worker: asks before it begins one; such a job gets a result
 * with reason CANCELLED. The jobs in the ring at one time are at most EX_RING_CANCEL_SLOTS when
 * this is to be used for all of them. */
void ex_ring_cancel(struct ex_ring *r, uint64_t seq);
bool ex_ring_is_cancelled(const struct ex_ring *r, uint64_t seq);

#endif
