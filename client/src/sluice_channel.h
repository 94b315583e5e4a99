/* sluice_channel.h - the inside of a channel. */
#ifndef SLUICE_CHANNEL_H
#define SLUICE_CHANNEL_H

#include <stdatomic.h>

#include "sluice_conn.h"

struct sluice_channel {
    atomic_flag is_busy; /* held by the one thread that runs a call */
    struct sluice_conn conn;
    char *address_text;
    struct sluice_address address;
    struct sluice_tls_context *tls; /* NULL: plain TCP */
    int64_t connect_timeout_ms;
    uint64_t max_message_bytes;
    char *authorization; /* "Bearer ..."; NULL: none */
    char *user_agent;
    bool allow_plaintext_token;
};

#endif
