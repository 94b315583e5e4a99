/* gw_token.h - the text of an API token: sl_ + 27 digits of 160 random bits + 6 digits of a checksum, all in
 * base 62. Pure.
 *
 * The checksum tells a mistyped or cut token from one that nobody has, and lets scanners of leaked secrets
 * be sure of what they found. Nobody keeps a token: what is kept is its SHA-256 and its prefix, by which
 * people name it.
 */
#ifndef GW_TOKEN_H
#define GW_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gw_principal.h"
#include "gw_tier.h"
#include "sl_span.h"
#include "sl_time.h"

enum {
    GW_TOKEN_RANDOM_BYTES = 20,
    GW_TOKEN_LEN = 36,
    GW_TOKEN_PREFIX_LEN = 9, /* sl_ and 6 digits */
    GW_TOKEN_HASH_BYTES = 32,
    GW_USER_NAME_MAX = 200,
    GW_OWNER_NAME_MAX = GW_ACCOUNT_NAME_MAX - 5, /* after "user:" */
};

/* Is it meant to be one of these, whatever else is wrong with it? */
bool gw_token_is_ours(struct sl_span text);
/* Of the right length, digits and checksum? */
bool gw_token_is_whole(struct sl_span text);
/* May a user be called so? 1 to GW_USER_NAME_MAX bytes of UTF-8 without blanks, control characters and what has a
 * meaning in accounts: "user:corp#ana" is the issuer corp's ana, "app:demo/ana" a visitor. */
bool gw_user_name_is_good(struct sl_span name);
/* May an app belong to a user called so? As above, or ISSUER#SUB, where SUB is any text without control characters: it
 * is the issuer that makes it. */
bool gw_owner_name_is_good(struct sl_span name);
void gw_token_write(const uint8_t random[GW_TOKEN_RANDOM_BYTES], char out[GW_TOKEN_LEN + 1]);

/* What is known of a token; the store keeps the same. */
struct gw_token_row {
    uint8_t hash[GW_TOKEN_HASH_BYTES]; /* SHA-256 of its text */
    char prefix[GW_TOKEN_PREFIX_LEN + 1];
    /* Whose it is, the account without its "user:": a good name; of an app's token its owner's may do. */
    char user[GW_ACCOUNT_NAME_MAX + 1];
    char tier[GW_TIER_NAME_MAX + 1];
    char app[GW_APP_NAME_MAX + 1]; /* the registered app that calls with it; "": a person */
    bool is_admin;
    bool is_revoked;
    bool is_from_file; /* the administrator's, of the state directory: not in a store */
    sl_wall_us created_at;
    sl_wall_us expires_at; /* 0: never */
};

#endif
