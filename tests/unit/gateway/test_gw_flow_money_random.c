/* test_gw_flow_money_random.c - random programs of calls, cancels, deadlines, lost connections, nodes that are lost or take
 * nothing, and a store that stalls, is full or is passed by: each call is answered once, after its receipt is stored where it must be; receipts add up to what nodes measured and to what
 * accounts have spent; a lease is acknowledged when its receipt is stored, and not before. */
#include "flow_rig.h"
#include "gw_charge.h"
#include "gw_ledger.h"
#include "gw_receipt_code.h"
#include "sl_base.h"
#include "sl_log.h"
#include "sl_rng.h"
#include "sl_test.h"
#include "sl_text.h"

#define S SL_US_PER_S

enum { PLAYS = 1000, STEPS = 150, NODES = 2, OPEN_MAX = 24, LEASES_MAX = 64, TOLD_MAX = 512 };

static struct gw_tiers day_tiers = {
    .tiers = {{"anonymous", 900 * S, 1, 12, 0, false}},
    .tier_count = 1,
    .sizes = {{"large", 500, 1, GW_FACTOR_ONE}},
    .size_count = 1,
};

struct lease {
    sl_slot_id id;
    size_t node;
    bool is_started;
};

/* A lease that held its slice. */
struct measured {
    size_t node;
    uint64_t record;
    int64_t held_us;
    bool is_told;
    unsigned receipts;
    bool is_stored;
};

struct kept {
    char call_id[SL_UUID_TEXT_LEN + 1];
    struct measured *lease; /* NULL: none was used */
    bool is_stored;
};

struct play {
    struct fake_world w;
    struct sl_rng rng;
    sl_wall_us wall;
    struct gw_fleet_node *nodes[NODES];
    struct fake_exchange *open[OPEN_MAX];
    bool is_replied[OPEN_MAX], is_gone[OPEN_MAX];
    struct lease leases[LEASES_MAX];
    size_t lease_count;
    struct measured measured[TOLD_MAX];
    size_t measured_count;
    struct kept kept[TOLD_MAX];
    size_t kept_count, stored_count, entries_seen;
    sl_gpu_us charged_us;
    bool is_given_up;
};

static struct play p;

static unsigned dice(unsigned sides)
{
    return (unsigned)sl_rng_below(&p.rng, sides);
}

static struct measured *find_measured(uint64_t record)
{
    for (size_t i = 0; i < p.measured_count; i++)
        if (p.measured[i].record == record)
            return &p.measured[i];
    return NULL;
}

/* ---- what must hold after each step */

static void see_receipt(const struct fake_entry *e)
{
    struct gw_receipt r;
    assert_ok(gw_receipt_decode(sl_span_of(e->bytes, e->len), &r));
    assert_true(p.kept_count < TOLD_MAX);
    struct kept *k = &p.kept[p.kept_count++];
    *k = (struct kept){.lease = NULL};
    sl_text_format_uuid(r.call_id, k->call_id);
    assert_true(r.charged_us <=
                gw_charge_of_time(r.used_us, day_tiers.sizes[0].factor_thousandths));
    assert_true(r.charged_us <= r.held_us);
    p.charged_us += r.charged_us;
    if (r.lease_record == 0) {
        assert_true(r.used_us == 0);
        return;
    }
    k->lease = find_measured(r.lease_record);
    assert_non_null(k->lease);
    assert_int_equal(r.lease_journal, k->lease->node + 1);
    assert_true(r.used_us == k->lease->held_us);
    assert_int_equal(++k->lease->receipts, 1);
}

static void see_entries(void)
{
    for (; p.entries_seen < p.w.entry_count; p.entries_seen++)
        if (p.w.entries[p.entries_seen].kind == GW_RECORD_RECEIPT)
            see_receipt(&p.w.entries[p.entries_seen]);
}

static void see_acks(void)
{
    for (size_t i = 0; i < p.w.ack_count; i++) {
        const struct measured *m = find_measured(p.w.acks[i]);
        assert_non_null(m);
        assert_true(m->is_stored);
    }
    p.w.ack_count = 0;
}

