/* gw_asks.h - what a call asks for beside its tensors: duration, size, longest wait, and what becomes of it
 * when its connection is lost. Pure.
 *
 * Asked by metadata (sluice-duration: 5) or by a parameter of the request (sluice_duration); when
 * both are there they must agree in being readable, and the parameter wins, because it is nearer to
 * the call.
 */
#ifndef GW_ASKS_H
#define GW_ASKS_H

#include "gw_infer_peek.h"
#include "gw_model.h"
#include "gw_tier.h"
#include "sl_time.h"

/* What becomes of an admitted call whose connection is lost. */
enum gw_ask_end {
    GW_ASK_UNSAID,
    GW_ASK_CANCEL,
    GW_ASK_KEEP, /* it goes on, and its result is kept */
};

struct gw_asks {
    int64_t duration_us;        /* 0: the model's own */
    bool is_auto;               /* as the model's calls before it took; within the model's own */
    int64_t max_wait_ns;        /* 0: the default */
    const struct gw_size *size; /* NULL: the model's own */
    enum gw_ask_end on_disconnect;
    bool is_watched; /* its headers are to leave when it is in the queue */
};

struct gw_ask_limits {
    const struct gw_tiers *tiers; /* for the sizes */
    int64_t max_duration_us;      /* of any call */
    int64_t max_wait_default_ns;
    int64_t max_wait_limit_ns;
};

/* One ask by its metadata name ("sluice-duration", ...) and text. Errors: BAD_INPUT, with the value and the
 * limit, or the names that there are. */
bool gw_ask_duration(struct gw_asks *asks, struct sl_span text, struct sl_error *err);
bool gw_ask_size(struct gw_asks *asks, struct sl_span text, const struct gw_ask_limits *limits,
                 struct sl_error *err);
bool gw_ask_max_wait(struct gw_asks *asks, struct sl_span text, const struct gw_ask_limits *limits,
                     struct sl_error *err);
bool gw_ask_on_disconnect(struct gw_asks *asks, struct sl_span text, struct sl_error *err);
bool gw_ask_watch(struct gw_asks *asks, struct sl_span text, struct sl_error *err);

/* The request's sluice_* parameters. */
bool gw_asks_from_params(struct gw_asks *asks, const struct gw_peek *peek, const uint8_t *message,
                         const struct gw_ask_limits *limits, struct sl_error *err);
/* Is this parameter the gateway's (and not for the model)? */
bool gw_ask_is_ours(struct sl_span name);

/* The most that a call of the model may ask for. */
int64_t gw_asks_most_us(const struct gw_model_spec *model, const struct gw_ask_limits *limits);
/* How long the call may hold its slice: what it asked for, or the model's duration, within both
 * limits. Errors: DURATION_TOO_LONG. */
bool gw_asks_limit_us(const struct gw_asks *asks, const struct gw_model_spec *model,
                      const struct gw_ask_limits *limits, int64_t *out_us, struct sl_error *err);

#endif
