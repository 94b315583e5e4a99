/* sluice_pairs.h - a bounded list of names and values: received metadata and error details.
 *
 * Memory   Copies both; pairs handed out stay where they are until the list is finished.
 * Errors   SL_EFULL (SLUICE_PAIRS_MAX pairs or SLUICE_PAIRS_BYTES_MAX bytes), SL_ENOMEM; the list is
 *          unchanged on both.
 */
#ifndef SLUICE_PAIRS_H
#define SLUICE_PAIRS_H

#include "sl_span.h"
#include "sl_status.h"
#include "sluice/sluice.h"

enum { SLUICE_PAIRS_MAX = 128, SLUICE_PAIRS_BYTES_MAX = 64 * 1024 };

struct sluice_pairs_list {
    struct sluice_pair *items; /* each name begins one allocation that holds the value too */
    size_t count;
    size_t total_bytes;
};

void sluice_pairs_init(struct sluice_pairs_list *l);
void sluice_pairs_finish(struct sluice_pairs_list *l); /* empties it; usable again */

SL_MUST_CHECK sl_status sluice_pairs_add(struct sluice_pairs_list *l, struct sl_span name,
                                         struct sl_span value);
/* The first value of that name; NULL: none. */
const char *sluice_pairs_find(const struct sluice_pairs_list *l, const char *name);

#endif
