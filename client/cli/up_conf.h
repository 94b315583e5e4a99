/* up_conf.h - the daemons' configuration files as `sluice up` writes them: the operator's file, if any,
 * with the keys that belong to `sluice up` put in.
 *
 * The operator's file has up to two sections, each a mapping of that daemon's own keys:
 *
 *     gateway:  {limits: {queue: 100}}
 *     executor: {slices: {cpu: 4}}
 */
#ifndef UP_CONF_H
#define UP_CONF_H

#include <stddef.h>

#include "sl_reason.h"
#include "sl_status.h"

struct up_key {
    const char *name;  /* dotted: "listen.grpc" */
    const char *value; /* a scalar */
};

/* Writes out_path anew: section of user_path (NULL: none) with keys (ended by a NULL name) put in.
 * Errors: SL_EINVAL (the operator's file cannot be read, or sets one of keys), SL_EIO, SL_ENOMEM; with
 * a sentence in *why. */
SL_MUST_CHECK sl_status up_conf_write(const char *out_path, const char *user_path,
                                      const char *section, const struct up_key *keys,
                                      struct sl_error *why);

#endif
