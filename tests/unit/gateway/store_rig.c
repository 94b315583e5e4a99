#include "store_rig.h"

#include <stdlib.h>
#include <unistd.h>

#include "gw_receipt_code.h"
#include "sl_test.h"

static const char *const suffixes[] = {"",      "-wal",  "-shm",      "-mark",     "-copy",
                                       "-swap", "-kept", "-copy-wal", "-copy-shm", "-copy-journal"};

int store_rig_setup(void **state)
{
    struct store_rig *r = calloc(1, sizeof *r);
    /* In memory where there is such a place: a sweep syncs thousands of times. */
    const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(r->folder, sizeof r->folder, "%s/store-rig-XXXXXX", place);
    if (mkdtemp(r->folder) == NULL)
        return -1;
    snprintf(r->path, sizeof r->path, "%s/sluice.db", r->folder);
    gw_store_queue_init(&r->queue, &sl_alloc_malloc, 64 << 20);
    r->db.mark.fd = -1;
    *state = r;
    return 0;
}

int store_rig_teardown(void **state)
{
    struct store_rig *r = *state;
    struct gw_store_batch *b;
    gw_store_db_close(&r->db);
    while ((b = gw_store_batches_pop(&r->group)) != NULL)
        gw_store_queue_recycle(&r->queue, b);
    gw_store_queue_finish(&r->queue);
    for (size_t i = 0; i < SL_ARRAY_LEN(suffixes); i++)
        store_rig_remove(r, suffixes[i]);
    int rc = rmdir(r->folder);
    free(r);
    return rc;
}

sl_status store_rig_open(struct store_rig *r, const char *vfs, bool syncs)
{
    const struct gw_store_db_conf c = {
        .alloc = &sl_alloc_malloc, .path = r->path, .vfs = vfs, .syncs_commits = syncs};
    return gw_store_db_open(&r->db, &c, STORE_RIG_NOW, &r->err);
}

void store_rig_remove(struct store_rig *r, const char *suffix)
{
    char name[STORE_RIG_PATH_MAX + 16];
    snprintf(name, sizeof name, "%s%s", r->path, suffix);
    unlink(name);
}

bool store_rig_has(struct store_rig *r, const char *suffix)
{
    char name[STORE_RIG_PATH_MAX + 16];
    snprintf(name, sizeof name, "%s%s", r->path, suffix);
    return access(name, F_OK) == 0;
}

/* ---- entries */

struct gw_receipt store_rig_receipt(uint64_t number, const char *account, sl_gpu_us charged_us)
{
    struct gw_receipt r = {
        .ended_at = STORE_RIG_NOW,
        .accounts = {sl_span_str(account)},
        .windows_opened_at = {STORE_RIG_NOW},
        .account_count = 1,
        .tier = sl_span_str("free"),
        .model = sl_span_str("identity"),
        .size = sl_span_str("large"),
        .node = sl_span_str("node1"),
        .declared_us = 60 * SL_US_PER_S,
        .held_us = 60 * SL_US_PER_S,
        .used_us = charged_us,
        .charged_us = charged_us,
        .lease_journal = 7,
        .lease_record = number << 16,
    };
    memcpy(r.call_id, &number, sizeof number);
    return r;
}

void store_rig_add_receipt(struct store_rig *r, const struct gw_receipt *receipt)
{
    uint8_t bytes[GW_RECEIPT_BYTES_MAX];
    size_t count;
    assert_ok(gw_receipt_encode(receipt, bytes, sizeof bytes, &count));
    assert_ok(gw_store_queue_put(&r->queue, GW_RECORD_RECEIPT, sl_span_of(bytes, count), 0));
}

void store_rig_add(struct store_rig *r, const struct gw_record *record)
{
    uint8_t bytes[GW_RECORD_BYTES_MAX];
    size_t count;
    assert_ok(gw_record_encode(record, bytes, &count));
    assert_ok(gw_store_queue_put(&r->queue, record->kind, sl_span_of(bytes, count), 0));
}

