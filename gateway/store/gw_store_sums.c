#include "gw_store_sums.h"

#include <stdlib.h>

#include "gw_store_key.h"

enum {
    PLACES_MAX = 4 * GW_STORE_PIECE_MAX, /* of a receipt: its call, account and app, and its key */
    SPENT_MAX = GW_PURSES_MAX * GW_STORE_PIECE_MAX,
    TEXT_MAX_BYTES = 131072,
};

static const int64_t day_us = INT64_C(86400) * SL_US_PER_S;
enum { DAYS_BEFORE_EPOCH = 3 }; /* 1970-01-01 was a Thursday */

struct place {
    int64_t chapter, key, n;
};

struct spent {
    struct sl_span account;
    sl_wall_us window_opened_at;
    sl_gpu_us charged_us;
    size_t order;
};

struct usage {
    int64_t week;
    struct sl_span app, account;
    int64_t calls;
    sl_gpu_us used_us, charged_us;
};

struct chapter {
    int64_t chapter;
    sl_wall_us first_at, last_at;
};

struct lease {
    int64_t chapter;
    int64_t journal, record; /* the newest */
};

struct gw_store_sums {
    const struct sl_alloc *alloc;
    size_t place_count, spent_count, usage_count, chapter_count, lease_count, text_bytes;
    struct sl_span last_name; /* the next receipt is often of the same account */
    struct place places[PLACES_MAX];
    struct spent spent[SPENT_MAX];
    struct usage usage[GW_STORE_PIECE_MAX];
    struct chapter chapters[GW_STORE_PIECE_MAX];
    struct lease leases[GW_STORE_PIECE_MAX];
    uint8_t text[TEXT_MAX_BYTES];
};

struct gw_store_sums *gw_store_sums_create(const struct sl_alloc *alloc)
{
    struct gw_store_sums *sums = sl_alloc_get(alloc, sizeof *sums);
    if (sums == NULL)
        return NULL;
    sums->alloc = alloc;
    gw_store_sums_clear(sums);
    return sums;
}

void gw_store_sums_destroy(struct gw_store_sums *sums)
{
    if (sums != NULL)
        sl_alloc_free(sums->alloc, sums);
}

void gw_store_sums_clear(struct gw_store_sums *sums)
{
    sums->place_count = sums->spent_count = sums->usage_count = 0;
    sums->chapter_count = sums->lease_count = sums->text_bytes = 0;
    sums->last_name = sl_span_of(NULL, 0);
}

/* ---- weeks */

int64_t gw_store_week_of(sl_wall_us at)
{
    int64_t since = sl_sat_add(at, DAYS_BEFORE_EPOCH * day_us), week = 7 * day_us;
    return since >= 0 ? since / week : -((-(since + 1)) / week) - 1;
}

sl_wall_us gw_store_week_at(int64_t week)
{
    return sl_sat_add(sl_sat_mul(week, 7 * day_us), -DAYS_BEFORE_EPOCH * day_us);
}

/* ---- gathering: what is like the one before is added to it */

static struct sl_span keep_name(struct gw_store_sums *sums, struct sl_span name)
{
    if (name.len == 0)
        return sl_span_of(NULL, 0);
    if (sl_span_eq(name, sums->last_name))
        return sums->last_name;
    uint8_t *copy = sums->text + sums->text_bytes;
    memcpy(copy, name.data, name.len);
    sums->text_bytes += name.len;
    sums->last_name = sl_span_of(copy, name.len);
    return sums->last_name;
}

static void add_place(struct gw_store_sums *sums, int64_t n, int64_t key)
{
    sums->places[sums->place_count++] = (struct place){gw_store_chapter_of(n), key, n};
}

static void add_places(struct gw_store_sums *sums, uint64_t store_id, int64_t n,
                       const struct gw_receipt *r)
{
    struct sl_span call = sl_span_of(r->call_id, sizeof r->call_id);
    add_place(sums, n, gw_store_key(store_id, GW_STORE_KEY_CALL, call));
    if (r->account_count > 0)
        add_place(sums, n, gw_store_key(store_id, GW_STORE_KEY_ACCOUNT, r->accounts[0]));
    if (r->app.len > 0)
        add_place(sums, n, gw_store_key(store_id, GW_STORE_KEY_APP, r->app));
    if (r->idempotency_key.len > 0)
        add_place(sums, n, gw_store_key(store_id, GW_STORE_KEY_IDEMPOTENT, sl_span_str("")));
}

