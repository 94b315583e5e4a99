/* test_gw_grpc_frame.c - every way to cut a message gives the same message; lies are refused. */
#include <stdlib.h>

#include "gw_grpc_frame.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { LIMIT = 1000, WIRE_MAX = GW_GRPC_PREFIX_BYTES + LIMIT };

static size_t make_wire(uint8_t *out, uint32_t message_bytes)
{
    gw_grpc_frame_prefix(false, message_bytes, out);
    for (uint32_t i = 0; i < message_bytes; i++)
        out[GW_GRPC_PREFIX_BYTES + i] = (uint8_t)(i * 7 + 1);
    return GW_GRPC_PREFIX_BYTES + message_bytes;
}

/* A chunk in memory of its own, so that reading past it is seen; memory is lent when asked for. */
static enum gw_grpc_frame_state put(struct gw_grpc_frame *f, const uint8_t *bytes, size_t len,
                                    uint8_t *memory, struct sl_error *e)
{
    uint8_t *own = malloc(len > 0 ? len : 1);
    memcpy(own, bytes, len);
    struct sl_span chunk = sl_span_of(own, len);
    enum gw_grpc_frame_state s = gw_grpc_frame_take(f, &chunk, e);
    if (s == GW_GRPC_FRAME_WAITING && memory != NULL) {
        gw_grpc_frame_lend(f, memory);
        s = gw_grpc_frame_take(f, &chunk, e);
    }
    if (s != GW_GRPC_FRAME_FAILED && s != GW_GRPC_FRAME_WAITING)
        assert_int_equal(chunk.len, 0);
    free(own);
    return s;
}

static void check_whole(struct gw_grpc_frame *f, const uint8_t *wire, const uint8_t *memory)
{
    struct sl_error e;
    assert_int_equal(gw_grpc_frame_end(f, &e), GW_GRPC_FRAME_COMPLETE);
    assert_memory_equal(memory, wire + GW_GRPC_PREFIX_BYTES, f->message_bytes);
}

/* Bit i of cuts: there is a cut after byte i. */
static void check_cuts(uint32_t message_bytes, uint32_t cuts)
{
    uint8_t wire[WIRE_MAX], memory[LIMIT];
    size_t len = make_wire(wire, message_bytes), from = 0;
    struct gw_grpc_frame f;
    struct sl_error e;
    gw_grpc_frame_init(&f, LIMIT);
    for (size_t i = 0; i < len; i++)
        if (i + 1 == len || (cuts >> i & 1) != 0) {
            put(&f, wire + from, i + 1 - from, memory, &e);
            from = i + 1;
        }
    check_whole(&f, wire, memory);
}

static void all_cuts_of_small_messages(void **state SL_UNUSED)
{
    for (uint32_t n = 0; n <= 8; n++)
        for (uint32_t cuts = 0; cuts < 1u << (n + GW_GRPC_PREFIX_BYTES - 1); cuts++)
            check_cuts(n, cuts);
}

static void random_cuts_of_larger_messages(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 3);
    for (int round = 0; round < 2000; round++) {
        uint8_t wire[WIRE_MAX], memory[LIMIT];
        struct gw_grpc_frame f;
        struct sl_error e;
        size_t len = make_wire(wire, (uint32_t)sl_rng_below(&rng, LIMIT + 1));
        gw_grpc_frame_init(&f, LIMIT);
        for (size_t from = 0; from < len;) {
            size_t n = (size_t)sl_rng_below(&rng, 1 + sl_rng_below(&rng, len - from + 1));
            put(&f, wire + from, n, memory, &e);
            from += n;
        }
        check_whole(&f, wire, memory);
    }
}

static void the_rest_waits_for_memory(void **state SL_UNUSED)
{
    uint8_t wire[WIRE_MAX], memory[LIMIT];
    struct gw_grpc_frame f;
    struct sl_error e;
    struct sl_span chunk = sl_span_of(wire, make_wire(wire, 10));
    gw_grpc_frame_init(&f, LIMIT);
    assert_int_equal(gw_grpc_frame_take(&f, &chunk, &e), GW_GRPC_FRAME_WAITING);
    assert_int_equal(f.message_bytes, 10);
    assert_int_equal(chunk.len, 10);
    assert_int_equal(gw_grpc_frame_take(&f, &chunk, &e), GW_GRPC_FRAME_WAITING);
    assert_int_equal(chunk.len, 10);
    gw_grpc_frame_lend(&f, memory);
    assert_int_equal(gw_grpc_frame_take(&f, &chunk, &e), GW_GRPC_FRAME_COMPLETE);
    check_whole(&f, wire, memory);
}

/* What a peer may get wrong, and how it ends when the stream ends there too. */
struct lie {
    const char *name;
    uint8_t bytes[24];
    size_t len;
    enum sl_reason reason;
    const char *says;
};

