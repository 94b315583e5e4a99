/* sl_time.h - kinds of time as types' names, and arithmetic that saturates instead of wrapping.
 *
 * sl_mono_ns  nanoseconds of a monotonic clock: intervals and deadlines
 * sl_wall_us  microseconds since 1970-01-01T00:00Z: windows and receipts only
 * sl_gpu_us   GPU time, microseconds of one slice
 */
#ifndef SL_TIME_H
#define SL_TIME_H

#include <stdint.h>

typedef int64_t sl_mono_ns;
typedef int64_t sl_wall_us;
typedef int64_t sl_gpu_us;

#define SL_NS_PER_US  INT64_C(1000)
#define SL_NS_PER_MS  INT64_C(1000000)
#define SL_NS_PER_S   INT64_C(1000000000)
#define SL_US_PER_S   INT64_C(1000000)
#define SL_MONO_NEVER INT64_MAX /* a deadline that does not come */

/* a + b and a * b, at the type's ends instead of beyond them. */
static inline int64_t sl_sat_add(int64_t a, int64_t b)
{
    int64_t r;
    if (!__builtin_add_overflow(a, b, &r))
        return r;
    return b > 0 ? INT64_MAX : INT64_MIN;
}

static inline int64_t sl_sat_mul(int64_t a, int64_t b)
{
    int64_t r;
    if (!__builtin_mul_overflow(a, b, &r))
        return r;
    return (a < 0) == (b < 0) ? INT64_MAX : INT64_MIN;
}

#endif
