/* cli_half.c - 16-bit floats to and from 32-bit ones. */
#include "cli_half.h"

#include <math.h>
#include <string.h>

static uint32_t bits_of(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof(bits));
    return bits;
}

static float float_of(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof(f));
    return f;
}

uint16_t cli_half_from_float(float f)
{
    const uint16_t sign = (uint16_t)(bits_of(f) >> 16 & 0x8000);
    const float magnitude = fabsf(f);

    if (isnan(f))
        return (uint16_t)(sign | 0x7E00);
    if (magnitude >= 65520.0F) /* half a step above the largest finite value */
        return (uint16_t)(sign | 0x7C00);
    if (magnitude < 0x1p-14F) /* subnormal: the value in steps of 2^-24 */
        return (uint16_t)(sign | (uint16_t)lrintf(magnitude * 0x1p24F));
    uint32_t bits = bits_of(magnitude);
    bits += 0xFFF + (bits >> 13 & 1); /* may carry into the exponent, which is right */
    return (uint16_t)(sign | ((bits - (112U << 23)) >> 13));
}

float cli_half_to_float(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    const uint32_t exponent = h >> 10 & 0x1F;
    const uint32_t fraction = h & 0x3FF;

    if (exponent == 31)
        return float_of(sign | 0x7F800000U | fraction << 13);
    if (exponent == 0)
        return float_of(sign | bits_of((float)fraction * 0x1p-24F));
    return float_of(sign | (exponent + 112) << 23 | fraction << 13);
}

uint16_t cli_bfloat_from_float(float f)
{
    uint32_t bits = bits_of(f);
    if (isnan(f))
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

float cli_bfloat_to_float(uint16_t b)
{
    return float_of((uint32_t)b << 16);
}
