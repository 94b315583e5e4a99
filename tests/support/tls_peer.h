/* tls_peer.h - a TLS client in memory (OpenSSL), joined to a gw_tls without a socket: what its tests are made of.
 *
 *   tls_files_make (once) > tls_pair_open > tls_pair_run ... > tls_pair_close > tls_files_remove
 *
 * Asserts by cmocka.
 */
#ifndef TLS_PEER_H
#define TLS_PEER_H

#include <openssl/ssl.h>

#include "gw_tls.h"
#include "sl_buf.h"

/* A folder with what scripts/gen_certs.sh makes. */
void tls_files_make(void);
void tls_files_remove(void);
/* The same as what cmocka calls before and after a group. */
int tls_files_set_up(void **state);
int tls_files_tear_down(void **state);
/* "FOLDER/name"; static. */
const char *tls_file(const char *name);

struct tls_pair {
    struct gw_tls_conf conf; /* of the server */
    const struct sl_alloc *alloc;
    /* of the client; before tls_pair_open */
    int version;             /* TLS1_2_VERSION or TLS1_3_VERSION, no other; 0: any */
    const char *alpn;        /* as on the wire: "\x02h2"; NULL: does not speak of it */
    const char *certificate; /* "client" for client.pem and client.key; NULL: none */
    SSL_SESSION *session;    /* to resume; NULL: none */
    size_t chunk_bytes;      /* how bytes are cut both ways; 0: not */

    void (*on_server)(bool begins); /* around calls of gw_tls; NULL: nobody wants to know */

    struct gw_tls_server *server;
    struct gw_tls *tls;
    struct gw_net_counts counts;
    sl_status input_status;
    struct sl_buf server_took; /* plain bytes */

    SSL_CTX *context;
    SSL *client;
    int client_error;  /* SSL_get_error of the last that went wrong; 0: nothing */
    int client_reason; /* and OpenSSL's reason */
    struct sl_buf client_took;
};

void tls_pair_init(struct tls_pair *p);
/* What tls_pair_open does first, unless p->server is there already. */
void tls_pair_open_server(struct tls_pair *p);
void tls_pair_open(struct tls_pair *p);
/* The same for who lets memory fail: what gw_tls_create said. */
sl_status tls_pair_try_open(struct tls_pair *p);
void tls_pair_close_client(struct tls_pair *p); /* and the server's end of it */
void tls_pair_close(struct tls_pair *p);

/* To and fro until nothing moves. */
void tls_pair_run(struct tls_pair *p);
/* Raw bytes to the server. */
void tls_pair_raw(struct tls_pair *p, const void *bytes, size_t len);
/* Plain bytes, all of them unless the connection breaks, with tls_pair_run between; what comes is in client_took
 * and server_took. */
void tls_pair_send(struct tls_pair *p, const void *bytes, size_t len);
void tls_pair_reply(struct tls_pair *p, const struct iovec *v, size_t count);

#endif
