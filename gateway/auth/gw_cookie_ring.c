/* gw_cookie_ring.c - a short list of keys, and HMAC-SHA-256 by them. */
#include "gw_cookie_ring.h"

#include <string.h>

#include "gw_digest.h"

/* How far a cookie may come from the future: two machines' clocks, or one that was set back. */
static const int64_t future_max_us = 300 * SL_US_PER_S;

static int64_t age_us(int64_t made_s, sl_wall_us now)
{
    return sl_sat_add(now, -sl_sat_mul(made_s, SL_US_PER_S));
}

/* ---- keys */

bool gw_cookie_ring_is_due(const struct gw_cookie_ring *r, sl_wall_us now)
{
    return r->count == 0 || age_us(r->keys[r->count - 1].made_s, now) > r->conf.rotate_us;
}

static void forget_oldest(struct gw_cookie_ring *r)
{
    r->count--;
    memmove(&r->keys[0], &r->keys[1], r->count * sizeof r->keys[0]);
    gw_digest_erase(&r->keys[r->count], sizeof r->keys[0]);
}

/* A key signed until the next one was made, whenever that was due. */
static void forget_old(struct gw_cookie_ring *r, sl_wall_us now)
{
    while (r->count > 1 && age_us(r->keys[1].made_s, now) > r->conf.lifetime_us)
        forget_oldest(r);
}

sl_status gw_cookie_ring_add(struct gw_cookie_ring *r, sl_wall_us now)
{
    struct gw_cookie_key key = {.number = r->count > 0 ? r->keys[r->count - 1].number + 1 : 1,
                                .made_s = now / SL_US_PER_S};
    if (gw_digest_random(key.bytes, sizeof key.bytes) != SL_OK)
        return SL_EIO;
    forget_old(r, now);
    if (r->count == GW_COOKIE_KEYS_MAX)
        forget_oldest(r);
    r->keys[r->count++] = key;
    gw_digest_erase(&key, sizeof key);
    return SL_OK;
}

static const struct gw_cookie_key *find(const struct gw_cookie_ring *r, uint32_t number)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->keys[i].number == number)
            return &r->keys[i];
    return NULL;
}

/* ---- cookies */

static sl_status make_mac(const struct gw_cookie_key *key, struct sl_span text,
                          uint8_t out[GW_COOKIE_MAC_BYTES])
{
    return gw_digest_hmac(sl_span_of(key->bytes, sizeof key->bytes), text, out);
}

sl_status gw_cookie_ring_sign(const struct gw_cookie_ring *r, const uint8_t *id, sl_wall_us now,
                              char out[GW_COOKIE_TEXT_MAX + 1])
{
    uint8_t fresh[GW_COOKIE_ID_BYTES], mac[GW_COOKIE_MAC_BYTES];
    if (r->count == 0)
        return SL_ENOENT;
    if (id == NULL && gw_digest_random(fresh, sizeof fresh) != SL_OK)
        return SL_EIO;
    const struct gw_cookie_key *key = &r->keys[r->count - 1];
    size_t len =
        gw_cookie_write_signed(id != NULL ? id : fresh, now / SL_US_PER_S, key->number, out);
    sl_status s = make_mac(key, sl_span_of(out, len), mac);
    if (s == SL_OK)
        gw_cookie_add_mac(out, len, mac);
    return s;
}

bool gw_cookie_ring_is_good(const struct gw_cookie_ring *r, const struct gw_cookie *c,
                            sl_wall_us now)
{
    uint8_t mac[GW_COOKIE_MAC_BYTES];
    const struct gw_cookie_key *key = find(r, c->key);
    int64_t age = age_us(c->issued_s, now);
    return key != NULL && age <= r->conf.lifetime_us && age >= -future_max_us &&
           make_mac(key, c->signed_text, mac) == SL_OK &&
           gw_digest_is_same(mac, c->mac, sizeof mac);
}
