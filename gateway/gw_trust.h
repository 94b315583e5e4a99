/* gw_trust.h - the keys that the configuration names, from their files to the link: read at start, the
 * list of nodes again on SIGHUP.
 *
 * Errors   SL_EINVAL with a sentence that names the key of the configuration and the file, SL_ENOMEM.
 *          Nothing of a secret key is ever in a sentence or a line of the log.
 */
#ifndef GW_TRUST_H
#define GW_TRUST_H

#include "gw_conf.h"
#include "gw_link.h"

struct gw_trust {
    struct gw_link_allowed *nodes;
    size_t count;
};

/* The gateway's own key, if link.security is curve; the caller erases it. */
SL_MUST_CHECK sl_status gw_trust_read_secret(const struct gw_conf *conf, struct sl_key *out,
                                             struct sl_error *err);
/* link.allow with every key read; no two nodes may have one key. End it with gw_trust_finish. */
SL_MUST_CHECK sl_status gw_trust_read_allowed(const struct gw_conf *conf, struct gw_trust *out,
                                              struct sl_error *err);
void gw_trust_finish(struct gw_trust *t);

#endif
