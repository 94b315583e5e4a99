#include "gw_method.h"

struct row {
    const char *path;
    size_t path_len;
    bool carries_tensors;
};

static const struct row rows[] = {[GW_METHOD_UNKNOWN] = {"", 0, false},
#define GW_METHOD_ROW(name, path, tensors) [GW_METHOD_##name] = {path, sizeof(path) - 1, tensors},
                                  GW_METHOD_MAP(GW_METHOD_ROW)
#undef GW_METHOD_ROW
};

enum gw_method gw_method_find(struct sl_span path)
{
    for (int m = GW_METHOD_UNKNOWN + 1; m < GW_METHOD_COUNT; m++)
        if (sl_span_eq(path, sl_span_of(rows[m].path, rows[m].path_len)))
            return (enum gw_method)m;
    return GW_METHOD_UNKNOWN;
}

const char *gw_method_path(enum gw_method m)
{
    return m < GW_METHOD_COUNT ? rows[m].path : "";
}

bool gw_method_carries_tensors(enum gw_method m)
{
    return m < GW_METHOD_COUNT && rows[m].carries_tensors;
}
