/* gw_answer_port.h - the answers of sluice.v1 about money, which the wire makes of data (gw_answer_facts.h).
 *
 * Each function writes its message into the arena, and answers a span with data == NULL when there is no memory.
 * Everything is borrowed for the call.
 */
#ifndef GW_ANSWER_PORT_H
#define GW_ANSWER_PORT_H

#include "gw_app.h"
#include "gw_blocks.h"
#include "gw_form.h"
#include "gw_store_port.h"
#include "gw_tier.h"
#include "sl_arena.h"

struct gw_quota_facts;
struct gw_visitor_token_facts;
struct gw_call_facts;
struct gw_token_facts;
struct gw_account_facts;

struct gw_answer_port {
    /* ---- sluice.v1.Visitor */
    struct sl_span (*quota)(struct sl_arena *arena, const struct gw_quota_facts *facts);
    /* keys are told: idempotency keys are the caller's own. */
    struct sl_span (*receipts)(struct sl_arena *arena, const struct gw_store_answer *a,
                               bool keys_are_told);
    struct sl_span (*call)(struct sl_arena *arena, const struct gw_call_facts *facts);
    struct sl_span (*visitor_token)(struct sl_arena *arena,
                                    const struct gw_visitor_token_facts *facts);

    /* ---- sluice.v1.Admin; next_page 0: there is nothing more */
    struct sl_span (*new_token)(struct sl_arena *arena, const char *secret,
                                const struct gw_token_facts *facts);
    struct sl_span (*token)(struct sl_arena *arena, const struct gw_token_facts *facts);
    struct sl_span (*tokens)(struct sl_arena *arena, const struct gw_token_facts *facts,
                             size_t count, int64_t next_page);
    struct sl_span (*tiers)(struct sl_arena *arena, const struct gw_tiers *tiers);
    struct sl_span (*account)(struct sl_arena *arena, const struct gw_account_facts *facts);
    struct sl_span (*accounts)(struct sl_arena *arena, const struct gw_account_facts *facts,
                               size_t count, int64_t next_page);
    struct sl_span (*app)(struct sl_arena *arena, const struct gw_app_row *row);
    struct sl_span (*apps)(struct sl_arena *arena, const struct gw_app_row *const *rows,
                           size_t count, int64_t next_page);
    /* In rows or as text; a text has its line of names when it is the first page. */
    struct sl_span (*usage)(struct sl_arena *arena, const struct gw_store_answer *a,
                            enum gw_form_by by, enum gw_form_format format, bool is_first);
    struct sl_span (*grant)(struct sl_arena *arena, const struct gw_record_grant *grant,
                            const struct gw_account_facts *facts);
    struct sl_span (*grants)(struct sl_arena *arena, const struct gw_store_answer *a);
    struct sl_span (*block)(struct sl_arena *arena, const struct gw_block_row *row,
                            bool is_blocked);
    struct sl_span (*blocks)(struct sl_arena *arena, const struct gw_block_row *const *rows,
                             size_t count, int64_t next_page);
};

#endif
