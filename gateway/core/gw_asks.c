#include "gw_asks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sl_text.h"

bool gw_ask_duration(struct gw_asks *asks, struct sl_span text, struct sl_error *err)
{
    int64_t ns;
    asks->is_auto = sl_span_eq_str(text, "auto");
    if (asks->is_auto) {
        asks->duration_us = 0;
        return true;
    }
    if (sl_text_duration(text, true, &ns) != SL_OK || ns < SL_NS_PER_US) {
        sl_error_set(err, SL_REASON_BAD_INPUT,
                     "sluice-duration '%.*s' is neither a duration above 0, such as 5, 0.5 or "
                     "500ms, nor auto",
                     (int)text.len, (const char *)text.data);
        sl_error_set_field(err, "sluice-duration");
        return false;
    }
    asks->duration_us = ns / SL_NS_PER_US;
    return true;
}

bool gw_ask_size(struct gw_asks *asks, struct sl_span text, const struct gw_ask_limits *limits,
                 struct sl_error *err)
{
    char names[GW_SIZES_MAX * (GW_TIER_NAME_MAX + 2) + 1];
    asks->size = gw_tiers_find_size(limits->tiers, text);
    if (asks->size != NULL)
        return true;
    gw_tiers_size_names(limits->tiers, names, sizeof names);
    sl_error_set(err, SL_REASON_BAD_INPUT, "sluice-size '%.*s' is none of %s", (int)text.len,
                 (const char *)text.data, names);
    sl_error_set_field(err, "sluice-size");
    return false;
}

bool gw_ask_max_wait(struct gw_asks *asks, struct sl_span text, const struct gw_ask_limits *limits,
                     struct sl_error *err)
{
    int64_t ns;
    char limit[32];
    sl_text_format_duration(limits->max_wait_limit_ns, limit);
    if (sl_text_duration(text, true, &ns) == SL_OK && ns >= 1 && ns <= limits->max_wait_limit_ns) {
        asks->max_wait_ns = ns;
        return true;
    }
    sl_error_set(err, SL_REASON_BAD_INPUT,
                 "sluice-max-wait '%.*s' is not a duration above 0 and up to %s", (int)text.len,
                 (const char *)text.data, limit);
    sl_error_set_field(err, "sluice-max-wait");
    return false;
}

bool gw_ask_on_disconnect(struct gw_asks *asks, struct sl_span text, struct sl_error *err)
{
    bool is_keep = sl_span_eq_str(text, "keep");
    if (is_keep || sl_span_eq_str(text, "cancel")) {
        asks->on_disconnect = is_keep ? GW_ASK_KEEP : GW_ASK_CANCEL;
        return true;
    }
    sl_error_set(err, SL_REASON_BAD_INPUT, "sluice-on-disconnect '%.*s' is neither cancel nor keep",
                 (int)text.len, (const char *)text.data);
    sl_error_set_field(err, "sluice-on-disconnect");
    return false;
}

bool gw_ask_watch(struct gw_asks *asks, struct sl_span text, struct sl_error *err)
{
    asks->is_watched = sl_span_eq_str(text, "1");
    if (asks->is_watched || sl_span_eq_str(text, "0"))
        return true;
    sl_error_set(err, SL_REASON_BAD_INPUT, "sluice-watch '%.*s' is neither 1 nor 0", (int)text.len,
                 (const char *)text.data);
    sl_error_set_field(err, "sluice-watch");
    return false;
}

