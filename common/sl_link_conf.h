/* sl_link_conf.h - where the link between gateway and executors runs and how it is secured, as both
 * daemons read it from their configuration.
 *
 * The security is CURVE (both ends know the other's key, everything is encrypted) or none. `auto`
 * is CURVE as soon as one of the addresses is off this machine, and none for loopback and ipc://.
 * Bulk follows control unless the operator says otherwise. Pure.
 */
#ifndef SL_LINK_CONF_H
#define SL_LINK_CONF_H

#include "sl_conf_check.h"

enum sl_link_security { SL_LINK_AUTO, SL_LINK_CURVE, SL_LINK_NONE };

/* What configuration calls them, in that order, NULL-terminated. */
extern const char *const sl_link_security_names[];

struct sl_link_conf {
    const char *control; /* ipc://PATH or tcp://HOST:PORT */
    const char *bulk;
    int security;           /* enum sl_link_security; never AUTO after sl_link_conf_check */
    int bulk_security;      /* the same */
    const char *secret_key; /* a file; "": none */
};

/* Complains of addresses of another form, of bulk with CURVE beside control without, and of a missing
 * secret key; replaces AUTO by what it stands for. */
void sl_link_conf_check(struct sl_conf_check *c, struct sl_link_conf *link);

#endif
