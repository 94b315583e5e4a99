#include "gw_issuers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gw_issuer_keys.h"
#include "gw_jwt_claims.h"
#include "sl_arena.h"
#include "sl_log.h"

enum { CONF_BYTES_MAX = 4 << 20 };

struct issuer {
    struct gw_issuer_conf conf; /* texts in the table's arena */
    unsigned algorithms;        /* a bit for each enum gw_alg */
    struct gw_issuer_keys keys; /* by URL; by file they never age */
};

/* All issuers of one configuration. */
struct table {
    struct sl_arena arena;
    struct issuer issuers[GW_ISSUERS_MAX];
    size_t count;
    struct gw_jwks_conf jwks;
};

struct gw_issuers {
    struct gw_fetch_port port;
    struct table *table;
    uint32_t generation; /* of the table; the upper half of a fetch's id */
    uint64_t version;
    sl_mono_ns now;
};

static bool is_by_url(const struct issuer *i)
{
    return i->conf.jwks_url[0] != '\0';
}

/* ---- a copy of the configuration ---- */

static const char *copy_text(struct sl_arena *a, const char *text)
{
    return sl_arena_str(a, sl_span_str(text));
}

static struct sl_conf_seq copy_texts(struct sl_arena *a, const struct sl_conf_seq *from)
{
    const char *const *texts = from->items;
    const char **copies = sl_arena_zero(a, from->count + 1, sizeof *copies);
    for (size_t i = 0; copies != NULL && i < from->count; i++)
        copies[i] = copy_text(a, texts[i]);
    return (struct sl_conf_seq){copies, from->count};
}

static struct sl_conf_seq copy_tiers(struct sl_arena *a, const struct sl_conf_seq *from)
{
    const struct gw_issuer_tier *rows = from->items;
    struct gw_issuer_tier *copies = sl_arena_zero(a, from->count + 1, sizeof *copies);
    for (size_t i = 0; copies != NULL && i < from->count; i++)
        copies[i] =
            (struct gw_issuer_tier){copy_text(a, rows[i].value), copy_text(a, rows[i].tier)};
    return (struct sl_conf_seq){copies, from->count};
}

static void copy_issuer(struct sl_arena *a, const struct gw_issuer_conf *from, struct issuer *to)
{
    const int *algorithms = from->algorithms.items;
    to->conf = (struct gw_issuer_conf){
        .name = copy_text(a, from->name),
        .issuer = copy_text(a, from->issuer),
        .audience = copy_texts(a, &from->audience),
        .jwks_url = copy_text(a, from->jwks_url),
        .jwks_file = copy_text(a, from->jwks_file),
        .ca = copy_text(a, from->ca),
        .user_claim = copy_text(a, from->user_claim),
        .organisation_claim = copy_text(a, from->organisation_claim),
        .tier_claim = copy_text(a, from->tier_claim),
        .tiers = copy_tiers(a, &from->tiers),
        .tier = copy_text(a, from->tier),
        .organisations = copy_tiers(a, &from->organisations),
        .leeway_ns = from->leeway_ns,
    };
    for (size_t i = 0; i < from->algorithms.count; i++)
        to->algorithms |= 1u << algorithms[i];
}

/* ---- a table ---- */

static void destroy_table(struct table *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->count; i++)
        gw_issuer_keys_finish(&t->issuers[i].keys);
    sl_arena_finish(&t->arena);
    free(t);
}

static sl_status read_file(struct issuer *i, struct sl_error *error)
{
    struct sl_error why;
    sl_status s = gw_jwks_read_file(i->conf.jwks_file, &i->keys.keys, &why);
    if (s == SL_OK)
        return SL_OK;
    i->keys.keys = NULL;
    sl_error_set(error, why.reason, "issuers.%s.jwks_file: %s", i->conf.name, why.text);
    return s;
}

static sl_status check_ca(const struct issuer *i, struct sl_error *error)
{
    if (i->conf.ca[0] == '\0' || access(i->conf.ca, R_OK) == 0)
        return SL_OK;
    sl_error_set(error, SL_REASON_BAD_INPUT, "issuers.%s.ca: '%s' cannot be read: %s", i->conf.name,
                 i->conf.ca, strerror(errno));
    return SL_EINVAL;
}

