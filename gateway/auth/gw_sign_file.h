/* gw_sign_file.h - a small secret file: only its owner may read it, and it is replaced whole or not at all.
 *
 * Errors   With a sentence that names the file. SL_ENOENT: it is not there; SL_EINVAL: it is not a regular file
 *          of its owner's alone (mode 0600); SL_ETOOBIG; SL_EIO.
 * Threads  Any.
 */
#ifndef GW_SIGN_FILE_H
#define GW_SIGN_FILE_H

#include "sl_reason.h"
#include "sl_span.h"
#include "sl_status.h"

SL_MUST_CHECK sl_status gw_sign_file_read(const char *path, char *out, size_t room, size_t *out_len,
                                          struct sl_error *error);
/* By way of PATH.new, synced to the disk before it takes the place. */
SL_MUST_CHECK sl_status gw_sign_file_write(const char *path, struct sl_span text,
                                           struct sl_error *error);

#endif
