/* gw_store_query.h - questions of gw_store_port.h as SQL, on a connection that only reads. */
#ifndef GW_STORE_QUERY_H
#define GW_STORE_QUERY_H

#include <sqlite3.h>

#include "gw_store_port.h"
#include "sl_arena.h"

enum { GW_STORE_ANSWER_MAX_BYTES = 8 << 20 };

/* Fills *out with rows in the arena. On error there are none, and why says the cause. */
void gw_store_answer(sqlite3 *reader, const struct gw_store_question *q, struct sl_arena *arena,
                     struct gw_store_answer *out);

#endif
