/* gw_certs.h - the tls section of the configuration at work: read at start, read again on SIGHUP, told to the
 * log and the metrics. */
#ifndef GW_CERTS_H
#define GW_CERTS_H

#include <stdbool.h>

#include "gw_tls_server.h"
#include "sl_clock.h"
#include "sl_metric.h"

struct gw_certs {
    struct gw_tls_server *server; /* NULL: no TLS */
    struct sl_metric *expires;    /* seconds since 1970, 0 without TLS; borrowed */
    const struct sl_clock *clock; /* borrowed */
};

bool gw_certs_are_wanted(const struct gw_tls_conf *conf);

/* c->expires and c->clock are set by the caller. Without tls.certificate server stays NULL. Errors: SL_EINVAL,
 * SL_ENOMEM, with a sentence. */
SL_MUST_CHECK sl_status gw_certs_open(struct gw_certs *c, const struct gw_tls_conf *conf,
                                      struct sl_error *error);
void gw_certs_close(struct gw_certs *c);

/* Reads the files again, as conf names them now; logs what came of it. false: all is as it was. */
bool gw_certs_reload(struct gw_certs *c, const struct gw_tls_conf *conf);

#endif
