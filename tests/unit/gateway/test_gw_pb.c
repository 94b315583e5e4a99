/* test_gw_pb.c - walking the protobuf wire format: what is written is read, what is garbled is
 * refused. */
#include "gw_pb.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

static struct gw_pb_reader reader(const void *bytes, size_t len)
{
    return gw_pb_reader_of(sl_span_of(bytes, len));
}

static void varints_of_every_length_come_back(void **state SL_UNUSED)
{
    for (unsigned bits = 0; bits <= 64; bits++) {
        const uint64_t values[] = {bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1,
                                   bits == 64 ? UINT64_MAX / 3 : UINT64_C(1) << bits};
        for (size_t i = 0; i < SL_ARRAY_LEN(values); i++) {
            uint8_t bytes[GW_PB_VARINT_MAX];
            size_t len = (size_t)(gw_pb_put_varint(bytes, values[i]) - bytes);
            struct gw_pb_reader r = reader(bytes, len);
            uint64_t back;
            assert_int_equal(len, gw_pb_varint_bytes(values[i]));
            assert_true(gw_pb_varint(&r, &back));
            assert_int_equal(back, values[i]);
            assert_int_equal(r.at, len);
        }
    }
}

static void a_cut_varint_is_bad(void **state SL_UNUSED)
{
    uint8_t bytes[GW_PB_VARINT_MAX];
    size_t len = (size_t)(gw_pb_put_varint(bytes, UINT64_MAX) - bytes);
    assert_int_equal(len, 10);
    for (size_t cut = 0; cut < len; cut++) {
        struct gw_pb_reader r = reader(bytes, cut);
        uint64_t v;
        assert_false(gw_pb_varint(&r, &v));
        assert_true(r.bad);
    }
}

