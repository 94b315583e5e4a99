#include "gw_idem.h"

#include <string.h>
#include <utlist.h>

#include "sl_index.h"

enum { ENTRIES_LIMIT = 1 << 30 };

struct visitor {
    char *name;
    uint32_t hash;
    size_t entry_count;
    uint64_t result_bytes[GW_IDEM_PLACES];
    struct entry *results[GW_IDEM_PLACES]; /* entry.own_next: oldest first */
};

enum state { RUNNING, ENDED };

struct entry {
    gw_idem_id id;
    enum state state;
    bool has_key, has_token, has_digest;
    uint32_t key_hash, call_hash;
    struct visitor *visitor;
    char *key; /* "": none */
    uint8_t digest[GW_IDEM_DIGEST_BYTES];
    uint8_t call_id[16];
    uint8_t token[GW_IDEM_TOKEN_BYTES];
    uint64_t call;
    sl_mono_ns ended_at;
    struct gw_idem_outcome outcome;
    void *result; /* NULL: none is kept */
    uint64_t result_bytes;
    enum gw_idem_place place;
    struct entry *prev, *next;           /* gw_idem.ended */
    struct entry *kept_prev, *kept_next; /* gw_idem.results */
    struct entry *own_prev, *own_next;   /* visitor.results */
};

struct gw_idem {
    const struct sl_alloc *alloc;
    struct gw_idem_conf conf;
    struct sl_slot_table *entries;
    struct sl_index by_key, by_call, by_visitor;
    struct entry *ended;                   /* in the order of their ends */
    struct entry *results[GW_IDEM_PLACES]; /* those of them with a result */
    size_t ended_count, result_count;
    uint64_t result_bytes[GW_IDEM_PLACES];
};

/* ---- the indexes */

struct key {
    struct sl_span visitor, key;
};

static bool is_entry_of_key(const void *object, const void *key)
{
    const struct entry *e = object;
    const struct key *k = key;
    return sl_span_eq_str(k->key, e->key) && sl_span_eq_str(k->visitor, e->visitor->name);
}

static bool is_entry_of_call(const void *object, const void *call_id)
{
    return memcmp(((const struct entry *)object)->call_id, call_id, 16) == 0;
}

static bool is_visitor(const void *object, const void *name)
{
    return sl_span_eq_str(*(const struct sl_span *)name, ((const struct visitor *)object)->name);
}

static uint32_t hash_bytes(const struct gw_idem *t, struct sl_span bytes)
{
    return (uint32_t)sl_hash_bytes(t->conf.seed, bytes);
}

static uint32_t hash_of_key(const struct gw_idem *t, const struct key *k)
{
    return hash_bytes(t, k->visitor) * 31 + hash_bytes(t, k->key);
}

static struct entry *find_key(const struct gw_idem *t, struct sl_span visitor, struct sl_span key)
{
    struct key k = {visitor, key};
    return key.len == 0 ? NULL : sl_index_find(&t->by_key, hash_of_key(t, &k), &k);
}

static struct entry *find_call(const struct gw_idem *t, const uint8_t call_id[16])
{
    return sl_index_find(&t->by_call, hash_bytes(t, sl_span_of(call_id, 16)), call_id);
}

/* ---- visitors: there as long as one of their entries is */

static sl_status take_visitor(struct gw_idem *t, struct sl_span name, struct visitor **out)
{
    uint32_t hash = hash_bytes(t, name);
    struct visitor *v = sl_index_find(&t->by_visitor, hash, &name);
    if (v == NULL) {
        v = sl_alloc_zero(t->alloc, 1, sizeof *v);
        if (v == NULL)
            return SL_ENOMEM;
        v->name = sl_alloc_copy(t->alloc, name.data, name.len);
        if (v->name == NULL) {
            sl_alloc_free(t->alloc, v);
            return SL_ENOMEM;
        }
        v->hash = hash;
        sl_index_add(&t->by_visitor, v->hash, v);
    }
    v->entry_count++;
    *out = v;
    return SL_OK;
}

static void release_visitor(struct gw_idem *t, struct visitor *v)
{
    if (--v->entry_count > 0)
        return;
    sl_index_remove(&t->by_visitor, v->hash, v);
    sl_alloc_free(t->alloc, v->name);
    sl_alloc_free(t->alloc, v);
}

/* ---- results */

static void drop_result(struct gw_idem *t, struct entry *e)
{
    if (e->result == NULL)
        return;
    DL_DELETE2(t->results[e->place], e, kept_prev, kept_next);
    DL_DELETE2(e->visitor->results[e->place], e, own_prev, own_next);
    t->result_count--;
    t->result_bytes[e->place] -= e->result_bytes;
    e->visitor->result_bytes[e->place] -= e->result_bytes;
    t->conf.release(t->conf.ctx, e->result);
    e->result = NULL;
}

