/* cli_infer.c - sluice infer: one call to a model. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cli.h"
#include "cli_input.h"
#include "cli_outputs.h"
#include "cli_waiting.h"
#include "sl_buf.h"
#include "sl_text.h"

enum {
    ARENA_BYTES_MAX = INT32_MAX,
    METADATA_MAX = 6, /* each of the options below once, and the call's id */
};

static const char help[] =
    "Usage: sluice infer MODEL --input NAME=VALUE [OPTION]...\n\n"
    "Calls the model once and prints its outputs.\n\n"
    "  -i, --input NAME=VALUE        a number, text, or nested JSON arrays: 3.5, [1,2,3,4], \"a\"\n"
    "      --input NAME=@FILE        the file's bytes (for BYTES: as one element)\n"
    "      --input NAME=@FILE.npy    a NumPy array\n"
    "      --shape NAME=1,3,4        the input's shape, where it does not follow from the model's\n"
    "  -o, --output NAME             only this output; repeat for more\n"
    "      --output NAME=@FILE[.npy] and write it to a file\n"
    "  -p, --param NAME=VALUE        a parameter: true, 5, 0.5 or text\n"
    "      --version V               the model's version; else the newest\n"
    "      --id ID                   returned with the result\n"
    "      --duration TIME           how long the call may hold its slice: 5s, auto\n"
    "      --size SIZE               large: half a device, xlarge: all of it; 'sluice tiers' "
    "lists\n"
    "                                the sizes that there are\n"
    "      --max-wait TIME           wait at most this long in the queue\n"
    "      --idempotency-key KEY     sent again under the same key, the call runs and is charged "
    "once\n"
    "      --keep                    a lost connection does not end the call, its result is "
    "kept\n" CLI_COMMON_HELP;

struct infer {
    struct cli_common common;
    const char *model;
    const char *version;
    const char *id;
    struct cli_named_list inputs;
    struct cli_named_list shapes;
    struct cli_named_list outputs; /* value: "@FILE", or NULL */
    struct cli_named_list params;
    struct sluice_pair metadata[METADATA_MAX];
    size_t metadata_count;
    struct sl_arena arena;
    struct sluice_cancel *cancel;
};

enum {
    OPT_SHAPE = 256,
    OPT_VERSION,
    OPT_ID,
    OPT_DURATION,
    OPT_SIZE,
    OPT_MAX_WAIT,
    OPT_IDEMPOTENCY_KEY,
    OPT_KEEP,
};

/* A name that is there already would be sent twice. */
static int take_metadata(struct infer *v, const char *name, const char *value)
{
    for (size_t i = 0; i < v->metadata_count; i++) {
        if (strcmp(v->metadata[i].name, name) == 0)
            return cli_fail(&v->common, CLI_USAGE, "%s is given twice: %s and %s", name,
                            v->metadata[i].value, value);
    }
    v->metadata[v->metadata_count++] = (struct sluice_pair){.name = name, .value = value};
    return CLI_OK;
}

/* true: taken. An option given in the wrong form leaves *out_exit at CLI_USAGE. */
static bool take_option(struct infer *v, int option, char *value, int *out_exit)
{
    *out_exit = CLI_OK;
    switch (option) {
    case 'i':
        if (!cli_named_take(&v->inputs, value, true))
            *out_exit = cli_fail(&v->common, CLI_USAGE, "--input %s: write NAME=VALUE", value);
        return true;
    case OPT_SHAPE:
        if (!cli_named_take(&v->shapes, value, true))
            *out_exit = cli_fail(&v->common, CLI_USAGE, "--shape %s: write NAME=1,3,4", value);
        return true;
    case 'o':
        if (!cli_named_take(&v->outputs, value, false))
            *out_exit = cli_fail(&v->common, CLI_USAGE, "--output %s: write NAME=@FILE", value);
        return true;
    case 'p':
        if (!cli_named_take(&v->params, value, true))
            *out_exit = cli_fail(&v->common, CLI_USAGE, "--param %s: write NAME=VALUE", value);
        return true;
    case OPT_VERSION:
        v->version = value;
        return true;
    case OPT_ID:
        v->id = value;
        return true;
    case OPT_DURATION:
        *out_exit = take_metadata(v, "sluice-duration", value);
        return true;
    case OPT_SIZE:
        *out_exit = take_metadata(v, "sluice-size", value);
        return true;
    case OPT_MAX_WAIT:
        *out_exit = take_metadata(v, "sluice-max-wait", value);
        return true;
    case OPT_IDEMPOTENCY_KEY:
        *out_exit = take_metadata(v, "idempotency-key", value);
        return true;
    case OPT_KEEP:
        *out_exit = take_metadata(v, "sluice-on-disconnect", "keep");
        return true;
    default:
        return false;
    }
}

