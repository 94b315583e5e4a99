/* gw_secret_file.h - small secrets in files of the state directory, which their owner alone can read.
 *
 * Writing  A new file beside the old one (mode 0600), written, synced, renamed over it: whoever reads sees the
 *          old one or the new one, also after a crash.
 * Reading  A file that its group or others can read is refused: it is no secret any more.
 * Errors   Sentences name the file, never what is in it.
 * Threads  Any, for different files.
 */
#ifndef GW_SECRET_FILE_H
#define GW_SECRET_FILE_H

#include <stddef.h>

#include "sl_base.h"
#include "sl_reason.h"
#include "sl_span.h"
#include "sl_status.h"

/* The directory, made with mode 0700 when it is not there; its parent must be. Errors: SL_EIO (it cannot be
 * made or looked at), SL_EINVAL (it is no directory, or others can write into it). */
SL_MUST_CHECK sl_status gw_secret_dir(const char *path, struct sl_error *err);

/* Up to capacity bytes. Errors: SL_ENOENT (no file: *err is not set), SL_EINVAL (others can read it, it is no
 * regular file), SL_ETOOBIG, SL_EIO. */
SL_MUST_CHECK sl_status gw_secret_file_read(const char *dir, const char *name, char *out,
                                            size_t capacity, size_t *out_len, struct sl_error *err);
/* Errors: SL_EIO. */
SL_MUST_CHECK sl_status gw_secret_file_write(const char *dir, const char *name,
                                             struct sl_span content, struct sl_error *err);

#endif