/* Until so much more fits, the oldest results go: the visitor's own, then anybody's. */
static void make_room_for_result(struct gw_idem *t, struct visitor *v, enum gw_idem_place p,
                                 uint64_t bytes)
{
    const struct gw_idem_limits *max = &t->conf.limits[p];
    while (v->results[p] != NULL && v->result_bytes[p] + bytes > max->visitor_bytes)
        drop_result(t, v->results[p]);
    while (t->results[p] != NULL && t->result_bytes[p] + bytes > max->total_bytes)
        drop_result(t, t->results[p]);
}

static bool may_keep(const struct gw_idem *t, const struct gw_idem_result *r)
{
    const struct gw_idem_limits *max = &t->conf.limits[r->place];
    return r->bytes <= max->one_bytes && r->bytes <= max->visitor_bytes &&
           r->bytes <= max->total_bytes;
}

static void keep_result(struct gw_idem *t, struct entry *e, const struct gw_idem_result *r)
{
    struct visitor *v = e->visitor;
    if (r->take == NULL)
        return;
    if (!may_keep(t, r)) {
        t->conf.release(t->conf.ctx, r->take);
        return;
    }
    make_room_for_result(t, v, r->place, r->bytes);
    e->result = r->take;
    e->result_bytes = r->bytes;
    e->place = r->place;
    DL_APPEND2(t->results[e->place], e, kept_prev, kept_next);
    DL_APPEND2(v->results[e->place], e, own_prev, own_next);
    t->result_count++;
    t->result_bytes[e->place] += e->result_bytes;
    v->result_bytes[e->place] += e->result_bytes;
}

/* ---- entries */

static void free_entry(struct gw_idem *t, struct entry *e)
{
    sl_alloc_free(t->alloc, e->key);
    if (e->visitor != NULL)
        release_visitor(t, e->visitor);
    sl_status s = sl_slot_put(t->entries, e->id);
    (void)s; /* it was taken */
}

static void drop(struct gw_idem *t, struct entry *e)
{
    drop_result(t, e);
    if (e->state == ENDED) {
        DL_DELETE(t->ended, e);
        t->ended_count--;
    }
    if (e->has_key)
        sl_index_remove(&t->by_key, e->key_hash, e);
    sl_index_remove(&t->by_call, e->call_hash, e);
    free_entry(t, e);
}

static void fill(struct entry *e, const struct gw_idem_call *call)
{
    memcpy(e->digest, call->digest, sizeof e->digest);
    memcpy(e->call_id, call->call_id, sizeof e->call_id);
    memcpy(e->token, call->token, sizeof e->token);
    e->has_token = call->has_token;
    e->has_key = call->key.len > 0;
    e->call = call->call;
}

static sl_status make_entry(struct gw_idem *t, const struct gw_idem_call *call, struct entry **out)
{
    gw_idem_id id;
    void *object;
    if (sl_slot_count(t->entries) == t->conf.max_entries && t->ended != NULL)
        drop(t, t->ended);
    sl_status s = sl_slot_take(t->entries, &id, &object);
    if (s != SL_OK)
        return s;
    struct entry *e = object;
    e->id = id;
    e->key = sl_alloc_copy(t->alloc, call->key.data, call->key.len);
    s = e->key == NULL ? SL_ENOMEM : take_visitor(t, call->visitor, &e->visitor);
    if (s != SL_OK) {
        free_entry(t, e);
        return s;
    }
    *out = e;
    return SL_OK;
}

static sl_status enter(struct gw_idem *t, const struct gw_idem_call *call, struct entry **out)
{
    struct key k = {call->visitor, call->key};
    if (call->key.len > GW_IDEM_KEY_MAX)
        return SL_EINVAL;
    if (find_call(t, call->call_id) != NULL)
        return SL_EEXIST;
    sl_status s = make_entry(t, call, out);
    if (s != SL_OK)
        return s;
    struct entry *e = *out;
    fill(e, call);
    e->call_hash = hash_bytes(t, sl_span_of(e->call_id, sizeof e->call_id));
    sl_index_add(&t->by_call, e->call_hash, e);
    e->key_hash = hash_of_key(t, &k);
    if (e->has_key)
        sl_index_add(&t->by_key, e->key_hash, e);
    return SL_OK;
}

static void set_ended(struct gw_idem *t, struct entry *e, const struct gw_idem_outcome *outcome,
                      sl_mono_ns at)
{
    e->state = ENDED;
    e->outcome = *outcome;
    e->ended_at = at;
    DL_APPEND(t->ended, e);
    t->ended_count++;
}

/* ---- life of the table */

