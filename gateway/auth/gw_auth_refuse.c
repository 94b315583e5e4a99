/* gw_auth_refuse.c - refusals: a sentence for the caller, the cause for the log, within a number of lines. */
#include "gw_auth_int.h"
#include "sl_log.h"

/* Whoever sends bad tokens as fast as he can should not fill a disk. */
static bool may_log(struct gw_auth *a, sl_wall_us now)
{
    if (now / SL_US_PER_S != a->log_second) {
        a->log_second = now / SL_US_PER_S;
        a->log_lines = 0;
    }
    if (a->log_lines >= GW_AUTH_LINES_PER_S) {
        a->log_left_out++;
        return false;
    }
    a->log_lines++;
    return true;
}

static enum gw_identity_answer refused(const struct gw_asking *ask, const char *why,
                                       const char *prefix)
{
    struct gw_auth *a = ask->a;
    char from[GW_ADDRESS_TEXT_MAX + 1];
    sl_metric_add(a->metrics.refused, 1);
    if (!may_log(a, ask->now))
        return GW_IDENTITY_REFUSED;
    gw_address_format(&ask->from, from);
    sl_log(SL_LOG_INFO, "caller refused", SL_S("from", from), SL_S("why", why),
           SL_S("token", prefix), SL_S("app", ask->app), SL_U("left_out", a->log_left_out));
    a->log_left_out = 0;
    return GW_IDENTITY_REFUSED;
}

/* Adds where to sign in to a sentence without its full stop. */
static void tell(const struct gw_asking *ask, enum sl_reason reason, const char *text)
{
    const char *url = ask->a->conf.sign_in_url;
    if (url[0] != '\0')
        sl_error_set(ask->err, reason, "%s; sign in at %s", text, url);
    else
        sl_error_set(ask->err, reason, "%s", text);
}

enum gw_identity_answer gw_auth_refuse_row(const struct gw_asking *ask, const char *why,
                                           const char *prefix)
{
    tell(ask, SL_REASON_UNAUTHENTICATED, "the token is not valid");
    sl_error_set_field(ask->err, "authorization");
    return refused(ask, why, prefix);
}

enum gw_identity_answer gw_auth_refuse_token(const struct gw_asking *ask, const char *why)
{
    return gw_auth_refuse_row(ask, why, NULL);
}

enum gw_identity_answer gw_auth_refuse_visitor(const struct gw_asking *ask,
                                               const struct gw_denial *denial)
{
    const char *told = denial->told[0] != '\0' ? denial->told : "not valid";
    sl_error_set(ask->err, SL_REASON_UNAUTHENTICATED, "x-ip-token: %s", told);
    sl_error_set_field(ask->err, "x-ip-token");
    return refused(ask, denial->why, NULL);
}

enum gw_identity_answer gw_auth_refuse_untrusted(const struct gw_asking *ask, const char *text)
{
    sl_error_set(ask->err, SL_REASON_NOT_TRUSTED, "%s", text);
    return refused(ask, text, NULL);
}

enum gw_identity_answer gw_auth_refuse_plaintext(const struct gw_asking *ask)
{
    static const char why[] =
        "a token over a connection without TLS can be read on its way; connect by "
        "TLS (the operator may set auth.allow_plaintext_tokens), and think of "
        "this token as known to others";
    sl_error_set(ask->err, SL_REASON_UNAUTHENTICATED, "%s", why);
    return refused(ask, "a token over a connection without TLS", NULL);
}

enum gw_identity_answer gw_auth_refuse_unavailable(const struct gw_asking *ask, const char *why)
{
    sl_error_set(ask->err, SL_REASON_NO_CAPACITY,
                 "the keys of this token's issuer cannot be had now; try again later");
    return refused(ask, why, NULL);
}

enum gw_identity_answer gw_auth_refuse_anonymous(const struct gw_asking *ask)
{
    tell(ask, SL_REASON_UNAUTHENTICATED,
         "callers without a token are not served here: send one as 'authorization: Bearer TOKEN'");
    return refused(ask, "no token", NULL);
}
