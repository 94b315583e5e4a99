/* magika.c - what kinds of files are these? The magika network on Sluice says.
 *
 *     magika --config MODELS/magika/magika.json FILE...
 *
 * scripts/prepare_magika.py makes the model and its magika.json. Prints "FILE: label score" for each
 * file; the files' bytes never leave this machine as such, only the features that the network takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <sluice/sluice.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "magika_decide.h"

enum { BATCH_MAX = 64, CONFIG_BYTES_MAX = 4 << 20 };

static const char usage[] =
    "Usage: magika --config MAGIKA.JSON [OPTION]... FILE...\n\n"
    "Tells the kinds of files by the model magika on a Sluice gateway.\n\n"
    "  --config FILE         labels and thresholds, beside the model in its repository\n"
    "  --address HOST:PORT   the gateway (SLUICE_ADDRESS; 127.0.0.1:8001)\n"
    "  --timeout SECONDS     most time for one call of up to 64 files (30)\n"
    "  --json                a JSON array instead of lines\n"
    "  --help                this text\n\n"
    "Exit codes: 0 done, 1 a file or a call failed, 2 wrong usage.\n";

/* One file on its way. */
struct item {
    const char *path;
    const char *error; /* NULL: there is an answer */
    enum magika_rule rule;
    struct magika_answer answer;
};

struct program {
    const char *config_path;
    const char *address;
    long timeout_s;
    bool json;
    struct magika_config *config;
    struct sluice_channel *channel;
    struct item *items;
    size_t item_count;
    int32_t *features;       /* of one batch */
    size_t batch[BATCH_MAX]; /* indexes of its items */
    size_t batch_count;
    size_t call_count;
    int64_t queue_us, exec_us, charged_us; /* of all calls */
    struct sluice_receipt last;            /* who was charged, and what is left */
};

