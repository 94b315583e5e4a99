/* cli_drain.c - sluice drain: a node gets no more calls, until that is undone. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli_ask.h"
#include "cli_options.h"
#include "cli_pb_json.h"
#include "sl_time.h"
#include "sluice/v1/admin.pb-c.h"

typedef Sluice__V1__ListNodesResponse pb_nodes;
typedef Sluice__V1__ListNodesResponse__Node pb_node;
typedef Sluice__V1__DrainNodeResponse pb_answer;

enum { LOOK_EVERY_MS = 200 };

static const char help[] =
    "Usage: sluice drain NODE [OPTION]...\n\n"
    "From now on the gateway places nothing on the node. What runs there ends; calls that were "
    "sent and\n"
    "have not started come back and go elsewhere, or wait. It holds for whoever connects under "
    "that\n"
    "name, until it is undone or the gateway ends. sluice nodes lists the names.\n\n"
    "      --undo                    it may have calls again\n"
    "      --wait                    until nothing runs there, at most --timeout\n" CLI_COMMON_HELP;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / SL_NS_PER_MS;
}

static const pb_node *find_node(const pb_nodes *r, const char *name)
{
    for (size_t i = 0; i < r->n_nodes; i++)
        if (strcmp(r->nodes[i]->name, name) == 0)
            return r->nodes[i];
    return NULL;
}

/* One look; *out_calls 0: it is empty, or gone. CLI_OK, or the exit code after the error was told. */
static int look(const struct cli_common *c, struct sluice_channel *channel, const char *name,
                uint32_t *out_calls)
{
    ProtobufCMessage *m;
    int code = cli_ask_on(c, channel, "/sluice.v1.Admin/ListNodes", NULL,
                          &sluice__v1__list_nodes_response__descriptor, &m);
    if (code != CLI_OK)
        return code;
    const pb_node *n = find_node((const pb_nodes *)m, name);
    *out_calls = n != NULL ? n->calls : 0;
    if (n != NULL && !n->drained)
        code = cli_fail(c, CLI_FAILED, "%s is no longer drained: somebody has undone it", name);
    protobuf_c_message_free_unpacked(m, NULL);
    return code;
}

static int wait_until_empty(const struct cli_common *c, struct sluice_channel *channel,
                            const char *name)
{
    const struct timespec nap = {.tv_nsec = LOOK_EVERY_MS * SL_NS_PER_MS};
    int64_t until = c->timeout_ms < 0 ? INT64_MAX : now_ms() + c->timeout_ms;
    uint32_t calls = 0;
    for (;;) {
        int code = look(c, channel, name, &calls);
        if (code != CLI_OK || calls == 0)
            return code;
        if (now_ms() >= until)
            return cli_fail(c, CLI_FAILED, "%s still has %u %s after %lld ms; it stays drained",
                            name, calls, calls == 1 ? "call" : "calls", (long long)c->timeout_ms);
        nanosleep(&nap, NULL);
    }
}

static void print_text(const pb_answer *a, const char *name, bool undo, bool has_waited)
{
    const pb_node *n = a->node;
    if (undo) {
        printf("%s may have calls again%s\n", name, n->connected ? "" : "; it is not connected");
        return;
    }
    printf("drained %s", name);
    if (!n->connected)
        printf("; it is not connected");
    else if (!has_waited && n->calls > 0)
        printf("; %u %s still there, %u called back", n->calls,
               n->calls == 1 ? "call is" : "calls are", a->called_back);
    putchar('\n');
}

/* With the answer of the change, and when it was asked for, once nothing runs there. */
static int run(struct cli_common *c, const char *name, bool undo, bool wait)
{
    Sluice__V1__DrainNodeRequest request = SLUICE__V1__DRAIN_NODE_REQUEST__INIT;
    struct sluice_channel *channel;
    ProtobufCMessage *m = NULL;
    int code = cli_open(c, &channel);
    if (code != CLI_OK)
        return code;
    request.node = (char *)(uintptr_t)name; /* both requests have this field alone */
    code =
        cli_ask_on(c, channel, undo ? "/sluice.v1.Admin/UndrainNode" : "/sluice.v1.Admin/DrainNode",
                   &request.base, &sluice__v1__drain_node_response__descriptor, &m);
    if (code == CLI_OK && wait)
        code = wait_until_empty(c, channel, name);
    if (code == CLI_OK && c->json)
        code = cli_print_json(cli_pb_json(m));
    else if (code == CLI_OK)
        print_text((const pb_answer *)m, name, undo, wait);
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    sluice_channel_destroy(channel);
    return code;
}

int cli_drain(int argc, char **argv)
{
    bool undo = false, wait = false;
    const struct cli_option options[] = {{"undo", CLI_OPTION_FLAG, &undo, 0, 0},
                                         {"wait", CLI_OPTION_FLAG, &wait, 0, 0}};
    const struct cli_grammar grammar = {.name = "drain",
                                        .help = help,
                                        .options = options,
                                        .option_count = SL_ARRAY_LEN(options),
                                        .arguments = {"NODE"},
                                        .as_operator = true};
    struct cli_common c;
    char *name;
    int code;

    if (!cli_options_read(argc, argv, &grammar, &c, &name, &code))
        return code;
    if (undo && wait)
        return cli_fail(&c, CLI_USAGE,
                        "--undo and --wait exclude each other: nothing is waited for");
    return run(&c, name, undo, wait);
}
