/* sl_conf.c - the public reader: a text or a file by a table into a struct. */
#include "sl_conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sl_conf_internal.h"

/* What the values of one document may take: a file of a megabyte has no business with more. */
enum { VALUES_BYTES_MAX = 64 << 20 };

static struct sl_conf *create(const struct sl_alloc *alloc)
{
    struct sl_conf *c = sl_alloc_zero(alloc, 1, sizeof(*c));
    if (!c)
        return NULL;
    c->alloc = alloc;
    sl_arena_init(&c->arena, alloc, VALUES_BYTES_MAX);
    return c;
}

void sl_conf_destroy(struct sl_conf *c)
{
    if (!c)
        return;
    sl_arena_finish(&c->arena);
    sl_alloc_free(c->alloc, c);
}

sl_status sl_conf_parse_over(const char *file_name, struct sl_span text,
                             const struct sl_conf_over *over, size_t count,
                             const struct sl_conf_key *table, void *out, struct sl_buf *errors,
                             struct sl_conf **out_conf)
{
    struct sl_conf_report report = {file_name, over, count, errors, SL_OK};
    if (count > SL_CONF_OVER_MAX) {
        sl_conf_report_add(&report, (struct sl_conf_place){0, 0},
                           "%zu texts are laid over it; at most %d can be", count,
                           SL_CONF_OVER_MAX);
        return report.status;
    }
    struct sl_conf *c = create(errors->alloc);
    if (!c)
        return SL_ENOMEM;
    sl_conf_walk(c, table, text, out, &report);
    if (report.status != SL_OK) {
        sl_conf_destroy(c);
        return report.status;
    }
    *out_conf = c;
    return SL_OK;
}

sl_status sl_conf_parse(const char *file_name, struct sl_span text, const struct sl_conf_key *table,
                        void *out, struct sl_buf *errors, struct sl_conf **out_conf)
{
    return sl_conf_parse_over(file_name, text, NULL, 0, table, out, errors, out_conf);
}

/* Reads to the end of f, at most one byte over the limit, which sl_conf_parse then refuses. */
static sl_status read_all(FILE *f, struct sl_buf *text)
{
    for (;;) {
        size_t room = text->max_bytes - text->len;
        size_t step = room < 16384 ? room : 16384;
        sl_status s = sl_buf_reserve(text, step);
        if (s != SL_OK)
            return s;
        size_t n = step > 0 ? fread(text->data + text->len, 1, step, f) : 0;
        text->len += n;
        if (n == 0)
            return ferror(f) ? SL_EIO : SL_OK;
    }
}

static sl_status read_file(const char *path, struct sl_buf *text)
{
    FILE *f = fopen(path, "rbe");
    if (!f)
        return SL_EIO;
    sl_status s = read_all(f, text);
    int error = errno;
    fclose(f);
    errno = error;
    return s;
}

sl_status sl_conf_load_over(const char *path, const struct sl_conf_over *over, size_t count,
                            const struct sl_conf_key *table, void *out, struct sl_buf *errors,
                            struct sl_conf **out_conf)
{
    struct sl_buf text;
    sl_buf_init(&text, errors->alloc, SL_CONF_BYTES_MAX + 1);
    sl_status s = read_file(path, &text);
    if (s == SL_OK)
        s = sl_conf_parse_over(path, sl_buf_span(&text), over, count, table, out, errors, out_conf);
    else if (s == SL_EIO) {
        struct sl_conf_report report = {.file_name = path, .errors = errors};
        sl_conf_report_add(&report, (struct sl_conf_place){0, 0}, "cannot be read: %s",
                           strerror(errno));
        s = report.status;
    }
    sl_buf_finish(&text);
    return s;
}

sl_status sl_conf_load(const char *path, const struct sl_conf_key *table, void *out,
                       struct sl_buf *errors, struct sl_conf **out_conf)
{
    if (!path || path[0] == '\0')
        return sl_conf_parse("(defaults)", sl_span_str(""), table, out, errors, out_conf);
    return sl_conf_load_over(path, NULL, 0, table, out, errors, out_conf);
}

unsigned sl_conf_line(const struct sl_conf *c, const char *path)
{
    for (const struct sl_conf_line *l = c->lines; l; l = l->next) {
        if (strcmp(l->path, path) == 0)
            return l->line;
    }
    return 0;
}