static sl_status init_indexes(struct gw_idem *t)
{
    size_t max = t->conf.max_entries;
    sl_status s = sl_index_init(&t->by_key, t->alloc, max, is_entry_of_key);
    if (s == SL_OK)
        s = sl_index_init(&t->by_call, t->alloc, max, is_entry_of_call);
    if (s == SL_OK)
        s = sl_index_init(&t->by_visitor, t->alloc, max, is_visitor);
    return s;
}

sl_status gw_idem_create(const struct sl_alloc *alloc, const struct gw_idem_conf *conf,
                         struct gw_idem **out)
{
    if (conf->max_entries == 0 || conf->max_entries >= ENTRIES_LIMIT)
        return SL_EINVAL;
    struct gw_idem *t = sl_alloc_zero(alloc, 1, sizeof *t);
    if (t == NULL)
        return SL_ENOMEM;
    t->alloc = alloc;
    t->conf = *conf;
    sl_status s = sl_slot_create(alloc, sizeof(struct entry), conf->max_entries, &t->entries);
    if (s == SL_OK)
        s = init_indexes(t);
    if (s == SL_OK)
        *out = t;
    else
        gw_idem_destroy(t);
    return s;
}

void gw_idem_destroy(struct gw_idem *t)
{
    struct entry *e;
    size_t cursor = 0;
    if (t == NULL)
        return;
    while (t->entries != NULL && (e = sl_slot_next(t->entries, &cursor, NULL)) != NULL)
        drop(t, e);
    sl_slot_destroy(t->entries);
    sl_index_finish(&t->by_key);
    sl_index_finish(&t->by_call);
    sl_index_finish(&t->by_visitor);
    sl_alloc_free(t->alloc, t);
}

static void keep_to_limits(struct gw_idem *t, enum gw_idem_place p)
{
    const struct gw_idem_limits *max = &t->conf.limits[p];
    struct entry *e, *next;
    for (e = t->results[p]; e != NULL; e = next) {
        next = e->kept_next;
        if (e->visitor->result_bytes[p] > max->visitor_bytes ||
            t->result_bytes[p] > max->total_bytes)
            drop_result(t, e);
    }
}

void gw_idem_set_limits(struct gw_idem *t, const struct gw_idem_conf *conf)
{
    t->conf.keep_ns = conf->keep_ns;
    memcpy(t->conf.limits, conf->limits, sizeof t->conf.limits);
    for (int p = 0; p < GW_IDEM_PLACES; p++)
        keep_to_limits(t, (enum gw_idem_place)p);
}

/* ---- on a call's way */

static void tell(const struct entry *e, struct gw_idem_found *out)
{
    *out = (struct gw_idem_found){
        .id = e->id, .call = e->call, .result = e->result, .outcome = e->outcome};
    memcpy(out->call_id, e->call_id, sizeof out->call_id);
    if (e->state == RUNNING)
        out->verdict = GW_IDEM_RUNNING;
    else
        out->verdict = e->result != NULL ? GW_IDEM_DONE : GW_IDEM_GONE;
}

static bool is_same_request(const struct entry *e, const struct gw_idem_call *call)
{
    return !e->has_digest || memcmp(e->digest, call->digest, sizeof e->digest) == 0;
}

sl_status gw_idem_open(struct gw_idem *t, const struct gw_idem_call *call, sl_mono_ns now,
                       struct gw_idem_found *out)
{
    gw_idem_expire(t, now);
    struct entry *e = find_key(t, call->visitor, call->key);
    if (e != NULL) {
        tell(e, out);
        if (!is_same_request(e, call))
            out->verdict = GW_IDEM_OTHER;
        return SL_OK;
    }
    sl_status s = enter(t, call, &e);
    if (s != SL_OK)
        return s;
    e->has_digest = true;
    tell(e, out);
    out->verdict = GW_IDEM_NEW;
    return SL_OK;
}

static struct entry *find_running(const struct gw_idem *t, gw_idem_id id)
{
    struct entry *e = sl_slot_get(t->entries, id);
    return e != NULL && e->state == RUNNING ? e : NULL;
}

sl_status gw_idem_end(struct gw_idem *t, gw_idem_id id, const struct gw_idem_outcome *outcome,
                      const struct gw_idem_result *result, sl_mono_ns now)
{
    struct entry *e = find_running(t, id);
    if (e == NULL) {
        if (result->take != NULL)
            t->conf.release(t->conf.ctx, result->take);
        return SL_ESTALE;
    }
    set_ended(t, e, outcome, now);
    keep_result(t, e, result);
    return SL_OK;
}

void gw_idem_lose(struct gw_idem *t, gw_idem_id id)
{
    struct entry *e = sl_slot_get(t->entries, id);
    if (e != NULL)
        drop_result(t, e);
}

