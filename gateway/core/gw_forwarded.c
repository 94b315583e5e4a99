/* gw_forwarded.c - from the right, hop by hop. */
#include "gw_forwarded.h"

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct sl_span trim(struct sl_span s)
{
    while (s.len > 0 && is_space(s.data[s.len - 1]))
        s.len--;
    for (; s.len > 0 && is_space(s.data[0]); s.len--)
        s.data++;
    return s;
}

/* The last item of a list with commas; *list is what stands before it. false: there is none. */
static bool take_last(struct sl_span *list, struct sl_span *out)
{
    if (list->len == 0)
        return false;
    size_t begin = list->len;
    while (begin > 0 && list->data[begin - 1] != ',')
        begin--;
    *out = trim(sl_span_of(list->data + begin, list->len - begin));
    list->len = begin > 0 ? begin - 1 : 0;
    return true;
}

struct gw_address gw_forwarded_for(const struct gw_address *peer, struct sl_span header,
                                   const struct gw_networks *trusted)
{
    struct gw_address hop = *peer;
    struct sl_span item;
    while (gw_networks_find(trusted, &hop) != NULL && take_last(&header, &item))
        if (!gw_address_parse_host(item, &hop))
            break;
    return hop;
}
