/* gw_app.h - the apps that are registered: who owns each, and which of them may call now. Pure.
 *
 * An app calls with a token of its own (gw_token_row.app) and may hand on the token of its visitor, who
 * then pays. How many apps an owner may have is a number of the owner's tier.
 *
 * Threads  One: the flow's.
 * Memory   Owns its rows, of which there are at most max_count.
 * Errors   All or nothing.
 */
#ifndef GW_APP_H
#define GW_APP_H

#include "gw_principal.h"
#include "gw_tier.h"
#include "sl_alloc.h"
#include "sl_base.h"
#include "sl_reason.h"
#include "sl_span.h"
#include "sl_status.h"
#include "sl_time.h"

struct gw_app_row {
    char name[GW_APP_NAME_MAX + 1];      /* a-z 0-9 - _ . and the first a letter or digit */
    char owner[GW_ACCOUNT_NAME_MAX + 1]; /* an account: "user:NAME" */
    bool is_paused;                      /* by the operator: its calls are refused */
    sl_wall_us registered_at;
};

struct gw_apps;

SL_MUST_CHECK sl_status gw_apps_create(const struct sl_alloc *alloc, size_t max_count,
                                       struct gw_apps **out);
void gw_apps_destroy(struct gw_apps *a); /* NULL is fine */

/* A new one of its owner's, whose tier is given. Errors, each with a sentence in *err: SL_EINVAL (the name),
 * SL_EEXIST, SL_ENEVER (HOSTING_LIMIT), SL_EFULL, SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_apps_register(struct gw_apps *a, const struct gw_app_row *row,
                                         const struct gw_tier *tier_of_owner, struct sl_error *err);
/* As it was stored, whatever its owner may have now. Errors: SL_EINVAL, SL_EEXIST, SL_EFULL, SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_apps_load(struct gw_apps *a, const struct gw_app_row *row);
/* Errors: SL_ENOENT. */
SL_MUST_CHECK sl_status gw_apps_remove(struct gw_apps *a, struct sl_span name);
SL_MUST_CHECK sl_status gw_apps_set_paused(struct gw_apps *a, struct sl_span name, bool is_paused);

/* NULL: no app has this name. Valid until it is removed. */
const struct gw_app_row *gw_apps_find(const struct gw_apps *a, struct sl_span name);
size_t gw_apps_count(const struct gw_apps *a);
size_t gw_apps_count_of(const struct gw_apps *a, const char *owner);
/* The app after this one, in the order in which they came; NULL begins, and is the end. */
const struct gw_app_row *gw_apps_next(const struct gw_apps *a, const struct gw_app_row *after);

bool gw_app_name_is_good(struct sl_span name);

#endif
