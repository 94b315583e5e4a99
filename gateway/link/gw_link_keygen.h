/* gw_link_keygen.h - makes a pair of CURVE keys. */
#ifndef GW_LINK_KEYGEN_H
#define GW_LINK_KEYGEN_H

#include "sl_key.h"

/* false: this ZeroMQ was built without CURVE. The caller erases the secret. */
bool gw_link_make_keys(struct sl_key *out_public, struct sl_key *out_secret);

#endif
