/* plain_results.h - the port for calls that are asked twice, where a test is not about the disk or about secrets: a
 * digest that tells requests apart, numbers for random bytes, no files. */
#ifndef PLAIN_RESULTS_H
#define PLAIN_RESULTS_H

#include "gw_ports.h"

extern const struct gw_results_port plain_results;

/* 64 calls, for ten minutes, 4 KiB of memory each and 16 KiB together. */
extern const struct gw_results_conf plain_results_conf;

#endif
