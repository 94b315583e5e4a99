/* ex_model_file_keys.c - every key that model.yaml may have, with type, range, default, meaning. */
#include "ex_model_file_keys.h"

#include "ex_batch.h"
#include "ex_engine.h"
#include "ex_model.h"
#include "sl_time.h"

#define DAY_NS (INT64_C(86400) * SL_NS_PER_S)

static const char *const dtype_names[] = {
#define NAME_OF(name, bytes) #name,
    SL_DTYPE_MAP(NAME_OF)
#undef NAME_OF
        NULL};
static const char *const hows[] = {"sleep", "busy", NULL};
static const char *const results[] = {"zeros", "copy", "hash", "params", "items", NULL};
static const char *const crashes[] = {"none", "segv", "abort", "exit", "kill", NULL};
static const char *const optimizations[] = {"none", "basic", "extended", "all", NULL};

/* clang-format off */
static const struct sl_conf_key shape_keys[] = {
    {.name = "", .type = SL_CONF_INT, .min = -1, .max = INT64_MAX,
     .help = "A dimension, outermost first; -1 leaves it free."},
    {0},
};

#define AT(field) offsetof(struct ex_model_tensor_conf, field)
static const struct sl_conf_key tensor_keys[] = {
    {.name = "name", .type = SL_CONF_STRING, .offset = AT(name), .max = EX_NAME_MAX,
     .help = "The tensor's name."},
    {.name = "datatype", .type = SL_CONF_CHOICE, .offset = AT(dtype), .choices = dtype_names,
     .help = "Its datatype in the Open Inference Protocol."},
    {.name = "shape", .type = SL_CONF_LIST, .offset = AT(shape), .items = shape_keys,
     .item_bytes = sizeof(int64_t), .max = SL_RANK_MAX,
     .help = "Its dimensions; none for a single value."},
    {0},
};
#undef AT

#define AT(field) offsetof(struct ex_model_conf, field)
#define VALUE(i) (AT(values) + (i) * sizeof(union ex_model_value))
/* The engines' sections stand last, so that ex_model_options is the table's tail. */
enum { FIRST_OPTION = 8 };
static struct sl_conf_key keys[] = {
    {.name = "engine", .type = SL_CONF_CHOICE, .offset = AT(engine),
     .help = "What runs the model."},
    {.name = "duration", .type = SL_CONF_STRING, .offset = AT(duration), .default_text = "60s",
     .help = "How long a call of this model may run when it does not say: a time (5s), auto (what "
             "its calls took before), or an expression in Lua over the call's inputs and "
             "parameters, in seconds."},
    {.name = "max_duration", .type = SL_CONF_DURATION, .offset = AT(max_duration_ns),
     .default_text = "300s", .min = SL_NS_PER_MS, .max = DAY_NS,
     .help = "The most that a call may ask for."},
    {.name = "size", .type = SL_CONF_STRING, .offset = AT(size), .default_text = "",
     .help = "The size of the slice for a call that does not say, such as xlarge: a name of the gateway's "
             "`sizes`; empty: the first one there, large."},
    {.name = "max_batch", .type = SL_CONF_INT, .offset = AT(max_batch), .default_text = "1",
     .min = 1, .max = EX_BATCH_MAX,
     .help = "Items of several calls, along the first dimension of all tensors, that the engine "
             "takes in one run; 1: each call has a run of its own."},
    {.name = "batch_delay", .type = SL_CONF_DURATION, .offset = AT(batch_delay_ns),
     .default_text = "1ms", .max = SL_NS_PER_S,
     .help = "How long a call waits for as many others as ran together before; 0: it runs with those "
             "that are there."},
    {.name = "inputs", .type = SL_CONF_LIST, .offset = AT(inputs), .items = tensor_keys,
     .item_bytes = sizeof(struct ex_model_tensor_conf), .max = EX_TENSORS_MAX,
     .help = "The tensors that a call gives."},
    {.name = "outputs", .type = SL_CONF_LIST, .offset = AT(outputs), .items = tensor_keys,
     .item_bytes = sizeof(struct ex_model_tensor_conf), .max = EX_TENSORS_MAX,
     .help = "The tensors that it gets back."},

