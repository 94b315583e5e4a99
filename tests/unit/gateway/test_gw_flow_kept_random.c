/* test_gw_flow_kept_random.c - random programs of calls with few keys, retries, cancels, deadlines, lost connections, nodes that
 * fail, a store and a disk that take their time: under a key one call runs at a time, what was charged is charged once while it
 * is remembered, each caller is answered once, and as the call that ran was; nothing is left over. */
#include "flow_rig.h"
#include "gw_ledger.h"
#include "gw_receipt_code.h"
#include "sl_base.h"
#include "sl_log.h"
#include "sl_rng.h"
#include "sl_test.h"
#include "sl_text.h"

enum {
    PLAYS = 2000,
    STEPS = 250,
    OPEN_MAX = 24,
    KEYS = 3,
    RUNS_MAX = FAKE_SENT_MAX,
    FIRST_MAX = 2
};

static const char *const keys[KEYS] = {"a", "b", "c"};
static const int64_t keep_ns = 100 * SL_NS_PER_S;
static const sl_wall_us noon = 1800000000 * SL_US_PER_S;

struct asked {
    struct fake_exchange *e; /* NULL: nobody */
    char call_id[SL_UUID_TEXT_LEN + 1];
    size_t key;
    bool is_gone, is_seen;
};

/* A lease; its call's key. */
struct ran {
    size_t key;
    char call_id[SL_UUID_TEXT_LEN + 1];
    bool is_over;
};

struct play {
    struct fake_world w;
    struct sl_rng rng;
    sl_mono_ns began_at;
    struct gw_fleet_node *node;
    struct asked asked[OPEN_MAX];
    struct ran runs[RUNS_MAX];
    size_t run_count, entries_seen;
    sl_wall_us charged_at[KEYS]; /* the last time; 0: never */
    unsigned shown_count;        /* results by reference */
    uint32_t next_name;
};

static struct play p;

static unsigned dice(unsigned sides)
{
    return (unsigned)sl_rng_below(&p.rng, sides);
}

static sl_wall_us wall(void)
{
    return noon + (p.w.now - p.began_at) / SL_NS_PER_US;
}

/* ---- what must hold */

static size_t key_of(const char *call_id)
{
    for (size_t i = 0; i < p.run_count; i++)
        if (strcmp(p.runs[i].call_id, call_id) == 0)
            return p.runs[i].key;
    return KEYS;
}

static void see_runs(void)
{
    for (; p.run_count < p.w.sent_count; p.run_count++) {
        struct ran *r = &p.runs[p.run_count];
        *r = (struct ran){.key = KEYS};
        memcpy(r->call_id, p.w.sent[p.run_count].call_id, sizeof r->call_id);
        for (size_t i = 0; i < OPEN_MAX; i++)
            if (p.asked[i].e != NULL && strcmp(p.asked[i].call_id, r->call_id) == 0)
                r->key = p.asked[i].key;
        assert_true(r->key < KEYS);
        for (size_t i = 0; i < p.run_count; i++)
            assert_true(p.runs[i].is_over || p.runs[i].key != r->key);
    }
}

/* What is remembered is charged once. */
static void see_receipts(void)
{
    for (; p.entries_seen < p.w.entry_count; p.entries_seen++) {
        const struct fake_entry *e = &p.w.entries[p.entries_seen];
        struct gw_receipt r;
        char id[SL_UUID_TEXT_LEN + 1];
        if (e->kind != GW_RECORD_RECEIPT)
            continue;
        assert_ok(gw_receipt_decode(sl_span_of(e->bytes, e->len), &r));
        sl_text_format_uuid(r.call_id, id);
        size_t key = 0;
        while (key < KEYS && !sl_span_eq_str(r.idempotency_key, keys[key]))
            key++;
        assert_true(key < KEYS);
        assert_true(key_of(id) == key || key_of(id) == KEYS); /* or it never ran */
        if (r.charged_us == 0)
            continue;
        assert_true(p.charged_at[key] == 0 ||
                    r.ended_at - p.charged_at[key] >= keep_ns / SL_NS_PER_US);
        p.charged_at[key] = r.ended_at;
    }
}

/* Who got a result got it from a call that ran under his key. */
static void see_reply(struct asked *a)
{
    const char *id = flow_trailer(a->e, "sluice-call-id");
    assert_int_equal(a->e->replies, 1);
    a->is_seen = true;
    if (a->e->x.reply.error.reason != SL_REASON_OK)
        return;
    flow_assert_good_reply(a->e);
    assert_int_equal(key_of(id), a->key);
    assert_string_equal(flow_trailer(a->e, "sluice-charged-ms"), "12.345");
}

static void see(void)
{
    see_runs();
    see_receipts();
    for (size_t i = 0; i < OPEN_MAX; i++)
        if (p.asked[i].e != NULL && p.asked[i].e->replies > 0 && !p.asked[i].is_seen)
            see_reply(&p.asked[i]);
}

/* ---- steps */

