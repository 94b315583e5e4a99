/* ex_comeback.h - when a worker that died of itself is started again.
 *
 * At once, once. When it dies again before it has given a result, more and more time lies between its starts: 100 ms,
 * twice that, and so on up to 1.6 s. What the process lived counts, so one that ran for longer than that is back
 * at once, whoever ended it.
 *
 * Purity   No clock: instants are arguments.
 */
#ifndef EX_COMEBACK_H
#define EX_COMEBACK_H

#include "sl_time.h"

enum { EX_COMEBACK_MS = 100, EX_COMEBACK_DOUBLINGS = 4 };

/* crashes: in a row, the last one included. */
sl_mono_ns ex_comeback_at(unsigned crashes, sl_mono_ns started_at);

#endif
