/* sim_report_int.h - what the reports share. */
#ifndef SIM_REPORT_INT_H
#define SIM_REPORT_INT_H

#include <stdio.h>

#include "sl_buf.h"
#include "sl_time.h"

/* Out of a function that writes, at the first write that fails. */
#define SIM_TRY(expr)                                                                              \
    do {                                                                                           \
        sl_status status_ = (expr);                                                                \
        if (status_ != SL_OK)                                                                      \
            return status_;                                                                        \
    } while (0)

static inline double sim_seconds(double us)
{
    return us / (double)SL_US_PER_S;
}

static inline double sim_percent(double part, double of)
{
    return of > 0 ? 100 * part / of : 0;
}

#endif
