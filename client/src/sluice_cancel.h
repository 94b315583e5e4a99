/* sluice_cancel.h - the descriptor inside a cancel switch. */
#ifndef SLUICE_CANCEL_H
#define SLUICE_CANCEL_H

#include "sluice/sluice.h"

/* Readable while the switch is on; -1 when cancel is NULL (poll passes over it). */
int sluice_cancel_fd(const struct sluice_cancel *cancel);

#endif
