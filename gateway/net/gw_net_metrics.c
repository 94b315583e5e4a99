/* gw_net_metrics.c - the table, walked twice. */
#include "gw_net_metrics.h"

sl_status gw_net_metrics_register(struct sl_metric_registry *r, struct gw_net_metrics *out)
{
#define REGISTER(field, kind, name, labels, help)                                                  \
    if ((out->field = sl_metric_##kind(r, name, labels, help)) == NULL)                            \
        return SL_ENOMEM;
    GW_NET_METRIC_MAP(REGISTER)
#undef REGISTER
    return SL_OK;
}

void gw_net_metrics_add(const struct gw_net_metrics *m, struct gw_net_counts *counts)
{
    if (m == NULL)
        return;
#define ADD(field, kind, name, labels, help)                                                       \
    if (counts->field != 0) {                                                                      \
        sl_metric_add(m->field, counts->field);                                                    \
        counts->field = 0;                                                                         \
    }
    GW_NET_METRIC_MAP(ADD)
#undef ADD
}
