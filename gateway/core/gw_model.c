#include "gw_model.h"

size_t gw_tensor_find(const struct gw_tensor_spec *specs, size_t count, struct sl_span name)
{
    size_t i = 0;
    while (i < count && !sl_span_eq_str(name, specs[i].name))
        i++;
    return i;
}
