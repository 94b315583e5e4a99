/* gw_credentials.h - what a request brings along of who sends it: where it comes from, and what it says.
 * Data only.
 *
 * Spans are borrowed from the request; an absent header has data == NULL.
 */
#ifndef GW_CREDENTIALS_H
#define GW_CREDENTIALS_H

#include <stdbool.h>

#include "gw_address.h"
#include "sl_span.h"

/* The other end of a connection, as the net side knows it. */
struct gw_origin {
    struct gw_address address; /* as a PROXY header says, where one is believed */
    bool is_tls;
    bool is_local; /* the connection itself comes from this machine, whatever its header says */
};

struct gw_credentials {
    struct gw_origin origin;
    struct sl_span authorization;
    struct sl_span x_ip_token;
    struct sl_span cookie;    /* the value of ours, of all that came */
    struct sl_span forwarded; /* x-forwarded-for, all of its lines joined */
};

#endif
