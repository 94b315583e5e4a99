/* test_gw_proxy_v2.c - PROXY v2 headers: whole, cut at every byte, with every byte changed. */
#include "gw_proxy_v2.h"
#include "sl_test.h"

enum { HEADER_MAX = 8192 };

struct header {
    uint8_t bytes[HEADER_MAX];
    size_t len;
};

static const uint8_t signature[] = "\r\n\r\n\0\r\nQUIT\n";

static struct header make(uint8_t command, uint8_t family, const void *body, size_t body_len,
                          size_t more)
{
    struct header h = {.len = 16 + body_len + more};
    memcpy(h.bytes, signature, 12);
    h.bytes[12] = command;
    h.bytes[13] = family;
    h.bytes[14] = (uint8_t)((body_len + more) >> 8);
    h.bytes[15] = (uint8_t)(body_len + more);
    if (body_len > 0)
        memcpy(h.bytes + 16, body, body_len);
    memset(h.bytes + 16 + body_len, 0xee, more);
    return h;
}

static const uint8_t v4[12] = {203, 0, 113, 7, 192, 0, 2, 1, 0xd0, 0x01, 0x1f, 0x41};
static const uint8_t v6[36] = {0x20, 0x01, 0x0d, 0xb8, [15] = 7, [31] = 1, [32] = 0xd0, 0x01};
static const uint8_t mapped[36] = {[10] = 0xff, 0xff, 203, 0, 113, 7, [32] = 0xd0, 0x01};

static enum gw_proxy_v2_state take(struct gw_proxy_v2 *p, const struct header *h, size_t step,
                                   size_t *out_taken)
{
    enum gw_proxy_v2_state state = GW_PROXY_V2_MORE;
    size_t at = 0;
    while (state == GW_PROXY_V2_MORE && at < h->len) {
        struct sl_span piece = {h->bytes + at, h->len - at < step ? h->len - at : step};
        size_t before = piece.len;
        state = gw_proxy_v2_take(p, &piece);
        at += before - piece.len;
        if (state == GW_PROXY_V2_MORE)
            assert_int_equal(piece.len, 0);
    }
    if (out_taken != NULL)
        *out_taken = at;
    return state;
}

static void assert_source(const struct header *h, const char *address, uint16_t port)
{
    for (size_t step = 1; step <= h->len; step++) {
        struct gw_proxy_v2 p = {.taken_bytes = 0};
        char text[GW_ADDRESS_TEXT_MAX + 1];
        size_t taken;
        assert_int_equal(take(&p, h, step, &taken), GW_PROXY_V2_DONE);
        assert_int_equal(taken, h->len);
        gw_address_format(&p.source, text);
        assert_string_equal(text, address);
        assert_int_equal(p.source_port, port);
        struct sl_span more = sl_span_str("PRI *");
        assert_int_equal(gw_proxy_v2_take(&p, &more), GW_PROXY_V2_DONE);
        assert_int_equal(more.len, 5);
    }
}

static void sources(void **state SL_UNUSED)
{
    const struct header headers[] = {
        make(0x21, 0x11, v4, sizeof v4, 0),         make(0x21, 0x11, v4, sizeof v4, 100),
        make(0x21, 0x21, v6, sizeof v6, 0),         make(0x21, 0x21, v6, sizeof v6, 7),
        make(0x21, 0x21, mapped, sizeof mapped, 0),
    };
    assert_source(&headers[0], "203.0.113.7", 0xd001);
    assert_source(&headers[1], "203.0.113.7", 0xd001);
    assert_source(&headers[2], "2001:db8::7", 0xd001);
    assert_source(&headers[3], "2001:db8::7", 0xd001);
    assert_source(&headers[4], "203.0.113.7", 0xd001);
}

static void those_that_name_nobody(void **state SL_UNUSED)
{
    const struct header headers[] = {
        make(0x20, 0x00, NULL, 0, 0),       make(0x20, 0x11, v4, sizeof v4, 0),
        make(0x20, 0x11, NULL, 0, 0), /* LOCAL: its family is ignored */
        make(0x21, 0x00, NULL, 0, 0),       make(0x21, 0x12, v4, sizeof v4, 0),
        make(0x21, 0x22, v6, sizeof v6, 0), make(0x21, 0x31, NULL, 0, 216),
        make(0x21, 0x10, v4, sizeof v4, 0), make(0x21, 0x00, NULL, 0, 300),
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(headers); i++)
        assert_source(&headers[i], "?", 0);
}

