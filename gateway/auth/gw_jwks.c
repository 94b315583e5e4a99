#include "gw_jwks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw_json.h"
#include "sl_alloc.h"
#include "sl_buf.h"

struct gw_jwks {
    struct gw_jwk *keys[GW_JWKS_KEYS_MAX];
    size_t count;
    size_t left_out;
};

static sl_status no_memory(struct sl_error *error)
{
    sl_error_set(error, SL_REASON_INTERNAL, "no memory for a key set");
    return SL_ENOMEM;
}

/* ---- text ---- */

static json_t *keys_of(const json_t *root)
{
    json_t *keys = json_object_get(root, "keys");
    return json_is_array(keys) ? keys : NULL;
}

static sl_status add_keys(struct gw_jwks *s, const json_t *keys, bool with_secrets,
                          struct sl_error *error)
{
    const char *why = "it is empty";
    json_t *key;
    size_t i;
    json_array_foreach(keys, i, key)
    {
        const char *why_not;
        struct gw_jwk *k = gw_jwk_create(key, &why_not);
        if (k != NULL && gw_jwk_is_secret(k) && !with_secrets) {
            why_not = "shared secrets are taken from files alone";
            gw_jwk_destroy(k);
            k = NULL;
        }
        if (k != NULL)
            s->keys[s->count++] = k;
        else if (s->left_out++ == 0)
            why = why_not;
    }
    if (s->count > 0)
        return SL_OK;
    sl_error_set(error, SL_REASON_BAD_INPUT, "the key set has no key that can be used: %s", why);
    return SL_EINVAL;
}

static sl_status read_set(struct gw_jwks *s, struct sl_span text, bool with_secrets,
                          struct sl_error *error)
{
    enum gw_json_fault fault;
    json_t *root = gw_json_read(text, &fault);
    json_t *keys = keys_of(root);
    sl_status status = SL_EINVAL;
    if (fault == GW_JSON_NO_MEMORY)
        status = no_memory(error);
    else if (keys == NULL)
        sl_error_set(error, SL_REASON_BAD_INPUT, "it is no key set: no JSON object with keys");
    else if (json_array_size(keys) > GW_JWKS_KEYS_MAX)
        sl_error_set(error, SL_REASON_BAD_INPUT, "the key set has %zu keys; at most %d are read",
                     json_array_size(keys), GW_JWKS_KEYS_MAX);
    else
        status = add_keys(s, keys, with_secrets, error);
    json_decref(root);
    return status;
}

sl_status gw_jwks_parse(struct sl_span text, bool with_secrets, struct gw_jwks **out,
                        struct sl_error *error)
{
    if (text.len > GW_JWKS_BYTES_MAX) {
        sl_error_set(error, SL_REASON_BAD_INPUT, "the key set has %zu bytes; at most %d are read",
                     text.len, GW_JWKS_BYTES_MAX);
        return SL_ETOOBIG;
    }
    struct gw_jwks *s = calloc(1, sizeof *s);
    if (s == NULL)
        return no_memory(error);
    sl_status status = read_set(s, text, with_secrets, error);
    if (status == SL_OK)
        *out = s;
    else
        gw_jwks_destroy(s);
    return status;
}

void gw_jwks_destroy(struct gw_jwks *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->count; i++)
        gw_jwk_destroy(s->keys[i]);
    free(s);
}

/* ---- file ---- */

static bool has_secret(const struct gw_jwks *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (gw_jwk_is_secret(s->keys[i]))
            return true;
    return false;
}

static sl_status refuse_file(struct sl_error *error, const char *path, const char *why)
{
    sl_error_set(error, SL_REASON_BAD_INPUT, "'%s' cannot be used: %s", path, why);
    return SL_EINVAL;
}

/* All of fd, which may be no longer than a key set may be. */
static sl_status read_all(int fd, struct sl_buf *out)
{
    for (;;) {
        sl_status s = sl_buf_reserve(out, out->max_bytes - out->len);
        ssize_t n = s == SL_OK ? read(fd, out->data + out->len, out->max_bytes - out->len) : 0;
        if (s != SL_OK || n < 0)
            return s != SL_OK ? s : SL_EIO;
        if (n == 0)
            return out->len == out->max_bytes ? SL_ETOOBIG : SL_OK;
        out->len += (size_t)n;
    }
}

static sl_status read_open_file(int fd, const char *path, struct gw_jwks **out,
                                struct sl_error *error)
{
    struct stat st;
    struct sl_buf text;
    struct sl_error why;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return refuse_file(error, path, "it is no regular file");
    sl_buf_init(&text, &sl_alloc_malloc, GW_JWKS_BYTES_MAX + 1);
    sl_status s = read_all(fd, &text);
    if (s == SL_OK && (s = gw_jwks_parse(sl_buf_span(&text), true, out, &why)) != SL_OK)
        refuse_file(error, path, why.text);
    else if (s != SL_OK)
        refuse_file(error, path, sl_status_text(s));
    if (text.data != NULL)
        explicit_bzero(text.data, text.len);
    sl_buf_finish(&text);
    if (s != SL_OK || !has_secret(*out) || (st.st_mode & (S_IRWXG | S_IRWXO)) == 0)
        return s;
    gw_jwks_destroy(*out);
    return refuse_file(error, path,
                       "it holds a shared secret, and its group or others may read it; chmod 600");
}

sl_status gw_jwks_read_file(const char *path, struct gw_jwks **out, struct sl_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would keep us waiting */
    if (fd < 0) {
        refuse_file(error, path, strerror(errno));
        return SL_EIO;
    }
    sl_status s = read_open_file(fd, path, out, error);
    close(fd);
    return s;
}

/* ---- use ---- */

size_t gw_jwks_count(const struct gw_jwks *s)
{
    return s->count;
}

size_t gw_jwks_left_out(const struct gw_jwks *s)
{
    return s->left_out;
}

static bool is_named(const struct gw_jwk *k, const char *kid)
{
    return kid == NULL || (gw_jwk_kid(k) != NULL && strcmp(gw_jwk_kid(k), kid) == 0);
}

const struct gw_jwk *gw_jwks_find(const struct gw_jwks *s, const struct gw_jwt *t)
{
    const struct gw_jwk *found = NULL;
    for (size_t i = 0; i < s->count; i++) {
        if (!is_named(s->keys[i], t->kid) || !gw_jwk_fits(s->keys[i], t->alg))
            continue;
        if (found != NULL)
            return NULL;
        found = s->keys[i];
    }
    return found;
}
