/* gw_certs.c - certificates from configuration to the net threads. */
#include "gw_certs.h"

#include "sl_log.h"

bool gw_certs_are_wanted(const struct gw_tls_conf *conf)
{
    return conf->certificate[0] != '\0';
}

static void tell(const struct gw_certs *c, const struct gw_tls_conf *conf)
{
    enum { S_PER_DAY = 86400 };
    struct gw_tls_certificate now;
    gw_tls_server_certificate(c->server, &now);
    int64_t left_s = (now.expires_at - sl_clock_wall(c->clock)) / SL_US_PER_S;
    sl_metric_set(c->expires, now.expires_at / SL_US_PER_S);
    sl_log(left_s > 0 ? SL_LOG_INFO : SL_LOG_WARN,
           left_s > 0 ? "certificate in use" : "certificate in use, but it has expired",
           SL_S("file", conf->certificate), SL_S("sha256", now.fingerprint),
           SL_I("days_left", left_s / S_PER_DAY));
}

sl_status gw_certs_open(struct gw_certs *c, const struct gw_tls_conf *conf, struct sl_error *error)
{
    if (!gw_certs_are_wanted(conf))
        return SL_OK;
    sl_status s = gw_tls_server_create(conf, &c->server, error);
    if (s == SL_OK)
        tell(c, conf);
    return s;
}

void gw_certs_close(struct gw_certs *c)
{
    gw_tls_server_destroy(c->server);
    c->server = NULL;
}

bool gw_certs_reload(struct gw_certs *c, const struct gw_tls_conf *conf)
{
    struct sl_error error;
    if (gw_certs_are_wanted(conf) != (c->server != NULL)) {
        sl_log(SL_LOG_WARN, "TLS is switched on and off by a restart only",
               SL_S("now", c->server != NULL ? "on" : "off"));
        return false;
    }
    if (c->server == NULL)
        return false;
    if (gw_tls_server_load(c->server, conf, &error) != SL_OK) {
        sl_log(SL_LOG_ERROR, "certificate not changed, the one before stays in use",
               SL_S("why", error.text));
        return false;
    }
    tell(c, conf);
    return true;
}
