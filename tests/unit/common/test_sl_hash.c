/* test_sl_hash.c - the vectors of SipHash-2-4's authors (key 00..0f, input 00, 00 01, ...). */
#include "sl_hash.h"

#include "sl_base.h"
#include "sl_test.h"

static const struct sl_hash_seed seed = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

static void the_authors_vectors_hold(void **state SL_UNUSED)
{
    static const struct {
        size_t len;
        uint64_t hash;
    } vectors[] = {{0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd}, {2, 0x0d6c8009d9a94f5a},
                   {3, 0x85676696d7fb7e2d}, {7, 0xab0200f58b01d137}, {8, 0x93f5f5799a932462},
                   {9, 0x9e0082df0ba9e4b0}, {15, 0xa129ca6149be45e5}};
    uint8_t input[16];
    for (size_t i = 0; i < sizeof input; i++)
        input[i] = (uint8_t)i;
    for (size_t i = 0; i < SL_ARRAY_LEN(vectors); i++)
        assert_true(sl_hash_bytes(seed, sl_span_of(input, vectors[i].len)) == vectors[i].hash);
}

static void another_seed_is_another_hash(void **state SL_UNUSED)
{
    struct sl_hash_seed other = {seed.low + 1, seed.high};
    struct sl_span text = sl_span_str("ip:203.0.113.7");
    assert_true(sl_hash_bytes(seed, text) == sl_hash_bytes(seed, text));
    assert_true(sl_hash_bytes(seed, text) != sl_hash_bytes(other, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_authors_vectors_hold),
        cmocka_unit_test(another_seed_is_another_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