static const struct lie lies[] = {
    {"nothing at all", {0}, 0, SL_REASON_UNIMPLEMENTED, "carries no message"},
    {"compressed without a header", {1, 0, 0, 0, 0}, 5, SL_REASON_INTERNAL, "grpc-encoding"},
    {"flag 2", {2, 0, 0, 0, 0}, 5, SL_REASON_BAD_INPUT, "byte 2"},
    {"flag 255", {255, 0, 0, 0, 0}, 5, SL_REASON_BAD_INPUT, "byte 255"},
    {"half a prefix", {0, 0, 0}, 3, SL_REASON_BAD_INPUT, "3 of the 5 bytes"},
    {"half a message", {0, 0, 0, 0, 4, 1, 2}, 7, SL_REASON_BAD_INPUT, "2 of the message's 4"},
    {"prefix alone", {0, 0, 0, 0, 4}, 5, SL_REASON_BAD_INPUT, "0 of the message's 4"},
    {"one over the limit",
     {0, 0, 0, 3, 0xe9},
     5,
     SL_REASON_TOO_LARGE,
     "1001 bytes; this method takes at most 1000"},
    {"4 GiB", {0, 255, 255, 255, 255}, 5, SL_REASON_TOO_LARGE, "4294967295"},
    {"a byte too many", {0, 0, 0, 0, 1, 9, 9}, 7, SL_REASON_UNIMPLEMENTED, "exactly one message"},
    {"a second message",
     {0, 0, 0, 0, 1, 9, 0, 0, 0, 0, 0},
     11,
     SL_REASON_UNIMPLEMENTED,
     "exactly one message"},
    {"two empty messages",
     {0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
     10,
     SL_REASON_UNIMPLEMENTED,
     "exactly one message"},
};

static void check_lie(const struct lie *lie, size_t step)
{
    uint8_t memory[LIMIT];
    struct gw_grpc_frame f;
    struct sl_error e = {0};
    gw_grpc_frame_init(&f, LIMIT);
    for (size_t i = 0; i < lie->len && f.state != GW_GRPC_FRAME_FAILED; i += step)
        put(&f, lie->bytes + i, lie->len - i < step ? lie->len - i : step, memory, &e);
    if (gw_grpc_frame_end(&f, &e) != GW_GRPC_FRAME_FAILED)
        fail_msg("%s was accepted", lie->name);
    if (e.reason != lie->reason || strstr(e.text, lie->says) == NULL)
        fail_msg("%s: %s: %s", lie->name, sl_reason_name(e.reason), e.text);
}

static void lies_are_refused(void **state SL_UNUSED)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(lies); i++)
        for (size_t step = 1; step <= 24; step++)
            check_lie(&lies[i], step);
}

static void a_failed_frame_stays_failed(void **state SL_UNUSED)
{
    struct gw_grpc_frame f;
    struct sl_error e;
    uint8_t more[3] = {0};
    gw_grpc_frame_init(&f, LIMIT);
    assert_int_equal(put(&f, (const uint8_t[]){7, 0, 0, 0, 0}, 5, NULL, &e), GW_GRPC_FRAME_FAILED);
    assert_int_equal(put(&f, more, sizeof more, NULL, &e), GW_GRPC_FRAME_FAILED);
    assert_int_equal(gw_grpc_frame_end(&f, &e), GW_GRPC_FRAME_FAILED);
}

static void the_largest_message_fits(void **state SL_UNUSED)
{
    uint8_t wire[WIRE_MAX], memory[LIMIT];
    struct gw_grpc_frame f;
    struct sl_error e;
    gw_grpc_frame_init(&f, LIMIT);
    put(&f, wire, make_wire(wire, LIMIT), memory, &e);
    check_whole(&f, wire, memory);
}

static void a_compressed_message_is_taken_where_it_may_be(void **state SL_UNUSED)
{
    struct gw_grpc_frame f;
    struct sl_error e;
    uint8_t memory[2], wire[] = {0, 0, 0, 0, 2, 'a', 'b'};
    for (wire[0] = 0; wire[0] < 2; wire[0]++) {
        gw_grpc_frame_init(&f, LIMIT);
        f.may_be_compressed = true;
        assert_int_equal(put(&f, wire, sizeof wire, memory, &e), GW_GRPC_FRAME_COMPLETE);
        assert_int_equal(f.is_compressed, wire[0]);
    }
    gw_grpc_frame_init(&f, LIMIT);
    f.may_be_compressed = true;
    assert_int_equal(put(&f, wire, sizeof wire, memory, &e), GW_GRPC_FRAME_FAILED); /* 2 */
    assert_int_equal(e.reason, SL_REASON_BAD_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_compressed_message_is_taken_where_it_may_be),
        cmocka_unit_test(all_cuts_of_small_messages),
        cmocka_unit_test(random_cuts_of_larger_messages),
        cmocka_unit_test(the_rest_waits_for_memory),
        cmocka_unit_test(lies_are_refused),
        cmocka_unit_test(a_failed_frame_stays_failed),
        cmocka_unit_test(the_largest_message_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
