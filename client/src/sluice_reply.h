/* sluice_reply.h - what an exchange that is over means: its gRPC status. Pure. */
#ifndef SLUICE_REPLY_H
#define SLUICE_REPLY_H

#include "sluice_exchange.h"

/* Fills *s from x, whose result gets the details of an error. Returns s->code. */
int sluice_reply_status(const struct sluice_exchange *x, struct sluice_status *s);

#endif
