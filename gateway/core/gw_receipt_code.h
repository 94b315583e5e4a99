/* gw_receipt_code.h - a receipt to bytes and back: what the store keeps of a call, for ever. Pure.
 *
 * A first byte tells the version of the form; a later version adds its own reader and keeps the old
 * ones. A receipt without an organisation is of version 1, in this order:
 *
 *   call id        16 bytes
 *   cause          1 byte
 *   ended_at, declared_us, held_us, used_us, charged_us, queue_us
 *                  each a zigzag varint, as protobuf's sint64
 *   lease_journal, lease_record
 *                  each a varint
 *   account count  1 byte, then each account, and its window_opened_at as a zigzag varint
 *   tier, app, model, size, node, idempotency_key, the reason's name
 *                  each text its length as a varint, then its bytes
 *
 * One with an organisation is of version 2: the same, and behind the reason the organisation, which is
 * not empty.
 *
 * The reason goes by its name, because the names are the contract and their numbers are not. A
 * receipt has exactly one form: what is read from bytes and written again gives the same bytes.
 *
 * Memory   Nothing is allocated. What is read borrows from the bytes.
 */
#ifndef GW_RECEIPT_CODE_H
#define GW_RECEIPT_CODE_H

#include "gw_receipt.h"
#include "sl_status.h"

enum { GW_RECEIPT_TEXT_MAX = 255 };   /* of each text */
enum { GW_RECEIPT_BYTES_MAX = 3072 }; /* of any receipt; a usual one has about 120 */

/* Writes r to out, which has room bytes. Errors: SL_EINVAL (too many accounts, a text over
 * its limit, a cause or reason of no name), SL_ETOOBIG (room; never with GW_RECEIPT_BYTES_MAX). */
SL_MUST_CHECK sl_status gw_receipt_encode(const struct gw_receipt *r, uint8_t *out, size_t room,
                                          size_t *out_bytes);

/* Errors: SL_ENEVER (of a version that this program does not know), SL_EPROTO (no receipt, or bytes
 * after it); *out is then not to be used. */
SL_MUST_CHECK sl_status gw_receipt_decode(struct sl_span bytes, struct gw_receipt *out);

#endif