static void ask(void)
{
    static const char *const endings[] = {NULL, "cancel", "keep"};
    size_t i = 0;
    while (i < OPEN_MAX && p.asked[i].e != NULL)
        i++;
    if (i == OPEN_MAX || p.w.sent_count > FAKE_SENT_MAX - 8)
        return;
    struct asked *a = &p.asked[i];
    *a = (struct asked){.e = fake_exchange(&p.w, GW_METHOD_MODEL_INFER), .key = dice(KEYS)};
    sl_text_make_uuid(7, ++p.next_name, a->call_id);
    a->e->x.req.call_id = sl_span_str(a->call_id);
    a->e->x.req.idempotency_key = sl_span_str(keys[a->key]);
    const char *ending = endings[dice(3)];
    if (ending != NULL)
        a->e->x.req.on_disconnect = sl_span_str(ending);
    if (dice(4) == 0)
        a->e->x.req.deadline_at = p.w.now + (int64_t)(1 + dice(60)) * SL_NS_PER_S;
    fake_event(&p.w, a->e, GW_EV_OPEN);
    fake_message(&p.w, a->e, flow_request_of(dice(12) == 0 ? "none" : "m", dice(10) == 0));
}

static struct asked *anybody(void)
{
    struct asked *a = &p.asked[dice(OPEN_MAX)];
    return a->e == NULL ? NULL : a;
}

static void go(struct asked *a)
{
    if (a == NULL || a->is_gone || a->e->replies > 0)
        return;
    a->is_gone = true;
    a->e->x.is_disconnect = dice(2) == 0;
    fake_event(&p.w, a->e, GW_EV_GONE);
}

static void leave(struct asked *a)
{
    if (a == NULL || !a->is_seen)
        return;
    fake_leave(&p.w, a->e);
    a->e = NULL;
}

static size_t some_run(void)
{
    size_t i = 0;
    while (i < p.run_count && p.runs[i].is_over)
        i++;
    return i;
}

static void end_run(void)
{
    size_t i = some_run();
    if (i == p.run_count)
        return;
    sl_slot_id lease = p.w.sent[i].lease;
    p.runs[i].is_over = true;
    p.w.record = i + 1;
    if (dice(2) == 0)
        fake_started(&p.w, p.node, lease);
    unsigned how = dice(8);
    if (how < 5) {
        p.shown_count += how < 3;
        fake_result(&p.w, p.node, lease, how < 3);
    } else if (how == 5) {
        fake_failure(&p.w, p.node, lease, true, SL_REASON_MODEL_ERROR, "no");
    } else if (how == 6) {
        fake_failure(&p.w, p.node, lease, true, SL_REASON_DEVICE_FAULT, "the device");
    } else {
        fake_failure(&p.w, p.node, lease, false, SL_REASON_CANCELLED, "");
    }
}

static void pass_time(void)
{
    p.w.now += (int64_t)dice(dice(10) == 0 ? 120 : 4) * SL_NS_PER_S;
    gw_flow_set_wall(p.w.flow, wall());
}

static void step(void)
{
    switch (dice(12)) {
    case 0:
    case 1:
    case 2:
        ask();
        break;
    case 3:
        go(anybody());
        break;
    case 4:
    case 5:
        leave(anybody());
        break;
    case 6:
    case 7:
        end_run();
        break;
    case 8:
        pass_time();
        break;
    case 9:
        p.w.disk_answer = dice(6) == 0 ? SL_EIO : SL_OK;
        fake_errands(&p.w);
        break;
    default:
        fake_stored(&p.w, dice(6), SL_OK);
    }
    fake_turn(&p.w);
    see();
}

/* ---- a play */

static void begin(uint64_t seed)
{
    p = (struct play){.node = NULL};
    sl_rng_seed(&p.rng, seed);
    flow_begin(&p.w);
    p.began_at = p.w.now;
    p.w.has_store = true;
    p.w.digests_later = dice(2) == 0;
    p.w.has_disk = dice(2) == 0;
    p.w.conf.results.keep_ns = keep_ns;
    p.w.conf.results.in_memory.one_bytes = dice(2) == 0 ? 16 : 15;
    p.w.journal = 1;
    flow_start(&p.w);
    gw_flow_set_wall(p.w.flow, wall());
    p.node = fake_join(&p.w, "n1", 2, "m");
    assert_non_null(p.node);
}

static void finish(void)
{
    for (int i = 0; i < 4; i++) { /* what ends may let others begin */
        gw_flow_end_all(p.w.flow, p.w.now);
        while (some_run() < p.run_count)
            end_run();
        fake_turn(&p.w);
        fake_errands(&p.w);
        fake_stored(&p.w, FAKE_SENT_MAX, SL_OK);
        see();
    }
    for (size_t i = 0; i < OPEN_MAX; i++)
        leave(p.asked[i].e == NULL ? NULL : &p.asked[i]);
    flow_finish(&p.w);
    assert_int_equal(p.w.releases, p.shown_count);
}

static void random_programs_run_and_charge_once(void **state SL_UNUSED)
{
    for (uint64_t seed = 1; seed <= PLAYS; seed++) {
        begin(seed);
        for (int i = 0; i < STEPS; i++)
            step();
        finish();
    }
}

int main(void)
{
    sl_log_set_level(SL_LOG_ERROR);
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_programs_run_and_charge_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