static void longer_forms_of_a_number_are_read(void **state SL_UNUSED)
{
    const uint8_t one[] = {0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
    struct gw_pb_reader r = reader(one, sizeof one);
    uint64_t v;
    assert_true(gw_pb_varint(&r, &v));
    assert_int_equal(v, 1);
}

static void more_than_64_bits_are_refused(void **state SL_UNUSED)
{
    const uint8_t over[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    const uint8_t eleven[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x81, 0x00};
    uint64_t v;
    struct gw_pb_reader r = reader(over, sizeof over);
    assert_false(gw_pb_varint(&r, &v));
    assert_true(r.bad);
    r = reader(eleven, sizeof eleven);
    assert_false(gw_pb_varint(&r, &v));
    assert_true(r.bad);
}

/* 1: varint 300; 2: fixed64; 3: "abc"; 4: fixed32; 5: "" */
static const uint8_t all_kinds[] = {0x08, 0xac, 0x02, 0x11, 1,   2,    3,    4, 5, 6, 7,    8,
                                    0x1a, 0x03, 'a',  'b',  'c', 0x25, 0xff, 0, 0, 0, 0x2a, 0};

static void fields_of_every_kind_are_walked(void **state SL_UNUSED)
{
    struct gw_pb_reader r = reader(all_kinds, sizeof all_kinds);
    struct gw_pb_field f;
    assert_true(gw_pb_next(&r, &f));
    assert_true(f.number == 1 && f.type == GW_PB_VARINT && f.value == 300);
    assert_true(gw_pb_next(&r, &f));
    assert_true(f.number == 2 && f.type == GW_PB_FIXED64 && f.value == 0x0807060504030201);
    assert_true(gw_pb_next(&r, &f));
    assert_true(f.number == 3 && f.type == GW_PB_BYTES);
    assert_span_text(gw_pb_content(&r, &f), "abc");
    assert_true(gw_pb_next(&r, &f));
    assert_true(f.number == 4 && f.type == GW_PB_FIXED32 && f.value == 0xff);
    assert_true(gw_pb_next(&r, &f));
    assert_true(f.number == 5 && f.type == GW_PB_BYTES && f.length == 0);
    assert_false(gw_pb_next(&r, &f));
    assert_false(r.bad);
}

/* Cut anywhere: either a clean end between two fields, or bad. */
static void a_message_cut_inside_a_field_is_bad(void **state SL_UNUSED)
{
    static const size_t clean[] = {0, 3, 12, 17, 22, 24};
    for (size_t cut = 0; cut <= sizeof all_kinds; cut++) {
        uint8_t *bytes = test_malloc(cut + 1); /* so that ASan sees a read past the cut */
        memcpy(bytes, all_kinds, cut);
        struct gw_pb_reader r = reader(bytes, cut);
        struct gw_pb_field f;
        while (gw_pb_next(&r, &f))
            ;
        bool is_clean = false;
        for (size_t i = 0; i < SL_ARRAY_LEN(clean); i++)
            is_clean = is_clean || clean[i] == cut;
        assert_int_equal(r.bad, !is_clean);
        assert_false(gw_pb_next(&r, &f)); /* and stays so */
        test_free(bytes);
    }
}

static void assert_refused(const void *bytes, size_t len)
{
    struct gw_pb_reader r = reader(bytes, len);
    struct gw_pb_field f;
    while (gw_pb_next(&r, &f))
        ;
    assert_true(r.bad);
}

static void groups_and_unknown_wire_types_are_refused(void **state SL_UNUSED)
{
    for (uint8_t type = 0; type < 8; type++) {
        const uint8_t field[] = {(uint8_t)(1 << 3 | type), 0, 0, 0, 0, 0, 0, 0, 0};
        if (type == 3 || type == 4 || type == 6 || type == 7)
            assert_refused(field, sizeof field);
    }
}

static void field_numbers_are_1_to_2_pow_29(void **state SL_UNUSED)
{
    uint8_t bytes[GW_PB_VARINT_MAX + 1] = {0};
    const uint8_t zero[] = {0x00, 0x00};
    assert_refused(zero, sizeof zero);
    size_t len = (size_t)(gw_pb_put_varint(bytes, UINT64_C(0x20000000) << 3) - bytes);
    bytes[len] = 0;
    assert_refused(bytes, len + 1);
    len = (size_t)(gw_pb_put_varint(bytes, UINT64_C(0x1fffffff) << 3) - bytes);
    bytes[len] = 7;
    struct gw_pb_reader r = reader(bytes, len + 1);
    struct gw_pb_field f;
    assert_true(gw_pb_next(&r, &f));
    assert_true(f.number == 0x1fffffff && f.value == 7);
}

static void a_length_past_the_end_is_refused(void **state SL_UNUSED)
{
    const uint8_t by_one[] = {0x0a, 0x03, 'a', 'b'};
    const uint8_t huge[] = {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 'a'};
    assert_refused(by_one, sizeof by_one);
    assert_refused(huge, sizeof huge);
}

static void what_is_put_is_read_back_and_as_long_as_said(void **state SL_UNUSED)
{
    static uint8_t content[20000], bytes[20100];
    for (size_t len = 0; len < sizeof content; len = len * 2 + 1) {
        size_t wrote = (size_t)(gw_pb_put_bytes(bytes, 15, sl_span_of(content, len)) - bytes);
        struct gw_pb_reader r = reader(bytes, wrote);
        struct gw_pb_field f;
        assert_int_equal(wrote, gw_pb_bytes_size(len));
        assert_true(gw_pb_next(&r, &f));
        assert_true(f.number == 15 && f.length == len && r.at == wrote);
    }
}

static void random_bytes_never_lead_outside(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 7);
    for (int round = 0; round < 20000; round++) {
        size_t len = (size_t)sl_rng_below(&rng, 24);
        uint8_t *bytes = test_malloc(len + 1);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)sl_rng_below(&rng, sl_rng_below(&rng, 2) ? 256 : 32);
        struct gw_pb_reader r = reader(bytes, len);
        struct gw_pb_field f;
        while (gw_pb_next(&r, &f)) {
            assert_true(r.at <= len && f.number > 0);
            if (f.type == GW_PB_BYTES)
                assert_true(f.offset + f.length == r.at);
        }
        assert_true(r.bad || r.at == len);
        test_free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints_of_every_length_come_back),
        cmocka_unit_test(a_cut_varint_is_bad),
        cmocka_unit_test(longer_forms_of_a_number_are_read),
        cmocka_unit_test(more_than_64_bits_are_refused),
        cmocka_unit_test(fields_of_every_kind_are_walked),
        cmocka_unit_test(a_message_cut_inside_a_field_is_bad),
        cmocka_unit_test(groups_and_unknown_wire_types_are_refused),
        cmocka_unit_test(field_numbers_are_1_to_2_pow_29),
        cmocka_unit_test(a_length_past_the_end_is_refused),
        cmocka_unit_test(what_is_put_is_read_back_and_as_long_as_said),
        cmocka_unit_test(random_bytes_never_lead_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
