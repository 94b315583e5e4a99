/* ex_model_repo.c - reads every model of a repository directory. */
#include "ex_model_repo.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ex_model_file.h"
#include "sl_alloc.h"
#include "sl_buf.h"

struct model {
    struct ex_model_entry entry;
    struct ex_model_file *file; /* NULL: bad */
    char *name;
    char *problem; /* NULL: none */
};

struct ex_model_repo {
    size_t count;
    struct model models[];
};

static bool is_model_dir(const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    const int len = snprintf(path, sizeof(path), "%s/%s", dir, name);
    return name[0] != '.' && len > 0 && (size_t)len < sizeof(path) && stat(path, &st) == 0 &&
           S_ISDIR(st.st_mode);
}

static char *join(const char *dir, const char *name)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

/* What was said about a bad model, without the last line's end. */
static char *take_problem(const struct sl_buf *errors, sl_status why)
{
    size_t len = errors->len;
    while (len > 0 && errors->data[len - 1] == '\n')
        len--;
    return len > 0 ? sl_alloc_copy(&sl_alloc_malloc, errors->data, len)
                   : strdup(sl_status_text(why));
}

static sl_status load_model(const char *dir, const char *name, struct model *out)
{
    struct sl_buf errors;
    sl_buf_init(&errors, &sl_alloc_malloc, EX_MODEL_PROBLEM_MAX);
    char *path = join(dir, name);
    out->name = strdup(name);
    sl_status s = path == NULL || out->name == NULL ? SL_ENOMEM : SL_OK;
    if (s == SL_OK) {
        const sl_status found = ex_model_file_load(path, &errors, &out->file);
        if (found != SL_OK)
            out->problem = take_problem(&errors, found);
        s = found != SL_OK && out->problem == NULL ? SL_ENOMEM : SL_OK;
    }
    out->entry = (struct ex_model_entry){
        .name = out->name,
        .spec = out->file == NULL ? NULL : ex_model_file_spec(out->file),
        .problem = out->problem == NULL ? "" : out->problem,
    };
    free(path);
    sl_buf_finish(&errors);
    return s;
}

/* Keeps the names of models at the front of names, frees the others; how many are kept. */
static size_t keep_models(const char *dir, struct dirent **names, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_model_dir(dir, names[i]->d_name))
            names[kept++] = names[i];
        else
            free(names[i]);
    }
    return kept;
}

static sl_status load_all(const char *dir, struct dirent **names, size_t count,
                          struct ex_model_repo **out, struct sl_error *err)
{
    if (count > EX_MODELS_MAX) {
        sl_error_set(err, SL_REASON_INTERNAL, "%s has %zu models; at most %d are served", dir,
                     count, EX_MODELS_MAX);
        return SL_ETOOBIG;
    }
    struct ex_model_repo *r = calloc(1, sizeof(*r) + count * sizeof(r->models[0]));
    sl_status s = r == NULL ? SL_ENOMEM : SL_OK;
    for (size_t i = 0; s == SL_OK && i < count; i++) {
        s = load_model(dir, names[i]->d_name, &r->models[i]);
        r->count = i + 1;
    }
    if (s != SL_OK) {
        sl_error_set(err, SL_REASON_INTERNAL, "no memory for the models of %s", dir);
        ex_model_repo_destroy(r);
        return s;
    }
    *out = r;
    return SL_OK;
}

sl_status ex_model_repo_load(const char *dir, struct ex_model_repo **out, struct sl_error *err)
{
    struct dirent **names = NULL;
    const int found = scandir(dir, &names, NULL, alphasort);
    if (found < 0) {
        sl_error_set(err, SL_REASON_INTERNAL, "cannot read the model repository %s: %s", dir,
                     strerror(errno));
        return errno == ENOMEM ? SL_ENOMEM : SL_ENOENT;
    }
    const size_t count = keep_models(dir, names, (size_t)found);
    const sl_status s = load_all(dir, names, count, out, err);
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return s;
}

size_t ex_model_repo_count(const struct ex_model_repo *r)
{
    return r->count;
}

const struct ex_model_entry *ex_model_repo_at(const struct ex_model_repo *r, size_t i)
{
    return &r->models[i].entry;
}

void ex_model_repo_destroy(struct ex_model_repo *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->count; i++) {
        ex_model_file_destroy(r->models[i].file);
        free(r->models[i].name);
        free(r->models[i].problem);
    }
    free(r);
}
