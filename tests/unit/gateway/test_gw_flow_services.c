/* test_gw_flow_services.c - sluice.v1 in the flow: who may ask, what waits for what, and that memory and the store's log
 * say the same, whatever fails in between. */
#include "flow_rig.h"

#include "gw_blocks.h"
#include "gw_inquiry.h"
#include "gw_ledger.h"
#include "sl_log.h"
#include "sl_rng.h"
#include "sl_test.h"
#include "sluice/v1/admin.pb-c.h"
#include "sluice/v1/visitor.pb-c.h"

static const struct gw_principal somebody = {
    .kind = GW_PRINCIPAL_USER, .purse_count = 1, .purses = {{"user:ana", GW_FACTOR_ONE}}};

static const sl_wall_us wall_now = 1767225600 * SL_US_PER_S;

static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

static struct fake_exchange *ask_packed(struct fake_world *w, enum gw_method m,
                                        const ProtobufCMessage *message)
{
    uint8_t packed[4096];
    assert_true(protobuf_c_message_get_packed_size(message) <= sizeof packed);
    size_t len = protobuf_c_message_pack(message, packed);
    return flow_ask(w, m, sl_span_of(packed, len));
}

/* Fields 1 and 2 as texts: what most requests have. */
static struct fake_exchange *ask(struct fake_world *w, enum gw_method m, const char *first,
                                 const char *second)
{
    uint8_t message[256] = {0x0a, (uint8_t)strlen(first)};
    size_t len = 2 + strlen(first);
    memcpy(message + 2, first, strlen(first));
    if (second != NULL) {
        message[len] = 0x12;
        message[len + 1] = (uint8_t)strlen(second);
        memcpy(message + len + 2, second, strlen(second));
        len += 2 + strlen(second);
    }
    return flow_ask(w, m, sl_span_of(message, len));
}

static struct fake_exchange *ask_nothing(struct fake_world *w, enum gw_method m)
{
    return flow_ask(w, m, sl_span_of("", 0));
}

static struct fake_exchange *register_app(struct fake_world *w, const char *name, const char *owner)
{
    Sluice__V1__RegisterAppRequest m = SLUICE__V1__REGISTER_APP_REQUEST__INIT;
    m.name = text(name);
    m.owner = text(owner);
    m.owner_tier = text("all");
    return ask_packed(w, GW_METHOD_REGISTER_APP, &m.base);
}

static struct fake_exchange *make_token(struct fake_world *w, const char *user, const char *app)
{
    Sluice__V1__CreateTokenRequest m = SLUICE__V1__CREATE_TOKEN_REQUEST__INIT;
    m.user = text(user);
    m.tier = text("all");
    m.app = text(app);
    return ask_packed(w, GW_METHOD_CREATE_TOKEN, &m.base);
}

static struct fake_exchange *grant(struct fake_world *w, const char *account, int64_t amount_us)
{
    Sluice__V1__GrantTimeRequest m = SLUICE__V1__GRANT_TIME_REQUEST__INIT;
    m.account = text(account);
    m.amount_us = amount_us;
    m.reason = text("test");
    return ask_packed(w, GW_METHOD_GRANT_TIME, &m.base);
}

static void begin(struct fake_world *w)
{
    flow_begin(w);
    w->has_store = true;
    flow_start(w);
    gw_flow_set_wall(w->flow, wall_now);
}

static void expect_waiting(const struct fake_exchange *e)
{
    assert_int_equal(e->replies, 0);
}

static struct sl_span piece(const struct fake_exchange *e)
{
    flow_assert_replied(e, SL_REASON_OK, NULL);
    return e->x.reply.pieces[0];
}

/* ---- who */

static void admin_is_for_administrators(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    w.who = &somebody;
    for (int m = GW_METHOD_UNKNOWN + 1; m < GW_METHOD_COUNT; m++) {
        if (gw_method_audience((enum gw_method)m) != GW_FOR_ADMINS)
            continue;
        struct fake_exchange *e = ask(&w, (enum gw_method)m, "user:ana", "test");
        flow_assert_replied(e, SL_REASON_NOT_TRUSTED, NULL);
        assert_non_null(
            strstr(e->x.reply.error.text, "is for administrators, and user:ana is none"));
    }
    assert_int_equal(w.entry_count, 0);
    flow_assert_replied(ask_nothing(&w, GW_METHOD_LIST_MODELS), SL_REASON_OK, NULL);
    w.identity = GW_IDENTITY_REFUSED;
    sl_error_set(&w.identity_error, SL_REASON_UNAUTHENTICATED, "the token is not valid");
    flow_assert_replied(ask_nothing(&w, GW_METHOD_LIST_MODELS), SL_REASON_UNAUTHENTICATED, NULL);
    flow_assert_replied(ask_nothing(&w, GW_METHOD_SERVER_LIVE), SL_REASON_OK, NULL);
    flow_finish(&w);
}

