/* cli_tiers.c - sluice tiers: what the configuration gives to whom. */
#include <inttypes.h>
#include <stdio.h>

#include "cli_ask.h"
#include "cli_cells.h"
#include "cli_options.h"
#include "cli_pb_json.h"
#include "sl_text.h"
#include "sluice/v1/admin.pb-c.h"

typedef Sluice__V1__ListTiersResponse pb_tiers;

static const char help[] =
    "Usage: sluice tiers [OPTION]...\n\n"
    "Lists the tiers of visitors and the sizes of slices.\n\n" CLI_COMMON_HELP;

static void print_tiers(const pb_tiers *r)
{
    static const char *const heads[] = {"TIER",           ">A DAY", ">WEIGHT",
                                        ">CALLS AT ONCE", ">APPS",  "OVER QUOTA"};
    struct cli_table t;

    cli_table_init(&t, heads, SL_ARRAY_LEN(heads));
    for (size_t i = 0; i < r->n_tiers; i++) {
        const Sluice__V1__ListTiersResponse__Tier *tier = r->tiers[i];
        cli_table_add(&t, "%s", tier->name);
        cli_cell_gpu(&t, tier->daily_us);
        cli_table_add(&t, "%" PRIu32, tier->weight);
        cli_table_add(&t, "%" PRIu32, tier->in_flight);
        cli_table_add(&t, "%" PRIu32, tier->apps);
        cli_table_add(&t, "%s", tier->runs_when_idle ? "runs on idle slices" : "refused");
    }
    cli_table_print(&t);
}

static void print_sizes(const pb_tiers *r)
{
    static const char *const heads[] = {"SIZE", ">SHARE", ">MEMORY", ">COSTS"};
    struct cli_table t;

    cli_table_init(&t, heads, SL_ARRAY_LEN(heads));
    for (size_t i = 0; i < r->n_sizes; i++) {
        const Sluice__V1__ListTiersResponse__Size *size = r->sizes[i];
        char memory[32];
        sl_text_format_bytes(size->memory_bytes, memory);
        cli_table_add(&t, "%s", size->name);
        cli_table_add(&t, "%.1f %%", (double)size->share_thousandths / 10.0);
        cli_table_add(&t, "%s", memory);
        cli_table_add(&t, "%.3f", (double)size->factor_thousandths / 1000.0);
    }
    cli_table_print(&t);
}

int cli_tiers(int argc, char **argv)
{
    static const struct cli_grammar grammar = {.name = "tiers", .help = help, .as_operator = true};
    struct cli_common c;
    ProtobufCMessage *m;
    int code;

    if (!cli_options_read(argc, argv, &grammar, &c, NULL, &code))
        return code;
    code = cli_ask(&c, "/sluice.v1.Admin/ListTiers", NULL,
                   &sluice__v1__list_tiers_response__descriptor, &m);
    if (code != CLI_OK)
        return code;
    if (c.json) {
        code = cli_print_json(cli_pb_json(m));
    } else {
        print_tiers((const pb_tiers *)m);
        putchar('\n');
        print_sizes((const pb_tiers *)m);
    }
    protobuf_c_message_free_unpacked(m, NULL);
    return code;
}
