/* sl_status.c - texts of the status codes. */
#include "sl_status.h"

const char *sl_status_text(sl_status s)
{
    static const char *const texts[] = {
#define SL_STATUS_TEXT(name, text) [SL_##name] = (text),
        SL_STATUS_MAP(SL_STATUS_TEXT)
#undef SL_STATUS_TEXT
    };
    return (size_t)s < SL_ARRAY_LEN(texts) ? texts[s] : "unknown status";
}
