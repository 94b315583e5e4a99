#include "gw_link_keygen.h"

#include <zmq.h>

bool gw_link_make_keys(struct sl_key *out_public, struct sl_key *out_secret)
{
    return zmq_curve_keypair(out_public->text, out_secret->text) == 0;
}
