/* ex_keys.h - the keys that the configuration names, from their files to the link. */
#ifndef EX_KEYS_H
#define EX_KEYS_H

#include "ex_conf.h"
#include "ex_link_socket.h"

/* Without CURVE nothing is read. The caller erases out->own_secret. Errors: SL_EINVAL, with a sentence
 * that names the file and nothing of a secret key. */
SL_MUST_CHECK sl_status ex_keys_read(const struct ex_conf *conf, struct ex_link_keys *out,
                                     struct sl_error *err);

#endif
