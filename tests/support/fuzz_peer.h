/* fuzz_peer.h - one end of the link in a fuzzer's hand, over fake_zmq: messages of any frames, and memory of any
 * kind that is shown to the other end. What the fuzzers of a whole gateway and of a whole executor share.
 *
 * Errors   What cannot be sent is not sent; what must not happen aborts.
 */
#ifndef FUZZ_PEER_H
#define FUZZ_PEER_H

#include <zmq.h>

#include "fuzz_script.h"
#include "sl_shm_ref.h"

enum { FUZZ_CHUNK_MAX = 64 * 1024, FUZZ_FRAMES_MAX = 4 };

/* Noughts to send. */
struct sl_span fuzz_filler(uint64_t bytes);
/* Nothing is logged from here on. */
void fuzz_be_silent(void);

/* ---- messages */

/* A socket of that type, which binds the endpoint (ROUTER) or connects to it under that name (DEALER). */
void *fuzz_socket(void *context, int type, const char *endpoint, const char *name);
/* One message; nothing when its first frame is not taken. */
void fuzz_send(void *socket, const struct sl_span frames[], size_t count);
/* One to four frames as the script says them, behind `to` when that is not empty. */
void fuzz_send_frames(struct fuzz_script *s, void *socket, struct sl_span to);
/* false: there is none. Else its first frame and its last, which may be the same. */
bool fuzz_receive(void *socket, zmq_msg_t *first, zmq_msg_t *last);
void fuzz_drop_all(void *socket);

/* ---- shared memory */

/* The socket beside whole_control(). */
const char *fuzz_door_path(void);
/* Connects to the gateway's and says how as the script says; -1: it did not come to that. */
int fuzz_door_open(struct fuzz_script *s, uint64_t session);
/* Shows or ends a segment as the script says: memory that keeps the rules, and other things. */
void fuzz_door_show(struct fuzz_script *s, int door);
/* Takes what the other end shows and lets go of it. */
void fuzz_door_drop_all(int door);
/* A part of some memory. */
struct sl_shm_ref fuzz_ref(struct fuzz_script *s);

#endif
