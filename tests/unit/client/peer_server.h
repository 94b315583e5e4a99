/* peer_server.h - h2_peer behind a real socket, in a thread of its own: one connection at a time.
 *
 * The first segment of the path's last part says what happens to a request; see peer_server.c.
 */
#ifndef PEER_SERVER_H
#define PEER_SERVER_H

#include <stddef.h>
#include <stdint.h>

struct peer_server;

struct peer_server *peer_server_start(void);
void peer_server_stop(struct peer_server *s);

const char *peer_server_address(const struct peer_server *s); /* "127.0.0.1:PORT" */
/* Counters that the thread keeps. */
size_t peer_server_connections(struct peer_server *s);
size_t peer_server_requests(struct peer_server *s);
size_t peer_server_resets(struct peer_server *s);
/* Waits up to 5 s until that many RST_STREAM or lost connections with an open request were seen. */
int peer_server_wait_gone(struct peer_server *s, size_t count);

#endif