    {.name = "onnx.file", .type = SL_CONF_STRING, .offset = VALUE(0),
     .default_text = "model.onnx",
     .help = "The network's file in the version's directory."},
    {.name = "onnx.library", .type = SL_CONF_STRING, .offset = VALUE(1), .default_text = "",
     .help = "ONNX Runtime's shared library; empty: $SLUICE_ONNXRUNTIME, else the system's."},
    {.name = "onnx.optimization", .type = SL_CONF_CHOICE, .offset = VALUE(2),
     .default_text = "all", .choices = optimizations,
     .help = "How much ONNX Runtime rewrites the network when it loads it."},

    {.name = "fake.run", .type = SL_CONF_DURATION, .offset = VALUE(3), .default_text = "0s",
     .max = DAY_NS, .help = "How long a run takes."},
    {.name = "fake.how", .type = SL_CONF_CHOICE, .offset = VALUE(4), .default_text = "sleep",
     .choices = hows, .help = "How that time passes."},
    {.name = "fake.result", .type = SL_CONF_CHOICE, .offset = VALUE(5), .default_text = "zeros",
     .choices = results, .help = "What the outputs hold."},
    {.name = "fake.rows", .type = SL_CONF_INT, .offset = VALUE(6), .default_text = "1", .min = 1,
     .max = INT64_MAX,
     .help = "The first free dimension of each output; not given: that of the first input."},
    {.name = "fake.memory", .type = SL_CONF_BYTES, .offset = VALUE(7), .default_text = "0B",
     .help = "Memory that each run takes, writes to and gives back."},
    {.name = "fake.error", .type = SL_CONF_STRING, .offset = VALUE(8), .default_text = "",
     .max = SL_ERROR_TEXT_MAX - 1, .help = "Runs fail with this text."},
    {.name = "fake.reason", .type = SL_CONF_STRING, .offset = VALUE(9),
     .default_text = "MODEL_ERROR", .help = "The reason of that failure, by name."},
    {.name = "fake.crash", .type = SL_CONF_CHOICE, .offset = VALUE(10), .default_text = "none",
     .choices = crashes, .help = "How runs end the worker process."},
    {.name = "fake.hang", .type = SL_CONF_BOOL, .offset = VALUE(11), .default_text = "false",
     .help = "Runs never end."},
    {.name = "fake.every", .type = SL_CONF_INT, .offset = VALUE(12), .default_text = "1",
     .min = 1, .max = INT64_MAX,
     .help = "error, crash and hang befall only each run of this number."},
    {.name = "fake.load_delay", .type = SL_CONF_DURATION, .offset = VALUE(13),
     .default_text = "0s", .max = DAY_NS, .help = "How long loading takes."},
    {.name = "fake.load_error", .type = SL_CONF_STRING, .offset = VALUE(14), .default_text = "",
     .max = SL_ERROR_TEXT_MAX - 1, .help = "Loading fails with this text."},
    {.name = "fake.load_memory", .type = SL_CONF_BYTES, .offset = VALUE(15),
     .default_text = "0B", .help = "Memory that is kept from loading on."},
    {.name = "fake.item", .type = SL_CONF_DURATION, .offset = VALUE(16), .default_text = "0s",
     .max = DAY_NS, .help = "How much longer a run takes for each item of its first input."},
    {.name = "fake.bad", .type = SL_CONF_INT, .offset = VALUE(17), .default_text = "1", .min = 1,
     .max = 255,
     .help = "error, crash and hang befall only runs of which an item of the first input begins "
             "with this byte; not given: all."},
    {0},
};
#undef VALUE
#undef AT
/* clang-format on */

const struct sl_conf_key *ex_model_keys(void)
{
    keys[0].choices = ex_engine_names();
    return keys;
}

const struct sl_conf_key *ex_model_options(void)
{
    return ex_model_keys() + FIRST_OPTION;
}
