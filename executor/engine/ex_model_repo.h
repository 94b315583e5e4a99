/* ex_model_repo.h - the models of a repository directory: each of its subdirectories is one.
 *
 * A bad model is an entry with its problem and does not stop the others. Files, and directories
 * whose name begins with a dot, are passed over.
 *
 * Errors   SL_ENOENT (no such directory), SL_ETOOBIG (more than EX_MODELS_MAX models), SL_ENOMEM;
 *          with a sentence in *err.
 * Memory   The repository owns its entries.
 * Threads  One.
 */
#ifndef EX_MODEL_REPO_H
#define EX_MODEL_REPO_H

#include <stddef.h>

#include "ex_model.h"
#include "sl_reason.h"
#include "sl_status.h"

enum { EX_MODELS_MAX = 1024, EX_MODEL_PROBLEM_MAX = 4096 };

struct ex_model_entry {
    const char *name;
    const struct ex_model_spec *spec; /* NULL: bad */
    const char *problem; /* "" when good; else sentences with file and line, one a line */
};

struct ex_model_repo;

SL_MUST_CHECK sl_status ex_model_repo_load(const char *dir, struct ex_model_repo **out,
                                           struct sl_error *err);
/* In the order of their names. */
size_t ex_model_repo_count(const struct ex_model_repo *r);
const struct ex_model_entry *ex_model_repo_at(const struct ex_model_repo *r, size_t i);
void ex_model_repo_destroy(struct ex_model_repo *r); /* NULL is fine */

#endif
