/* gw_token_make.h - new API tokens, and the hashes by which known ones are found.
 *
 * Secrets  The text of a token exists where it is made, shown and sent; whoever holds it erases it.
 */
#ifndef GW_TOKEN_MAKE_H
#define GW_TOKEN_MAKE_H

#include "gw_digest.h"
#include "gw_token.h"
#include "sl_base.h"
#include "sl_reason.h"
#include "sl_status.h"

/* A new token: its text, and in *row its hash and prefix. Errors: SL_EIO (no randomness). */
SL_MUST_CHECK sl_status gw_token_make(struct gw_digest *d, char out[GW_TOKEN_LEN + 1],
                                      struct gw_token_row *row);
/* Hash and prefix of a token that is there. Errors: SL_EINVAL (not the text of one), SL_EIO. */
SL_MUST_CHECK sl_status gw_token_hash(struct gw_digest *d, struct sl_span text,
                                      struct gw_token_row *row);

/* The administrator's first token: DIR/admin.token, made when it is not there. A new one is made by removing
 * the file. made (may be NULL) tells whether it was. Errors as gw_secret_file.h has them, and SL_EINVAL when the
 * file holds something else. */
SL_MUST_CHECK sl_status gw_token_of_admin(struct gw_digest *d, const char *dir,
                                          struct gw_token_row *row, bool *made,
                                          struct sl_error *err);

#endif