static void assert_may_be_answered(const struct fake_exchange *e, bool is_gone)
{
    const char *id = flow_trailer(e, "sluice-call-id");
    assert_true(id != NULL || is_gone);
    for (size_t i = 0; i < p.kept_count; i++)
        if (id != NULL && strcmp(p.kept[i].call_id, id) == 0)
            assert_true(p.kept[i].is_stored || p.w.store_is_passed_by || p.is_given_up);
}

static void see_replies(void)
{
    for (size_t i = 0; i < OPEN_MAX; i++) {
        if (p.open[i] == NULL || p.is_replied[i] || p.open[i]->replies == 0)
            continue;
        assert_int_equal(p.open[i]->replies, 1);
        assert_may_be_answered(p.open[i], p.is_gone[i]);
        p.is_replied[i] = true;
    }
}

static void see_account(void)
{
    const struct gw_principal who = {.purse_count = 1, .purses = {{"ip:192.0.2.1", GW_FACTOR_ONE}}};
    struct gw_quota q;
    assert_ok(gw_ledger_check(gw_flow_ledger(p.w.flow)));
    gw_ledger_quota(gw_flow_ledger(p.w.flow), &who, &day_tiers, p.wall, &q);
    assert_true(q.spent_us >= p.charged_us); /* more: receipts that found no room yet */
    if (p.w.append_answer == SL_OK)
        assert_true(q.spent_us == p.charged_us);
    assert_true(q.spent_us + q.held_us <= q.limit_us);
}

static void take_sent(void)
{
    for (size_t i = 0; i < p.w.sent_count; i++) {
        assert_true(p.lease_count < LEASES_MAX);
        p.leases[p.lease_count++] =
            (struct lease){.id = p.w.sent[i].lease, .node = p.w.sent[i].node[1] == '1' ? 0 : 1};
    }
    p.w.sent_count = p.w.cancel_count = 0;
}

/* ---- steps */

static size_t any_open(void)
{
    size_t i = dice(OPEN_MAX);
    return p.open[i] != NULL ? i : OPEN_MAX;
}

static void call(void)
{
    static const char *const durations[] = {"60", "auto", "100ms"};
    size_t i = dice(OPEN_MAX);
    if (p.open[i] != NULL)
        return;
    struct fake_exchange *e = p.open[i] = fake_exchange(&p.w, GW_METHOD_MODEL_INFER);
    p.is_replied[i] = p.is_gone[i] = false;
    e->x.req.duration = sl_span_str(durations[dice(SL_ARRAY_LEN(durations))]);
    if (dice(4) == 0)
        e->x.req.deadline_at = p.w.now + (1 + dice(3000)) * SL_NS_PER_MS;
    if (dice(4) == 0)
        e->x.req.on_disconnect = sl_span_str("keep");
    fake_event(&p.w, e, GW_EV_OPEN);
    fake_message(&p.w, e, flow_request());
}

static void cancel(void)
{
    size_t i = any_open();
    if (i == OPEN_MAX || p.is_gone[i])
        return;
    p.is_gone[i] = true;
    p.open[i]->x.is_disconnect = dice(2) == 0; /* what asked to be kept goes on then */
    fake_event(&p.w, p.open[i], GW_EV_GONE);
}

static void leave(void)
{
    size_t i = any_open();
    if (i == OPEN_MAX || !p.is_replied[i])
        return;
    fake_leave(&p.w, p.open[i]);
    p.open[i] = NULL;
}

static struct measured *measure(size_t node, int64_t held_us, bool is_told)
{
    assert_true(p.measured_count < TOLD_MAX);
    struct measured *m = &p.measured[p.measured_count++];
    *m = (struct measured){.node = node,
                           .record = (uint64_t)p.measured_count << 16,
                           .held_us = held_us,
                           .is_told = is_told};
    p.w.record = m->record;
    return m;
}

