/* store_rig.h - a store in a directory of its own, groups of entries for it, and the past that it tells. */
#ifndef STORE_RIG_H
#define STORE_RIG_H

#include "gw_receipt.h"
#include "gw_store_db.h"
#include "gw_store_load.h"

enum { STORE_RIG_PATH_MAX = 512, STORE_RIG_KEPT_MAX = 256 };

/* 2026-01-01T00:00Z, a Thursday. */
#define STORE_RIG_NOW INT64_C(1767225600000000)

struct store_rig {
    char folder[STORE_RIG_PATH_MAX / 2];
    char path[STORE_RIG_PATH_MAX];
    struct gw_store_queue queue;
    struct gw_store_batches group; /* made, not freed yet */
    struct gw_store_db db;
    struct sl_error err;
};

/* cmocka's setup and teardown: *state is the rig. */
int store_rig_setup(void **state);
int store_rig_teardown(void **state);

sl_status store_rig_open(struct store_rig *r, const char *vfs, bool syncs);
void store_rig_remove(struct store_rig *r, const char *suffix);
bool store_rig_has(struct store_rig *r, const char *suffix);

/* A receipt of account, its only purse; call ids and leases come from number. */
struct gw_receipt store_rig_receipt(uint64_t number, const char *account, sl_gpu_us charged_us);
void store_rig_add_receipt(struct store_rig *r, const struct gw_receipt *receipt);
void store_rig_add(struct store_rig *r, const struct gw_record *record);
/* Commits what was added as one group. */
sl_status store_rig_commit(struct store_rig *r);
/* count receipts of an account, as one group. */
sl_status store_rig_commit_receipts(struct store_rig *r, uint64_t first, int count);

/* Of an SQL text that answers one number, on a connection of its own; -1 when that fails. */
int64_t store_rig_number(struct store_rig *r, const char *sql);

/* ---- what a store tells when it is loaded: texts are copied */
struct store_rig_past {
    size_t account_count, token_count, app_count, block_count, lease_count, learned_count;
    struct {
        char name[64];
        sl_wall_us window_opened_at;
        sl_gpu_us spent_us, granted_us;
    } accounts[STORE_RIG_KEPT_MAX];
    char tokens[STORE_RIG_KEPT_MAX][32], apps[STORE_RIG_KEPT_MAX][32];
    char blocks[STORE_RIG_KEPT_MAX][64];
    uint64_t leases[STORE_RIG_KEPT_MAX];
    char learned[STORE_RIG_KEPT_MAX][32]; /* MODEL/VERSION SAMPLES */
};
sl_status store_rig_load(struct store_rig *r, sl_wall_us windows_since, struct store_rig_past *out);
struct gw_store_loader store_rig_loader(struct store_rig_past *into);
/* Spent of an account; -1 when it is not there. */
sl_gpu_us store_rig_spent(const struct store_rig_past *past, const char *account);

#endif