bool gw_idem_evict(struct gw_idem *t, enum gw_idem_place place, gw_idem_id but)
{
    struct entry *oldest = t->results[place];
    if (oldest == NULL || oldest->id == but)
        return false;
    drop_result(t, oldest);
    return true;
}

struct sl_span gw_idem_key(const struct gw_idem *t, gw_idem_id id)
{
    const struct entry *e = sl_slot_get(t->entries, id);
    return sl_span_str(e != NULL ? e->key : "");
}

sl_status gw_idem_forget(struct gw_idem *t, gw_idem_id id)
{
    struct entry *e = find_running(t, id);
    if (e == NULL)
        return SL_ESTALE;
    drop(t, e);
    return SL_OK;
}

/* Takes the same time wherever they differ: a token cannot be guessed byte by byte. */
static bool is_same_token(const uint8_t *a, const uint8_t *b)
{
    unsigned difference = 0;
    for (size_t i = 0; i < GW_IDEM_TOKEN_BYTES; i++)
        difference |= (unsigned)(a[i] ^ b[i]);
    return difference == 0;
}

static bool may_fetch(const struct entry *e, struct sl_span visitor, const uint8_t *token)
{
    if (e->has_token)
        return token != NULL && is_same_token(e->token, token);
    return sl_span_eq_str(visitor, e->visitor->name);
}

bool gw_idem_fetch(struct gw_idem *t, const uint8_t call_id[16], struct sl_span visitor,
                   const uint8_t *token, sl_mono_ns now, struct gw_idem_found *out)
{
    gw_idem_expire(t, now);
    const struct entry *e = find_call(t, call_id);
    if (e == NULL || !may_fetch(e, visitor, token))
        return false;
    tell(e, out);
    return true;
}

void gw_idem_expire(struct gw_idem *t, sl_mono_ns now)
{
    while (t->ended != NULL && gw_idem_next_expiry(t) <= now)
        drop(t, t->ended);
}

sl_mono_ns gw_idem_next_expiry(const struct gw_idem *t)
{
    return t->ended == NULL ? SL_MONO_NEVER : sl_sat_add(t->ended->ended_at, t->conf.keep_ns);
}

sl_status gw_idem_restore(struct gw_idem *t, const struct gw_idem_call *call,
                          const struct gw_idem_outcome *outcome, sl_mono_ns ended_at)
{
    struct entry *e;
    if (find_key(t, call->visitor, call->key) != NULL)
        return SL_EEXIST;
    sl_status s = enter(t, call, &e);
    if (s == SL_OK)
        set_ended(t, e, outcome, ended_at);
    return s;
}

struct gw_idem_totals gw_idem_totals(const struct gw_idem *t)
{
    struct gw_idem_totals totals = {.entries = sl_slot_count(t->entries),
                                    .results = t->result_count};
    totals.running = totals.entries - t->ended_count;
    memcpy(totals.result_bytes, t->result_bytes, sizeof totals.result_bytes);
    return totals;
}

/* ---- do sums and lists agree? */

static bool is_entry_right(const struct gw_idem *t, const struct entry *e)
{
    struct sl_span visitor = sl_span_str(e->visitor->name);
    return (e->result == NULL || e->state == ENDED) && find_call(t, e->call_id) == e &&
           (!e->has_key || find_key(t, visitor, sl_span_str(e->key)) == e) &&
           e->visitor->result_bytes[e->place] <= t->conf.limits[e->place].visitor_bytes;
}

static bool is_place_right(const struct gw_idem *t, enum gw_idem_place p, size_t *out_count)
{
    const struct entry *e;
    uint64_t bytes = 0;
    DL_FOREACH2(t->results[p], e, kept_next)
    {
        if (e->place != p || e->result == NULL)
            return false;
        ++*out_count;
        bytes += e->result_bytes;
    }
    return bytes == t->result_bytes[p] && bytes <= t->conf.limits[p].total_bytes;
}

sl_status gw_idem_check(const struct gw_idem *t)
{
    const struct entry *e;
    size_t cursor = 0, results = 0, ended = 0, ended_listed, listed = 0;
    while ((e = sl_slot_next(t->entries, &cursor, NULL)) != NULL) {
        if (!is_entry_right(t, e))
            return SL_EBROKEN;
        ended += e->state == ENDED;
        results += e->result != NULL;
    }
    DL_COUNT(t->ended, e, ended_listed);
    bool agrees = ended == ended_listed && ended == t->ended_count;
    for (int p = 0; p < GW_IDEM_PLACES; p++)
        agrees = agrees && is_place_right(t, (enum gw_idem_place)p, &listed);
    return agrees && results == listed && results == t->result_count ? SL_OK : SL_EBROKEN;
}