static void start(void)
{
    if (p.lease_count == 0)
        return;
    struct lease *l = &p.leases[dice((unsigned)p.lease_count)];
    if (l->is_started || p.nodes[l->node] == NULL)
        return;
    l->is_started = true;
    fake_started(&p.w, p.nodes[l->node], l->id);
}

/* As fake_result and fake_failure have them. */
static void end_started(const struct lease *l)
{
    static const enum sl_reason reasons[] = {SL_REASON_MODEL_ERROR, SL_REASON_DEVICE_FAULT,
                                             SL_REASON_DURATION_EXCEEDED, SL_REASON_CANCELLED};
    bool is_good = dice(3) > 0;
    measure(l->node, is_good ? 12345 : 777, true);
    if (is_good)
        fake_result(&p.w, p.nodes[l->node], l->id, dice(2) == 0);
    else
        fake_failure(&p.w, p.nodes[l->node], l->id, true, reasons[dice(SL_ARRAY_LEN(reasons))], "");
}

static void end(void)
{
    if (p.lease_count == 0)
        return;
    struct lease *at = &p.leases[dice((unsigned)p.lease_count)], l = *at;
    *at = p.leases[--p.lease_count];
    if (l.is_started || dice(2) == 0) /* a start need not be told */
        end_started(&l);
    else if (dice(2) == 0)
        fake_returned(&p.w, p.nodes[l.node], l.id);
    else
        fake_failure(&p.w, p.nodes[l.node], l.id, false, SL_REASON_CANCELLED, "");
}

static void join(size_t node)
{
    p.w.journal = node + 1;
    p.nodes[node] = fake_join(&p.w, node == 0 ? "n1" : "n2", 2, "m");
    assert_non_null(p.nodes[node]);
}

/* What it had begun it tells when it is back. */
static void come_back(size_t node)
{
    size_t left = 0;
    for (size_t i = 0; i < p.lease_count; i++) {
        if (p.leases[i].node != node)
            p.leases[left++] = p.leases[i];
        else if (p.leases[i].is_started)
            measure(node, 555, false);
    }
    p.lease_count = left;
    join(node);
}

static void lose(void)
{
    size_t node = dice(NODES);
    gw_flow_on_lost(p.w.flow, p.nodes[node], "a test", p.w.now);
    come_back(node);
}

/* A dispatch that finds no way to its node has it lost. */
static void see_nodes(void)
{
    static const char *const names[] = {"n1", "n2"};
    for (size_t i = 0; i < NODES; i++)
        if (gw_fleet_node_by_name(gw_flow_fleet(p.w.flow), names[i]) == NULL)
            come_back(i);
}

static void look(void)
{
    fake_turn(&p.w);
    take_sent();
    see_nodes();
    see_entries();
    see_acks();
    see_replies();
    see_account();
}

static void tell(const struct measured *m)
{
    gw_flow_on_ended(p.w.flow, p.nodes[m->node],
                     &(struct gw_ended){.record = m->record,
                                        .model = sl_span_str("m"),
                                        .held_us = m->held_us,
                                        .reason = SL_REASON_OK});
}

/* Also what was told before, as a node does that was not acknowledged. */
static void tell_again(void)
{
    if (p.measured_count == 0)
        return;
    struct measured *m = &p.measured[dice((unsigned)p.measured_count)];
    m->is_told = true;
    tell(m);
}

static void store_one(sl_status outcome)
{
    if (p.w.answered_count == p.w.entry_count)
        return;
    if (p.w.entries[p.w.answered_count].kind == GW_RECORD_RECEIPT && outcome == SL_OK) {
        struct kept *k = &p.kept[p.stored_count++];
        k->is_stored = true;
        if (k->lease != NULL)
            k->lease->is_stored = true;
    }
    fake_stored(&p.w, 1, outcome);
}

static void store(void)
{
    for (unsigned count = dice(6); count > 0; count--)
        store_one(SL_OK);
    if (p.w.answered_count == p.w.entry_count)
        p.w.answered_count = p.w.entry_count = p.entries_seen = 0;
}

