#include "gw_charge.h"

#include "gw_tier.h"

sl_gpu_us gw_charge_of_time(sl_gpu_us us, uint32_t factor_thousandths)
{
    sl_gpu_us whole = sl_sat_mul(us / GW_FACTOR_ONE, factor_thousandths);
    sl_gpu_us rest = us % GW_FACTOR_ONE * factor_thousandths;
    return sl_sat_add(whole, (rest + GW_FACTOR_ONE - 1) / GW_FACTOR_ONE);
}

sl_gpu_us gw_charge_time_within(sl_gpu_us us, uint32_t factor_thousandths)
{
    sl_gpu_us whole = sl_sat_mul(us / factor_thousandths, GW_FACTOR_ONE);
    return sl_sat_add(whole, us % factor_thousandths * GW_FACTOR_ONE / factor_thousandths);
}

/* All reasons by name, so that a new one must be decided on here. */
bool gw_charge_is_for(enum sl_reason reason)
{
    switch (reason) {
    case SL_REASON_OK:
    case SL_REASON_MODEL_ERROR:
    case SL_REASON_OUT_OF_MEMORY:
    case SL_REASON_DURATION_EXCEEDED:
    case SL_REASON_CANCELLED:
    case SL_REASON_DEADLINE_EXCEEDED:
        return true;
    case SL_REASON_QUOTA_EXCEEDED:
    case SL_REASON_DURATION_TOO_LONG:
    case SL_REASON_SIZE_UNAVAILABLE:
    case SL_REASON_QUEUE_FULL:
    case SL_REASON_ALLOCATION_TIMEOUT:
    case SL_REASON_EXECUTOR_LOST:
    case SL_REASON_DEVICE_FAULT:
    case SL_REASON_NO_CAPACITY:
    case SL_REASON_DRAINING:
    case SL_REASON_MODEL_NOT_FOUND:
    case SL_REASON_BAD_INPUT:
    case SL_REASON_TOO_LARGE:
    case SL_REASON_UNAUTHENTICATED:
    case SL_REASON_NOT_TRUSTED:
    case SL_REASON_BLOCKED:
    case SL_REASON_HOSTING_LIMIT:
    case SL_REASON_RESULT_GONE:
    case SL_REASON_ALREADY_EXISTS:
    case SL_REASON_NOT_FOUND:
    case SL_REASON_PREEMPTED:
    case SL_REASON_UNIMPLEMENTED:
    case SL_REASON_INTERNAL:
    case SL_REASON_SERVICE_NOT_FOUND:
    case SL_REASON_COUNT:
        break;
    }
    return false;
}

sl_gpu_us gw_charge(enum sl_reason reason, bool was_started, sl_gpu_us used_us, sl_gpu_us held_us,
                    uint32_t factor_thousandths)
{
    if (!was_started || used_us <= 0 || !gw_charge_is_for(reason))
        return 0;
    sl_gpu_us cost = gw_charge_of_time(used_us, factor_thousandths);
    return cost < held_us ? cost : held_us;
}

sl_gpu_us gw_charge_share(sl_gpu_us used_us, size_t count, size_t index)
{
    sl_gpu_us each = used_us / (sl_gpu_us)count;
    return index == 0 ? used_us - each * (sl_gpu_us)(count - 1) : each;
}