/* A parameter as the text that the same metadata would have. */
static struct sl_span param_text(const struct gw_peek_param *p, const uint8_t *message,
                                 char out[64])
{
    int n = 0;
    switch (p->kind) {
    case GW_PARAM_STRING:
        return gw_range_span(message, p->value.s);
    case GW_PARAM_INT:
        n = snprintf(out, 64, "%" PRId64, p->value.i);
        break;
    case GW_PARAM_UINT:
        n = snprintf(out, 64, "%" PRIu64, p->value.u);
        break;
    case GW_PARAM_DOUBLE:
        n = snprintf(out, 64, "%.9f", p->value.d);
        if (n >= 64) /* no duration, but the refusal quotes it */
            n = snprintf(out, 64, "%g", p->value.d);
        break;
    case GW_PARAM_BOOL:
        n = snprintf(out, 64, "%s", p->value.b ? "true" : "false");
        break;
    case GW_PARAM_NONE:
        break;
    }
    return sl_span_of(out, n < 0 || n >= 64 ? 0 : (size_t)n);
}

bool gw_ask_is_ours(struct sl_span name)
{
    return sl_span_eq_str(name, "sluice_duration") || sl_span_eq_str(name, "sluice_size") ||
           sl_span_eq_str(name, "sluice_max_wait") || sl_span_eq_str(name, "sluice_on_disconnect");
}

static bool ask(struct gw_asks *asks, struct sl_span name, struct sl_span text,
                const struct gw_ask_limits *limits, struct sl_error *err)
{
    if (sl_span_eq_str(name, "sluice_duration"))
        return gw_ask_duration(asks, text, err);
    if (sl_span_eq_str(name, "sluice_size"))
        return gw_ask_size(asks, text, limits, err);
    if (sl_span_eq_str(name, "sluice_max_wait"))
        return gw_ask_max_wait(asks, text, limits, err);
    return gw_ask_on_disconnect(asks, text, err);
}

/* A misspelt ask would otherwise be passed over in silence. */
static bool refuse_reserved(struct sl_span name, struct sl_error *err)
{
    sl_error_set(err, SL_REASON_BAD_INPUT,
                 "parameter '%.*s' does not exist; of those that begin with sluice_ there are "
                 "sluice_duration, sluice_size and sluice_max_wait",
                 (int)name.len, (const char *)name.data);
    sl_error_set_field(err, "parameters.%.*s", (int)name.len, (const char *)name.data);
    return false;
}

static bool is_reserved(struct sl_span name)
{
    static const char prefix[] = "sluice_";
    return name.len >= sizeof prefix - 1 && memcmp(name.data, prefix, sizeof prefix - 1) == 0;
}

bool gw_asks_from_params(struct gw_asks *asks, const struct gw_peek *peek, const uint8_t *message,
                         const struct gw_ask_limits *limits, struct sl_error *err)
{
    for (size_t i = 0; i < peek->param_count; i++) {
        struct sl_span name = gw_range_span(message, peek->params[i].name);
        if (!is_reserved(name))
            continue;
        if (!gw_ask_is_ours(name))
            return refuse_reserved(name, err);
        char room[64];
        struct sl_span text = param_text(&peek->params[i], message, room);
        if (!ask(asks, name, text, limits, err)) {
            sl_error_set_field(err, "parameters.%.*s", (int)name.len, (const char *)name.data);
            return false;
        }
    }
    return true;
}

int64_t gw_asks_most_us(const struct gw_model_spec *model, const struct gw_ask_limits *limits)
{
    return model->max_duration_us < limits->max_duration_us ? model->max_duration_us
                                                            : limits->max_duration_us;
}

bool gw_asks_limit_us(const struct gw_asks *asks, const struct gw_model_spec *model,
                      const struct gw_ask_limits *limits, int64_t *out_us, struct sl_error *err)
{
    int64_t most = gw_asks_most_us(model, limits);
    int64_t asked = asks->duration_us;
    if (asked == 0)
        asked = model->duration_us < most ? model->duration_us : most;
    if (asked > most) {
        char said[32], limit[32];
        sl_text_format_duration(sl_sat_mul(asked, SL_NS_PER_US), said);
        sl_text_format_duration(most * SL_NS_PER_US, limit);
        sl_error_set(err, SL_REASON_DURATION_TOO_LONG,
                     "a duration of %s is too long: model '%s' may run for at most %s", said,
                     model->name, limit);
        return false;
    }
    *out_us = asked;
    return true;
}
