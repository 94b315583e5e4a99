/* sl_test.h - cmocka with the headers it wants before its own, and a few asserts of ours. */
#ifndef SL_TEST_H
#define SL_TEST_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdio.h>
#include <string.h>

#include "sl_span.h"
#include "sl_status.h"

/* Fails with the statuses' texts, not their numbers. */
#define assert_status(expression, wanted)                                                          \
    do {                                                                                           \
        sl_status status_ = (expression);                                                          \
        if (status_ != (wanted))                                                                   \
            fail_msg("%s: %s, wanted: %s", #expression, sl_status_text(status_),                   \
                     sl_status_text(wanted));                                                      \
    } while (0)
#define assert_ok(expression) assert_status(expression, SL_OK)

/* Fails with both texts. */
#define assert_span_text(span, wanted)                                                             \
    do {                                                                                           \
        struct sl_span span_ = (span);                                                             \
        if (!sl_span_eq_str(span_, (wanted)))                                                      \
            fail_msg("got:\n%.*s\nwanted:\n%s", (int)span_.len, (const char *)span_.data,          \
                     (wanted));                                                                    \
    } while (0)

#endif