static void lengths(void **state SL_UNUSED)
{
    struct gw_proxy_v2 p = {.taken_bytes = 0};
    struct header h = make(0x21, 0x11, v4, 11, 0);
    assert_int_equal(take(&p, &h, 1, NULL), GW_PROXY_V2_BAD);
    assert_string_equal(p.fault, "it is shorter than its addresses");
    p = (struct gw_proxy_v2){.taken_bytes = 0};
    h = make(0x21, 0x21, v6, 35, 0);
    assert_int_equal(take(&p, &h, 100, NULL), GW_PROXY_V2_BAD);
    p = (struct gw_proxy_v2){.taken_bytes = 0};
    h = make(0x21, 0x11, v4, sizeof v4, GW_PROXY_V2_MAX - 16 - sizeof v4);
    assert_int_equal(take(&p, &h, 1000, NULL), GW_PROXY_V2_DONE);
    p = (struct gw_proxy_v2){.taken_bytes = 0};
    h = make(0x21, 0x11, v4, sizeof v4, GW_PROXY_V2_MAX - 16 - sizeof v4 + 1);
    assert_int_equal(take(&p, &h, 1000, NULL), GW_PROXY_V2_BAD);
    assert_string_equal(p.fault, "it is longer than 4096 bytes");
    struct sl_span more = sl_span_str("x");
    assert_int_equal(gw_proxy_v2_take(&p, &more), GW_PROXY_V2_BAD);
    assert_int_equal(more.len, 1);
}

/* What a client of HTTP/2, of TLS, or a proxy that speaks version 1 says first. */
static void other_beginnings(void **state SL_UNUSED)
{
    static const char *const texts[] = {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02",
                                        "PROXY TCP4 1.2.3.4 1.2.3.5 1 2\r\n", "\r\n\r\nGET / "};
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++) {
        struct gw_proxy_v2 p = {.taken_bytes = 0};
        struct sl_span s = sl_span_str(texts[i]);
        assert_int_equal(gw_proxy_v2_take(&p, &s), GW_PROXY_V2_BAD);
        assert_non_null(p.fault);
    }
}

static void cut_at_every_byte_it_waits(void **state SL_UNUSED)
{
    struct header h = make(0x21, 0x21, v6, sizeof v6, 20);
    for (size_t len = 0; len < h.len; len++) {
        struct gw_proxy_v2 p = {.taken_bytes = 0};
        struct sl_span s = {h.bytes, len};
        assert_int_equal(gw_proxy_v2_take(&p, &s), GW_PROXY_V2_MORE);
        assert_int_equal(p.source.family, 0);
        assert_int_equal(s.len, 0);
    }
}

/* Each byte to each value: an error, a wait for more, or an address; the signature, the version and the
 * command have no second value, but for LOCAL. */
static void every_byte_changed(void **state SL_UNUSED)
{
    const struct header good = make(0x21, 0x11, v4, sizeof v4, 0);
    for (size_t at = 0; at < good.len; at++) {
        for (unsigned value = 0; value < 256; value++) {
            struct header h = good;
            struct gw_proxy_v2 p = {.taken_bytes = 0};
            h.bytes[at] = (uint8_t)value;
            enum gw_proxy_v2_state got = take(&p, &h, h.len, NULL);
            bool is_same = value == good.bytes[at];
            if (at < 12 || at == 12)
                assert_int_equal(got, is_same || (at == 12 && value == 0x20) ? GW_PROXY_V2_DONE
                                                                             : GW_PROXY_V2_BAD);
            if (got == GW_PROXY_V2_BAD)
                assert_non_null(p.fault);
            if (at >= 16)
                assert_int_equal(got, GW_PROXY_V2_DONE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources),
        cmocka_unit_test(those_that_name_nobody),
        cmocka_unit_test(lengths),
        cmocka_unit_test(other_beginnings),
        cmocka_unit_test(cut_at_every_byte_it_waits),
        cmocka_unit_test(every_byte_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