static void pass_time(void)
{
    p.w.now += dice(1000) * SL_NS_PER_MS;
    p.wall += dice(1000) * 1000;
    gw_flow_set_wall(p.w.flow, p.wall);
}

static void change_store(void)
{
    if (dice(3) == 0)
        p.w.store_is_passed_by = !p.w.store_is_passed_by;
    else
        p.w.append_answer = p.w.append_answer == SL_OK ? SL_EFULL : SL_OK;
}

static void change_way(void)
{
    static const sl_status answers[] = {SL_OK, SL_OK, SL_OK, SL_EFULL, SL_ENOENT, SL_ENOMEM};
    p.w.dispatch_answer = answers[dice(SL_ARRAY_LEN(answers))];
    for (size_t i = 0; i < NODES; i++)
        gw_flow_on_heard(p.w.flow, p.nodes[i], false, p.w.now);
}

static void step(void)
{
    static void (*const deeds[])(void) = {call,      call,      call,         start,      start,
                                          end,       end,       leave,        leave,      cancel,
                                          store,     store,     store,        tell_again, store,
                                          pass_time, pass_time, change_store, change_way};
    unsigned at = dice(SL_ARRAY_LEN(deeds));
    if (dice(40) == 0)
        lose();
    else
        deeds[at]();
    look();
}

/* ---- a play */

static void begin(unsigned seed)
{
    p = (struct play){.wall = 1800000000 * S};
    sl_rng_seed(&p.rng, seed);
    day_tiers.sizes[0].factor_thousandths = seed % 2 == 0 ? GW_FACTOR_ONE : 1500;
    flow_begin(&p.w);
    p.w.conf.tiers = &day_tiers;
    p.w.has_store = true;
    flow_start(&p.w);
    gw_flow_set_wall(p.w.flow, p.wall);
    for (size_t i = 0; i < NODES; i++)
        join(i);
}

static void end_all_leases(void)
{
    while (p.lease_count > 0) {
        end();
        look();
    }
    for (size_t i = 0; i < p.measured_count; i++)
        if (!p.measured[i].is_told || p.measured[i].receipts == 0)
            tell(&p.measured[i]);
    look();
}

/* Nothing is lost, whatever came before: each lease has its receipt, and each receipt is stored. */
static void settle(void)
{
    p.w.append_answer = p.w.dispatch_answer = SL_OK;
    gw_flow_end_all(p.w.flow, p.w.now);
    look();
    end_all_leases();
    assert_true(gw_flow_is_settled(p.w.flow));
    while (p.w.answered_count < p.w.entry_count) {
        store_one(SL_OK);
        see_acks();
    }
    look();
    assert_int_equal(p.stored_count, p.kept_count);
    assert_int_equal(gw_ledger_totals(gw_flow_ledger(p.w.flow)).holds, 0);
    for (size_t i = 0; i < p.measured_count; i++) {
        assert_int_equal(p.measured[i].receipts, 1);
        assert_true(p.measured[i].is_stored);
    }
}

/* The end of the process with a file that cannot be written: all are answered, nothing more is acknowledged. */
static void give_up(void)
{
    gw_flow_end_all(p.w.flow, p.w.now);
    look();
    p.is_given_up = true;
    while (p.w.answered_count < p.w.entry_count)
        store_one(SL_EIO);
    p.w.append_answer = SL_EIO; /* as when the store is closed */
    fake_turn(&p.w);
    see_acks();
    see_replies();
}

static void hear_nothing(void *ctx, const char *line, unsigned len)
{
    (void)ctx, (void)line, (void)len;
}

static void money_adds_up_in_any_order(void **state SL_UNUSED)
{
    sl_log_set_sink(hear_nothing, NULL);
    for (unsigned seed = 1; seed <= PLAYS; seed++) {
        begin(seed);
        for (size_t i = 0; i < STEPS; i++)
            step();
        if (seed % 4 == 0)
            give_up();
        else
            settle();
        for (size_t i = 0; i < OPEN_MAX; i++)
            assert_true(p.open[i] == NULL || p.open[i]->replies == 1);
        flow_finish(&p.w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(money_adds_up_in_any_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
