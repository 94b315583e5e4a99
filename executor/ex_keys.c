#include "ex_keys.h"

sl_status ex_keys_read(const struct ex_conf *conf, struct ex_link_keys *out, struct sl_error *err)
{
    *out = (struct ex_link_keys){0};
    if (conf->link.security == SL_LINK_NONE)
        return SL_OK;
    if (sl_key_read_secret(conf->link.secret_key, &out->own_secret, err) != SL_OK ||
        sl_key_read_public(conf->link.gateway_public_key, &out->gateway, err) != SL_OK)
        return SL_EINVAL;
    if (ex_link_keys_complete(out) == SL_OK)
        return SL_OK;
    sl_error_set(err, SL_REASON_INTERNAL, "the ZeroMQ library of this machine has no CURVE");
    return SL_EINVAL;
}
