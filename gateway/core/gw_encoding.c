/* gw_encoding.c - the names, and lists of them. */
#include "gw_encoding.h"

#include "sl_text.h"

static const char *const names[GW_ENCODING_COUNT] = {"identity", "deflate", "gzip"};

const char *gw_encoding_name(enum gw_encoding e)
{
    return names[e];
}

bool gw_encoding_from_name(struct sl_span name, enum gw_encoding *out)
{
    for (int e = 0; e < GW_ENCODING_COUNT; e++)
        if (sl_span_eq_str(name, names[e])) {
            *out = (enum gw_encoding)e;
            return true;
        }
    return false;
}

unsigned gw_encoding_list(struct sl_span list)
{
    unsigned found = 0;
    struct sl_span item;
    while (sl_text_next_item(&list, &item)) {
        enum gw_encoding e;
        if (gw_encoding_from_name(item, &e))
            found |= 1u << e;
    }
    return found;
}
