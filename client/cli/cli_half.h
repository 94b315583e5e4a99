/* cli_half.h - 16-bit floats to and from 32-bit ones: IEEE binary16 (FP16) and bfloat16 (BF16). Pure.
 * Rounds to nearest, ties to even. */
#ifndef CLI_HALF_H
#define CLI_HALF_H

#include <stdint.h>

uint16_t cli_half_from_float(float f);
float cli_half_to_float(uint16_t h);
uint16_t cli_bfloat_from_float(float f);
float cli_bfloat_to_float(uint16_t b);

#endif
