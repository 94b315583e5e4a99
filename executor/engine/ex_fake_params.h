/* ex_fake_params.h - a call's parameters as the elements of a BYTES tensor, "NAME=KIND:VALUE" each: so a
 * caller sees what reached the model. Pure.
 *
 * Kinds are bool, int, uint, double and string; a double has 17 digits, which tell every one apart.
 */
#ifndef EX_FAKE_PARAMS_H
#define EX_FAKE_PARAMS_H

#include <stddef.h>
#include <stdint.h>

#include "ex_param.h"

/* Of the tensor with one element for each parameter. */
uint64_t ex_fake_params_bytes(const struct ex_param *params, size_t count);
/* Writes so many bytes and a NUL that belongs to nothing. */
void ex_fake_params_write(const struct ex_param *params, size_t count, char *out);

#endif
