/* sluice_channel.c - making and ending a channel. */
#include "sluice_channel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sluice_status.h"

enum { TOKEN_BYTES_MAX = 8192, AGENT_BYTES_MAX = 200, CONNECT_TIMEOUT_MS_MAX = 3600 * 1000 };

static int refuse(struct sluice_status *status, const char *what)
{
    return sluice_status_set(status, SLUICE_INVALID_ARGUMENT, "BAD_INPUT", "%s", what);
}

static bool is_token(const char *token)
{
    size_t len = strnlen(token, TOKEN_BYTES_MAX + 1);
    return len >= 1 && len <= TOKEN_BYTES_MAX && strchr(token, ' ') == NULL &&
           sluice_is_header_value(sl_span_of(token, len));
}

static bool is_agent(const char *agent)
{
    size_t len = strnlen(agent, AGENT_BYTES_MAX + 1);
    return len <= AGENT_BYTES_MAX && sluice_is_header_value(sl_span_of(agent, len));
}

static int check_options(const struct sluice_channel_options *o, struct sluice_status *status)
{
    if (o->connect_timeout_ms < 1 || o->connect_timeout_ms > CONNECT_TIMEOUT_MS_MAX)
        return sluice_status_set(status, SLUICE_INVALID_ARGUMENT, "BAD_INPUT",
                                 "connect_timeout_ms is %" PRId64 "; 1 to %d are possible",
                                 o->connect_timeout_ms, CONNECT_TIMEOUT_MS_MAX);
    if (o->max_message_bytes < 1 || o->max_message_bytes > SLUICE_MAX_MESSAGE_BYTES)
        return sluice_status_set(status, SLUICE_INVALID_ARGUMENT, "BAD_INPUT",
                                 "max_message_bytes is %" PRIu64 "; 1 to %" PRIu64 " are possible",
                                 o->max_message_bytes, SLUICE_MAX_MESSAGE_BYTES);
    if (o->token != NULL && !is_token(o->token))
        return refuse(status, "the token must be 1 to 8192 visible ASCII characters");
    if (o->user_agent != NULL && !is_agent(o->user_agent))
        return refuse(status, "user_agent must be at most 200 visible ASCII characters and spaces");
    return SLUICE_OK;
}

static int check_tls(const struct sluice_channel_options *o, struct sluice_status *status)
{
    if ((o->certificate_file == NULL) != (o->key_file == NULL))
        return refuse(status, "certificate_file and key_file belong together; give both or none");
    if (!o->use_tls &&
        (o->ca_file != NULL || o->certificate_file != NULL || o->server_name != NULL))
        return refuse(status, "ca_file, certificate_file and server_name need use_tls");
    return SLUICE_OK;
}

/* The caller's options, as much of them as its header knew, over the defaults. */
static void read_options(const struct sluice_channel_options *given,
                         struct sluice_channel_options *out)
{
    *out = (struct sluice_channel_options)SLUICE_CHANNEL_OPTIONS_INIT;
    if (given != NULL)
        memcpy(out, given, given->struct_bytes < sizeof(*out) ? given->struct_bytes : sizeof(*out));
}

static bool copy_texts(struct sluice_channel *c, const char *address,
                       const struct sluice_channel_options *o)
{
    const char *agent = o->user_agent != NULL ? o->user_agent : "";

    c->address_text = strdup(address);
    if (asprintf(&c->user_agent, "%s%slibsluice/" SLUICE_VERSION, agent, *agent ? " " : "") < 0)
        c->user_agent = NULL;
    if (o->token != NULL && asprintf(&c->authorization, "Bearer %s", o->token) < 0) {
        c->authorization = NULL;
        return false;
    }
    return c->address_text != NULL && c->user_agent != NULL;
}

int sluice_channel_create(const char *address, const struct sluice_channel_options *options,
                          struct sluice_channel **out, struct sluice_status *status)
{
    struct sluice_status unused;
    struct sluice_channel_options o;
    struct sluice_address parsed;

    *out = NULL;
    if (status == NULL)
        status = &unused;
    sluice_status_clear(status);
    read_options(options, &o);
    int code = check_options(&o, status);
    if (code == SLUICE_OK)
        code = check_tls(&o, status);
    if (code != SLUICE_OK)
        return code;
    if (address == NULL || sluice_address_parse(address, &parsed) != SL_OK)
        return sluice_status_set(status, SLUICE_INVALID_ARGUMENT, "BAD_INPUT",
                                 "the address is %.100s; it must be HOST:PORT or [IPV6]:PORT",
                                 address != NULL ? address : "(null)");
    struct sluice_channel *c = calloc(1, sizeof(*c));
    if (c != NULL)
        sluice_conn_init(&c->conn);
    if (c == NULL || !copy_texts(c, address, &o)) {
        sluice_channel_destroy(c);
        return sluice_status_set(status, SLUICE_RESOURCE_EXHAUSTED, "OUT_OF_MEMORY",
                                 "no memory for a channel");
    }
    if (o.use_tls)
        code = sluice_tls_context_create(&o, parsed.host, &c->tls, status);
    if (code != SLUICE_OK) {
        sluice_channel_destroy(c);
        return code;
    }
    atomic_flag_clear(&c->is_busy);
    c->address = parsed;
    c->connect_timeout_ms = o.connect_timeout_ms;
    c->max_message_bytes = o.max_message_bytes;
    c->allow_plaintext_token = o.allow_plaintext_token;
    *out = c;
    return SLUICE_OK;
}

void sluice_channel_destroy(struct sluice_channel *channel)
{
    if (channel == NULL)
        return;
    sluice_conn_close(&channel->conn);
    sluice_tls_context_destroy(channel->tls);
    if (channel->authorization != NULL)
        explicit_bzero(channel->authorization, strlen(channel->authorization));
    free(channel->authorization);
    free(channel->user_agent);
    free(channel->address_text);
    free(channel);
}

const char *sluice_channel_address(const struct sluice_channel *channel)
{
    return channel->address_text;
}
