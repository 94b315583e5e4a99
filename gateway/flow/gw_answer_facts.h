/* gw_answer_facts.h - what the answers of gw_answer_port.h are made of. Data only; everything is borrowed. */
#ifndef GW_ANSWER_FACTS_H
#define GW_ANSWER_FACTS_H

#include "gw_call_state.h"
#include "gw_eta.h"
#include "gw_ledger.h"
#include "gw_token.h"

struct gw_quota_facts {
    const struct gw_principal *who;
    const char *tier;
    struct gw_quota least;                 /* of the purse that has it */
    struct gw_quota purses[GW_PURSES_MAX]; /* all of who's */
    const char *sign_in_url;               /* "": nothing to tell */
    sl_wall_us now;
};

/* A call; what is not known, or not yet, is empty or 0. */
struct gw_call_facts {
    const char *call_id;
    enum gw_call_state state;
    struct sl_span model, node;
    size_t position, waiting; /* QUEUED: the position'th of so many to start */
    struct gw_eta eta;        /* QUEUED, DISPATCHED: when, from now on */
    const char *delayed_by;
    int64_t queue_us;      /* waiting, so far */
    int64_t run_us;        /* on its slice, so far */
    int64_t limit_us;      /* of that */
    enum sl_reason reason; /* ENDED: how, what was said, what it cost, when */
    const char *text;
    sl_gpu_us charged_us;
    sl_wall_us ended_at;
    sl_wall_us now;
};

struct gw_visitor_token_facts {
    const char *token;
    sl_wall_us expires_at;
    const char *account;
    const char *tier;
};

struct gw_token_facts {
    const struct gw_token_row *row;
    bool is_usable;
};

struct gw_account_facts {
    struct gw_account_view view;
    const char *tier;     /* "": nobody knows */
    sl_wall_us resets_at; /* 0: no window is open */
};

#endif