/* Fills in len bytes from offset; false when they are not there any more. */
static bool read_exactly(int fd, uint64_t offset, uint8_t *out, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(fd, out + done, len - done, (off_t)(offset + done));
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

/* The rule for the regular file, and its features. */
static bool read_features(const struct program *p, int fd, uint64_t size, int32_t *features,
                          enum magika_rule *out)
{
    const struct magika_shape *shape = magika_config_shape(p->config);
    uint8_t head[MAGIKA_COUNT_MAX];
    uint8_t tail[MAGIKA_COUNT_MAX];
    struct magika_sample sample = {.size = size, .head = head, .tail = tail};

    sample.block_len = size < shape->block_bytes ? (size_t)size : shape->block_bytes;
    if (!read_exactly(fd, 0, head, sample.block_len) ||
        !read_exactly(fd, size - sample.block_len, tail, sample.block_len))
        return false;
    *out = magika_features(shape, &sample, features);
    return true;
}

static void decide_by_label(const struct program *p, struct item *item, const char *label)
{
    item->answer = magika_decide_rule(p->config, MAGIKA_UNKNOWN);
    const struct magika_kind *kind = magika_config_kind(p->config, label);
    if (kind != NULL)
        item->answer.kind = kind;
}

/* Answers the item, or leaves its features for the network and returns true. */
static bool prepare(const struct program *p, struct item *item, int32_t *features)
{
    struct stat st;
    int fd = open(item->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    item->rule = MAGIKA_UNKNOWN;
    if (fd < 0 || fstat(fd, &st) != 0) {
        item->error = strerror(errno);
    } else if (S_ISDIR(st.st_mode)) {
        decide_by_label(p, item, "directory");
    } else if (!S_ISREG(st.st_mode)) {
        decide_by_label(p, item, "unknown");
    } else if (!read_features(p, fd, (uint64_t)st.st_size, features, &item->rule)) {
        item->error = "it cannot be read";
    } else if (item->rule != MAGIKA_ASK) {
        item->answer = magika_decide_rule(p->config, item->rule);
    }
    if (fd >= 0)
        close(fd);
    return item->error == NULL && item->rule == MAGIKA_ASK;
}

static size_t feature_count(const struct program *p)
{
    const struct magika_shape *shape = magika_config_shape(p->config);
    return shape->beg_count + shape->end_count;
}

static void fail_batch(struct program *p, const struct sluice_status *status)
{
    fprintf(stderr, "magika: %s%s%s\n", status->reason, status->reason[0] ? ": " : "",
            status->message);
    for (size_t i = 0; i < p->batch_count; i++)
        p->items[p->batch[i]].error = "no answer from the model";
}

/* Adds up what the call took and cost; -1 stands for what was not told. */
static void take_receipt(struct program *p, const struct sluice_result *result)
{
    struct sluice_receipt r = SLUICE_RECEIPT_INIT;

    sluice_result_receipt(result, &r);
    p->queue_us += r.queue_us > 0 ? r.queue_us : 0;
    p->exec_us += r.exec_us > 0 ? r.exec_us : 0;
    p->charged_us += r.charged_us > 0 ? r.charged_us : 0;
    p->last = r;
}

/* The probabilities of the batch's files; NULL when the answer is not what the model should give. */
static const float *find_scores(const struct program *p, const struct sluice_result *result)
{
    const struct sluice_tensor *t = sluice_result_output_named(result, "target_label");
    size_t count = magika_config_target_count(p->config);

    if (t == NULL || strcmp(t->datatype, "FP32") != 0 ||
        t->bytes != p->batch_count * count * sizeof(float))
        return NULL;
    return t->data;
}

static void take_answer(struct program *p, const struct sluice_result *result)
{
    size_t count = magika_config_target_count(p->config);
    const float *scores = find_scores(p, result);

    for (size_t i = 0; i < p->batch_count; i++) {
        struct item *item = &p->items[p->batch[i]];
        if (scores == NULL)
            item->error = "the model's answer does not fit magika.json";
        else
            item->answer = magika_decide(p->config, scores + i * count);
    }
    p->call_count++;
    take_receipt(p, result);
}

/* One call for all files of the batch. */
static void ask(struct program *p)
{
    struct sluice_call_options options = SLUICE_CALL_OPTIONS_INIT;
    const int64_t shape[2] = {(int64_t)p->batch_count, (int64_t)feature_count(p)};
    size_t bytes = p->batch_count * feature_count(p) * sizeof(*p->features);
    struct sluice_request *request;
    struct sluice_result *result = NULL;
    struct sluice_status status;

    if (p->batch_count == 0)
        return;
    options.timeout_ms = p->timeout_s * 1000;
    if (sluice_request_create("magika", "", &request) != SLUICE_OK) {
        snprintf(status.message, sizeof(status.message), "out of memory");
        status.reason[0] = '\0';
        fail_batch(p, &status);
        p->batch_count = 0;
        return;
    }
    sluice_request_add_input(request, "bytes", "INT32", shape, 2, p->features, bytes);
    if (sluice_infer(p->channel, request, &options, &result, &status) == SLUICE_OK)
        take_answer(p, result);
    else
        fail_batch(p, &status);
    sluice_result_destroy(result);
    sluice_request_destroy(request);
    p->batch_count = 0;
}

static void identify(struct program *p)
{
    for (size_t i = 0; i < p->item_count; i++) {
        if (prepare(p, &p->items[i], p->features + p->batch_count * feature_count(p)))
            p->batch[p->batch_count++] = i;
        if (p->batch_count == BATCH_MAX)
            ask(p);
    }
    ask(p);
}

static json_t *item_json(const struct item *item)
{
    json_t *path = json_string(item->path); /* NULL when the name is not UTF-8 */
    if (path == NULL)
        path = json_null();
    if (item->error != NULL)
        return json_pack("{s:o, s:s}", "path", path, "error", item->error);
    const struct magika_answer *a = &item->answer;
    return json_pack(
        "{s:o, s:s, s:f, s:s?, s:s, s:s, s:b}", "path", path, "label", a->kind->label, "score",
        a->score, "model_label", a->model_kind != NULL ? a->model_kind->label : NULL, "description",
        a->kind->description, "mime_type", a->kind->mime_type, "is_text", a->kind->is_text);
}

static void print_json(const struct program *p)
{
    json_t *all = json_array();
    for (size_t i = 0; i < p->item_count; i++)
        json_array_append_new(all, item_json(&p->items[i]));
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

static void print_lines(const struct program *p)
{
    for (size_t i = 0; i < p->item_count; i++) {
        const struct item *item = &p->items[i];
        if (item->error != NULL)
            fprintf(stderr, "magika: %s: %s\n", item->path, item->error);
        else
            printf("%s: %s %.4f\n", item->path, item->answer.kind->label, item->answer.score);
    }
    fprintf(stderr, "%zu files, %zu calls: queue %.3f ms, execution %.3f ms\n", p->item_count,
            p->call_count, (double)p->queue_us / 1e3, (double)p->exec_us / 1e3);
    if (p->last.visitor[0] != '\0')
        fprintf(stderr, "charged %.3f ms of GPU time to %s (tier %s), %lld s left\n",
                (double)p->charged_us / 1e3, p->last.visitor, p->last.tier,
                (long long)p->last.left_us / 1000000);
}

static int exit_code(const struct program *p)
{
    for (size_t i = 0; i < p->item_count; i++) {
        if (p->items[i].error != NULL)
            return 1;
    }
    return 0;
}

static const char *load_config(struct program *p)
{
    FILE *f = fopen(p->config_path, "rbe");
    char *text = malloc(CONFIG_BYTES_MAX);
    const char *wrong = "no memory";

    if (f == NULL) {
        wrong = strerror(errno);
    } else if (text != NULL) {
        size_t len = fread(text, 1, CONFIG_BYTES_MAX, f);
        wrong = len < CONFIG_BYTES_MAX ? magika_config_parse(text, len, &p->config)
                                       : "it is larger than 4 MiB";
    }
    if (f != NULL)
        fclose(f);
    free(text);
    return wrong;
}

/* Everything before the first file; -1: go on, else the exit code. */
static int set_up(struct program *p)
{
    struct sluice_status status;
    const char *wrong = load_config(p);

    if (wrong != NULL) {
        fprintf(stderr, "magika: %s: %s\n", p->config_path, wrong);
        return 2;
    }
    if (sluice_channel_create(p->address, NULL, &p->channel, &status) != SLUICE_OK) {
        fprintf(stderr, "magika: %s\n", status.message);
        return 2;
    }
    p->items = calloc(p->item_count, sizeof(*p->items));
    p->features = calloc(BATCH_MAX * feature_count(p), sizeof(*p->features));
    if (p->items == NULL || p->features == NULL) {
        fprintf(stderr, "magika: out of memory\n");
        return 1;
    }
    return -1;
}

/* -1: go on, else the exit code. */
static int read_options(struct program *p, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},  {"address", required_argument, NULL, 'a'},
        {"timeout", required_argument, NULL, 't'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},          {0}};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'c') {
            p->config_path = optarg;
        } else if (option == 'a') {
            p->address = optarg;
        } else if (option == 't') {
            p->timeout_s = strtol(optarg, NULL, 10);
        } else if (option == 'j') {
            p->json = true;
        } else {
            fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    if (p->config_path == NULL || optind == argc || p->timeout_s < 1 || p->timeout_s > 3600) {
        fputs(usage, stderr);
        return 2;
    }
    p->item_count = (size_t)(argc - optind);
    return -1;
}

int main(int argc, char **argv)
{
    const char *address = getenv("SLUICE_ADDRESS");
    struct program p = {.address = address != NULL ? address : "127.0.0.1:8001", .timeout_s = 30};

    int code = read_options(&p, argc, argv);
    if (code < 0)
        code = set_up(&p);
    if (code < 0) {
        for (size_t i = 0; i < p.item_count; i++)
            p.items[i].path = argv[optind + (int)i];
        identify(&p);
        if (p.json)
            print_json(&p);
        else
            print_lines(&p);
        code = exit_code(&p);
    }
    free(p.items);
    free(p.features);
    sluice_channel_destroy(p.channel);
    magika_config_destroy(p.config);
    return code;
}
