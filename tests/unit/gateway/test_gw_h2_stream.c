/* test_gw_h2_stream.c - replies of several messages, and headers that leave before their reply: in memory, with peers
 * that read slowly, go away, or have no memory for us. */
#include <stdio.h>
#include <string.h>

#include "fail_alloc.h"
#include "h2_peer.h"
#include "sl_base.h"
#include "sl_test.h"

enum { WHOLE_MAX = 4096, NARROW = 10 };

static struct h2_pair pair;

static struct h2_call *open_call(const struct sl_alloc *alloc, uint32_t window)
{
    assert_true(h2_pair_open(&pair, alloc, window));
    pair.flow.mode = FLOW_HOLD;
    struct h2_call *c = h2_call(&pair, "ask", 3);
    h2_pair_client_to_server(&pair);
    h2_pair_run_flow(&pair);
    return c;
}

static void update(const char *text)
{
    h2_flow_update(pair.flow.last, NULL, sl_span_str(text));
}

static void reply(const char *text)
{
    struct sl_span *piece = sl_arena_get(&pair.flow.last->arena, sizeof *piece);
    assert_non_null(piece);
    *piece = sl_span_str(text);
    h2_flow_reply(&pair, pair.flow.last, piece, 1);
}

static void close_pair(void)
{
    pair.flow.mode = FLOW_ECHO;
    h2_pair_run(&pair);
    h2_pair_close(&pair);
}

/* The messages that came, with a comma behind each. */
static const char *came(const struct h2_call *c)
{
    static char text[WHOLE_MAX];
    size_t at = 0, n = 0;
    while (at + GW_GRPC_PREFIX_BYTES <= c->download.len) {
        const uint8_t *prefix = c->download.data + at;
        size_t len = (size_t)prefix[3] << 8 | prefix[4];
        assert_int_equal(prefix[0] | prefix[1] | prefix[2], 0);
        at += GW_GRPC_PREFIX_BYTES;
        if (at + len > c->download.len)
            break;
        n += (size_t)snprintf(text + n, sizeof text - n, "%.*s,", (int)len,
                              (const char *)c->download.data + at);
        at += len;
    }
    text[n] = '\0';
    return text;
}

static void messages_come_one_after_the_other(void **state SL_UNUSED)
{
    struct h2_call *c = open_call(NULL, 0);
    update("one");
    h2_pair_run(&pair);
    assert_int_equal(c->header_blocks, 1);
    assert_string_equal(came(c), "one,");
    update("two");
    h2_pair_run(&pair);
    assert_string_equal(came(c), "one,two,");
    assert_false(c->is_closed);
    reply("three");
    h2_pair_run(&pair);
    assert_string_equal(came(c), "one,two,three,");
    assert_int_equal(c->grpc_status, 0);
    assert_int_equal(c->header_blocks, 2);
    assert_true(c->is_closed);
    close_pair();
}

static void a_reply_alone_is_as_ever(void **state SL_UNUSED)
{
    struct h2_call *c = open_call(NULL, 0);
    reply("only");
    h2_pair_run(&pair);
    assert_string_equal(came(c), "only,");
    close_pair();
}

static void an_error_ends_a_stream_by_its_trailers(void **state SL_UNUSED)
{
    struct h2_call *c = open_call(NULL, 0);
    update("one");
    h2_pair_run(&pair);
    h2_flow_refuse(&pair, pair.flow.last, SL_REASON_DEADLINE_EXCEEDED);
    h2_pair_run(&pair);
    assert_string_equal(came(c), "one,");
    assert_int_equal(c->grpc_status, SL_GRPC_DEADLINE_EXCEEDED);
    assert_string_equal(c->reason, "DEADLINE_EXCEEDED");
    assert_int_equal(c->header_blocks, 2);
    assert_true(c->is_closed);
    assert_int_equal(c->close_code, 0);
    close_pair();
}

