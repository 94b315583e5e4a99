/* sl_conf.h - configuration: YAML, read into a struct by one table.
 *
 * The table names each key by its path, its type, where its value goes, its default, its range, and
 * one sentence. The same table reads a file, prints the values in force (--print-config) and prints
 * the reference page. Keys are written nested in the file (`listen: {grpc: ...}`) and dotted in the
 * table ("listen.grpc").
 *
 * Errors   All of a file at once: unknown and duplicate keys, wrong types, units and ranges, each
 *          as FILE:LINE:COLUMN: sentence, appended to an sl_buf, one per line. Aliases, anchors and
 *          tags are refused; a document has at most SL_CONF_NODES_MAX nodes, SL_CONF_DEPTH_MAX
 *          levels and SL_CONF_BYTES_MAX bytes. What YAML calls null (nothing, ~, null) is an empty
 *          list, map or section, and an error for everything else.
 * Memory   Strings and items are kept by struct sl_conf, from the allocator of the errors buffer;
 *          end it after the last use of the values. libyaml's own memory is malloc's.
 * Threads  One.
 * Source   libyaml's document API; this module alone uses it.
 */
#ifndef SL_CONF_H
#define SL_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sl_buf.h"
#include "sl_status.h"

enum { SL_CONF_NODES_MAX = 20000, SL_CONF_DEPTH_MAX = 16, SL_CONF_BYTES_MAX = 1 << 20 };
enum { SL_CONF_OVER_LINES = 1 << 21 }; /* beyond every line of a file */

enum sl_conf_type {
    SL_CONF_STRING,   /* const char *, NUL-terminated UTF-8, at most max bytes */
    SL_CONF_BOOL,     /* bool: true | false */
    SL_CONF_INT,      /* int64_t within [min, max] */
    SL_CONF_DURATION, /* int64_t nanoseconds within [min, max], written with a unit */
    SL_CONF_BYTES,    /* uint64_t within [min, max], written with a unit */
    SL_CONF_CHOICE,   /* int: index into choices */
    SL_CONF_LIST,     /* struct sl_conf_seq of structs read by `items`; items->name "" = scalars */
    SL_CONF_MAP,      /* struct sl_conf_seq of structs whose first member is const char *key */
};

struct sl_conf_seq {
    void *items; /* count structs of item_bytes each */
    size_t count;
};

struct sl_conf_key {
    const char *name; /* dotted path; "" only for the one key of a list (or map) of scalars */
    enum sl_conf_type type;
    size_t offset; /* of the field in the struct */
    /* As it would be written, a list or map in YAML too. NULL: required; a list or map: empty. */
    const char *default_text;
    /* Numbers: the range; max 0 with min >= 0 is no upper limit.
     * String: max = most bytes, 0 = 4096. List, map: max = most items, 0 = 1024. */
    int64_t min, max;
    const char *const *choices;      /* SL_CONF_CHOICE: NULL-terminated */
    const struct sl_conf_key *items; /* SL_CONF_LIST, SL_CONF_MAP: one item, NULL-name-ended */
    size_t item_bytes;
    const char *help; /* one sentence; NULL hides the key from the reference page */
    bool reloadable;  /* takes effect on SIGHUP */
};

/* A loaded document's memory: opaque. */
struct sl_conf;

/* Reads text (borrowed; file_name is for messages) by table (ended by a NULL name) into *out, a
 * struct that was zeroed; defaults fill what is not there. On success *out_conf owns all strings
 * and items; end it with sl_conf_destroy. Errors: SL_EINVAL (sentences in errors), SL_ENOMEM. On
 * error nothing is kept and *out must not be read. */
SL_MUST_CHECK sl_status sl_conf_parse(const char *file_name, struct sl_span text,
                                      const struct sl_conf_key *table, void *out,
                                      struct sl_buf *errors, struct sl_conf **out_conf);
/* A text that is laid over another: its sections go into those of the same path, its values take the place of what was
 * there; a list is a value. */
struct sl_conf_over {
    const char *name; /* for messages; borrowed, as the text */
    struct sl_span text;
};
enum { SL_CONF_OVER_MAX = 64 };
/* sl_conf_parse with count texts laid over the first in their order. Errors: as there; SL_EINVAL also for more than
 * SL_CONF_OVER_MAX. */
SL_MUST_CHECK sl_status sl_conf_parse_over(const char *file_name, struct sl_span text,
                                           const struct sl_conf_over *over, size_t count,
                                           const struct sl_conf_key *table, void *out,
                                           struct sl_buf *errors, struct sl_conf **out_conf);
/* sl_conf_parse from a file. path "" or NULL: all defaults. */
SL_MUST_CHECK sl_status sl_conf_load(const char *path, const struct sl_conf_key *table, void *out,
                                     struct sl_buf *errors, struct sl_conf **out_conf);
/* The same with texts laid over the file's; it must have a path. */
SL_MUST_CHECK sl_status sl_conf_load_over(const char *path, const struct sl_conf_over *over,
                                          size_t count, const struct sl_conf_key *table, void *out,
                                          struct sl_buf *errors, struct sl_conf **out_conf);
void sl_conf_destroy(struct sl_conf *c); /* NULL is fine */

/* Line (from 1) on which a key's value stands; 0 when it came from its default. path is dotted;
 * items as "inputs[0].name" or "tiers.pro.weight". For messages of cross-field checks. In a text that was laid over:
 * SL_CONF_OVER_LINES and more. */
unsigned sl_conf_line(const struct sl_conf *c, const char *path);

/* Calls on_change for each key of table (in its order) whose value differs between two structs:
 * what a reload changes, and by key->reloadable whether it takes effect before a restart. */
void sl_conf_diff(const struct sl_conf_key *table, const void *before, const void *after,
                  void (*on_change)(void *ctx, const struct sl_conf_key *key), void *ctx);

/* Copies the values of reloadable keys, except strings, lists and maps, whose memory has an owner. */
void sl_conf_take_reloadable(const struct sl_conf_key *table, void *into, const void *from);

/* Appends the values in force as YAML that sl_conf_parse reads back to the same values. */
SL_MUST_CHECK sl_status sl_conf_print(const struct sl_conf_key *table, const void *values,
                                      struct sl_buf *out);
/* Appends the reference as a Markdown table: key, type and range, default, reloadable, sentence. */
SL_MUST_CHECK sl_status sl_conf_reference(const struct sl_conf_key *table, struct sl_buf *out);

#endif
