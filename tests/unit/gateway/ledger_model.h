/* ledger_model.h - the ledger's rules told once more, without any cleverness: arrays, counted anew each time. What
 * gw_ledger does is compared with it after every step. */
#ifndef LEDGER_MODEL_H
#define LEDGER_MODEL_H

#include "gw_ledger.h"

enum { MODEL_ACCOUNTS = 64, MODEL_HOLDS = 64 };

struct model_account {
    char name[GW_ACCOUNT_NAME_MAX + 1]; /* "": this place is free */
    sl_wall_us opened_at;
    sl_gpu_us spent, granted;
    unsigned window;
    bool is_blocked;
    unsigned busy;       /* taken so often */
    uint64_t idle_since; /* a number that grows; only orders */
    uint64_t opening;    /* likewise; 0: nobody waits to hear of it */
};

struct model_hold {
    gw_hold_id id; /* 0: this place is free */
    sl_gpu_us amount;
    uint32_t factor;
    bool is_started;
    size_t purse_count;
    struct {
        struct model_account *account;
        unsigned window;
        sl_wall_us opened_at;
    } purses[GW_PURSES_MAX];
};

struct model {
    struct model_account accounts[MODEL_ACCOUNTS];
    struct model_hold holds[MODEL_HOLDS];
    size_t max_accounts, max_holds;
    uint64_t next_number;
};

void model_init(struct model *m, size_t max_accounts, size_t max_holds);
struct model_account *model_find(struct model *m, const char *name);
sl_gpu_us model_held(const struct model *m, const struct model_account *a);
unsigned model_in_flight(const struct model *m, const struct model_account *a);
/* Any look at an account ends its window when that is over. */
void model_look(struct model *m, const char *name, sl_wall_us now);

/* false: refused, *out_kind says why. true: the hold waits for its id. */
bool model_hold(struct model *m, const struct gw_hold_ask *ask, sl_wall_us now,
                struct model_hold **out, enum gw_hold_refusal_kind *out_kind);
void model_start(struct model *m, struct model_hold *h, sl_wall_us at);
sl_gpu_us model_settle(struct model *m, struct model_hold *h, const struct gw_usage *u,
                       sl_wall_us now);
void model_refund(struct model *m, struct model_hold *h);
bool model_grant(struct model *m, const char *name, sl_gpu_us extra, sl_wall_us now);
bool model_block(struct model *m, const char *name, bool is_blocked, sl_wall_us now);
bool model_restore(struct model *m, const struct gw_account_row *row, sl_wall_us now);
/* The account whose opening is to be told next; NULL: none. */
struct model_account *model_next_opened(struct model *m);

#endif
