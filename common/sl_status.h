/* sl_status.h - the outcome of a fallible function inside one process.
 *
 * A status never leaves the process: what a caller of Sluice sees is an sl_reason (sl_reason.h).
 * "Not now" (SL_EAGAIN, SL_EFULL) and "never" (SL_ENEVER, SL_EINVAL) are different codes, and a
 * code means one thing per function, listed at the function.
 */
#ifndef SL_STATUS_H
#define SL_STATUS_H

#include "sl_base.h"

#define SL_STATUS_MAP(X)                                                                           \
    X(OK, "ok")                                                                                    \
    X(EINVAL, "invalid argument")                                                                  \
    X(ENOMEM, "out of memory")                                                                     \
    X(EFULL, "a limit is reached")                                                                 \
    X(EAGAIN, "not now")                                                                           \
    X(ENEVER, "never possible")                                                                    \
    X(ENOENT, "no such thing")                                                                     \
    X(EEXIST, "exists already")                                                                    \
    X(ESTALE, "of an earlier generation")                                                          \
    X(EPROTO, "the peer broke the protocol")                                                       \
    X(ETOOBIG, "larger than the limit")                                                            \
    X(ERANGE, "out of range")                                                                      \
    X(EIO, "input/output error")                                                                   \
    X(ETIMEOUT, "timed out")                                                                       \
    X(ECANCELED, "cancelled")                                                                      \
    X(EBROKEN, "an invariant does not hold")

typedef enum {
#define SL_STATUS_ENUM(name, text) SL_##name,
    SL_STATUS_MAP(SL_STATUS_ENUM)
#undef SL_STATUS_ENUM
} sl_status;

/* A short text, never NULL; static. */
const char *sl_status_text(sl_status s);

#endif
