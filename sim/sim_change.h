/* sim_change.h - changes of a scenario from the command line, as texts that are laid over its file.
 *
 * A change is KEY=VALUE (fleet.h200.nodes=12; VALUE is YAML) or the name of a file with another part of a scenario.
 *
 * Memory   Texts belong to the changes.
 * Errors   SL_EINVAL with a sentence in why, SL_ENOMEM.
 */
#ifndef SIM_CHANGE_H
#define SIM_CHANGE_H

#include "sl_conf.h"
#include "sl_reason.h"

enum { SIM_CHANGES_MAX = 32 };

struct sim_changes {
    struct sl_conf_over over[SIM_CHANGES_MAX];
    struct sl_buf texts[SIM_CHANGES_MAX];
    size_t count;
};

/* change is borrowed. Without a '=' it is a file, which is read. */
SL_MUST_CHECK sl_status sim_changes_add(struct sim_changes *c, const char *change,
                                        struct sl_error *why);
void sim_changes_finish(struct sim_changes *c);

/* KEY=VALUE as a text with sections: {"fleet": {"h200": {"nodes": 12}}}. Errors: also SL_EINVAL. */
SL_MUST_CHECK sl_status sim_change_write(const char *key_value, struct sl_buf *out);

#endif
