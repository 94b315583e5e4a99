/* magika_decide.c - from the network's probabilities to a label. */
#include "magika_decide.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct magika_config {
    json_t *root; /* owned: all texts lie here */
    struct magika_shape shape;
    struct magika_kind *kinds;
    size_t kind_count;
    struct magika_target *targets;
    size_t target_count;
    const struct magika_kind *txt;
    const struct magika_kind *unknown;
    const struct magika_kind *empty;
};

const struct magika_kind *magika_config_kind(const struct magika_config *c, const char *label)
{
    for (size_t i = 0; label != NULL && i < c->kind_count; i++) {
        if (strcmp(c->kinds[i].label, label) == 0)
            return &c->kinds[i];
    }
    return NULL;
}

/* A count of the configuration; false when it is missing or not 0 to MAGIKA_COUNT_MAX. */
static bool get_count(const json_t *config, const char *name, size_t *out)
{
    const json_t *v = json_object_get(config, name);
    json_int_t n = json_integer_value(v);

    *out = (size_t)n;
    return json_is_integer(v) && n >= 0 && n <= MAGIKA_COUNT_MAX;
}

static const char *read_shape(struct magika_config *c, const json_t *config)
{
    size_t mid;
    size_t padding;

    if (!get_count(config, "beg_size", &c->shape.beg_count) ||
        !get_count(config, "mid_size", &mid) ||
        !get_count(config, "end_size", &c->shape.end_count) ||
        !get_count(config, "block_size", &c->shape.block_bytes) ||
        !get_count(config, "min_file_size_for_dl", &c->shape.min_file_bytes) ||
        !get_count(config, "padding_token", &padding))
        return "a size in \"config\" is missing or not 0 to 4096";
    c->shape.padding = (int32_t)padding;
    if (mid != 0 || json_is_true(json_object_get(config, "use_inputs_at_offsets")))
        return "the model wants features from a file's middle, which this program has not";
    if (c->shape.beg_count >= c->shape.block_bytes || c->shape.end_count >= c->shape.block_bytes ||
        c->shape.min_file_bytes > c->shape.beg_count)
        return "the sizes in \"config\" do not fit each other";
    return NULL;
}

static const char *text_or(const json_t *v, const char *otherwise)
{
    return json_is_string(v) ? json_string_value(v) : otherwise;
}

static const char *read_kinds(struct magika_config *c, json_t *content_types)
{
    const char *label;
    json_t *v;

    c->kinds = calloc(json_object_size(content_types) + 1, sizeof(*c->kinds));
    if (c->kinds == NULL)
        return "no memory";
    json_object_foreach(content_types, label, v)
    {
        bool is_text = json_is_true(json_object_get(v, "is_text"));
        c->kinds[c->kind_count++] = (struct magika_kind){
            .label = label,
            .description = text_or(json_object_get(v, "description"), label),
            .mime_type = text_or(json_object_get(v, "mime_type"),
                                 is_text ? "text/plain" : "application/octet-stream"),
            .is_text = is_text};
    }
    c->txt = magika_config_kind(c, "txt");
    c->unknown = magika_config_kind(c, "unknown");
    c->empty = magika_config_kind(c, "empty");
    return c->txt != NULL && c->unknown != NULL && c->empty != NULL
               ? NULL
               : "\"content_types\" lacks txt, unknown or empty";
}

static const char *read_targets(struct magika_config *c, const json_t *config)
{
    const json_t *labels = json_object_get(config, "target_labels_space");
    const json_t *map = json_object_get(config, "overwrite_map");
    const json_t *thresholds = json_object_get(config, "thresholds");
    double threshold = json_number_value(json_object_get(config, "medium_confidence_threshold"));

    if (json_array_size(labels) == 0 || json_array_size(labels) > MAGIKA_COUNT_MAX)
        return "\"target_labels_space\" is missing, empty or too long";
    c->targets = calloc(json_array_size(labels), sizeof(*c->targets));
    if (c->targets == NULL)
        return "no memory";
    for (; c->target_count < json_array_size(labels); c->target_count++) {
        struct magika_target *t = &c->targets[c->target_count];
        const char *label = text_or(json_array_get(labels, c->target_count), "");
        const json_t *own = json_object_get(thresholds, label);
        t->kind = magika_config_kind(c, label);
        t->output = magika_config_kind(c, text_or(json_object_get(map, label), label));
        t->threshold = json_is_number(own) ? json_number_value(own) : threshold;
        if (t->kind == NULL || t->output == NULL)
            return "a label of the network is not in \"content_types\"";
    }
    return NULL;
}

const char *magika_config_parse(const char *text, size_t len, struct magika_config **out)
{
    struct magika_config *c = calloc(1, sizeof(*c));

    *out = NULL;
    if (c == NULL)
        return "no memory";
    c->root = json_loadb(text, len, 0, NULL);
    const json_t *config = json_object_get(c->root, "config");
    const char *wrong = c->root != NULL ? read_shape(c, config) : "it is not JSON";
    if (wrong == NULL)
        wrong = read_kinds(c, json_object_get(c->root, "content_types"));
    if (wrong == NULL)
        wrong = read_targets(c, config);
    if (wrong != NULL)
        magika_config_destroy(c);
    else
        *out = c;
    return wrong;
}

void magika_config_destroy(struct magika_config *c)
{
    if (c == NULL)
        return;
    json_decref(c->root);
    free(c->kinds);
    free(c->targets);
    free(c);
}

const struct magika_shape *magika_config_shape(const struct magika_config *c)
{
    return &c->shape;
}

size_t magika_config_target_count(const struct magika_config *c)
{
    return c->target_count;
}

struct magika_answer magika_decide(const struct magika_config *c, const float *scores)
{
    size_t best = 0;

    for (size_t i = 1; i < c->target_count; i++) {
        if (scores[i] > scores[best])
            best = i;
    }
    const struct magika_target *t = &c->targets[best];
    struct magika_answer a = {
        .kind = t->output, .model_kind = t->kind, .score = (double)scores[best]};
    if (a.score < t->threshold)
        a.kind = t->output->is_text ? c->txt : c->unknown;
    return a;
}

struct magika_answer magika_decide_rule(const struct magika_config *c, enum magika_rule rule)
{
    struct magika_answer a = {.kind = c->unknown, .score = 1.0};

    if (rule == MAGIKA_EMPTY)
        a.kind = c->empty;
    else if (rule == MAGIKA_TXT)
        a.kind = c->txt;
    return a;
}
