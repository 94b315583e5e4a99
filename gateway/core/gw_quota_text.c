#include "gw_quota_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { HINT_MAX = 400, SPAN_MAX = 32 };

static int64_t divide_up(int64_t n, int64_t by)
{
    return n <= 0 ? 0 : (n - 1) / by + 1;
}

/* Whole seconds, or milliseconds below one: "60s", "250ms". */
static void time_text(sl_gpu_us us, char out[SPAN_MAX])
{
    if (us >= SL_US_PER_S || us == 0)
        snprintf(out, SPAN_MAX, "%" PRId64 "s", us / SL_US_PER_S);
    else
        snprintf(out, SPAN_MAX, "%" PRId64 "ms", us / 1000);
}

static void time_text_up(sl_gpu_us us, char out[SPAN_MAX])
{
    time_text(divide_up(us, SL_US_PER_S) * SL_US_PER_S, out);
}

/* ---- hints, each a sentence behind a full stop, or nothing */

static bool is_known_by_name(const struct gw_principal *who)
{
    return who->kind == GW_PRINCIPAL_USER || who->kind == GW_PRINCIPAL_VISITOR;
}

static const char *address_of(const char *account)
{
    return strncmp(account, "ip:", 3) == 0 ? account + 3 : account;
}

/* With whom the purse is shared, and how to get one of one's own. */
static void say_shared(const struct gw_hold_refusal *r, const struct gw_principal *who,
                       const char *sign_in_url, char out[HINT_MAX])
{
    const char *from = address_of(who->purses[r->quota.purse].account);
    out[0] = '\0';
    if (r->quota.is_shared)
        snprintf(out, HINT_MAX, ". All who come from %s share it", from);
    if (is_known_by_name(who) || sign_in_url[0] == '\0')
        return;
    size_t len = strlen(out);
    snprintf(out + len, HINT_MAX - len, "%s sign in at %s for one of your own",
             len > 0 ? ":" : ". Or", sign_in_url);
}

static void say_held(const struct gw_hold_refusal *r, char out[HINT_MAX])
{
    char held[SPAN_MAX];
    out[0] = '\0';
    if (r->quota.held_us == 0 || r->asked_us > r->quota.left_us + r->quota.held_us)
        return;
    time_text_up(r->quota.held_us, held);
    snprintf(out, HINT_MAX, ", or sooner: %s are held by calls that have not ended", held);
}

/* ---- sentences */

static void say_quota(const struct gw_hold_refusal *r, const char *shared, sl_wall_us now,
                      struct sl_error *out)
{
    char held[HINT_MAX];
    int64_t wait_s = divide_up(r->quota.resets_at - now, SL_US_PER_S);
    say_held(r, held);
    sl_error_set(out, SL_REASON_QUOTA_EXCEEDED,
                 "You have exceeded your GPU quota (%" PRId64 "s requested vs. %" PRId64
                 "s left). Try again in %" PRId64 ":%02d:%02d%s%s",
                 divide_up(r->asked_us, SL_US_PER_S), r->quota.left_us / SL_US_PER_S, wait_s / 3600,
                 (int)(wait_s / 60 % 60), (int)(wait_s % 60), held, shared);
}

static void say_too_long(const struct gw_hold_refusal *r, const char *tier, struct sl_error *out)
{
    char duration[SPAN_MAX], asked[SPAN_MAX], limit[SPAN_MAX], longest[SPAN_MAX];
    time_text_up(r->duration_us, duration);
    time_text_up(r->asked_us, asked);
    time_text(r->quota.limit_us, limit);
    time_text(r->longest_us, longest);
    if (r->factor_thousandths == GW_FACTOR_ONE)
        sl_error_set(out, SL_REASON_DURATION_TOO_LONG,
                     "a duration of %s is more than the %s of GPU time that tier '%s' has in a "
                     "day: ask for at most %s",
                     duration, limit, tier, longest);
    else
        sl_error_set(out, SL_REASON_DURATION_TOO_LONG,
                     "a duration of %s costs %s of GPU time at this size, more than the %s that "
                     "tier '%s' has in a day: ask for at most %s",
                     duration, asked, limit, tier, longest);
    sl_error_set_field(out, "sluice-duration");
}

void gw_quota_text(const struct gw_hold_refusal *r, const struct gw_principal *who,
                   const struct gw_tiers *tiers, const char *sign_in_url, sl_wall_us now,
                   struct sl_error *out)
{
    const char *tier = tiers->tiers[who->tier].name;
    char shared[HINT_MAX];
    say_shared(r, who, sign_in_url, shared);
    switch (r->kind) {
    case GW_HOLD_QUOTA:
        say_quota(r, shared, now, out);
        return;
    case GW_HOLD_TOO_LONG:
        say_too_long(r, tier, out);
        return;
    case GW_HOLD_IN_FLIGHT:
        sl_error_set(out, SL_REASON_QUEUE_FULL,
                     "you have %" PRIu32 " calls in flight, and tier '%s' has %" PRIu32
                     " at once: wait for one to end%s",
                     r->quota.in_flight, tier, r->quota.in_flight_max, shared);
        return;
    case GW_HOLD_BLOCKED:
        sl_error_set(out, SL_REASON_BLOCKED, "'%s' has been blocked by the operator",
                     who->purses[r->quota.purse].account);
        return;
    case GW_HOLD_NO_ROOM:
        break;
    }
    sl_error_set(out, SL_REASON_NO_CAPACITY,
                 "the gateway has no room for another account or call now");
}

int64_t gw_quota_retry_after_ms(const struct gw_hold_refusal *r, sl_wall_us now)
{
    switch (r->kind) {
    case GW_HOLD_QUOTA:
        return divide_up(r->quota.resets_at - now, 1000);
    case GW_HOLD_IN_FLIGHT:
    case GW_HOLD_NO_ROOM:
        return 1000;
    case GW_HOLD_TOO_LONG:
    case GW_HOLD_BLOCKED:
        break;
    }
    return -1;
}
