/* up_probe.c - asks the gateway whether everything is ready. */
#include "up_probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_ask.h"
#include "sluice/v1/admin.pb-c.h"

enum { PROBE_TIMEOUT_MS = 250, TOKEN_BYTES_MAX = 8192 };

void up_probe_finish(struct up_probe *p)
{
    sluice_channel_destroy(p->channel);
    for (size_t i = 0; i < p->told_count; i++)
        free(p->told[i]);
    *p = (struct up_probe){0};
}

void up_probe_set_address(struct up_probe *p, const char *address, const char *token_path)
{
    struct sluice_channel_options o = SLUICE_CHANNEL_OPTIONS_INIT;
    char *token = NULL;
    size_t len;

    sluice_channel_destroy(p->channel);
    p->channel = NULL;
    if (cli_read_file(token_path, TOKEN_BYTES_MAX, &token, &len) == NULL) {
        token[strcspn(token, "\r\n")] = '\0';
        o.token = token;
    }
    sluice_channel_create(address, &o, &p->channel, NULL);
    if (token != NULL)
        explicit_bzero(token, len);
    free(token);
}

static bool was_told(const struct up_probe *p, const char *problem)
{
    for (size_t i = 0; i < p->told_count; i++) {
        if (strcmp(p->told[i], problem) == 0)
            return true;
    }
    return false;
}

static void tell(struct up_probe *p, const char *problem)
{
    if (p->told_count == UP_PROBLEMS_MAX || was_told(p, problem))
        return;
    p->told[p->told_count] = strdup(problem);
    if (p->told[p->told_count] != NULL)
        p->told_count++;
    fprintf(stderr, "sluice up: model not loaded: %s\n", problem);
}

/* Shows the nodes' problems; is one of the nodes connected? */
static bool look_at_nodes(struct up_probe *p, const Sluice__V1__ListNodesResponse *r)
{
    bool is_connected = false;

    for (size_t i = 0; i < r->n_nodes; i++) {
        const Sluice__V1__ListNodesResponse__Node *n = r->nodes[i];
        is_connected = is_connected || n->connected;
        for (size_t j = 0; j < n->n_problems; j++)
            tell(p, n->problems[j]);
    }
    return is_connected;
}

bool up_probe_is_ready(struct up_probe *p)
{
    struct sluice_call_options options = SLUICE_CALL_OPTIONS_INIT;
    bool is_ready = false;

    options.timeout_ms = PROBE_TIMEOUT_MS;
    if (p->channel == NULL ||
        sluice_server_ready(p->channel, &options, &is_ready, NULL) != SLUICE_OK)
        return false;
    ProtobufCMessage *m =
        cli_ask_quietly(p->channel, "/sluice.v1.Admin/ListNodes",
                        &sluice__v1__list_nodes_response__descriptor, &options, NULL);
    if (m == NULL)
        return false;
    bool is_connected = look_at_nodes(p, (const void *)m);
    protobuf_c_message_free_unpacked(m, NULL);
    return is_ready && is_connected;
}
