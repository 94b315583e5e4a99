/* gw_learned.h - what the models' calls took before this gateway started, until the models are announced. Pure.
 *
 * Memory   Owns what it keeps, at most max_models of them, each at most GW_LEARN_BYTES_MAX and its names.
 * Threads  One.
 */
#ifndef GW_LEARNED_H
#define GW_LEARNED_H

#include "gw_learn.h"
#include "sl_alloc.h"
#include "sl_span.h"
#include "sl_status.h"

struct gw_learned; /* opaque: gw_learned.c */

SL_MUST_CHECK sl_status gw_learned_create(const struct sl_alloc *alloc, size_t max_models,
                                          struct gw_learned **out);
void gw_learned_destroy(struct gw_learned *l); /* NULL is fine */

/* samples: gw_learn_code's bytes. A model that is there already stays as it is. Errors: SL_EFULL, SL_ENOMEM,
 * SL_EPROTO and SL_ENEVER as gw_learn_decode. */
SL_MUST_CHECK sl_status gw_learned_note(struct gw_learned *l, struct sl_span model,
                                        struct sl_span version, struct sl_span samples);
/* The model has come: what is known of it is forgotten here. false: nothing is known of it in that version. */
bool gw_learned_take(struct gw_learned *l, struct sl_span model, struct sl_span version,
                     struct gw_learn *out);

#endif
