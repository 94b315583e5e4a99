/* gw_server_reload.c - the configuration is read again: the parts are told what may change. */
#include "gw_server_int.h"

static void tell_change(void *ctx, const struct sl_conf_key *key)
{
    (void)ctx;
    if (key->reloadable)
        sl_log(SL_LOG_INFO, "configuration changed", SL_S("key", key->name));
    else
        sl_log(SL_LOG_WARN, "configuration changed, but this key needs a restart",
               SL_S("key", key->name));
}

/* The parts are told by the same functions as at the start. */
static void take_reloadable(struct gw_server *s, const struct gw_conf *fresh)
{
    struct gw_flow_conf flow;
    struct gw_front_conf front;
    struct gw_tls_conf tls = s->conf.tls; /* taken only with its files */
    sl_conf_diff(gw_conf_table, &s->conf, fresh, tell_change, NULL);
    sl_conf_take_reloadable(gw_conf_table, &s->conf, fresh);
    s->conf.tls = tls;
    sl_log_set_level((enum sl_log_level)s->conf.log_level);
    gw_server_renew_tiers(s, fresh);
    gw_gatekeeper_reload(&s->gatekeeper, fresh, s->now);
    gw_server_fill_flow_conf(s, &flow);
    flow.sign_in_url = fresh->auth.anonymous.sign_in_url; /* texts are copied, not taken */
    gw_flow_set_limits(s->flow, &flow);
    gw_server_fill_front_conf(s, &front);
    for (size_t i = 0; i < s->front_count; i++)
        gw_front_set_limits(s->fronts[i].front, &front);
}

/* Files may have changed where the configuration did not. */
static void reload_allowed(struct gw_server *s, const struct gw_conf *fresh)
{
    struct sl_error err;
    if (!gw_server_set_allowed(s, fresh, &err))
        sl_log(SL_LOG_ERROR, "link.allow not changed, the list before stays in use",
               SL_S("why", err.text));
}

/* Certificates are read again even where nothing in the configuration changed: their files may have. */
static void reload_certs(struct gw_server *s, const struct gw_conf *fresh,
                         struct sl_conf *take_owner)
{
    if (!gw_certs_reload(&s->certs, &fresh->tls)) {
        sl_conf_destroy(take_owner);
        return;
    }
    sl_conf_destroy(s->reread);
    s->reread = take_owner;
    s->conf.tls = fresh->tls;
}

void gw_server_reload(struct gw_server *s)
{
    struct gw_conf fresh;
    struct sl_conf *owner;
    struct sl_buf errors;
    sl_buf_init(&errors, &sl_alloc_malloc, 65536);
    if (gw_conf_load(s->options.config_path, &fresh, &errors, &owner) == SL_OK) {
        sl_log(SL_LOG_INFO, "configuration read again");
        take_reloadable(s, &fresh);
        reload_allowed(s, &fresh);
        reload_certs(s, &fresh, owner);
    } else {
        sl_status ended = sl_buf_append(&errors, "", 1);
        sl_log(SL_LOG_ERROR, "configuration not changed",
               SL_S("why", ended == SL_OK ? (char *)errors.data : ""));
    }
    sl_buf_finish(&errors);
}
