/* sl_base.h - compiler attributes and small macros that every file may use. */
#ifndef SL_BASE_H
#define SL_BASE_H

#include <stddef.h>

#define SL_MUST_CHECK                   __attribute__((warn_unused_result))
#define SL_PRINTF(fmt_index, first_arg) __attribute__((format(printf, fmt_index, first_arg)))
#define SL_UNUSED                       __attribute__((unused))

#define SL_ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define SL_CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