static void add_spent(struct gw_store_sums *sums, struct sl_span account,
                      sl_wall_us window_opened_at, sl_gpu_us charged_us)
{
    struct spent *last = sums->spent_count > 0 ? &sums->spent[sums->spent_count - 1] : NULL;
    if (window_opened_at == 0)
        return;
    if (last != NULL && last->window_opened_at == window_opened_at &&
        sl_span_eq(last->account, account)) {
        last->charged_us = sl_sat_add(last->charged_us, charged_us);
        return;
    }
    size_t order = sums->spent_count++;
    sums->spent[order] =
        (struct spent){keep_name(sums, account), window_opened_at, charged_us, order};
}

static void merge_usage(struct usage *into, const struct usage *u)
{
    into->calls += u->calls;
    into->used_us = sl_sat_add(into->used_us, u->used_us);
    into->charged_us = sl_sat_add(into->charged_us, u->charged_us);
}

static bool is_same_usage(const struct usage *a, const struct usage *b)
{
    return a->week == b->week && sl_span_eq(a->account, b->account) && sl_span_eq(a->app, b->app);
}

static void add_usage(struct gw_store_sums *sums, const struct gw_receipt *r)
{
    struct usage *last = sums->usage_count > 0 ? &sums->usage[sums->usage_count - 1] : NULL;
    struct usage u = {
        .week = gw_store_week_of(r->ended_at),
        .app = r->app,
        .account = r->account_count > 0 ? r->accounts[0] : sl_span_of(NULL, 0),
        .calls = 1,
        .used_us = r->used_us,
        .charged_us = r->charged_us,
    };
    if (last != NULL && is_same_usage(last, &u)) {
        merge_usage(last, &u);
        return;
    }
    u.account = keep_name(sums, u.account);
    u.app = keep_name(sums, u.app);
    sums->usage[sums->usage_count++] = u;
}

/* Numbers only grow. */
static void add_chapter(struct gw_store_sums *sums, int64_t chapter, sl_wall_us at)
{
    struct chapter *last =
        sums->chapter_count > 0 ? &sums->chapters[sums->chapter_count - 1] : NULL;
    if (last == NULL || last->chapter != chapter) {
        sums->chapters[sums->chapter_count++] = (struct chapter){chapter, at, at};
        return;
    }
    last->first_at = at < last->first_at ? at : last->first_at;
    last->last_at = at > last->last_at ? at : last->last_at;
}

/* Few journals write at a time. */
static void add_lease(struct gw_store_sums *sums, int64_t chapter, const struct gw_receipt *r)
{
    const struct lease lease = {chapter, (int64_t)r->lease_journal, (int64_t)r->lease_record};
    if (lease.journal == 0)
        return;
    for (size_t i = sums->lease_count; i > 0 && sums->leases[i - 1].chapter == chapter; i--) {
        struct lease *l = &sums->leases[i - 1];
        if (l->journal != lease.journal)
            continue;
        l->record = lease.record > l->record ? lease.record : l->record;
        return;
    }
    sums->leases[sums->lease_count++] = lease;
}

static bool has_room(const struct gw_store_sums *sums, size_t names_bytes)
{
    return sums->usage_count < GW_STORE_PIECE_MAX && sums->chapter_count < GW_STORE_PIECE_MAX &&
           sums->lease_count < GW_STORE_PIECE_MAX &&
           sums->place_count + PLACES_MAX / GW_STORE_PIECE_MAX <= PLACES_MAX &&
           sums->spent_count + GW_PURSES_MAX <= SPENT_MAX &&
           sums->text_bytes + names_bytes <= TEXT_MAX_BYTES;
}

bool gw_store_sums_add_receipt(struct gw_store_sums *sums, uint64_t store_id, int64_t n,
                               const struct gw_receipt *r)
{
    size_t names_bytes = r->app.len;
    for (size_t i = 0; i < r->account_count; i++)
        names_bytes += 2 * r->accounts[i].len; /* in usage, too */
    if (!has_room(sums, names_bytes))
        return false;
    add_places(sums, store_id, n, r);
    for (size_t i = 0; i < r->account_count; i++)
        add_spent(sums, r->accounts[i], r->windows_opened_at[i], r->charged_us);
    add_usage(sums, r);
    add_chapter(sums, gw_store_chapter_of(n), r->ended_at);
    add_lease(sums, gw_store_chapter_of(n), r);
    return true;
}

bool gw_store_sums_add_window(struct gw_store_sums *sums, const struct gw_record_window *w)
{
    if (!has_room(sums, w->account.len))
        return false;
    add_spent(sums, w->account, w->opened_at, 0);
    return true;
}

/* ---- writing: in the order of keys, so that neighbours are written together */

