#include "sl_link_conf.h"

#include <string.h>

const char *const sl_link_security_names[] = {"auto", "curve", "none", NULL};

static bool is_on_this_machine(const char *address)
{
    static const char *const local[] = {"ipc://", "tcp://127.", "tcp://localhost:", "tcp://[::1]:"};
    for (size_t i = 0; i < SL_ARRAY_LEN(local); i++)
        if (strncmp(address, local[i], strlen(local[i])) == 0)
            return true;
    return false;
}

static void check_form(struct sl_conf_check *c, const char *key, const char *address)
{
    if (strncmp(address, "ipc://", 6) != 0 && strncmp(address, "tcp://", 6) != 0)
        sl_conf_complain(c, key, address, "is neither ipc://PATH nor tcp://HOST:PORT");
}

void sl_link_conf_check(struct sl_conf_check *c, struct sl_link_conf *link)
{
    const bool is_local = is_on_this_machine(link->control) && is_on_this_machine(link->bulk);
    const char *remote = is_on_this_machine(link->control) ? "link.bulk" : "link.control";
    const bool was_auto = link->security == SL_LINK_AUTO;
    check_form(c, "link.control", link->control);
    check_form(c, "link.bulk", link->bulk);
    if (was_auto)
        link->security = is_local ? SL_LINK_NONE : SL_LINK_CURVE;
    if (link->bulk_security == SL_LINK_AUTO)
        link->bulk_security = link->security;
    if (link->bulk_security == SL_LINK_CURVE && link->security == SL_LINK_NONE)
        sl_conf_complain(c, "link.bulk_security", "curve", "needs link.security: curve");
    if (link->security == SL_LINK_NONE || link->secret_key[0] != '\0')
        return;
    if (was_auto)
        sl_conf_complain(c, remote, remote[5] == 'c' ? link->control : link->bulk,
                         "is off this machine, where the link is encrypted: it needs "
                         "link.secret_key (made by 'sluice-gateway keygen'), or link.security: "
                         "none on a network that you trust with every tensor");
    else
        sl_conf_complain(c, "link.security", "curve",
                         "needs link.secret_key, a file made by 'sluice-gateway keygen'");
}
