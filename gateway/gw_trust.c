/* gw_trust.c - reads the key files of the link. */
#include "gw_trust.h"

#include <stdio.h>
#include <stdlib.h>

sl_status gw_trust_read_secret(const struct gw_conf *conf, struct sl_key *out, struct sl_error *err)
{
    *out = (struct sl_key){0};
    if (conf->link.security != SL_LINK_CURVE)
        return SL_OK;
    return sl_key_read_secret(conf->link.secret_key, out, err);
}

static const struct gw_link_allowed *find_key(const struct gw_trust *t, const struct sl_key *key)
{
    for (size_t i = 0; i < t->count; i++)
        if (sl_key_is_same(&t->nodes[i].key, key))
            return &t->nodes[i];
    return NULL;
}

static sl_status add_node(struct gw_trust *t, const struct gw_conf_allow *from,
                          struct sl_error *err)
{
    struct gw_link_allowed *to = &t->nodes[t->count];
    struct sl_error why;
    if (sl_key_read_public(from->key, &to->key, &why) != SL_OK) {
        sl_error_set(err, why.reason, "link.allow.%s: %s", from->node, why.text);
        return SL_EINVAL;
    }
    const struct gw_link_allowed *other = find_key(t, &to->key);
    if (other != NULL) {
        sl_error_set(err, SL_REASON_BAD_INPUT,
                     "link.allow.%s has the same key as '%s'; each node needs its own, which says "
                     "who it is",
                     from->node, other->node);
        return SL_EINVAL;
    }
    snprintf(to->node, sizeof to->node, "%s", from->node);
    t->count++;
    return SL_OK;
}

sl_status gw_trust_read_allowed(const struct gw_conf *conf, struct gw_trust *out,
                                struct sl_error *err)
{
    const struct gw_conf_allow *items = conf->link.allow.items;
    *out = (struct gw_trust){.nodes = calloc(conf->link.allow.count + 1, sizeof *out->nodes)};
    if (out->nodes == NULL) {
        sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory for %zu keys", conf->link.allow.count);
        return SL_ENOMEM;
    }
    for (size_t i = 0; i < conf->link.allow.count; i++) {
        sl_status s = add_node(out, &items[i], err);
        if (s != SL_OK) {
            gw_trust_finish(out);
            return s;
        }
    }
    return SL_OK;
}

void gw_trust_finish(struct gw_trust *t)
{
    free(t->nodes);
    *t = (struct gw_trust){0};
}
