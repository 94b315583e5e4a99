/* gw_store_key.h - how a receipt is found in the log again. Pure.
 *
 * The log is cut into chapters of as many numbers each. Table `receipts` has rows {chapter, key, n}: a key stands
 * for an account, an app or a call, or for all that have an idempotency key, and rows of new receipts lie side by side, whoever they are of: to
 * add one touches a page that was touched just before, in a store of any size. A question looks into each chapter,
 * the newest first, and reads the receipts themselves: two names of one key cost time, never a wrong answer.
 */
#ifndef GW_STORE_KEY_H
#define GW_STORE_KEY_H

#include <stdint.h>

#include "sl_span.h"

enum { GW_STORE_CHAPTER_COUNT = 1024 };

enum gw_store_key_kind {
    GW_STORE_KEY_CALL,
    GW_STORE_KEY_ACCOUNT,
    GW_STORE_KEY_APP,
    GW_STORE_KEY_IDEMPOTENT, /* one for all: its name is "" */
};

static inline int64_t gw_store_chapter_of(int64_t n)
{
    return n / GW_STORE_CHAPTER_COUNT;
}

/* store_id: of the file, that strangers cannot choose names of one key. */
int64_t gw_store_key(uint64_t store_id, enum gw_store_key_kind kind, struct sl_span name);

#endif