static void an_inquiry_waits_for_keys_with_its_message(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    w.identity = GW_IDENTITY_LATER;
    struct fake_exchange *a = ask(&w, GW_METHOD_GET_ACCOUNT, "user:ana", NULL);
    struct fake_exchange *b = ask(&w, GW_METHOD_REVOKE_TOKEN, "sl_none", NULL);
    gw_flow_on_identities(w.flow, w.now);
    expect_waiting(a);
    w.identity = GW_IDENTITY_KNOWN;
    gw_flow_on_identities(w.flow, w.now);
    Sluice__V1__Account *m = sluice__v1__account__unpack(NULL, piece(a).len, piece(a).data);
    assert_string_equal(m->account, "user:ana");
    sluice__v1__account__free_unpacked(m, NULL);
    flow_assert_replied(b, SL_REASON_NOT_FOUND, NULL);
    flow_finish(&w);
}

static void other_ends_of_that_wait(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    w.identity = GW_IDENTITY_LATER;
    struct fake_exchange *gone = ask_nothing(&w, GW_METHOD_GET_QUOTA);
    struct fake_exchange *late = ask_nothing(&w, GW_METHOD_GET_QUOTA);
    struct fake_exchange *due = fake_exchange(&w, GW_METHOD_GET_QUOTA);
    due->x.req.deadline_at = w.now + SL_NS_PER_S;
    fake_event(&w, due, GW_EV_OPEN);
    fake_message(&w, due, gw_body_create(&sl_alloc_malloc, 0));
    fake_event(&w, gone, GW_EV_GONE);
    flow_assert_replied(gone, SL_REASON_CANCELLED, NULL);
    assert_true(gw_flow_next_at(w.flow) == w.now + SL_NS_PER_S);
    fake_advance(&w, SL_NS_PER_S);
    flow_assert_replied(due, SL_REASON_DEADLINE_EXCEEDED, NULL);
    fake_advance(&w, w.conf.identity_wait_ns);
    flow_assert_replied(late, SL_REASON_NO_CAPACITY, NULL);
    struct fake_exchange *last = ask_nothing(&w, GW_METHOD_GET_QUOTA);
    gw_flow_end_all(w.flow, w.now);
    flow_assert_replied(last, SL_REASON_DRAINING, NULL);
    gw_flow_on_identities(w.flow, w.now); /* nobody waits any more */
    flow_finish(&w);
}