static sl_status fill_table(struct table *t, const struct gw_issuers_conf *conf, sl_mono_ns now,
                            struct sl_error *error)
{
    t->jwks = conf->jwks;
    for (; t->count < conf->count; t->count++) {
        struct issuer *i = &t->issuers[t->count];
        copy_issuer(&t->arena, &conf->items[t->count], i);
        gw_issuer_keys_init(&i->keys, now);
        if (t->arena.has_failed) {
            sl_error_set(error, SL_REASON_INTERNAL, "no memory for the issuers");
            return SL_ENOMEM;
        }
        sl_status s = is_by_url(i) ? check_ca(i, error) : read_file(i, error);
        if (s != SL_OK)
            return s;
    }
    return SL_OK;
}

static sl_status make_table(const struct gw_issuers_conf *conf, sl_mono_ns now, struct table **out,
                            struct sl_error *error)
{
    struct table *t = calloc(1, sizeof *t);
    if (t == NULL) {
        sl_error_set(error, SL_REASON_INTERNAL, "no memory for the issuers");
        return SL_ENOMEM;
    }
    sl_arena_init(&t->arena, &sl_alloc_malloc, CONF_BYTES_MAX);
    sl_status s = fill_table(t, conf, now, error);
    if (s == SL_OK)
        *out = t;
    else
        destroy_table(t);
    return s;
}

sl_status gw_issuers_check(const struct gw_issuers_conf *conf, struct sl_error *error)
{
    struct table *t;
    sl_status s = make_table(conf, 0, &t, error);
    if (s == SL_OK)
        destroy_table(t);
    return s;
}

/* ---- life ---- */

sl_status gw_issuers_create(const struct gw_fetch_port *port, struct gw_issuers **out)
{
    struct gw_issuers *s = calloc(1, sizeof *s);
    if (s == NULL)
        return SL_ENOMEM;
    s->port = *port;
    *out = s;
    return SL_OK;
}

void gw_issuers_destroy(struct gw_issuers *s)
{
    if (s == NULL)
        return;
    destroy_table(s->table);
    free(s);
}

/* Keys stay with an issuer whose URL is the same; a fetch under way is for the old table and is begun anew. */
static void inherit_keys(struct table *from, struct table *to)
{
    for (size_t i = 0; i < to->count; i++) {
        struct issuer *new = &to->issuers[i];
        for (size_t k = 0; is_by_url(new) && k < from->count; k++) {
            struct issuer *old = &from->issuers[k];
            if (strcmp(old->conf.jwks_url, new->conf.jwks_url) != 0 || old->keys.keys == NULL)
                continue;
            new->keys = old->keys;
            new->keys.is_fetching = false;
            old->keys.keys = NULL;
        }
    }
}

sl_status gw_issuers_load(struct gw_issuers *s, const struct gw_issuers_conf *conf, sl_mono_ns now,
                          struct sl_error *error)
{
    struct table *fresh;
    sl_status status = make_table(conf, now, &fresh, error);
    if (status != SL_OK)
        return status;
    if (s->table != NULL)
        inherit_keys(s->table, fresh);
    destroy_table(s->table);
    s->table = fresh;
    s->generation++;
    s->version++;
    gw_issuers_tick(s, now);
    return SL_OK;
}

/* ---- keys by URL ---- */

static void fetch_if_due(struct gw_issuers *s, size_t index, bool for_unknown)
{
    struct issuer *i = &s->table->issuers[index];
    if (!is_by_url(i) || !gw_issuer_keys_is_due(&i->keys, for_unknown, s->now))
        return;
    uint64_t id = (uint64_t)s->generation << 32 | index;
    sl_status status =
        s->port.start(s->port.ctx, id, i->conf.jwks_url, i->conf.ca, s->table->jwks.timeout_ns);
    gw_issuer_keys_on_start(&i->keys, status == SL_OK, &s->table->jwks, s->now);
}

void gw_issuers_tick(struct gw_issuers *s, sl_mono_ns now)
{
    s->now = now;
    for (size_t i = 0; s->table != NULL && i < s->table->count; i++)
        fetch_if_due(s, i, false);
}

static void log_fetched(const struct issuer *i, const struct gw_fetched *fetched)
{
    if (fetched->keys != NULL)
        sl_log(SL_LOG_INFO, "issuer's keys fetched", SL_S("issuer", i->conf.name),
               SL_U("keys", gw_jwks_count(fetched->keys)),
               SL_U("left_out", gw_jwks_left_out(fetched->keys)));
    else
        sl_log(SL_LOG_WARN, "issuer's keys not fetched", SL_S("issuer", i->conf.name),
               SL_S("url", i->conf.jwks_url), SL_S("why", fetched->why),
               SL_S("meanwhile", i->keys.keys != NULL ? "the old ones serve" : "it has none"));
}

