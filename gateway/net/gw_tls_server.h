/* gw_tls_server.h - what all TLS connections share: certificate, key and rules, changed while it serves.
 *
 * Rules    TLS 1.2 (ephemeral keys and AEAD ciphers only, as HTTP/2 demands) and 1.3. ALPN must offer h2. No
 *          renegotiation, no compression, no early data. Session tickets: their keys live with one load, so a
 *          session made under an earlier certificate or client_ca is never resumed.
 * Reload   gw_tls_server_load replaces everything at once, or nothing: connections that are open go on with
 *          what they began with.
 * Secrets  A key is read into OpenSSL's memory and nowhere else; sentences name files, never content. A key
 *          that needs a passphrase is refused, nobody is asked.
 * Threads  Any thread may open connections while another one loads.
 * Memory   Connections borrow the server: it ends after them.
 */
#ifndef GW_TLS_SERVER_H
#define GW_TLS_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "sl_reason.h"
#include "sl_status.h"
#include "sl_time.h"

struct gw_tls_server;

enum gw_tls_client_auth { GW_TLS_CLIENT_NONE, GW_TLS_CLIENT_OPTIONAL, GW_TLS_CLIENT_REQUIRED };
enum gw_tls_version { GW_TLS_1_2, GW_TLS_1_3 };

/* Bytes of the certificates that a handshake sends, which is what a stranger gets us to send. */
enum { GW_TLS_CHAIN_BYTES_MAX = 64 * 1024 };

struct gw_tls_conf {
    const char *certificate; /* PEM: ours first, then its chain */
    const char *key;         /* PEM */
    const char *client_ca;   /* PEM; "": none */
    int client_auth;         /* enum gw_tls_client_auth; needs client_ca unless NONE */
    int min_version;         /* enum gw_tls_version */
};

/* For people: which certificate is in use. */
struct gw_tls_certificate {
    char fingerprint[65]; /* SHA-256, hexadecimal */
    sl_wall_us expires_at;
};

/* Reads the files. conf is not kept. Errors: SL_EINVAL (a file), SL_ENOMEM; with a sentence in *error. */
SL_MUST_CHECK sl_status gw_tls_server_create(const struct gw_tls_conf *conf,
                                             struct gw_tls_server **out, struct sl_error *error);
void gw_tls_server_destroy(struct gw_tls_server *s); /* NULL is fine */

/* From now on for new connections. Errors: as create; then all stays as it was. */
SL_MUST_CHECK sl_status gw_tls_server_load(struct gw_tls_server *s, const struct gw_tls_conf *conf,
                                           struct sl_error *error);
void gw_tls_server_certificate(struct gw_tls_server *s, struct gw_tls_certificate *out);

#endif
