/* cli_receipt.h - what a call cost and what is left, as text for people and as JSON. Pure. */
#ifndef CLI_RECEIPT_H
#define CLI_RECEIPT_H

#include <jansson.h>
#include <sluice/sluice.h>

#include "sl_buf.h"

/* Each fills an empty buffer, which stays empty when nothing of it was told.
 * Errors: SL_ENOMEM, SL_ETOOBIG. */

/* "0.055 ms charged to user:alice (tier pro); 24m 59s left until 2026-11-22 15:40:00 UTC" */
SL_MUST_CHECK sl_status cli_receipt_money(const struct sluice_receipt *r, struct sl_buf *out);
/* "queue 0.125 ms, execution 1.500 ms, node local, call 0f8f..." */
SL_MUST_CHECK sl_status cli_receipt_way(const struct sluice_receipt *r, struct sl_buf *out);

/* {"call_id", "visitor", "tier", "charged_us", "left_us", "resets_at_us", "queue_us", "exec_us",
 * "node"}; null for what was not told. NULL: no memory. */
json_t *cli_receipt_json(const struct sluice_receipt *r);

#endif
