/* cli_quota.c - sluice quota: what the caller has left, and when it is all there again. */
#include <stdio.h>

#include "cli_ask.h"
#include "cli_cells.h"
#include "cli_options.h"
#include "cli_pb_json.h"
#include "cli_text.h"
#include "cli_time.h"
#include "sluice/v1/visitor.pb-c.h"

typedef Sluice__V1__GetQuotaResponse pb_quota;

static const char help[] =
    "Usage: sluice quota [OPTION]...\n\n"
    "Shows who you are to the gateway, the GPU time that you have left, and when it is all there\n"
    "again. A call takes its time from each of your accounts.\n\n" CLI_COMMON_HELP;

static void add_row(struct cli_table *t, const Sluice__V1__Purse *p)
{
    bool is_open = p->window_opened_at_us != 0;

    cli_table_add(t, "%s", p->account);
    cli_table_add(t, "%s", p->blocked ? "blocked" : p->shared ? "shared" : "yours");
    cli_cell_gpu(t, p->limit_us);
    cli_cell_gpu(t, p->granted_us);
    cli_cell_gpu(t, p->spent_us);
    cli_cell_gpu(t, p->held_us);
    cli_cell_gpu(t, p->left_us);
    cli_cell_instant(t, is_open ? cli_next_second_us(p->resets_at_us) : 0, "24h after a call");
}

/* Do 24 h run that will be over? */
static bool is_open(const pb_quota *q)
{
    for (size_t i = 0; i < q->n_purses; i++) {
        if (q->purses[i]->window_opened_at_us != 0)
            return true;
    }
    return false;
}

static void print_head(const pb_quota *q)
{
    char left[CLI_TIME_BYTES];
    char until[CLI_TIME_BYTES];

    cli_text_make_safe(q->visitor);
    cli_text_make_safe(q->app);
    cli_text_make_safe(q->organisation);
    cli_format_gpu(q->left_us, left);
    cli_format_instant(cli_next_second_us(q->resets_at_us) / SL_US_PER_S, until);
    printf("%s", q->visitor);
    if (q->organisation[0] != '\0')
        printf(" of %s", q->organisation);
    printf(" (tier %s%s)", q->tier, q->admin ? ", administrator" : "");
    if (q->app[0] != '\0')
        printf(" by app %s", q->app);
    printf(": %s left%s%s, %u of %u calls under way\n\n", left, is_open(q) ? " until " : "",
           is_open(q) ? until : "", q->in_flight, q->in_flight_max);
}

static int print_text(const pb_quota *q)
{
    static const char *const heads[] = {"ACCOUNT", "STATE", ">A DAY", ">GRANTED",
                                        ">SPENT",  ">HELD", ">LEFT",  "RESETS (UTC)"};
    struct cli_table t;

    print_head(q);
    cli_table_init(&t, heads, SL_ARRAY_LEN(heads));
    for (size_t i = 0; i < q->n_purses; i++)
        add_row(&t, q->purses[i]);
    cli_table_print(&t);
    if (q->sign_in_url[0] != '\0')
        printf("\nfor time of your own sign in at %s\n", q->sign_in_url);
    return CLI_OK;
}

int cli_quota(int argc, char **argv)
{
    static const struct cli_grammar grammar = {.name = "quota", .help = help};
    struct cli_common c;
    ProtobufCMessage *m;
    int code;

    if (!cli_options_read(argc, argv, &grammar, &c, NULL, &code))
        return code;
    code = cli_ask(&c, "/sluice.v1.Visitor/GetQuota", NULL,
                   &sluice__v1__get_quota_response__descriptor, &m);
    if (code != CLI_OK)
        return code;
    code = c.json ? cli_print_json(cli_pb_json(m)) : print_text((const pb_quota *)m);
    protobuf_c_message_free_unpacked(m, NULL);
    return code;
}