void gw_issuers_on_fetched(struct gw_issuers *s, const struct gw_fetched *fetched, sl_mono_ns now)
{
    size_t index = (uint32_t)fetched->id;
    s->now = now;
    if (s->table == NULL || fetched->id >> 32 != s->generation || index >= s->table->count) {
        gw_jwks_destroy(fetched->keys); /* asked for before a reload */
        return;
    }
    struct issuer *i = &s->table->issuers[index];
    log_fetched(i, fetched);
    gw_issuer_keys_on_fetched(&i->keys, fetched, &s->table->jwks, now);
    s->version++;
}

/* ---- a token ---- */

/* What the token says, not yet believed. NULL: no issuer of ours. */
static struct issuer *find_issuer(struct gw_issuers *s, const struct gw_jwt *t)
{
    const char *iss = json_string_value(json_object_get(t->claims, "iss"));
    for (size_t i = 0; iss != NULL && s->table != NULL && i < s->table->count; i++)
        if (strcmp(s->table->issuers[i].conf.issuer, iss) == 0)
            return &s->table->issuers[i];
    return NULL;
}

/* There is no key for the token now: is one on its way? */
static bool refuse_for_key(const struct issuer *i, const struct gw_jwt *t, struct gw_finding *f)
{
    if (i->keys.is_fetching)
        return gw_finding_later(f);
    if (i->keys.keys == NULL)
        return gw_finding_unavailable(f, "the issuer's keys cannot be had: %.100s", i->keys.why);
    if (t->kid != NULL)
        return gw_finding_refuse(f, "the issuer has no %s key of the token's kid",
                                 gw_alg_names[t->alg]);
    return gw_finding_refuse(f, "the token has no kid, and the issuer not exactly one %s key",
                             gw_alg_names[t->alg]);
}

static const struct gw_jwk *find_key(struct gw_issuers *s, struct issuer *i, const struct gw_jwt *t,
                                     struct gw_finding *f)
{
    size_t index = (size_t)(i - s->table->issuers);
    fetch_if_due(s, index, false);
    const struct gw_jwk *key = i->keys.keys != NULL ? gw_jwks_find(i->keys.keys, t) : NULL;
    if (key != NULL)
        return key;
    fetch_if_due(s, index, true);
    refuse_for_key(i, t, f);
    return NULL;
}

static bool check_of(struct gw_issuers *s, struct issuer *i, const struct gw_jwt *t, sl_wall_us now,
                     struct gw_claims *out, struct gw_finding *f)
{
    if ((i->algorithms & 1u << t->alg) == 0)
        return gw_finding_refuse(f, "the token's alg %s is not one of its issuer's algorithms",
                                 gw_alg_names[t->alg]);
    if (!gw_jwt_check_type(t, NULL, f))
        return false;
    const struct gw_jwk *key = find_key(s, i, t, f);
    if (key == NULL)
        return false;
    enum gw_signature signature = gw_jwk_verify(key, t);
    if (signature == GW_SIGNATURE_NO_MEMORY)
        return gw_finding_unavailable(f, "no memory to check the token's signature");
    if (signature != GW_SIGNATURE_GOOD)
        return gw_finding_refuse(f, "the token's signature is not by its issuer's key");
    return gw_jwt_claims_check(t->claims, &i->conf, now, out, f);
}

/* A gw_jwt_check. */
static bool check(void *ctx, const struct gw_jwt *t, sl_wall_us now, struct gw_claims *out,
                  struct gw_finding *f)
{
    struct gw_issuers *s = ctx;
    struct issuer *i = find_issuer(s, t);
    if (i == NULL)
        return gw_finding_unknown(f,
                                  "the token's iss is not that of an issuer in the configuration");
    return check_of(s, i, t, now, out, f) || gw_finding_name(f, i->conf.name);
}

enum gw_verdict gw_issuers_verify(struct gw_issuers *s, struct sl_span token, sl_wall_us now,
                                  struct gw_claims *out, struct gw_denial *denial)
{
    return gw_jwt_verify(token, check, s, now, out, denial);
}

static enum gw_verdict verify(void *ctx, struct sl_span token, sl_wall_us now,
                              struct gw_claims *out, struct gw_denial *denial)
{
    return gw_issuers_verify(ctx, token, now, out, denial);
}

struct gw_verifier gw_issuers_verifier(struct gw_issuers *s)
{
    return (struct gw_verifier){s, verify};
}

uint64_t gw_issuers_version(const struct gw_issuers *s)
{
    return s->version;
}
