/* sl_spin.h - is it worth while to look for news for a moment before sleeping?
 *
 * Being woken costs more than looking for a few microseconds, when the news come that soon. Whether they
 * do is learned: each time in vain doubles how often sleep comes first, until it pays again.
 *
 * Purity   No clock: the caller looks, for for_ns, and tells what came of it.
 */
#ifndef SL_SPIN_H
#define SL_SPIN_H

#include <stdbool.h>
#include <stdint.h>

enum { SL_SPIN_SKIP_MAX = 15 };

struct sl_spin {
    int64_t for_ns; /* 0: never */
    uint32_t skip;  /* how often sleep comes first after a look in vain */
    uint32_t left;  /* of these */
};

/* Counts a chance that is passed over. */
bool sl_spin_may(struct sl_spin *s);
void sl_spin_tell(struct sl_spin *s, bool has_paid);

#endif
