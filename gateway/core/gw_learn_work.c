#include "gw_learn_work.h"

/* Sums quotients and remainders apart, so that no length of the samples is too long. */
static sl_gpu_us mean_of(const struct gw_learn *l)
{
    int64_t count = l->count, whole = 0, rest = 0;
    for (int64_t i = 0; i < count; i++) {
        whole += l->newest_last[i] / count;
        rest += l->newest_last[i] % count;
    }
    return whole + (rest + count / 2) / count;
}

sl_gpu_us gw_learn_work(const struct gw_learn *l, sl_gpu_us declared_us)
{
    if (l->count < GW_LEARN_SAMPLES_MIN)
        return declared_us;
    sl_gpu_us mean_us = mean_of(l);
    return mean_us < declared_us ? mean_us : declared_us;
}

static sl_gpu_us mean_excess(const struct gw_learn *l, sl_gpu_us elapsed_us)
{
    int64_t count = 0;
    sl_gpu_us sum = 0;
    for (uint32_t i = l->count; i > 0 && l->longest_last[i - 1] > elapsed_us; i--) {
        sum = sl_sat_add(sum, l->longest_last[i - 1] - elapsed_us);
        count++;
    }
    return count > 0 ? sum / count : elapsed_us / 2;
}

sl_gpu_us gw_learn_rest(const struct gw_learn *l, sl_gpu_us declared_us, sl_gpu_us elapsed_us)
{
    sl_gpu_us most_us = elapsed_us < declared_us ? declared_us - elapsed_us : 0;
    if (l->count < GW_LEARN_SAMPLES_MIN)
        return most_us;
    sl_gpu_us rest_us = mean_excess(l, elapsed_us);
    return rest_us < most_us ? rest_us : most_us;
}
