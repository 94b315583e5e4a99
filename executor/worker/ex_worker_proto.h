/* ex_worker_proto.h - the contract between the supervisor and a worker process, in any language.
 *
 * A worker serves one model on one slice. The supervisor makes, before fork and exec
 * (ex_channel_open):
 *
 *   fd 3  control    one end of a SOCK_SEQPACKET socket pair, blocking
 *   fd 4  down       memfd ring of jobs (ex_ring.h), sealed SHRINK|GROW|FUTURE_WRITE|SEAL after the
 *                    supervisor mapped it read-write, so nobody else can ever write it; the worker
 *                    maps it read-only
 *   fd 5  up         memfd ring of results, sealed SHRINK|GROW|SEAL; the worker maps it read-write,
 *                    the supervisor read-only
 *   fd 6  down bell  eventfd, nonblocking: rung by the supervisor, waited for by the worker
 *   fd 7  up bell    eventfd, nonblocking: rung by the worker, waited for by the supervisor
 *
 *   sluice-worker --model-dir DIR --slice-id N --device NAME --kind cpu|whole|mig|mps|shared
 *                 --threads N --memory BYTES --share THOUSANDTHS
 *                 [--log-level debug|info|warn|error] [--log-format text|json]
 *
 * Every other descriptor is closed; standard output and error stay the supervisor's. memory 0 = no
 * limit. The worker asks to be killed when the supervisor dies, loads its model, warms it, says
 * LOADED or FAILED, and serves:
 *
 *   loop  take the next job record; if it is cancelled (ex_ring.h): result CANCELLED. Else set
 *         started_seq, run, publish the result. Jobs run one at a time, in order; results leave in
 *         the same order, one per job, each published when its job is done.
 *   end   the control socket closes, or STOP: exit with 0. Jobs still in the ring are not begun.
 *
 * A job that is cancelled while it runs is marked in the ring, too, and the process gets SIGURG, which does
 * nothing where nobody handles it. A worker that can stop the run answers it with result CANCELLED and goes on with
 * the next job; one that has not after a while is killed.
 *
 * A job's ring bytes are consumed with its result. When the worker dies, results already published
 * count; the job with seq == started_seq and no result died with it; jobs above started_seq did not
 * begin. Killing (SIGKILL) is the supervisor's only, and always working, way to end a running job.
 *
 * Records are at most a quarter of their ring's data area; tensors for which there is no room
 * travel in segments, memfds that are passed by SEGMENT before the record that names them:
 *
 *   down  made by the supervisor, sealed SHRINK|GROW|SEAL and WRITE (or FUTURE_WRITE after it
 *         mapped it), passed read-only. Known to the worker until FORGET, so it may carry several
 *         jobs; at most EX_SEGMENTS_MAX at once. Numbers from 1, not reused.
 *   up    made by the worker, sealed SHRINK|GROW, numbers from 1, not reused. Known to the
 *         supervisor until FORGET, at most EX_SEGMENTS_MAX at once. It checks seals and size
 *         (sl_shm_peer_add), maps it read-only, and copies an output out of it before it releases
 *         the record that names it; from then on the worker may use the segment again.
 *
 * Control messages are one packet each: a head of 24 bytes, then text; little-endian:
 *
 *   0   u32  kind
 *   4   u32  text_bytes, <= EX_WORKER_TEXT_MAX; the text is UTF-8 without NUL
 *   8   u32  segment
 *   12  u32  0
 *   16  u64  bytes
 *
 *   LOADED   1  up    ready to serve; bytes: ex_model_fingerprint of the model.yaml that it read,
 *                     which differs from the supervisor's when the file has changed in between
 *   FAILED   2  up    the model cannot be loaded; text says why; the worker exits with 1
 *   FATAL    3  up    the worker cannot go on; text says why; it exits with 2
 *   SEGMENT  4  both  segment, bytes, and its descriptor by SCM_RIGHTS
 *   FORGET   5  both  segment: unmap it; sent when no job, or result, names it any more
 *   STOP     6  down  exit after the running job
 *
 * The worker reads control messages when it sleeps, and when a record names a segment that it does
 * not know. It sends blocking, so the supervisor reads its end whenever there is something.
 */
#ifndef EX_WORKER_PROTO_H
#define EX_WORKER_PROTO_H

#include <stddef.h>
#include <stdint.h>

#include "sl_status.h"

enum {
    EX_WORKER_FD_CONTROL = 3,
    EX_WORKER_FD_DOWN = 4,
    EX_WORKER_FD_UP = 5,
    EX_WORKER_FD_DOWN_BELL = 6,
    EX_WORKER_FD_UP_BELL = 7,
    EX_WORKER_FD_COUNT = 5
};

enum { EX_WORKER_EXIT_OK = 0, EX_WORKER_EXIT_FAILED = 1, EX_WORKER_EXIT_FATAL = 2 };

enum ex_worker_kind {
    EX_WORKER_LOADED = 1,
    EX_WORKER_FAILED = 2,
    EX_WORKER_FATAL = 3,
    EX_WORKER_SEGMENT = 4,
    EX_WORKER_FORGET = 5,
    EX_WORKER_STOP = 6
};

enum { EX_WORKER_MESSAGE_HEAD_BYTES = 24, EX_WORKER_TEXT_MAX = 2000, EX_SEGMENTS_MAX = 64 };

struct ex_worker_message {
    enum ex_worker_kind kind;
    uint32_t segment;
    uint64_t bytes;
    int fd; /* SEGMENT: send borrows it, receive gives it to the caller. Else -1 */
    char text[EX_WORKER_TEXT_MAX + 1];
};

/* One packet on the control socket. Errors: SL_EAGAIN (nonblocking socket, no room now), SL_EIO
 * (the peer is gone). Text beyond the maximum is cut. */
SL_MUST_CHECK sl_status ex_worker_send(int control, const struct ex_worker_message *m);
/* Short forms. */
SL_MUST_CHECK sl_status ex_worker_send_text(int control, enum ex_worker_kind kind,
                                            const char *text);
SL_MUST_CHECK sl_status ex_worker_send_segment(int control, uint32_t segment, int fd,
                                               uint64_t bytes);

/* The next packet, without waiting. Descriptors that do not belong are closed. Errors: SL_EAGAIN
 * (none now), SL_ENOENT (the peer closed its end), SL_EPROTO (not a message), SL_EIO. */
SL_MUST_CHECK sl_status ex_worker_receive(int control, struct ex_worker_message *out);

/* Doorbells: eventfds. Ringing never blocks; clearing forgets all rings so far. */
void ex_worker_ring_bell(int bell);
void ex_worker_clear_bell(int bell);

#endif
