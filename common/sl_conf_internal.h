/* sl_conf_internal.h - what the files of sl_conf share; nobody else includes it.
 *
 *   sl_conf.c          the public reader: a file's text into a struct
 *   sl_conf_yaml.c     text to a YAML document, within the limits
 *   sl_conf_walk.c     a YAML document by a table into a struct
 *   sl_conf_value.c    one scalar: text to field, field to text, what it may be in words
 *   sl_conf_near.c     the known key that an unknown one was probably meant to be
 *   sl_conf_over.c     one YAML document laid over another
 *   sl_conf_report.c   FILE:LINE:COLUMN: sentence
 *   sl_conf_print.c    a struct by its table into YAML
 *   sl_conf_doc.c      a table into a Markdown reference
 *   sl_conf_diff.c     which keys differ between two structs
 */
#ifndef SL_CONF_INTERNAL_H
#define SL_CONF_INTERNAL_H

#include <yaml.h>

#include "sl_arena.h"
#include "sl_conf.h"

enum {
    SL_CONF_KEY_BYTES_MAX = 256,     /* one key as written in a file */
    SL_CONF_STRING_BYTES_MAX = 4096, /* where a table says nothing */
    SL_CONF_ITEMS_MAX = 1024,        /* likewise */
    SL_CONF_DESCRIPTION_MAX = 512,
    SL_CONF_QUOTE_MAX = 80,
};

/* ------------------------------------------------------------------------------------- document */

struct sl_conf_line {
    struct sl_conf_line *next;
    const char *path;
    unsigned line;
};

struct sl_conf {
    const struct sl_alloc *alloc;
    struct sl_arena arena; /* strings, items, lines */
    struct sl_conf_line *lines;
};

/* --------------------------------------------------------------------------------------- report */

/* Where in the file, both from 1. line 0: the file as a whole; from N * SL_CONF_OVER_LINES on: in the N-th text that
 * was laid over it. */
struct sl_conf_place {
    size_t line;
    size_t column;
};

struct sl_conf_report {
    const char *file_name;
    const struct sl_conf_over *over; /* texts that are laid over the file's */
    size_t over_count;
    struct sl_buf *errors;
    sl_status status; /* SL_OK, SL_EINVAL once something was reported, SL_ENOMEM for good */
};

/* Adds a line and makes the status SL_EINVAL. A full buffer drops the line, not the status. */
void sl_conf_report_add(struct sl_conf_report *r, struct sl_conf_place at, const char *fmt, ...)
    SL_PRINTF(3, 4);
void sl_conf_report_no_memory(struct sl_conf_report *r);
/* Text from the file between quotes, cut when long. Returns out. */
const char *sl_conf_quote(struct sl_span text, char out[SL_CONF_QUOTE_MAX]);

/* ----------------------------------------------------------------------------------------- yaml */

/* Loads text into *out_doc; false: reported, nothing to free. */
bool sl_conf_yaml_load(struct sl_span text, struct sl_conf_report *r, yaml_document_t *out_doc);
struct sl_conf_place sl_conf_place_of(const yaml_node_t *node);
/* Is node what YAML calls null: nothing, ~ or null? */
bool sl_conf_is_null(const yaml_node_t *node);
struct sl_span sl_conf_scalar_text(const yaml_node_t *scalar);

/* ----------------------------------------------------------------------------------------- over */

/* Lays the number-th text, from 1, over doc. */
void sl_conf_over_lay(yaml_document_t *doc, yaml_document_t *over, size_t number,
                      struct sl_conf_report *r);

/* ----------------------------------------------------------------------------------------- walk */

/* Fills *out by table from text and what the report has to be laid over it; defaults for what they do not have. Reports
 * what is wrong. */
void sl_conf_walk(struct sl_conf *conf, const struct sl_conf_key *table, struct sl_span text,
                  void *out, struct sl_conf_report *r);

/* ---------------------------------------------------------------------------------------- value */

bool sl_conf_is_scalar(enum sl_conf_type t);
/* Reads text into field. Errors: SL_EINVAL (not what the key describes), SL_ENOMEM. */
SL_MUST_CHECK sl_status sl_conf_value_read(const struct sl_conf_key *key, struct sl_span text,
                                           struct sl_arena *arena, void *field);
/* Writes field as sl_conf_value_read would take it. */
SL_MUST_CHECK sl_status sl_conf_value_format(const struct sl_conf_key *key, const void *field,
                                             struct sl_buf *out);
/* "a whole number from 1 to 65536". Returns out. */
const char *sl_conf_describe(const struct sl_conf_key *key, char out[SL_CONF_DESCRIPTION_MAX]);
/* What to add to that for who wrote something else: ", with a unit (ms, s, m, h, d)", or "". */
const char *sl_conf_unit_hint(const struct sl_conf_key *key);
/* The most bytes of a string, the most items of a list or map. */
size_t sl_conf_max_bytes(const struct sl_conf_key *string);
size_t sl_conf_max_items(const struct sl_conf_key *seq);

/* ----------------------------------------------------------------------------------------- near */

/* Does name, a dotted path of len bytes, lead to keys (listen to listen.grpc)? */
bool sl_conf_is_section(const struct sl_conf_key *table, const char *name, size_t len);
/* The key or section of table that is most like name; length 0 when none is like it. */
struct sl_span sl_conf_nearest(const struct sl_conf_key *table, const char *name);

#endif
