/* gw_cookie.h - the text of the cookie by which a browser without a token is known again. Pure; whether its
 * signature is good is gw_cookie_ring's to say.
 *
 *   ID.ISSUED.KEY.MAC    32 hexadecimal digits, seconds since 1970, the number of a key, 64 digits
 *
 * Each value has one text only: lower case, no leading zeros.
 */
#ifndef GW_COOKIE_H
#define GW_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sl_span.h"
#include "sl_time.h"

#define GW_COOKIE_NAME "sluice-visitor"

enum {
    GW_COOKIE_ID_BYTES = 16,
    GW_COOKIE_ID_LEN = 2 * GW_COOKIE_ID_BYTES,
    GW_COOKIE_MAC_BYTES = 32,
    GW_COOKIE_TEXT_MAX = GW_COOKIE_ID_LEN + 1 + 12 + 1 + 10 + 1 + 2 * GW_COOKIE_MAC_BYTES,
};

struct gw_cookie {
    char id[GW_COOKIE_ID_LEN + 1];
    uint8_t id_bytes[GW_COOKIE_ID_BYTES];
    int64_t issued_s; /* since 1970 */
    uint32_t key;     /* which of the gateway's keys signed it */
    uint8_t mac[GW_COOKIE_MAC_BYTES];
    struct sl_span signed_text; /* of the text that was parsed: all before the last dot */
};

/* The value of our cookie in a cookie header's value ("a=1; sluice-visitor=..."); the first, if it is there
 * twice. data == NULL: it is not there. */
struct sl_span gw_cookie_find(struct sl_span header);
/* false: not such a text; *out is then of no use. */
bool gw_cookie_parse(struct sl_span text, struct gw_cookie *out);
/* The part that is signed, without its dot; returns its length. */
size_t gw_cookie_write_signed(const uint8_t id[GW_COOKIE_ID_BYTES], int64_t issued_s, uint32_t key,
                              char out[GW_COOKIE_TEXT_MAX + 1]);
/* Adds the dot and the MAC to that; returns the whole length. */
size_t gw_cookie_add_mac(char text[GW_COOKIE_TEXT_MAX + 1], size_t signed_len,
                         const uint8_t mac[GW_COOKIE_MAC_BYTES]);

#endif