static void there_is_a_most_of_them(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    w.identity = GW_IDENTITY_LATER;
    for (int i = 0; i < GW_INQUIRIES_OPEN_MAX; i++)
        expect_waiting(ask_nothing(&w, GW_METHOD_GET_QUOTA));
    flow_assert_replied(ask_nothing(&w, GW_METHOD_GET_QUOTA), SL_REASON_NO_CAPACITY,
                        "too many requests of this kind are under way; try again");
    w.identity = GW_IDENTITY_KNOWN; /* an administrator */
    for (int i = GW_INQUIRIES_OPEN_MAX; i < GW_INQUIRIES_MAX; i++)
        expect_waiting(ask_nothing(&w, GW_METHOD_LIST_GRANTS));
    flow_assert_replied(ask_nothing(&w, GW_METHOD_GET_QUOTA), SL_REASON_NO_CAPACITY,
                        "256 requests of this kind are under way, which is the limit; try again");
    flow_assert_replied(ask_nothing(&w, GW_METHOD_SERVER_LIVE), SL_REASON_OK, NULL);
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

static void nobody_takes_it_all(void **state SL_UNUSED)
{
    static const struct gw_store_answer empty;
    struct gw_principal who = somebody;
    struct fake_world w;
    begin(&w);
    w.who = &who;
    struct fake_exchange *first = ask_nothing(&w, GW_METHOD_LIST_RECEIPTS);
    uint64_t ticket = w.question_ticket;
    for (int i = 1; i < GW_INQUIRIES_OF_ONE_MAX; i++)
        expect_waiting(ask_nothing(&w, GW_METHOD_LIST_RECEIPTS));
    flow_assert_replied(ask_nothing(&w, GW_METHOD_LIST_RECEIPTS), SL_REASON_QUEUE_FULL,
                        "user:ana has 8 requests of this kind under way, which is the limit");
    flow_assert_replied(ask_nothing(&w, GW_METHOD_GET_QUOTA), SL_REASON_OK, NULL);
    for (int i = GW_INQUIRIES_OF_ONE_MAX; i < GW_INQUIRIES_ASKING_MAX; i++) {
        snprintf(who.purses[0].account, sizeof who.purses[0].account, "user:%d", i);
        expect_waiting(ask_nothing(&w, GW_METHOD_LIST_RECEIPTS));
    }
    who.purses[0].account[5] = 'x';
    flow_assert_replied(ask_nothing(&w, GW_METHOD_LIST_RECEIPTS), SL_REASON_NO_CAPACITY,
                        "too many requests of this kind are under way; try again");
    gw_flow_on_answer(w.flow, ticket, &empty);
    flow_assert_replied(first, SL_REASON_OK, NULL);
    expect_waiting(ask_nothing(&w, GW_METHOD_LIST_RECEIPTS)); /* there is room again */
    w.who = NULL;                                             /* an administrator */
    expect_waiting(ask_nothing(&w, GW_METHOD_LIST_RECEIPTS));
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

/* ---- asking the store */

static void an_answer_may_come_or_not(void **state SL_UNUSED)
{
    static const struct gw_store_answer empty;
    const struct gw_store_answer failed = {.status = SL_EIO, .why = "the store cannot answer: no"};
    struct fake_world w;
    begin(&w);
    struct fake_exchange *e = ask_nothing(&w, GW_METHOD_LIST_GRANTS);
    expect_waiting(e);
    assert_int_equal(w.question.kind, GW_STORE_GRANTS);
    fake_answer(&w, &empty);
    assert_int_equal(e->x.reply.message_bytes, 0);
    flow_assert_replied(e, SL_REASON_OK, NULL);
    fake_answer(&w, &empty); /* nobody asks any more */

    e = ask_nothing(&w, GW_METHOD_EXPORT_USAGE);
    fake_answer(&w, &failed);
    flow_assert_replied(e, SL_REASON_NO_CAPACITY, "the store cannot answer: no");

    e = ask_nothing(&w, GW_METHOD_LIST_RECEIPTS);
    assert_string_equal(w.question.account, "ip:192.0.2.1");
    fake_event(&w, e, GW_EV_GONE);
    flow_assert_replied(e, SL_REASON_CANCELLED, NULL);
    fake_answer(&w, &empty);

    e = ask_nothing(&w, GW_METHOD_LIST_GRANTS);
    fake_advance(&w, GW_INQUIRY_WAIT_NS);
    flow_assert_replied(e, SL_REASON_NO_CAPACITY, "the store did not answer in time");

    w.ask_answer = SL_EFULL;
    e = ask_nothing(&w, GW_METHOD_LIST_GRANTS);
    flow_assert_replied(e, SL_REASON_NO_CAPACITY, NULL);
    flow_finish(&w);
}

static void pages_are_asked_for(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    Sluice__V1__ListReceiptsRequest m = SLUICE__V1__LIST_RECEIPTS_REQUEST__INIT;
    m.since_us = 5;
    m.until_us = 9;
    m.app = text("demo");
    m.page_size = 7;
    m.page = 40;
    m.everybody = true;
    ask_packed(&w, GW_METHOD_LIST_RECEIPTS, &m.base);
    assert_string_equal(w.question.account, "");
    assert_string_equal(w.question.app, "demo");
    assert_true(w.question.from == 5 && w.question.until == 9);
    assert_true(w.question.rows_max == 7 && w.question.after_n == 40);
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

/* ---- changes wait until they are stored */

static void a_token_is_told_when_it_is_stored(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    struct fake_exchange *e = make_token(&w, "ana", "");
    expect_waiting(e);
    assert_int_equal(gw_token_table_count(w.door.tokens), 1); /* it holds */
    assert_int_equal(w.entries[0].kind, GW_RECORD_TOKEN);
    fake_stored(&w, 1, SL_OK);
    Sluice__V1__CreateTokenResponse *m =
        sluice__v1__create_token_response__unpack(NULL, piece(e).len, piece(e).data);
    assert_true(gw_token_is_whole(sl_span_str(m->secret)));
    assert_memory_equal(m->secret, m->token->prefix, GW_TOKEN_PREFIX_LEN);
    assert_true(m->token->usable);
    sluice__v1__create_token_response__free_unpacked(m, NULL);
    flow_finish(&w);
}

static void other_ends_of_a_change(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    struct fake_exchange *slow = ask(&w, GW_METHOD_BLOCK_VISITOR, "user:a", "test");
    struct fake_exchange *gone = ask(&w, GW_METHOD_BLOCK_VISITOR, "user:b", "test");
    fake_event(&w, gone, GW_EV_GONE);
    flow_assert_replied(gone, SL_REASON_CANCELLED, NULL);
    fake_advance(&w, GW_INQUIRY_WAIT_NS);
    flow_assert_replied(slow, SL_REASON_NO_CAPACITY, NULL);
    assert_memory_equal(slow->x.reply.error.text, "this holds already", 18);
    fake_stored(&w, 2, SL_OK); /* nobody waits */
    /* The gateway stops: what is on its way is still answered for. */
    struct fake_exchange *good = ask(&w, GW_METHOD_BLOCK_VISITOR, "user:c", "test");
    struct fake_exchange *lost = ask(&w, GW_METHOD_BLOCK_VISITOR, "user:d", "test");
    gw_flow_end_all(w.flow, w.now);
    expect_waiting(good);
    fake_stored(&w, 1, SL_OK);
    fake_stored(&w, 1, SL_EIO);
    flow_assert_replied(good, SL_REASON_OK, NULL);
    flow_assert_replied(lost, SL_REASON_DRAINING, NULL);
    flow_finish(&w);
}

static void an_apps_tokens_go_with_it(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    register_app(&w, "demo", "user:ana");
    make_token(&w, "", "demo");
    make_token(&w, "bob", "demo");
    make_token(&w, "bob", "");
    fake_stored(&w, 4, SL_OK);
    struct fake_exchange *e = ask(&w, GW_METHOD_REMOVE_APP, "demo", NULL);
    assert_int_equal(w.entry_count, 7);
    assert_int_equal(w.entries[6].kind, GW_RECORD_APP); /* after its tokens */
    fake_stored(&w, 2, SL_OK);
    expect_waiting(e); /* for all three */
    fake_stored(&w, 1, SL_OK);
    flow_assert_replied(e, SL_REASON_OK, NULL);
    size_t revoked = 0;
    for (const struct gw_token_row *r = NULL; (r = gw_token_table_next(w.door.tokens, r)) != NULL;)
        revoked += r->is_revoked;
    assert_int_equal(revoked, 2);
    assert_int_equal(gw_apps_count(w.door.apps), 0);
    flow_finish(&w);
}

static void a_full_table_has_room_for_the_good(void **state SL_UNUSED)
{
    struct fake_world w;
    char prefix[GW_TOKEN_PREFIX_LEN + 1];
    begin(&w);
    for (int i = 0; i < OPEN_DOOR_TOKENS_MAX; i++)
        make_token(&w, "ana", "");
    struct fake_exchange *e = make_token(&w, "ana", "");
    flow_assert_replied(e, SL_REASON_NO_CAPACITY,
                        "there are 8 tokens, which is the limit (auth.tokens_max)");
    snprintf(prefix, sizeof prefix, "%s", gw_token_table_next(w.door.tokens, NULL)->prefix);
    ask(&w, GW_METHOD_REVOKE_TOKEN, prefix, NULL);
    expect_waiting(make_token(&w, "ana", ""));
    assert_null(gw_token_table_find_prefix(w.door.tokens, sl_span_str(prefix)));
    fake_stored(&w, w.entry_count, SL_OK);
    flow_finish(&w);
}

static void while_nothing_is_stored_nothing_is_given(void **state SL_UNUSED)
{
    struct fake_world w;
    char prefix[GW_TOKEN_PREFIX_LEN + 1];
    begin(&w);
    make_token(&w, "ana", "");
    register_app(&w, "demo", "user:ana");
    fake_stored(&w, 2, SL_OK);
    snprintf(prefix, sizeof prefix, "%s", gw_token_table_next(w.door.tokens, NULL)->prefix);
    w.store_refuses = true;
    flow_assert_replied(make_token(&w, "bob", ""), SL_REASON_NO_CAPACITY, NULL);
    flow_assert_replied(register_app(&w, "other", "user:ana"), SL_REASON_NO_CAPACITY, NULL);
    flow_assert_replied(grant(&w, "user:ana", 5), SL_REASON_NO_CAPACITY, NULL);
    flow_assert_replied(ask(&w, GW_METHOD_RESUME_APP, "demo", NULL), SL_REASON_NO_CAPACITY, NULL);
    flow_assert_replied(ask(&w, GW_METHOD_UNBLOCK_VISITOR, "user:a", "t"), SL_REASON_NO_CAPACITY,
                        NULL);
    expect_waiting(ask(&w, GW_METHOD_REVOKE_TOKEN, prefix, NULL));
    expect_waiting(ask(&w, GW_METHOD_BLOCK_VISITOR, "user:a", "t"));
    expect_waiting(ask(&w, GW_METHOD_PAUSE_APP, "demo", NULL));
    expect_waiting(ask(&w, GW_METHOD_REMOVE_APP, "demo", NULL));
    assert_true(gw_token_table_next(w.door.tokens, NULL)->is_revoked);
    fake_stored(&w, w.entry_count, SL_OK);
    flow_finish(&w);
}

/* ---- memory and the log say the same */

enum { NAMES = 3, STEPS = 120, ROUNDS = 300 };

static const char *const accounts[NAMES] = {"user:a", "user:b", "ip:192.0.2.9"};
static const char *const apps[NAMES] = {"one", "two", "three"};

/* What the log says. */
struct told {
    int64_t granted_us[NAMES];
    bool is_blocked[NAMES];
    bool has_app[NAMES], is_paused[NAMES];
    size_t good_tokens;
    bool was_made[256], is_revoked[256]; /* tokens by the first byte of their hash */
};

static size_t index_of(struct sl_span name, const char *const *names)
{
    for (size_t i = 0; i < NAMES; i++)
        if (sl_span_eq_str(name, names[i]))
            return i;
    fail_msg("a record of %.*s", (int)name.len, (const char *)name.data);
    return 0;
}

static void read_entry(const struct fake_entry *e, struct told *out)
{
    struct gw_record r;
    size_t i;
    assert_ok(gw_record_decode((int)e->kind, sl_span_of(e->bytes, e->len), &r));
    switch (e->kind) {
    case GW_RECORD_GRANT:
        out->granted_us[index_of(r.grant.account, accounts)] += r.grant.amount_us;
        break;
    case GW_RECORD_BLOCK:
        out->is_blocked[index_of(r.block.account, accounts)] = r.block.is_blocked;
        break;
    case GW_RECORD_APP:
        i = index_of(r.app.name, apps);
        out->has_app[i] = r.app.state != GW_APP_REMOVED;
        out->is_paused[i] = r.app.state == GW_APP_PAUSED;
        break;
    case GW_RECORD_TOKEN:
        out->was_made[r.token.hash[0]] = true;
        out->is_revoked[r.token.hash[0]] = r.token.revoked_at != 0;
        break;
    default:
        fail_msg("an entry of kind %d", (int)e->kind);
    }
}

static void compare_accounts(struct fake_world *w, const struct told *told)
{
    for (size_t i = 0; i < NAMES; i++) {
        struct gw_account_view v = {.held_us = 0};
        struct sl_span name = sl_span_str(accounts[i]);
        (void)gw_ledger_find_account(gw_flow_ledger(w->flow), name, wall_now, &v);
        assert_true(v.row.granted_us == told->granted_us[i]);
        assert_int_equal(v.is_blocked, told->is_blocked[i]);
        assert_int_equal(gw_blocks_find(gw_flow_blocks(w->flow), name) != NULL,
                         told->is_blocked[i]);
    }
    assert_ok(gw_ledger_check(gw_flow_ledger(w->flow)));
}

static void compare_apps(struct fake_world *w, const struct told *told)
{
    for (size_t i = 0; i < NAMES; i++) {
        const struct gw_app_row *row = gw_apps_find(w->door.apps, sl_span_str(apps[i]));
        assert_int_equal(row != NULL, told->has_app[i]);
        if (row != NULL)
            assert_int_equal(row->is_paused, told->is_paused[i]);
    }
}

/* Those that made room for others were of no use any more. */
static void compare_tokens(struct fake_world *w, const struct told *told)
{
    size_t good_told = 0, good = 0;
    for (size_t i = 0; i < SL_ARRAY_LEN(told->was_made); i++)
        good_told += told->was_made[i] && !told->is_revoked[i];
    for (const struct gw_token_row *r = NULL;
         (r = gw_token_table_next(w->door.tokens, r)) != NULL;) {
        assert_true(told->was_made[r->hash[0]]);
        assert_int_equal(r->is_revoked, told->is_revoked[r->hash[0]]);
        good += !r->is_revoked;
    }
    assert_int_equal(good, good_told);
}

static void compare(struct fake_world *w)
{
    struct told told = {.good_tokens = 0};
    for (size_t i = 0; i < w->entry_count; i++)
        read_entry(&w->entries[i], &told);
    compare_accounts(w, &told);
    compare_apps(w, &told);
    compare_tokens(w, &told);
}

static const char *any_prefix(struct fake_world *w, struct sl_rng *rng)
{
    const struct gw_token_row *r = NULL, *found = NULL;
    while ((r = gw_token_table_next(w->door.tokens, r)) != NULL)
        if (found == NULL || sl_rng_u64(rng) % 2 == 0)
            found = r;
    return found != NULL ? found->prefix : "sl_none";
}

static void take_step(struct fake_world *w, struct sl_rng *rng)
{
    const char *account = accounts[sl_rng_u64(rng) % NAMES], *app = apps[sl_rng_u64(rng) % NAMES];
    switch (sl_rng_u64(rng) % 9) {
    case 0:
        make_token(w, "ana", "");
        break;
    case 1:
        make_token(w, "ana", app);
        break;
    case 2:
        ask(w, GW_METHOD_REVOKE_TOKEN, any_prefix(w, rng), NULL);
        break;
    case 3:
        register_app(w, app, sl_rng_u64(rng) % 2 == 0 ? "user:a" : "user:b");
        break;
    case 4:
        ask(w, GW_METHOD_REMOVE_APP, app, NULL);
        break;
    case 5:
        ask(w, sl_rng_u64(rng) % 2 == 0 ? GW_METHOD_PAUSE_APP : GW_METHOD_RESUME_APP, app, NULL);
        break;
    case 6:
        grant(w, account, (int64_t)(sl_rng_u64(rng) % 2001) - 1000);
        break;
    case 7:
        ask(w, GW_METHOD_BLOCK_VISITOR, account, "test");
        break;
    default:
        ask(w, GW_METHOD_UNBLOCK_VISITOR, account, "test");
        break;
    }
}

/* The store refuses now and then, and answers when it likes. */
static void memory_and_the_log_say_the_same(void **state SL_UNUSED)
{
    static struct fake_world w;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        struct sl_rng rng;
        sl_rng_seed(&rng, seed);
        begin(&w);
        for (int i = 0; i < STEPS && w.entry_count + OPEN_DOOR_TOKENS_MAX + 1 < FAKE_SENT_MAX;
             i++) {
            w.append_answer = sl_rng_u64(&rng) % 4 == 0 ? SL_EFULL : SL_OK;
            take_step(&w, &rng);
            compare(&w);
            fake_stored(&w, sl_rng_u64(&rng) % 3, SL_OK);
            if (sl_rng_u64(&rng) % 8 == 0)
                fake_advance(&w, GW_INQUIRY_WAIT_NS);
        }
        fake_stored(&w, w.entry_count, SL_OK);
        flow_finish(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(admin_is_for_administrators),
        cmocka_unit_test(an_inquiry_waits_for_keys_with_its_message),
        cmocka_unit_test(other_ends_of_that_wait),
        cmocka_unit_test(there_is_a_most_of_them),
        cmocka_unit_test(nobody_takes_it_all),
        cmocka_unit_test(an_answer_may_come_or_not),
        cmocka_unit_test(pages_are_asked_for),
        cmocka_unit_test(a_token_is_told_when_it_is_stored),
        cmocka_unit_test(other_ends_of_a_change),
        cmocka_unit_test(an_apps_tokens_go_with_it),
        cmocka_unit_test(a_full_table_has_room_for_the_good),
        cmocka_unit_test(while_nothing_is_stored_nothing_is_given),
        cmocka_unit_test(memory_and_the_log_say_the_same),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
