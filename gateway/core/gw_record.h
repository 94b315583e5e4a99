/* gw_record.h - what a gateway keeps for ever beside receipts: windows, grants, tokens, apps, blocks; and
 * their bytes in the store's log. Pure.
 *
 * Bytes    A version, then the fields in order: integers as zigzag varints in their shortest form, texts and bytes
 *          as length and what they are. One value has one form of bytes, so what decodes is what was encoded.
 * Versions A later version of a record appends fields; bytes of a later version than this one are refused.
 * Memory   Texts are borrowed: from the caller by the encoder, from the bytes by the decoder.
 */
#ifndef GW_RECORD_H
#define GW_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "gw_token.h"
#include "sl_base.h"
#include "sl_span.h"
#include "sl_status.h"
#include "sl_time.h"

/* X(NAME, number in the log: never changed, text) */
#define GW_RECORD_MAP(X)                                                                           \
    X(RECEIPT, 1, "receipt") /* gw_receipt_code's bytes */                                         \
    X(WINDOW, 2, "window")                                                                         \
    X(GRANT, 3, "grant")                                                                           \
    X(ACCOUNT, 4, "account")                                                                       \
    X(TOKEN, 5, "token")                                                                           \
    X(APP, 6, "app")                                                                               \
    X(BLOCK, 7, "block")                                                                           \
    X(LOSS, 8, "loss")                                                                             \
    X(LEARNED, 9, "learned")

enum gw_record_kind {
#define GW_RECORD_ENUM(name, number, text) GW_RECORD_##name = number,
    GW_RECORD_MAP(GW_RECORD_ENUM)
#undef GW_RECORD_ENUM
};

enum { GW_RECORD_TEXT_MAX = 512, GW_RECORD_SAMPLES_MAX = 1536, GW_RECORD_BYTES_MAX = 2560 };

/* An account's window opened. */
struct gw_record_window {
    struct sl_span account;
    sl_wall_us opened_at;
};

/* Time given to an account (or taken: below 0) beside its tier's, for the window open then. */
struct gw_record_grant {
    struct sl_span account, by, reason;
    sl_wall_us at;
    sl_wall_us window_opened_at; /* 0: none was open; it counts in the next */
    sl_gpu_us amount_us;
};

/* The whole state of an account, in place of what the log said of it before. */
struct gw_record_account {
    struct sl_span account;
    sl_wall_us window_opened_at; /* 0: none */
    sl_gpu_us spent_us, granted_us;
};

/* The whole state of a token, by its hash. */
struct gw_record_token {
    uint8_t hash[GW_TOKEN_HASH_BYTES];
    struct sl_span prefix, user, tier, app;
    sl_wall_us created_at, expires_at, revoked_at; /* 0: never */
    bool is_admin;
};

enum gw_app_state { GW_APP_ACTIVE, GW_APP_PAUSED, GW_APP_REMOVED };

/* The whole state of an app, by its name. */
struct gw_record_app {
    struct sl_span name, owner;
    enum gw_app_state state;
    sl_wall_us at;
};

struct gw_record_block {
    struct sl_span account, by, reason;
    sl_wall_us at;
    bool is_blocked; /* false: no longer */
};

/* Entries from first_n to last_n had been stored and are gone: written by the store when it finds that. */
struct gw_record_loss {
    int64_t first_n, last_n;
    sl_wall_us at;
};

/* How long a model's calls took, in place of what the log said of that model before. */
struct gw_record_learned {
    struct sl_span model, version;
    sl_wall_us at;
    struct sl_span samples; /* gw_learn_code's bytes */
};

struct gw_record {
    enum gw_record_kind kind;
    union {
        struct gw_record_window window;
        struct gw_record_grant grant;
        struct gw_record_account account;
        struct gw_record_token token;
        struct gw_record_app app;
        struct gw_record_block block;
        struct gw_record_loss loss;
        struct gw_record_learned learned;
    };
};

/* "grant"; "unknown" for a number that is not in the table. Static. */
const char *gw_record_name(int kind);

/* out holds GW_RECORD_BYTES_MAX; *out_len bytes of it are used. Errors: SL_ETOOBIG (a text is longer than
 * GW_RECORD_TEXT_MAX, bytes than GW_RECORD_SAMPLES_MAX), SL_EINVAL (a kind that is not encoded here). */
SL_MUST_CHECK sl_status gw_record_encode(const struct gw_record *r, uint8_t *out, size_t *out_len);
/* Errors: SL_EPROTO (not the bytes of such a record), SL_ENEVER (a kind or version of a later Sluice). */
SL_MUST_CHECK sl_status gw_record_decode(int kind, struct sl_span bytes, struct gw_record *out);

#endif
