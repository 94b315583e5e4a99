#include "sl_conf_check.h"

void sl_conf_complain(struct sl_conf_check *c, const char *key, const char *value, const char *why)
{
    unsigned line = sl_conf_line(c->owner, key);
    sl_status s =
        line > 0 && line < SL_CONF_OVER_LINES
            ? sl_buf_printf(c->errors, "%s:%u: ", c->path, line)
            : sl_buf_printf(c->errors, "%s: ", c->path); /* a default, or laid over the file */
    if (s == SL_OK)
        s = sl_buf_printf(c->errors, "%s: '%s' %s\n", key, value, why);
    (void)s; /* a full error buffer has said enough */
    c->ok = false;
}