static bool read_options(struct infer *v, int argc, char **argv, int *out_exit)
{
    static const struct option options[] = {
        {"input", required_argument, NULL, 'i'},
        {"shape", required_argument, NULL, OPT_SHAPE},
        {"output", required_argument, NULL, 'o'},
        {"param", required_argument, NULL, 'p'},
        {"version", required_argument, NULL, OPT_VERSION},
        {"id", required_argument, NULL, OPT_ID},
        {"duration", required_argument, NULL, OPT_DURATION},
        {"size", required_argument, NULL, OPT_SIZE},
        {"max-wait", required_argument, NULL, OPT_MAX_WAIT},
        {"idempotency-key", required_argument, NULL, OPT_IDEMPOTENCY_KEY},
        {"keep", no_argument, NULL, OPT_KEEP},
        CLI_COMMON_OPTIONS,
        {0}};
    int option;

    while ((option = getopt_long(argc, argv, "i:o:p:", options, NULL)) != -1) {
        bool is_ours = take_option(v, option, optarg, out_exit);
        if (is_ours && *out_exit != CLI_OK)
            return false;
        if (!is_ours && !cli_common_take(&v->common, option, optarg, help, out_exit))
            return false;
    }
    if (optind + 1 != argc)
        *out_exit = cli_fail(&v->common, CLI_USAGE, "give one model; sluice infer --help");
    else
        v->model = argv[optind];
    return v->model != NULL;
}

/* Which inputs the model has, for the error that one is missing or unknown. */
static int fail_inputs(const struct infer *v, const struct sluice_model *m, const char *what,
                       const char *name)
{
    struct sl_buf list;
    char shape[256];
    sl_status s = SL_OK;

    sl_buf_init(&list, &sl_alloc_malloc, 8192);
    for (size_t i = 0; i < sluice_model_input_count(m) && s == SL_OK; i++) {
        const struct sluice_tensor_info *info = sluice_model_input(m, i);
        s = sl_buf_printf(&list, "%s%s %s %s", i > 0 ? ", " : "", info->name, info->datatype,
                          sl_shape_format(info->shape, info->rank, shape, sizeof(shape)));
    }
    cli_fail(&v->common, CLI_USAGE, "%s %s; the model %s takes: %.*s", what, name, v->model,
             (int)list.len, list.len > 0 ? (const char *)list.data : "");
    sl_buf_finish(&list);
    return CLI_USAGE;
}

static bool has_input(const struct sluice_model *m, const char *name)
{
    for (size_t i = 0; i < sluice_model_input_count(m); i++) {
        if (strcmp(sluice_model_input(m, i)->name, name) == 0)
            return true;
    }
    return false;
}

static int add_input(struct infer *v, const struct sluice_tensor_info *info, const char *spec,
                     struct sluice_request *request)
{
    struct sl_error why = {0};
    struct cli_tensor t;
    sl_status s =
        cli_input_read(info, spec, cli_named_find(&v->shapes, info->name), &v->arena, &t, &why);
    if (s == SL_ENOMEM)
        return cli_fail(&v->common, CLI_FAILED, "no memory for input %s", info->name);
    if (s != SL_OK)
        return cli_fail(&v->common, CLI_USAGE, "%s", why.text);
    sluice_request_add_input(request, info->name, info->datatype, t.shape, t.rank, t.data.data,
                             t.data.len);
    return CLI_OK;
}

static int add_inputs(struct infer *v, const struct sluice_model *m, struct sluice_request *request)
{
    for (size_t i = 0; i < v->inputs.count; i++) {
        if (!has_input(m, v->inputs.items[i].name))
            return fail_inputs(v, m, "there is no input", v->inputs.items[i].name);
    }
    for (size_t i = 0; i < sluice_model_input_count(m); i++) {
        const struct sluice_tensor_info *info = sluice_model_input(m, i);
        const char *spec = cli_named_find(&v->inputs, info->name);
        if (spec == NULL)
            return fail_inputs(v, m, "there is no --input for", info->name);
        int code = add_input(v, info, spec, request);
        if (code != CLI_OK)
            return code;
    }
    return CLI_OK;
}