static void who_reads_slowly_gets_the_newest(void **state SL_UNUSED)
{
    struct h2_call *c = open_call(NULL, NARROW);
    update("0123456789"); /* 15 bytes with its prefix */
    h2_pair_server_to_client(&pair);
    assert_string_equal(came(c), "");
    update("one");
    update("two");
    update("three");
    h2_pair_server_to_client(&pair); /* the client's credit has not come */
    assert_string_equal(came(c), "");
    h2_pair_run(&pair);
    assert_string_equal(came(c), "0123456789,three,");
    reply("end");
    h2_pair_run(&pair);
    assert_string_equal(came(c), "0123456789,three,end,");
    assert_int_equal(c->grpc_status, 0);
    close_pair();
}

static void the_end_goes_before_what_waits(void **state SL_UNUSED)
{
    struct h2_call *c = open_call(NULL, NARROW);
    update("0123456789");
    h2_pair_server_to_client(&pair);
    update("old");
    reply("end");
    h2_pair_run(&pair);
    assert_string_equal(came(c), "0123456789,end,");
    close_pair();
}

static void an_error_waits_for_the_message_that_was_begun(void **state SL_UNUSED)
{
    struct h2_call *c = open_call(NULL, NARROW);
    update("0123456789");
    h2_pair_server_to_client(&pair);
    update("old");
    h2_flow_refuse(&pair, pair.flow.last, SL_REASON_CANCELLED);
    h2_pair_run(&pair);
    assert_string_equal(came(c), "0123456789,");
    assert_int_equal(c->grpc_status, SL_GRPC_CANCELLED);
    close_pair();
}

static void who_goes_away_leaves_nothing(void **state SL_UNUSED)
{
    struct h2_call *c = open_call(NULL, NARROW);
    update("0123456789");
    h2_pair_server_to_client(&pair);
    update("waits");
    h2_call_reset(&pair, c);
    h2_pair_client_to_server(&pair);
    assert_int_equal(pair.flow.queued, 1); /* GONE */
    update("too late");
    close_pair();
    assert_int_equal(h2_flow_count(&pair, GW_EV_GONE), 1);
}

static void a_lost_connection_leaves_nothing(void **state SL_UNUSED)
{
    open_call(NULL, 0);
    update("one");
    h2_pair_run(&pair);
    update("two");
    h2_pair_close(&pair);
}

static void who_takes_nothing_for_too_long_is_reset(void **state SL_UNUSED)
{
    struct h2_call *c = open_call(NULL, NARROW);
    update("0123456789");
    h2_pair_server_to_client(&pair);
    pair.now += 31 * SL_NS_PER_S;
    assert_true(gw_h2_tick(pair.server, pair.now));
    h2_pair_server_to_client(&pair);
    assert_true(c->is_closed);
    assert_int_equal(c->close_code, NGHTTP2_CANCEL);
    close_pair();
}

/* Its last word waits for the window, too. */
static void an_end_that_is_not_taken_is_reset(void **state SL_UNUSED)
{
    struct h2_call *c = open_call(NULL, NARROW);
    update("01234"); /* just what the window takes */
    h2_pair_server_to_client(&pair);
    assert_string_equal(came(c), "01234,");
    pair.now += 100 * SL_NS_PER_S;
    assert_false(gw_h2_tick(pair.server, pair.now)); /* there was nothing that it could take */
    reply("end");
    h2_pair_server_to_client(&pair);
    assert_false(gw_h2_tick(pair.server, pair.now));
    pair.now += 31 * SL_NS_PER_S;
    assert_true(gw_h2_tick(pair.server, pair.now));
    h2_pair_server_to_client(&pair);
    assert_true(c->is_closed);
    close_pair();
}

static void who_waits_for_news_is_not_slow(void **state SL_UNUSED)
{
    struct h2_call *c = open_call(NULL, 0);
    update("one");
    h2_pair_run(&pair);
    for (int i = 0; i < 10; i++) {
        pair.now += 31 * SL_NS_PER_S;
        assert_false(gw_h2_tick(pair.server, pair.now));
    }
    assert_false(c->is_closed);
    update("two");
    h2_pair_run(&pair);
    assert_string_equal(came(c), "one,two,");
    close_pair();
}

/* ---- headers before the reply */

static void headers_may_leave_early(void **state SL_UNUSED)
{
    struct h2_call *c = open_call(NULL, 0);
    h2_flow_head(pair.flow.last, "x-early", "7");
    h2_pair_run(&pair);
    assert_string_equal(c->early, "7");
    assert_int_equal(c->header_blocks, 1);
    reply("late");
    h2_pair_run(&pair);
    assert_string_equal(came(c), "late,");
    assert_int_equal(c->header_blocks, 2);
    close_pair();
}

