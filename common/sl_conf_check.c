#include "sl_conf_check.h"

void sl_conf_complain(struct sl_conf_check *c, const char *key, const char *value, const char *why)
{
    sl_status s = sl_buf_printf(c->errors, "%s:%u: %s: '%s' %s\n", c->path,
                                sl_conf_line(c->owner, key), key, value, why);
    (void)s; /* a full error buffer has said enough */
    c->ok = false;
}
