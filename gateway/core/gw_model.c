#include "gw_model.h"

#include <string.h>

#include "gw_duration.h"

bool gw_model_is_auto(const struct gw_model_spec *m)
{
    return m->duration != NULL && strcmp(m->duration, GW_DURATION_AUTO) == 0;
}

bool gw_model_has_expression(const struct gw_model_spec *m)
{
    return m->duration != NULL && m->duration[0] != '\0' && !gw_model_is_auto(m);
}

size_t gw_tensor_find(const struct gw_tensor_spec *specs, size_t count, struct sl_span name)
{
    size_t i = 0;
    while (i < count && !sl_span_eq_str(name, specs[i].name))
        i++;
    return i;
}