static void add_param(struct sluice_request *request, const struct cli_named *p)
{
    struct sluice_parameter out = {.name = p->name};
    json_t *v = json_loads(p->value, JSON_DECODE_ANY, NULL);

    if (json_is_boolean(v)) {
        out.kind = SLUICE_PARAMETER_BOOL;
        out.value.boolean = json_is_true(v);
    } else if (json_is_integer(v)) {
        out.kind = SLUICE_PARAMETER_INT64;
        out.value.int64 = json_integer_value(v);
    } else if (json_is_real(v)) {
        out.kind = SLUICE_PARAMETER_DOUBLE;
        out.value.real = json_real_value(v);
    } else {
        out.kind = SLUICE_PARAMETER_STRING;
        out.value.string = json_is_string(v) ? json_string_value(v) : p->value;
    }
    sluice_request_add_parameter(request, &out);
    json_decref(v);
}

static int make_request(struct infer *v, const struct sluice_model *m,
                        struct sluice_request *request)
{
    int code = add_inputs(v, m, request);
    if (v->id != NULL)
        sluice_request_set_id(request, v->id);
    for (size_t i = 0; i < v->outputs.count; i++)
        sluice_request_add_output(request, v->outputs.items[i].name);
    for (size_t i = 0; i < v->params.count; i++)
        add_param(request, &v->params.items[i]);
    return code;
}

static struct sluice_call_options call_options(const struct infer *v)
{
    struct sluice_call_options o = cli_call_options(&v->common);
    o.cancel = v->cancel;
    o.metadata = v->metadata;
    o.metadata_count = v->metadata_count;
    return o;
}

/* Who waits at a terminal sees the call's place: it gets a name, by which it can be watched. NULL: it is not shown. */
static struct cli_waiting *show_place(struct infer *v, char id[SL_UUID_TEXT_LEN + 1])
{
    uint64_t random[2];

    if (!cli_waiting_is_wanted(&v->common) ||
        getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return NULL;
    sl_text_make_uuid(random[0], random[1], id);
    v->metadata[v->metadata_count++] = (struct sluice_pair){"sluice-call-id", id};
    return cli_waiting_begin(&v->common, id);
}

static int send_request(struct infer *v, struct sluice_channel *channel,
                        const struct sluice_request *request)
{
    char id[SL_UUID_TEXT_LEN + 1];
    struct cli_waiting *waiting = show_place(v, id);
    struct sluice_call_options options = call_options(v);
    struct sluice_result *result;
    struct sluice_status status;

    int code = sluice_infer(channel, request, &options, &result, &status);
    cli_waiting_end(waiting);
    if (code != SLUICE_OK)
        code = cli_fail_result(&v->common, &status, result);
    else
        code = cli_outputs_show(&v->common, result, &v->outputs);
    sluice_result_destroy(result);
    return code;
}

static int run(struct infer *v, struct sluice_channel *channel)
{
    struct sluice_call_options options = call_options(v);
    struct sluice_request *request = NULL;
    struct sluice_model *model;
    struct sluice_status status;

    options.metadata_count = 0;
    if (sluice_model_metadata(channel, v->model, v->version, &options, &model, &status) !=
        SLUICE_OK)
        return cli_fail_status(&v->common, &status);
    int code = CLI_FAILED;
    if (sluice_request_create(v->model, v->version, &request) == SLUICE_OK)
        code = make_request(v, model, request);
    if (code == CLI_OK)
        code = send_request(v, channel, request);
    sluice_request_destroy(request);
    sluice_model_destroy(model);
    return code;
}

/* Ctrl-C cancels the call, so that the server learns of it; the switch is set before the handler. */
static struct sluice_cancel *interrupt_switch;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    sluice_cancel_trigger(interrupt_switch);
}

static void catch_interrupt(struct sluice_cancel *cancel)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    interrupt_switch = cancel;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int cli_infer(int argc, char **argv)
{
    struct infer v = {.version = ""};
    struct sluice_channel *channel;
    int code;

    cli_common_init(&v.common);
    if (!read_options(&v, argc, argv, &code))
        return code;
    code = cli_open(&v.common, &channel);
    if (code != CLI_OK)
        return code;
    sl_arena_init(&v.arena, &sl_alloc_malloc, ARENA_BYTES_MAX);
    if (sluice_cancel_create(&v.cancel) == SLUICE_OK) {
        catch_interrupt(v.cancel);
        code = run(&v, channel);
    } else {
        code = cli_fail(&v.common, CLI_FAILED, "no file descriptor is left");
    }
    sluice_channel_destroy(channel);
    sl_arena_finish(&v.arena);
    /* v.cancel stays: the handler may still use it until the process ends. */
    return code;
}
