/* gw_app_load.h - what the calls of each app have at once: how many run, how many wait, and those
 * that stand aside because as many run as may. Pure.
 *
 * Known are the apps that have calls; the others have none of either.
 *
 * Cost     O(1). Memory: 0.6 KiB for an app with calls.
 * Errors   All-or-nothing.
 * Threads  One.
 */
#ifndef GW_APP_LOAD_H
#define GW_APP_LOAD_H

#include <stdbool.h>

#include "gw_order.h"
#include "gw_principal.h"

/* Lines of which an app's calls can stand aside apart from each other; those of more share the
 * last place. */
enum { GW_ASIDES_MAX = 16 };

struct gw_pool;

/* Of one line, in its order. */
struct gw_aside {
    struct gw_pool *pool; /* NULL: nobody */
    uint8_t size, class_index;
    struct gw_order calls;
};

struct gw_app_load {
    char name[GW_APP_NAME_MAX + 1];
    size_t running_count, waiting_count;
    struct gw_aside asides[GW_ASIDES_MAX];
};

struct gw_app_loads {
    const struct sl_alloc *alloc;
    struct gw_order_pool *places; /* borrowed */
    struct gw_app_load_entry *by_name;
};

void gw_app_loads_init(struct gw_app_loads *ls, const struct sl_alloc *alloc,
                       struct gw_order_pool *places);
void gw_app_loads_finish(struct gw_app_loads *ls);

/* The app's; NULL: no memory. Valid while it has calls, and until gw_app_loads_release. */
struct gw_app_load *gw_app_loads_get(struct gw_app_loads *ls, const char *name);
/* Forgets it when it has none. NULL is fine. */
void gw_app_loads_release(struct gw_app_loads *ls, struct gw_app_load *l);
/* The next one; NULL begins, and is the end. */
struct gw_app_load *gw_app_loads_next(const struct gw_app_loads *ls, const struct gw_app_load *l);

/* Where calls of that line stand aside. */
struct gw_aside *gw_app_load_aside(struct gw_app_load *l, struct gw_pool *pool, uint8_t size,
                                   uint8_t class_index);

#endif