sl_status store_rig_commit(struct store_rig *r)
{
    struct gw_store_batch *b;
    gw_store_queue_flush(&r->queue);
    assert_true(gw_store_queue_take(&r->queue, 0, &r->group));
    sl_status s = gw_store_db_commit(&r->db, r->group.head);
    if (s == SL_OK)
        gw_store_db_mark(&r->db);
    while ((b = gw_store_batches_pop(&r->group)) != NULL)
        gw_store_queue_recycle(&r->queue, b);
    return s;
}

sl_status store_rig_commit_receipts(struct store_rig *r, uint64_t first, int count)
{
    for (int i = 0; i < count; i++) {
        struct gw_receipt receipt = store_rig_receipt(first + (uint64_t)i, "user:ann", 1000);
        store_rig_add_receipt(r, &receipt);
    }
    return store_rig_commit(r);
}

int64_t store_rig_number(struct store_rig *r, const char *sql)
{
    sqlite3 *db;
    int64_t number = -1;
    if (sqlite3_open_v2(r->path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        gw_store_db_number(db, sql, &number) != SQLITE_OK)
        number = -1;
    sqlite3_close(db);
    return number;
}

/* ---- the past */

static void keep(char *out, size_t room, struct sl_span text)
{
    snprintf(out, room, "%.*s", (int)text.len, (const char *)text.data);
}

static void on_account(void *ctx, const struct gw_record_account *a)
{
    struct store_rig_past *p = ctx;
    size_t i = p->account_count++;
    keep(p->accounts[i].name, sizeof p->accounts[i].name, a->account);
    p->accounts[i].window_opened_at = a->window_opened_at;
    p->accounts[i].spent_us = a->spent_us;
    p->accounts[i].granted_us = a->granted_us;
}

static void on_token(void *ctx, const struct gw_record_token *t)
{
    struct store_rig_past *p = ctx;
    keep(p->tokens[p->token_count++], sizeof p->tokens[0], t->prefix);
}

static void on_app(void *ctx, const struct gw_record_app *a)
{
    struct store_rig_past *p = ctx;
    keep(p->apps[p->app_count++], sizeof p->apps[0], a->name);
}

static void on_block(void *ctx, const struct gw_record_block *b)
{
    struct store_rig_past *p = ctx;
    keep(p->blocks[p->block_count++], sizeof p->blocks[0], b->account);
}

static void on_learned(void *ctx, const struct gw_record_learned *l)
{
    struct store_rig_past *p = ctx;
    snprintf(p->learned[p->learned_count++], sizeof p->learned[0], "%.*s/%.*s %.*s",
             (int)l->model.len, (const char *)l->model.data, (int)l->version.len,
             (const char *)l->version.data, (int)l->samples.len, (const char *)l->samples.data);
}

static void on_lease(void *ctx, uint64_t journal, uint64_t record)
{
    struct store_rig_past *p = ctx;
    if (journal == 7 && p->lease_count < STORE_RIG_KEPT_MAX)
        p->leases[p->lease_count++] = record;
}

struct gw_store_loader store_rig_loader(struct store_rig_past *into)
{
    *into = (struct store_rig_past){0};
    return (struct gw_store_loader){.ctx = into,
                                    .on_account = on_account,
                                    .on_token = on_token,
                                    .on_app = on_app,
                                    .on_block = on_block,
                                    .on_learned = on_learned,
                                    .on_lease = on_lease};
}

sl_status store_rig_load(struct store_rig *r, sl_wall_us windows_since, struct store_rig_past *out)
{
    struct gw_store_loader l = store_rig_loader(out);
    return gw_store_load(&r->db, windows_since, STORE_RIG_NOW, UINT64_C(100) << 16, &l);
}

sl_gpu_us store_rig_spent(const struct store_rig_past *past, const char *account)
{
    for (size_t i = 0; i < past->account_count; i++)
        if (strcmp(past->accounts[i].name, account) == 0)
            return past->accounts[i].spent_us;
    return -1;
}
