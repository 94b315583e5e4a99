/* gw_tls_int.h - what gw_tls.c and gw_tls_server.c give each other. */
#ifndef GW_TLS_INT_H
#define GW_TLS_INT_H

#include <openssl/ssl.h>

#include "gw_tls_server.h"

/* A server's side by the rules in force; NULL: no memory. It keeps these rules when others are loaded. */
SSL *gw_tls_server_open(struct gw_tls_server *s);
/* Of the server, for the BIOs of its connections: gw_tls.c's functions. */
const BIO_METHOD *gw_tls_server_bio_method(const struct gw_tls_server *s);
/* NULL: no memory. */
BIO_METHOD *gw_tls_new_bio_method(void);

#endif
