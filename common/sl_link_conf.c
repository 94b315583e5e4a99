#include "sl_link_conf.h"

#include <string.h>

const char *const sl_link_security_names[] = {"auto", "curve", "none", NULL};

static bool starts_with(const char *text, const char *begin)
{
    return strncmp(text, begin, strlen(begin)) == 0;
}

static bool is_elsewhere(const char *address)
{
    static const char *const here[] = {"tcp://127.", "tcp://localhost:", "tcp://[::1]:"};
    for (size_t i = 0; i < SL_ARRAY_LEN(here); i++)
        if (starts_with(address, here[i]))
            return false;
    return starts_with(address, "tcp://");
}

static void check_form(struct sl_conf_check *c, const char *key, const char *address)
{
    if (!starts_with(address, "ipc://") && !starts_with(address, "tcp://"))
        sl_conf_complain(c, key, address, "is neither ipc://PATH nor tcp://HOST:PORT");
}

/* The first address that is off this machine has made the link CURVE. */
static void complain_of_remote(struct sl_conf_check *c, const struct sl_link_conf *link)
{
    const bool is_control = is_elsewhere(link->control);
    sl_conf_complain(c, is_control ? "link.control" : "link.bulk",
                     is_control ? link->control : link->bulk,
                     "is off this machine, where the link is encrypted: it needs link.secret_key "
                     "(made by 'sluice-gateway keygen'), or link.security: none on a network that "
                     "you trust with every tensor");
}

void sl_link_conf_check(struct sl_conf_check *c, struct sl_link_conf *link)
{
    const bool was_auto = link->security == SL_LINK_AUTO;
    const bool is_remote = is_elsewhere(link->control) || is_elsewhere(link->bulk);
    check_form(c, "link.control", link->control);
    check_form(c, "link.bulk", link->bulk);
    if (was_auto)
        link->security = is_remote ? SL_LINK_CURVE : SL_LINK_NONE;
    if (link->bulk_security == SL_LINK_AUTO)
        link->bulk_security = link->security;
    if (link->bulk_security == SL_LINK_CURVE && link->security == SL_LINK_NONE)
        sl_conf_complain(c, "link.bulk_security", "curve", "needs link.security: curve");
    if (link->security == SL_LINK_NONE || link->secret_key[0] != '\0')
        return;
    if (was_auto)
        complain_of_remote(c, link);
    else
        sl_conf_complain(c, "link.security", "curve",
                         "needs link.secret_key, a file made by 'sluice-gateway keygen'");
}
