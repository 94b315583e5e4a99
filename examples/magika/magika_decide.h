/* magika_decide.h - from the network's probabilities to a label. Pure.
 *
 * The most probable label, replaced by another where the package's map says so; when its probability
 * is below the label's threshold only "txt" or "unknown" is said (the package's mode HIGH_CONFIDENCE).
 */
#ifndef MAGIKA_DECIDE_H
#define MAGIKA_DECIDE_H

#include <stdbool.h>

#include "magika_features.h"

/* The largest count and block of a configuration that is accepted. */
enum { MAGIKA_COUNT_MAX = 4096 };

/* What is known of one kind of content. */
struct magika_kind {
    const char *label;
    const char *description;
    const char *mime_type;
    bool is_text;
};

/* One label of the network. */
struct magika_target {
    const struct magika_kind *kind;   /* the label itself */
    const struct magika_kind *output; /* what is said for it, by the overwrite map */
    double threshold;
};

struct magika_config;

struct magika_answer {
    const struct magika_kind *kind;
    const struct magika_kind *model_kind; /* what the network said; NULL: it was not asked */
    double score;
};

/* Reads magika.json: {"config": the package's config.min.json, "content_types": its knowledge base}.
 * *out: end it with magika_config_destroy. NULL, or what is wrong (static). */
const char *magika_config_parse(const char *text, size_t len, struct magika_config **out);
void magika_config_destroy(struct magika_config *c);

const struct magika_shape *magika_config_shape(const struct magika_config *c);
size_t magika_config_target_count(const struct magika_config *c);
/* The kind of that label; NULL: unknown to the knowledge base. */
const struct magika_kind *magika_config_kind(const struct magika_config *c, const char *label);

/* scores: one probability for each target. */
struct magika_answer magika_decide(const struct magika_config *c, const float *scores);
/* The answer of a rule that did not ask the network; rule is not MAGIKA_ASK. */
struct magika_answer magika_decide_rule(const struct magika_config *c, enum magika_rule rule);

#endif
