/* ex_catalog.h - the models of this node by name, and what is wrong with those that cannot serve.
 *
 * Pure. Threads: one. Memory: specs are borrowed and outlive the catalogue; names and problem texts
 * are copied. Models are numbered from 0 in the order they were added; one version per model.
 */
#ifndef EX_CATALOG_H
#define EX_CATALOG_H

#include <stddef.h>
#include <stdint.h>

#include "ex_model.h"
#include "sl_alloc.h"
#include "sl_status.h"

enum { EX_CATALOG_MAX = 1024 };

struct ex_catalog;

SL_MUST_CHECK sl_status ex_catalog_create(const struct sl_alloc *alloc, struct ex_catalog **out);
void ex_catalog_destroy(struct ex_catalog *c); /* NULL is fine */

/* spec is NULL for a model whose description cannot be read; then problem is not "". Errors:
 * SL_EEXIST (the name), SL_EFULL, SL_ENOMEM. */
SL_MUST_CHECK sl_status ex_catalog_add(struct ex_catalog *c, const char *name,
                                       const struct ex_model_spec *spec, const char *problem);
/* problem "" : it is ready. A text that finds no memory becomes "out of memory". */
void ex_catalog_set_problem(struct ex_catalog *c, uint32_t model, const char *problem);

uint32_t ex_catalog_count(const struct ex_catalog *c);
const char *ex_catalog_name(const struct ex_catalog *c, uint32_t model);
const char *ex_catalog_problem(const struct ex_catalog *c, uint32_t model); /* "" when ready */
const struct ex_model_spec *ex_catalog_spec(const struct ex_catalog *c, uint32_t model);

/* The model of that name and version ("": any) that has a spec; count when there is none. */
uint32_t ex_catalog_find(const struct ex_catalog *c, const char *name, const char *version);

#endif
