/* gw_fluid.h - of the calls that wait in several classes, which start before one of them? By the fluid model of the
 * shares (gw_shares.h): every class moves on at the rate of its weight. Pure.
 *
 * A class gets its next slice when its tag is the least. Its tag grows by a call's time over the class' weight, so
 * the call with own_us of work before it in its class starts when the tags have reached
 *
 *     v = ahead of its class + own_us / weight of its class
 *
 * and by then each other class has started calls for (v - its ahead) x its weight, as far as it has any. Their number
 * is that time over the mean of the class' calls, rounded up: who is behind v starts one more.
 *
 * What it does not know: calls that will come; a class' calls in their order (only their sum); slices that not all can
 * use. Ties count as after.
 *
 * Units    Work: microseconds of a slice times the size's factor. Tags: as gw_shares has them, thousandths of that
 *          over the weight.
 * Cost     O(classes).
 */
#ifndef GW_FLUID_H
#define GW_FLUID_H

#include <stddef.h>
#include <stdint.h>

/* What of a class waits. */
struct gw_fluid_class {
    uint32_t weight; /* > 0 */
    int64_t ahead;   /* its tag; below 0 counts as 0 */
    size_t count;
    int64_t work_us;
};

struct gw_fluid_sum {
    size_t count;
    int64_t work_us;
};

/* What starts before the call of classes[own] that has own_before before it in that class; own_before is counted. */
struct gw_fluid_sum gw_fluid_before(const struct gw_fluid_class *classes, size_t class_count,
                                    size_t own, struct gw_fluid_sum own_before);

#endif
