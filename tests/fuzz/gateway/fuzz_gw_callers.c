/* fuzz_gw_callers.c - what callers say of themselves in headers: cookies, x-forwarded-for, tokens, addresses.
 *
 * Input: one byte that says which, then the text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gw_app.h"
#include "gw_cookie.h"
#include "gw_forwarded.h"
#include "gw_identity.h"
#include "gw_token.h"

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* What is read is what would be written: one text for each cookie. */
static void try_cookie(struct sl_span header)
{
    struct sl_span text = gw_cookie_find(header);
    struct gw_cookie c;
    if (text.data == NULL)
        return;
    check(text.data >= header.data && text.data + text.len <= header.data + header.len);
    if (!gw_cookie_parse(text, &c))
        return;
    uint8_t id[GW_COOKIE_ID_BYTES];
    char again[GW_COOKIE_TEXT_MAX + 1];
    for (size_t i = 0; i < sizeof id; i++) {
        char pair[3] = {c.id[2 * i], c.id[2 * i + 1], '\0'};
        id[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    size_t len = gw_cookie_write_signed(id, c.issued_s, c.key, again);
    check(sl_span_eq(c.signed_text, sl_span_of(again, len)));
    len = gw_cookie_add_mac(again, len, c.mac);
    check(sl_span_eq(text, sl_span_of(again, len)));
}

static void add(struct gw_networks *list, const char *text)
{
    struct gw_network n;
    check(gw_network_parse(sl_span_str(text), &n) == SL_OK && gw_networks_add(list, &n) == SL_OK);
}

/* The answer is never what stands before the last hop that nobody trusts. */
static void try_forwarded(struct sl_span header)
{
    static const char tail[] = ",203.0.113.7,10.9.9.9";
    struct gw_networks trusted = {.count = 0};
    struct gw_address peer, wanted;
    char *whole = malloc(header.len + sizeof tail);
    check(whole != NULL && gw_address_parse(sl_span_str("10.0.0.1"), &peer));
    check(gw_address_parse(sl_span_str("203.0.113.7"), &wanted));
    add(&trusted, "10.0.0.0/8");
    if (header.len > 0)
        memcpy(whole, header.data, header.len);
    memcpy(whole + header.len, tail, sizeof tail);
    struct gw_address got =
        gw_forwarded_for(&peer, sl_span_of(whole, header.len + sizeof tail - 1), &trusted);
    check(gw_address_is_same(&got, &wanted));
    got = gw_forwarded_for(&wanted, header, &trusted); /* who is not trusted speaks for himself */
    check(gw_address_is_same(&got, &wanted));
    (void)gw_forwarded_for(&peer, header, &trusted);
    free(whole);
}

static void try_address(struct sl_span text)
{
    struct gw_address a, again;
    char out[GW_ADDRESS_TEXT_MAX + 1];
    if (!gw_address_parse_host(text, &a))
        return;
    size_t len = gw_address_format(&a, out);
    check(len == strlen(out) && gw_address_parse(sl_span_of(out, len), &again));
    check(gw_address_is_same(&a, &again));
}

static void try_network(struct sl_span text)
{
    struct gw_network n, again;
    char out[GW_NETWORK_TEXT_MAX + 1];
    if (gw_network_parse(text, &n) != SL_OK)
        return;
    check(gw_network_parse(sl_span_of(out, gw_network_format(&n, out)), &again) == SL_OK);
    check(gw_address_is_same(&n.base, &again.base) && n.bits == again.bits);
}

static void try_account(struct sl_span text)
{
    struct gw_principal p;
    gw_identity_of_account(text, GW_PRINCIPAL_VISITOR, 0, &p);
    check(p.purse_count >= 1 && p.purse_count <= GW_PURSES_MAX);
    for (size_t i = 0; i < p.purse_count; i++)
        check(strnlen(p.purses[i].account, sizeof p.purses[i].account) <= GW_ACCOUNT_NAME_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(struct sl_span) = {try_cookie, try_forwarded, try_address,
                                                    try_network, try_account};
    if (size == 0)
        return 0;
    struct sl_span text = {data + 1, size - 1};
    (void)gw_token_is_whole(text);
    (void)gw_app_name_is_good(text);
    tries[data[0] % (sizeof tries / sizeof tries[0])](text);
    return 0;
}
