/* gw_services.h - the methods of sluice.v1 about money, one function each: what gw_services.c calls by name. Insides of
 * the flow; each serves its inquiry as gw_inquiry.h says.
 *
 * A change is checked, made in memory, and handed to the store; its answer waits until it is stored. What is taken away
 * (a token, an app) is taken away even while nothing can be stored; what is given is not.
 */
#ifndef GW_SERVICES_H
#define GW_SERVICES_H

#include "gw_answer_facts.h"
#include "gw_call.h"

/* ---- gw_methods_visitor.c */
void gw_visitor_quota(struct gw_flow *f, struct gw_inquiry *q);
void gw_visitor_receipts(struct gw_flow *f, struct gw_inquiry *q);
void gw_visitor_result(struct gw_flow *f, struct gw_inquiry *q);
void gw_visitor_issue(struct gw_flow *f, struct gw_inquiry *q);

/* ---- gw_methods_call.c */
void gw_visitor_call(struct gw_flow *f, struct gw_inquiry *q);
void gw_visitor_watch(struct gw_flow *f, struct gw_inquiry *q);
void gw_visitor_cancel(struct gw_flow *f, struct gw_inquiry *q);

/* ---- gw_methods_result.c */
/* Serves it where the call is remembered, and is the caller's to fetch; else false. */
SL_MUST_CHECK bool gw_visitor_kept_result(struct gw_flow *f, struct gw_inquiry *q,
                                          const uint8_t call_id[16]);

/* ---- gw_methods_top.c */
void gw_admin_status(struct gw_flow *f, struct gw_inquiry *q);
void gw_admin_top(struct gw_flow *f, struct gw_inquiry *q);

/* ---- gw_methods_node.c */
void gw_admin_drain(struct gw_flow *f, struct gw_inquiry *q);
void gw_admin_undrain(struct gw_flow *f, struct gw_inquiry *q);

/* ---- gw_methods_token.c */
void gw_admin_create_token(struct gw_flow *f, struct gw_inquiry *q);
void gw_admin_tokens(struct gw_flow *f, struct gw_inquiry *q);
void gw_admin_revoke_token(struct gw_flow *f, struct gw_inquiry *q);
/* Revokes all that call as the app. false: some are not, and *err says why. */
SL_MUST_CHECK bool gw_admin_revoke_tokens_of(struct gw_flow *f, struct gw_inquiry *q,
                                             const char *app, struct sl_error *err);
/* The index of the best tier of the user's own tokens, not of his apps'; -1: none is good now. */
int gw_admin_tier_of_user(struct gw_flow *f, const char *user);

/* ---- gw_methods_app.c */
void gw_admin_register_app(struct gw_flow *f, struct gw_inquiry *q);
void gw_admin_apps(struct gw_flow *f, struct gw_inquiry *q);
void gw_admin_remove_app(struct gw_flow *f, struct gw_inquiry *q);
void gw_admin_pause_app(struct gw_flow *f, struct gw_inquiry *q);
void gw_admin_resume_app(struct gw_flow *f, struct gw_inquiry *q);

/* ---- gw_methods_account.c */
void gw_admin_tiers(struct gw_flow *f, struct gw_inquiry *q);
void gw_admin_account(struct gw_flow *f, struct gw_inquiry *q);
void gw_admin_accounts(struct gw_flow *f, struct gw_inquiry *q);
void gw_admin_usage(struct gw_flow *f, struct gw_inquiry *q);
void gw_admin_grant(struct gw_flow *f, struct gw_inquiry *q);
void gw_admin_grants(struct gw_flow *f, struct gw_inquiry *q);
void gw_admin_block(struct gw_flow *f, struct gw_inquiry *q);
void gw_admin_unblock(struct gw_flow *f, struct gw_inquiry *q);
void gw_admin_blocks(struct gw_flow *f, struct gw_inquiry *q);

/* ---- gw_services.c: what they share */
/* May something new be given? While it could not be recorded, not. false: refused. */
bool gw_services_may_give(struct gw_flow *f, struct gw_inquiry *q);
/* The form's account in the ledger's form; "" when it has none. false: refused. */
bool gw_services_account(struct gw_flow *f, struct gw_inquiry *q,
                         char out[GW_ACCOUNT_NAME_MAX + 1]);
/* The form's call_id. false: refused, it is none. */
bool gw_services_call_id(struct gw_flow *f, struct gw_inquiry *q, uint8_t out[16]);
/* The bytes of a fetch token's text. false: it is none of ours. */
bool gw_services_read_token(const char *text, uint8_t out[GW_IDEM_TOKEN_BYTES]);
/* The index of a tier by its name. -1: refused, with the names that there are. */
int gw_services_tier(struct gw_flow *f, struct gw_inquiry *q, const char *name);
/* Refuses with a sentence about a field of the form; "": about none. */
void gw_services_refuse(struct gw_flow *f, struct gw_inquiry *q, enum sl_reason reason,
                        const char *field, const char *fmt, ...) SL_PRINTF(5, 6);
/* For the log: who changed what. */
#define GW_BY(q) SL_S("by", gw_principal_name(&(q)->who))

#endif