static int compare_names(struct sl_span a, struct sl_span b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_account(const void *a, const void *b)
{
    const struct spent *x = a, *y = b;
    int order = compare_names(x->account, y->account);
    return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

static int by_usage(const void *a, const void *b)
{
    const struct usage *x = a, *y = b;
    if (x->week != y->week)
        return x->week < y->week ? -1 : 1;
    int order = compare_names(x->app, y->app);
    return order != 0 ? order : compare_names(x->account, y->account);
}

static int write_row(struct gw_store_db *db, enum gw_store_sql which, const int64_t *values,
                     int count)
{
    sqlite3_stmt *s = gw_store_db_sql(db, which);
    for (int i = 0; i < count; i++)
        sqlite3_bind_int64(s, i + 1, values[i]);
    return gw_store_db_run(db, which);
}

static int run_spent(struct gw_store_db *db, enum gw_store_sql which, const struct spent *sp)
{
    sqlite3_stmt *s = gw_store_db_sql(db, which);
    gw_store_bind_text(s, 1, sp->account);
    sqlite3_bind_int64(s, 2, sp->window_opened_at);
    sqlite3_bind_int64(s, 3, sp->charged_us);
    return gw_store_db_run(db, which);
}

/* Mostly the window is open already, and its index is left alone. */
static int write_spent(struct gw_store_db *db, const struct spent *sp)
{
    int rc = run_spent(db, GW_STORE_SQL_SPEND, sp);
    if (rc != SQLITE_OK || sqlite3_changes(db->handle) > 0)
        return rc;
    return run_spent(db, GW_STORE_SQL_OPEN_WINDOW, sp);
}

int gw_store_sums_write_accounts(struct gw_store_sums *sums, struct gw_store_db *db)
{
    int rc = SQLITE_OK;
    qsort(sums->spent, sums->spent_count, sizeof *sums->spent, by_account);
    for (size_t i = 0; rc == SQLITE_OK && i < sums->spent_count; i++) {
        struct spent *sp = &sums->spent[i], *next = sp + 1;
        if (i + 1 < sums->spent_count && next->window_opened_at == sp->window_opened_at &&
            sl_span_eq(next->account, sp->account))
            next->charged_us = sl_sat_add(next->charged_us, sp->charged_us);
        else
            rc = write_spent(db, sp);
    }
    sums->spent_count = 0;
    return rc;
}

static int run_usage(struct gw_store_db *db, const struct usage *u)
{
    sqlite3_stmt *s = gw_store_db_sql(db, GW_STORE_SQL_ADD_USAGE);
    sqlite3_bind_int64(s, 1, u->week);
    gw_store_bind_text(s, 2, u->app);
    gw_store_bind_text(s, 3, u->account);
    sqlite3_bind_int64(s, 4, u->calls);
    sqlite3_bind_int64(s, 5, u->used_us);
    sqlite3_bind_int64(s, 6, u->charged_us);
    return gw_store_db_run(db, GW_STORE_SQL_ADD_USAGE);
}

static int write_usage(struct gw_store_sums *sums, struct gw_store_db *db)
{
    int rc = SQLITE_OK;
    qsort(sums->usage, sums->usage_count, sizeof *sums->usage, by_usage);
    for (size_t i = 0; rc == SQLITE_OK && i < sums->usage_count; i++) {
        struct usage *u = &sums->usage[i], *next = u + 1;
        if (i + 1 < sums->usage_count && is_same_usage(next, u))
            merge_usage(next, u);
        else
            rc = run_usage(db, u);
    }
    return rc;
}

static int write_places(const struct gw_store_sums *sums, struct gw_store_db *db)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < sums->place_count; i++) {
        const struct place *p = &sums->places[i];
        rc = write_row(db, GW_STORE_SQL_ADD_RECEIPT, (int64_t[]){p->chapter, p->key, p->n}, 3);
    }
    return rc;
}

static int write_chapters(const struct gw_store_sums *sums, struct gw_store_db *db)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < sums->chapter_count; i++) {
        const struct chapter *c = &sums->chapters[i];
        const int64_t values[] = {c->chapter, c->first_at, c->last_at};
        rc = write_row(db, GW_STORE_SQL_ADD_CHAPTER, values, 3);
    }
    for (size_t i = 0; rc == SQLITE_OK && i < sums->lease_count; i++) {
        const struct lease *l = &sums->leases[i];
        const int64_t values[] = {l->chapter, l->journal, l->record};
        rc = write_row(db, GW_STORE_SQL_ADD_LEASE, values, 3);
    }
    return rc;
}

int gw_store_sums_write(struct gw_store_sums *sums, struct gw_store_db *db)
{
    int rc = gw_store_sums_write_accounts(sums, db);
    if (rc == SQLITE_OK)
        rc = write_usage(sums, db);
    if (rc == SQLITE_OK)
        rc = write_places(sums, db);
    if (rc == SQLITE_OK)
        rc = write_chapters(sums, db);
    gw_store_sums_clear(sums);
    return rc;
}
