/* sl_conf_check.h - what a daemon checks across the keys of its configuration, after sl_conf_load.
 *
 * A check that fails adds its sentence, with the file and the line of the key, to the same buffer as
 * the reader's errors, and the next check goes on: all of a file is told at once. Pure.
 */
#ifndef SL_CONF_CHECK_H
#define SL_CONF_CHECK_H

#include <stdbool.h>

#include "sl_conf.h"

struct sl_conf_check {
    const char *path; /* for the sentences; borrowed, as the next two */
    const struct sl_conf *owner;
    struct sl_buf *errors;
    bool ok; /* true at the beginning */
};

/* "PATH:LINE: KEY: 'VALUE' WHY", and ok becomes false. */
void sl_conf_complain(struct sl_conf_check *c, const char *key, const char *value, const char *why);

#endif
