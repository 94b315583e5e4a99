/* sl_conf_near.c - the known key that an unknown one was probably meant to be. */
#include "sl_conf_internal.h"

enum { NAME_BYTES_MAX = 64, SIMILAR_MAX = 4, FAR = SIMILAR_MAX + 1 };

bool sl_conf_is_section(const struct sl_conf_key *table, const char *name, size_t len)
{
    for (const struct sl_conf_key *k = table; k->name; k++) {
        if (strncmp(k->name, name, len) == 0 && k->name[len] == '.')
            return true;
    }
    return false;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Insertions, deletions and replacements that make a into b (Levenshtein), FAR for long names. */
static size_t edit_distance(struct sl_span a, struct sl_span b)
{
    size_t row[NAME_BYTES_MAX + 1];
    if (a.len > NAME_BYTES_MAX || b.len > NAME_BYTES_MAX)
        return FAR;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 0; i < a.len; i++) {
        size_t diagonal = row[0]; /* of the row above, one to the left */
        row[0] = i + 1;
        for (size_t j = 0; j < b.len; j++) {
            size_t cost = diagonal + (a.data[i] == b.data[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = min3(cost, row[j] + 1, diagonal + 1);
        }
    }
    return row[b.len];
}

static struct sl_span last_part(struct sl_span name)
{
    size_t start = name.len;
    while (start > 0 && name.data[start - 1] != '.')
        start--;
    return sl_span_of(name.data + start, name.len - start);
}

/* A key with the right name in the wrong section is as near as one wrong letter. */
static size_t distance(struct sl_span name, struct sl_span known)
{
    size_t d = edit_distance(name, known);
    if (d > 1 && sl_span_eq(last_part(name), last_part(known)))
        return 1;
    return d;
}

/* Up to how many edits a name counts as similar: a short one has few letters to be known by. */
static size_t most_edits(struct sl_span name)
{
    size_t edits = 1 + last_part(name).len / 4;
    return edits < SIMILAR_MAX ? edits : SIMILAR_MAX;
}

struct sl_span sl_conf_nearest(const struct sl_conf_key *table, const char *name)
{
    struct sl_span unknown = sl_span_str(name);
    struct sl_span best = {NULL, 0};
    size_t best_distance = most_edits(unknown);
    for (const struct sl_conf_key *k = table; k->name; k++) {
        size_t len = strlen(k->name);
        for (size_t end = 1; end <= len; end++) {
            if (end < len && k->name[end] != '.')
                continue; /* neither a key nor a section */
            struct sl_span known = sl_span_of(k->name, end);
            size_t d = distance(unknown, known);
            if (d < best_distance || (d == best_distance && best.len == 0)) {
                best_distance = d;
                best = known;
            }
        }
    }
    return best;
}
