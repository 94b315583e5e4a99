#include "sl_conf_check.h"

#include <string.h>

void sl_conf_complain(struct sl_conf_check *c, const char *key, const char *value, const char *why)
{
    sl_status s = sl_buf_printf(c->errors, "%s:%u: %s: '%s' %s\n", c->path,
                                sl_conf_line(c->owner, key), key, value, why);
    (void)s; /* a full error buffer has said enough */
    c->ok = false;
}

static bool is_on_this_machine(const char *value)
{
    static const char *const local[] = {"ipc://", "tcp://127.", "tcp://localhost:", "tcp://[::1]:"};
    for (size_t i = 0; i < SL_ARRAY_LEN(local); i++)
        if (strncmp(value, local[i], strlen(local[i])) == 0)
            return true;
    return false;
}

void sl_conf_check_link(struct sl_conf_check *c, const char *key, const char *value,
                        bool is_trusted, const char *why_not)
{
    if (strncmp(value, "ipc://", 6) != 0 && strncmp(value, "tcp://", 6) != 0)
        sl_conf_complain(c, key, value, "is neither ipc://PATH nor tcp://HOST:PORT");
    else if (!is_on_this_machine(value) && !is_trusted)
        sl_conf_complain(c, key, value, why_not);
}