static void headers_and_reply_may_come_together(void **state SL_UNUSED)
{
    struct h2_call *c = open_call(NULL, 0);
    h2_flow_head(pair.flow.last, "x-early", "7");
    reply("at once");
    h2_pair_run(&pair);
    assert_string_equal(c->early, "7");
    assert_string_equal(came(c), "at once,");
    close_pair();
}

static void an_error_may_follow_early_headers(void **state SL_UNUSED)
{
    struct h2_call *c = open_call(NULL, 0);
    h2_flow_head(pair.flow.last, "x-early", "7");
    h2_pair_run(&pair);
    h2_flow_refuse(&pair, pair.flow.last, SL_REASON_ALLOCATION_TIMEOUT);
    h2_pair_run(&pair);
    assert_string_equal(c->reason, "ALLOCATION_TIMEOUT");
    assert_string_equal(came(c), "");
    assert_int_equal(c->header_blocks, 2);
    assert_int_equal(c->close_code, 0);
    close_pair();
}

static void headers_for_who_has_gone_are_dropped(void **state SL_UNUSED)
{
    struct h2_call *c = open_call(NULL, 0);
    h2_call_reset(&pair, c);
    h2_pair_client_to_server(&pair);
    h2_flow_head(pair.flow.last, "x-early", "7");
    h2_pair_server_to_client(&pair);
    assert_string_equal(c->early, "");
    close_pair();
}

/* ---- no memory */

static void play(const struct sl_alloc *alloc)
{
    if (!h2_pair_open(&pair, alloc, 0)) {
        pair.flow.mode = FLOW_ECHO;
        gw_stream_pool_finish(&pair.pool);
        h2_pair_leave(&pair);
        return;
    }
    pair.flow.mode = FLOW_HOLD;
    struct h2_call *c = h2_call(&pair, "ask", 3);
    h2_pair_run(&pair);
    if (h2_flow_count(&pair, GW_EV_MESSAGE) == 1 && !c->is_closed) {
        h2_flow_head(pair.flow.last, "x-early", "7");
        h2_flow_update(pair.flow.last, alloc, sl_span_str("one"));
        h2_pair_server_to_client(&pair);
        h2_flow_update(pair.flow.last, alloc, sl_span_str("two"));
        h2_flow_update(pair.flow.last, alloc, sl_span_str("three"));
        h2_pair_run(&pair);
    }
    if (h2_flow_count(&pair, GW_EV_GONE) == 1) /* it was heard, and not answered */
        h2_flow_refuse(&pair, pair.flow.last, SL_REASON_CANCELLED);
    close_pair();
}

static void nothing_is_left_over_without_memory(void **state SL_UNUSED)
{
    struct fail_alloc memory;
    for (size_t i = 1; fail_alloc_start(&memory, i); i++) {
        play(&memory.alloc);
        assert_int_equal(fail_alloc_finish(&memory), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_one_after_the_other),
        cmocka_unit_test(a_reply_alone_is_as_ever),
        cmocka_unit_test(an_error_ends_a_stream_by_its_trailers),
        cmocka_unit_test(who_reads_slowly_gets_the_newest),
        cmocka_unit_test(the_end_goes_before_what_waits),
        cmocka_unit_test(an_error_waits_for_the_message_that_was_begun),
        cmocka_unit_test(who_goes_away_leaves_nothing),
        cmocka_unit_test(a_lost_connection_leaves_nothing),
        cmocka_unit_test(who_takes_nothing_for_too_long_is_reset),
        cmocka_unit_test(an_end_that_is_not_taken_is_reset),
        cmocka_unit_test(who_waits_for_news_is_not_slow),
        cmocka_unit_test(headers_may_leave_early),
        cmocka_unit_test(headers_and_reply_may_come_together),
        cmocka_unit_test(an_error_may_follow_early_headers),
        cmocka_unit_test(headers_for_who_has_gone_are_dropped),
        cmocka_unit_test(nothing_is_left_over_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
