/* gw_leases.c - every lease that ended is accounted for once: with the result of its call, or as an
 * orphan when no result of it came. */
#include "gw_call.h"
#include "sl_log.h"

/* A gateway that was killed may have stored a receipt and not written its line yet: the next one has the line. */
static const char known[] = "known lease";

/* Has it not been accounted for before? A node without a journal is believed. */
static bool is_first(struct gw_flow *f, const struct gw_fleet_node *node, uint64_t record)
{
    if (node->mark == NULL || record == 0 || gw_mark_take(node->mark, record))
        return true;
    sl_metric_add(f->metrics.repeated_leases, 1);
    return false;
}

static uint64_t journal_of(const struct gw_fleet_node *node)
{
    return node->mark == NULL ? 0 : gw_mark_journal(node->mark);
}

static void log_lease(const struct gw_fleet_node *node, const char *what, uint64_t record,
                      int64_t held_us)
{
    if (sl_log_is_on(SL_LOG_DEBUG))
        sl_log(SL_LOG_DEBUG, what, SL_S("node", node->name), SL_U("journal", journal_of(node)),
               SL_U("record", record), SL_I("held_us", held_us));
}

/* The node need not say it again, once that is stored. */
static void acknowledge(struct gw_flow *f, const struct gw_fleet_node *node, uint64_t record)
{
    if (node->mark != NULL && record != 0)
        gw_receipts_acknowledge(f, node, record);
}

static void count_owned(struct gw_flow *f, const struct gw_fleet_node *node,
                        const struct gw_result *result)
{
    sl_metric_add(f->metrics.leases, 1);
    sl_metric_add(f->metrics.lease_us, result->held_us);
    gw_day_add(&f->today, f->wall_now, result->held_us, 0);
    log_lease(node, "lease", result->record, result->held_us);
}

/* It was not accounted for after all: there is no room for its receipt now, and the node tells it again. */
static void put_off(const struct gw_fleet_node *node, uint64_t record)
{
    if (node->mark != NULL && record != 0)
        gw_mark_give_back(node->mark, record);
}

static void count_orphan(struct gw_flow *f, const struct gw_fleet_node *node,
                         const struct gw_ended *ended)
{
    char call[SL_UUID_TEXT_LEN + 1];
    char model[GW_PEEK_NAME_MAX + 1];
    size_t len = ended->model.len < sizeof model ? ended->model.len : sizeof model - 1;
    sl_metric_add(f->metrics.orphan_leases, 1);
    sl_metric_add(f->metrics.orphan_lease_us, ended->held_us);
    gw_day_add(&f->today, f->wall_now, ended->held_us, 0);
    sl_text_format_uuid(ended->call_id, call);
    if (len > 0)
        memcpy(model, ended->model.data, len);
    model[len] = '\0';
    sl_log(SL_LOG_INFO, "orphan lease", SL_S("node", node->name), SL_U("journal", journal_of(node)),
           SL_U("record", ended->record), SL_I("held_us", ended->held_us), SL_S("call", call),
           SL_S("model", model), SL_S("cause", sl_reason_name(ended->reason)));
}

static bool take_orphan(struct gw_flow *f, const struct gw_fleet_node *node,
                        const struct gw_ended *ended)
{
    if (!gw_receipts_leave_orphan(f, node, journal_of(node), ended)) {
        put_off(node, ended->record);
        return false;
    }
    count_orphan(f, node, ended);
    return true;
}

void gw_leases_on_result(struct gw_flow *f, const struct gw_fleet_node *node,
                         const struct gw_result *result, bool has_owner)
{
    if (!result->was_started)
        return;
    bool is_new = is_first(f, node, result->record);
    if (is_new && has_owner)
        count_owned(f, node, result);
    else if (is_new && !take_orphan(f, node,
                                    &(struct gw_ended){.record = result->record,
                                                       .lease = result->lease,
                                                       .held_us = result->held_us,
                                                       .reason = result->reason}))
        return;
    if (!is_new)
        log_lease(node, known, result->record, result->held_us);
    acknowledge(f, node, result->record);
}

void gw_flow_on_ended(struct gw_flow *f, struct gw_fleet_node *node, const struct gw_ended *ended)
{
    bool is_new = is_first(f, node, ended->record);
    if (is_new && !take_orphan(f, node, ended))
        return;
    if (!is_new)
        log_lease(node, known, ended->record, ended->held_us);
    acknowledge(f, node, ended->record);
}
